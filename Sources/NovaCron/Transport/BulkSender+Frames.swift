import Machines
import Units

/// What goes onto the streams and what comes back.
extension BulkSender {
    mutating func flush(_ index: Int, into actions: inout Actions<BulkSender>) {
        guard lanes[index].state == .open else { return }
        statistics.writtenBytes += UInt64(lanes[index].flush(into: &actions))
    }

    /// Puts chunks on streams while there are both.
    mutating func pump(into actions: inout Actions<BulkSender>) {
        guard phase == .transferring || phase == .finishing else { return }
        // Each turn puts one of at most 4,096 held chunks on a stream.
        while let number = nextToSend, let chunk = chunks[number] {
            guard let index = freeLane(for: chunk.payload.count) else { return }
            if number == nextUnsent { nextUnsent += 1 } else { again.removeFirst() }
            put(chunk, number, on: index)
            flush(index, into: &actions)
        }
    }

    private var nextToSend: UInt64? {
        if let first = again.first { return first }
        guard nextUnsent < nextChunk, let chunk = chunks[nextUnsent] else { return nil }
        return chunk.end <= limit ? nextUnsent : nil
    }

    private mutating func put(_ chunk: OutgoingChunk, _ number: UInt64, on index: Int) {
        var header = FrameHeader(
            .chunk,
            session: session,
            number: number,
            value: chunk.position,
            isLast: chunk.isLast
        )
        header.seal(chunk.payload)
        lanes[index].backlog.append(Frame(header: header, payload: chunk.payload))
        lanes[index].outstanding += chunk.payload.count
        lanes[index].carried.append(number)
        chunks.update(number) { $0.lane = index }
    }

    /// The open lane without backlog that has the least payload unacknowledged, then the most credit.
    private func freeLane(for size: Int) -> Int? {
        var best: Int?
        for index in lanes.indices {
            guard lanes[index].canTake(size, limit: configuration.laneLimit) else { continue }
            guard let found = best else {
                best = index
                continue
            }
            let isLess = lanes[index].outstanding < lanes[found].outstanding
            let isEqual = lanes[index].outstanding == lanes[found].outstanding
            if isLess || (isEqual && lanes[index].credit > lanes[found].credit) { best = index }
        }
        return best
    }

    /// Puts waiting notes on the open lane with the shortest backlog.
    mutating func sendNotes(into actions: inout Actions<BulkSender>) {
        guard !isOver else { return }
        while let note = notes.firstWaiting {
            guard let index = leastBacklog else { return }
            var header = FrameHeader(.note, session: session, number: note.number)
            let payload = Payload(note.bytes)
            header.seal(payload)
            lanes[index].backlog.append(Frame(header: header, payload: payload))
            notes.assign(note.number, to: index)
            flush(index, into: &actions)
        }
    }

    private var leastBacklog: Int? {
        var best: Int?
        for index in lanes.indices where lanes[index].state == .open {
            guard let found = best else {
                best = index
                continue
            }
            if lanes[index].backlog.count < lanes[found].backlog.count { best = index }
        }
        return best
    }

    mutating func read(
        _ bytes: Bytes,
        from index: Int,
        at now: Instant,
        into actions: inout Actions<BulkSender>
    ) {
        guard !isOver else { return }
        let stream = lanes[index].stream
        statistics.readBytes += UInt64(bytes.count)
        lanes[index].ungranted += bytes.count
        if lanes[index].ungranted >= 1 << 16 {
            actions.grant(stream, bytes: lanes[index].ungranted)
            lanes[index].ungranted = 0
        }
        var rest = bytes
        do throws(TransportError) {
            while let frame = try lanes[index].decoder.next(from: &rest) {
                try take(frame, from: index, into: &actions)
                // The frame may have ended the transfer and with it this stream.
                guard lane(of: stream) == index, !isOver else { return }
            }
        } catch {
            giveUp(index, error, at: now, into: &actions)
            return
        }
        pump(into: &actions)
    }

    private mutating func take(
        _ frame: Frame,
        from index: Int,
        into actions: inout Actions<BulkSender>
    ) throws(TransportError) {
        let header = frame.header
        switch header.kind {
        case .acknowledgement:
            limit = max(limit, header.value)
            try acknowledge(header.number, from: index, into: &actions)
        case .limit:
            limit = max(limit, header.value)
        case .welcome:
            guard header.number > 0 else { throw .malformed("epoch zero") }
            guard epoch == nil || epoch == header.number else {
                fail(.peerRestarted, into: &actions)
                return
            }
            epoch = header.number
            limit = max(limit, header.value)
        case .note:
            var ready: [Bytes] = []
            try notes.received(header.number, frame.payload.joined(), ready: &ready)
            var answer = FrameHeader(.noteAcknowledgement, session: session, number: notes.expected)
            answer.seal()
            lanes[index].backlog.append(answer.bytes)
            flush(index, into: &actions)
            for bytes in ready { actions.emit(.noted(bytes)) }
        case .noteAcknowledgement:
            try notes.acknowledged(below: header.number)
            completeIfSettled(into: &actions)
        case .refusal:
            guard header.number <= 255,
                let why = TransportError.Refusal(rawValue: UInt8(header.number))
            else { throw .malformed("refusal \(header.number)") }
            fail(why == .restarted ? .peerRestarted : .refused(why), into: &actions)
        case .hello, .chunk:
            throw .malformed("a receiver sent a frame of kind \(header.kind)")
        }
    }

    private mutating func acknowledge(
        _ number: UInt64,
        from index: Int,
        into actions: inout Actions<BulkSender>
    ) throws(TransportError) {
        guard number < nextUnsent else {
            throw .malformed("acknowledges chunk \(number), which was never sent")
        }
        lanes[index].attempts = 0
        guard let chunk = chunks[number] else { return }
        if let carrier = chunk.lane {
            lanes[carrier].outstanding -= chunk.payload.count
            if let position = lanes[carrier].carried.firstIndex(of: number) {
                lanes[carrier].carried.remove(at: position)
            }
        } else if let position = again.firstIndex(of: number) {
            again.remove(at: position)
        }
        bufferedBytes -= chunk.payload.count
        statistics.chunks += 1
        statistics.payloadBytes += UInt64(chunk.payload.count)
        chunks[number] = nil
        while chunks.base < nextUnsent, chunks[chunks.base] == nil { chunks.skipFirst() }
        if !chunk.isLast { actions.emit(.acknowledged(number)) }
        if room > 0 { actions.emit(.room(room)) }
        completeIfSettled(into: &actions)
    }

    private mutating func completeIfSettled(into actions: inout Actions<BulkSender>) {
        guard phase == .finishing, chunks.base == nextChunk, notes.isSettled else { return }
        complete(into: &actions)
    }
}
