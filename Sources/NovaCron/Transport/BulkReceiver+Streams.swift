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

    mutating func opened(_ stream: StreamID, into actions: inout Actions<BulkReceiver>) {
        let ordinal = SessionID.ordinal(of: stream)
        guard SessionID(of: stream) == session, openLanes < BulkReceiver.streamLimit,
            lane(of: stream) == nil
        else {
            actions.reset(stream)
            actions.emit(.streamLost(stream, .tooManyStreams))
            return
        }
        while laneOfOrdinal.count <= ordinal { laneOfOrdinal.append(BulkReceiver.noLane) }
        let newborn = ReceiverLane(stream: stream, decoder: FrameDecoder(session: session))
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
        guard phase == .receiving else { return }
        statistics.streamsLost += 1
        actions.emit(.streamLost(stream, error))
        notes.laneLost(index)
        if openLanes == 0 {
            isStalled = true
            actions.setTimer(.stalled, at: now + configuration.stallLimit)
        }
        sendNotes(into: &actions)
        // The newest limit may have died with the stream; saying it again does no harm.
        if limitLane == index { sendLimit(into: &actions) }
    }

    private mutating func drop(_ index: Int) {
        laneOfOrdinal[SessionID.ordinal(of: lanes[index].stream)] = BulkReceiver.noLane
        lanes[index].isOpen = false
        lanes[index].backlog.removeAll()
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
        held.removeAll()
        heldBytes = 0
        actions.emit(.failed(error))
    }
}
