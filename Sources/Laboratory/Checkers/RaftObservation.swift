public import Units

/// What one replica of a Raft group tells about itself, in the order in which it happened there.
///
/// This is the checker's own vocabulary: it knows nothing of the implementation, so that other
/// implementations can be held against the same rules. Indices and terms count from one; zero is
/// the empty log. A digest stands for an entry's command.
public enum RaftObservation: Hashable, Sendable {
    /// The node begins to live, for the first time or again, with what its disk held: the last
    /// vote's or message's term, a snapshot up to an index, and entries up to `last`.
    case recovered(
        term: UInt64,
        snapshot: UInt64,
        snapshotTerm: UInt64?,
        last: UInt64,
        lastTerm: UInt64
    )
    /// The process is gone; what was not durable is lost.
    case crashed
    /// A fault of the disk took some or all of what was durable there, votes too: the next recovery may
    /// find any of it, and what follows is the fault's doing until others are harmed by it.
    case lostDurable
    /// The node goes by this term from now on.
    case enteredTerm(UInt64)
    /// The node promised its vote, durably.
    case voted(term: UInt64, candidate: NodeID)
    case becameLeader(term: UInt64)
    /// The node leads no longer: it gave up, or met a higher term.
    case ceasedToLead
    case appended(index: UInt64, term: UInt64, digest: UInt64)
    /// Entries from this index on were thrown away.
    case truncated(from: UInt64)
    /// Everything up to this index is durable; the entry there has this term.
    case persisted(index: UInt64, term: UInt64)
    /// The node knows everything up to this index to be committed.
    case committed(index: UInt64)
    case applied(index: UInt64, term: UInt64, digest: UInt64)
    /// The membership that the node goes by from now on, and the index of the entry or snapshot that
    /// it comes from; `outgoing` only in a joint phase. `witnesses` are those of the voters that hold
    /// no commands.
    case configuration(
        index: UInt64 = 0,
        voters: [NodeID],
        outgoing: [NodeID],
        learners: [NodeID] = [],
        witnesses: [NodeID] = []
    )
    /// The node has put everything up to this index into a snapshot of its own.
    case snapshotTaken(index: UInt64, term: UInt64)
    /// A leader's snapshot replaced the node's state up to this index; durable with the next
    /// `persisted` that reaches it.
    case snapshotInstalled(index: UInt64, term: UInt64)
}
