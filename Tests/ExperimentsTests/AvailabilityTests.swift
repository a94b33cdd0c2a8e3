import Experiments
import Measurements
import Scenarios
import Testing
import Units

/// Goal: probes of groups under failures by rate count what a calculation by hand counts, group by group,
/// and long runs keep no memory of what went well.
/// Method: outages whose length is known within an election, and a quiet run beside a ten times longer one.
@Suite struct AvailabilityTests {
    private func scenario(_ faults: String, groups: Int = 1, length: String) throws -> Scenario {
        try ScenarioFile.parse(
            """
            version: 1
            name: availability
            topology:
              regions: {a: {nodes: \(groups)}, b: {nodes: \(groups)}, c: {nodes: \(groups)}, probes: {}}
              links:
                - {between: [a, b], rtt: 60 ms, rate: 1 Gbit/s}
                - {between: [b, c], rtt: 60 ms, rate: 1 Gbit/s}
                - {between: [a, c], rtt: 60 ms, rate: 1 Gbit/s}
                - {between: [probes, a], rtt: 20 ms, rate: 1 Gbit/s}
                - {between: [probes, b], rtt: 20 ms, rate: 1 Gbit/s}
                - {between: [probes, c], rtt: 20 ms, rate: 1 Gbit/s}
            workload:
              kind: requests
              groups: \(groups)
              replicas: 3
              load: {rate: 1 /s, arrival: constant, clients: 5, mix: {get: 95 %, put: 5 %}}
              duration: {warmup: 1 min, measure: \(length)}
            system:
              consensus: {carrier: datagrams, heartbeat: 1 s, election: 5..10 s, reads: lease}
            faults: [\(faults)]
            invariants: [raft-safety, commands-applied-once]
            budget: {replications: {min: 2, max: 2}}

            """,
            file: "availability.yaml"
        )
    }

    private func run(_ scenario: Scenario, seed: UInt64 = 1) -> RunRecord {
        Replication.simulated(
            ChaosSamples.setting(scenario, seed: seed),
            commit: "abc",
            isCancelled: { false }
        )
    }

    private func figure(_ metric: String, _ record: RunRecord) throws -> MetricValue {
        try #require(record.metrics.first { $0.metric == metric })
    }

    @Test func aGroupThatIsGoneFailsOneProbeASecond() throws {
        // All replicas are gone for 100 s; then they need an election of 5 to 10 s, at times two. Probes
        // give up after 2 s, so one that is due in the last 2 s of an outage is answered after all.
        let record = run(
            try scenario(
                "{kind: node.crash, at: 600 s, for: 100 s, select: {pick: all}}",
                length: "1 h"
            )
        )
        #expect(record.outcome == .completed)
        let failed = (100 - (try figure("availability", record).value)) / 100 * 3600
        #expect((100...125).contains(failed.rounded()))
        // Probes are due at whole seconds, and the answer that ends an outage comes after its probe.
        let repair = try figure("mttr", record)
        #expect(repair.sampleCount == 1)
        #expect((104...127).contains(repair.value))
        #expect(record.invariants.allSatisfy { $0.checked > 0 && $0.violationCount == 0 })
    }

    @Test func theGroupsAreToldApart() throws {
        // The nodes of a, b and c are dealt in turns: the first of a belongs to the first group.
        let record = run(
            try scenario(
                "{kind: net.partition, mode: isolate, at: 10 min, for: 5 min, select: {pick: all, region: a}},"
                    + "{kind: node.crash, mtbf: 20 min, mttr: 2 min}",
                groups: 3,
                length: "2 h"
            )
        )
        let groups = try figure("group-availability", record)
        let all = try figure("availability", record)
        #expect(groups.sampleCount == 3)
        #expect(abs(groups.value - all.value) < 1e-9)
        let lowest = try #require(groups.extremes?.minimum)
        #expect(lowest < all.value && all.value < 100)
        #expect(record.faults.count > 20)
        #expect(record.invariants.allSatisfy { $0.checked > 0 && $0.violationCount == 0 })
    }

    @Test func equalSeedsMeetEqualFailures() throws {
        let scenario = try scenario(
            "{kind: node.crash, mtbf: 10 min, mttr: 1 min}",
            length: "30 min"
        )
        let first = run(scenario, seed: 5)
        let second = run(scenario, seed: 5)
        #expect(first.fingerprint == second.fingerprint && first.metrics == second.metrics)
        #expect(first.faults == second.faults && first.faults.count > 3)
        #expect(run(scenario, seed: 6).faults != first.faults)
    }
}
