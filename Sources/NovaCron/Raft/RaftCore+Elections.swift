import Machines
import Units

/// The answers to one round of vote requests.
struct Ballot: Sendable {
    private(set) var answers: [(voter: NodeID, isGranted: Bool)] = []
    /// Answers beyond the first of each voter; the protocol ignores them.
    private(set) var repeated = 0
    /// Asked for by the leader itself.
    var isTransfer = false
    /// Whether the requests have been sent.
    var isOpen = false

    func vote(of voter: NodeID) -> Bool? {
        answers.first { $0.voter == voter }?.isGranted
    }

    mutating func take(_ isGranted: Bool, from voter: NodeID) {
        guard vote(of: voter) == nil else {
            if isGranted { repeated += 1 }
            return
        }
        answers.append((voter, isGranted))
    }
}

extension RaftCore {
    /// Whether this node may stand for election: as long as its removal is not known to be committed it may
    /// be the only one that can be elected (dissertation, section 4.2.2). One from which commands were
    /// withheld could not hand them on, whatever the membership says of it now.
    var mayStand: Bool {
        configuration.priority > 0 && log.isWhole && log.mayLead(node, committed: commit)
    }

    mutating func electionTimerFired(at now: Instant, into effects: inout RaftEffects) {
        guard role != .leader else { return }
        expireForwardedReads(at: now, into: &effects)
        guard now >= waitingSince + timeout else {
            setElectionTimer(at: now, into: &effects)
            return
        }
        guard mayStand else {
            waitForLeader(at: now, into: &effects)
            return
        }
        stand(isTransfer: false, at: now, into: &effects)
    }

    /// The leader hands over to us.
    mutating func standAtOnce(at now: Instant, into effects: inout RaftEffects) {
        guard role != .leader, mayStand else { return }
        stand(isTransfer: true, at: now, into: &effects)
    }

    private mutating func stand(
        isTransfer: Bool,
        at now: Instant,
        into effects: inout RaftEffects
    ) {
        leader = nil
        incoming = nil
        failForwardedReads(into: &effects)
        ballot = Ballot()
        ballot.isTransfer = isTransfer
        waitForLeader(at: now, into: &effects)
        if rules.asksBeforeElection, !isTransfer {
            role = .preCandidate
            effects.report(.becamePreCandidate(term: term))
            askForVotes(at: now, into: &effects)
        } else {
            becomeCandidate(at: now, into: &effects)
        }
    }

    /// Enters a new term. The requests follow once our own vote is durable: a candidate that crashed
    /// before could otherwise come back and win the same term a second time.
    private mutating func becomeCandidate(at now: Instant, into effects: inout RaftEffects) {
        let isTransfer = ballot.isTransfer
        ballot = Ballot()
        ballot.isTransfer = isTransfer
        role = .candidate
        enter(term + 1, vote: node, into: &effects)
        effects.report(.becameCandidate(term: term))
    }

    /// Votes for ourselves and asks the others.
    mutating func askForVotes(at now: Instant, into effects: inout RaftEffects) {
        guard !ballot.isOpen else { return }
        ballot.isOpen = true
        ballot.take(true, from: node)
        sendVoteRequests(into: &effects)
        effects.append(.setTimer(.heartbeat, at: now + configuration.heartbeat))
        countVotes(at: now, into: &effects)
    }

    /// Asks those who have not answered again: requests and answers may be lost.
    mutating func askAgain(at now: Instant, into effects: inout RaftEffects) {
        guard ballot.isOpen else { return }
        sendVoteRequests(into: &effects)
        effects.append(.setTimer(.heartbeat, at: now + configuration.heartbeat))
    }

    private mutating func sendVoteRequests(into effects: inout RaftEffects) {
        let isPreVote = role == .preCandidate
        let request = VoteRequest(
            term: isPreVote ? term + 1 : term,
            lastIndex: log.lastIndex,
            lastTerm: log.lastTerm,
            isPreVote: isPreVote,
            isTransfer: ballot.isTransfer
        )
        for member in log.membership.members
        where member != node && log.membership.isVoter(member) && ballot.vote(of: member) == nil {
            effects.send(.voteRequest(request), to: member)
        }
    }

    private mutating func countVotes(at now: Instant, into effects: inout RaftEffects) {
        let voters = log.membership.voters
        let outgoing = rules.outgoingVotersCount ? log.membership.outgoing : []
        var result = Quorum.result(voters, outgoing) { ballot.vote(of: $0) }
        if !rules.countsVotersOnce {
            let granted = ballot.answers.count { $0.isGranted } + ballot.repeated
            if granted >= Quorum.majority(of: voters.count) { result = .won }
        }
        switch (result, role) {
        case (.won, .preCandidate):
            becomeCandidate(at: now, into: &effects)
        case (.won, .candidate):
            becomeLeader(at: now, into: &effects)
        case (.lost, .preCandidate), (.lost, .candidate):
            becomeFollower(term, leader: nil, .higherTerm, at: now, into: &effects)
        case (.pending, _), (_, .follower), (_, .leader):
            break
        }
    }

    mutating func hear(
        _ answer: VoteAnswer,
        from peer: NodeID,
        at now: Instant,
        into effects: inout RaftEffects
    ) {
        if answer.isPreVote, answer.isGranted {
            guard role == .preCandidate, answer.term == term + 1 else { return }
        } else {
            guard isCurrent(answer.term, at: now, into: &effects) else { return }
            guard role == (answer.isPreVote ? .preCandidate : .candidate) else { return }
        }
        ballot.take(answer.isGranted, from: peer)
        countVotes(at: now, into: &effects)
    }

    mutating func hear(
        _ request: VoteRequest,
        from candidate: NodeID,
        at now: Instant,
        into effects: inout RaftEffects
    ) {
        if request.term > term, !request.isTransfer, hearsLeader(at: now) {
            // The candidate hears nobody, but we do. A pre-vote is told so; an election is ignored,
            // because the answer would carry our lower term.
            if request.isPreVote { refuse(request, candidate, into: &effects) }
            return
        }
        if request.isPreVote {
            guard request.term > term, isUpToDate(request) else {
                refuse(request, candidate, into: &effects)
                return
            }
            // No promise, so nothing has to be durable.
            let answer = VoteAnswer(term: request.term, isGranted: true, isPreVote: true)
            effects.send(.voteAnswer(answer), to: candidate)
            return
        }
        if request.term > term {
            becomeFollower(request.term, leader: nil, .higherTerm, at: now, into: &effects)
        }
        guard request.term == term, vote == nil || vote == candidate,
            leader == nil || leader == candidate, isUpToDate(request)
        else {
            refuse(request, candidate, into: &effects)
            return
        }
        if vote == nil { enter(term, vote: candidate, into: &effects) }
        waitingSince = now
        let answer = VoteAnswer(term: term, isGranted: true, isPreVote: false)
        self.answer(.voteAnswer(answer), to: candidate, into: &effects)
    }

    private mutating func refuse(
        _ request: VoteRequest,
        _ candidate: NodeID,
        into effects: inout RaftEffects
    ) {
        let answer = VoteAnswer(term: term, isGranted: false, isPreVote: request.isPreVote)
        effects.send(.voteAnswer(answer), to: candidate)
    }

    private mutating func isUpToDate(_ request: VoteRequest) -> Bool {
        rules.isUpToDate(
            lastTerm: request.lastTerm,
            lastIndex: request.lastIndex,
            ownTerm: log.lastTerm,
            ownIndex: log.lastIndex
        )
    }

    /// Whether a leader was heard so recently that no election is due: leader stickiness.
    private mutating func hearsLeader(at now: Instant) -> Bool {
        guard rules.asksBeforeElection else { return false }
        if role == .leader { return true }
        guard let heard = leaderHeard else { return false }
        return now - heard < configuration.electionTimeout
    }
}
