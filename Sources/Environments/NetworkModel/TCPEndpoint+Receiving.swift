import Machines
package import Units

extension TCPEndpoint {
    /// Takes one packet of the connection. The network answers for sides that have ended.
    package mutating func receive(
        _ packet: Packet,
        at now: Instant,
        into effects: inout EndpointEffects
    ) {
        if packet.flags.contains(.reset) {
            receiveReset(packet, into: &effects)
            return
        }
        lastHeard = now
        switch phase {
        case .idle:
            guard packet.flags.contains(.syn) else { return }
            phase = .synReceived
            progress = now
            takeWindow(packet)
            recentTimestamp = packet.timestamp
            sendControl([.syn], at: now, into: &effects)
            setTimer(.handshake, after: parameters.initialTimeout, at: now, into: &effects)
        case .synSent:
            guard packet.flags.isSuperset(of: [.syn, .acknowledges]) else { return }
            recentTimestamp = packet.timestamp
            establish(packet, at: now, into: &effects)
            sendAcknowledgement(at: now, into: &effects)
            sendPending(at: now, into: &effects)
        case .synReceived:
            if packet.flags.contains(.syn) {
                recentTimestamp = packet.timestamp
                sendControl([.syn], at: now, into: &effects)
                return
            }
            establish(packet, at: now, into: &effects)
            receiveEstablished(packet, at: now, into: &effects)
        case .established:
            if packet.flags.contains(.syn) {
                // Our acknowledgement of the handshake was lost.
                if side == .opener { sendAcknowledgement(at: now, into: &effects) }
                return
            }
            receiveEstablished(packet, at: now, into: &effects)
        case .closed:
            if packet.sequenceLength > 0 || packet.flags.contains(.probe) {
                sendAcknowledgement(at: now, into: &effects)
            }
        case .ended:
            return
        }
    }

    private mutating func receiveReset(_ packet: Packet, into effects: inout EndpointEffects) {
        guard isAlive else { return }
        // An acceptor that is not established was never shown to the application.
        let wasOpen = phase != .synReceived
        end(into: &effects)
        if wasOpen {
            effects.resetReason = packet.flags.contains(.refused) ? .refused : .byPeer
        }
    }

    private mutating func establish(
        _ packet: Packet,
        at now: Instant,
        into effects: inout EndpointEffects
    ) {
        phase = .established
        timer.clear()
        backoff = 0
        progress = now
        takeWindow(packet)
        if packet.echo != 0 {
            let elapsed = TCPEndpoint.timestamp(now) &- packet.echo
            roundTrip.add(.microseconds(Int64(elapsed)))
        }
        if measuresDelivery { startBBR(at: now) }
        beginSample(at: now)
        setKeepAlive(parameters.keepAlive.map { now + $0 }, into: &effects)
        effects.opened = true
        knownCredit = sendCapacity
        effects.credit = knownCredit
    }

    @inline(__always)
    mutating func takeWindow(_ packet: Packet) {
        peerLimit = max(peerLimit, packet.acknowledgement + Int64(packet.window))
    }

    private mutating func receiveEstablished(
        _ packet: Packet,
        at now: Instant,
        into effects: inout EndpointEffects
    ) {
        // The time to echo is that of the segment next in order (RFC 7323, section 4.3).
        if packet.offset <= lastAcknowledged { recentTimestamp = packet.timestamp }
        takeAcknowledgement(packet, at: now, into: &effects)
        if packet.sequenceLength > 0 {
            takeData(packet, at: now, into: &effects)
        } else if packet.flags.contains(.probe) {
            sendAcknowledgement(at: now, into: &effects)
        }
        closeWhenComplete(into: &effects)
    }

    private mutating func takeData(
        _ packet: Packet,
        at now: Instant,
        into effects: inout EndpointEffects
    ) {
        let end = packet.offset + packet.sequenceLength
        if packet.flags.contains(.fin) { peerEnd = packet.offset }
        noteArrival(at: now)
        noteCongestion(packet.congestion)
        if end <= receiveNext {
            // A duplicate: its sender does not know that we have it.
            quickAcknowledgements = 16
            sendAcknowledgement(at: now, into: &effects)
            return
        }
        if packet.offset > receiveNext {
            if compressedAcknowledgements > 0, ranges.forgetsBlock(packet.offset, end) {
                sendAcknowledgement(at: now, into: &effects)
            }
            ranges.insert(packet.offset, end)
            acknowledgeBeyondGap(at: now, into: &effects)
            return
        }
        let before = receiveNext
        let hadGap = !ranges.isEmpty
        receiveNext = hadGap ? ranges.absorb(upTo: end) : end
        let dataEnd = peerEnd >= 0 ? min(receiveNext, peerEnd) : receiveNext
        if dataEnd > before {
            effects.deliveredFrom = before
            effects.deliveredTo = dataEnd
            statistics.bytesReceived = dataEnd
        }
        if peerEnd >= 0, receiveNext > peerEnd { effects.finished = true }
        let unacknowledged = receiveNext - lastAcknowledged
        if hadGap || quickAcknowledgements > 0 || effects.finished
            || unacknowledged > Int64(parameters.maximumSegment)
        {
            sendAcknowledgement(at: now, into: &effects)
        } else if !delayedTimer.isSet {
            let deadline = now + parameters.acknowledgementDelay
            if delayedTimer.set(deadline) { effects.acknowledgementWake = deadline }
        }
    }

    /// A marked packet is echoed in every acknowledgement until its sender has reacted; that sender's
    /// window may then be small, and waits for an acknowledgement (`tcp_ecn_accept_cwr`).
    private mutating func noteCongestion(_ marks: Packet.CongestionMarks) {
        if marks.contains(.reduced) {
            echoesCongestion = false
            quickAcknowledgements = max(quickAcknowledgements, 1)
        }
        if marks.contains(.experienced), !echoesCongestion {
            echoesCongestion = true
            quickAcknowledgements = max(quickAcknowledgements, 2)
        }
    }

    /// Something arrived beyond a gap. The first three acknowledgements leave at once and start fast
    /// recovery; further ones wait for each other, a twentieth of the round trip and a millisecond at
    /// most (`tcp_comp_sack_delay_ns`).
    private mutating func acknowledgeBeyondGap(
        at now: Instant,
        into effects: inout EndpointEffects
    ) {
        if repeatedOffset != receiveNext {
            repeatedOffset = receiveNext
            repeats = 0
        }
        if quickAcknowledgements > 0 || repeats < 3
            || compressedAcknowledgements >= parameters.compressedAcknowledgementLimit
        {
            repeats += 1
            sendAcknowledgement(at: now, into: &effects)
            return
        }
        compressedAcknowledgements += 1
        guard compressedAcknowledgements == 1 else { return }
        let delay = min(parameters.acknowledgementCompression, roundTrip.smoothed / 20)
        let deadline = now + delay
        if delayedTimer.set(deadline) { effects.acknowledgementWake = deadline }
    }

    /// Linux acknowledges at once at the start of a connection and after long gaps, when the sender
    /// may be in slow start and waits for every acknowledgement.
    private mutating func noteArrival(at now: Instant) {
        let isAfterGap = lastReceived.map { now - $0 > roundTrip.timeout(parameters) } ?? true
        if isAfterGap {
            let window = receiveLimit - receiveNext
            let count = window / Int64(2 * parameters.maximumSegment)
            quickAcknowledgements = max(quickAcknowledgements, Int(min(16, max(2, count))))
        }
        lastReceived = now
    }

    /// Both FINs are acknowledged: nothing is left to do but answer latecomers.
    mutating func closeWhenComplete(into effects: inout EndpointEffects) {
        guard isFinishing, una > written, peerEnd >= 0, receiveNext > peerEnd else { return }
        phase = .closed
        effects.mayBeOver = true
        timer.clear()
        delayedTimer.clear()
        pacingTimer.clear()
        keepAliveTimer.clear()
    }
}
