/// A way in which implementations of Raft were wrong, to be planted and found.
///
/// Where a defect shipped, the case says so; the others are the protocol's own warnings.
public enum RaftDefect: String, Hashable, Sendable, CaseIterable {
    /// A leader counts replicas of entries of earlier terms (figure 8 of the Raft paper).
    case commitsEarlierTerm = "commits-earlier-term"
    /// Term and vote are forgotten by a restart: two votes in a term.
    case forgetsVote = "forgets-vote"
    /// A delayed append truncates newer entries that match: the condition "if an existing entry
    /// conflicts" of figure 2 was left out. Shipped in akka-raft (issue 66, 2015) and openraft.
    case delayedAppendTruncates = "delayed-append-truncates"
    /// A conflicting entry is replaced and the tail behind it stays. In mofa's gateway (pull request
    /// 1151, 2026).
    case keepsConflictingTail = "keeps-conflicting-tail"
    /// A follower commits what the leader has committed, beyond what it has verified itself. Shipped in
    /// Atomix Copycat (issue 265, 2017) and openraft.
    case commitsUnverified = "commits-unverified"
    /// A new leader serves reads before it has committed in its own term. Shipped in etcd (issue 7331,
    /// 2017), in TiKV (issues 1632 and 9208), and, for want of a first entry, in Redis-Raft (pull
    /// request 22, 2020).
    case readsBeforeOwnCommit = "reads-before-own-commit"
    /// A late answer to an older heartbeat confirms a newer read.
    case lateAnswerConfirmsRead = "late-answer-confirms-read"
    /// A leader answers reads without asking anybody: a deposed one answers from the past. Shipped in
    /// etcd and Consul as the default ("Jepsen: etcd and Consul", 2014).
    case deposedLeaderReads = "deposed-leader-reads"
    /// A lease counts from the answer, for the longest timeout, as if clocks agreed. Leases that were
    /// too generous shipped in sofa-jraft (issue 25 and pull request 34, 2019).
    case leaseIgnoresClocks = "lease-ignores-clocks"
    /// The longer log wins an election, whatever its last term.
    case longerLogWins = "longer-log-wins"
    /// Votes are counted by message: a repeated one counts twice.
    case countsRepeatedVotes = "counts-repeated-votes"
    /// A truncated membership entry stays in effect. Shipped in rafter (pull request 34, 2015).
    case keepsTruncatedMembership = "keeps-truncated-membership"
    /// Single-step changes before a commit of the own term: two majorities that do not meet. In the
    /// dissertation's own algorithm until 2015 (Ongaro, raft-dev).
    case changesBeforeOwnCommit = "changes-before-own-commit"
    /// In a joint phase the new majority decides alone.
    case jointPhaseCountsOnce = "joint-phase-counts-once"
    /// A snapshot that disagrees with the log leaves the entries behind it, and the membership.
    case snapshotKeepsConflicts = "snapshot-keeps-conflicts"
    /// A snapshot takes entries with it that are behind it and acknowledged.
    case snapshotDropsSuffix = "snapshot-drops-suffix"
    /// Recovery brings truncated entries back.
    case recoveryResurrects = "recovery-resurrects"
    /// Appends are acknowledged before they are durable.
    case acknowledgesEarly = "acknowledges-early"
    /// A command that is repeated to a new leader is applied again, as wherever retries carry no
    /// session.
    case retryAppliedTwice = "retry-applied-twice"
    /// Neither PreVote nor CheckQuorum: a node with half a connection keeps the group from working.
    /// As at Cloudflare in November 2020 ("A Byzantine failure in the real world": etcd behind a switch
    /// that failed in part).
    case noElectionGuards = "no-election-guards"

    /// The number in the list of classic defects, from one.
    public var number: Int { RaftDefect.allCases.firstIndex(of: self)! + 1 }
}
