import Determinism
import Glibc
public import Machines
public import Units

/// One end of a transfer over ordinary byte streams, as a copy program makes it: the sender writes
/// its share on each of some streams and finishes them, the receiver compares every byte.
///
/// No frames, checksums or acknowledgements of its own: what is measured is the streams.
public struct TransferNode: Machine {
    public enum Event: Sendable, Hashable, Codable {
        /// A stream has brought its whole share, and each byte was the one that was sent.
        case completed(stream: UInt32, bytes: Int64)
        /// A stream has brought another byte than was sent, or another number of them.
        case differed(stream: UInt32, offset: Int64)
        /// A stream is gone before its end.
        case lost(stream: UInt32)
    }

    /// One stream at either end.
    private struct Lane {
        /// Bytes written, or received.
        var offset: Int64 = 0
        var credit = 0
        /// Bytes read and not yet granted again.
        var ungranted = 0
        var isOver = false
    }

    private let node: NodeID
    private let plan: TransferPlan
    private let content: TransferContent
    private var lanes: [Lane]

    public init(_ birth: Birth<TransferNode>, plan: TransferPlan, content: TransferContent) {
        node = birth.node
        self.plan = plan
        self.content = content
        lanes = Array(repeating: Lane(), count: plan.streams)
    }

    public mutating func step(
        _ input: Input<TransferNode>,
        at now: Instant,
        into actions: inout Actions<TransferNode>
    ) {
        switch input {
        case .started:
            guard node == plan.sender else { return }
            for number in 0..<UInt32(plan.streams) {
                let stream = StreamID(opener: node, number: number)
                actions.openStream(stream, to: plan.receiver, plan.options)
            }
        case .writable(let stream, let credit):
            guard node == plan.sender, let index = index(of: stream) else { return }
            lanes[index].credit = credit
            fill(index, stream, into: &actions)
        case .readable(let stream, let bytes):
            guard let index = index(of: stream) else { return }
            take(bytes, index, stream, into: &actions)
        case .finished(let stream):
            guard let index = index(of: stream), !lanes[index].isOver else { return }
            guard node == plan.receiver else { return }
            lanes[index].isOver = true
            let number = stream.number
            if lanes[index].offset == plan.share(of: index) {
                actions.emit(.completed(stream: number, bytes: lanes[index].offset))
            } else {
                actions.emit(.differed(stream: number, offset: lanes[index].offset))
            }
            actions.finish(stream)
        case .reset(let stream, _):
            guard let index = index(of: stream), !lanes[index].isOver else { return }
            lanes[index].isOver = true
            actions.emit(.lost(stream: stream.number))
        case .streamOpened, .path, .requested, .received, .fired, .persisted, .computed:
            break
        }
    }

    private func index(of stream: StreamID) -> Int? {
        guard stream.opener == plan.sender, stream.number < UInt32(lanes.count) else { return nil }
        return Int(stream.number)
    }

    private mutating func fill(
        _ index: Int,
        _ stream: StreamID,
        into actions: inout Actions<TransferNode>
    ) {
        guard !lanes[index].isOver else { return }
        let share = plan.share(of: index)
        // Each turn writes up to a block; credit is bounded by the medium's send buffer.
        while lanes[index].credit > 0, lanes[index].offset < share {
            let limit = min(Int64(lanes[index].credit), share - lanes[index].offset)
            let bytes = content.bytes(of: index, from: lanes[index].offset, limit: Int(limit))
            actions.write(stream, bytes)
            lanes[index].credit -= bytes.count
            lanes[index].offset += Int64(bytes.count)
        }
        guard lanes[index].offset == share else { return }
        lanes[index].isOver = true
        actions.finish(stream)
    }

    private mutating func take(
        _ bytes: Bytes,
        _ index: Int,
        _ stream: StreamID,
        into actions: inout Actions<TransferNode>
    ) {
        guard node == plan.receiver, !lanes[index].isOver else { return }
        let fits = lanes[index].offset + Int64(bytes.count) <= plan.share(of: index)
        guard fits, content.holds(bytes, of: index, from: lanes[index].offset) else {
            lanes[index].isOver = true
            actions.emit(.differed(stream: stream.number, offset: lanes[index].offset))
            actions.reset(stream)
            return
        }
        lanes[index].offset += Int64(bytes.count)
        lanes[index].ungranted += bytes.count
        guard lanes[index].ungranted * 4 >= plan.options.receiveCredit else { return }
        actions.grant(stream, bytes: lanes[index].ungranted)
        lanes[index].ungranted = 0
    }
}

/// Who sends how much to whom, over how many streams.
public struct TransferPlan: Sendable {
    public var sender: NodeID
    public var receiver: NodeID
    public var amount: Int64
    /// 1...256.
    public var streams: Int
    public var options: StreamOptions

    /// What a stream carries: equal shares, the first ones a byte more.
    func share(of index: Int) -> Int64 {
        amount / Int64(streams) + (Int64(index) < amount % Int64(streams) ? 1 : 0)
    }
}

/// What the streams of a transfer carry: seeded noise, over and over, each stream from another place.
public struct TransferContent: Sendable {
    /// A prime, so that a misplaced slice differs.
    private static let size = 8_388_593
    private let block: [UInt8]

    public init(seed: UInt64) {
        var random = SeededRandom(
            seed: seed,
            entity: EntityID(.experiment, 0),
            purpose: "transfer content"
        )
        let words = (0..<(TransferContent.size + 7) / 8).map { _ in random.next().littleEndian }
        block = words.withUnsafeBytes { Array($0.prefix(TransferContent.size)) }
    }

    private func place(of stream: Int, _ offset: Int64) -> Int {
        Int((offset + Int64(stream) * 1_000_003) % Int64(TransferContent.size))
    }

    /// The bytes from `offset` on, up to `limit` and the end of the block: a slice, nothing is copied.
    func bytes(of stream: Int, from offset: Int64, limit: Int) -> Bytes {
        let start = place(of: stream, offset)
        return block[start..<min(block.count, start + limit)]
    }

    /// Whether these are the stream's bytes from `offset` on. A slice of the block itself at the right
    /// place needs no look at its bytes.
    func holds(_ bytes: Bytes, of stream: Int, from offset: Int64) -> Bool {
        var rest = bytes
        var position = offset
        while !rest.isEmpty {
            let expected = self.bytes(of: stream, from: position, limit: rest.count)
            let found = rest.prefix(expected.count)
            let isEqual = found.withUnsafeBytes { left in
                expected.withUnsafeBytes { right in
                    left.baseAddress == right.baseAddress
                        || memcmp(left.baseAddress!, right.baseAddress!, right.count) == 0
                }
            }
            guard isEqual else { return false }
            rest = rest.dropFirst(expected.count)
            position += Int64(expected.count)
        }
        return true
    }
}
