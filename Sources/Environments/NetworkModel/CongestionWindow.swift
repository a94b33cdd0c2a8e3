import Determinism
package import Machines
package import Units

/// How many segments may be in flight, and how that changes: NewReno's or CUBIC's rules, counted in
/// whole segments as Linux counts them. ``BBR`` has rules of its own and sets the window itself.
///
/// Sources: RFC 5681 and RFC 6582 (NewReno), RFC 9438 (CUBIC), Linux `tcp_cong.c` and
/// `tcp_cubic.c`. Deviation: a stream that asks for NewReno gets its window rules (halving, one
/// reduction a window of losses) on top of selective acknowledgements, as in Linux.
package struct CongestionWindow {
    /// The window and the slow-start threshold, in segments.
    package var window: Int
    package var threshold = Int.max
    /// Segments acknowledged since the window last grew by one.
    private var acknowledged = 0
    private let algorithm: CongestionControl
    private var cubic = CubicGrowth()
    private var hyStart: HyStart

    package init(algorithm: CongestionControl, initial: Int, usesHyStart: Bool) {
        self.algorithm = algorithm
        window = initial
        hyStart = HyStart(isEnabled: usesHyStart && algorithm == .cubic)
    }

    var isInSlowStart: Bool { window < threshold }

    /// Grows after `count` segments were delivered.
    package mutating func raise(by count: Int, smallestRoundTrip: Interval, at now: Instant) {
        var rest = count
        if isInSlowStart {
            let grown = min(window + rest, threshold)
            rest -= grown - window
            window = grown
            if rest == 0 { return }
        }
        switch algorithm {
        case .newReno:
            raiseLinearly(by: rest, every: window)
        case .cubic:
            let every = cubic.acknowledgementsPerSegment(
                window: window,
                acknowledged: rest,
                smallestRoundTrip: smallestRoundTrip,
                at: now
            )
            raiseLinearly(by: rest, every: every)
        case .bbr:
            break
        }
    }

    /// The threshold that a loss now leads to; CUBIC's epoch ends here.
    package mutating func thresholdAfterLoss() -> Int {
        switch algorithm {
        case .newReno:
            return max(window / 2, 2)
        case .cubic:
            cubic.endEpoch(window: window)
            return max(window * CubicGrowth.beta / CubicGrowth.scale, 2)
        case .bbr:
            return threshold
        }
    }

    /// A retransmission time-out: the whole history of growth is void.
    mutating func forgetAfterTimeout() {
        acknowledged = 0
        cubic = CubicGrowth()
        hyStart.restart()
    }

    mutating func beginReduction() { acknowledged = 0 }

    /// Growth does not count time without data in flight.
    mutating func resumeAfterIdle(of idle: Interval) { cubic.shiftEpoch(by: idle) }

    /// A round-trip sample; slow start may end here.
    mutating func sample(
        _ roundTrip: Interval,
        smallest: Interval,
        acknowledgedUpTo una: Int64,
        sentUpTo next: Int64,
        at now: Instant
    ) {
        // Samples right after a recovery still contain the queue of the time before it.
        if algorithm != .cubic || cubic.isRecent(at: now) { return }
        guard isInSlowStart, window >= HyStart.lowWindow else { return }
        if hyStart.shouldLeave(
            roundTrip: roundTrip,
            smallest: smallest,
            acknowledgedUpTo: una,
            sentUpTo: next,
            at: now
        ) {
            threshold = window
        }
    }

    private mutating func raiseLinearly(by count: Int, every: Int) {
        if acknowledged >= every {
            acknowledged = 0
            window += 1
        }
        acknowledged += count
        if acknowledged >= every {
            window += acknowledged / every
            acknowledged %= every
        }
    }
}

/// CUBIC's growth function with its TCP-friendly region (RFC 9438, sections 4.2–4.4) and fast
/// convergence (4.7).
struct CubicGrowth {
    /// β = 717/1024 ≈ 0.7.
    static let beta = 717
    static let scale = 1024
    /// C in segments per second cubed.
    private static let c = 0.4

    private var lastMaximum = 0
    private var epochStart: Instant?
    private var origin = 0
    private var timeToOrigin = 0.0
    /// What a Reno flow with the same β would have reached, and the acknowledgements towards more.
    private var friendlyWindow = 0
    private var friendlyCount = 0
    private var lastWindow = 0
    private var lastUpdate = Instant.zero
    private var perSegment = 2

    func isRecent(at now: Instant) -> Bool {
        guard let epochStart else { return false }
        return now - epochStart < .seconds(1)
    }

    mutating func shiftEpoch(by idle: Interval) {
        if let start = epochStart { epochStart = start + idle }
    }

    mutating func endEpoch(window: Int) {
        epochStart = nil
        lastMaximum =
            window < lastMaximum
            ? window * (CubicGrowth.scale + CubicGrowth.beta) / (2 * CubicGrowth.scale) : window
    }

    /// How many acknowledged segments make the window grow by one.
    mutating func acknowledgementsPerSegment(
        window: Int,
        acknowledged: Int,
        smallestRoundTrip: Interval,
        at now: Instant
    ) -> Int {
        friendlyCount += acknowledged
        // The curve is followed in steps of 1/32 s, except when the window has changed.
        if lastWindow == window, epochStart != nil, now - lastUpdate <= .microseconds(31_250) {
            return perSegment
        }
        lastWindow = window
        lastUpdate = now
        if epochStart == nil { beginEpoch(window: window, acknowledged: acknowledged, at: now) }
        let time = (now - epochStart! + smallestRoundTrip).seconds - timeToOrigin
        let target = origin + Int((CubicGrowth.c * time * time * time).rounded(.towardZero))
        var count = target > window ? window / (target - window) : 100 * window
        // The first growth after slow start has no plateau to aim for: at least 5 % a round trip.
        if lastMaximum == 0, count > 20 { count = 20 }
        perSegment = max(2, min(count, friendlyLimit(window: window)))
        return perSegment
    }

    private mutating func beginEpoch(window: Int, acknowledged: Int, at now: Instant) {
        epochStart = now
        friendlyCount = acknowledged
        friendlyWindow = window
        if lastMaximum <= window {
            timeToOrigin = 0
            origin = window
        } else {
            timeToOrigin = DeterministicMath.cbrt(Double(lastMaximum - window) / CubicGrowth.c)
            origin = lastMaximum
        }
    }

    /// Growth of at least a Reno flow's: one segment for each 15/8 windows acknowledged, which is
    /// 3(1−β)/(1+β) segments a round trip.
    private mutating func friendlyLimit(window: Int) -> Int {
        let step = max(1, window * 15 / 8)
        friendlyWindow += friendlyCount / step
        friendlyCount %= step
        return friendlyWindow > window ? window / (friendlyWindow - window) : .max
    }
}

/// Leaves slow start before the queue overflows: when a train of acknowledgements is as long as
/// half a round trip, or when delay has grown by an eighth (4–16 ms).
struct HyStart {
    static let lowWindow = 16
    private static let trainGap = Interval.milliseconds(2)
    private static let sampleLimit = 8

    private let isEnabled: Bool
    private var roundEnd: Int64 = 0
    private var roundStart = Instant.zero
    private var lastAcknowledgement = Instant.zero
    private var samples = 0
    private var smallestInRound = Interval(nanoseconds: .max)
    private var hasLeft = false

    init(isEnabled: Bool) { self.isEnabled = isEnabled }

    mutating func restart() {
        roundEnd = 0
        hasLeft = false
    }

    mutating func shouldLeave(
        roundTrip: Interval,
        smallest: Interval,
        acknowledgedUpTo una: Int64,
        sentUpTo next: Int64,
        at now: Instant
    ) -> Bool {
        guard isEnabled, !hasLeft else { return false }
        if una > roundEnd {
            roundEnd = next
            roundStart = now
            lastAcknowledgement = now
            samples = 0
            smallestInRound = Interval(nanoseconds: .max)
        }
        if now - lastAcknowledgement <= HyStart.trainGap {
            lastAcknowledgement = now
            let limit = (smallest + .milliseconds(1)) / 2
            if now - roundStart > limit { hasLeft = true }
        }
        smallestInRound = min(smallestInRound, roundTrip)
        if samples < HyStart.sampleLimit {
            samples += 1
        } else {
            let margin = min(max(smallest / 8, .milliseconds(4)), .milliseconds(16))
            if smallestInRound > smallest + margin { hasLeft = true }
        }
        return hasLeft
    }
}
