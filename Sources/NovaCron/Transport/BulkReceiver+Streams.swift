import Machines
import Units

/// The lives of the streams that a sender opens.
extension BulkReceiver {
    /// The open lane of a stream; `nil` for unknown and dead streams.
    func lane(of stream: StreamID) -> Int? {
        let ordinal = SessionID.ordinal(of: stream)
        guard ordinal < laneOfOrdinal.count, SessionID(of: stream) == session else { return nil }
        let index = laneOfOrdinal[ordinal]
        return index == BulkReceiver.noLane ? nil : Int(index)
    }

    mutating func opened(
        _ stream: StreamID,
        at now: Instant,
        into actions: inout Actions<BulkReceiver>
    ) {
        let ordinal = SessionID.ordinal(of: stream)
        guard SessionID(of: stream) == session, openLanes < BulkReceiver.streamLimit,
            lane(of: stream) == nil
        else {
            actions.reset(stream)
            actions.emit(.streamLost(stream, .tooManyStreams))
            return
        }
        while laneOfOrdinal.count <= ordinal { laneOfOrdinal.append(BulkReceiver.noLane) }
        let newborn = ReceiverLane(
            stream: stream,
            decoder: FrameDecoder(session: session),
            heardAt: now
        )
        let index = lanes.firstIndex { !$0.isOpen } ?? lanes.count
        if index == lanes.count {
            lanes.append(newborn)
        } else {
            lanes[index] = newborn
        }
        laneOfOrdinal[ordinal] = UInt16(index)
        openLanes += 1
        if isStalled {
            isStalled = false
            actions.cancelTimer(.stalled)
        }
        startSweep(at: now, into: &actions)
    }

    private mutating func startSweep(at now: Instant, into actions: inout Actions<BulkReceiver>) {
        guard !isSweeping, openLanes > 0 else { return }
        isSweeping = true
        actions.setTimer(.sweep, at: now + configuration.greetingLimit / 2)
    }

    /// Resets streams that have been silent for too long: their peers are gone, or never meant to
    /// speak. A sender that lives asks on each stream once a `keepAlive`.
    mutating func sweep(at now: Instant, into actions: inout Actions<BulkReceiver>) {
        for index in lanes.indices where lanes[index].isOpen {
            let limit: Interval
            switch lanes[index].greeting {
            case .awaited, .refused: limit = configuration.greetingLimit
            case .welcomed: limit = configuration.keepAlive * 3
            }
            guard now - lanes[index].heardAt >= limit else { continue }
            giveUp(index, .silent, at: now, into: &actions)
        }
        startSweep(at: now, into: &actions)
    }

    /// The sender closed its side: in order after the last chunk, otherwise as good as lost.
    mutating func finished(
        _ index: Int,
        at now: Instant,
        into actions: inout Actions<BulkReceiver>
    ) {
        if phase == .completed, lanes[index].decoder.isBetweenFrames {
            actions.finish(lanes[index].stream)
            drop(index)
        } else if lanes[index].isLeaving, lanes[index].decoder.isBetweenFrames {
            actions.finish(lanes[index].stream)
            drop(index)
            rehome(index, at: now, into: &actions)
        } else {
            giveUp(index, .truncatedFrame, at: now, into: &actions)
        }
    }

    mutating func giveUp(
        _ index: Int,
        _ error: TransportError,
        at now: Instant,
        into actions: inout Actions<BulkReceiver>
    ) {
        actions.reset(lanes[index].stream)
        lost(index, error, at: now, into: &actions)
    }

    mutating func lost(
        _ index: Int,
        _ error: TransportError,
        at now: Instant,
        into actions: inout Actions<BulkReceiver>
    ) {
        let stream = lanes[index].stream
        drop(index)
        if phase == .receiving {
            statistics.streamsLost += 1
            actions.emit(.streamLost(stream, error))
        }
        rehome(index, at: now, into: &actions)
    }

    /// What a lane that is gone was to tell goes to others.
    private mutating func rehome(
        _ index: Int,
        at now: Instant,
        into actions: inout Actions<BulkReceiver>
    ) {
        guard phase != .failed else { return }
        notes.laneLost(index)
        if phase == .receiving, openLanes == 0 {
            isStalled = true
            actions.setTimer(.stalled, at: now + configuration.stallLimit)
        }
        sendNotes(into: &actions)
        // The newest limit may have died with the stream; saying it again does no harm.
        if phase == .receiving, limitLane == index { sendLimit(into: &actions) }
    }

    private mutating func drop(_ index: Int) {
        laneOfOrdinal[SessionID.ordinal(of: lanes[index].stream)] = BulkReceiver.noLane
        lanes[index].isOpen = false
        lanes[index].backlog.removeAll()
        partialBytes -= lanes[index].decoder.heldBytes
        lanes[index].decoder = FrameDecoder(session: session)
        openLanes -= 1
    }

    mutating func fail(_ error: TransportError, into actions: inout Actions<BulkReceiver>) {
        guard phase == .receiving else { return }
        phase = .failed
        for index in lanes.indices where lanes[index].isOpen {
            actions.reset(lanes[index].stream)
            drop(index)
        }
        if isStalled {
            isStalled = false
            actions.cancelTimer(.stalled)
        }
        if isSweeping { actions.cancelTimer(.sweep) }
        isSweeping = false
        held.removeAll()
        heldBytes = 0
        actions.emit(.failed(error))
    }
}
