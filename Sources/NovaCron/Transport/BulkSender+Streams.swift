import Machines
import Units

/// The lives of the parallel streams.
extension BulkSender {
    /// The lane whose current life is this stream; `nil` for streams given up.
    func lane(of stream: StreamID) -> Int? {
        let ordinal = SessionID.ordinal(of: stream)
        guard ordinal < laneOfOrdinal.count else { return nil }
        let index = Int(laneOfOrdinal[ordinal])
        guard lanes[index].stream == stream else { return nil }
        switch lanes[index].state {
        case .opening, .open, .leaving: return index
        case .waiting, .closed: return nil
        }
    }

    /// Starts a new life of the lane, or closes it when the session has no numbers left.
    mutating func open(_ index: Int, into actions: inout Actions<BulkSender>) {
        guard laneOfOrdinal.count < SessionID.streamLimit else {
            lanes[index].close()
            lanes[index].isGivenUp = true
            failIfNoneLeft(into: &actions)
            return
        }
        let stream = session.stream(laneOfOrdinal.count)
        laneOfOrdinal.append(UInt16(index))
        lanes[index].state = .opening
        lanes[index].stream = stream
        lanes[index].decoder = FrameDecoder(session: session)
        var hello = FrameHeader(
            .hello,
            session: session,
            number: epoch ?? 0,
            value: UInt64(configuration.window)
        )
        hello.seal()
        lanes[index].backlog.append(hello.bytes)
        actions.openStream(
            stream,
            to: peer,
            configuration.streamOptions(lanes[index].congestion)
        )
    }

    mutating func opened(
        _ index: Int,
        at now: Instant,
        into actions: inout Actions<BulkSender>
    ) {
        lanes[index].state = .open
        lanes[index].openedAt = now
        lanes[index].heardAt = now
        if isStalled {
            isStalled = false
            actions.cancelTimer(.stalled)
        }
        // A medium may have given credit before it reported the stream as open.
        flush(index, into: &actions)
        sendNotes(into: &actions)
        pump(into: &actions)
        startWatch(into: &actions)
        reconcile(into: &actions)
    }

    /// Ends the lane's stream ourselves, because of what came over it.
    mutating func giveUp(
        _ index: Int,
        _ error: TransportError,
        at now: Instant,
        into actions: inout Actions<BulkSender>
    ) {
        actions.reset(lanes[index].stream)
        lost(index, error, at: now, into: &actions)
    }

    /// The lane's stream is gone: its chunks and notes go elsewhere, a new life is planned.
    mutating func lost(
        _ index: Int,
        _ error: TransportError,
        at now: Instant,
        into actions: inout Actions<BulkSender>
    ) {
        let orphans = release(index)
        let wasRetiring = lanes[index].isRetiring
        let livedLong =
            lanes[index].state == .open
            && now - lanes[index].openedAt >= configuration.retryPauseLimit * 2
        lanes[index].close()
        guard !isOver else {
            noteClosed(into: &actions)
            return
        }
        statistics.streamsLost += 1
        actions.emit(.streamLost(slot: index, error))
        again.append(contentsOf: orphans)
        again.sort()
        statistics.repeatedChunks += UInt64(orphans.count)
        notes.laneLost(index)

        lanes[index].attempts = livedLong ? 1 : lanes[index].attempts + 1
        if wasRetiring {
            reconcile(into: &actions)
        } else if lanes[index].attempts <= configuration.retryLimit {
            lanes[index].state = .waiting
            let pause = configuration.retryPause(afterAttempts: lanes[index].attempts - 1)
            actions.setTimer(.reopen(slot: index), at: now + pause)
        } else {
            lanes[index].isGivenUp = true
            failIfNoneLeft(into: &actions)
        }
        if openStreams == 0 { startStall(at: now, into: &actions) }
        sendNotes(into: &actions)
        pump(into: &actions)
    }

    /// Takes the lane off its chunks; returns those that no other lane carries.
    private mutating func release(_ index: Int) -> [UInt64] {
        var orphans: [UInt64] = []
        for number in lanes[index].carried {
            guard let chunk = chunks[number] else { continue }
            if chunk.lane == index {
                chunks.update(number) {
                    $0.lane = chunk.copy
                    $0.copy = nil
                }
                if chunk.copy == nil { orphans.append(number) }
            } else if chunk.copy == index {
                chunks.update(number) { $0.copy = nil }
            }
        }
        return orphans
    }

    mutating func startStall(at now: Instant, into actions: inout Actions<BulkSender>) {
        guard !isStalled, !isOver else { return }
        isStalled = true
        actions.setTimer(.stalled, at: now + configuration.stallLimit)
    }

    private mutating func failIfNoneLeft(into actions: inout Actions<BulkSender>) {
        guard lanes.allSatisfy({ $0.state == .closed }) else { return }
        fail(.unreachable, into: &actions)
    }

    mutating func fail(_ error: TransportError, into actions: inout Actions<BulkSender>) {
        guard !isOver else { return }
        phase = .failed
        for index in lanes.indices {
            switch lanes[index].state {
            case .opening, .open, .leaving: actions.reset(lanes[index].stream)
            case .waiting: actions.cancelTimer(.reopen(slot: index))
            case .closed: break
            }
            lanes[index].close()
        }
        cancelStall(into: &actions)
        chunks.removeAll()
        again.removeAll()
        late.removeAll()
        bufferedBytes = 0
        actions.emit(.failed(error))
    }

    mutating func complete(into actions: inout Actions<BulkSender>) {
        phase = .completed
        for index in lanes.indices {
            switch lanes[index].state {
            case .open:
                // The rest of a copy that is not needed any more; credit may still come for it.
                lanes[index].backlog.removeAll()
                actions.finish(lanes[index].stream)
            case .opening:
                actions.reset(lanes[index].stream)
                lanes[index].close()
            case .waiting:
                actions.cancelTimer(.reopen(slot: index))
                lanes[index].close()
            case .leaving, .closed: break
            }
        }
        cancelStall(into: &actions)
        if !isSettled {
            isStalled = true
            actions.setTimer(.stalled, at: now + configuration.stallLimit)
        }
        actions.emit(.completed)
    }

    /// The time is over in which a stream should have opened, or the peer should have closed its side of a completed
    /// transfer's.
    mutating func stalled(into actions: inout Actions<BulkSender>) {
        guard isStalled else { return }
        guard isOver else {
            fail(.unreachable, into: &actions)
            return
        }
        isStalled = false
        for index in lanes.indices where lanes[index].state != .closed {
            actions.reset(lanes[index].stream)
            lanes[index].close()
        }
    }

    /// Of a transfer that is over: a stream less is left to be closed.
    mutating func noteClosed(into actions: inout Actions<BulkSender>) {
        guard isStalled, isSettled else { return }
        isStalled = false
        actions.cancelTimer(.stalled)
    }

    /// Nothing is timed any more.
    private mutating func cancelStall(into actions: inout Actions<BulkSender>) {
        if isWatching { actions.cancelTimer(.watch) }
        isWatching = false
        if configuration.deadline != nil { actions.cancelTimer(.deadline) }
        guard isStalled else { return }
        isStalled = false
        actions.cancelTimer(.stalled)
    }
}
