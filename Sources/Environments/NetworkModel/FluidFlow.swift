import LinkModel
import Machines
import Units

/// One direction of a connection on fluid links: bytes that move at a rate, under a window that TCP's
/// own rules move.
///
/// The flow sends `window / round trip`, as acknowledgements clock a packet sender; the round trip is
/// propagation and the queue in front of it. `CongestionWindow` is the very one of the packet mode, told
/// of deliveries and losses once a tick. Losses make holes in what the receiver may deliver in order;
/// each is sent again a round trip later.
///
/// Simplifications: what is sent again passes the queue of its own flow and is not lost again; there
/// are no time-outs but those of a path that carries nothing; acknowledgements are never lost.
struct FluidFlow {
    /// Bytes on their way together.
    struct Parcel: BitwiseCopyable {
        /// Stream offset after its last byte.
        var end: Int64
        var arrival: Instant
        var acknowledged: Instant
    }

    /// Bytes that a link lost.
    struct Hole: BitwiseCopyable {
        var start: Int64
        var length: Int64
        /// When the sender learns of it.
        var detection: Instant
        /// Bytes that were not sent again yet.
        var missing: Int64
        var isKnown = false
        /// When what was sent again arrives, and when the sender hears of that; `distantFuture` before.
        var arrival = Instant.distantFuture
        var acknowledged = Instant.distantFuture
    }

    static let segment: Int64 = 1448
    /// Wire bytes of a full segment.
    static let fullPacket: Int64 = 1514

    let connection: ConnectionID
    let side: ConnectionSide
    var congestion: CongestionWindow
    /// Propagation there and back, without queues.
    var roundTrip: Interval
    /// The way back of acknowledgements.
    var returnTime: Interval
    let pacing: BitRate?

    // Stream offsets.
    var written: Int64 = 0
    /// Entered the queue, left the queue, arrived (with holes), delivered, acknowledged in order.
    var sent: Int64 = 0
    var departed: Int64 = 0
    var received: Int64 = 0
    var delivered: Int64 = 0
    var acknowledged: Int64 = 0
    /// What the peer has granted.
    var limit: Int64
    var isFinishing = false
    /// When the news of the end can reach the peer, and whether it has.
    var finishArrival = Instant.distantFuture
    var hasFinished = false

    /// Opening → open → ended.
    enum Life: UInt8 {
        case opening
        case open
        /// Reset, timed out, crashed, or both sides are complete.
        case ended
    }

    /// The life of the side that sends here.
    var life = Life.opening
    /// When the side is told that it is open, or why it ended.
    var openDue = Instant.distantFuture
    var resetDue = Instant.distantFuture
    var resetReason = StreamResetReason.byPeer

    /// Payload in the link's queue, and what entered it in the tick at hand.
    var queued = 0.0
    var entering = 0.0
    /// Parts of a byte that departed.
    private var departing = 0.0
    /// Where the bytes that departed last begin.
    private var departureStart: Int64 = 0
    private var uncountedSent: Int64 = 0
    /// Payload sent again in the tick at hand.
    var repairing: Int64 = 0

    var parcels = Ring(
        filler: Parcel(end: 0, arrival: .zero, acknowledged: .zero),
        capacity: 32
    )
    /// The first parcel that has not arrived; those before wait for their acknowledgement.
    private var nextArrival = 0
    var holes: [Hole] = []

    /// A reduction lasts until then; losses meanwhile belong to it.
    var recoveryEnd: Instant?
    /// Bytes acknowledged and not yet counted as a segment.
    private var uncounted: Int64 = 0
    /// Whether the window, and not the application, held sending back.
    var isWindowLimited = false
    /// The way has been cut since.
    var blockedSince: Instant?
    /// Whether it takes part in its link's ticks.
    var isListed = false

    // The application's credit.
    var sendCapacity: Int
    var knownCredit = 0

    // Measuring.
    var statistics = ConnectionStatistics()
    private var sampleStart = Instant.zero
    private var sampleAcknowledged: Int64 = 0
    private var sampleSent: UInt64 = 0
    private var sampleRetransmitted: UInt64 = 0

    init(
        connection: ConnectionID,
        side: ConnectionSide,
        options: StreamOptions,
        parameters: TCPParameters,
        roundTrip: Interval,
        returnTime: Interval
    ) {
        self.connection = connection
        self.side = side
        self.roundTrip = roundTrip
        self.returnTime = returnTime
        pacing = options.pacing
        limit = Int64(options.receiveCredit)
        sendCapacity = parameters.smallestSendBuffer
        congestion = CongestionWindow(
            algorithm: options.congestionControl,
            initial: parameters.initialWindow,
            usesHyStart: parameters.usesHyStart
        )
    }

    /// Whether anything of this direction is still to happen.
    var isActive: Bool {
        if openDue != .distantFuture || resetDue != .distantFuture { return true }
        guard life == .open else { return false }
        return min(written, limit) > sent || queued > 0 || !parcels.isEmpty || !holes.isEmpty
            || (isFinishing && !hasFinished) || blockedSince != nil
    }

    /// Bytes sent of which the sender has heard nothing.
    var inFlight: Int64 { max(0, sent - heardOf) }

    /// What the sender has heard to have arrived, in order or not, or to be lost.
    private var heardOf: Int64 = 0

    // MARK: - One tick

    /// Fresh payload bytes that enter the queue in a tick of `length`; `repairing` goes before them.
    mutating func offer(_ length: Interval, queueDelay: Interval, at now: Instant) -> Double {
        repairing = 0
        guard life == .open, blockedSince == nil else { return 0 }
        let trip = max(1, (roundTrip + queueDelay).nanoseconds)
        let window = Double(Int64(congestion.window) * FluidFlow.segment)
        var share = window * Double(length.nanoseconds) / Double(trip)
        // Never more than the window in flight, a tick's worth of delay aside.
        share = max(0, min(share, window + share - Double(inFlight)))
        if let pacing {
            let paced = Double(pacing.bitsPerSecond) / 8 * length.seconds
            share = min(share, paced * Double(FluidFlow.segment) / Double(FluidFlow.fullPacket))
        }
        repair(upTo: Int64(share), after: queueDelay, at: now)
        let left = max(0, share - Double(repairing))
        let room = Double(max(0, min(written, limit) - sent))
        isWindowLimited = left <= room || repairing > 0
        return min(left, room).rounded(.up)
    }

    /// Sends holes again, oldest first.
    private mutating func repair(upTo share: Int64, after queueDelay: Interval, at now: Instant) {
        var left = share
        for index in holes.indices where holes[index].missing > 0 {
            guard left > 0, holes[index].detection <= now else { break }
            let part = min(left, holes[index].missing)
            left -= part
            holes[index].missing -= part
            repairing += part
            guard holes[index].missing == 0 else { break }
            holes[index].arrival = now + queueDelay + roundTrip - returnTime
            holes[index].acknowledged = holes[index].arrival + returnTime
        }
        guard repairing > 0 else { return }
        let segments = (repairing + FluidFlow.segment - 1) / FluidFlow.segment
        statistics.segmentsRetransmitted &+= UInt64(segments)
        statistics.segmentsSent &+= UInt64(segments)
    }

    /// Takes what left the queue; it is on its way from now on.
    mutating func depart(_ amount: Double, arrival: Instant) {
        departureStart = departed
        queued -= amount
        departing += amount
        // Less than half a byte is what rounding left.
        let isEmpty = queued < 0.5
        if isEmpty { queued = 0 }
        let end = isEmpty ? sent : min(sent, departed + Int64(departing.rounded(.down)))
        guard end > departed else { return }
        departing = isEmpty ? 0 : departing - Double(end - departed)
        uncountedSent += end - departed
        statistics.segmentsSent &+= UInt64(uncountedSent / FluidFlow.segment)
        uncountedSent %= FluidFlow.segment
        departed = end
        parcels.append(Parcel(end: end, arrival: arrival, acknowledged: arrival + returnTime))
    }

    /// `length` bytes of those that departed last are lost, in front of them what is not lost yet.
    mutating func lose(_ length: Int64, detection: Instant) {
        let start = max(departureStart, holes.last.map { $0.start + $0.length } ?? 0)
        let end = min(departed, start + length)
        guard end > start else { return }
        holes.append(
            Hole(start: start, length: end - start, detection: detection, missing: end - start)
        )
    }

    /// Parcels that have arrived; returns the end of what can be delivered in order.
    mutating func arrive(at now: Instant) -> Int64 {
        nextArrival = max(nextArrival, parcels.start)
        while nextArrival < parcels.end, parcels[nextArrival].arrival <= now {
            received = parcels[nextArrival].end
            nextArrival += 1
        }
        for hole in holes where hole.arrival > now { return min(received, hole.start) }
        return received
    }

    /// Acknowledgements and news of losses.
    mutating func hear(at now: Instant, queueDelay: Interval) {
        let trip = roundTrip + queueDelay
        var heard: Int64 = 0
        while let first = parcels.first, first.acknowledged <= now {
            heard += first.end - heardOf
            heardOf = first.end
            parcels.removeFirst()
        }
        noteLosses(at: now, roundTrip: trip)
        if let end = recoveryEnd, now >= end { recoveryEnd = nil }
        acknowledged = min(heardOf, holes.first?.start ?? heardOf)
        statistics.bytesAcknowledged = acknowledged
        guard heard > 0 else { return }
        noteRoundTrip(trip, at: now)
        uncounted += heard
        let segments = Int(uncounted / FluidFlow.segment)
        uncounted -= Int64(segments) * FluidFlow.segment
        guard recoveryEnd == nil, isWindowLimited, segments > 0 else { return }
        congestion.raise(by: segments, smallestRoundTrip: roundTrip, at: now)
    }

    private mutating func noteLosses(at now: Instant, roundTrip trip: Interval) {
        var closed = 0
        for index in holes.indices {
            if holes[index].acknowledged <= now, closed == index { closed += 1 }
            guard !holes[index].isKnown, holes[index].detection <= now else { continue }
            holes[index].isKnown = true
            if recoveryEnd == nil { reduce(at: now, roundTrip: trip) }
        }
        if closed > 0 { holes.removeFirst(closed) }
    }

    private mutating func reduce(at now: Instant, roundTrip trip: Interval) {
        congestion.beginReduction()
        congestion.threshold = congestion.thresholdAfterLoss()
        congestion.window = congestion.threshold
        recoveryEnd = now + trip
        statistics.recoveries += 1
    }

    private mutating func noteRoundTrip(_ trip: Interval, at now: Instant) {
        statistics.smoothedRoundTrip = trip
        statistics.roundTripSum += trip
        statistics.roundTripSamples += 1
        congestion.sample(
            trip,
            smallest: roundTrip,
            acknowledgedUpTo: heardOf,
            sentUpTo: sent,
            at: now
        )
    }

    /// The credit to tell, if it has grown by enough.
    mutating func freshCredit(_ parameters: TCPParameters) -> Int? {
        let wanted = 2 * congestion.window * parameters.maximumSegment
        sendCapacity = max(sendCapacity, min(wanted, parameters.largestSendBuffer))
        let free = sendCapacity - Int(written - acknowledged)
        guard !isFinishing, free - knownCredit >= min(sendCapacity / 4, 64 << 10) else {
            return nil
        }
        knownCredit = free
        return free
    }

    /// The way is free again after a pause: as after a time-out, the window starts small.
    mutating func resume() {
        blockedSince = nil
        recoveryEnd = nil
        congestion.threshold = congestion.thresholdAfterLoss()
        congestion.forgetAfterTimeout()
        congestion.window = 1
        statistics.timeouts += 1
    }

    /// A measurement of the path, once a round trip.
    mutating func pathSample(at now: Instant) -> PathSample? {
        let elapsed = now - sampleStart
        guard elapsed >= statistics.smoothedRoundTrip, acknowledged > sampleAcknowledged else {
            return nil
        }
        let bits = Double(acknowledged - sampleAcknowledged) * 8 / elapsed.seconds
        let sent = statistics.segmentsSent - sampleSent
        let again = statistics.segmentsRetransmitted - sampleRetransmitted
        sampleStart = now
        sampleAcknowledged = acknowledged
        sampleSent = statistics.segmentsSent
        sampleRetransmitted = statistics.segmentsRetransmitted
        return PathSample(
            rtt: statistics.smoothedRoundTrip,
            deliveryRate: BitRate(bitsPerSecond: max(1, Int64(bits))),
            loss: Ratio(sent == 0 ? 0 : min(1, Double(again) / Double(sent))),
            inFlight: ByteCount(inFlight)
        )
    }
}
