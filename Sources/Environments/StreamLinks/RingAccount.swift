/// The sender's account of a ring in the peer's memory that it fills by RDMA writes.
///
/// Places are counted from the link's start and never repeat; a place modulo the length is an offset.
/// The sender's own copy of the ring has the same offsets, so a place is free again once the peer has
/// taken the bytes **and** the write of them has completed here: until then the device may read it.
package struct RingAccount: Hashable, Sendable {
    package let length: Int
    /// Bytes placed since the start.
    package private(set) var placed = 0
    /// Of those, bytes whose write has completed.
    package private(set) var completed = 0
    /// Of those, bytes that the peer says it has taken.
    package private(set) var taken = 0

    package init(length: Int) {
        precondition(length > 0, "a ring of \(length) bytes")
        self.length = length
    }

    /// Bytes that may be placed now.
    package var free: Int { length - (placed - min(completed, taken)) }

    /// Where the next bytes go, and how many fit there in one piece.
    package var next: (offset: Int, contiguous: Int) {
        let offset = placed % length
        return (offset, min(free, length - offset))
    }

    package mutating func place(_ count: Int) {
        precondition(count > 0 && count <= next.contiguous, "\(count) bytes placed at \(next)")
        placed += count
    }

    package mutating func complete(_ count: Int) {
        precondition(completed + count <= placed, "\(count) bytes completed of \(self)")
        completed += count
    }

    /// Takes the peer's count of bytes that it has taken since the start; false when it cannot be.
    package mutating func take(upTo count: UInt64) -> Bool {
        guard count >= taken, count <= placed else { return false }
        taken = Int(count)
        return true
    }
}

/// The sender's account of receives that the peer has posted. Each message uses one up; the peer
/// posts it again and says so with its next message.
package struct MessageAccount: Hashable, Sendable {
    /// Receives that the peer keeps posted.
    package let limit: Int
    /// Kept back for messages that only return credit: without it both sides could wait for each
    /// other's.
    package static let reserve = 4
    package private(set) var sent = 0
    package private(set) var taken = 0

    package init(limit: Int) {
        precondition(limit > MessageAccount.reserve, "\(limit) receives")
        self.limit = limit
    }

    package var inFlight: Int { sent - taken }
    package var maySend: Bool { inFlight < limit - MessageAccount.reserve }
    package var mayReturnCredit: Bool { inFlight < limit }

    package mutating func send() {
        precondition(mayReturnCredit, "a message beyond the credit: \(self)")
        sent += 1
    }

    /// Takes the peer's count of messages since the start; false when it cannot be.
    package mutating func take(upTo count: UInt64) -> Bool {
        guard count >= taken, count <= sent else { return false }
        taken = Int(count)
        return true
    }
}
