package import Determinism
package import Units

/// BBR version 1: a window and a pace from a model of the path, its largest recent delivery rate and
/// smallest recent round trip.
///
/// Sources: Cardwell et al., "BBR: Congestion-Based Congestion Control", ACM Queue 14(5), 2016;
/// draft-cardwell-iccrg-bbr-congestion-control-00; and, where they differ, Linux 6.18's
/// `tcp_bbr.c`, whose constants and integer arithmetic these are: rates in packets per microsecond
/// times 2²⁴, gains in 1/256.
///
/// Deviation: times are exact where Linux rounds two of them to jiffies. Explicit congestion
/// notification has no effect, as there.
package struct BBR {
    package enum Mode: UInt8 {
        /// Rate grows by 2/ln 2 a round until the pipe is full → `drain`.
        case startup
        /// The queue that startup made empties → `probeBandwidth`.
        case drain
        /// Pace around the estimate, in a cycle of eight phases → `probeRoundTrip`.
        case probeBandwidth
        /// Four packets in flight for 200 ms and a round → `probeBandwidth`, or `startup`.
        case probeRoundTrip
    }

    static let rateUnit = 1 << 24
    static let unit = 256
    /// 2/ln 2, and its inverse.
    static let highGain = unit * 2885 / 1000 + 1
    static let drainGain = unit * 1000 / 2885
    static let windowGain = unit * 2
    /// Rounds over which the largest rate counts: a cycle and two.
    static let bandwidthWindow: Int64 = 10
    static let smallestWindow = 4
    static let roundTripWindow = Interval.seconds(10)
    static let probeDuration = Interval.milliseconds(200)
    /// Pace below the estimate, so that queues drain.
    private static let marginPercent = 1
    /// Below this pace, in bytes a second, segments leave one by one.
    private static let slowPace = 1_200_000 / 8
    private static let largestBurst = 65_535
    private static let extraLimit = 100_000
    static let initialWindow = 10

    // The model.
    package internal(set) var mode = Mode.startup
    var bandwidthFilter = WindowedMaximum()
    package internal(set) var smallestRoundTrip: Interval?
    var smallestRoundTripAt = Instant.zero
    package internal(set) var rounds: Int64 = 0
    var nextRoundDelivered: Int64
    var isRoundStart = false
    package internal(set) var pacingGain = BBR.highGain
    var windowGain = BBR.highGain
    package internal(set) var phase = 0
    var phaseStart = Instant.zero
    var probeEnd: Instant?
    var probeRoundDone = false
    var isRestartingFromIdle = false
    var random: SeededRandom

    // Whether startup has filled the pipe.
    var fullBandwidth = 0
    var fullBandwidthRounds = 0
    package internal(set) var isPipeFull = false

    // Recovery.
    var lastRecovery = TCPEndpoint.Recovery.open
    var conservesPackets = false
    var savedWindow = 0

    // Policers.
    var policer = PolicerDetector()

    // Acknowledgements that come in lumps.
    var epochStart: Instant
    var epochDelivered = 0
    var extra = (0, 0)
    var extraIndex = 0
    var extraRounds = 0

    // The pace.
    let segment: Int
    private let largestPace: Int
    private var hasSeenRoundTrip = false
    /// Payload bytes a second.
    package private(set) var pace = 0

    /// - Parameters:
    ///   - largestPace: what the application allows, in payload bytes a second.
    ///   - random: decides in which phase of the cycle probing begins.
    package init(
        segment: Int,
        largestPace: Int,
        window: Int,
        roundTrip: Interval?,
        delivered: Int64,
        random: SeededRandom,
        at now: Instant
    ) {
        self.segment = segment
        self.largestPace = largestPace
        self.random = random
        nextRoundDelivered = delivered
        smallestRoundTrip = roundTrip
        smallestRoundTripAt = now
        epochStart = now
        startPace(window: window, roundTrip: roundTrip)
    }

    // MARK: - Estimates

    package var largestBandwidth: Int { bandwidthFilter.value }

    /// The estimated rate of the path, in packets per microsecond times 2²⁴.
    package var bandwidth: Int { policer.rate ?? largestBandwidth }

    /// Packets in flight for the rate, the smallest round trip and a gain (`bbr_bdp`).
    func product(_ rate: Int, gain: Int) -> Int {
        guard let smallestRoundTrip else { return BBR.initialWindow }
        let packets = rate * smallestRoundTrip.wholeMicroseconds
        return ((packets * gain) / BBR.unit + BBR.rateUnit - 1) / BBR.rateUnit
    }

    /// Adds room for bursts in both hosts (`bbr_quantization_budget`).
    func budget(_ window: Int) -> Int {
        var result = window + 3 * segmentsAtOnce
        result = (result + 1) & ~1
        if mode == .probeBandwidth, phase == 0 { result += 2 }
        return result
    }

    func inFlightTarget(gain: Int) -> Int { budget(product(largestBandwidth, gain: gain)) }

    /// What will be in the network when the next segment may leave (`bbr_packets_in_net_at_edt`).
    func inNetwork(_ inFlight: Int, nextDeparture: Instant, at now: Instant) -> Int {
        let wait = max(nextDeparture - now, .zero).wholeMicroseconds
        let leaving = bandwidth * wait / BBR.rateUnit
        let entering = pacingGain > BBR.unit ? inFlight + segmentsAtOnce : inFlight
        return max(0, entering - leaving)
    }

    // MARK: - Pace

    /// Segments that leave together: a millisecond's worth (`bbr_tso_segs`).
    package var segmentsAtOnce: Int {
        let bytes = min(pace >> 10, BBR.largestBurst)
        return max(bytes / segment, pace < BBR.slowPace ? 1 : 2)
    }

    private func pace(for rate: Int, gain: Int) -> Int {
        let perSecond = 1_000_000 / 100 * (100 - BBR.marginPercent)
        return min(rate * segment * gain / BBR.unit * perSecond / BBR.rateUnit, largestPace)
    }

    private mutating func startPace(window: Int, roundTrip: Interval?) {
        if roundTrip != nil { hasSeenRoundTrip = true }
        let microseconds = roundTrip.map { max(1, $0.wholeMicroseconds) } ?? 1000
        pace = pace(for: window * BBR.rateUnit / microseconds, gain: BBR.highGain)
    }

    mutating func setPace(gain: Int, window: Int, smoothedRoundTrip: Interval?) {
        let wanted = pace(for: bandwidth, gain: gain)
        if !hasSeenRoundTrip, let smoothedRoundTrip {
            startPace(window: window, roundTrip: smoothedRoundTrip)
        }
        if isPipeFull || wanted > pace { pace = wanted }
    }

    // MARK: - Window

    /// Remembers the window before a loss or a probe takes it away (`bbr_save_cwnd`).
    package mutating func save(window: Int) {
        let isReduced = lastRecovery.isCutting || mode == .probeRoundTrip
        savedWindow = isReduced ? max(savedWindow, window) : window
    }

    /// A recovery turned out to be spurious (`bbr_undo_cwnd`).
    package mutating func undo(_ tracker: DeliveryRate, lost: Int64) {
        fullBandwidth = 0
        fullBandwidthRounds = 0
        policer.reset(tracker, lost: lost)
    }

    func windowForLumps() -> Int {
        guard isPipeFull else { return 0 }
        return min(max(extra.0, extra.1), bandwidth * BBR.extraLimit / BBR.rateUnit)
    }

    /// The window after an acknowledgement (`bbr_set_cwnd`).
    mutating func window(_ old: Int, _ sample: RateSample, _ path: Path, delivered: Int64) -> Int {
        var window = old
        if sample.newlyDelivered > 0 {
            window = afterLosses(old, sample, path, delivered: delivered)
            if conservesPackets {
                window = max(window, path.inFlight + sample.newlyDelivered)
            } else {
                let target = budget(product(bandwidth, gain: windowGain) + windowForLumps())
                if isPipeFull {
                    window = min(window + sample.newlyDelivered, target)
                } else if window < target || delivered < Int64(BBR.initialWindow) {
                    window += sample.newlyDelivered
                }
                window = max(window, BBR.smallestWindow)
            }
        }
        return mode == .probeRoundTrip ? min(window, BBR.smallestWindow) : window
    }

    /// In the first round of a recovery as much is sent as is delivered; at its end the window from
    /// before comes back (`bbr_set_cwnd_to_recover_or_restore`).
    private mutating func afterLosses(
        _ old: Int,
        _ sample: RateSample,
        _ path: Path,
        delivered: Int64
    ) -> Int {
        var window = sample.losses > 0 ? max(1, old - sample.losses) : old
        if path.recovery == .recovery, lastRecovery != .recovery {
            conservesPackets = true
            nextRoundDelivered = delivered
            window = path.inFlight + sample.newlyDelivered
        } else if lastRecovery.isCutting, !path.recovery.isCutting {
            window = max(window, savedWindow)
            conservesPackets = false
        }
        lastRecovery = path.recovery
        return window
    }
}

extension BBR {
    /// What the sender knows besides the sample.
    package struct Path {
        /// In flight after the acknowledgement, and segments deemed lost in all.
        package var inFlight: Int
        package var lost: Int64
        package var recovery: TCPEndpoint.Recovery
        /// When the pace allows the next segment.
        package var nextDeparture: Instant
        package var smoothedRoundTrip: Interval?

        package init(
            inFlight: Int,
            lost: Int64,
            recovery: TCPEndpoint.Recovery,
            nextDeparture: Instant,
            smoothedRoundTrip: Interval?
        ) {
            self.inFlight = inFlight
            self.lost = lost
            self.recovery = recovery
            self.nextDeparture = nextDeparture
            self.smoothedRoundTrip = smoothedRoundTrip
        }
    }
}

extension Interval {
    var wholeMicroseconds: Int { Int(nanoseconds / 1000) }
}
