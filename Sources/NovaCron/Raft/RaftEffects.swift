public import Machines
public import Units

/// A timer of `RaftCore`.
public enum RaftTimer: UInt8, Hashable, Sendable {
    case election
    case heartbeat
}

/// One thing that `RaftCore` wants its parent to do, in order.
public enum RaftEffect: Sendable {
    case send(RaftMessage, to: NodeID)
    /// Sets the timer, or moves it.
    case setTimer(RaftTimer, at: Instant)
    case cancelTimer(RaftTimer)
    case persist([RaftRecord], id: WriteID)
    /// Give a committed entry to the state machine. Every index comes once and in order, except
    /// after `restore`, and until the first command that was withheld from a witness.
    case apply(LogEntry, index: LogIndex)
    /// Replace the state machine by this state; the next entry applied follows it.
    case restore(SnapshotPoint, state: Bytes)
    /// A read that was asked for may be answered from the state as it is now.
    case readReady(UInt64)
    /// A read that was asked for will not be confirmed; it may be asked again.
    case readFailed(UInt64)
    /// The node became or ceased to be leader.
    case leadership(isLeader: Bool, term: Term)
    case report(RaftFact)
}

/// The reused buffer that `RaftCore` appends its effects to.
public struct RaftEffects: Sendable {
    public private(set) var elements: [RaftEffect] = []

    public init() {}

    public var isEmpty: Bool { elements.isEmpty }

    public mutating func append(_ effect: RaftEffect) { elements.append(effect) }

    public mutating func removeAll() {
        // One by one: see `Actions.removeAll`.
        while elements.popLast() != nil {}
    }

    mutating func send(_ message: RaftMessage, to peer: NodeID) {
        elements.append(.send(message, to: peer))
    }
    mutating func report(_ fact: RaftFact) { elements.append(.report(fact)) }
}
