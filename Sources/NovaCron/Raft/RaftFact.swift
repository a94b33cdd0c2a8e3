public import Units

/// What a replica reports about itself to those who check it: nothing in here steers the protocol.
///
/// Facts come in the order in which they happened on the node. After a restart `restarted` is the
/// first one, and tells what the node still knows.
public enum RaftFact: Hashable, Sendable, Codable {
    /// The node lives again, or for the first time, with this much of its past.
    // Rare, and large: out of line, so that facts are small to move.
    indirect case restarted(
        term: Term,
        vote: NodeID?,
        snapshot: LogIndex,
        lastIndex: LogIndex,
        lastTerm: Term
    )
    /// The node entered a term, as follower, candidate or leader.
    case enteredTerm(Term)
    case becameFollower(term: Term, leader: NodeID?)
    case becamePreCandidate(term: Term)
    case becameCandidate(term: Term)
    case becameLeader(term: Term, lastIndex: LogIndex)
    /// A leader gave up its office.
    case steppedDown(term: Term, StepDownReason)
    /// The node promised its vote; what was promised is durable.
    case voted(term: Term, for: NodeID)
    /// An entry joined the node's log in memory. `commandDigest` is `LogEntry.digest`.
    case appended(index: LogIndex, term: Term, digest: UInt64)
    /// Entries from here to the end were thrown away as conflicting.
    case truncated(from: LogIndex)
    /// Everything up to this index, whose entry has this term, is durable on this node.
    case durable(index: LogIndex, term: Term)
    /// The node knows entries up to here to be committed.
    case committed(index: LogIndex)
    /// A committed entry was handed to the state machine; a witness, which has none, went past it. Without
    /// `RaftConfiguration.reportsEntries` the last of those that were handed over together.
    case applied(index: LogIndex, term: Term, digest: UInt64)
    /// A membership came into effect, by an entry, a snapshot or a rollback.
    indirect case membership(index: LogIndex, Membership)
    case snapshotTaken(index: LogIndex, term: Term)
    /// The log and state were replaced by a leader's snapshot.
    case snapshotInstalled(index: LogIndex, term: Term)
    /// A read was allowed to see the state at `index` or later. `lease` tells which way it was
    /// confirmed.
    case readServed(index: LogIndex, lease: Bool)
    case transferStarted(to: NodeID, term: Term)
    case transferEnded(to: NodeID, term: Term, succeeded: Bool)
    /// The node met something that correct peers and disks cannot cause; it refused to go along.
    case contradiction(Contradiction)

    public enum StepDownReason: UInt8, Hashable, Sendable, CaseIterable, Codable {
        case higherTerm
        /// CheckQuorum: too few voters were heard within an election timeout.
        case quorumLost
        case removed
    }

    public enum Contradiction: Hashable, Sendable, Codable {
        /// A leader's entry conflicts with one that this node knows to be committed.
        case committedEntryConflicts(index: LogIndex)
        /// Two leaders of one term.
        case twoLeaders(term: Term, NodeID, NodeID)
        /// Durable records do not fit together: entries are missing below this one.
        case recordsDoNotFit(index: LogIndex)
        /// A leader's entries have terms that fall, or exceed its own.
        case termsOutOfOrder(index: LogIndex)
        /// The membership in effect is that of an entry that the log no longer has.
        case membershipBeyondLog(index: LogIndex)
    }
}
