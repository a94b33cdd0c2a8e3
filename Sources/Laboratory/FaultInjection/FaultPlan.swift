import Determinism
public import Scenarios
public import Units

/// The faults of one replication: a pure function of the scenario and the replication's seed.
///
/// Every draw has its own stream, keyed by (seed, rule, purpose, occurrence), so that changing the
/// length of one fault moves no other, and all variants of a scenario meet the same faults.
public struct FaultPlan: Hashable, Sendable {
    /// A rule plans no more occurrences than this; the scenario checker asks for half at most.
    public static let maximumPerRule = 2 * Scenario.maximumFaultOccurrences

    /// Sorted by (fireAt, rule, occurrence); the position is the fault's id.
    public var faults: [PlannedFault]

    /// Plans all faults of a replication. The scenario must have passed the checker: traps when a
    /// rule selects nothing.
    public init(_ scenario: Scenario, seed: UInt64) {
        var planned: [PlannedFault] = []
        for index in scenario.faults.indices {
            FaultPlan.plan(rule: index, of: scenario, seed: seed, into: &planned)
        }
        planned.sort {
            ($0.fireAt, $0.rule, $0.occurrence) < ($1.fireAt, $1.rule, $1.occurrence)
        }
        for id in planned.indices { planned[id].id = id }
        faults = planned
    }

    /// A change of the world: a fault begins or ends.
    public struct Change: Hashable, Sendable {
        public var time: Instant
        public var kind: Kind
        public var fault: Int

        public enum Kind: Int, Hashable, Sendable {
            /// First, so that a target is whole again before it is struck anew in the same instant.
            case heal
            case fire
        }
    }

    /// All changes sorted by (time, kind, fault).
    public var timeline: [Change] {
        var changes: [Change] = []
        changes.reserveCapacity(2 * faults.count)
        for fault in faults {
            changes.append(Change(time: fault.fireAt, kind: .fire, fault: fault.id))
            if let healAt = fault.healAt {
                changes.append(Change(time: healAt, kind: .heal, fault: fault.id))
            }
        }
        changes.sort {
            ($0.time, $0.kind.rawValue, $0.fault) < ($1.time, $1.kind.rawValue, $1.fault)
        }
        return changes
    }
}

extension FaultPlan {
    /// Appends the occurrences of one rule. An occurrence that is due while the previous one of the
    /// same rule lasts is left out.
    private static func plan(
        rule index: Int,
        of scenario: Scenario,
        seed: UInt64,
        into planned: inout [PlannedFault]
    ) {
        let rule = scenario.faults[index]
        let entity = EntityID(.fault, UInt32(index))
        var occurrence: UInt32 = 0
        var busyUntil = Instant(nanoseconds: .min)
        for fireAt in times(of: rule, horizon: scenario.horizon, seed: seed, entity: entity) {
            guard fireAt >= busyUntil else { continue }
            var durations = SeededRandom(
                seed: seed,
                entity: entity,
                purpose: "duration",
                incarnation: occurrence
            )
            var picks = SeededRandom(
                seed: seed,
                entity: entity,
                purpose: "pick",
                incarnation: occurrence
            )
            let healAt = rule.duration.map { fireAt.advanced(by: durations.interval(in: $0)) }
            planned.append(
                PlannedFault(
                    id: planned.count,
                    rule: index,
                    occurrence: occurrence,
                    kind: rule.action.kind,
                    fireAt: fireAt,
                    healAt: healAt,
                    effect: effect(of: rule, in: scenario, using: &picks)
                )
            )
            busyUntil = healAt ?? .distantFuture
            occurrence += 1
        }
    }

    /// When the rule is due, ascending; at most `maximumPerRule` times.
    private static func times(
        of rule: FaultRule,
        horizon: Interval,
        seed: UInt64,
        entity: EntityID
    ) -> [Instant] {
        switch rule.schedule {
        case .at(let range):
            var random = SeededRandom(seed: seed, entity: entity, purpose: "at")
            return [Instant.zero + random.interval(in: range)]
        case .every(let period):
            precondition(period > .zero, "a fault every \(period)")
            let count = min(Int64(maximumPerRule), (horizon.nanoseconds - 1) / period.nanoseconds)
            guard count > 0 else { return [] }
            return (1...count).map { Instant.zero + period * $0 }
        case .probability(let probability):
            var random = SeededRandom(seed: seed, entity: entity, purpose: "probability")
            var times: [Instant] = []
            var second: Int64 = 1
            while second * 1_000_000_000 < horizon.nanoseconds, times.count < maximumPerRule {
                if random.chance(probability) { times.append(.zero + .seconds(second)) }
                second += 1
            }
            return times
        }
    }

    private static func effect(
        of rule: FaultRule,
        in scenario: Scenario,
        using random: inout SeededRandom
    ) -> PlannedFault.Effect {
        let selection = rule.selection
        if let direction = rule.linkDirection {
            let groups = picked(
                selection.pick,
                from: scenario.linkCandidates(for: selection, direction: direction),
                using: &random
            )
            let links = groups.flatMap { $0 }
            return switch rule.action {
            case .netDelay(_, let extra): .delay(links, extra: extra)
            case .netLoss(_, let model): .loss(links, model)
            case .netBlackHole(_, let limit): .blackHole(links, limit: limit)
            case .netDown, .nodeCrash, .nodeRestart, .nodePause, .netPartition, .boot:
                .down(links)
            }
        }
        if case .boot(let fault) = rule.action, fault.service != nil { return .boot(fault, []) }
        let nodes = picked(
            selection.pick,
            from: scenario.nodeCandidates(for: selection),
            using: &random
        )
        return switch rule.action {
        case .nodePause: .pause(nodes)
        case .netPartition(let mode):
            .cut(cuts(mode, of: nodes, among: scenario.topology.nodeCount))
        case .boot(let fault): .boot(fault, nodes)
        case .nodeCrash, .nodeRestart, .netDown, .netDelay, .netLoss, .netBlackHole:
            .crash(nodes)
        }
    }

    /// The chosen candidates in their original order, so that the result is a set whatever the order
    /// of drawing (Fisher–Yates on the positions).
    private static func picked<Candidate>(
        _ pick: FaultRule.Pick,
        from candidates: [Candidate],
        using random: inout SeededRandom
    ) -> [Candidate] {
        precondition(!candidates.isEmpty, "a fault whose selection matches nothing was not checked")
        let count = min(pick.count(of: candidates.count), candidates.count)
        var positions = Array(candidates.indices)
        for place in 0..<count {
            let other = place + Int(random.below(UInt64(positions.count - place)))
            positions.swapAt(place, other)
        }
        return positions.prefix(count).sorted().map { candidates[$0] }
    }

    private static func cuts(
        _ mode: FaultRule.PartitionMode,
        of selected: [NodeID],
        among count: Int
    ) -> [PlannedFault.Cut] {
        let everyone = (0..<count).map { NodeID(UInt32($0)) }
        switch mode {
        case .halves:
            return bothWays(selected, everyone.filter { !selected.contains($0) })
        case .isolate:
            return selected.flatMap { node in
                bothWays([node], everyone.filter { $0 != node })
            }
        case .oneWay(let direction):
            let pair = bothWays(selected, everyone.filter { !selected.contains($0) })
            return switch direction {
            case .both: pair
            case .outbound: Array(pair.prefix(1))
            case .inbound: Array(pair.dropFirst())
            }
        }
    }

    private static func bothWays(_ left: [NodeID], _ right: [NodeID]) -> [PlannedFault.Cut] {
        guard !left.isEmpty, !right.isEmpty else { return [] }
        return [
            PlannedFault.Cut(from: left, to: right),
            PlannedFault.Cut(from: right, to: left),
        ]
    }
}
