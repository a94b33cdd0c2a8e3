import Machines
public import Units

/// Where a read came from; `peer` is nil for our own.
struct ReadOrigin: Sendable {
    let peer: NodeID?
    let read: UInt64
}

/// Reads that one round of heartbeats confirms: those that were there before it was sent.
struct ReadBatch: Sendable {
    let round: UInt64
    /// What was committed then.
    let index: LogIndex
    /// When followers were last asked for it.
    var asked: Instant
    var origins: [ReadOrigin]
}

/// Reads without log entries (dissertation, sections 6.4 and 6.4.1). A leader that has committed in its
/// own term notes its commit index, sends a round of heartbeats, and may answer from any later state once a quorum,
/// asked or not, has answered that round or a later one. Reads that come while a round is out share the next
/// one. A follower asks the leader for the index. With leases the round is left out while a quorum's
/// promises not to elect anybody else last.
extension RaftCore {
    /// Asks for a linearizable read; `readReady` or `readFailed` follows with the same name.
    public mutating func read(
        _ read: UInt64,
        at now: Instant,
        into effects: inout RaftEffects
    ) throws(RaftRefusal) {
        guard readsToApply.count + forwarded.count < configuration.pendingReads else {
            throw .busy
        }
        guard holdsState else { throw .notLeader(leader) }
        if role == .leader {
            guard take(ReadOrigin(peer: nil, read: read), at: now, into: &effects) else {
                throw .busy
            }
        } else if let leader {
            points.sometimes("raft: read forwarded")
            forwarded.append((read, now))
            effects.send(.readRequest(term: term, read: read), to: leader)
        } else {
            throw .notLeader(nil)
        }
    }

    mutating func serveFollower(
        _ read: UInt64,
        of peer: NodeID,
        _ other: Term,
        at now: Instant,
        into effects: inout RaftEffects
    ) {
        if other > term {
            becomeFollower(other, leader: nil, .higherTerm, at: now, into: &effects)
        }
        guard role == .leader,
            take(ReadOrigin(peer: peer, read: read), at: now, into: &effects)
        else {
            effects.send(.readAnswer(term: term, read: read, index: nil), to: peer)
            return
        }
    }

    /// `false` when too many wait.
    private mutating func take(
        _ origin: ReadOrigin,
        at now: Instant,
        into effects: inout RaftEffects
    ) -> Bool {
        let open = reign.collecting.count + (reign.confirming?.origins.count ?? 0)
        guard open < configuration.pendingReads else { return false }
        guard rules.mayRead(committedInOwnTerm: reign.hasCommitted) else {
            reign.collecting.append(origin)
            return true
        }
        if !rules.confirmsReads {
            confirm(origin, index: commit, isLease: false, into: &effects)
        } else if holdsLease(at: now) {
            confirm(origin, index: commit, isLease: true, into: &effects)
        } else {
            reign.collecting.append(origin)
            startReads(at: now, into: &effects)
        }
        return true
    }

    /// Sends a round for the reads that were collected, unless one is out.
    mutating func startReads(at now: Instant, into effects: inout RaftEffects) {
        guard reign.confirming == nil, !reign.collecting.isEmpty,
            rules.mayRead(committedInOwnTerm: reign.hasCommitted)
        else { return }
        reign.round += 1
        reign.confirming = ReadBatch(
            round: reign.round,
            index: commit,
            asked: now,
            origins: reign.collecting
        )
        reign.collecting.removeAll()
        askQuorum(at: now, into: &effects)
        finishRound(at: now, into: &effects)
    }

    /// Asks the nearest followers that make a quorum, in a group that answers; all when it is not confirmed within a
    /// heartbeat, and now and then, to know who is near. Called thrifty by Moraru et al., "There Is More Consensus in
    /// Egalitarian Parliaments" (SOSP 2013), section 6.1.
    private mutating func askQuorum(at now: Instant, into effects: inout RaftEffects) {
        let nearest = Reign.nearestQuorum(
            among: reign.followers,
            with: node,
            of: log.membership,
            heardSince: now - configuration.heartbeat * 2
        )
        guard let nearest, reign.round % 16 != 0 else {
            sendHeartbeats(at: now, into: &effects)
            return
        }
        for place in reign.followers.indices where nearest >> UInt64(place) & 1 == 1 {
            reign.followers[place].askedRound = reign.round
            sendHeartbeat(place, at: now, into: &effects)
        }
    }

    /// Whether reads have waited for a heartbeat's time, so that all have to be asked. Those that were asked in vain
    /// count as farther, and a membership that has changed since may be content with the answers that came.
    mutating func noteLateRound(at now: Instant, into effects: inout RaftEffects) -> Bool {
        func isLate(_ round: ReadBatch?, _ patience: Interval) -> Bool {
            round.map { now >= $0.asked + patience } ?? false
        }
        guard isLate(reign.confirming, configuration.heartbeat) else { return false }
        finishRound(at: now, into: &effects)
        guard isLate(reign.confirming, configuration.heartbeat), let round = reign.confirming?.round
        else { return false }
        for place in reign.followers.indices
        where reign.followers[place].askedRound == round
            && reign.followers[place].confirmedRound < round
        {
            let expected = reign.followers[place].roundTrip ?? .zero
            reign.followers[place].measured(max(configuration.heartbeat, expected * 2))
        }
        reign.confirming?.asked = now
        return true
    }

    mutating func confirmRound(
        _ round: UInt64,
        by place: Int,
        at now: Instant,
        into effects: inout RaftEffects
    ) {
        guard let batch = reign.confirming,
            rules.confirms(answered: round, needed: batch.round)
        else { return }
        reign.followers[place].confirmedRound = batch.round
        finishRound(at: now, into: &effects)
    }

    private mutating func finishRound(at now: Instant, into effects: inout RaftEffects) {
        guard let round = reign.confirming?.round else { return }
        // Apart, and by place: this value, or an element, would be copied.
        let (node, followers) = (node, reign.followers)
        let result = Quorum.result(log.membership.voters, log.membership.outgoing) { voter in
            if voter == node { return true }
            for place in followers.indices where followers[place].peer == voter {
                return followers[place].confirmedRound >= round ? true : nil
            }
            return nil
        }
        guard result == .won, let batch = reign.confirming else { return }
        reign.confirming = nil
        for origin in batch.origins {
            confirm(origin, index: batch.index, isLease: false, into: &effects)
        }
        startReads(at: now, into: &effects)
    }

    private mutating func confirm(
        _ origin: ReadOrigin,
        index: LogIndex,
        isLease: Bool,
        into effects: inout RaftEffects
    ) {
        if isLease { points.sometimes("raft: read by lease") }
        if configuration.reportsEntries {
            effects.report(.readServed(index: index, lease: isLease))
        }
        if let peer = origin.peer {
            effects.send(.readAnswer(term: term, read: origin.read, index: index), to: peer)
        } else {
            readWhenApplied(origin.read, index, into: &effects)
        }
    }

    private mutating func holdsLease(at now: Instant) -> Bool {
        guard configuration.leaseReads, reign.transfer == nil, !reign.hasTransferred else {
            return false
        }
        let forever = Instant.distantFuture
        let (node, reign) = (node, reign)
        let lease = { (voter: NodeID) -> Instant in
            if voter == node { return forever }
            guard let place = reign.place(of: voter) else { return Instant(nanoseconds: .min) }
            return reign.followers[place].leaseEnd
        }
        let incoming = Quorum.highest(log.membership.voters, unbounded: forever, value: lease)
        let outgoing = Quorum.highest(log.membership.outgoing, unbounded: forever, value: lease)
        return now < min(incoming, outgoing)
    }

    // MARK: The asking side

    mutating func readAnswered(
        _ read: UInt64,
        _ index: LogIndex?,
        at now: Instant,
        into effects: inout RaftEffects
    ) {
        guard let place = forwarded.firstIndex(where: { $0.read == read }) else { return }
        forwarded.remove(at: place)
        if let index {
            readWhenApplied(read, index, into: &effects)
            commitForReads(at: now, into: &effects)
        } else {
            effects.append(.readFailed(read))
        }
    }

    /// What a read waits for is committed, as its confirmation says: followers need no word of the leader
    /// besides, once they know that their log is the same so far.
    mutating func commitForReads(at now: Instant, into effects: inout RaftEffects) {
        guard verified.term == term, let last = readsToApply.map(\.index).max() else { return }
        followCommit(last, lastVerified: verified.index, at: now, into: &effects)
    }

    private mutating func readWhenApplied(
        _ read: UInt64,
        _ index: LogIndex,
        into effects: inout RaftEffects
    ) {
        if !holdsState {
            effects.append(.readFailed(read))
        } else if applied >= index {
            effects.append(.readReady(read))
        } else {
            readsToApply.append((index, read))
        }
    }

    mutating func releaseAppliedReads(into effects: inout RaftEffects) {
        guard !readsToApply.isEmpty else { return }
        for waiting in readsToApply where waiting.index <= applied {
            effects.append(holdsState ? .readReady(waiting.read) : .readFailed(waiting.read))
        }
        readsToApply.removeAll { $0.index <= applied }
    }

    /// Requests and answers may be lost: what was asked too long ago fails.
    mutating func expireForwardedReads(at now: Instant, into effects: inout RaftEffects) {
        while let first = forwarded.first, now - first.asked >= configuration.electionTimeout {
            forwarded.removeFirst()
            effects.append(.readFailed(first.read))
        }
    }

    mutating func failForwardedReads(into effects: inout RaftEffects) {
        for waiting in forwarded { effects.append(.readFailed(waiting.read)) }
        forwarded.removeAll()
    }

    /// What a leader cannot confirm any more.
    mutating func failLeaderReads(into effects: inout RaftEffects) {
        for origin in reign.collecting + (reign.confirming?.origins ?? []) {
            if let peer = origin.peer {
                effects.send(.readAnswer(term: term, read: origin.read, index: nil), to: peer)
            } else {
                effects.append(.readFailed(origin.read))
            }
        }
        reign.collecting.removeAll()
        reign.confirming = nil
    }
}
