public import Units

/// Which waiting packet leaves a queue next, and which are dropped or marked before it is full.
public enum QueueDiscipline: Hashable, Sendable {
    /// First in, first out; a packet that does not fit is dropped.
    case dropTail
    /// One queue that drops or marks while packets wait too long (RFC 8289).
    case coDel(ControlledDelay)
    /// A queue a flow, served in turn, each with CoDel of its own (RFC 8290).
    case fairCoDel(FairQueueing, ControlledDelay)
    /// A queue a flow, served in turn by deficit round robin (Shreedhar and Varghese, SIGCOMM
    /// 1995), with RFC 8290's preference for new flows and no early drops.
    case fair(FairQueueing)
}

/// When CoDel drops (Nichols and Jacobson, RFC 8289).
public struct ControlledDelay: Hashable, Sendable {
    /// The waiting time that is tolerated to stand.
    public var target: Interval
    /// How long it may stand above the target before something is dropped; in the order of the
    /// largest usual round trip.
    public var interval: Interval
    /// Mark packets of senders that understand marks instead of dropping them (RFC 3168).
    public var marks: Bool

    public init(
        target: Interval = .milliseconds(5),
        interval: Interval = .milliseconds(100),
        marks: Bool = false
    ) {
        self.target = target
        self.interval = interval
        self.marks = marks
    }
}

/// How flows take turns (RFC 8290, section 4).
public struct FairQueueing: Hashable, Sendable {
    /// Bytes a flow may send in a turn.
    public var quantum: Int
    /// Number of queues that flows are hashed to, in 1...65,536; flows that share one are one flow.
    public var queues: Int

    public init(quantum: Int = 1514, queues: Int = 1024) {
        self.quantum = quantum
        self.queues = queues
    }
}
