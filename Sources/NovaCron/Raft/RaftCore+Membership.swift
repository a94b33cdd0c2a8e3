import Machines
public import Units

extension RaftCore {
    /// Asks the leader for a change of the membership. One at a time; it is in effect from its entry
    /// on, and `RaftFact.membership` and the committed entry tell how far it is.
    public mutating func change(
        _ change: MembershipChange,
        at now: Instant,
        into effects: inout RaftEffects
    ) throws(RaftRefusal) {
        guard role == .leader else { throw .notLeader(leader) }
        guard reign.transfer == nil else { throw .transferring }
        guard log.membershipIndex <= commit,
            rules.mayChangeMembership(committedInOwnTerm: reign.hasCommitted)
        else { throw .changeInProgress }
        let next = try log.membership.applying(change)
        lead(.membership(next), at: now, into: &effects)
        flush(at: now, into: &effects)
    }

    /// After a commit: ends a joint phase that is committed, and leaves office when no longer a voter.
    mutating func membershipCommitted(at now: Instant, into effects: inout RaftEffects) {
        guard role == .leader, log.membershipIndex <= commit else { return }
        if log.membership.isJoint {
            lead(.membership(log.membership.afterJoint), at: now, into: &effects)
        } else if !log.membership.isVoter(node) {
            // Followers should learn of the commit before nobody is left to tell them.
            sendHeartbeats(at: now, into: &effects)
            becomeFollower(term, leader: nil, .removed, at: now, into: &effects)
        }
    }

    // MARK: Leadership transfer (dissertation, section 3.10)

    /// Hands the office to a voter: stops taking proposals, brings it up to date, and tells it to stand
    /// for election at once. Given up after an election timeout.
    public mutating func transferLeadership(
        to target: NodeID,
        at now: Instant,
        into effects: inout RaftEffects
    ) throws(RaftRefusal) {
        guard role == .leader else { throw .notLeader(leader) }
        guard reign.transfer == nil else { throw .transferring }
        guard target != node, log.membership.isVoter(target), !log.membership.isWitness(target),
            reign.place(of: target) != nil
        else {
            throw .invalidTarget
        }
        reign.transfer = Reign.Transfer(
            target: target,
            deadline: now + configuration.electionTimeout
        )
        reign.hasTransferred = true
        effects.report(.transferStarted(to: target, term: term))
        handOverIfReady(at: now, into: &effects)
    }

    mutating func handOverIfReady(at now: Instant, into effects: inout RaftEffects) {
        guard let transfer = reign.transfer, !transfer.isReady,
            let place = reign.place(of: transfer.target),
            reign.followers[place].match == log.lastIndex
        else { return }
        reign.transfer?.isReady = true
        sendTimeoutNow(into: &effects)
    }

    /// Sent again with every heartbeat that is answered: it may be lost.
    mutating func sendTimeoutNow(into effects: inout RaftEffects) {
        guard let transfer = reign.transfer, transfer.isReady else { return }
        effects.send(.timeoutNow(term: term), to: transfer.target)
    }

    // MARK: Invariants

    /// Traps when the replica's own bookkeeping contradicts itself. What peers or a lying disk can
    /// cause is reported as `RaftFact.contradiction` instead.
    public func checkInvariants() {
        log.checkInvariants()
        precondition(commit <= log.lastIndex, "commit \(commit) of \(log.lastIndex)")
        precondition(applied == commit, "applied \(applied) of \(commit)")
        precondition(role != .leader || log.isWhole, "a leader without commands")
        precondition(log.base <= applied, "base \(log.base), applied \(applied)")
        precondition(durability.index <= log.lastIndex, "durable \(durability.index)")
        precondition(durability.unsavedFrom <= log.lastIndex + 1, "\(durability.unsavedFrom)")
        precondition(durability.batches.count <= configuration.writesInFlight)
        precondition(durability.waiting.count <= configuration.pendingProposals)
        precondition(forwarded.count + readsToApply.count <= configuration.pendingReads)
        switch role {
        case .leader:
            precondition(leader == node, "a leader that follows \(String(describing: leader))")
            for follower in reign.followers {
                follower.checkInvariants()
                precondition(follower.match <= log.lastIndex, "\(follower.peer) is ahead")
                precondition(follower.peer != node, "a leader follows itself")
            }
        case .follower, .preCandidate, .candidate:
            precondition(reign.followers.isEmpty, "progress without office")
        }
    }
}
