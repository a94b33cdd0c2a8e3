import Machines

/// The bytes one side wrote and the peer has not acknowledged, as the chunks that were written.
///
/// The only place where payload lives: packets name ranges of it, and the receiver gets slices.
struct SendBuffer {
    /// Stream offset of the first chunk still held.
    private(set) var start: Int64 = 0
    /// Stream offset after the last byte written.
    private(set) var end: Int64 = 0
    private var chunks: [Bytes] = []
    /// Chunks before this index were released.
    private var head = 0
    /// Where the next in-order delivery begins: chunk index and its stream offset.
    private var cursor = 0
    private var cursorOffset: Int64 = 0

    mutating func append(_ bytes: Bytes) {
        guard !bytes.isEmpty else { return }
        chunks.append(bytes)
        end += Int64(bytes.count)
    }

    /// Hands `[from, to)` to `body` in slices of the chunks. Ranges must follow each other.
    @inline(__always)
    mutating func deliver(from: Int64, to: Int64, _ body: (Bytes) -> Void) {
        precondition(
            from >= start && to <= end,
            "bytes \(from)..<\(to) are not in \(start)..<\(end)"
        )
        var position = from
        while position < to {
            let length = Int64(chunks[cursor].count)
            if position >= cursorOffset + length {
                cursorOffset += length
                cursor += 1
                continue
            }
            let stop = min(to, cursorOffset + length)
            let base = chunks[cursor].startIndex
            let lower = base + Int(position - cursorOffset)
            body(chunks[cursor][lower..<(base + Int(stop - cursorOffset))])
            position = stop
        }
    }

    /// Releases every chunk that lies before `offset` and was delivered.
    @inline(__always)
    mutating func release(upTo offset: Int64) {
        while head < chunks.count {
            let length = Int64(chunks[head].count)
            guard start + length <= offset else { break }
            if cursor == head {
                cursor += 1
                cursorOffset += length
            }
            chunks[head] = []
            head += 1
            start += length
        }
        if head >= 64, head * 2 >= chunks.count { compact() }
    }

    private mutating func compact() {
        chunks.removeFirst(head)
        cursor -= head
        head = 0
    }

    mutating func removeAll() { self = SendBuffer() }
}
