package import Machines
package import Units

/// One side of a connection: a value-type TCP, modelled after Linux 6.x.
///
/// Sources: RFC 9293 (states, windows), 5681 (slow start, delayed acknowledgements), 6298
/// (time-outs), 2018 and 6675 (selective acknowledgements, pipe), 6937 (proportional rate
/// reduction), 8985 (RACK-TLP), 3522 (Eifel detection); where they leave room, Linux's
/// `tcp_input.c`, `tcp_output.c`, `tcp_recovery.c`.
///
/// Deviations: no Nagle delay (streams ask for none), no segmentation offload but BBR's, no ECN, no
/// F-RTO, no D-SACK undo (time-stamps detect spurious recoveries instead); keep-alive is on.
///
/// Sequence numbers are stream offsets; a FIN takes the offset after the last byte.
package struct TCPEndpoint {
    package enum Phase: UInt8 {
        /// Not in use, or an acceptor before the first SYN → `synReceived`.
        case idle
        /// Opener, SYN sent → `established` or `ended`.
        case synSent
        /// Acceptor, SYN-ACK sent → `established` or `ended`.
        case synReceived
        /// Both directions may carry data → `closed` or `ended`.
        case established
        /// Both directions are complete; late packets are acknowledged.
        case closed
        /// Reset, timed out or crashed; packets are answered by resets.
        case ended
    }

    /// Linux's `icsk_ca_state`.
    package enum Recovery: UInt8 {
        /// Nothing unusual.
        case open
        /// Segments are missing, none is deemed lost yet.
        case disorder
        /// A queue marked a packet: the window shrinks until more than `recoveryPoint` is
        /// acknowledged. Linux's CWR.
        case reduced
        /// Fast recovery until `recoveryPoint` is acknowledged.
        case recovery
        /// After a time-out, until `recoveryPoint` is acknowledged.
        case loss

        /// Whether losses hold the window down.
        var isCutting: Bool { self == .recovery || self == .loss }
    }

    /// What the retransmission timer stands for at the moment.
    enum TimerPurpose: UInt8 {
        case handshake
        case timeout
        case tailProbe
        case reordering
        case windowProbe
    }

    let connection: ConnectionID
    let side: ConnectionSide
    let parameters: TCPParameters
    package var phase = Phase.idle
    var isRefusing = false

    // Sending.
    /// First unacknowledged offset, next to send, and bytes written by the application.
    package var una: Int64 = 0
    package var next: Int64 = 0
    package var written: Int64 = 0
    var isFinishing = false
    /// The offset up to which the peer takes data.
    var peerLimit: Int64 = 0
    var board = Scoreboard()
    package var congestion: CongestionWindow
    var roundTrip = RoundTripEstimator()
    package var recovery = Recovery.open
    var recoveryPoint: Int64 = 0
    var lastSent = Instant.zero

    // Proportional rate reduction.
    var windowBeforeReduction = 0
    var reductionDelivered = 0
    var reductionSent = 0

    // Undoing a spurious reduction.
    var undoWindow = 0
    var undoThreshold = 0
    var canUndo = false
    /// Timestamp of the first retransmission of the episode; zero without one.
    var firstRetransmission: UInt32 = 0

    // RACK-TLP.
    /// The latest transmission known to be delivered.
    var rackSerial = UInt32.max
    var rackRoundTrip = Interval.zero
    var rackAdvanced = false
    /// The latest-sent segment that the packet at hand delivered.
    var rackCandidate: Scoreboard.Segment?
    var highestSacked: Int64 = 0
    var reorderingSeen = false
    /// What was sent when the tail probe left; negative without one.
    var tailProbeEnd: Int64 = -1
    var tailProbeWasRetransmission = false
    /// Selective acknowledgements of the packet before, as offsets.
    var knownBlocks = KnownBlocks()

    // Timers.
    var timer = LazyTimer()
    var timerPurpose = TimerPurpose.timeout
    var backoff = 0
    /// When the peer last moved us forward, or when we began to wait for it.
    var progress = Instant.zero

    var keepAliveTimer = LazyTimer()
    /// When any packet of the peer arrived last.
    var lastHeard = Instant.zero

    // Congestion window validation (RFC 7661, as in Linux).
    var isWindowLimited = false
    var mostPacketsOut = 0
    var usageEnd: Int64 = 0

    // BBR, from the moment the side is established, and what it measures.
    package var bbr: BBR?
    package var delivery = DeliveryRate()
    let measuresDelivery: Bool
    let randomness: Randomness

    // Pacing, at a fixed rate or as BBR says.
    var pacing: BitRate?
    var pacingTimer = LazyTimer()
    var nextPaced = Instant.zero

    // The application's credit.
    var sendCapacity: Int
    /// Credit the application knows of and has not used.
    var knownCredit = 0

    // Receiving.
    package var receiveNext: Int64 = 0
    var receiveLimit: Int64
    /// A window update is worth a packet from here on.
    let smallestWindowUpdate: Int64
    var advertisedLimit: Int64 = 0
    var lastAcknowledged: Int64 = 0
    var ranges = ReceivedRanges()
    /// Offset of the peer's FIN; negative while unknown.
    var peerEnd: Int64 = -1
    var quickAcknowledgements = 0
    /// Acknowledgements for the same offset, and how many of them are held back.
    var repeatedOffset: Int64 = -1
    var repeats = 0
    var compressedAcknowledgements = 0
    var lastReceived: Instant?
    var recentTimestamp: UInt32 = 0
    var delayedTimer = LazyTimer()

    // Explicit congestion notification.
    /// As a receiver: a mark arrived, and the sender has not yet said that it reacted.
    var echoesCongestion = false
    /// As a sender: the next new segment says that the window was reduced.
    var announcesReduction = false

    // Measuring.
    package var statistics = ConnectionStatistics()
    var sampleStart = Instant.zero
    var sampleAcknowledged: Int64 = 0
    var sampleSent: UInt64 = 0
    var sampleRetransmitted: UInt64 = 0

    package init(
        connection: ConnectionID,
        side: ConnectionSide,
        options: StreamOptions,
        parameters: TCPParameters,
        randomness: Randomness = Randomness()
    ) {
        self.connection = connection
        self.side = side
        self.parameters = parameters
        self.randomness = randomness
        measuresDelivery = options.congestionControl == .bbr
        pacing = options.pacing
        receiveLimit = Int64(options.receiveCredit)
        smallestWindowUpdate = Int64(
            max(1, min(parameters.maximumSegment, options.receiveCredit))
        )
        sendCapacity = parameters.smallestSendBuffer
        congestion = CongestionWindow(
            algorithm: options.congestionControl,
            initial: parameters.initialWindow,
            usesHyStart: parameters.usesHyStart
        )
    }

    /// Everything to be sent: the bytes written, and one for a FIN.
    var streamEnd: Int64 { written + (isFinishing ? 1 : 0) }

    var isInReduction: Bool { recovery == .recovery || recovery == .reduced }

    /// Whether the application may still use this side.
    var isAlive: Bool { phase != .idle && phase != .closed && phase != .ended }

    // MARK: - What the application asks

    package mutating func open(at now: Instant, into effects: inout EndpointEffects) {
        phase = .synSent
        progress = now
        sendControl([.syn], at: now, into: &effects)
        setTimer(.handshake, after: parameters.initialTimeout, at: now, into: &effects)
    }

    package mutating func write(_ count: Int, at now: Instant, into effects: inout EndpointEffects)
    {
        precondition(
            count <= knownCredit && !isFinishing,
            "\(count) bytes written with a credit of \(knownCredit), finishing: \(isFinishing)"
        )
        knownCredit -= count
        if measuresDelivery { noteApplicationLimit() }
        written += Int64(count)
        sendPending(at: now, into: &effects)
    }

    package mutating func grant(_ count: Int, at now: Instant, into effects: inout EndpointEffects)
    {
        guard isAlive, count > 0 else { return }
        let left = advertisedLimit - receiveNext
        receiveLimit += Int64(count)
        guard phase == .established, peerEnd < 0 || receiveNext <= peerEnd else { return }
        // As Linux, tell the peer only when the window has at least doubled.
        let available = receiveLimit - receiveNext
        if available >= 2 * left, available >= smallestWindowUpdate {
            sendAcknowledgement(at: now, into: &effects)
        }
    }

    package mutating func finish(at now: Instant, into effects: inout EndpointEffects) {
        guard phase == .established || phase == .synSent || phase == .synReceived else { return }
        isFinishing = true
        if phase == .established { sendPending(at: now, into: &effects) }
    }

    /// Ends this side and tells the peer.
    package mutating func abort(
        refusing: Bool,
        at now: Instant,
        into effects: inout EndpointEffects
    ) {
        guard isAlive else { return }
        end(into: &effects)
        isRefusing = refusing
        sendControl(refusing ? [.reset, .refused] : [.reset], at: now, into: &effects)
    }

    /// Ends this side without a word.
    mutating func end(into effects: inout EndpointEffects) {
        phase = .ended
        effects.mayBeOver = true
        timer.clear()
        delayedTimer.clear()
        pacingTimer.clear()
        keepAliveTimer.clear()
    }

    /// The process dies: loudly with a reset, or without a word. An acceptor that has not yet heard
    /// of the connection only refuses it if it hears of it while nobody listens.
    mutating func crash(silently: Bool, at now: Instant, into effects: inout EndpointEffects) {
        guard phase != .idle, phase != .ended else { return }
        let wasAlive = isAlive
        end(into: &effects)
        isRefusing = true
        if wasAlive, !silently {
            sendControl([.reset, .refused], at: now, into: &effects)
        }
    }

    /// Nobody listens here.
    mutating func refuse(into effects: inout EndpointEffects) {
        end(into: &effects)
        isRefusing = true
    }

    /// Whether writes still lead anywhere; they trap on a side that is not open yet.
    var takesWrites: Bool { isAlive }

    /// Whether nothing more can come from this side by itself. An idle acceptor is over as soon as
    /// its opener is: only the opener's packets could wake it.
    var isOver: Bool { phase == .closed || phase == .ended || phase == .idle }

    /// Gives back the memory of a finished connection.
    mutating func forget() {
        board = Scoreboard()
        ranges = ReceivedRanges()
        phase = .ended
    }

    /// A timer event arrived; most find nothing due.
    package mutating func wake(
        _ timer: ConnectionTimer,
        at now: Instant,
        into effects: inout EndpointEffects
    ) {
        guard isAlive else { return }
        switch timer {
        case .retransmission:
            switch self.timer.wake(at: now) {
            case .nothing: break
            case .due: fireTimer(at: now, into: &effects)
            case .scheduleAgain: effects.retransmissionWake = self.timer.deadline
            }
        case .delayedAcknowledgement:
            switch delayedTimer.wake(at: now) {
            case .nothing: break
            case .due: sendAcknowledgement(at: now, into: &effects)
            case .scheduleAgain: effects.acknowledgementWake = delayedTimer.deadline
            }
        case .pacing:
            switch pacingTimer.wake(at: now) {
            case .nothing: break
            case .due: firePacing(at: now, into: &effects)
            case .scheduleAgain: effects.pacingWake = pacingTimer.deadline
            }
        case .keepAlive:
            switch keepAliveTimer.wake(at: now) {
            case .nothing: break
            case .due: fireKeepAlive(at: now, into: &effects)
            case .scheduleAgain: effects.keepAliveWake = keepAliveTimer.deadline
            }
        }
    }

    // MARK: - Packets

    /// A packet with this side's acknowledgement, window and time.
    @inline(__always)
    mutating func makePacket(at now: Instant) -> Packet {
        var packet = Packet()
        packet.slot = connection.slot
        packet.generation = connection.generation
        packet.side = side.rawValue
        packet.timestamp = TCPEndpoint.timestamp(now)
        packet.echo = recentTimestamp
        packet.acknowledgement = receiveNext
        packet.window = UInt32(clamping: max(0, receiveLimit - receiveNext))
        packet.flags = [.acknowledges]
        if echoesCongestion { packet.congestion.insert(.echo) }
        advertisedLimit = max(advertisedLimit, receiveLimit)
        lastAcknowledged = receiveNext
        delayedTimer.clear()
        compressedAcknowledgements = 0
        return packet
    }

    /// A packet outside the byte stream.
    mutating func sendControl(
        _ flags: Packet.Flags,
        at now: Instant,
        into effects: inout EndpointEffects
    ) {
        var packet = makePacket(at: now)
        packet.flags = phase == .synSent ? flags : flags.union(.acknowledges)
        packet.offset = next
        effects.packets.append(packet)
    }

    mutating func sendAcknowledgement(at now: Instant, into effects: inout EndpointEffects) {
        var packet = makePacket(at: now)
        packet.offset = next
        if !ranges.isEmpty { packet.sack = ranges.blocks(after: receiveNext) }
        if quickAcknowledgements > 0 { quickAcknowledgements -= 1 }
        effects.packets.append(packet)
    }

    /// Microseconds, wrapping after 71 minutes; zero means "none".
    static func timestamp(_ now: Instant) -> UInt32 {
        let value = UInt32(truncatingIfNeeded: now.nanoseconds / 1000)
        return value == 0 ? 1 : value
    }

    // MARK: - Timers

    @inline(__always)
    mutating func setTimer(
        _ purpose: TimerPurpose,
        after interval: Interval,
        at now: Instant,
        into effects: inout EndpointEffects
    ) {
        timerPurpose = purpose
        // Never later than the moment at which this side gives up.
        let deadline = min(now + interval, max(now, progress + parameters.patience))
        if timer.set(deadline) { effects.retransmissionWake = deadline }
    }

    var retransmissionTimeout: Interval {
        let base = roundTrip.timeout(parameters).nanoseconds
        let (shifted, overflow) = base.multipliedReportingOverflow(by: 1 << Int64(min(backoff, 20)))
        return overflow
            ? parameters.largestTimeout
            : min(Interval(nanoseconds: shifted), parameters.largestTimeout)
    }
}
