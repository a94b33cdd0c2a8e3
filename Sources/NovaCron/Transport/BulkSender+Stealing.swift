import Machines
import Units

/// Late chunks and silent streams.
extension BulkSender {
    /// Late chunks looked at together; they are the ones that hold up the receiver most.
    private static let lateLimit = 32

    /// Whether lanes could carry more than there is to send: copies cost nothing then.
    private var hasIdleLanes: Bool { again.isEmpty && nextToSend == nil }

    /// Bytes that may still be sent twice: a sixteenth of what has arrived, and a few chunks.
    private var copyAllowance: Int {
        Int(min(statistics.payloadBytes, 1 << 60)) / 16 + 8 * chunkSize - copiedBytes
    }

    /// Finds the oldest chunks whose lanes are late with them.
    mutating func collectLate() {
        late.removeAll(keepingCapacity: true)
        guard configuration.stealsLateChunks, lanes.count > 1 else { return }
        let isIdle = hasIdleLanes
        guard isIdle || isHeldUp else { return }
        var number = chunks.base
        var looked = 0
        while number < nextUnsent, looked < BulkSender.lateLimit {
            defer { number += 1 }
            guard let chunk = chunks[number] else { continue }
            looked += 1
            if isLate(chunk, isIdle: isIdle) { late.append(number) }
        }
    }

    /// Whether what is missing at the receiver may soon keep us from sending: four round trips at the
    /// present rate would fill what it can hold, or half of that is used up.
    private var isHeldUp: Bool {
        guard nextUnsent < nextChunk, let next = chunks[nextUnsent] else { return false }
        let rate = lanes.reduce(0) { $0 + ($1.state == .open ? $1.path.bytesPerSecond ?? 0 : 0) }
        let need = min(1e15, rate * typicalRoundTrip.seconds * 4)
        let reserve = min(configuration.window / 2, Int(need))
        return limit < next.position || limit - next.position < UInt64(reserve)
    }

    /// With nothing else to do a lane helps as soon as the time that was expected is over. While all
    /// lanes are busy a copy costs as much as it brings; it is worth that only when another lane
    /// has taken several times as long and the receiver's window is about to be full of it.
    private func isLate(_ chunk: OutgoingChunk, isIdle: Bool) -> Bool {
        guard let lane = chunk.copy ?? chunk.lane else { return false }
        let expected = chunk.due - chunk.sentAt
        let roundTrip = lanes[lane].path.roundTrip ?? typicalRoundTrip
        let patience =
            isIdle ? expected + roundTrip / 2 : expected * 4 + roundTrip * 2
        return now - chunk.sentAt > max(patience, .milliseconds(100))
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
            statistics.repeatedChunks += 1
            flush(index, into: &actions)
            return true
        }
        return false
    }

    // MARK: Silence

    /// A transfer whose streams are open and which gets no chunk across is over, too.
    mutating func checkProgress(into actions: inout Actions<BulkSender>) {
        guard chunks.base < nextUnsent else {
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
