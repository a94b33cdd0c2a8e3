import Experiments
import Foundation
import Measurements
import RaftDefects
import Scenarios
import Testing
import Units

/// Goal: replicas that are processes keep the promises of replicas that are simulated: killed, standing still
/// and parted, what clients met is linearizable, and a planted defect is found by the same checker.
/// Method: replications with the built program's processes, over emulated links and, with the right to make
/// namespaces taken away, over the loopback interface.
@Suite(.serialized) struct RaftForRealTests {
    /// Each replica in a region of its own, so that faults that name regions strike the leader, too.
    private static func scenario(
        _ faults: String,
        mix: String = "{get: 40 %, put: 20 %, cas: 20 %, append: 10 %, delete: 10 %}",
        load: String = "rate: 60 /s, clients: 12, keys: 4, timeout: 1 s",
        election: String = "200..400 ms",
        seconds: Int = 10,
        healAt: String = "7600 ms"
    ) -> String {
        """
        version: 1
        name: for-real
        topology:
          regions: {left: {nodes: 1}, middle: {nodes: 1}, right: {nodes: 1}, clients: {nodes: 1}}
          links:
            - {between: [left, middle], rtt: 4 ms, rate: 1 Gbit/s}
            - {between: [left, right], rtt: 4 ms, rate: 1 Gbit/s}
            - {between: [middle, right], rtt: 4 ms, rate: 1 Gbit/s}
            - {between: [clients, left], rtt: 2 ms, rate: 1 Gbit/s}
            - {between: [clients, middle], rtt: 2 ms, rate: 1 Gbit/s}
            - {between: [clients, right], rtt: 2 ms, rate: 1 Gbit/s}
        workload:
          kind: requests
          replicas: 3
          load: {\(load), mix: \(mix)}
          duration: {warmup: 0 s, measure: \(seconds) s}
        system: {consensus: {heartbeat: 50 ms, election: \(election), snapshot-entries: 50}}
        recovery: {heal-at: \(healAt), progress-within: 2 s, data-loss: none, replicas: replica}
        faults:
        \(faults)
        invariants: [linearizable, raft-safety, commands-applied-once, replicas-converge,
          progress-after-heal]
        budget: {replications: {min: 2, max: 2}}

        """
    }

    /// Every replica is killed, stands still for longer than an election takes, and loses the others.
    private static let everyReplicaFails = """
          - {kind: node.rolling-upgrade, at: 800 ms, for: 500 ms, gap: 400 ms}
          - {kind: node.pause, at: 3700 ms, for: 700 ms, select: {region: left}}
          - {kind: node.pause, at: 4600 ms, for: 700 ms, select: {region: middle}}
          - {kind: node.pause, at: 5500 ms, for: 700 ms, select: {region: right}}
          - {kind: net.partition, mode: majority-minority, at: 6300 ms, for: 500 ms}
          - {kind: net.partition, mode: isolate, at: 6900 ms, for: 600 ms, select: {pick: 2}}
        """

    private static func replicate(
        _ text: String,
        seed: UInt64 = 1,
        isEmulated: Bool,
        defect: RaftDefect? = nil
    ) async throws -> RunRecord {
        let lab = try Laboratory()
        let path = try lab.write(text, to: "for-real.yaml")
        let scenario = try ScenarioFile.load(path: path, on: .sockets)
        let hardware = lab.path("scenarios/hardware")
        var setting = ReplicationSetting(
            scenario: scenario,
            variant: scenario.variants[0],
            seed: seed,
            profile: try HardwareProfileFile.load(named: scenario.hardware, in: hardware),
            dataSet: nil
        )
        setting.defect = defect
        // A thread of its own: those of the test pool have other tests to run.
        return try await withCheckedThrowingContinuation { [setting] continuation in
            Thread.detachNewThread {
                let result = Result {
                    try Replication.onSockets(
                        setting,
                        commit: "tests",
                        scenarioPath: path,
                        processes: Laboratory.processes(isEmulated: isEmulated),
                        daemon: { [] },
                        isCancelled: { false }
                    )
                }
                continuation.resume(with: result)
            }
        }
    }

    private static func expectPromisesKept(_ record: RunRecord) throws {
        #expect(record.outcome == .completed)
        #expect(record.invariants.count >= 5)
        for invariant in record.invariants where invariant.name != "link-rate-respected" {
            #expect(
                invariant.checked > 0 && invariant.violationCount == 0,
                "\(invariant.name): \(invariant.violations.map(\.message))"
            )
        }
        #expect(record.faults.allSatisfy { $0.fired != nil && $0.healed != nil })
        // The leader was among those that were killed, and among those that stood still.
        let elections = try #require(record.fact("elections")?.split(separator: " ").first)
        #expect(Int(elections) ?? 0 >= 3)
        #expect(record.fact("order of facts") != nil)
        let requests = try #require(record.fact("requests")?.split(separator: " ").first)
        #expect(Int(requests) ?? 0 > 300)
    }

    @Test func promisesAreKeptOnLoopback() async throws {
        let record = try await RaftForRealTests.replicate(
            RaftForRealTests.scenario(RaftForRealTests.everyReplicaFails),
            isEmulated: false
        )
        try RaftForRealTests.expectPromisesKept(record)
        #expect(record.fact("links")?.hasPrefix("unshaped") == true)
        #expect(record.fact("partitions") != nil)
        #expect(!record.isShaped)
    }

    @Test func promisesAreKeptOverEmulatedLinks() async throws {
        guard getuid() == 0 else {
            print("Raft over emulated links is not tested here: it needs root and TUN")
            return
        }
        let record = try await RaftForRealTests.replicate(
            RaftForRealTests.scenario(RaftForRealTests.everyReplicaFails),
            seed: 2,
            isEmulated: true
        )
        guard record.isShaped else {
            print("Raft over emulated links is not tested here: \(record.fact("links") ?? "")")
            return
        }
        try RaftForRealTests.expectPromisesKept(record)
        #expect(record.fact("partitions") == nil)
    }

    /// Goal: the checker finds on real processes what it finds in simulation: a leader that the others have
    /// deposed, and that answers reads without asking anybody, tells what is no longer true.
    /// Method: one replica after the other loses the others and not the clients. It has to be the leader, and
    /// to find out later than the others elect another one, so that there are several attempts.
    @Test func aDeposedLeaderThatAnswersReadsIsFound() async throws {
        let text = RaftForRealTests.scenario(
            "  - {kind: net.partition, mode: majority-minority, every: 1900 ms, for: 1700 ms}",
            mix: "{get: 85 %, put: 15 %}",
            load: "rate: 200 /s, clients: 200, keys: 1, timeout: 800 ms",
            election: "800..850 ms",
            seconds: 12,
            healAt: "9900 ms"
        )
        var attempts = 0
        var isFound = false
        while !isFound, attempts < 6 {
            attempts += 1
            let record = try await RaftForRealTests.replicate(
                text,
                seed: UInt64(attempts),
                isEmulated: false,
                defect: .deposedLeaderReads
            )
            let outcome = try #require(record.invariants.first { $0.name == "linearizable" })
            isFound = outcome.violationCount > 0
        }
        #expect(isFound, "\(attempts) runs with a planted defect looked sound")
    }

    /// Clients are the laboratory's own; when their process dies, what they waited for is unknown.
    @Test func killedClientsBreakNoPromise() async throws {
        let record = try await RaftForRealTests.replicate(
            RaftForRealTests.scenario(
                """
                  - {kind: node.crash, at: 1500 ms, for: 300 ms, select: {role: client}}
                  - {kind: node.crash, at: 1600 ms, for: 300 ms}
                """,
                seconds: 5,
                healAt: "2500 ms"
            ),
            seed: 3,
            isEmulated: false
        )
        #expect(record.outcome == .completed)
        for invariant in record.invariants where invariant.name != "link-rate-respected" {
            #expect(invariant.checked > 0 && invariant.violationCount == 0, "\(invariant)")
        }
    }

    @Test func faultsOfSimulationAreRefusedWithTheirLine() async throws {
        let lab = try Laboratory()
        let text = RaftForRealTests.scenario(
            """
              - {kind: node.pause, at: 1 s, for: 1 s}
              - {kind: disk.torn-write, at: 2 s, for: 1 s}
            """
        )
        let file = try lab.write(text, to: "torn.yaml")
        let line = try #require(
            text.split(separator: "\n", omittingEmptySubsequences: false)
                .firstIndex { $0.contains("torn-write") }
        )
        let refused = try await lab.run(["run", file, "--on", "sockets", "--store", lab.store])
        #expect(refused.code == 65)
        #expect(
            refused.errors.contains(
                "torn.yaml:\(line + 1):5: error: 'disk.torn-write' happens in simulation only"
            ),
            "\(refused.errors)"
        )
    }
}

extension Laboratory {
    /// Takes the right to make namespaces, where there is one to take.
    static var withoutPrivileges: [String] {
        getuid() == 0 ? ["/usr/bin/setpriv", "--bounding-set=-sys_admin,-net_admin"] : []
    }

    /// The processes of a replication, as the built program starts them.
    static func processes(isEmulated: Bool) -> ProcessLauncher {
        let command = (isEmulated ? [] : withoutPrivileges) + [program]
        return ProcessLauncher(
            agent: { namespace in
                try AgentHandle(
                    executable: command[0],
                    arguments: Array(command.dropFirst()) + ["agent"]
                        + (namespace.map { ["--enter", $0] } ?? [])
                )
            },
            emulator: {
                try AgentHandle(
                    executable: command[0],
                    arguments: Array(command.dropFirst()) + ["emulate"]
                )
            }
        )
    }
}
