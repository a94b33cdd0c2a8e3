import Echoing
import Experiments
import FaultInjection
import Foundation
import Machines
import Measurements
import Scenarios
import Testing
import Units

/// Goal: a traced run is the run itself, and its timeline has what happened, in order, with each message
/// from its sending to its arrival.
/// Method: the same seed with and without a recorder; the timeline of echo under faults is held
/// against what the experiment itself counted.
@Suite struct TraceTests {
    private func run(
        _ scenario: Scenario,
        from: Instant = .zero,
        until: Instant = .distantFuture
    ) -> (record: RunRecord, timeline: Timeline) {
        var setting = ChaosSamples.setting(scenario, seed: 3)
        let recorder = TraceRecorder(lanes: setting.lanes, from: from, until: until)
        setting.recorder = recorder
        let record = Replication.simulated(setting, commit: "abc", isCancelled: { false })
        return (record, recorder.finished(record))
    }

    @Test func tracingChangesNothing() throws {
        let scenario = try ChaosSamples.scenario()
        let plain = Replication.simulated(
            ChaosSamples.setting(scenario, seed: 3),
            commit: "abc",
            isCancelled: { false }
        )
        let traced = run(scenario).record
        #expect(traced.fingerprint == plain.fingerprint)
        #expect(traced.checkpoints == plain.checkpoints)
        #expect(traced.events == plain.events)
        #expect(traced.invariants == plain.invariants)
    }

    @Test func messagesGoFromSendingToArrival() throws {
        let (record, timeline) = run(try ChaosSamples.scenario())
        #expect(!timeline.isCut)
        #expect(timeline.entries.map(\.time) == timeline.entries.map(\.time).sorted())
        let arrived = timeline.messages.compactMap { message in
            message.received.map { ($0 - message.sent, message) }
        }
        #expect(arrived.count > 100)
        // One way takes at least half of the round trip, and no message goes back in time.
        #expect(arrived.allSatisfy { $0.0 >= .milliseconds(5) })
        #expect(arrived.allSatisfy { $0.1.from != $0.1.to })
        // The link was down and the server away: some messages got lost.
        #expect(timeline.messages.contains { $0.received == nil && !$0.isStream })
        for entry in timeline.entries where entry.kind == .received {
            let message = timeline.messages[try #require(entry.message)]
            #expect(message.to == entry.lane && message.received == entry.time)
        }
        let births = timeline.entries.filter { $0.kind == .born }
        let restarts = record.faults.count { $0.kind == "node.restart" && $0.healed != nil }
        #expect(births.count == 4 + restarts)
        #expect(timeline.faults.count == record.faults.count { $0.fired != nil })
        let restart = try #require(timeline.faults.first { $0.kind == "node.restart" })
        #expect(restart.lanes == [3])
    }

    @Test func aWindowHasOnlyWhatIsInIt() throws {
        let scenario = try ChaosSamples.scenario()
        let (from, until) = (Instant.zero + .seconds(1), Instant.zero + .milliseconds(1_500))
        let whole = run(scenario).timeline
        let part = run(scenario, from: from, until: until).timeline
        let expected = whole.entries.filter { $0.time >= from && $0.time <= until }
        #expect(expected.count > 10)
        #expect(part.entries.map(\.text) == expected.map(\.text))
        #expect(part.entries.map(\.time) == expected.map(\.time))
    }

    @Test func streamsAreFollowedPieceByPiece() throws {
        let scenario = try ScenarioFile.parse(
            """
            version: 1
            name: streams
            topology:
              regions: {a: {nodes: 1}, b: {nodes: 1}}
              links: [{between: [a, b], rtt: 10 ms, rate: 10 Mbit/s}]
            workload: {kind: echo, from: a, to: b, requests: 1, stream: 64 KiB, streams: 1}

            """,
            file: "streams.yaml"
        )
        let timeline = run(scenario).timeline
        let pieces = timeline.messages.filter(\.isStream)
        #expect(!pieces.isEmpty)
        #expect(pieces.allSatisfy { $0.received != nil })
        #expect(Set(pieces.map(\.from)) == [0, 1])
    }

    @Test func keptFaultsAreTheSameFaults() throws {
        let scenario = try ChaosSamples.scenario()
        let whole = FaultPlan(scenario, seed: 3)
        let names = whole.faults.indices.filter { $0 % 3 == 1 }.map { whole.faults[$0].name }
        let part = whole.keeping(names)
        #expect(part.faults.map(\.name) == names)
        #expect(part.faults.map(\.id) == Array(names.indices))
        for fault in part.faults {
            let original = try #require(whole.faults.first { $0.name == fault.name })
            #expect(original.fireAt == fault.fireAt && original.healAt == fault.healAt)
            #expect(original.effect == fault.effect)
        }
        #expect(whole.keeping(nil) == whole)
        #expect(whole.keeping([PlannedFault.Name(rule: 99, occurrence: 0)]).faults.isEmpty)
        for name in names { #expect(PlannedFault.Name(name.description) == name) }
        for text in ["", "1", "1.", ".1", "1.2.3", "-1.0", "a.b", "1.99999999999"] {
            #expect(PlannedFault.Name(text) == nil)
        }
    }

    @Test func reductionsThatLeaveNoScenarioAreRefused() throws {
        let scenario = try ChaosSamples.scenario()
        let setting = ChaosSamples.setting(scenario, seed: 3)
        let none = Reduction(regions: [Reduction.RegionSize(region: "server", nodes: 0)])
        #expect(throws: ScenarioError.self) { _ = try setting.reduced(by: none) }
        let fewer = try setting.reduced(
            by: Reduction(
                regions: [Reduction.RegionSize(region: "clients", nodes: 1)],
                operations: 2
            )
        )
        #expect(fewer.scenario.topology.nodeCount == 2)
        #expect(fewer.scenario.workload.operations == 2)
        let same = try setting.reduced(by: .none)
        #expect(same.scenario == scenario)
    }
}
