import Experiments
import Measurements
import RaftDefects
import Scenarios
import Testing
import Units

/// Goal: administrators change who takes part, by the seed; promises hold meanwhile; and defects of changes
/// and of elections under partial partitions are noticed. Method: small runs of two scenarios, with the
/// sound rules and with defective ones.
@Suite struct MembershipTests {
    private static func scenario(style: String, every: String = "1 s") throws -> Scenario {
        try ScenarioFile.parse(
            """
            version: 1
            name: members
            topology:
              regions: {east: {nodes: 3}, west: {nodes: 3}, clients: {nodes: 1}}
              links:
                - {between: [east, west], rtt: 20 ms, rate: 1 Gbit/s}
                - {between: [east, clients], rtt: 10 ms, rate: 1 Gbit/s}
                - {between: [west, clients], rtt: 10 ms, rate: 1 Gbit/s}
            workload:
              kind: requests
              replicas: 6
              membership: {founders: 4, every: \(every), style: \(style), administrators: 2}
              load: {rate: 40 /s, clients: 20, keys: 3, timeout: 1 s}
              duration: {warmup: 0 s, measure: 30 s}
            system: {consensus: {election: 300..600 ms, snapshot-entries: 40}}
            recovery: {heal-at: 20 s, progress-within: 8 s, data-loss: none, replicas: replica}
            faults:
              - {kind: node.crash, every: 2 s, for: 200 ms..1 s}
              - {kind: net.partition, mode: majority-minority, every: 3 s, for: 1..2 s}
              - {kind: net.partition, mode: isolate, every: 2 s, for: 500 ms..1 s}
            invariants: [linearizable, raft-safety, commands-applied-once, replicas-converge,
              progress-after-heal]

            """,
            file: "members.yaml"
        )
    }

    private static func partial() throws -> Scenario {
        try ScenarioFile.parse(
            """
            version: 1
            name: partial
            topology:
              regions: {replicas: {nodes: 5}, clients: {nodes: 1}}
              links: [{between: [replicas, clients], rtt: 10 ms, rate: 1 Gbit/s}]
            workload:
              kind: requests
              replicas: 5
              load: {rate: 20 /s, timeout: 1 s}
              duration: {warmup: 0 s, measure: 40 s}
            system: {consensus: {election: 300..600 ms}}
            recovery: {heal-at: 34 s, progress-within: 4 s, data-loss: none, replicas: replica}
            faults:
              - {kind: net.partition, mode: chained, at: 2 s, for: 14 s}
              - {kind: net.partition, mode: single-link, at: 18 s, for: 14 s}
            invariants: [linearizable, raft-safety, progress-under-partition]

            """,
            file: "partial.yaml"
        )
    }

    private func run(
        _ scenario: Scenario,
        seed: UInt64,
        defect: RaftDefect? = nil
    ) -> RunRecord {
        var setting = ChaosSamples.setting(scenario, seed: seed)
        setting.defect = defect
        return Replication.simulated(setting, commit: "abc", isCancelled: { false })
    }

    private func broken(_ record: RunRecord) -> [String] {
        record.invariants.filter { $0.violationCount > 0 }.map(\.name)
    }

    @Test(arguments: ["single", "joint", "mixed"])
    func membersComeAndGo(_ style: String) throws {
        let scenario = try MembershipTests.scenario(style: style)
        var met: Set<String> = []
        for seed in 1...6 as ClosedRange<UInt64> {
            let record = run(scenario, seed: seed)
            #expect(record.outcome == .completed)
            #expect(broken(record) == [], "seed \(seed)")
            #expect(record.facts.contains { $0.key == "orders of administrators" })
            met.formUnion(record.markers.filter { $0.kind == Marker.sometimes }.map(\.text))
        }
        #expect(met.contains("requests: membership changed"))
        #expect(met.contains("requests: leadership handed over"))
        #expect(met.contains("requests: joint phase during a partition") == (style != "single"))
    }

    @Test func equalSeedsGiveEqualRuns() throws {
        let scenario = try MembershipTests.scenario(style: "mixed")
        let first = run(scenario, seed: 9)
        #expect(run(scenario, seed: 9).fingerprint == first.fingerprint)
        #expect(run(scenario, seed: 10).fingerprint != first.fingerprint)
    }

    @Test(arguments: [
        (RaftDefect.jointPhaseCountsOnce, "mixed"), (.changesBeforeOwnCommit, "single"),
        (.keepsTruncatedMembership, "mixed"), (.snapshotKeepsConflicts, "mixed"),
    ])
    func defectsOfChangesAreSeen(_ defect: RaftDefect, _ style: String) throws {
        let scenario = try MembershipTests.scenario(style: style, every: "500 ms")
        let seen = (UInt64(1)...200).contains { seed in
            broken(run(scenario, seed: seed, defect: defect)).contains("raft-safety")
        }
        #expect(seen, "\(defect.rawValue) was not noticed in 200 seeds")
    }

    @Test func guardsKeepAPartialPartitionQuiet() throws {
        let scenario = try MembershipTests.partial()
        for seed in 1...4 as ClosedRange<UInt64> {
            let sound = run(scenario, seed: seed)
            #expect(broken(sound) == [])
            let checked = sound.invariants.first { $0.name == "progress-under-partition" }?.checked
            #expect(checked == 2)
        }
        let defective = (UInt64(1)...4).map {
            broken(run(scenario, seed: $0, defect: .noElectionGuards))
        }
        #expect(defective.allSatisfy { $0 == ["progress-under-partition"] }, "\(defective)")
    }
}
