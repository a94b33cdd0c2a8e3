import FaultInjection
import Measurements
import Scenarios
import Testing
import Units

/// Goal: a plan does what the rules say, is sorted, and depends on nothing but scenario and seed.
@Suite struct FaultPlanTests {
    /// Five nodes in two regions under these fault rules.
    private func scenario(_ faults: String, links: Bool = true) throws -> Scenario {
        let link = links ? "[{between: [a, b], rtt: 80 ms, rate: 100 Mbit/s}]" : "[]"
        let regions = links ? "{a: {nodes: 3}, b: {nodes: 2, labels: [rack]}}" : "{a: {nodes: 5}}"
        let text = """
            version: 1
            name: faults
            topology: {regions: \(regions), links: \(link)}
            workload: {kind: echo, deadline: 100 s}
            faults: [\(faults)]
            """
        do {
            return try ScenarioFile.parse(text, file: "test.yaml")
        } catch {
            Issue.record("\(error)")
            throw error
        }
    }

    private func plan(_ faults: String, seed: UInt64 = 1) throws -> [PlannedFault] {
        FaultPlan(try scenario(faults), seed: seed).faults
    }

    @Test func aFaultStrikesWhenAndWhereItsRuleSays() throws {
        let faults = try plan(
            "{kind: node.crash, at: 5 s, for: 2 s, select: {region: b, pick: all}}"
        )
        #expect(faults.count == 1)
        #expect(faults[0].kind == "node.crash")
        #expect(faults[0].fireAt == .zero + .seconds(5))
        #expect(faults[0].healAt == .zero + .seconds(7))
        #expect(faults[0].effect == .crash([NodeID(3), NodeID(4)]))
    }

    @Test func aFaultWithoutAnEndNeverHeals() throws {
        #expect(try plan("{kind: node.crash, at: 5 s}")[0].healAt == nil)
        #expect(try plan("{kind: node.restart, at: 5 s}")[0].healAt == .zero + .seconds(6))
    }

    @Test func periodicFaultsComeAtMultiplesWithoutOverlapping() throws {
        let short = try plan("{kind: node.pause, every: 20 s, for: 1 s}")
        #expect(short.map(\.fireAt.seconds) == [20, 40, 60, 80])
        #expect(short.map(\.occurrence) == [0, 1, 2, 3])
        // The one due at 40 s meets its predecessor and is left out.
        let long = try plan("{kind: node.pause, every: 20 s, for: 30 s}")
        #expect(long.map(\.fireAt.seconds) == [20, 60])
        // Without an end there is only the first.
        #expect(try plan("{kind: net.down, every: 20 s}").map(\.fireAt.seconds) == [20])
    }

    @Test func randomFaultsComeAboutAsOftenAsTheirProbability() throws {
        // Method: 99 full seconds at 20 % over 200 seeds; the mean's standard error is 0.28.
        var total = 0
        for seed in 0..<200 as Range<UInt64> {
            total += try plan("{kind: node.pause, probability: 20 %, for: 1 ms}", seed: seed).count
        }
        #expect(abs(Double(total) / 200 - 19.8) < 1.4)
    }

    @Test func drawnTimesStayInTheirRangesAndFillThem() throws {
        var starts: [Double] = []
        for seed in 0..<300 as Range<UInt64> {
            let fault = try plan("{kind: node.pause, at: 10..20 s, for: 1..3 s}", seed: seed)[0]
            let healAt = try #require(fault.healAt)
            #expect((10.0...20.0).contains(fault.fireAt.seconds))
            #expect((1.0...3.0).contains((healAt - fault.fireAt).seconds))
            starts.append(fault.fireAt.seconds)
        }
        #expect(starts.min() ?? 0 < 10.5)
        #expect(starts.max() ?? 0 > 19.5)
    }

    @Test func picksCountRight() throws {
        func nodes(_ pick: String, seed: UInt64 = 1) throws -> [NodeID] {
            let rule = "{kind: node.crash, at: 1 s, select: {pick: \(pick)}}"
            guard case .crash(let nodes) = try plan(rule, seed: seed)[0].effect else { return [] }
            return nodes
        }
        #expect(try nodes("one").count == 1)
        #expect(try nodes("3").count == 3)
        #expect(try nodes("40 %").count == 2)
        #expect(try nodes("1 %").count == 1)
        #expect(try nodes("all").map(\.rawValue) == [0, 1, 2, 3, 4])
        var struck: Set<NodeID> = []
        for seed in 0..<100 as Range<UInt64> { struck.formUnion(try nodes("one", seed: seed)) }
        #expect(struck.count == 5)
    }

    @Test func rolesSelectNodes() throws {
        // The first node of `to` serves, the nodes of `from` ask.
        let server = try plan("{kind: node.crash, at: 1 s, select: {role: server, pick: all}}")
        #expect(server[0].effect == .crash([NodeID(3)]))
        let clients = try plan("{kind: node.crash, at: 1 s, select: {role: client, pick: all}}")
        #expect(clients[0].effect == .crash([NodeID(0), NodeID(1), NodeID(2)]))
    }

    @Test func linkFaultsActOnLinksInTheirDirection() throws {
        let there = LinkEnds(from: RegionID(0), to: RegionID(1))
        let back = LinkEnds(from: RegionID(1), to: RegionID(0))
        #expect(try plan("{kind: net.down, at: 1 s}")[0].effect == .down([there, back]))
        #expect(
            try plan("{kind: net.down, at: 1 s, direction: outbound, select: {region: b}}")[0]
                .effect
                == .down([back])
        )
        #expect(
            try plan(
                "{kind: net.delay, at: 1 s, delay: 9 ms, direction: inbound, select: {label: rack}}"
            )[
                0
            ].effect == .delay([there], extra: .milliseconds(9))
        )
        let hole = "{kind: net.mtu-black-hole, at: 1 s, limit: 1300 B}"
        #expect(
            try plan(hole)[0].effect
                == .blackHole([there, back], limit: ByteCount(1_300 as Int64))
        )
        let loss = "{kind: net.loss, at: 1 s, loss: {model: bernoulli, rate: 5 %}}"
        #expect(
            try plan(loss)[0].effect == .loss([there, back], .bernoulli(rate: Ratio(0.05)))
        )
    }

    @Test func aSingleRegionLosesItsOwnLink() throws {
        let only = LinkEnds(from: RegionID(0), to: RegionID(0))
        let planned = FaultPlan(try scenario("{kind: net.down, at: 1 s}", links: false), seed: 1)
        #expect(planned.faults[0].effect == .down([only]))
    }

    @Test func partitionsCutTheRightPairs() throws {
        func cuts(_ rule: String) throws -> [PlannedFault.Cut] {
            guard
                case .cut(let cuts) = try plan("{kind: net.partition, at: 1 s, \(rule)}")[0].effect
            else { return [] }
            return cuts
        }
        let a = [NodeID(0), NodeID(1), NodeID(2)]
        let b = [NodeID(3), NodeID(4)]
        #expect(
            try cuts("mode: halves, select: {region: b, pick: all}")
                == [PlannedFault.Cut(from: b, to: a), PlannedFault.Cut(from: a, to: b)]
        )
        #expect(
            try cuts("mode: one-way, select: {region: b, pick: all}")
                == [PlannedFault.Cut(from: b, to: a)]
        )
        #expect(
            try cuts("mode: one-way, direction: inbound, select: {region: b, pick: all}")
                == [PlannedFault.Cut(from: a, to: b)]
        )
        let isolated = try cuts("mode: isolate, select: {role: server}")
        let others = a + [NodeID(4)]
        #expect(
            isolated == [
                PlannedFault.Cut(from: [NodeID(3)], to: others),
                PlannedFault.Cut(from: others, to: [NodeID(3)]),
            ]
        )
        // Without a selection, half of the nodes are on each side, rounded.
        let halves = try cuts("for: 1 s")
        #expect(halves[0].from.count + halves[0].to.count == 5)
        #expect(halves[0].from.count == 3)
    }

    @Test func plansAreReproducibleAndRulesDoNotDisturbEachOther() throws {
        // Goal: a draw in one rule shifts none in another. Method: change a rule, compare the other.
        let fixed = "{kind: node.pause, at: 10..90 s, for: 1..5 s, select: {pick: 2}}"
        let first = try plan("\(fixed), {kind: node.crash, every: 7 s, for: 1..2 s}", seed: 5)
        let second = try plan("\(fixed), {kind: node.crash, at: 3 s}", seed: 5)
        let third = try plan("\(fixed), {kind: node.crash, at: 3 s}", seed: 6)
        let again = try plan("\(fixed), {kind: node.crash, every: 7 s, for: 1..2 s}", seed: 5)
        func pause(_ faults: [PlannedFault]) throws -> PlannedFault {
            var fault = try #require(faults.first { $0.rule == 0 })
            fault.id = 0
            return fault
        }
        #expect(first == again)
        #expect(try pause(first) == pause(second))
        #expect(try pause(second) != pause(third))
    }

    @Test func theTimelineIsSortedAndHealsFirst() throws {
        let planned = FaultPlan(
            try scenario(
                "{kind: node.pause, every: 10 s, for: 10 s}, {kind: node.crash, at: 20 s, for: 1 s}"
            ),
            seed: 1
        )
        #expect(planned.faults.map(\.id) == Array(planned.faults.indices))
        let timeline = planned.timeline
        #expect(timeline.map(\.time) == timeline.map(\.time).sorted())
        let atTwenty = timeline.filter { $0.time == .zero + .seconds(20) }.map(\.kind)
        #expect(atTwenty == [.heal, .fire, .fire])
    }

    @Test func theLogTellsPlannedFromFiredAndHealed() throws {
        let scenario = try scenario(
            "{kind: node.pause, at: 1 s, for: 1 s, select: {role: server}}, "
                + "{kind: net.down, at: 2 s, for: 1 s}, {kind: node.crash, at: 3 s}"
        )
        let planned = FaultPlan(scenario, seed: 1)
        var log = FaultLog(planned)
        log.fire(0, at: .zero + .seconds(1))
        #expect(log.isActive(0))
        log.heal(0, at: .zero + .seconds(2))
        log.fire(1, at: .zero + .seconds(2))
        #expect(!log.isActive(0) && log.isActive(1) && !log.isActive(2))
        let records = log.records(in: scenario.topology)
        #expect(records.map(\.kind) == ["node.pause", "net.down", "node.crash"])
        #expect(records[0].target == "node 3")
        #expect(records[1].target == "a->b, b->a")
        #expect(records[0].healed == .zero + .seconds(2))
        #expect(records[1].fired != nil && records[1].healed == nil)
        #expect(records[2].planned == .zero + .seconds(3) && records[2].fired == nil)
    }
}
