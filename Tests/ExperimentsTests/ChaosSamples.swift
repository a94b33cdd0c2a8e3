import Experiments
import FaultInjection
import Foundation
import HardwareModel
import Measurements
import Scenarios
import Synchronization
import Units

/// A small world with many faults, and runs of it with a promise that is broken on purpose.
enum ChaosSamples {
    /// Two clients and a server whose links and processes fail several times in five seconds.
    static func scenario(requests: Int = 40, clients: Int = 3) throws -> Scenario {
        try ScenarioFile.parse(
            """
            version: 1
            name: planted
            seed: 1
            topology:
              regions: {clients: {nodes: \(clients)}, server: {nodes: 1}}
              links: [{between: [clients, server], rtt: 10 ms, rate: 100 Mbit/s}]
            workload: {kind: echo, from: clients, to: server, requests: \(requests), interval: 100 ms,
              timeout: 200 ms, attempts: 60, stream: 0 B, streams: 1, deadline: 30 s}
            faults:
              - {kind: node.restart, at: 500 ms..4 s, for: 50 ms, select: {role: server}}
              - {kind: node.pause, every: 300 ms, for: 20 ms, select: {role: client, pick: one}}
              - {kind: net.delay, every: 400 ms, for: 50 ms, delay: 5 ms, select: {region: server}}
              - {kind: net.down, at: 500 ms..4 s, for: 20 ms, select: {region: server}}
            invariants: [acknowledged-writes-survive]
            sometimes: [echo.serving, never-seen]

            """,
            file: "planted.yaml"
        )
    }

    static func setting(_ scenario: Scenario, seed: UInt64) -> ReplicationSetting {
        ReplicationSetting(
            scenario: scenario,
            variant: scenario.variants[0],
            seed: seed,
            profile: HardwareProfile(
                name: "test",
                measured: HardwareProfile.Provenance(
                    machine: "none",
                    date: "2026-01-01",
                    method: "-"
                ),
                cores: 1,
                speeds: HardwareProfile.Speeds { _ in 1000 },
                disk: HardwareProfile.Disk(write: 100, fsync: .milliseconds(1))
            ),
            dataSet: nil
        )
    }

    /// Runs a seed for real, with a promise that does not hold: the server may not start again after
    /// the link was down before. It takes exactly one restart and one outage, in this order.
    static func planted(_ order: SeedOrder, _ scenario: Scenario) throws -> SeedAnswer {
        let whole = setting(scenario, seed: order.seed)
        let reduced = try whole.reduced(by: order.reduction)
        var record = Replication.simulated(
            reduced,
            commit: "abc",
            until: order.reduction.until,
            isCancelled: { false }
        )
        let outage = record.faults.first { $0.kind == "net.down" }?.fired
        let restart = record.faults.first { $0.kind == "node.restart" }?.healed
        var violations: [Violation] = []
        if let outage, let restart, outage < restart {
            violations.append(
                Violation(time: restart, message: "node 3 came back after an outage at \(outage)")
            )
        }
        record.invariants.append(
            InvariantOutcome(name: "planted", checked: 1, violations: violations)
        )
        var answer = SeedWorkerProgram.answer(
            SeedOrder(
                variant: order.variant,
                seed: order.seed,
                reduction: order.reduction,
                tellsFaults: true
            ),
            whole,
            commit: "abc"
        )
        answer.result = SeedResult(record, keepsCheckpoints: order.keepsCheckpoints)
        return answer
    }

    /// A seed that passed without anything being run.
    static func passed(_ order: SeedOrder, fingerprint: String? = nil) -> SeedAnswer {
        let digits = fingerprint ?? String(format: "%032d", Int(order.seed))
        return SeedAnswer(
            SeedResult(
                variant: order.variant,
                seed: order.seed,
                signature: nil,
                fingerprint: digits,
                events: 10,
                simulatedSeconds: 1,
                realSeconds: 0.01,
                faults: [],
                sightings: [],
                checks: [],
                isRepeatable: nil,
                checkpoints: order.keepsCheckpoints
                    ? [
                        Checkpoint(
                            time: .zero + .seconds(1),
                            fingerprint: String(format: "%032d", 7)
                        ),
                        Checkpoint(time: .zero + .seconds(2), fingerprint: digits),
                    ] : [],
                record: nil
            )
        )
    }
}

/// Remembers what a campaign kept; may refuse.
final class SeedRecorder: ChaosListener {
    struct Full: Error {}

    private let kept = Mutex<[SeedResult]>([])
    private let limit: Int

    init(limit: Int = .max) {
        self.limit = limit
    }

    var all: [SeedResult] { kept.withLock { $0 } }

    func planned(done: Int, total: Int) {}
    func repeating(_ count: Int) {}

    func keep(_ result: SeedResult) throws {
        try kept.withLock {
            guard $0.count < limit else { throw Full() }
            $0.append(result)
        }
    }
}
