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
        while sendLate(into: &actions) {}
        while let number = nextToSend, let chunk = chunks[number] {
            guard isWithinLimit(), let index = freeLane(for: chunk.payload.count) else { return }
            allowance -= Double(chunk.payload.count)
            if number == nextUnsent { nextUnsent += 1 } else { again.removeFirst() }
            put(chunk, number, on: index)
            let (time, due) = (now, now + expectedTime(of: 0, on: index))
            chunks.update(number) {
                $0.lane = index
                $0.sentAt = time
                $0.due = due
            }
            flush(index, into: &actions)
            startWatch(into: &actions)
        }
    }

    /// Whether the rate limit lets another chunk go; the watch comes back when it does not.
    private mutating func isWithinLimit() -> Bool {
        guard let rateLimit else {
            allowance = 0
            return true
        }
        let rate = Double(rateLimit.bitsPerSecond) / 8
        let elapsed = max(0, (now - allowanceAt).seconds)
        allowance = min(rate / 8, allowance + rate * elapsed)
        allowanceAt = now
        return allowance >= 0
    }

    /// A chunk that waits for its first lane and may leave now.
    var nextToSend: UInt64? {
        if let first = again.first { return first }
        guard nextUnsent < nextChunk, let chunk = chunks[nextUnsent] else { return nil }
        return chunk.end <= limit ? nextUnsent : nil
    }

    mutating func put(_ chunk: OutgoingChunk, _ number: UInt64, on index: Int) {
        var header = FrameHeader(
            .chunk,
            session: session,
            number: number,
            value: chunk.position,
            isLast: chunk.isLast
        )
        header.seal(chunk.payload)
        lanes[index].backlog.append(Frame(header: header, payload: chunk.payload))
        if lanes[index].outstanding == 0 { lanes[index].path.begin(at: now) }
        lanes[index].outstanding += chunk.payload.count
        lanes[index].carried.append(number)
    }

    /// The open lane without backlog on which a chunk of that size is expected to be acknowledged
    /// first; among equals the one with the most credit.
    func freeLane(for size: Int, besides one: Int? = nil, _ other: Int? = nil) -> Int? {
        var best: Int?
        var least = Interval.zero
        for index in lanes.indices where index != one && index != other {
            guard lanes[index].canTake(size, limit: laneLimit(index)) else { continue }
            let time = expectedTime(of: size, on: index)
            guard let found = best else {
                best = index
                least = time
                continue
            }
            if time < least || (time == least && lanes[index].credit > lanes[found].credit) {
                best = index
                least = time
            }
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

    /// Unwritten bytes of one stream beyond which answers are owed to a peer that reads none: a chunk, and twice the
    /// answers to all notes there may be.
    private var backlogLimit: Int {
        configuration.chunkLimit + FrameHeader.size
            + 2 * NoteExchange.limit * (FrameHeader.size + FrameHeader.noteLimit)
    }

    private var leastBacklog: Int? {
        var best: Int?
        for index in lanes.indices where lanes[index].mayWrite {
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
        lanes[index].heardAt = now
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
            // A stream that has said farewell takes no answer; the next one confirms all before it.
            if let way = lanes[index].mayWrite ? index : leastBacklog {
                // A peer that never reads what it makes us say must not fill our memory.
                guard lanes[way].backlog.count <= backlogLimit else { throw .windowExceeded }
                lanes[way].backlog.append(answer.bytes)
                flush(way, into: &actions)
            }
            for bytes in ready { actions.emit(.noted(bytes)) }
        case .noteAcknowledgement:
            if try notes.acknowledged(below: header.number) { progressAt = now }
            completeIfSettled(into: &actions)
        case .refusal:
            guard header.number <= 255,
                let why = TransportError.Refusal(rawValue: UInt8(header.number))
            else { throw .malformed("refusal \(header.number)") }
            fail(why == .restarted ? .peerRestarted : .refused(why), into: &actions)
        case .probeAnswer:
            lanes[index].probedAt = nil
            progressAt = now
        case .hello, .chunk, .farewell, .probe:
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
        lanes[index].probedAt = nil
        progressAt = now
        if let carrier = chunk.lane {
            drop(number, chunk.payload.count, from: carrier)
            if let copy = chunk.copy { drop(number, chunk.payload.count, from: copy) }
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
        if let carrier = chunk.lane { settleRetirement(of: carrier, into: &actions) }
        if let copy = chunk.copy { settleRetirement(of: copy, into: &actions) }
        completeIfSettled(into: &actions)
    }

    mutating func drop(_ number: UInt64, _ size: Int, from carrier: Int) {
        lanes[carrier].outstanding -= size
        if let position = lanes[carrier].carried.firstIndex(of: number) {
            lanes[carrier].carried.remove(at: position)
        }
    }

    private mutating func completeIfSettled(into actions: inout Actions<BulkSender>) {
        guard phase == .finishing, chunks.base == nextChunk, notes.isSettled else { return }
        complete(into: &actions)
    }
}
