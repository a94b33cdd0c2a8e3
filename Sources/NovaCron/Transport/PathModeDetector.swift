public import Machines
public import Units

/// Tells the mode of a path by what the streams of a transfer measure of it.
///
/// A value without clocks or timers: its owner hands over the samples of all streams (`take`) and
/// asks for a judgement about every 50 ms (`judge`). Smoothed round trips hold the queue that the
/// transfer itself builds, so the mode is judged by a *base*:
///
/// - The base is the least round trip of the last `Rules.memory`. A smaller one counts at once.
/// - All round trips of the last `Rules.window` being longer by `Rules.rise` is the path's doing when
///   the transfer got clearly less across in this time than before, or had nothing to fill a queue
///   with: the base follows at once. Otherwise it is taken for the transfer's own queue, and the
///   base follows when the shorter round trips are forgotten.
/// - Losses and variation count only while round trips are near the base: with a queue of the
///   transfer's own they are its own, too. Losses make a path the internet, a near one regional.
///
/// A mode is entered and left at different thresholds (hysteresis), after `Rules.confirmation` of
/// equal judgements, and not before a dwell has passed. The dwell doubles with each flap, so that a
/// path at a threshold makes few changes however long it lasts.
///
/// Thresholds: the plans' modes are a data centre below 1 ms, regional in 10–50 ms at less than
/// 0.1 % loss, and the internet above 50 ms or with loss. Between 1 ms and 10 ms the border is about where
/// both are equally far in ratio (3.2 ms), with a band around it. The plans also tell modes by capacity; what a
/// transfer gets across is only a lower bound of it, so it does not decide here.
///
/// The windowed least round trip is that of BBR's model (Cardwell et al., "BBR: congestion-based
/// congestion control", ACM Queue 2016), with the shortcut for changes of the path added here.
///
/// Limits: a queue that has stood since the path was entered hides the base, and a path that becomes
/// longer without carrying less is noticed after `Rules.memory`. Memory: at most `recordLimit` records.
public struct PathModeDetector: Hashable, Sendable {
    public struct Rules: Hashable, Sendable {
        /// A base below enters the data centre, above leaves it.
        public var datacenterEnter = Interval.milliseconds(3)
        public var datacenterLeave = Interval.milliseconds(4)
        /// A base above enters the internet, below leaves it.
        public var internetEnter = Interval.milliseconds(50)
        public var internetLeave = Interval.milliseconds(42)
        /// Losses not of the transfer's own that make a path the internet, and below which it is
        /// left.
        public var lossEnter = Ratio.percent(1)
        public var lossLeave = Ratio.percent(0.3)
        /// Variation of round trips beyond which a near path is no data centre, and that which
        /// takes it back to one. The mean distance from the slice's least.
        public var variationLeave = Interval.milliseconds(2)
        public var variationEnter = Interval.milliseconds(1)

        /// What makes up the present; at least one and a half round trips.
        public var window = Interval.milliseconds(600)
        /// How long a short round trip is remembered against longer ones.
        public var memory = Interval.seconds(30)
        /// How far the throughput before a rise is looked at.
        public var throughputMemory = Interval.seconds(5)
        /// How long after a rise the throughput from before it counts.
        public var transition = Interval.seconds(2)
        /// Round trips longer by this factor have risen, and by how much they have to at least.
        public var rise = 1.25
        public var leastRise = Interval.microseconds(200)
        /// A throughput below this share of the best is clearly less.
        public var dip = 0.7
        /// How long judgements must agree before the mode changes.
        public var confirmation = Interval.milliseconds(300)
        /// How long a mode stays at least, and at most when it flaps.
        public var dwell = Interval.seconds(1)
        public var longestDwell = Interval.seconds(64)
        /// A change back within two dwells and this, of a path whose base has not doubled or halved,
        /// is a flap.
        public var flapGrace = Interval.seconds(1)
        /// After so many dwells without a change the dwell is the shortest again.
        public var calmDwells: Int64 = 6
        /// What losses are counted over, and samples without which they are not judged.
        public var lossWindow = Interval.seconds(1)
        public var lossSamples = 8

        public init() {}
    }

    /// One slice of time between two judgements in which anything was measured.
    private struct Record: Hashable, Sendable {
        var time: Instant
        var least: Interval
        var mean: Interval
        var loss: Double
        var samples: Int
        /// Bytes delivered in all until its end.
        var delivered: UInt64
        /// The transfer had nothing to build a queue with.
        var isLimited: Bool
        /// Round trips were near the base.
        var isCalm = false
    }

    public let rules: Rules
    /// What the path is taken for now.
    public private(set) var mode: PathMode
    /// How often that has changed.
    public private(set) var changes = 0
    /// Changes back to the mode that had been left shortly before.
    public private(set) var flaps = 0
    /// The round trip without the transfer's own queue; `nil` before anything was measured.
    public private(set) var base: Interval?

    private var records: [Record] = []
    private var slice = Slice()
    private var lastJudged: Instant?
    /// When the base's round trip was last seen.
    private var baseAt = Instant.zero
    /// Losses and round trips from before say nothing of what the path is now.
    private var pathSince = Instant.zero
    /// When the base was found to be longer, the last time.
    private var raisedAt: Instant?
    private var candidate: PathMode?
    private var candidateSince = Instant.zero
    private var changedAt: Instant?
    private var left: PathMode?
    /// The path is taken for the internet because of its losses.
    private var hasLosses = false
    /// The base at the last change.
    private var changedBase = Interval.zero
    private var dwell: Interval

    /// Records kept at most; more often than every 50 ms in the throughput's memory are not.
    static let recordLimit = 128

    private struct Slice: Hashable, Sendable {
        var samples = 0
        var least = Interval(nanoseconds: .max)
        var sum = 0.0
        var loss = 0.0
    }

    /// - Parameter start: what the path is taken for until it is measured.
    public init(start: PathMode, rules: Rules = Rules()) {
        self.rules = rules
        mode = start
        dwell = rules.dwell
    }

    /// What the configuration's idea of a path speaks for.
    public static func mode(of link: LinkEstimate, rules: Rules = Rules()) -> PathMode {
        link.rtt < rules.datacenterEnter
            ? .datacenter : link.rtt > rules.internetEnter ? .internet : .regional
    }

    /// Takes a sample of any stream.
    public mutating func take(_ sample: PathSample) {
        guard sample.rtt > .zero else { return }
        slice.samples += 1
        slice.least = min(slice.least, sample.rtt)
        slice.sum += sample.rtt.seconds
        slice.loss += sample.loss.value
    }

    /// Judges what came since the last time.
    ///
    /// - Parameters:
    ///   - delivered: payload bytes acknowledged in all.
    ///   - isLimited: the transfer had less to send, or was allowed less, than the path would take.
    /// - Returns: the mode that was left, when it has changed.
    public mutating func judge(
        delivered: UInt64,
        isLimited: Bool,
        at now: Instant
    ) -> PathMode? {
        if let last = lastJudged, now < last { forget(at: now) }
        lastJudged = now
        guard slice.samples > 0 else { return nil }
        append(delivered, isLimited, at: now)
        updateBase(at: now)
        markCalm()
        return decide(at: now)
    }

    /// The clock was set back: nothing from before has a time any more.
    private mutating func forget(at now: Instant) {
        records.removeAll()
        candidate = nil
        changedAt = nil
        base = nil
        pathSince = now
        raisedAt = nil
    }

    private mutating func append(_ delivered: UInt64, _ isLimited: Bool, at now: Instant) {
        records.append(
            Record(
                time: now,
                least: slice.least,
                mean: Interval(seconds: slice.sum / Double(slice.samples)),
                loss: slice.loss,
                samples: slice.samples,
                delivered: delivered,
                isLimited: isLimited
            )
        )
        slice = Slice()
        let excess = records.count { now - $0.time > rules.throughputMemory }
        let surplus = max(excess, records.count - PathModeDetector.recordLimit)
        if surplus > 0 { records.removeFirst(surplus) }
    }

    // MARK: The base

    /// The length of the present: a path's samples come once a round trip.
    private var window: Interval {
        guard let last = records.last else { return rules.window }
        return max(rules.window, last.mean * 3 / 2)
    }

    private func isPresent(_ record: Record, at now: Instant) -> Bool {
        record.time >= pathSince && now - record.time < window
    }

    private mutating func updateBase(at now: Instant) {
        let present = records.filter { isPresent($0, at: now) }
        let least = present.reduce(Interval(nanoseconds: .max)) { min($0, $1.least) }
        guard let known = base else {
            base = least
            baseAt = now
            return
        }
        let hasRisen = isRaised(least, above: known)
        if least < known / 2 {
            // A shorter path.
            base = least
            baseAt = now
            pathSince = now
            raisedAt = nil
        } else if least <= known || (!hasRisen && least < known + rules.leastRise) {
            base = min(known, least)
            baseAt = now
        } else if !hasRisen {
            // Within the noise of smoothed round trips: seen again.
            baseAt = now
        } else if now - baseAt >= rules.memory
            || (now - baseAt >= window && isOfThePath(present, at: now))
        {
            // The older part of the present may be from before the change.
            let part = window / 3
            let latest = present.filter { now - $0.time < part }
            base = latest.reduce(Interval(nanoseconds: .max)) { min($0, $1.least) }
            baseAt = now
            pathSince = latest.first?.time ?? now
            raisedAt = now
            candidate = nil
        }
    }

    private func isRaised(_ roundTrip: Interval, above base: Interval) -> Bool {
        roundTrip.seconds > base.seconds * rules.rise && roundTrip > base + rules.leastRise
    }

    /// Whether round trips have risen without a queue of the transfer's own: it would have been fed at
    /// no less than the rate of before.
    private func isOfThePath(_ present: [Record], at now: Instant) -> Bool {
        if present.allSatisfy(\.isLimited) { return true }
        guard let found = throughput(until: records.count - 1) else { return false }
        // A route that is being changed shows its new round trips by and by; after that only what
        // the new path has carried counts.
        let isChanging = raisedAt.map { now - $0 < rules.transition } ?? true
        var best = 0.0
        for end in records.indices.dropLast() where isChanging || records[end].time >= pathSince {
            best = max(best, throughput(until: end) ?? 0)
        }
        return found < best * rules.dip
    }

    /// Bytes a second over one window that ends with the record; `nil` when less is known.
    private func throughput(until end: Int) -> Double? {
        let last = records[end]
        guard
            let first = records[...end].lastIndex(where: { last.time - $0.time >= window })
        else { return nil }
        let seconds = (last.time - records[first].time).seconds
        return Double(last.delivered - min(last.delivered, records[first].delivered)) / seconds
    }

    // MARK: Losses and variation

    private mutating func markCalm() {
        guard let last = records.indices.last, let base else { return }
        let record = records[last]
        records[last].isCalm = record.isLimited || !isRaised(record.mean, above: base)
    }

    /// The share of lost segments in the present, of the transfer's own losses included or not; `nil`
    /// when there are too few samples.
    private func loss(isOwnIncluded: Bool, at now: Instant) -> Double? {
        var (sum, samples) = (0.0, 0)
        for record in records
        where record.time >= pathSince && now - record.time < max(window, rules.lossWindow)
            && (isOwnIncluded || record.isCalm)
        {
            sum += record.loss
            samples += record.samples
        }
        return samples < rules.lossSamples ? nil : sum / Double(samples)
    }

    /// The mean distance from the least of each slice, where round trips were near the base.
    private func variation(at now: Instant) -> Interval {
        var (sum, count) = (0.0, 0)
        for record in records where record.isCalm && isPresent(record, at: now) {
            sum += (record.mean - record.least).seconds
            count += 1
        }
        return count == 0 ? .zero : Interval(seconds: sum / Double(count))
    }

    private func isLossy(at now: Instant) -> Bool {
        if mode == .internet, hasLosses {
            // Few losses are few, whatever caused them.
            let all = loss(isOwnIncluded: true, at: now) ?? 1
            let others = loss(isOwnIncluded: false, at: now) ?? 1
            return min(all, others) > rules.lossLeave.value
        }
        return loss(isOwnIncluded: false, at: now).map { $0 > rules.lossEnter.value } ?? false
    }

    // MARK: The decision

    private func judgement(at now: Instant) -> PathMode? {
        guard let base else { return nil }
        let isInternet = mode == .internet
        if base > (isInternet ? rules.internetLeave : rules.internetEnter) { return .internet }
        let isDatacenter = mode == .datacenter
        let isNear = base < (isDatacenter ? rules.datacenterLeave : rules.datacenterEnter)
        // The internet does not begin next door, but a lossy neighbour is no data centre.
        if isLossy(at: now) { return isNear ? .regional : .internet }
        let steadiness = isDatacenter ? rules.variationLeave : rules.variationEnter
        return isNear && variation(at: now) < steadiness ? .datacenter : .regional
    }

    private mutating func decide(at now: Instant) -> PathMode? {
        guard let judgement = judgement(at: now), judgement != mode else {
            candidate = nil
            if mode == .internet, base.map({ $0 <= rules.internetEnter }) ?? false {
                hasLosses = true
            }
            if let changedAt, now - changedAt > dwell * rules.calmDwells { dwell = rules.dwell }
            return nil
        }
        if candidate != judgement {
            candidate = judgement
            candidateSince = now
        }
        guard now - candidateSince >= rules.confirmation else { return nil }
        if let changedAt {
            guard now - changedAt >= dwell else { return nil }
            if isFlap(to: judgement, at: now) {
                flaps += 1
                dwell = min(dwell * 2, rules.longestDwell)
            }
        }
        let old = mode
        mode = judgement
        left = old
        changedAt = now
        changedBase = base ?? .zero
        hasLosses = judgement == .internet && changedBase <= rules.internetEnter
        changes += 1
        candidate = nil
        return old
    }

    /// Back to the mode that was left shortly before, on a path that has hardly changed.
    private func isFlap(to judgement: PathMode, at now: Instant) -> Bool {
        guard left == judgement, let changedAt, let base,
            now - changedAt < dwell * 2 + rules.flapGrace
        else { return false }
        return base < changedBase * 2 && changedBase < base * 2
    }
}
