public import Measurements
public import Units

/// The promises of Raft that are checked after every observation. The first five are figure 3 of
/// Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm" (2014).
public enum RaftRule: String, Hashable, Sendable, CaseIterable {
    /// At most one leader a term.
    case electionSafety = "election-safety"
    /// A leader never overwrites or deletes entries of its log.
    case leaderAppendOnly = "leader-append-only"
    /// Entries with equal index and term are equal, and so is everything before them.
    case logMatching = "log-matching"
    /// What is committed is in the log of every later leader.
    case leaderCompleteness = "leader-completeness"
    /// No two nodes apply different entries at one index, and each applies in order.
    case stateMachineSafety = "state-machine-safety"
    /// What becomes committed is in the logs of a majority of voters, in a joint phase of both.
    case quorumLog = "quorum-log"
    /// What becomes committed is durable at such a majority, with group commit in two zones, and never
    /// disappears from a log.
    case committedIsDurable = "committed-is-durable"
    /// A leader commits by counting only entries of its own term (section 5.4.2).
    case commitsOwnTerm = "commits-own-term"
    /// A node votes for one candidate a term, restarts included.
    case oneVoteATerm = "one-vote-a-term"
    /// After a restart a node has what was durable, and nothing that it had durably thrown away.
    case recoversItsLog = "recovers-its-log"
    /// A leader changes the membership only after a commit of its own term, and after the change
    /// before is committed (Ongaro, "bug in single-server membership changes", raft-dev, 2015).
    case changesInOrder = "changes-in-order"
    /// A node goes by the latest membership in its log; where that is committed, or comes with a
    /// snapshot, it is the same on all nodes (dissertation, section 4.1).
    case membershipOfLog = "membership-of-log"
}

/// One broken promise.
public struct RaftViolation: Hashable, Sendable {
    public var rule: RaftRule
    public var time: Instant
    public var node: NodeID
    /// The log indices that it is about, in ascending order; empty for elections and votes.
    public var indices: [UInt64]
    /// What happened, in one sentence.
    public var sentence: String
    /// Rule and kind of the violation without anything that differs from seed to seed, for
    /// grouping.
    public var signature: String

    /// The violation as records of runs keep it.
    public var recorded: Violation {
        Violation(time: time, message: "\(rule.rawValue): \(sentence)")
    }
}

/// What can go wrong, one case a signature.
enum RaftFault: String {
    case twoLeaders = "two leaders in one term"
    case leaderTruncated = "a leader threw entries away"
    case leaderOverwrote = "a leader appended inside its log"
    case gap = "an entry was appended beyond the end of the log"
    case differentEntry = "equal index and term, different entries"
    case differentPast = "equal index and term, different predecessors"
    case leaderLacksCommitted = "a leader lacks a committed entry"
    case leaderDiffers = "a leader has another entry where one is committed"
    case appliedDifferently = "different entries applied at one index"
    case appliedOutOfOrder = "applied out of order"
    case appliedUncommitted = "applied before it was committed"
    case committedDifferently = "different entries committed at one index"
    case committedBeyondLog = "committed beyond the end of the log"
    case noQuorumHasIt = "committed without a majority that has the entry"
    case noQuorumPersisted = "committed without a majority that has it on disk"
    case oneZoneHasIt = "committed while all copies on disk were in one zone"
    case committedTruncated = "a committed entry was thrown away"
    case otherTerm = "an entry of an earlier term was committed by counting"
    case votedTwice = "two votes in one term"
    case lostDurable = "durable entries were gone after a restart"
    case cameBack = "entries that had been durably thrown away came back"
    case neverHad = "a log was recovered that the node never had"
    case termWentBack = "the term was lower after a restart than at the last vote"
    case changedBeforeCommit = "the membership was changed before a commit of the leader's own term"
    case changedTwice = "the membership was changed before the last change was committed"
    case membershipGone = "a membership stayed in effect when its entry was gone"
    case membershipDiffers = "another membership where one is committed"

    var rule: RaftRule {
        switch self {
        case .twoLeaders: .electionSafety
        case .leaderTruncated, .leaderOverwrote: .leaderAppendOnly
        case .gap, .differentEntry, .differentPast: .logMatching
        case .leaderLacksCommitted, .leaderDiffers: .leaderCompleteness
        case .appliedDifferently, .appliedOutOfOrder, .appliedUncommitted, .committedDifferently:
            .stateMachineSafety
        case .committedBeyondLog, .noQuorumHasIt: .quorumLog
        case .noQuorumPersisted, .oneZoneHasIt, .committedTruncated: .committedIsDurable
        case .otherTerm: .commitsOwnTerm
        case .votedTwice, .termWentBack: .oneVoteATerm
        case .lostDurable, .cameBack, .neverHad: .recoversItsLog
        case .changedBeforeCommit, .changedTwice: .changesInOrder
        case .membershipGone, .membershipDiffers: .membershipOfLog
        }
    }

    var signature: String { "\(rule.rawValue): \(rawValue)" }
}
