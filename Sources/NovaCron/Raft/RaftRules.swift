public import Units

/// The decisions in which implementations of Raft have gone wrong, each as one small function.
///
/// The defaults are the protocol. A laboratory plants a known defect by overriding one of them, and so
/// measures whether its checkers notice. `RaftCore` is generic over its rules: calls are dispatched
/// statically and inlined, `StandardRules` is empty, and the shipped program contains nothing else.
public protocol RaftRules: Sendable {
    /// A leader counts replicas for entries of its own term only (Ongaro and Ousterhout, "In Search
    /// of an Understandable Consensus Algorithm", 2014, section 5.4.2).
    func mayCommitByCounting(entryTerm: Term, currentTerm: Term) -> Bool
    /// Term and vote are part of what a node makes durable (figure 2, persistent state).
    var keepsHardState: Bool { get }
    /// Entries that the log already has are left alone; only a conflict truncates (figure 2,
    /// AppendEntries steps 3 and 4).
    var truncatesOnlyAtConflict: Bool { get }
    /// At a conflict everything behind it goes too.
    var dropsConflictingTail: Bool { get }
    /// What a follower may commit after an append: never beyond what it has verified (figure 2,
    /// AppendEntries step 5).
    func followerCommit(leaderCommit: LogIndex, lastVerified: LogIndex) -> LogIndex
    /// A leader reads only after a commit of its own term (dissertation, section 6.4, step 1).
    func mayRead(committedInOwnTerm: Bool) -> Bool
    /// A round of heartbeats confirms the reads that were there before it was sent.
    func confirms(answered: UInt64, needed: UInt64) -> Bool
    /// Reads wait for a quorum that still follows the leader.
    var confirmsReads: Bool { get }
    /// The end of a lease that a voter gave by answering a heartbeat: from when it was sent, less what
    /// clocks may differ.
    func leaseEnd(
        sent: Instant,
        answered: Instant,
        timeout: Interval,
        timeoutLimit: Interval,
        drift: Ratio
    ) -> Instant
    /// Section 5.4.1: the later last term wins, then the longer log.
    func isUpToDate(
        lastTerm: Term,
        lastIndex: LogIndex,
        ownTerm: Term,
        ownIndex: LogIndex
    ) -> Bool
    /// Each voter counts once, however often it answers.
    var countsVotersOnce: Bool { get }
    /// A truncated membership entry gives way to the one before it.
    var rollsBackMembership: Bool { get }
    /// Single-step changes wait for a commit of the leader's term (Ongaro, "bug in single-server
    /// membership changes", raft-dev, 2015).
    func mayChangeMembership(committedInOwnTerm: Bool) -> Bool
    /// In a joint phase both majorities decide.
    var outgoingVotersCount: Bool { get }
    /// Entries behind a snapshot stay when the log agrees with it (section 7), and only then.
    func keepsEntriesBehindSnapshot(matching: Bool) -> Bool
    /// The membership of a snapshot takes the place of the log's.
    var adoptsMembershipOfSnapshot: Bool { get }
    /// Whether entries behind a snapshot stay when a node recovers its own records.
    func recoversEntriesBehindSnapshot(matching: Bool) -> Bool
    /// Records of entries end the log that was recovered before them.
    var recoveryTruncates: Bool { get }
    /// An answer that promises durability waits for it.
    var answersWaitForDurability: Bool { get }
    /// A repeated command of a client session is recognised, whichever leader took the first one
    /// (dissertation, section 6.3).
    func recognisesRetry(appliedIn: Term, repeatedIn: Term) -> Bool
    /// Candidates ask before they disturb, and voters that hear a leader turn them away
    /// (dissertation, sections 4.2.3 and 9.6).
    var asksBeforeElection: Bool { get }
    /// A leader without a quorum gives up (dissertation, section 6.2).
    var checksQuorum: Bool { get }
}

extension RaftRules {
    public func mayCommitByCounting(entryTerm: Term, currentTerm: Term) -> Bool {
        entryTerm == currentTerm
    }
    public var keepsHardState: Bool { true }
    public var truncatesOnlyAtConflict: Bool { true }
    public var dropsConflictingTail: Bool { true }
    public func followerCommit(leaderCommit: LogIndex, lastVerified: LogIndex) -> LogIndex {
        min(leaderCommit, lastVerified)
    }
    public func mayRead(committedInOwnTerm: Bool) -> Bool { committedInOwnTerm }
    public func confirms(answered: UInt64, needed: UInt64) -> Bool { answered >= needed }
    public var confirmsReads: Bool { true }
    public func leaseEnd(
        sent: Instant,
        answered: Instant,
        timeout: Interval,
        timeoutLimit: Interval,
        drift: Ratio
    ) -> Instant {
        sent + timeout.scaled(by: 1 - drift.value)
    }
    public func isUpToDate(
        lastTerm: Term,
        lastIndex: LogIndex,
        ownTerm: Term,
        ownIndex: LogIndex
    ) -> Bool {
        lastTerm > ownTerm || (lastTerm == ownTerm && lastIndex >= ownIndex)
    }
    public var countsVotersOnce: Bool { true }
    public var rollsBackMembership: Bool { true }
    public func mayChangeMembership(committedInOwnTerm: Bool) -> Bool { committedInOwnTerm }
    public var outgoingVotersCount: Bool { true }
    public func keepsEntriesBehindSnapshot(matching: Bool) -> Bool { matching }
    public func recoversEntriesBehindSnapshot(matching: Bool) -> Bool { matching }
    public var adoptsMembershipOfSnapshot: Bool { true }
    public var recoveryTruncates: Bool { true }
    public var answersWaitForDurability: Bool { true }
    public func recognisesRetry(appliedIn: Term, repeatedIn: Term) -> Bool { true }
    public var asksBeforeElection: Bool { true }
    public var checksQuorum: Bool { true }
}

/// The protocol as it is meant.
public struct StandardRules: RaftRules, Hashable {
    public init() {}
}
