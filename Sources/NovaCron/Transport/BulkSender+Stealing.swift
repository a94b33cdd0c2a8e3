import Machines
import Units

/// Late chunks and silent streams.
extension BulkSender {
    /// Late chunks looked at together; they are the ones that hold up the receiver most.
    private static let lateLimit = 32

    /// Whether the application has nothing more to send: copies cost nothing then. A window that is full
    /// is another matter, because what fills it comes in turn as soon as it moves, until the path has run dry.
    private var hasIdleLanes: Bool {
        again.isEmpty && nextUnsent == nextChunk && (phase == .finishing || room > 0)
    }

    /// Nothing may be sent before a chunk that is missing comes, and what is under way does not fill half of
    /// the path: a few lanes in recovery keep all others from sending.
    private var isDry: Bool {
        guard nextToSend == nil else { return false }
        let underWay = lanes.reduce(0) { $0 + $1.outstanding }
        return Double(underWay) < measuredRate * typicalRoundTrip.seconds / 2
    }

    /// Bytes that may still be sent twice: a sixteenth of what has arrived, and a few chunks.
    private var copyAllowance: Int {
        Int(min(statistics.payloadBytes, 1 << 60)) / 16 + 8 * chunkSize - copiedBytes
    }

    /// Finds the oldest chunks whose lanes are late with them.
    mutating func collectLate() {
        late.removeAll(keepingCapacity: true)
        guard configuration.stealsLateChunks, lanes.count > 1 else { return }
        let isIdle = hasIdleLanes
        let isDry = !isIdle && isDry
        let reach = isIdle || isDry ? .max : reachOfCopies
        var number = chunks.base
        var looked = 0
        while number < nextUnsent, looked < BulkSender.lateLimit {
            defer { number += 1 }
            guard let chunk = chunks[number] else { continue }
            looked += 1
            // What is not about to keep us from sending waits, unless its lane hardly moves any more: the
            // receiver cannot deliver what comes behind it.
            let isNear = roomBehind(chunk, number) < reach
            if isNear ? isLate(chunk, isIdle: isIdle, isDry: isDry) : isStuck(chunk) {
                late.append(number)
            }
        }
    }

    /// Bytes that all lanes together send in the time that a copy takes to be acknowledged: the way
    /// there and back, and as much again because it may meet a loss. At most half of the window.
    private var reachOfCopies: Int {
        let flight = measuredRate * typicalRoundTrip.seconds
        return min(configuration.window / 2, Int(min(1e15, flight * 2)))
    }

    /// How much can still be sent before this chunk is what keeps us from sending: the receiver
    /// holds a window behind what is missing, and we hold a limited number of chunks.
    private func roomBehind(_ chunk: OutgoingChunk, _ number: UInt64) -> Int {
        let next = chunks[nextUnsent]?.position ?? nextPosition
        let places = Int(SequenceWindow<OutgoingChunk>.limit) - Int(nextUnsent - number)
        return min(
            configuration.window - Int(next - chunk.position),
            places * chunkSize
        )
    }

    /// With nothing else to do a lane helps as soon as the time that was expected is over. While all
    /// lanes are busy a copy costs as much as it brings: it is worth that only for what is about to
    /// keep all of them from sending. Where the path has run dry, any other lane needs no more than a round trip.
    private func isLate(_ chunk: OutgoingChunk, isIdle: Bool, isDry: Bool) -> Bool {
        guard let lane = chunk.copy ?? chunk.lane else { return false }
        let expected = chunk.due - chunk.sentAt
        let roundTrip = lanes[lane].path.roundTrip ?? typicalRoundTrip
        var patience = isIdle ? expected + roundTrip / 2 : expected * 2 + roundTrip
        if isDry { patience = min(expected, roundTrip) + roundTrip / 2 }
        return now - chunk.sentAt > max(patience, .milliseconds(100))
    }

    /// Many times over its time: few chunks are, so that copies of them cost little.
    private func isStuck(_ chunk: OutgoingChunk) -> Bool {
        guard let lane = chunk.copy ?? chunk.lane else { return false }
        let roundTrip = lanes[lane].path.roundTrip ?? typicalRoundTrip
        return now - chunk.sentAt > (chunk.due - chunk.sentAt) * 4 + roundTrip * 4
    }

    /// Puts one late chunk on a second lane; returns whether it did.
    mutating func sendLate(into actions: inout Actions<BulkSender>) -> Bool {
        while let number = late.first {
            guard let chunk = chunks[number], let carrier = chunk.copy ?? chunk.lane,
                chunk.payload.count <= copyAllowance
            else {
                late.removeFirst()
                continue
            }
            guard let index = freeLane(for: chunk.payload.count, besides: carrier, chunk.lane)
            else { return false }
            late.removeFirst()
            // With both late the older one is no longer counted on.
            if chunk.copy != nil, let first = chunk.lane {
                drop(number, chunk.payload.count, from: first)
            }
            put(chunk, number, on: index)
            let (time, due) = (now, now + expectedTime(of: 0, on: index))
            chunks.update(number) {
                $0.lane = carrier
                $0.copy = index
                $0.sentAt = time
                $0.due = due
            }
            copiedBytes += chunk.payload.count
            measured.bytes -= Double(chunk.payload.count)
            statistics.repeatedChunks += 1
            flush(index, into: &actions)
            return true
        }
        return false
    }

    // MARK: Silence

    /// A transfer whose streams are open and which gets nothing across is over, too: no chunk, no note, and no answer
    /// to whether its peer lives.
    mutating func checkProgress(into actions: inout Actions<BulkSender>) {
        let isAnswerDue =
            chunks.base < nextUnsent || !notes.isSettled
            || lanes.contains { $0.state == .open && $0.probedAt != nil }
        guard isAnswerDue else {
            progressAt = now
            return
        }
        guard now - progressAt >= configuration.progressLimit else { return }
        fail(.noProgress, into: &actions)
    }

    /// Asks lanes that have been silent whether they live, and replaces those that do not answer.
    mutating func checkLanes(into actions: inout Actions<BulkSender>) {
        let patience = max(silenceLimit, typicalRoundTrip * 8)
        // When nothing is heard on any lane it is the path that is silent: new streams would not
        // do better, and the medium's own repetitions find the moment when it is back.
        let newest = lanes.reduce(Instant.zero) { max($0, $1.state == .open ? $1.heardAt : .zero) }
        let isPathAlive = now - newest < patience
        for index in lanes.indices where lanes[index].state == .open {
            guard !isOver else { return }
            if let asked = lanes[index].probedAt {
                guard isPathAlive, now - asked > patience, now - lanes[index].heardAt > patience
                else { continue }
                giveUp(index, .silent, at: now, into: &actions)
                continue
            }
            let silence = now - lanes[index].heardAt
            let isLate = lanes[index].outstanding > 0 && silence > patience / 2
            if isLate || silence >= keepAlive { probe(index, into: &actions) }
        }
    }

    private mutating func probe(_ index: Int, into actions: inout Actions<BulkSender>) {
        guard lanes[index].mayWrite else { return }
        lanes[index].probedAt = now
        var question = FrameHeader(.probe, session: session)
        question.seal()
        lanes[index].backlog.append(question.bytes)
        flush(index, into: &actions)
    }
}
