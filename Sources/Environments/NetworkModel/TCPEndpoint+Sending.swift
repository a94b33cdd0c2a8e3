import Machines
import Units

extension TCPEndpoint {
    /// Sends what windows, pacing and data allow.
    mutating func sendPending(at now: Instant, into effects: inout EndpointEffects) {
        guard phase == .established, next < streamEnd else {
            return
        }
        if board.isEmpty {
            restartAfterIdle(at: now)
        }
        if measuresDelivery {
            sendPaced(at: now, into: &effects)
            return
        }
        var hasSent = false
        var isLimited = false
        while next < streamEnd {
            if board.inFlight >= congestion.window {
                isLimited = true
                break
            }
            let available = written - next
            var length = Int(min(Int64(parameters.maximumSegment), available))
            let room = peerLimit - next
            if available > 0, room < Int64(length) {
                // A short segment only when nothing is on its way (silly window avoidance).
                guard board.isEmpty, room > 0 else { break }
                length = Int(room)
            }
            if mustWaitForPace(length, at: now, into: &effects) { break }
            sendNew(length, at: now, into: &effects)
            hasSent = true
        }
        validateWindow(isLimited: isLimited, at: now)
        afterSending(hasSent, at: now, into: &effects)
    }

    mutating func afterSending(
        _ hasSent: Bool,
        at now: Instant,
        into effects: inout EndpointEffects
    ) {
        if hasSent {
            scheduleTailProbeOrTimeout(afterAcknowledgement: false, at: now, into: &effects)
        } else if board.isEmpty, next < streamEnd, !pacingTimer.isSet, !timer.isSet {
            // The peer's window is closed: probe it.
            progress = now
            setTimer(.windowProbe, after: retransmissionTimeout, at: now, into: &effects)
        }
    }

    @inline(__always)
    mutating func sendNew(
        _ length: Int,
        at now: Instant,
        into effects: inout EndpointEffects
    ) {
        let isFin = length == 0
        var packet = makePacket(at: now)
        packet.offset = next
        packet.length = UInt16(length)
        if isFin { packet.flags.insert(.fin) }
        if parameters.usesCongestionNotification, !isFin {
            // What is sent again carries no mark (RFC 3168, section 6.1.5).
            packet.congestion.insert(.capable)
            if announcesReduction { packet.congestion.insert(.reduced) }
            announcesReduction = false
        }
        if board.isEmpty {
            progress = now
            setTimer(.timeout, after: retransmissionTimeout, at: now, into: &effects)
        }
        let mark =
            measuresDelivery
            ? delivery.mark(isFirst: board.isEmpty, at: now) : DeliveryRate.Mark()
        board.append(
            start: next,
            length: isFin ? 1 : length,
            isFin: isFin,
            mark: mark,
            at: now
        )
        next += isFin ? 1 : Int64(length)
        lastSent = now
        statistics.segmentsSent += 1
        if isInReduction { reductionSent += 1 }
        effects.packets.append(packet)
    }

    /// Sends the segments deemed lost again, as far as the window allows.
    mutating func retransmitLost(at now: Instant, into effects: inout EndpointEffects) {
        while board.inFlight < congestion.window, let number = board.nextLost() {
            if mustWaitForPace(Int(board[number].length), at: now, into: &effects) { break }
            retransmit(number, at: now, into: &effects)
            if isInReduction { reductionSent += 1 }
            if number == board.firstNumber, timerPurpose != .reordering || !timer.isSet {
                setTimer(.timeout, after: retransmissionTimeout, at: now, into: &effects)
            }
        }
    }

    mutating func retransmit(
        _ number: Int,
        at now: Instant,
        into effects: inout EndpointEffects
    ) {
        let segment = board[number]
        var packet = makePacket(at: now)
        packet.offset = segment.start
        if segment.flags.contains(.fin) {
            packet.flags.insert(.fin)
        } else {
            packet.length = segment.length
        }
        let mark =
            measuresDelivery ? delivery.mark(isFirst: false, at: now) : DeliveryRate.Mark()
        board.markRetransmitted(number, mark: mark, at: now)
        if measuresDelivery { advancePace(by: Int(segment.length), at: now) }
        if firstRetransmission == 0 { firstRetransmission = packet.timestamp }
        lastSent = now
        statistics.segmentsSent += 1
        statistics.segmentsRetransmitted += 1
        effects.packets.append(packet)
    }

    /// After a pause longer than a time-out the window shrinks (RFC 2861, `tcp_cwnd_restart`), and
    /// CUBIC's clock stands still.
    private mutating func restartAfterIdle(at now: Instant) {
        guard statistics.segmentsSent > 0 else {
            beginSample(at: now)
            return
        }
        if measuresDelivery {
            bbr?.resume(delivery, window: &congestion.window, at: now)
            if now - lastSent > roundTrip.timeout(parameters) { beginSample(at: now) }
            return
        }
        let idle = now - lastSent
        if idle > .zero { congestion.resumeAfterIdle(of: idle) }
        var excess = idle - roundTrip.timeout(parameters)
        guard excess > .zero else { return }
        beginSample(at: now)
        let floor = min(parameters.initialWindow, congestion.window)
        congestion.threshold = currentThreshold
        while excess > .zero, congestion.window > floor {
            congestion.window >>= 1
            excess = excess - roundTrip.timeout(parameters)
        }
        congestion.window = max(congestion.window, floor)
    }

    /// `tcp_current_ssthresh`.
    var currentThreshold: Int {
        isInReduction
            ? congestion.threshold : max(congestion.threshold, congestion.window * 3 / 4)
    }

    /// Remembers whether the window was what held sending back (`tcp_cwnd_validate`).
    private mutating func validateWindow(isLimited: Bool, at now: Instant) {
        if una >= usageEnd || isLimited || (!isWindowLimited && board.packetsOut > mostPacketsOut) {
            isWindowLimited = isLimited
            mostPacketsOut = board.packetsOut
            usageEnd = next
        }
    }

    /// Whether growing the window makes sense (`tcp_is_cwnd_limited`).
    var usesItsWindow: Bool {
        isWindowLimited || (congestion.isInSlowStart && congestion.window < 2 * mostPacketsOut)
    }

    private mutating func mustWaitForPace(
        _ length: Int,
        at now: Instant,
        into effects: inout EndpointEffects
    ) -> Bool {
        if measuresDelivery { return mustWaitForPace(at: now, into: &effects) }
        guard let pacing else { return false }
        if mustWaitForPace(at: now, into: &effects) { return true }
        nextPaced = now + pacing.serializationTime(of: ByteCount(length + 66))
        return false
    }

    /// `tcp_schedule_loss_probe`, else `tcp_rearm_rto`.
    mutating func scheduleTailProbeOrTimeout(
        afterAcknowledgement: Bool,
        at now: Instant,
        into effects: inout EndpointEffects
    ) {
        guard !board.isEmpty else {
            timer.clear()
            return
        }
        guard recovery == .open || recovery == .reduced else {
            if afterAcknowledgement {
                let isOther = timerPurpose == .reordering || timerPurpose == .tailProbe
                rearmTimeout(
                    countingElapsed: timer.isSet && isOther,
                    at: now,
                    into: &effects
                )
            }
            return
        }
        var wait = parameters.initialTimeout
        if roundTrip.samples > 0 {
            wait = roundTrip.smoothed * 2
            wait += board.packetsOut == 1 ? parameters.smallestTimeout : .milliseconds(2)
        }
        let untilTimeout =
            afterAcknowledgement
            ? retransmissionTimeout : board.first.sentAt + retransmissionTimeout - now
        if untilTimeout > .zero { wait = min(wait, untilTimeout) }
        setTimer(.tailProbe, after: wait, at: now, into: &effects)
    }

    /// Restarts the time-out, from now or, where the timer served another purpose meanwhile, from
    /// when the first segment was sent (`tcp_rearm_rto`).
    mutating func rearmTimeout(
        countingElapsed: Bool,
        at now: Instant,
        into effects: inout EndpointEffects
    ) {
        guard !board.isEmpty else {
            timer.clear()
            return
        }
        var wait = retransmissionTimeout
        if countingElapsed {
            wait = max(board.first.sentAt + wait - now, .microseconds(1))
        }
        setTimer(.timeout, after: wait, at: now, into: &effects)
    }

    func pathSample(at now: Instant) -> PathSample {
        let elapsed = max(1, (now - sampleStart).nanoseconds)
        let acknowledged = UInt64(max(0, una - sampleAcknowledged))
        let (high, low) = acknowledged.multipliedFullWidth(by: 8_000_000_000)
        let rate =
            UInt64(elapsed) > high ? UInt64(elapsed).dividingFullWidth((high, low)).quotient : 0
        let sent = statistics.segmentsSent - sampleSent
        let again = statistics.segmentsRetransmitted - sampleRetransmitted
        return PathSample(
            rtt: roundTrip.smoothed,
            deliveryRate: BitRate(bitsPerSecond: Int64(clamping: rate)),
            loss: sent == 0 ? .zero : Ratio(Double(again) / Double(sent)),
            inFlight: ByteCount(max(0, next - una))
        )
    }

    mutating func beginSample(at now: Instant) {
        sampleStart = now
        sampleAcknowledged = una
        sampleSent = statistics.segmentsSent
        sampleRetransmitted = statistics.segmentsRetransmitted
    }
}
