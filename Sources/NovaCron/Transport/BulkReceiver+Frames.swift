import Machines
import Units

/// What the streams bring and what is answered.
extension BulkReceiver {
    mutating func read(
        _ bytes: Bytes,
        from index: Int,
        at now: Instant,
        into actions: inout Actions<BulkReceiver>
    ) {
        // What a refused sender says until it knows has no known form.
        if case .refused = lanes[index].greeting { return }
        lanes[index].heardAt = now
        let count = bytes.count
        statistics.readBytes &+= UInt64(count)
        // The session's window bounds memory, so a stream gets back at once what it has delivered,
        // in portions large enough not to cost an action a segment.
        lanes[index].ungranted &+= count
        if lanes[index].ungranted >= 1 << 18 {
            actions.grant(lanes[index].stream, bytes: lanes[index].ungranted)
            lanes[index].ungranted = 0
        }
        let stream = lanes[index].stream
        var rest = bytes
        do throws(TransportError) {
            while let frame = try decode(&rest, from: index) {
                try take(frame, from: index, into: &actions)
                guard lane(of: stream) == index else { return }
            }
            // Whoever begins many long frames and ends none holds no more than others may.
            guard partialBytes <= configuration.window + FrameHeader.payloadLimit else {
                throw .windowExceeded
            }
        } catch {
            if case .unsupportedVersion(let version) = error,
                refuse(version, on: index, into: &actions)
            {
                return
            }
            giveUp(index, error, at: now, into: &actions)
        }
    }

    private mutating func decode(
        _ bytes: inout Bytes,
        from index: Int
    ) throws(TransportError) -> Frame? {
        let before = lanes[index].decoder.heldBytes
        defer { partialBytes += lanes[index].decoder.heldBytes - before }
        return try lanes[index].decoder.next(from: &bytes)
    }

    /// Tells a sender of another version, in its own version, that it cannot be served; a header's
    /// form is the same in all. Only the answer to the first frame: later ones are damage.
    private mutating func refuse(
        _ version: UInt16,
        on index: Int,
        into actions: inout Actions<BulkReceiver>
    ) -> Bool {
        guard case .awaited = lanes[index].greeting else { return false }
        lanes[index].greeting = .refused
        let reason = UInt64(TransportError.Refusal.version.rawValue)
        var frame = FrameHeader(.refusal, session: session, number: reason)
        frame.version = version
        answer(frame, on: index, into: &actions)
        return true
    }

    mutating func flush(_ index: Int, into actions: inout Actions<BulkReceiver>) {
        statistics.writtenBytes += UInt64(lanes[index].flush(into: &actions))
    }

    private mutating func answer(
        _ frame: FrameHeader,
        _ payload: Payload = Payload(),
        on index: Int,
        into actions: inout Actions<BulkReceiver>
    ) {
        var header = frame
        header.seal(payload)
        lanes[index].backlog.append(Frame(header: header, payload: payload))
        flush(index, into: &actions)
    }

    private mutating func take(
        _ frame: Frame,
        from index: Int,
        into actions: inout Actions<BulkReceiver>
    ) throws(TransportError) {
        let header = frame.header
        switch lanes[index].greeting {
        case .awaited:
            guard header.kind == .hello else {
                throw .malformed("a stream began with a frame of kind \(header.kind)")
            }
        case .welcomed: break
        case .refused: return
        }
        guard !lanes[index].isLeaving else { throw .malformed("a frame after farewell") }
        // A peer that never reads what it makes us say must not fill our memory.
        guard lanes[index].backlog.count <= BulkReceiver.backlogLimit else {
            throw .windowExceeded
        }
        switch header.kind {
        case .hello:
            try greet(header, on: index, into: &actions)
        case .chunk:
            try take(header, frame.payload, from: index, into: &actions)
        case .note:
            var ready: [Bytes] = []
            try notes.received(header.number, frame.payload.joined(), ready: &ready)
            answer(
                FrameHeader(.noteAcknowledgement, session: session, number: notes.expected),
                on: index,
                into: &actions
            )
            for bytes in ready { actions.emit(.noted(bytes)) }
        case .noteAcknowledgement:
            try notes.acknowledged(below: header.number)
        case .farewell:
            lanes[index].isLeaving = true
        case .probe:
            answer(
                FrameHeader(.probeAnswer, session: session, number: header.number),
                on: index,
                into: &actions
            )
        case .welcome, .acknowledgement, .limit, .refusal, .probeAnswer:
            throw .malformed("a sender sent a frame of kind \(header.kind)")
        }
    }

    private mutating func greet(
        _ header: FrameHeader,
        on index: Int,
        into actions: inout Actions<BulkReceiver>
    ) throws(TransportError) {
        guard case .awaited = lanes[index].greeting else { throw .malformed("a second hello") }
        let refusal: TransportError.Refusal?
        if phase == .failed {
            refusal = .failed
        } else if header.value > UInt64(configuration.window) {
            refusal = .windowTooLarge
        } else if header.number != 0, header.number != epoch {
            refusal = .restarted
        } else {
            refusal = nil
        }
        if let refusal {
            let frame = FrameHeader(.refusal, session: session, number: UInt64(refusal.rawValue))
            lanes[index].greeting = .refused
            answer(frame, on: index, into: &actions)
            return
        }
        lanes[index].greeting = .welcomed
        advertisedLimit = max(advertisedLimit, currentLimit)
        let frame = FrameHeader(.welcome, session: session, number: epoch, value: advertisedLimit)
        answer(frame, on: index, into: &actions)
        sendNotes(into: &actions)
    }

    private mutating func take(
        _ header: FrameHeader,
        _ payload: Payload,
        from index: Int,
        into actions: inout Actions<BulkReceiver>
    ) throws(TransportError) {
        let number = header.number
        let isNew = number >= held.base && (phase == .receiving && held[number] == nil)
        if isNew {
            let charge = payload.count + FrameHeader.chunkCharge
            let (end, overflow) = header.value.addingReportingOverflow(UInt64(charge))
            // A sender that lies about positions must not make us hold more than the window either.
            guard !overflow, end <= advertisedLimit, held.admits(number),
                heldBytes + unconsumedBytes + charge <= configuration.window
            else { throw .windowExceeded }
            guard payload.count > 0 || header.isLast else { throw .malformed("an empty chunk") }
            held[number] = HeldChunk(
                payload: payload,
                position: header.value,
                isLast: header.isLast
            )
            heldBytes += charge
            statistics.acceptedBytes += UInt64(payload.count)
        } else {
            statistics.repeatedChunks += 1
        }
        deliver(into: &actions)
        // Delivering may have found the transfer itself broken.
        guard phase != .failed else { return }
        advertisedLimit = max(advertisedLimit, currentLimit)
        let acknowledgement = FrameHeader(
            .acknowledgement,
            session: session,
            number: number,
            value: advertisedLimit
        )
        answer(acknowledgement, on: index, into: &actions)
    }

    /// Hands on every chunk that now follows without a gap.
    private mutating func deliver(into actions: inout Actions<BulkReceiver>) {
        while phase == .receiving, let next = held[held.base] {
            guard next.position == delivered else {
                // Sending it again would not help: the sender's own count is wrong.
                let found = "chunk \(held.base) at \(next.position), not \(delivered)"
                fail(.malformed(found), into: &actions)
                return
            }
            let number = held.base
            _ = held.popFirst()
            heldBytes -= next.charge
            delivered += UInt64(next.charge)
            if next.isLast {
                // Nobody consumes the empty chunk that ends the transfer.
                consumed += UInt64(next.charge)
                phase = .completed
                actions.emit(.completed)
            } else {
                statistics.chunks += 1
                statistics.payloadBytes += UInt64(next.payload.count)
                actions.emit(.delivered(number, next.payload))
            }
        }
    }

    private var currentLimit: UInt64 { consumed + UInt64(configuration.window) }

    /// Tells the sender the new limit once it has moved by a quarter of the window; smaller steps
    /// travel with acknowledgements.
    mutating func advertiseLimit(into actions: inout Actions<BulkReceiver>) {
        guard phase == .receiving,
            currentLimit - advertisedLimit >= UInt64(max(1, configuration.window / 4))
        else { return }
        sendLimit(into: &actions)
    }

    mutating func sendLimit(into actions: inout Actions<BulkReceiver>) {
        advertisedLimit = max(advertisedLimit, currentLimit)
        limitLane = shortestBacklog
        // Without a stream there is nothing to do: the next welcome carries the limit.
        guard let index = limitLane else { return }
        let frame = FrameHeader(.limit, session: session, value: advertisedLimit)
        answer(frame, on: index, into: &actions)
    }

    mutating func sendNotes(into actions: inout Actions<BulkReceiver>) {
        while let note = notes.firstWaiting {
            guard let index = shortestBacklog else { return }
            notes.assign(note.number, to: index)
            let frame = FrameHeader(.note, session: session, number: note.number)
            answer(frame, Payload(note.bytes), on: index, into: &actions)
        }
    }

    private var shortestBacklog: Int? {
        var best: Int?
        for index in lanes.indices where lanes[index].canSpeak {
            guard let found = best else {
                best = index
                continue
            }
            if lanes[index].backlog.count < lanes[found].backlog.count { best = index }
        }
        return best
    }

    /// Unwritten answers on one stream at most: every frame a sender may have outstanding, twice.
    static var backlogLimit: Int { 2 * Int(SequenceWindow<HeldChunk>.limit) * FrameHeader.size }

    /// Checks that every held byte is accounted for and within its bound.
    public func checkInvariants() {
        notes.checkInvariants()
        precondition(consumed <= delivered, "consumed \(consumed)")
        precondition(delivered <= advertisedLimit, "delivered \(delivered)")
        precondition(
            heldBytes + unconsumedBytes <= configuration.window,
            "holds \(heldBytes) and \(unconsumedBytes) bytes"
        )
        var open = 0
        for (index, lane) in lanes.enumerated() where lane.isOpen {
            open += 1
            precondition(lane.credit >= 0, "credit \(lane.credit)")
            precondition(self.lane(of: lane.stream) == index, "lane \(index) is lost")
            lane.backlog.checkInvariants()
        }
        precondition(
            partialBytes == lanes.reduce(0) { $0 + $1.decoder.heldBytes },
            "\(partialBytes) bytes of partial frames"
        )
        precondition(open == openLanes, "\(open) lanes, counted \(openLanes)")
        if phase == .failed { precondition(heldBytes == 0, "a failed transfer holds bytes") }
    }
}
