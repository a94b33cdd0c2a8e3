public import Raft
public import Units

/// The protocol with one defect, or with none.
///
/// For laboratories and tests only: the node that ships is built with `StandardRules`.
public struct DefectiveRules: RaftRules, Hashable {
    public let defect: RaftDefect?

    public init(_ defect: RaftDefect?) {
        self.defect = defect
    }

    private var standard: StandardRules { StandardRules() }

    public func mayCommitByCounting(entryTerm: Term, currentTerm: Term) -> Bool {
        defect == .commitsEarlierTerm
            || standard.mayCommitByCounting(entryTerm: entryTerm, currentTerm: currentTerm)
    }
    public var keepsHardState: Bool { defect != .forgetsVote }
    public var truncatesOnlyAtConflict: Bool { defect != .delayedAppendTruncates }
    public var dropsConflictingTail: Bool { defect != .keepsConflictingTail }
    public func followerCommit(leaderCommit: LogIndex, lastVerified: LogIndex) -> LogIndex {
        defect == .commitsUnverified
            ? leaderCommit
            : standard.followerCommit(leaderCommit: leaderCommit, lastVerified: lastVerified)
    }
    public func mayRead(committedInOwnTerm: Bool) -> Bool {
        defect == .readsBeforeOwnCommit || committedInOwnTerm
    }
    public func confirms(answered: UInt64, needed: UInt64) -> Bool {
        defect == .lateAnswerConfirmsRead
            || standard.confirms(answered: answered, needed: needed)
    }
    public var confirmsReads: Bool { defect != .deposedLeaderReads }
    public func leaseEnd(
        sent: Instant,
        answered: Instant,
        timeout: Interval,
        timeoutLimit: Interval,
        drift: Ratio
    ) -> Instant {
        guard defect == .leaseIgnoresClocks else {
            return standard.leaseEnd(
                sent: sent,
                answered: answered,
                timeout: timeout,
                timeoutLimit: timeoutLimit,
                drift: drift
            )
        }
        return answered + timeoutLimit
    }
    public func isUpToDate(
        lastTerm: Term,
        lastIndex: LogIndex,
        ownTerm: Term,
        ownIndex: LogIndex
    ) -> Bool {
        if defect == .longerLogWins {
            return lastIndex > ownIndex || (lastIndex == ownIndex && lastTerm >= ownTerm)
        }
        return standard.isUpToDate(
            lastTerm: lastTerm,
            lastIndex: lastIndex,
            ownTerm: ownTerm,
            ownIndex: ownIndex
        )
    }
    public var countsVotersOnce: Bool { defect != .countsRepeatedVotes }
    public var rollsBackMembership: Bool { defect != .keepsTruncatedMembership }
    public func mayChangeMembership(committedInOwnTerm: Bool) -> Bool {
        defect == .changesBeforeOwnCommit || committedInOwnTerm
    }
    public var outgoingVotersCount: Bool { defect != .jointPhaseCountsOnce }
    public func keepsEntriesBehindSnapshot(matching: Bool) -> Bool {
        switch defect {
        case .snapshotKeepsConflicts: true
        case .snapshotDropsSuffix: false
        default: matching
        }
    }
    public func recoversEntriesBehindSnapshot(matching: Bool) -> Bool {
        keepsEntriesBehindSnapshot(matching: matching)
    }
    public var adoptsMembershipOfSnapshot: Bool { defect != .snapshotKeepsConflicts }
    public var recoveryTruncates: Bool { defect != .recoveryResurrects }
    public var answersWaitForDurability: Bool { defect != .acknowledgesEarly }
    public func recognisesRetry(appliedIn: Term, repeatedIn: Term) -> Bool {
        defect != .retryAppliedTwice || appliedIn == repeatedIn
    }
    public var asksBeforeElection: Bool { defect != .noElectionGuards }
    public var checksQuorum: Bool { defect != .noElectionGuards }
}
