import Measurements
import Scenarios
import Units

extension Scenario {
    /// Kinds of faults on a path that no calibrated profile has: the path has them whatever its figures
    /// are. What only stops packets for a while changes nothing of how TCP moves them afterwards.
    func uncalibratedFaults(on path: TCPPath) -> [String] {
        faults.filter { reach(of: $0, on: path) != nil }.compactMap { rule in
            let isForeign =
                switch rule.action {
                case .netBlackHole, .link(.duplicate, _), .link(.corrupt, _), .link(.reorder, _),
                    .link(.trace, _):
                    true
                case .link(.jitter(let jitter), _): jitter.isUncalibrated
                default: false
                }
            return isForeign ? "the fault \(rule.action.kind)" : nil
        }
    }

    /// What faults make of a path together, for each set of them that may last at the same time.
    func strikes(on path: TCPPath, _ links: PathLinks) -> [PathStrike] {
        let active = faults.compactMap { rule in
            reach(of: rule, on: path).map { (window: window(of: rule), rule: rule, reach: $0) }
        }
        var strikes: [PathStrike] = []
        // Of intervals that have a moment in common, one begins then.
        for first in active {
            var strike = PathStrike(links)
            for entry in active where entry.window.lasts(at: first.window.lowerBound) {
                strike.add(entry.rule, reaching: entry.reach)
            }
            if strike.changesAnything, !strikes.contains(strike) { strikes.append(strike) }
        }
        return strikes
    }

    /// Which ways of a path a rule may strike; `nil` for none.
    private func reach(of rule: FaultRule, on path: TCPPath) -> PathStrike.Reach? {
        guard let direction = rule.linkDirection, mayStrike(rule) else { return nil }
        let groups = linkCandidates(for: rule.selection, direction: direction)
        let there = groups.map { $0.contains(LinkEnds(from: path.from, to: path.to)) }
        let back = groups.map { $0.contains(LinkEnds(from: path.to, to: path.from)) }
        guard there.contains(true) || back.contains(true) else { return nil }
        let isPair = zip(there, back).contains { $0 && $1 }
        let areBoth = there.contains(true) && back.contains(true)
        // What fails by itself does so on each way of its own.
        var isSeveral = rule.selection.pick.count(of: groups.count) > 1
        if case .failures = rule.schedule { isSeveral = true }
        return PathStrike.Reach(
            there: there.contains(true),
            back: back.contains(true),
            ways: isPair || areBoth && isSeveral ? 2 : 1
        )
    }

    /// Until when faults may last.
    private var lastFault: Interval { max(.zero, min(horizon, recovery?.healAt ?? horizon)) }

    /// Whether a rule begins before everything heals.
    private func mayStrike(_ rule: FaultRule) -> Bool {
        guard case .at(let times) = rule.schedule else { return true }
        return times.lowerBound < lastFault
    }

    /// When occurrences of a rule may last.
    private func window(of rule: FaultRule) -> ClosedRange<Interval> {
        let end = min(rule.until ?? lastFault, lastFault)
        guard case .at(let times) = rule.schedule else { return .zero...max(.zero, end) }
        let start = times.lowerBound
        guard case .range(let lengths)? = rule.duration else { return start...max(start, end) }
        return start...max(start, min(end, times.upperBound + lengths.upperBound))
    }
}

/// How far faults that last at the same time move what a path is.
struct PathStrike: Hashable {
    /// Which ways of the path a fault may be on, and on how many at once.
    struct Reach: Hashable {
        var there: Bool
        var back: Bool
        var ways: Double
    }

    /// What befalls the packets of one way, without faults and by them.
    private struct Way: Hashable {
        var path: Scenario.PathProperties
        var loss = 0.0
        var burst = 1.0
        var jitterSeconds = 0.0

        var struckLoss: Double { 1 - (1 - path.loss.meanRate) * (1 - loss) }
        var struckBurst: Double { max(path.loss.meanBurst, burst) }
        var struckJitter: Double { path.jitter.normalSeconds + jitterSeconds }
    }

    private var there: Way
    private var back: Way
    /// The ends of what is left of the rate.
    private var rate = 1.0...1.0
    private var extraSeconds = 0.0
    private var queueFactor = 1.0
    private var kinds: [String] = []

    init(_ links: PathLinks) {
        there = Way(path: links.there)
        back = Way(path: links.back)
    }

    var changesAnything: Bool { !kinds.isEmpty }

    /// Adds a rule, of which one occurrence lasts at a time. Where faults do not add up the latest
    /// counts, so the one that does most is taken.
    mutating func add(_ rule: FaultRule, reaching reach: Reach) {
        switch rule.action {
        case .netDelay(_, let extra), .link(.routeChange(let extra, _), _):
            extraSeconds += extra.seconds * reach.ways
        case .netLoss(_, let model):
            strike(reach) {
                $0.loss = max($0.loss, model.meanRate)
                $0.burst = max($0.burst, model.meanBurst)
            }
        case .link(.jitter(let jitter), _) where !jitter.isUncalibrated:
            strike(reach) { $0.jitterSeconds = max($0.jitterSeconds, jitter.normalSeconds) }
        case .link(.bandwidth(let bandwidth), _):
            guard reach.there else { return }
            let factor =
                switch bandwidth {
                case .rate(let left):
                    Double(left.bitsPerSecond) / Double(there.path.rate.bitsPerSecond)
                case .share(let share): share.value
                }
            rate = min(rate.lowerBound, factor)...max(rate.upperBound, factor)
        case .link(.bufferbloat(let factor), _):
            guard reach.there else { return }
            queueFactor *= factor
        default:
            return
        }
        if !kinds.contains(rule.action.kind) { kinds.append(rule.action.kind) }
    }

    private mutating func strike(_ reach: Reach, _ change: (inout Way) -> Void) {
        if reach.there { change(&there) }
        if reach.back { change(&back) }
    }

    /// What becomes of a case: every combination of what each figure is with and without the faults,
    /// because one may last without another, and an axis of the envelope is at its ends in one of them.
    func cases(of start: LinkCase) -> [LinkCase] {
        let own = start.profile
        var profiles = [own]
        func spread(_ figure: WritableKeyPath<LinkProfile, Double>, to values: Double...) {
            var all = [own[keyPath: figure]]
            for value in values where !all.contains(value) { all.append(value) }
            profiles = profiles.flatMap { profile in
                all.map { value in
                    var profile = profile
                    profile[keyPath: figure] = value
                    return profile
                }
            }
        }
        spread(
            \.bitsPerSecond,
            to: own.bitsPerSecond * rate.lowerBound,
            own.bitsPerSecond * rate.upperBound
        )
        spread(\.roundTripSeconds, to: own.roundTripSeconds + extraSeconds)
        spread(\.queueBytes, to: min(own.queueBytes * queueFactor, PathStrike.longestQueue))
        spread(\.loss, to: max(there.struckLoss, back.struckLoss))
        spread(\.lossBurst, to: max(there.struckBurst, back.struckBurst))
        spread(\.jitterSeconds, to: max(there.struckJitter, back.struckJitter))
        // All at their most first, which says best why.
        return profiles.reversed().filter { $0 != own }.map { profile in
            var struck = start
            struck.profile = profile
            struck.circumstance = "during \(kinds.joined(separator: " and "))"
            return struck
        }
    }

    /// As `LinkFaults` has it: 4 GiB.
    private static let longestQueue = 4_294_967_296.0
}

extension ClosedRange<Interval> {
    /// Whether what begins then meets it: at its end it is over, but for what begins at that moment itself.
    fileprivate func lasts(at time: Interval) -> Bool {
        lowerBound == time || lowerBound < time && time < upperBound
    }
}
