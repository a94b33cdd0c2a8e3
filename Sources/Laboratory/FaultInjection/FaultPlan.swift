public import Scenarios
public import Units

/// The faults of one replication: a pure function of the scenario and the replication's seed.
///
/// Every draw has its own stream, keyed by (seed, rule, purpose, occurrence), so that changing the
/// length of one fault moves no other, and all variants of a scenario meet the same faults.
public struct FaultPlan: Hashable, Sendable {
    /// A rule plans no more occurrences than this; the scenario checker asks for half at most.
    public static let maximumPerRule = 2 * Scenario.maximumFaultOccurrences

    /// Sorted by (fireAt, rule, occurrence, part); the position is the fault's id.
    public var faults: [PlannedFault]
    /// When everything heals and what must happen then; `nil` where the scenario has no such phase.
    public var healing: Healing?
    /// Which nodes may lose what was durable; `nil` where the scenario does not bound it.
    public var atlas: FaultAtlas?

    /// The second phase of a run: nothing is wrong any more in a connected core.
    public struct Healing: Hashable, Sendable {
        public var at: Instant
        /// How soon after that the core must have made progress.
        public var progressWithin: Interval
        /// The nodes that are well from then on, ascending.
        public var core: [NodeID]

        public init(at: Instant, progressWithin: Interval, core: [NodeID]) {
            self.at = at
            self.progressWithin = progressWithin
            self.core = core
        }
    }

    /// Plans all faults of a replication. The scenario must have passed the checker: traps when a
    /// rule selects nothing. What a swarm leaves open is drawn first.
    public init(_ scenario: Scenario, seed: UInt64) {
        let scenario = scenario.drawn(seed: seed)
        var atlas = FaultAtlas(scenario, seed: seed)
        let healing = Healing(scenario, seed: seed)
        var planned: [PlannedFault] = []
        for index in scenario.faults.indices {
            var planning = RulePlanning(index, of: scenario, seed: seed)
            planning.plan(bounded: &atlas)
            planned += planning.faults
        }
        if let healing { planned = planned.compactMap { $0.healed(by: healing) } }
        planned.sort {
            ($0.fireAt, $0.rule, $0.occurrence, $0.part)
                < ($1.fireAt, $1.rule, $1.occurrence, $1.part)
        }
        for id in planned.indices { planned[id].id = id }
        faults = planned
        self.healing = healing
        self.atlas = atlas
        precondition(atlas?.keepsMajority ?? true, "a majority of the copies would lose data")
    }

    /// A change of the world: a fault begins or ends, or goes on in another way.
    public struct Change: Hashable, Sendable {
        public var time: Instant
        public var kind: Kind
        public var fault: Int
        /// Counts the turns of a fault that comes and goes, from one; zero for begin and end.
        public var turn: Int = 0

        public enum Kind: Int, Hashable, Sendable {
            /// First, so that a target is whole again before it is struck anew in the same instant.
            case heal
            case fire
            /// Neither: the fault was there before and is still.
            case turn
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
            for (index, time) in fault.turns.enumerated() {
                changes.append(Change(time: time, kind: .turn, fault: fault.id, turn: index + 1))
            }
        }
        changes.sort {
            ($0.time, $0.kind.rawValue, $0.fault, $0.turn)
                < ($1.time, $1.kind.rawValue, $1.fault, $1.turn)
        }
        return changes
    }
}

extension PlannedFault {
    /// When it goes on in another way: off and on by turns, or the end of a route's outage.
    public var turns: [Instant] {
        if case .link(_, .routeChange(_, let outage)) = effect {
            let time = fireAt + outage
            return outage > .zero && time < healAt ?? .distantFuture ? [time] : []
        }
        guard let flapping, let healAt, flapping.period > .zero else { return [] }
        let on = flapping.period.scaled(by: flapping.share.value)
        var turns: [Instant] = []
        var start = fireAt
        while turns.count < 2 * FaultPlan.maximumPerRule {
            let end = start + on
            let next = start + flapping.period
            if end >= healAt { break }
            turns.append(end)
            if next >= healAt { break }
            turns.append(next)
            start = next
        }
        return turns
    }

    /// The fault in a run whose core is healed at a time: cut short, or `nil` when it would begin
    /// later. Nodes outside of the core keep what they have.
    fileprivate func healed(by healing: FaultPlan.Healing) -> PlannedFault? {
        guard fireAt < healing.at else { return nil }
        guard healAt ?? .distantFuture > healing.at, healsAtAll else { return self }
        let nodes = effect.nodes
        if !nodes.isEmpty, !nodes.contains(where: healing.core.contains) { return self }
        var fault = self
        fault.healAt = healing.at
        return fault
    }

    /// Whether there is anything to take back.
    private var healsAtAll: Bool {
        switch effect {
        case .resetStreams, .clock(_, .jump): false
        case .leader(let aims):
            switch aims.first?.effect {
            case .resetStreams, .clock(_, .jump): false
            default: true
            }
        default: true
        }
    }
}

extension FaultPlan.Healing {
    /// The second phase of a replication, as its plan has it; `nil` where the scenario has none. What a
    /// swarm leaves open must have been drawn.
    public init?(_ scenario: Scenario, seed: UInt64) {
        guard let recovery = scenario.recovery, let healAt = recovery.healAt else { return nil }
        var core = (0..<scenario.topology.nodeCount).map { NodeID(UInt32($0)) }
        if recovery.core == .majority {
            let replicas = scenario.replicaNodes
            let ill = FaultAtlas.draw(
                (replicas.count - 1) / 2,
                of: replicas,
                "unhealed nodes",
                seed
            )
            core.removeAll { ill.contains($0) }
        }
        self.init(at: .zero + healAt, progressWithin: recovery.progressWithin, core: core)
    }
}
