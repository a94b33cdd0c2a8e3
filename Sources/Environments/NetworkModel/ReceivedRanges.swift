import Units

/// What arrived beyond a gap: sorted, disjoint ranges, and which changed last, for selective
/// acknowledgements (RFC 2018, section 4: the first block holds the latest segment).
struct ReceivedRanges {
    struct Span: BitwiseCopyable {
        var start: Int64
        var end: Int64
    }

    private(set) var spans: [Span] = []
    /// The latest spans, newest first, at most three.
    private var recent: [Span] = []

    var isEmpty: Bool { spans.isEmpty }

    /// Adds a range, joined with those it touches.
    mutating func insert(_ start: Int64, _ end: Int64) {
        var low = firstIndex(endingAtOrAfter: start)
        var merged = Span(start: start, end: end)
        let place = low
        while low < spans.count, spans[low].start <= end {
            merged.start = min(merged.start, spans[low].start)
            merged.end = max(merged.end, spans[low].end)
            low += 1
        }
        if low == place {
            spans.insert(merged, at: place)
        } else {
            spans[place] = merged
            if low > place + 1 { spans.removeSubrange(place + 1..<low) }
        }
        recent.removeAll { $0.start <= merged.end && merged.start <= $0.end }
        recent.insert(merged, at: 0)
        if recent.count > 3 { recent.removeLast() }
    }

    /// Whether adding this range changes a block that the next acknowledgement would not report, or
    /// pushes one out, so that one that waits must leave before (`tcp_sack_new_ofo_skb`).
    func forgetsBlock(_ start: Int64, _ end: Int64) -> Bool {
        for index in recent.indices where recent[index].start <= end && start <= recent[index].end {
            return index >= 2
        }
        return recent.count >= 3
    }

    /// Takes the ranges that `next` has reached and gives the new end of what is contiguous.
    mutating func absorb(upTo next: Int64) -> Int64 {
        var reached = next
        var taken = 0
        while taken < spans.count, spans[taken].start <= reached {
            reached = max(reached, spans[taken].end)
            taken += 1
        }
        if taken > 0 {
            spans.removeFirst(taken)
            recent.removeAll { $0.end <= reached }
        }
        return reached
    }

    /// The blocks to report, relative to the acknowledged offset.
    func blocks(after acknowledgement: Int64) -> Packet.SackBlocks {
        var blocks = Packet.SackBlocks()
        if !recent.isEmpty { blocks.first = block(0, acknowledgement) }
        if recent.count > 1 { blocks.second = block(1, acknowledgement) }
        if recent.count > 2 { blocks.third = block(2, acknowledgement) }
        return blocks
    }

    private func block(_ index: Int, _ base: Int64) -> Packet.SackBlocks.Block {
        Packet.SackBlocks.Block(
            start: UInt32(recent[index].start - base),
            end: UInt32(recent[index].end - base)
        )
    }

    private func firstIndex(endingAtOrAfter offset: Int64) -> Int {
        var low = 0
        var high = spans.count
        while low < high {
            let middle = (low + high) / 2
            if spans[middle].end < offset { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
