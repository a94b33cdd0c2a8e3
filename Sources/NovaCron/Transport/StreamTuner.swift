public import Machines
public import Units

/// Finds the number of parallel streams, and where it may the congestion control, at which a
/// transfer gets the most: by measurements of the transfer itself.
///
/// A value without clocks or timers. Its owner measures an epoch at the present `setting`, hands the
/// result over, and applies the setting that follows. An epoch is compared with the one before
/// the last change (the *reference*):
///
/// - **Up**: twice the streams (after a failure half as many more) are kept when the rate grows by at
///   least a tenth of what it would if every stream brought the same (a twentieth where round trips
///   tell of no queue, or the path loses much by itself), and by 3 %; by 0.5 % where losses by
///   chance leave the link room. Otherwise the streams that only add loss and queueing are taken back.
///   Not while round trips are inflated: a full queue means a full link, and more streams would only
///   take from others. Unless half the streams had brought half the rate: then the path varies by
///   itself. And, from `Rules.courteousStreams` on, not on a path whose queue was never seen empty, until
///   fewer streams have shown that nobody else fills it.
/// - **Down**: where round trips are inflated, or packets are lost, half the streams are kept when
///   the rate stays within 3 % of the best that was got on the path, and, down to
///   `Rules.courteousStreams`, when round trips stay inflated and the rate falls by less than half of the
///   streams' share, or the queue is never empty with fewer streams either and it falls by less than two
///   thirds: the link loses nothing then, and what this transfer gives up is what others on it get.
/// - **Control**: losses without inflated round trips are not congestion. Where all the streams there
///   may be do not make up for them, a control that does not take them for it (BBR) is tried with few
///   streams; not before, because it stops every ten seconds to measure the round trip, which costs
///   more the longer that is. Heavy losses with inflated round trips under BBR are the other way
///   round. One comparison a path; the number of BBR's streams is not tuned: any few of them fill it.
///
/// A trial that could as well be chance is measured up to three times; one with fewer streams on a full link
/// until the link is full again, or ten times. Where round trips stay shorter by a third of the longest queue,
/// nobody else was there to fill it.
///
/// More streams that were turned down are tried again where the setting turns out to get so much less that they
/// would have been kept; and where fewer turn out to get less than they were kept for, the next probe does not
/// wait.
///
/// When nothing is left to try it holds, and probes again after `Rules.pause` (doubling up to
/// `Rules.longestPause`), in small steps and against the mean of the hold. Where the rates of three epochs
/// running are off by a quarter, and not by losses, the path is another one, and all is tried again.
///
/// Source of the idea: hill climbing on throughput as in Yildirim, Yin and Kosar, "Prediction of
/// optimal parallelism level in wide area data transfers" (TPDS 2011); the comparison with the
/// proportional share is this project's. Bounds: 1...256 streams; state of constant size.
public struct StreamTuner: Hashable, Sendable {
    /// What the tuner decides.
    public struct Setting: Hashable, Sendable {
        public var streams: Int
        public var congestion: CongestionControl

        public init(streams: Int, congestion: CongestionControl) {
            self.streams = streams
            self.congestion = congestion
        }
    }

    /// What one epoch at the present setting has measured.
    public struct Observation: Hashable, Sendable {
        /// Of all streams together.
        public var rate: BitRate
        /// Share of segments that were sent again.
        public var loss: Ratio
        /// The mean of the streams' smoothed round-trip times.
        public var roundTrip: Interval
        /// The least smoothed round-trip time of any stream.
        public var smallestRoundTrip: Interval
        /// The application had less to send than could have been sent: the epoch says nothing
        /// about the path.
        public var isStarved: Bool

        public init(
            rate: BitRate,
            loss: Ratio,
            roundTrip: Interval,
            smallestRoundTrip: Interval,
            isStarved: Bool = false
        ) {
            self.rate = rate
            self.loss = loss
            self.roundTrip = roundTrip
            self.smallestRoundTrip = smallestRoundTrip
            self.isStarved = isStarved
        }
    }

    public struct Rules: Hashable, Sendable {
        /// Streams, within 1...256.
        public var streams: ClosedRange<Int>
        /// Whether the congestion control may be changed.
        public var choosesControl: Bool
        /// How long it holds before it probes again; doubles with each probe in vain.
        public var pause = Interval.seconds(15)
        public var longestPause = Interval.seconds(120)
        /// Round trips longer than the least by this factor are inflated by a queue.
        public var inflation = 1.5
        /// Where the least round trip that was ever seen is longer than the path's by this factor, its queue
        /// was never empty. Senders of CUBIC that fill a queue of one bandwidth-delay product leave
        /// four tenths of it when they yield.
        public var fullness = 1.3
        /// Round trips shorter than this are those of a path whose queue is seldom filled.
        public var roominess = 1.2
        /// Losses below are chance.
        public var loss = Ratio.percent(0.05)
        /// Losses above are hardly those of a full queue.
        public var varyingLoss = Ratio.percent(1)
        /// Losses of a control that does not yield to them, above which it does harm.
        public var harmfulLoss = Ratio.percent(5)
        /// Streams that a transfer keeps on a link that is full whatever it does. A browser opens six to
        /// a server, and is counted as bearable.
        public var courteousStreams = 4
        /// Streams that a control which fills the path alone begins with.
        public var fewStreams = 8

        public init(
            streams: ClosedRange<Int> = 1...TransportConfiguration.streamLimit,
            choosesControl: Bool = false
        ) {
            precondition(
                streams.lowerBound >= 1
                    && streams.upperBound <= TransportConfiguration.streamLimit,
                "streams in \(streams)"
            )
            self.streams = streams
            self.choosesControl = choosesControl
        }
    }

    /// What is being tried against the reference.
    public enum Trial: Hashable, Sendable {
        case up
        case down
        case control
    }

    public let rules: Rules
    /// What shall be now.
    public private(set) var setting: Setting
    /// What is being tried; `nil` while the reference is measured.
    public private(set) var trial: Trial?
    /// Whether nothing is left to try for now.
    public private(set) var isHolding = false
    /// How often the setting has changed.
    public private(set) var changes = 0

    /// The setting that is kept, and what it gets.
    private var kept: Setting
    private var rate = 0.0
    /// The most that a setting has got on this path over `settledEpochs` or more. Steps down are held
    /// against it, so that small losses do not add up.
    private var best = 0.0
    /// The last step down took as much of the rate as of the streams: round trips are long for another
    /// reason than a full link.
    private var wasProportional = false
    /// What the last step up that was kept brought, as a part of its share of streams.
    private var lastStep: Double?
    /// The last epochs of the setting that is kept; at most `memory`.
    private var recent: [Double] = []
    /// Epochs in which the setting that is kept was held, and the sum of their rates.
    private var heldEpochs = 0
    private var heldSum = 0.0
    /// What it got on average meanwhile, when it was probed last; `nil` where it was not held for long.
    private var heldRate: Double?
    /// Whether fewer streams were tried on this path without a sign of a queue.
    private var hasTriedLess = false
    /// Whether the search that is on began with a probe of a setting that had been held.
    private var isProbing = false
    /// Mean relative change between epochs of the same setting.
    private var noise = 0.05
    private var triedUp = Exhaustion.open
    private var triedDown = false
    /// The last trial took streams back, and that was right.
    private var isDescending = false
    /// The rate for which more streams, or as many as there had been, were turned down last.
    private var rejectedAgainst = 0.0
    /// The rate against which more streams that were turned down in this search would have been kept.
    private var missedBelow = 0.0
    /// The rate for which fewer streams were kept last, until it is known what they get.
    private var promised = 0.0
    /// Whether another control was tried on this path.
    private var hasTriedControl = false
    private var holdUntil = Instant.zero
    private var pause: Interval
    private var deviations = 0
    private var smallest: Interval?
    /// The least mean round trip of an epoch on this path: where delays vary, one stream's least says little of
    /// what round trips are without a queue.
    private var leastMean: Interval?
    private let known: Interval?

    /// Share of segments sent again, and seconds of a round trip, with the setting that is kept, smoothed over
    /// about four epochs.
    private var usualLoss = 0.0
    private var usualRoundTrip = 0.0
    /// The least share of an epoch on this path: what is lost by chance is no more, since a queue only adds to it.
    private var leastLoss = 1.0
    /// Whether the round trips of an epoch on this path told of no queue.
    private var hasSeenRoom = false
    /// The most that `usualRoundTrip` has been on this path.
    private var longestRoundTrip = 0.0
    /// Nobody filled what fewer streams left: a queue that is never empty is this transfer's own.
    private var isAlone = false
    /// The least round trips of the last epochs in which nothing was tried, and of the last epoch of steps
    /// down: fewer streams leave a queue empty for a moment, whoever else fills it. At most `settledLimit`.
    private var settled: [Interval] = []
    /// Epochs of the trial that is on that were left out because streams had not come to rest.
    private var restless = 0

    /// Of the trial that is on.
    private var trialEpochs = 0
    private var trialSum = 0.0
    private var trialInflations = 0
    private var isTrialInFullQueue = false
    private var didTrialBeginOnShared = false
    /// Perhaps on one: its losses are more than a full queue causes, but fresh streams cause such, too.
    private var didTrialBeginQueued = false

    private enum Exhaustion: Hashable, Sendable {
        case open
        /// Doubling was in vain, half as many more may help.
        case coarse
        case all
    }

    /// How many epochs running make a change of the path.
    private static let confirmations = 3
    /// Epochs of a setting that are remembered, and those that make a figure of it.
    private static let memory = 5
    private static let settledEpochs = 3
    /// Epochs in which a queue that is filled by streams of CUBIC shows how empty it gets.
    private static let settledLimit = 10
    /// Epochs of a hold that show what a setting gets in the long run: streams that overflow a queue together
    /// lose for a few what they gained in many.
    private static let longHold = 8
    /// What a step down may cost.
    private static let tolerance = 0.97
    /// Epochs after which a trial is judged, however close it is.
    private static let trialLimit = 3

    /// A path that was settled is probed gently, by an eighth of its streams up or down: a probe is in vain as a
    /// rule, and costs what it takes for as long as it is watched. By a quarter down where others fill the link,
    /// because what they take is to be seen, and where queues overflow: so many streams fewer have to fit in.
    private static let finePart = 8
    /// Mean change from epoch to epoch above which rates swing.
    private static let unrest = 0.08
    /// What a step up has to bring where there is room.
    private static let roomyGain = 0.005
    /// A path that was never seen below so many times what is known of it is another one.
    private static let otherPath = 2.0
    /// A path may vary by so much from what is known of it.
    private static let variation = 1.15
    /// Epochs in which others on a full link have to have filled what fewer streams left.
    private static let refillLimit = 10
    /// A queue that has lost this part of what was ever seen of it has not been filled again.
    private static let emptied = 1 / 3.0
    /// A step up that brings less of its share has found the end of the link.
    private static let worthwhile = 0.5
    /// Epochs of a trial that may be left out.
    private static let restlessLimit = 6
    /// A step down that takes at least this part of the streams' share from the rate was on a link with
    /// room, or one of so many others that a few more streams are hardly felt.
    private static let proportion = 0.65

    /// - Parameter roundTrip: What is known of the path without queueing. On a link whose queue others keep
    ///   full no round trip that is measured tells of it.
    public init(start: Setting, rules: Rules = Rules(), roundTrip: Interval? = nil) {
        self.rules = rules
        let streams = min(rules.streams.upperBound, max(rules.streams.lowerBound, start.streams))
        setting = Setting(streams: streams, congestion: start.congestion)
        kept = setting
        pause = rules.pause
        known = roundTrip
    }

    /// Takes the result of an epoch; returns whether `setting` has changed.
    public mutating func observe(_ epoch: Observation, at now: Instant) -> Bool {
        guard !epoch.isStarved, epoch.roundTrip > .zero else { return false }
        smallest = min(smallest ?? epoch.smallestRoundTrip, epoch.smallestRoundTrip)
        leastMean = min(leastMean ?? epoch.roundTrip, epoch.roundTrip)
        guard !isRestless(epoch) else { return false }
        leastLoss = min(leastLoss, epoch.loss.value)
        hasSeenRoom = hasSeenRoom || !isInflated(epoch)
        let before = setting
        if let trial {
            judge(trial, epoch)
        } else {
            noteSettled(epoch.smallestRoundTrip)
            let loss = epoch.loss.value
            let roundTrip = epoch.roundTrip.seconds
            remeasure(epoch)
            let isFirst = recent.count == 1
            usualLoss = isFirst ? loss : usualLoss + (loss - usualLoss) / 4
            usualRoundTrip =
                isFirst ? roundTrip : usualRoundTrip + (roundTrip - usualRoundTrip) / 4
            longestRoundTrip = max(longestRoundTrip, usualRoundTrip)
            choose(epoch, at: now)
        }
        guard setting != before else { return false }
        changes += 1
        return true
    }

    /// Fresh streams send more and more until they meet a loss, and what they overflow strikes all of
    /// them: such an epoch says nothing of what the setting gets in the long run.
    private mutating func isRestless(_ epoch: Observation) -> Bool {
        let limit: Double
        switch trial {
        case .up: limit = 3 * usualLoss + 0.005
        case nil where recent.isEmpty: limit = 0.1
        case .down, .control, nil: limit = 1
        }
        let isRestless = epoch.loss.value > limit && restless < StreamTuner.restlessLimit
        if isRestless { restless += 1 }
        return isRestless
    }

    private mutating func noteSettled(_ roundTrip: Interval) {
        settled.append(roundTrip)
        if settled.count > StreamTuner.settledLimit { settled.removeFirst() }
    }

    // MARK: The reference

    private mutating func remeasure(_ epoch: Observation) {
        let found = Double(epoch.rate.bitsPerSecond)
        guard !recent.isEmpty else {
            recent = [found]
            rate = found
            return
        }
        let change = rate > 0 ? (found - rate) / rate : found > 0 ? 1 : 0
        // Streams that have just overflown the queue are no other path.
        if epoch.loss.value <= 3 * usualLoss + 0.005 {
            deviations = abs(change) > 0.25 ? deviations + 1 : 0
        }
        if deviations >= StreamTuner.confirmations, isHolding {
            // Another path, or other company on it: everything may be tried again.
            smallest = epoch.smallestRoundTrip
            leastMean = epoch.roundTrip
            settled = []
            recent = [found]
            rate = found
            best = 0
            missedBelow = 0
            promised = 0
            lastStep = nil
            search()
            hasTriedLess = false
            hasTriedControl = false
            isAlone = false
            longestRoundTrip = 0
            leastLoss = epoch.loss.value
            hasSeenRoom = false
            pause = rules.pause
            return
        }
        noise += (min(abs(change), 0.3) - noise) / 4
        if isHolding {
            heldEpochs += 1
            heldSum += found
            reconsider()
        }
        recent.append(found)
        if recent.count > StreamTuner.memory { recent.removeFirst() }
        // The median: one bad epoch, or a first one that was too good, is not the reference.
        rate = StreamTuner.median(recent)
        if recent.count >= StreamTuner.settledEpochs { best = max(best, rate) }
        // Fresh streams send more until their first losses: what was turned down against such a
        // figure deserves another trial.
        if recent.count >= StreamTuner.settledEpochs, !isProbing, rate < 0.9 * rejectedAgainst {
            rejectedAgainst = 0
            search()
        }
    }

    /// More streams may have been turned down for what fresh streams got before they met losses, and fewer have been
    /// kept for what was still under way of the others.
    private mutating func reconsider() {
        guard heldEpochs >= StreamTuner.settledEpochs else { return }
        let found = heldSum / Double(heldEpochs)
        if found < StreamTuner.tolerance * missedBelow {
            missedBelow = 0
            recent = recent.suffix(StreamTuner.settledEpochs - 1)
            search()
        } else if found < StreamTuner.tolerance * promised {
            promised = 0
            holdUntil = .zero
        }
    }

    private static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1
            ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    private mutating func search() {
        isHolding = false
        isProbing = false
        forgetHold()
        deviations = 0
        triedUp = .open
        triedDown = false
    }

    // MARK: What to try next

    private mutating func choose(_ epoch: Observation, at now: Instant) {
        if isHolding {
            guard now >= holdUntil, recent.count >= StreamTuner.settledEpochs else { return }
            beginProbing()
        }
        // What was turned down once is compared with a settled figure.
        guard rejectedAgainst == 0 || recent.count >= StreamTuner.settledEpochs else { return }
        if let control = otherControl(epoch) {
            hasTriedControl = true
            attempt(.control, control)
        } else if !isInflated(epoch) || wasProportional, mayTakeMore, let more = moreStreams {
            wasProportional = false
            attempt(.up, Setting(streams: more, congestion: kept.congestion))
        } else if let fewer = fewerStreams(epoch) {
            attempt(.down, Setting(streams: fewer, congestion: kept.congestion))
        } else if recent.count >= StreamTuner.settledEpochs {
            // Not earlier: streams that were fresh a moment ago may have filled the queue that is in the way.
            isHolding = true
            holdUntil = now + pause
            pause = min(pause * 2, rules.longestPause)
        }
    }

    /// Probes of a path that was settled are small ones.
    private mutating func beginProbing() {
        isHolding = false
        isProbing = true
        triedUp = .coarse
        triedDown = false
        if heldEpochs >= StreamTuner.longHold {
            heldRate = heldSum / Double(heldEpochs)
            rejectedAgainst = 0
            // The best of a few epochs is more than any setting gets in the long run.
            best = min(best, reference / StreamTuner.tolerance)
        }
        // The path may have become a little worse.
        best = max(reference, best * 0.999)
    }

    private mutating func forgetHold() {
        heldEpochs = 0
        heldSum = 0
        heldRate = nil
    }

    /// What trials are compared with.
    private var reference: Double { isProbing ? heldRate ?? rate : rate }

    private mutating func attempt(_ trial: Trial, _ setting: Setting) {
        self.trial = trial
        self.setting = setting
        restless = 0
        trialEpochs = 0
        trialSum = 0
        trialInflations = 0
        isTrialInFullQueue = false
        didTrialBeginOnShared = isShared
        didTrialBeginQueued = isQueueNeverEmpty
    }

    private var mayTakeMore: Bool {
        kept.streams < rules.courteousStreams || !isShared
    }

    private var moreStreams: Int? {
        let most = rules.streams.upperBound
        guard kept.streams < most, kept.congestion != .bbr else { return nil }
        switch triedUp {
        case .open: return min(most, kept.streams * 2)
        case .coarse:
            let part = isProbing ? StreamTuner.finePart : 2
            return min(most, kept.streams + max(1, kept.streams / part))
        case .all: return nil
        }
    }

    private func fewerStreams(_ epoch: Observation) -> Int? {
        guard !triedDown, kept.streams > rules.streams.lowerBound, kept.congestion != .bbr,
            // Where the path loses much whatever is done, only an overflow makes fewer worth a probe.
            !isProbing || !isLossy || losesMore(usualLoss)
        else { return nil }
        // The least round trip may never have been seen, so losses alone are reason to try once, and overflows
        // are one for every probe.
        guard
            isInflated(epoch) || isShared || (isOverflowing && isProbing)
                || (epoch.loss >= rules.loss && !hasTriedLess)
        else { return nil }
        let isCoarse = isShared || isOverflowing
        let fewer =
            if !isProbing {
                kept.streams / 2
            } else if isCoarse {
                kept.streams * 3 / 4
            } else {
                kept.streams - max(1, kept.streams / StreamTuner.finePart)
            }
        let least = rules.streams.lowerBound
        // Where others fill the link, no fewer than are owed to ourselves.
        guard isShared, kept.streams > rules.courteousStreams else {
            return max(least, fewer)
        }
        return max(least, rules.courteousStreams, fewer)
    }

    private func otherControl(_ epoch: Observation) -> Setting? {
        guard rules.choosesControl, !hasTriedControl else { return nil }
        let most = rules.streams.upperBound
        switch kept.congestion {
        case .cubic, .newReno:
            // As long as more streams can help, they are what is tried.
            guard epoch.loss >= rules.loss, !isInflated(epoch), kept.streams == most,
                recent.count >= StreamTuner.settledEpochs,
                // Where the last of them brought little, the link is what is full.
                (lastStep ?? 1) >= StreamTuner.worthwhile
            else { return nil }
            let few = max(rules.streams.lowerBound, min(most, rules.fewStreams))
            return Setting(streams: few, congestion: .bbr)
        case .bbr:
            guard epoch.loss >= rules.harmfulLoss, isInflated(epoch) else { return nil }
            return Setting(
                streams: min(most, max(rules.streams.lowerBound, 16)),
                congestion: .cubic
            )
        }
    }

    private func isInflated(_ epoch: Observation) -> Bool {
        guard let base = base(epoch) else { return false }
        return epoch.roundTrip.seconds > base.seconds * rules.inflation
    }

    /// Streams overflow the queue together again and again: rates swing, and more is lost than by chance.
    private var isOverflowing: Bool {
        noise > StreamTuner.unrest && usualLoss >= rules.loss.value && losesMore(usualLoss)
    }

    /// Twice as much as was ever lost on this path.
    private func losesMore(_ loss: Double) -> Bool { loss >= 2 * leastLoss }

    /// So much is lost whatever the setting that it is the path, and not a queue. On such a path round trips vary in
    /// other ways than with its queue, too, so that long ones do not tell of a full link.
    private var isLossy: Bool { hasSeenRoom && leastLoss >= rules.varyingLoss.value }

    /// Round trips are as short as ever, and more streams lose no greater share: what is lost is lost by
    /// chance, and the link has room. Where nothing is lost, something else than the link may be the limit.
    private func isRoomy(_ epoch: Observation) -> Bool {
        guard let base = base(epoch), usualLoss >= rules.loss.value else { return false }
        return epoch.roundTrip.seconds < base.seconds * rules.roominess
            && epoch.loss.value < usualLoss * rules.inflation
    }

    /// With what is kept nobody has ever seen the round trip that the path is known to have: its queue was
    /// never empty, and others may be who fills it.
    private var isShared: Bool {
        isQueueNeverEmpty && usualLoss < rules.varyingLoss.value
    }

    /// As `isShared`, on a path of whatever losses.
    private var isQueueNeverEmpty: Bool {
        // Fresh streams fill it themselves, until their first losses.
        guard !isAlone, settled.count >= StreamTuner.memory, let least = settled.min() else {
            return false
        }
        return isQueued(least)
    }

    /// Losses of one percent are more than a full queue causes.
    private func fillsQueue(_ roundTrip: Interval, _ loss: Ratio) -> Bool {
        loss < rules.varyingLoss && isQueued(roundTrip)
    }

    /// Longer than the path is known to be by more than senders that yield leave of a full queue, and not so
    /// long that it were another path's.
    private func isQueued(_ roundTrip: Interval) -> Bool {
        guard let known else { return false }
        let factor = roundTrip.seconds / known.seconds
        return factor > rules.fullness && factor < StreamTuner.otherPath
    }

    /// Round trips are about as long as they ever were: what fewer streams left of a queue, others have filled.
    private func hasStayedFull(_ epoch: Observation) -> Bool {
        guard let smallest else { return true }
        let queue = longestRoundTrip - smallest.seconds
        return epoch.roundTrip.seconds >= longestRoundTrip - queue * StreamTuner.emptied
    }

    /// The path's round trip without a queue, as far as it is known.
    private func base(_ epoch: Observation) -> Interval? {
        guard let smallest else { return nil }
        // A path that was never seen below twice what is known of it is another one, and one that loses
        // much varies in other ways, too.
        let isKnown = known.map { smallest.seconds < $0.seconds * StreamTuner.otherPath } ?? false
        guard let known, isKnown, epoch.loss < rules.varyingLoss else { return smallest }
        let expected = min(leastMean ?? smallest, known.scaled(by: StreamTuner.variation))
        // Where nobody else fills the queue, what was seen is the path's own.
        return isAlone ? max(smallest, expected) : expected
    }

    // MARK: What it was worth

    private mutating func judge(_ trial: Trial, _ epoch: Observation) {
        trialEpochs += 1
        trialSum += Double(epoch.rate.bitsPerSecond)
        let tellsOfAFullLink = !isLossy || losesMore(epoch.loss.value)
        trialInflations += isInflated(epoch) && tellsOfAFullLink ? 1 : 0
        // Of the last one: others need a while to take what fewer streams leave.
        isTrialInFullQueue =
            didTrialBeginOnShared && fillsQueue(epoch.smallestRoundTrip, epoch.loss)
            && hasStayedFull(epoch)
        let found = trialSum / Double(trialEpochs)
        let gain = reference > 0 ? found / reference - 1 : 1
        let least = leastGain(of: trial, epoch)
        // What could as well be chance is looked at again.
        // Another control needs its time before it can be turned down.
        // A probe may be patient, and has to be: each that is kept by chance adds streams for ever.
        guard !isProbing || trialEpochs >= StreamTuner.trialLimit else { return }
        // Fewer streams need a while until they fill what the others had under way.
        let isClear =
            abs(gain - least) > 1.5 * max(noise, 0.03) && (trial == .up || gain > least)
            && (trial != .control || gain > 0)
        // Nor is anybody taken for nobody before that time is over.
        let isRefilled = didTrialBeginOnShared ? isTrialInFullQueue : hasStayedFull(epoch)
        let isPatient = trial == .down && didTrialBeginQueued && !isRefilled
        guard
            isClear || trialEpochs >= (isPatient ? StreamTuner.refillLimit : StreamTuner.trialLimit)
        else { return }
        self.trial = nil
        let given = 1 - Double(setting.streams) / Double(kept.streams)
        let isLinkFull = isTrialInFullQueue || trialInflations == trialEpochs
        let bearable = isTrialInFullQueue ? StreamTuner.proportion : StreamTuner.worthwhile
        let isCourtesy =
            trial == .down && isLinkFull && gain >= -bearable * given
            && setting.streams >= rules.courteousStreams
        let isKept = gain >= least || isCourtesy
        if trial == .down { noteCompany(epoch, isKept: isKept) }
        if isKept {
            kept = setting
            promised = trial == .down && gain >= least ? reference * (1 + least) : 0
            rate = found
            missedBelow = 0
            forgetHold()
            recent = [found]
            if trial == .down { noteSettled(epoch.smallestRoundTrip) } else { settled = [] }
            if isCourtesy { best = found }
            if trial == .up { lastStep = gain / -given }
            // What a probe finds better by a little is no reason to probe more often.
            if !isProbing { pause = rules.pause }
        } else {
            if trial == .up, !isProbing { missedBelow = max(missedBelow, found / (1 + least)) }
            setting = kept
            wasProportional = trial == .down && gain <= -StreamTuner.proportion * given
        }
        learn(from: trial, isKept: isKept)
    }

    /// Whether a queue that fewer streams leave is filled by others. Where it was seen empty before, nobody had
    /// to fill it in these epochs; where it was not, others had their time, and a trial that was turned down
    /// tells.
    private mutating func noteCompany(_ epoch: Observation, isKept: Bool) {
        if didTrialBeginOnShared {
            if !isKept, !isTrialInFullQueue { isAlone = true }
        } else if settled.count >= StreamTuner.memory, !hasStayedFull(epoch),
            !didTrialBeginQueued || trialEpochs >= StreamTuner.refillLimit
        {
            isAlone = true
        }
    }

    /// What the rate must gain for a trial to be kept.
    private func leastGain(of trial: Trial, _ epoch: Observation) -> Double {
        switch trial {
        case .up:
            if isRoomy(epoch) { return StreamTuner.roomyGain }
            let share = Double(setting.streams) / Double(kept.streams) - 1
            return max(isInflated(epoch) && !isLossy ? share / 10 : share / 20, 0.03)
        case .down:
            guard reference > 0 else { return 0 }
            return StreamTuner.tolerance * max(reference, best) / reference - 1
        case .control: return setting.congestion == .bbr ? 0.02 : -0.02
        }
    }

    private mutating func learn(from trial: Trial, isKept: Bool) {
        switch (trial, isKept) {
        case (.up, true): triedDown = true
        case (.up, false):
            triedUp = triedUp == .open && kept.streams >= 4 ? .coarse : .all
            rejectedAgainst = rate
        case (.down, true):
            triedUp = .all
            isDescending = true
            rejectedAgainst = rate
        case (.down, false):
            triedDown = true
            hasTriedLess = true
            // The way down ends below what the path can carry as likely as above.
            if isDescending { triedUp = .coarse }
            isDescending = false
        case (.control, _):
            if isKept { search() }
        }
    }
}
