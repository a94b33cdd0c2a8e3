import Experiments
import FaultInjection
import Foundation
import HardwareModel
import LinkModel
import Measurements
import RaftDefects
import Scenarios
import Testing
import Units

/// Goal: requests to replicated groups are counted as clients met them, their promises are checked, and
/// a planted defect breaks one of them.
/// Method: small runs of a scenario, with and without faults, with the sound rules and with defective
/// ones.
@Suite struct RequestTests {
    static func scenario(
        _ faults: String = "",
        groups: Int = 1,
        dataLoss: String = "none",
        leaders: String = ""
    ) throws -> Scenario {
        try ScenarioFile.parse(
            """
            version: 1
            name: requests
            topology:
              regions:
                east: {nodes: \(2 * groups)}
                west: {nodes: \(groups)}
                clients: {nodes: 1}
              links:
                - {between: [east, west], rtt: 20 ms, rate: 1 Gbit/s}
                - {between: [east, clients], rtt: 10 ms, rate: 1 Gbit/s}
                - {between: [west, clients], rtt: 10 ms, rate: 1 Gbit/s}
            workload:
              kind: requests
              groups: \(groups)
              replicas: 3
              load: {rate: 40 /s, clients: 20, keys: 3, timeout: 500 ms,
                mix: {get: 40 %, put: 20 %, cas: 20 %, append: 10 %, delete: 5 %, scan: 5 %}}
              duration: {warmup: 2 s, measure: 18 s}
            system: {consensus: {election: 300..600 ms, snapshot-entries: 40\(leaders)}}
            recovery: {heal-at: 12 s, progress-within: 5 s, data-loss: \(dataLoss), replicas: replica}
            faults: [\(faults)]
            invariants: [linearizable, raft-safety, commands-applied-once, replicas-converge,
              progress-after-heal]
            budget: {replications: {min: 2, max: 2}}

            """,
            file: "requests.yaml"
        )
    }

    static let faults = """
        {kind: node.crash, every: 2 s, for: 200 ms..1 s},
        {kind: node.pause, every: 3 s, for: 300 ms},
        {kind: net.partition, mode: majority-minority, every: 4 s, for: 1..2 s}
        """

    private func run(
        _ scenario: Scenario,
        seed: UInt64 = 1,
        defect: RaftDefect? = nil
    ) -> RunRecord {
        var setting = ChaosSamples.setting(scenario, seed: seed)
        setting.defect = defect
        return Replication.simulated(setting, commit: "abc", isCancelled: { false })
    }

    private func value(_ metric: String, _ record: RunRecord) throws -> Double {
        try #require(record.metrics.first { $0.metric == metric }).value
    }

    @Test func withoutFaultsEverythingIsAnswered() throws {
        let record = run(try RequestTests.scenario())
        #expect(record.outcome == .completed)
        #expect(try value("availability", record) == 100)
        #expect(try value("error-rate", record) == 0)
        // Poisson arrivals at 40 a second over 18 seconds: within five deviations.
        #expect(abs(try value("throughput", record) - 40) < 5 * (40.0 / 18).squareRoot())
        let commit = try #require(record.metrics.first { $0.metric == "commit-latency" })
        // Two replicas of each group are in one region, whose own links are the nearest majority.
        #expect(commit.bound?.admits(commit.value) == true)
        #expect(record.invariants.allSatisfy { $0.checked > 0 && $0.violationCount == 0 })
        #expect(record.invariants.map(\.name).contains("raft-safety"))
    }

    // Two replicas in the east need no other region to commit; the one in the west does.
    @Test(arguments: 1...4) func leadersStandInPreferredRegions(seed: UInt64) throws {
        let east = run(
            try RequestTests.scenario(leaders: ", leader-regions: [east]"),
            seed: seed
        )
        let west = run(
            try RequestTests.scenario(leaders: ", leader-regions: [west]"),
            seed: seed
        )
        #expect(try value("commit-latency", east) < 12)
        #expect(try value("commit-latency", west) > 30)
    }

    @Test func faultsBreakServiceAndNoPromise() throws {
        let record = run(try RequestTests.scenario(RequestTests.faults))
        #expect(record.outcome == .completed)
        #expect(record.faults.contains { $0.fired != nil })
        #expect(try value("availability", record) < 100)
        #expect(record.invariants.allSatisfy { $0.checked > 0 && $0.violationCount == 0 })
        let recoveries = try #require(record.metrics.first { $0.metric == "mttr" })
        #expect(recoveries.value > 0 && recoveries.value < 10)
    }

    /// A fault that is aimed at the leader strikes whoever leads then, and each time another one has to
    /// be elected.
    @Test func theLeaderIsFoundWhenAFaultStrikes() throws {
        let scenario = try RequestTests.scenario(
            """
            {kind: node.crash, every: 3 s, for: 200 ms, until: 11 s, select: {pick: leader}},
            {kind: net.partition, mode: isolate, every: 4 s, for: 1 s, select: {pick: leader}}
            """
        )
        let record = run(scenario, seed: 5)
        #expect(run(scenario, seed: 5).fingerprint == record.fingerprint)
        #expect(record.invariants.allSatisfy { $0.checked > 0 && $0.violationCount == 0 })
        let struck = record.faults.filter { $0.fired != nil }
        #expect(struck.count >= 4)
        #expect(struck.allSatisfy { $0.target.hasSuffix(", leading") && $0.healed != nil })
        let elections = try #require(record.fact("elections"))
        let won = try #require(elections.split(separator: " ").first.flatMap { Int($0) })
        #expect(won >= struck.count)
        // A request waits no longer than an election may last, so some strikes interrupt the service.
        let recoveries = try #require(record.metrics.first { $0.metric == "mttr" })
        #expect((1...2 * struck.count).contains(recoveries.sampleCount))
    }

    /// A link that follows a trace carries what the trace says, and its own rate afterwards.
    @Test func aLinkFollowsATraceForAWhile() throws {
        var scenario = try RequestTests.scenario(
            """
            {kind: net.trace, at: 6 s, for: 4 s, trace: slow, select: {region: east, pick: all}}
            """
        )
        let trace = try RateTrace(
            .steps(starts: [0, 500_000_000], rates: [1_000_000, 0]),
            ending: .repeat,
            length: .seconds(1)
        )
        scenario.attachTraces { _ in trace }
        let record = run(scenario)
        #expect(record.faults.allSatisfy { $0.fired != nil && $0.healed != nil })
        #expect(record.invariants.allSatisfy { $0.violationCount == 0 })
        let quiet = try #require(run(try RequestTests.scenario()).metrics.first)
        let slow = try #require(record.metrics.first)
        // Half a second of silence in each second of the fault delays what is asked then.
        #expect(slow.metric == "request-latency" && quiet.metric == "request-latency")
        #expect(slow.value > quiet.value + 10)
    }

    /// What a session waited for when its node died is unknown, and its next life may ask again.
    @Test func clientsMayCrash() throws {
        let faults = "{kind: node.crash, every: 2 s, for: 300 ms, select: {role: client}}"
        let record = run(try RequestTests.scenario(faults))
        #expect(record.outcome == .completed)
        #expect(record.faults.count { $0.healed != nil } >= 5)
        #expect(record.invariants.allSatisfy { $0.checked > 0 && $0.violationCount == 0 })
    }

    @Test func equalSeedsGiveEqualRuns() throws {
        let scenario = try RequestTests.scenario(RequestTests.faults)
        let first = run(scenario, seed: 9)
        let second = run(scenario, seed: 9)
        #expect(first.fingerprint == second.fingerprint)
        #expect(first.metrics == second.metrics)
        #expect(run(scenario, seed: 10).fingerprint != first.fingerprint)
    }

    @Test func groupsAreOnTheirOwn() throws {
        let scenario = try RequestTests.scenario(groups: 2)
        #expect(scenario.replicaGroups.map(\.count) == [3, 3])
        #expect(Set(scenario.replicaGroups.flatMap { $0 }).count == 6)
        let record = run(scenario)
        #expect(record.invariants.allSatisfy { $0.checked > 0 && $0.violationCount == 0 })
        #expect(abs(try value("throughput", record) - 80) < 5 * (80.0 / 18).squareRoot())
    }

    /// A history that is not linearizable is drawn where somebody traces the run, and drawing changes
    /// nothing.
    @Test func aHistoryThatFailsHasItsPicture() throws {
        var scenario = try RequestTests.scenario(RequestTests.faults)
        scenario.invariants = [.linearizable]
        let failing = (UInt64(1)...200).first { seed in
            let record = run(scenario, seed: seed, defect: .retryAppliedTwice)
            return FailureSignature(record)?.rule == "linearizable"
        }
        let seed = try #require(failing)
        var setting = ChaosSamples.setting(scenario, seed: seed)
        setting.defect = .retryAppliedTwice
        let plain = Replication.simulated(setting, commit: "abc", isCancelled: { false })
        let until = try #require(plain.firstViolation?.violation?.time)
        let recorder = TraceRecorder(lanes: setting.lanes, from: .zero, until: until)
        setting.recorder = recorder
        // As a report asks for it: no longer than until it fails.
        let traced = Replication.simulated(
            setting,
            commit: "abc",
            until: until,
            isCancelled: { false }
        )
        #expect(FailureSignature(traced)?.rule == "linearizable")
        let pictures = recorder.finished(traced).pictures
        #expect(pictures.count == 1)
        #expect(pictures.first?.drawing.contains("class=\"history\"") == true)
    }

    @Test(arguments: [RaftDefect.retryAppliedTwice, .acknowledgesEarly])
    func plantedDefectsAreSeen(_ defect: RaftDefect) throws {
        let scenario = try RequestTests.scenario(RequestTests.faults)
        let seen = (UInt64(1)...200).contains { seed in
            let record = run(scenario, seed: seed, defect: defect)
            return record.invariants.contains { $0.violationCount > 0 }
        }
        #expect(seen, "\(defect.rawValue) was not noticed in 200 seeds")
    }
}
