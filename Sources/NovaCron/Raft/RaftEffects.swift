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
    // Out of line: it would make every effect as large as itself.
    indirect case restore(SnapshotPoint, state: Bytes)
    /// A read that was asked for may be answered from the state as it is now.
    case readReady(UInt64)
    /// A read that was asked for will not be confirmed; it may be asked again.
    case readFailed(UInt64)
    /// The node became or ceased to be leader.
    case leadership(isLeader: Bool, term: Term)
    case report(RaftFact)
}

/// The reused buffer that `RaftCore` appends its effects to; like `Actions`, it is emptied by moving them
/// out.
public struct RaftEffects: Sendable {
    private var waiting = MoveQueue<RaftEffect>()

    public init() {}

    public var isEmpty: Bool { waiting.isEmpty }
    /// Copies of all effects that were not moved out, in order.
    public var elements: [RaftEffect] { waiting.elements }

    public mutating func append(_ effect: consuming RaftEffect) { waiting.append(effect) }

    public mutating func removeAll() { waiting.removeAll() }

    /// Moves the first effect out; `nil` when there is none.
    public mutating func popFirst() -> RaftEffect? { waiting.popFirst() }

    mutating func send(_ message: consuming RaftMessage, to peer: NodeID) {
        waiting.append(.send(message, to: peer))
    }
    mutating func report(_ fact: consuming RaftFact) { waiting.append(.report(fact)) }
}
