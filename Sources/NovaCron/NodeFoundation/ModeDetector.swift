public import Effects
public import Units

/// Tells the kind of network of one path from measurements of it.
///
/// It judges medians over the last measurements. A mode is left only when its wider thresholds are
/// crossed (hysteresis), in two measurements running, and not before its dwell has passed: noise at
/// a threshold does not make it flap. The thresholds are the plans' (datacenter: round trips below
/// 1 ms at more than 10 Gbit/s, or RDMA; internet: round trips above 50 ms, or loss; hybrid: what
/// is between); the plans have no hysteresis.
public struct ModeDetector: Sendable {
    /// `nil` until something has been measured.
    public private(set) var mode: NetworkMode?
    /// Why, with figures.
    public private(set) var reason = "not measured"
    /// How often the mode has changed, the first decision aside.
    public private(set) var changes = 0
    /// Changes back to the mode that had been left less than `flapWindow` before.
    public private(set) var flaps = 0
    public let thresholds: Thresholds
    public let dwell: Interval
    public let hasRDMA: Bool
    /// At most `window`.
    private var recent: [PathMeasurement] = []
    /// Packets sent and received; at most `lossWindow`.
    private var packets: [(sent: Int, received: Int)] = []
    private var since = Instant.zero
    private var left: (mode: NetworkMode, at: Instant)?
    private var candidate: NetworkMode?

    /// Measurements whose round trips and rates are judged together.
    public static let window = 5
    /// Measurements whose losses are judged together: rare events need more of them.
    public static let lossWindow = 12
    /// Measurements running that must speak for another mode.
    public static let confirmations = 2

    public struct Thresholds: Hashable, Sendable {
        /// Round trips of a datacenter are shorter; left at `datacenterLeaveRoundTrip`.
        public var datacenterRoundTrip = Interval.milliseconds(1)
        public var datacenterLeaveRoundTrip = Interval.microseconds(1_500)
        /// Rates of a datacenter are higher, unless there is RDMA.
        public var datacenterRate = BitRate.gigabits(10)
        public var datacenterLeaveRate = BitRate.gigabits(7)
        /// Round trips of the internet are longer.
        public var internetRoundTrip = Interval.milliseconds(50)
        public var internetLeaveRoundTrip = Interval.milliseconds(40)
        /// Losses of the internet are higher.
        public var internetLoss = Ratio.percent(1)
        public var internetLeaveLoss = Ratio.percent(0.25)
        /// Fewer lost packets are chance and no sign of loss.
        public var lostPackets = 3

        public init() {}
    }

    /// - Parameters:
    ///   - dwell: a mode stays at least this long.
    ///   - hasRDMA: whether this machine has RDMA devices.
    public init(thresholds: Thresholds = Thresholds(), dwell: Interval, hasRDMA: Bool) {
        precondition(dwell >= .zero, "a dwell of \(dwell)")
        self.thresholds = thresholds
        self.dwell = dwell
        self.hasRDMA = hasRDMA
    }

    /// A change back within this time is a flap.
    public var flapWindow: Interval { max(dwell * 10, .seconds(60)) }

    /// Takes a measurement. One from which nothing came back tells nothing about the kind of
    /// network and changes nothing.
    public mutating func observe(_ measurement: PathMeasurement, at now: Instant) {
        guard measurement.received > 0, !measurement.roundTrips.isEmpty else { return }
        recent.append(measurement)
        if recent.count > ModeDetector.window { recent.removeFirst() }
        packets.append((measurement.sent, measurement.received))
        if packets.count > ModeDetector.lossWindow { packets.removeFirst() }
        let figures = PathFigures(recent, packets)
        let judged = judgement(figures)
        guard let mode else {
            self.mode = judged
            since = now
            reason = figures.description
            return
        }
        guard judged != mode else {
            candidate = nil
            reason = figures.description
            return
        }
        let isConfirmed = candidate == judged
        candidate = judged
        guard isConfirmed, now - since >= dwell else { return }
        if let left, left.mode == judged, now - left.at < flapWindow { flaps += 1 }
        left = (mode, now)
        self.mode = judged
        since = now
        changes += 1
        candidate = nil
        reason = figures.description
    }

    /// The figures that are judged now; `nil` before the first measurement.
    public var figures: PathFigures? { recent.isEmpty ? nil : PathFigures(recent, packets) }

    /// With the thresholds for entering a mode, and those for leaving it for the mode that is on.
    private func judgement(_ figures: PathFigures) -> NetworkMode {
        let isInternet = mode == .internet
        let far =
            isInternet ? thresholds.internetLeaveRoundTrip : thresholds.internetRoundTrip
        if figures.roundTrip > far { return .internet }
        let isLossy =
            isInternet
            ? figures.loss > thresholds.internetLeaveLoss
            : figures.loss >= thresholds.internetLoss && figures.lost >= thresholds.lostPackets
        if isLossy { return .internet }
        let isDatacenter = mode == .datacenter
        let near =
            isDatacenter ? thresholds.datacenterLeaveRoundTrip : thresholds.datacenterRoundTrip
        let fast = isDatacenter ? thresholds.datacenterLeaveRate : thresholds.datacenterRate
        let isFast = hasRDMA || figures.rate.map { $0 > fast } ?? false
        return figures.roundTrip < near && isFast ? .datacenter : .hybrid
    }
}

/// What measurements of one path say together.
public struct PathFigures: Hashable, Sendable, CustomStringConvertible {
    /// The median.
    public var roundTrip: Interval
    /// Of the packets that were sent.
    public var loss: Ratio
    public var lost: Int
    /// The median of the measurements' rates; `nil` when none of them has one.
    public var rate: BitRate?

    /// Traps when no packet came back in any of them.
    init(_ measurements: [PathMeasurement], _ packets: [(sent: Int, received: Int)]) {
        let roundTrips = measurements.flatMap(\.roundTrips).sorted()
        precondition(!roundTrips.isEmpty, "figures of \(measurements.count) measurements")
        roundTrip = roundTrips[roundTrips.count / 2]
        let sent = packets.reduce(0) { $0 + $1.sent }
        lost = max(0, sent - packets.reduce(0) { $0 + $1.received })
        loss = Ratio(Double(lost) / Double(max(1, sent)))
        let rates = measurements.compactMap(\.rate).sorted()
        rate = rates.isEmpty ? nil : rates[rates.count / 2]
    }

    public var description: String {
        let tenths = Int64((loss.value * 1000).rounded())
        let share = "\(tenths / 10).\(tenths % 10) %"
        return "round trip \(roundTrip), loss \(share), rate "
            + (rate.map { "\($0)" } ?? "not measured")
    }
}
