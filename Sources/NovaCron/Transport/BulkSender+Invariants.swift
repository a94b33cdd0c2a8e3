import Machines

extension BulkSender {
    /// Checks that every held byte is accounted for exactly once.
    public func checkInvariants() {
        notes.checkInvariants()
        guard phase != .failed else { return }
        precondition(nextUnsent <= nextChunk, "sent \(nextUnsent) of \(nextChunk) chunks")
        precondition(chunks.base <= nextUnsent, "window from \(chunks.base), sent \(nextUnsent)")
        var held = 0
        var waitingAgain = 0
        var carried = 0
        for number in chunks.base..<nextChunk {
            guard let chunk = chunks[number] else { continue }
            held += chunk.payload.count
            guard number < nextUnsent else { continue }
            if let lane = chunk.lane {
                carried += chunk.copy == nil ? 1 : 2
                precondition(chunk.copy != lane, "chunk \(number) is twice on lane \(lane)")
                if let copy = chunk.copy {
                    precondition(lanes[copy].carried.contains(number), "lane \(copy) lacks it")
                }
                precondition(lanes[lane].carried.contains(number), "lane \(lane) lacks \(number)")
            } else {
                waitingAgain += 1
                precondition(again.contains(number), "chunk \(number) is on no way")
            }
        }
        precondition(held == bufferedBytes, "holds \(held) bytes, counted \(bufferedBytes)")
        precondition(held <= configuration.sendBuffer, "holds \(held) bytes")
        precondition(waitingAgain == again.count, "\(again.count) chunks to repeat")
        precondition(
            carried == lanes.reduce(0) { $0 + $1.carried.count },
            "\(carried) chunks on lanes"
        )
        precondition(lanes.count <= TransportConfiguration.streamLimit, "\(lanes.count) lanes")
        precondition(
            copiedBytes <= Int(statistics.payloadBytes) / 16 + 8 * configuration.chunkSize,
            "\(copiedBytes) bytes were sent twice"
        )
        for lane in lanes {
            precondition(lane.credit >= 0, "credit \(lane.credit)")
            precondition(lane.outstanding >= 0, "outstanding \(lane.outstanding)")
            if lane.state == .leaving {
                precondition(lane.carried.isEmpty && lane.backlog.isEmpty, "a leaving lane carries")
            }
            if lane.state == .waiting || lane.state == .closed {
                precondition(lane.carried.isEmpty && lane.backlog.isEmpty, "a dead lane carries")
            }
        }
    }
}
