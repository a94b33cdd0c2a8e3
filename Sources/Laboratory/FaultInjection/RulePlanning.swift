import Determinism
import HardwareModel
import Scenarios
import Units

/// The occurrences of one rule.
struct RulePlanning {
    private let index: Int
    private let rule: FaultRule
    private let scenario: Scenario
    private let seed: UInt64
    private let entity: EntityID
    /// What the selection may pick from: links where the rule is about them, or else nodes.
    private let links: [[LinkEnds]]
    private let groups: [[NodeID]]
    private(set) var faults: [PlannedFault] = []

    /// One occurrence while it is planned.
    private struct Occurrence {
        var number: UInt32
        var fireAt: Instant
        var healAt: Instant?
        var duration: Interval?
        var picks: SeededRandom
        /// What fails by itself: its place among what the selection may pick.
        var candidate: Int?
    }

    init(_ index: Int, of scenario: Scenario, seed: UInt64) {
        self.index = index
        rule = scenario.faults[index]
        self.scenario = scenario
        self.seed = seed
        entity = EntityID(.fault, UInt32(index))
        if let direction = rule.linkDirection {
            links = scenario.linkCandidates(for: rule.selection, direction: direction)
            groups = []
        } else {
            links = []
            groups = rule.action.service == nil ? scenario.nodeGroups(for: rule.selection) : []
        }
    }

    /// Plans all occurrences. One that is due while the previous one of the same rule lasts is left
    /// out.
    mutating func plan(bounded atlas: inout FaultAtlas?) {
        if case .failures(let mean) = rule.schedule {
            planFailures(mean, bounded: &atlas)
            return
        }
        var number: UInt32 = 0
        var busyUntil = Instant(nanoseconds: .min)
        for fireAt in times() where fireAt < end {
            guard fireAt >= busyUntil else { continue }
            var durations = stream("duration", number)
            let duration = rule.duration.map { durations.interval(of: $0) }
            var occurrence = Occurrence(
                number: number,
                fireAt: fireAt,
                healAt: duration.map { fireAt.advanced(by: $0) },
                duration: duration,
                picks: stream("pick", number)
            )
            number += 1
            if rule.until != nil { occurrence.healAt = min(occurrence.healAt ?? end, end) }
            let start = faults.count
            plan(occurrence, bounded: &atlas)
            let ends = faults[start...].map(\.healAt)
            busyUntil = ends.contains(nil) ? .distantFuture : ends.compactMap { $0 }.max() ?? fireAt
            // What is over at once, or waits for its place, has no end of its own.
            if rule.action.isInstantaneous {
                busyUntil = duration.map { fireAt.advanced(by: $0) } ?? fireAt
            } else if case .node(.crashAtWrite) = rule.action {
                busyUntil = duration.map { fireAt.advanced(by: $0) } ?? .distantFuture
            }
        }
    }

    private var end: Instant { rule.until.map { Instant.zero + $0 } ?? .distantFuture }

    /// Everything that the selection may pick fails and is repaired by turns, until the end of the run or
    /// until it fails for good. Each has its own stream of draws, so that one more changes no other.
    private mutating func planFailures(_ mean: Interval, bounded atlas: inout FaultAtlas?) {
        let last = min(end.seconds, scenario.horizon.seconds)
        var number: UInt32 = 0
        for candidate in 0..<candidateCount {
            var draws = stream("failures", UInt32(candidate))
            var time = Instant.zero
            while number < FaultPlan.maximumPerRule {
                let next = time.seconds + draws.exponential(mean: mean.seconds)
                guard next < last else { break }
                // Not in the instant of the repair before it.
                time = max(time + .nanoseconds(1), .zero + Interval(seconds: next))
                let duration = rule.duration.map { draws.interval(of: $0) }
                var occurrence = Occurrence(
                    number: number,
                    fireAt: time,
                    healAt: duration.map { time.advanced(by: $0) },
                    duration: duration,
                    picks: stream("pick", number),
                    candidate: candidate
                )
                if rule.until != nil { occurrence.healAt = min(occurrence.healAt ?? end, end) }
                number += 1
                plan(occurrence, bounded: &atlas)
                guard let duration else {
                    // What is over at once may come again.
                    guard rule.action.isInstantaneous else { break }
                    continue
                }
                time = time.advanced(by: duration)
            }
        }
    }

    /// How much the selection may pick from.
    private var candidateCount: Int {
        if rule.linkDirection != nil { return links.count }
        return rule.action.service == nil ? groups.count : 1
    }

    private func stream(_ purpose: StaticString, _ occurrence: UInt32) -> SeededRandom {
        SeededRandom(seed: seed, entity: entity, purpose: purpose, incarnation: occurrence)
    }

    /// When the rule is due, ascending; at most `FaultPlan.maximumPerRule` times.
    private func times() -> [Instant] {
        let horizon = scenario.horizon
        switch rule.schedule {
        case .at(let range):
            var random = SeededRandom(seed: seed, entity: entity, purpose: "at")
            return [Instant.zero + random.interval(in: range)]
        case .every(let period):
            precondition(period > .zero, "a fault every \(period)")
            let possible = (horizon.nanoseconds - 1) / period.nanoseconds
            let count = min(Int64(FaultPlan.maximumPerRule), possible)
            guard count > 0 else { return [] }
            return (1...count).map { Instant.zero + period * $0 }
        case .probability(let probability):
            var random = SeededRandom(seed: seed, entity: entity, purpose: "probability")
            var times: [Instant] = []
            var second: Int64 = 1
            while second * 1_000_000_000 < horizon.nanoseconds,
                times.count < FaultPlan.maximumPerRule
            {
                if random.chance(probability) { times.append(.zero + .seconds(second)) }
                second += 1
            }
            return times
        case .failures: preconditionFailure("each of what is selected has times of its own")
        }
    }

    // MARK: One occurrence

    private mutating func plan(_ occurrence: Occurrence, bounded atlas: inout FaultAtlas?) {
        var occurrence = occurrence
        if rule.linkDirection != nil {
            var flapping: FaultRule.Flapping?
            if case .link(.flap(let turns), _) = rule.action { flapping = turns }
            add(linkEffect(&occurrence), occurrence, flapping: flapping)
            return
        }
        if case .boot(let fault) = rule.action, fault.service != nil {
            add(.boot(fault, []), occurrence)
            return
        }
        if rule.selection.pick == .leader { return aim(&occurrence) }
        var groups = groups
        if let candidate = occurrence.candidate { groups = [groups[candidate]] }
        let losesData = rule.action.losesData
        if losesData, let bound = atlas {
            groups = bound.permitted(groups)
            guard !groups.isEmpty else {
                atlas?.spared += 1
                return
            }
        }
        let order = picked(groups, using: &occurrence.picks)
        let nodes = NodeSelection.distinct(order.sorted().flatMap { groups[$0] })
        if losesData { atlas?.note(nodes) }
        strike(nodes, inOrder: order.flatMap { groups[$0] }, &occurrence)
    }

    /// Of one group that is drawn, what would happen to each selected replica if it led. Every one of
    /// them is planned as if it were the only one, from equal streams.
    private mutating func aim(_ occurrence: inout Occurrence) {
        let selected = scenario.nodeCandidates(for: rule.selection)
        let groups = scenario.replicaGroups.map { group in
            group.filter(selected.contains).sorted()
        }.filter { !$0.isEmpty }
        precondition(!groups.isEmpty, "a fault whose selection matches no replica was not checked")
        let group = groups[Int(occurrence.picks.below(UInt64(groups.count)))]
        let start = faults.count
        for node in group {
            var one = occurrence
            strike([node], inOrder: [node], &one)
        }
        let planned = faults[start...]
        precondition(
            planned.count == group.count,
            "an aimed fault in several parts was not checked"
        )
        guard var first = planned.first else { return }
        first.effect = .leader(
            zip(group, planned).map { PlannedFault.Aim($0, $1.effect) }
        )
        first.part = 0
        faults.removeSubrange(start...)
        faults.append(first)
    }

    private mutating func strike(
        _ nodes: [NodeID],
        inOrder drawn: [NodeID],
        _ occurrence: inout Occurrence
    ) {
        switch rule.action {
        case .nodePause: add(.pause(nodes), occurrence)
        case .netPartition(let mode, let flapping):
            let partition = Partition(mode, among: scenario.topology.nodeCount)
            add(.cut(partition.cuts(nodes, inOrder: drawn)), occurrence, flapping: flapping)
        case .netClog(let direction):
            let partition = Partition(.oneWay(direction), among: scenario.topology.nodeCount)
            add(.clog(partition.cuts(nodes, inOrder: drawn)), occurrence)
        case .netSwizzle: swizzle(drawn, &occurrence)
        case .netResetPeer:
            occurrence.healAt = nil
            add(.resetStreams(nodes), occurrence)
        case .node(let fault): strike(nodes, fault, &occurrence)
        case .clock(let rule): strike(nodes, rule, &occurrence)
        case .disk(let fault): add(.disk(nodes, fault), occurrence)
        case .boot(let fault): add(.boot(fault, nodes), occurrence)
        case .nodeCrash, .nodeRestart, .netDown, .netDelay, .netLoss, .netBlackHole, .link:
            add(.crash(nodes), occurrence)
        }
    }

    private mutating func add(
        _ effect: PlannedFault.Effect,
        _ occurrence: Occurrence,
        part: Int = 0,
        flapping: FaultRule.Flapping? = nil
    ) {
        faults.append(
            PlannedFault(
                id: faults.count,
                rule: index,
                occurrence: occurrence.number,
                part: UInt32(part),
                kind: rule.action.kind,
                fireAt: occurrence.fireAt,
                healAt: occurrence.healAt,
                effect: effect,
                flapping: flapping
            )
        )
    }

    /// The positions of the chosen candidates in the order of drawing (Fisher–Yates on the
    /// positions).
    private func picked(_ candidates: [some Any], using random: inout SeededRandom) -> [Int] {
        precondition(!candidates.isEmpty, "a fault whose selection matches nothing was not checked")
        let count = min(rule.selection.pick.count(of: candidates.count), candidates.count)
        var positions = Array(candidates.indices)
        for place in 0..<count {
            let other = place + Int(random.below(UInt64(positions.count - place)))
            positions.swapAt(place, other)
        }
        return Array(positions.prefix(count))
    }

    // MARK: Links

    private func linkEffect(_ occurrence: inout Occurrence) -> PlannedFault.Effect {
        var candidates = links
        if let candidate = occurrence.candidate { candidates = [candidates[candidate]] }
        let positions = picked(candidates, using: &occurrence.picks).sorted()
        let chosen = positions.flatMap { candidates[$0] }
        return switch rule.action {
        case .netDelay(_, let extra): .delay(chosen, extra: extra)
        case .netLoss(_, let model): .loss(chosen, model)
        case .netBlackHole(_, let limit): .blackHole(chosen, limit: limit)
        case .link(let fault, _): .link(chosen, fault)
        default: .down(chosen)
        }
    }

    // MARK: Nodes

    /// Nodes are clogged at random times of the first half, and freed at random times of the
    /// second.
    private mutating func swizzle(_ nodes: [NodeID], _ occurrence: inout Occurrence) {
        let length = (occurrence.healAt ?? occurrence.fireAt) - occurrence.fireAt
        let half = max(.nanoseconds(1), length / 2)
        let start = occurrence.fireAt
        let partition = Partition(.oneWay(.both), among: scenario.topology.nodeCount)
        for (part, node) in nodes.enumerated() {
            var one = occurrence
            one.fireAt = start + occurrence.picks.interval(in: .zero...(half - .nanoseconds(1)))
            one.healAt = start + half + occurrence.picks.interval(in: .nanoseconds(1)...half)
            add(.clog(partition.cuts([node], inOrder: [node])), one, part: part)
        }
    }

    private mutating func strike(
        _ nodes: [NodeID],
        _ fault: FaultRule.NodeFault,
        _ occurrence: inout Occurrence
    ) {
        switch fault {
        case .reboot(let losingDisk):
            add(.reboot(nodes, losingDisk: losingDisk), occurrence)
        case .slow(let factor, let step):
            add(.slow(nodes, factor: factor, step: step), occurrence)
        case .memory(let stalls, let stall, let kill):
            add(.stalls(nodes, chance: stalls, stall), occurrence)
            let length = (occurrence.healAt ?? occurrence.fireAt) - occurrence.fireAt
            guard length > .zero else { return }
            for (part, node) in nodes.enumerated() {
                let isKilled = occurrence.picks.chance(kill)
                let after = occurrence.picks.interval(in: .zero...(length - .nanoseconds(1)))
                guard isKilled else { continue }
                var one = occurrence
                one.fireAt = occurrence.fireAt + after
                add(.crash([node]), one, part: part + 1)
            }
        case .crashAtWrite(let write):
            let end = rule.until.map { Instant.zero + $0 }
            for (part, node) in nodes.enumerated() {
                var one = occurrence
                // It begins to last when it has struck.
                one.healAt = end
                let effect = PlannedFault.Effect.crashAtWrite(
                    node,
                    write: write,
                    progress: occurrence.picks.unit(),
                    downtime: occurrence.duration
                )
                add(effect, one, part: part)
            }
        case .rollingUpgrade(let gap):
            var one = occurrence
            for (part, node) in nodes.enumerated() {
                one.healAt = one.fireAt.advanced(by: occurrence.duration ?? .zero)
                add(.crash([node]), one, part: part)
                one.fireAt = (one.healAt ?? one.fireAt).advanced(by: gap)
            }
        }
    }

    private mutating func strike(
        _ nodes: [NodeID],
        _ clock: FaultRule.ClockRule,
        _ occurrence: inout Occurrence
    ) {
        var amounts = stream("clock", occurrence.number)
        let isBack = amounts.chance(Ratio(0.5))
        func signed(_ sense: FaultRule.Sense) -> Int64 {
            switch sense {
            case .either: isBack ? -1 : 1
            case .forward: 1
            case .back: -1
            }
        }
        switch clock {
        case .offset(let by, let sense):
            add(.clock(nodes, .offset(amounts.amount(in: by) * signed(sense))), occurrence)
        case .jump(let by, let sense):
            occurrence.healAt = nil
            add(.clock(nodes, .jump(amounts.amount(in: by) * signed(sense))), occurrence)
        case .drift(let rate, let sense):
            let gain = Int64((rate.value * 1e9).rounded()) * signed(sense)
            add(.clock(nodes, .drift(nanosecondsPerSecond: gain)), occurrence)
        case .freeze:
            add(.clock(nodes, .freeze), occurrence)
        case .strobe(let by, let period):
            let flapping = FaultRule.Flapping(period: period, share: Ratio(0.5))
            let strike = ClockStrike.offset(amounts.amount(in: by))
            add(.clock(nodes, strike), occurrence, flapping: flapping)
        }
    }
}

extension FaultRule.Action {
    /// Whether an occurrence is over at once.
    fileprivate var isInstantaneous: Bool {
        switch self {
        case .netResetPeer, .clock(.jump): true
        default: false
        }
    }
}

extension SeededRandom {
    /// At least a nanosecond; one draw.
    fileprivate mutating func interval(of duration: FaultRule.Duration) -> Interval {
        switch duration {
        case .range(let range): return interval(in: range)
        case .exponential(let mean):
            // Intervals end at 292 years.
            let seconds = min(9e9, exponential(mean: mean.seconds))
            return max(.nanoseconds(1), Interval(seconds: seconds))
        }
    }

    /// Even on a logarithmic scale, because ranges of clock errors span magnitudes.
    fileprivate mutating func amount(in range: ClosedRange<Interval>) -> Interval {
        let position = unit()
        let low = DeterministicMath.log(Double(max(1, range.lowerBound.nanoseconds)))
        let high = DeterministicMath.log(Double(max(1, range.upperBound.nanoseconds)))
        let value = DeterministicMath.exp(low + position * (high - low)).rounded()
        let drawn = Interval(nanoseconds: Int64(value))
        return min(range.upperBound, max(range.lowerBound, drawn))
    }
}
