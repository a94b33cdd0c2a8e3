import Machines

/// One direction each way of small control messages that are delivered once, in order and beside the
/// bulk: numbered, acknowledged cumulatively, sent again when their stream dies.
///
/// Bounds: at most `limit` notes unacknowledged in each direction, each at most
/// `FrameHeader.noteLimit` bytes.
struct NoteExchange: Sendable {
    /// Notes of ours that the peer has not acknowledged, oldest first.
    private(set) var outgoing: [Outgoing] = []
    private var firstOutgoing: UInt64 = 0
    /// Notes of the peer that arrived before an older one, by number.
    private var early: [(number: UInt64, bytes: Bytes)] = []
    /// The peer's next note.
    private(set) var expected: UInt64 = 0

    struct Outgoing: Sendable {
        let number: UInt64
        let bytes: Bytes
        /// The lane that carries it; `nil` while it waits for one.
        var lane: Int?
    }

    static let limit = 64

    init() {}

    var hasRoom: Bool { outgoing.count < NoteExchange.limit }
    var isSettled: Bool { outgoing.isEmpty }

    mutating func enqueue(_ bytes: Bytes) {
        precondition(hasRoom, "\(outgoing.count) notes are unacknowledged")
        precondition(bytes.count <= FrameHeader.noteLimit, "a note of \(bytes.count) bytes")
        let number = firstOutgoing + UInt64(outgoing.count)
        outgoing.append(Outgoing(number: number, bytes: bytes, lane: nil))
    }

    /// The oldest note that no lane carries.
    var firstWaiting: Outgoing? { outgoing.first { $0.lane == nil } }

    mutating func assign(_ number: UInt64, to lane: Int) {
        outgoing[Int(number - firstOutgoing)].lane = lane
    }

    func isCarried(by lane: Int) -> Bool { outgoing.contains { $0.lane == lane } }

    /// The lane is gone; what it carried waits again.
    mutating func laneLost(_ lane: Int) {
        for index in outgoing.indices where outgoing[index].lane == lane {
            outgoing[index].lane = nil
        }
    }

    /// The peer has everything below `next`; returns whether that is news.
    @discardableResult
    mutating func acknowledged(below next: UInt64) throws(TransportError) -> Bool {
        guard next <= firstOutgoing + UInt64(outgoing.count) else {
            throw .malformed("acknowledges note \(next), which was never sent")
        }
        guard next > firstOutgoing else { return false }
        outgoing.removeFirst(Int(next - firstOutgoing))
        firstOutgoing = next
        return true
    }

    /// A note arrived: appends to `ready` what can be delivered now, in order.
    mutating func received(
        _ number: UInt64,
        _ bytes: Bytes,
        ready: inout [Bytes]
    ) throws(TransportError) {
        guard number >= expected else { return }
        guard number - expected < UInt64(NoteExchange.limit) else { throw .windowExceeded }
        guard number == expected else {
            if !early.contains(where: { $0.number == number }) { early.append((number, bytes)) }
            return
        }
        ready.append(bytes)
        expected += 1
        while let index = early.firstIndex(where: { $0.number == expected }) {
            ready.append(early.remove(at: index).bytes)
            expected += 1
        }
    }

    func checkInvariants() {
        precondition(outgoing.count <= NoteExchange.limit, "\(outgoing.count) notes outgoing")
        precondition(early.count < NoteExchange.limit, "\(early.count) notes early")
        for (offset, note) in outgoing.enumerated() {
            precondition(note.number == firstOutgoing + UInt64(offset), "note \(note.number)")
        }
    }
}
