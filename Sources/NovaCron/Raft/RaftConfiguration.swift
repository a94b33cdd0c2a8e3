public import Units

/// How a replica behaves; equal on all replicas of a group except `priority`.
public struct RaftConfiguration: Hashable, Sendable {
    /// The least time without a leader before a follower stands for election. It is also how long a
    /// voter that hears a leader turns candidates away, and the base of leases.
    public var electionTimeout = Interval.milliseconds(1_000)
    /// Each timeout is drawn between `electionTimeout` and this.
    public var electionTimeoutLimit = Interval.milliseconds(2_000)
    public var heartbeat = Interval.milliseconds(100)
    /// Higher is preferred: each step below `priorityLimit` adds `priorityDelay` to every timeout
    /// (after sofa-jraft's election priority). Zero never stands for election.
    public var priority: UInt8 = 1
    public var priorityLimit: UInt8 = 1
    public var priorityDelay = Interval.milliseconds(500)

    /// Serve reads from a lease, without asking a quorum. Needs clocks whose rates differ by less
    /// than `clockDrift`, and no jumps backward; hence off.
    public var leaseReads = false
    /// The largest difference of two clocks' rates that leases allow for.
    public var clockDrift = Ratio(0.05)

    /// The zone of each node that has one. With voters in several zones an entry is committed only once
    /// voters of two of them hold it, beside the majority (group commit, after TiKV's raft-rs): the
    /// loss of a whole zone loses nothing, and while no second zone is reached nothing is committed.
    /// Empty switches it off. Witnesses count for the majority alone.
    public var zones: [NodeID: UInt32] = [:]

    /// Entries in one append message, and their bytes (one larger entry goes alone).
    public var appendEntries = 64
    public var appendBytes = ByteCount.kibibytes(16)
    /// Append messages on their way to one follower, and their bytes.
    public var inFlightMessages = 32
    public var inFlightBytes = ByteCount.mebibytes(1)
    /// Entries of the leader that are not committed; more proposals are refused.
    public var pendingProposals = 4_096
    public var pendingBytes = ByteCount.mebibytes(16)
    /// Reads that wait for a quorum or for the state machine; more are refused.
    public var pendingReads = 4_096
    /// Batches at the disk at once. What comes meanwhile goes into the next one together.
    public var writesInFlight = 2

    /// A snapshot is wanted when this many entries were applied since the last one, or twice as many
    /// while a follower receives it.
    public var snapshotInterval: UInt64 = 10_000
    /// Entries that stay in memory behind a snapshot, for followers that lag a little.
    public var trailingEntries: UInt64 = 1_000
    /// Whether facts tell of each entry that it was appended, became durable, was committed or applied, and of
    /// each read: what checkers need that compare logs, and nobody else. Otherwise they tell of the last of
    /// those that are applied together.
    public var reportsEntries = true
    /// Bytes of state in one message, at most `RaftMessage.chunkLimit`.
    public var snapshotChunk = ByteCount.kibibytes(16)
    /// The largest snapshot that is taken or accepted.
    public var snapshotLimit = ByteCount.mebibytes(64)

    public init() {}

    /// Traps for values that contradict each other: they are the operator's or the laboratory's own.
    public func checkBounds() {
        precondition(electionTimeout > .zero, "election timeout \(electionTimeout)")
        precondition(electionTimeoutLimit >= electionTimeout, "limit \(electionTimeoutLimit)")
        precondition(heartbeat > .zero && heartbeat < electionTimeout, "heartbeat \(heartbeat)")
        precondition(priority <= priorityLimit, "priority \(priority) of \(priorityLimit)")
        precondition(clockDrift.value >= 0 && clockDrift.value < 1, "drift \(clockDrift)")
        precondition(appendEntries > 0 && appendEntries <= RaftMessage.entryLimit)
        precondition(appendBytes > .zero && inFlightBytes > .zero && inFlightMessages > 0)
        precondition(pendingProposals > 0 && pendingReads > 0 && writesInFlight > 0)
        precondition(snapshotInterval > 0)
        precondition(snapshotChunk > .zero && snapshotChunk.bytes <= RaftMessage.chunkLimit)
        precondition(snapshotLimit.bytes <= RaftRecord.stateLimit)
    }
}

/// Why a replica does not do what it was asked.
public enum RaftRefusal: Error, Hashable, Sendable, Codable {
    /// Ask this node, if one is known.
    case notLeader(NodeID?)
    /// Too much is pending; ask again later.
    case busy
    /// The leader is handing over.
    case transferring
    /// A command beyond `LogEntry.commandLimit`.
    case tooLarge
    /// A membership change is not committed yet, or the leader has not committed in its own term.
    case changeInProgress
    case invalidMembership
    /// The target of a transfer is no voter, or the leader itself.
    case invalidTarget
    /// The leader lost its office before the answer was known.
    case leadershipLost
}
