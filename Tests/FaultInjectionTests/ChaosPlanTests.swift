import FaultInjection
import Scenarios
import Testing
import Units

/// Goal: the further kinds of faults are planned as their rules say, each a pure function of
/// scenario and seed. Method: plans of small scenarios.
@Suite struct ChaosPlanTests {
    /// Five servers in two racks, and whatever else a test adds.
    static func scenario(_ faults: String, more: String = "") throws -> Scenario {
        let text = """
            version: 1
            name: chaos
            topology:
              regions: {a: {nodes: 3, labels: [one]}, b: {nodes: 2, labels: [two]}}
              links: [{between: [a, b], rtt: 80 ms, rate: 100 Mbit/s}]
            workload: {kind: echo, deadline: 100 s}
            faults: [\(faults)]
            \(more)
            """
        do {
            return try ScenarioFile.parse(text, file: "test.yaml")
        } catch {
            Issue.record("\(error)")
            throw error
        }
    }

    private func plan(_ faults: String, more: String = "", seed: UInt64 = 1) throws -> FaultPlan {
        FaultPlan(try ChaosPlanTests.scenario(faults, more: more), seed: seed)
    }

    /// Whether `first` can send to `second` under the cuts.
    private func reaches(_ cuts: [PlannedFault.Cut], _ first: NodeID, _ second: NodeID) -> Bool {
        !cuts.contains { $0.from.contains(first) && $0.to.contains(second) }
    }

    /// For each node the number of nodes that it reaches, itself among them, over several seeds.
    private func degrees(_ mode: String) throws -> [[Int]] {
        try (1...20).map { seed in
            let rule = "{kind: net.partition, mode: \(mode), at: 1 s}"
            guard case .cut(let cuts) = try plan(rule, seed: UInt64(seed)).faults[0].effect else {
                return []
            }
            let nodes = (0..<5).map { NodeID($0) }
            for first in nodes {
                for second in nodes {
                    #expect(reaches(cuts, first, second) == reaches(cuts, second, first))
                }
            }
            return nodes.map { node in nodes.count { reaches(cuts, node, $0) } }.sorted()
        }
    }

    @Test func wantOfMemoryMayKill() throws {
        let rule =
            "{kind: node.memory, every: 10 s, for: 2 s, kill: 50 %, select: {region: a, pick: all}}"
        var killed = 0
        for seed in 1...20 as ClosedRange<UInt64> {
            let faults = try plan(rule, seed: seed).faults
            for fault in faults {
                guard case .crash(let nodes) = fault.effect else { continue }
                killed += 1
                // Within the time in which its node stalls, and no longer than that.
                let cause = faults.first {
                    guard case .stalls(let slow, _, _) = $0.effect else { return false }
                    return slow.contains(nodes[0]) && $0.fireAt <= fault.fireAt
                        && $0.healAt == fault.healAt
                }
                #expect(cause != nil && nodes.count == 1, "seed \(seed): \(fault)")
            }
        }
        // Ten occurrences on three nodes in each of twenty runs.
        #expect((200...400).contains(killed), "\(killed)")
    }

    @Test func aFaultForTheLeaderIsPlannedForWhoeverMayLead() throws {
        let scenario = try ScenarioFile.parse(
            """
            version: 1
            name: chaos
            topology:
              regions: {a: {nodes: 4}, b: {nodes: 2}, clients: {nodes: 1}}
              links:
                - {between: [a, b], rtt: 80 ms, rate: 100 Mbit/s}
                - {between: [a, clients], rtt: 80 ms, rate: 100 Mbit/s}
                - {between: [b, clients], rtt: 80 ms, rate: 100 Mbit/s}
            workload:
              kind: requests
              groups: 2
              replicas: 3
              load: {rate: 10 /s}
              duration: {warmup: 1 s, measure: 100 s}
            faults:
              - {kind: clock.jump, every: 10 s, by: 1 ms..1 s, select: {pick: leader}}
              - {kind: net.partition, mode: isolate, every: 10 s, for: 1..2 s,
                 select: {region: a, pick: leader}}
            """,
            file: "test.yaml"
        )
        let plan = FaultPlan(scenario, seed: 7)
        #expect(plan == FaultPlan(scenario, seed: 7))
        var groups: Set<[NodeID]> = []
        for fault in plan.faults {
            guard case .leader(let aims) = fault.effect else {
                Issue.record("\(fault)")
                continue
            }
            let nodes = aims.map(\.node)
            #expect(fault.effect.nodes == nodes)
            #expect(fault.effect.target(in: scenario.topology).hasPrefix("the leader of node"))
            for aim in aims {
                switch aim.effect {
                case .clock(let struck, let strike):
                    #expect(struck == [aim.node])
                    // What is drawn does not depend on who leads.
                    guard case .clock(_, strike) = aims[0].effect else {
                        Issue.record("\(aims)")
                        continue
                    }
                case .cut(let cuts):
                    #expect(cuts.allSatisfy { $0.from == [aim.node] || $0.to == [aim.node] })
                    #expect(scenario.topology.region(of: aim.node) == RegionID(0))
                default: Issue.record("\(aim)")
                }
            }
            if fault.rule == 0 {
                #expect(scenario.replicaGroups.contains { $0.sorted() == nodes })
                groups.insert(nodes)
            }
        }
        // Twenty draws of two groups.
        #expect(groups.count == 2)
        #expect(plan.faults.count == 20)
    }

    @Test func partitionsHaveTheirShapes() throws {
        let shapes = [
            ("majority-minority", [2, 2, 3, 3, 3]),
            // Two halves of two, each with the bridge between them.
            ("bridge", [3, 3, 3, 3, 5]),
            ("ring", [3, 3, 3, 3, 3]),
            ("chained", [2, 2, 3, 3, 3]),
            ("quorum-loss", [2, 2, 2, 2, 5]),
            ("constrained-election", [1, 2, 2, 2, 4]),
            ("single-link", [4, 4, 5, 5, 5]),
        ]
        for (mode, expected) in shapes {
            for degrees in try degrees(mode) { #expect(degrees == expected, "\(mode)") }
        }
    }

    @Test func nodesThatAreNotSelectedReachAll() throws {
        let rule = "{kind: net.partition, mode: ring, at: 1 s, select: {pick: 4}}"
        for seed in 1...20 as ClosedRange<UInt64> {
            guard case .cut(let cuts) = try plan(rule, seed: seed).faults[0].effect else {
                continue
            }
            let struck = Set(cuts.flatMap { $0.from + $0.to })
            #expect(struck.count == 4)
        }
    }

    @Test func whatComesAndGoesHasTurns() throws {
        let flap = try plan("{kind: net.flap, at: 10 s, for: 5 s, period: 2 s, down: 25 %}")
        let turns = flap.timeline.filter { $0.kind == .turn }
        #expect(turns.map(\.time.seconds) == [10.5, 12, 12.5, 14, 14.5])
        #expect(turns.map(\.turn) == [1, 2, 3, 4, 5])
        let times = flap.timeline.map(\.time)
        #expect(times == times.sorted() && flap.timeline.last?.kind == .heal)
        let partition = try plan("{kind: net.partition, at: 10 s, for: 2 s, period: 1 s}")
        #expect(partition.faults[0].turns.map(\.seconds) == [10.5, 11, 11.5])
        let route = try plan("{kind: net.route-change, at: 10 s, for: 2 s, delay: 9 ms}")
        #expect(route.faults[0].turns == [.zero + .milliseconds(10_050)])
        let strobe = try plan(
            "{kind: clock.strobe, at: 10 s, for: 2 s, by: 20 ms..2 s, period: 1 s}"
        )
        #expect(strobe.faults[0].turns.count == 3)
    }

    @Test func swizzledNodesAreClogggedAndFreedInOrdersOfTheirOwn() throws {
        var orders = Set<Bool>()
        for seed in 1...30 as ClosedRange<UInt64> {
            let faults = try plan(
                "{kind: net.swizzle, at: 10 s, for: 20 s, select: {pick: 3}}",
                seed: seed
            ).faults
            #expect(faults.count == 3)
            for fault in faults {
                #expect((10.0..<20.0).contains(fault.fireAt.seconds))
                #expect((20.0...30.0).contains(fault.healAt?.seconds ?? 0))
                guard case .clog(let cuts) = fault.effect else { return }
                #expect(cuts.count == 2)
            }
            let freed = faults.sorted { $0.healAt! < $1.healAt! }.map(\.part)
            orders.insert(freed == faults.map(\.part))
        }
        #expect(orders == [true, false])
    }

    @Test func upgradesRollOverTheNodes() throws {
        let faults = try plan(
            "{kind: node.rolling-upgrade, at: 10 s, for: 2 s, gap: 3 s, select: {region: a}}"
        ).faults
        #expect(faults.map(\.effect) == (0..<3).map { .crash([NodeID($0)]) })
        #expect(faults.map(\.fireAt.seconds) == [10, 15, 20])
        #expect(faults.map { $0.healAt?.seconds } == [12, 17, 22])
    }

    @Test func racksFailTogether() throws {
        var struck: Set<[NodeID]> = []
        for unit in ["region", "label"] {
            for seed in 1...20 as ClosedRange<UInt64> {
                let rule = "{kind: node.crash, at: 1 s, select: {unit: \(unit)}}"
                guard case .crash(let nodes) = try plan(rule, seed: seed).faults[0].effect else {
                    continue
                }
                struck.insert(nodes)
            }
        }
        #expect(struck == [[NodeID(0), NodeID(1), NodeID(2)], [NodeID(3), NodeID(4)]])
    }

    @Test func clocksGoWrongBothWaysAndOverMagnitudes() throws {
        var amounts: [Int64] = []
        for seed in 1...200 as ClosedRange<UInt64> {
            let rule = "{kind: clock.jump, at: 1 s, by: 11 ms..288 s}"
            guard case .clock(_, .jump(let by)) = try plan(rule, seed: seed).faults[0].effect else {
                continue
            }
            #expect((11_000_000...288_000_000_000).contains(abs(by.nanoseconds)))
            amounts.append(by.nanoseconds)
        }
        #expect((70...130).contains(amounts.count { $0 < 0 }))
        // Half of them lie below the geometric mean, 1.78 s.
        #expect((70...130).contains(amounts.count { abs($0) < 1_780_000_000 }))
        let drift = try plan("{kind: clock.drift, at: 1 s, rate: 0.02 %, sense: back}").faults[0]
        #expect(drift.effect == .clock(drift.effect.nodes, .drift(nanosecondsPerSecond: -200_000)))
    }

    @Test func crashesAtWritesWaitForThem() throws {
        let faults = try plan(
            "{kind: node.crash-at-write, every: 20 s, for: 2 s, write: 3, select: {pick: 2}}"
        ).faults
        #expect(faults.count == 8)
        for fault in faults {
            guard case .crashAtWrite(_, let write, let progress, let downtime) = fault.effect else {
                Issue.record("\(fault.effect)")
                return
            }
            #expect(write == 3 && (0..<1).contains(progress) && downtime == .seconds(2))
            #expect(fault.healAt == nil)
        }
    }

    @Test func nothingBeginsAfterUntilAndAllHealsThen() throws {
        let faults = try plan("{kind: node.pause, every: 10 s, for: 8 s, until: 35 s}").faults
        #expect(faults.map(\.fireAt.seconds) == [10, 20, 30])
        #expect(faults.map { $0.healAt?.seconds } == [18, 28, 35])
    }

    @Test func theSecondPhaseIsWithoutFaultsInTheCore() throws {
        let rules = """
            {kind: node.crash, at: 30 s}, {kind: node.pause, every: 9 s, for: 5 s},
            {kind: net.partition, at: 35 s, for: 20 s}, {kind: node.crash-at-write, at: 5 s},
            {kind: clock.jump, at: 20 s, by: 1 s}, {kind: net.reset-peer, every: 10 s}
            """
        for core in ["all", "majority"] {
            for seed in 1...30 as ClosedRange<UInt64> {
                let plan = try plan(
                    rules,
                    more: "recovery: {heal-at: 40 s, progress-within: 5 s, core: \(core)}",
                    seed: seed
                )
                let healing = try #require(plan.healing)
                #expect(healing.at == .zero + .seconds(40))
                #expect(healing.progressWithin == .seconds(5))
                #expect(healing.core.count == (core == "all" ? 5 : 3))
                for fault in plan.faults {
                    #expect(fault.fireAt < healing.at)
                    switch fault.effect {
                    case .clock(_, .jump), .resetStreams: #expect(fault.healAt == nil)
                    default:
                        let isOutside =
                            !fault.effect.nodes.isEmpty
                            && !fault.effect.nodes.contains(where: healing.core.contains)
                        #expect(isOutside || fault.healAt! <= healing.at)
                    }
                }
            }
        }
        #expect(try plan(rules).healing == nil)
    }

    @Test func aMajorityOfTheCopiesStays() throws {
        let rules = """
            {kind: node.reboot, disk: lost, every: 5 s, for: 1 s},
            {kind: disk.bit-rot, every: 7 s, for: 1 s, chance: 0.01 %, select: {pick: all}},
            {kind: disk.torn-write, every: 3 s, for: 1 s}
            """
        var exposed: Set<NodeID> = []
        for seed in 1...40 as ClosedRange<UInt64> {
            let plan = try plan(rules, more: "recovery: {data-loss: minority}", seed: seed)
            let atlas = try #require(plan.atlas)
            #expect(atlas.exposed.count == 2 && atlas.keepsMajority)
            var lost: Set<NodeID> = []
            for fault in plan.faults where fault.kind != "disk.torn-write" {
                lost.formUnion(fault.effect.nodes)
            }
            #expect(lost.sorted() == atlas.struck && lost.isSubset(of: atlas.exposed))
            #expect(atlas.struck.count == 2)
            exposed.formUnion(atlas.exposed)
        }
        #expect(exposed.count == 5)
        let none = try plan(rules, more: "recovery: {data-loss: none}")
        #expect(none.faults.allSatisfy { $0.kind == "disk.torn-write" })
        #expect((none.atlas?.spared ?? 0) > 10)
        let any = try plan(rules, more: "recovery: {data-loss: any}")
        #expect(any.atlas == nil)
        // Copies are those of the role; others may always lose theirs.
        let role = try plan(rules, more: "recovery: {data-loss: none, replicas: server}")
        #expect(role.faults.contains { $0.kind == "disk.bit-rot" && $0.effect.nodes.count == 4 })
    }

    @Test func plansFollowFromScenarioAndSeedAlone() throws {
        let rules = """
            {kind: net.swizzle, every: 20 s, for: 10 s}, {kind: clock.strobe, every: 15 s, for: 4 s,
             by: 4 ms..2 s}, {kind: node.reboot, probability: 5 %, for: 1..3 s}
            """
        let more = "swarm: {present: 70 %, intensity: 0.5..4}"
        var distinct: Set<FaultPlan> = []
        for seed in 1...20 as ClosedRange<UInt64> {
            let plan = try plan(rules, more: more, seed: seed)
            #expect(plan == (try self.plan(rules, more: more, seed: seed)))
            let drawn = try ChaosPlanTests.scenario(rules, more: more).drawn(seed: seed)
            #expect(plan == FaultPlan(drawn, seed: seed))
            distinct.insert(plan)
        }
        #expect(distinct.count > 10)
    }
}
