public import Machines
public import Units

/// What belongs to one time in office and is void after it.
struct Reign: Sendable {
    /// Everyone who receives the log but the leader, in order.
    var followers: [Progress] = []
    /// Whether an entry of this term is committed.
    var hasCommitted = false
    var uncommittedBytes = 0
    var round: UInt64 = 0
    /// Reads that no round of heartbeats was sent for yet.
    var collecting: [ReadOrigin] = []
    /// Reads whose round is out.
    var confirming: ReadBatch?
    /// When voters are counted that were heard.
    var quorumCheck = Instant.zero
    /// Answers to earlier rounds give no lease: the clock was set back since.
    var leaseRound: UInt64 = 0
    var transfer: Transfer?
    /// A handover was begun: a late `timeoutNow` may break the leases given to this leader.
    var hasTransferred = false

    struct Transfer: Sendable {
        let target: NodeID
        var deadline: Instant
        var isReady = false
    }

    func place(of peer: NodeID) -> Int? {
        followers.firstIndex { $0.peer == peer }
    }

    /// Which followers, the nearest first, make a quorum with the leader, as bits by place; `nil` when those that were
    /// heard of late do not.
    static func nearestQuorum(
        among followers: [Progress],
        with leader: NodeID,
        of membership: Membership,
        heardSince limit: Instant
    ) -> UInt64? {
        guard followers.count <= UInt64.bitWidth else { return nil }
        var chosen: UInt64 = 0
        func agrees(_ voter: NodeID) -> Bool? {
            if voter == leader { return true }
            for place in followers.indices where followers[place].peer == voter {
                return chosen >> UInt64(place) & 1 == 1 ? true : nil
            }
            return nil
        }
        while Quorum.result(membership.voters, membership.outgoing, vote: agrees) != .won {
            var nearest: Int?
            for place in followers.indices where chosen >> UInt64(place) & 1 == 0 {
                guard followers[place].heard >= limit, membership.isVoter(followers[place].peer)
                else { continue }
                if let best = nearest, !followers[place].isNearer(than: followers[best]) {
                    continue
                }
                nearest = place
            }
            guard let nearest else { return nil }
            chosen |= 1 << UInt64(nearest)
        }
        return chosen
    }
}

extension RaftCore {
    mutating func becomeLeader(at now: Instant, into effects: inout RaftEffects) {
        role = .leader
        leader = node
        reign = Reign()
        reign.quorumCheck = now + configuration.electionTimeout
        for entry in log.suffix(from: commit + 1) { reign.uncommittedBytes += entry.size }
        updateFollowers(at: now)
        points.sometimes("raft: election asked for by the leader", ballot.isTransfer)
        points.sometimes("raft: elected in a joint phase", log.membership.isJoint)
        effects.report(.becameLeader(term: term, lastIndex: log.lastIndex))
        effects.append(.leadership(isLeader: true, term: term))
        lead(.nothing, at: now, into: &effects)
        setHeartbeatTimer(at: now, into: &effects)
    }

    /// Gives up the office; the role changes after it.
    mutating func resign(
        _ reason: RaftFact.StepDownReason,
        into effects: inout RaftEffects
    ) {
        effects.report(.steppedDown(term: term, reason))
        points.sometimes("raft: leader without a quorum", reason == .quorumLost)
        points.sometimes("raft: leader removed", reason == .removed)
        points.sometimes("raft: deposed during a transfer", reign.transfer != nil)
        failLeaderReads(into: &effects)
        if let transfer = reign.transfer {
            let succeeded = reason == .higherTerm
            effects.report(
                .transferEnded(to: transfer.target, term: term, succeeded: succeeded)
            )
        }
        reign = Reign()
        effects.append(.leadership(isLeader: false, term: term))
    }

    // MARK: Proposals

    /// Appends a command to the log; `apply` tells when it is committed, with the term returned here,
    /// unless another leader's entry takes its place.
    public mutating func propose(
        _ command: Bytes,
        at now: Instant,
        into effects: inout RaftEffects
    ) throws(RaftRefusal) -> (index: LogIndex, term: Term) {
        guard role == .leader else { throw .notLeader(leader) }
        guard reign.transfer == nil else { throw .transferring }
        guard command.count <= LogEntry.commandLimit else { throw .tooLarge }
        guard log.lastIndex - commit < UInt64(configuration.pendingProposals),
            reign.uncommittedBytes < Int(configuration.pendingBytes.bytes)
        else { throw .busy }
        lead(.command(command), at: now, into: &effects)
        let index = log.lastIndex
        flush(at: now, into: &effects)
        return (index, term)
    }

    /// Appends an entry of our own and sends it.
    mutating func lead(
        _ content: LogEntry.Content,
        at now: Instant,
        into effects: inout RaftEffects
    ) {
        let entry = LogEntry(term: term, content)
        append(entry, into: &effects)
        reign.uncommittedBytes += entry.size
        if case .membership = content { updateFollowers(at: now) }
        for place in reign.followers.indices { replicate(place, at: now, into: &effects) }
        if !rules.answersWaitForDurability { advanceCommit(at: now, into: &effects) }
    }

    /// Keeps what is known about followers that stay, and begins to probe new ones.
    mutating func updateFollowers(at now: Instant) {
        var followers: [Progress] = []
        for member in log.membership.members where member != node {
            if let place = reign.place(of: member) {
                followers.append(reign.followers[place])
            } else {
                followers.append(Progress(peer: member, next: log.lastIndex + 1, at: now))
            }
        }
        reign.followers = followers
    }

    // MARK: Replication

    /// Sends a follower what it lacks, as far as its state and limits allow.
    mutating func replicate(_ place: Int, at now: Instant, into effects: inout RaftEffects) {
        switch reign.followers[place].state {
        case .snapshot:
            break
        case .probe:
            guard !reign.followers[place].isPaused else { return }
            let count = sendAppend(place, at: now, into: &effects)
            if count != nil { reign.followers[place].isPaused = true }
        case .replicate:
            while reign.followers[place].next <= lastToSend(place),
                reign.followers[place].inFlight < configuration.inFlightMessages,
                reign.followers[place].inFlightBytes < Int(configuration.inFlightBytes.bytes)
            {
                guard let sent = sendAppend(place, at: now, into: &effects) else { return }
                if reign.followers[place].inFlight == 0 { reign.followers[place].progressed = now }
                // Leases rest on answers to heartbeats, and one that says nothing may not get its appends.
                if !configuration.leaseReads, sent.count > 0,
                    now - reign.followers[place].heard <= configuration.heartbeat
                {
                    reign.followers[place].contacted = now
                }
                let last = reign.followers[place].next + LogIndex(sent.count) - 1
                reign.followers[place].next = last + 1
                reign.followers[place].sent(
                    through: last,
                    bytes: sent.bytes,
                    capacity: configuration.inFlightMessages
                )
            }
        }
    }

    /// The last entry that may be sent to a follower. A witness is never ahead of the leader's own disk: with a
    /// log that nobody else kept it would turn all candidates away.
    private mutating func lastToSend(_ place: Int) -> LogIndex {
        guard log.membership.isWitness(reign.followers[place].peer) else { return log.lastIndex }
        return max(durability.index, reign.followers[place].match)
    }

    /// Sends witnesses what has become durable here.
    mutating func replicateToWitnesses(at now: Instant, into effects: inout RaftEffects) {
        guard !log.membership.witnesses.isEmpty else { return }
        for place in reign.followers.indices
        where log.membership.isWitness(reign.followers[place].peer) {
            replicate(place, at: now, into: &effects)
        }
    }

    /// One append from `next` on; begins a snapshot and returns `nil` when the log no longer has it.
    private mutating func sendAppend(
        _ place: Int,
        at now: Instant,
        into effects: inout RaftEffects
    ) -> (count: Int, bytes: Int)? {
        let previous = reign.followers[place].next - 1
        guard let previousTerm = log.term(at: previous) else {
            sendSnapshot(place, at: now, into: &effects)
            return nil
        }
        var entries: [LogEntry] = []
        var bytes = 0
        let last = lastToSend(place)
        if previous < last {
            let isAlone = points.strikes("raft: append of one entry")
            let end = isAlone ? previous + 1 : last
            (entries, bytes) = log.slice(
                from: previous + 1,
                count: min(configuration.appendEntries, Int(end - previous)),
                bytes: Int(configuration.appendBytes.bytes)
            )
        }
        let count = entries.count
        if log.membership.isWitness(reign.followers[place].peer) {
            entries = entries.map(\.withholdingCommand)
            points.sometimes("raft: commands withheld from a witness", !entries.isEmpty)
        }
        let request = AppendRequest(
            term: term,
            previousIndex: previous,
            previousTerm: previousTerm,
            commit: commit,
            entries: entries
        )
        effects.send(.append(request), to: reign.followers[place].peer)
        return (count, bytes)
    }

    mutating func matched(
        _ index: LogIndex,
        by peer: NodeID,
        at now: Instant,
        into effects: inout RaftEffects
    ) {
        guard role == .leader, let place = reign.place(of: peer), index <= log.lastIndex else {
            return
        }
        reign.followers[place].heard = now
        let isNews = index > reign.followers[place].match
        if isNews {
            reign.followers[place].match = index
            reign.followers[place].next = max(reign.followers[place].next, index + 1)
            reign.followers[place].progressed = now
        }
        switch reign.followers[place].state {
        case .probe:
            reign.followers[place].becomeReplicate()
        case .replicate:
            reign.followers[place].acknowledged(through: index)
        case .snapshot:
            if index >= reign.followers[place].snapshotIndex || index >= log.base {
                reign.followers[place].becomeReplicate()
            }
        }
        if isNews, index > commit { advanceCommit(at: now, into: &effects) }
        guard role == .leader, let place = reign.place(of: peer) else { return }
        replicate(place, at: now, into: &effects)
        handOverIfReady(at: now, into: &effects)
    }

    mutating func conflicted(
        _ conflict: AppendConflict,
        at peer: NodeID,
        at now: Instant,
        into effects: inout RaftEffects
    ) {
        guard role == .leader, let place = reign.place(of: peer) else { return }
        reign.followers[place].heard = now
        switch reign.followers[place].state {
        case .snapshot:
            return
        case .replicate:
            // Older than what was acknowledged since, or than what is sent now.
            guard conflict.previousIndex > reign.followers[place].match,
                conflict.previousIndex < reign.followers[place].next
            else { return }
        case .probe:
            guard conflict.previousIndex == reign.followers[place].next - 1 else { return }
        }
        // Skips all entries that cannot agree, in one step (after etcd's findConflictByTerm).
        let agreed = log.lastIndex(atOrBefore: conflict.hintIndex, termAtMost: conflict.hintTerm)
        let highest = max(conflict.previousIndex, 1)
        // Below our log's beginning the hint decides alone: the snapshot follows.
        let hint = conflict.hintIndex < log.base ? conflict.hintIndex : agreed
        let next = max(min(hint + 1, highest), reign.followers[place].match + 1)
        reign.followers[place].becomeProbe(next: next)
        replicate(place, at: now, into: &effects)
    }

    /// Commits what a quorum has made durable, if it is of this term.
    mutating func advanceCommit(at now: Instant, into effects: inout RaftEffects) {
        let own = rules.answersWaitForDurability ? durability.index : log.lastIndex
        // Apart, and by place: this value, or an element, would be copied.
        let (node, followers) = (node, reign.followers)
        func reached(_ voter: NodeID) -> LogIndex {
            if voter == node { return own }
            for place in followers.indices where followers[place].peer == voter {
                return followers[place].match
            }
            return 0
        }
        let outgoing = rules.outgoingVotersCount ? log.membership.outgoing : []
        var index = Quorum.committedIndex(log.membership.voters, outgoing, reached: reached)
        if !configuration.zones.isEmpty {
            for voters in [log.membership.voters, outgoing] {
                let limit = indexInTwoZones(voters, reached: reached)
                points.sometimes("raft: commit waits for a second zone", limit < index)
                index = min(index, limit)
            }
        }
        guard index > commit, index <= log.lastIndex, let entryTerm = log.term(at: index),
            rules.mayCommitByCounting(entryTerm: entryTerm, currentTerm: term)
        else { return }
        points.sometimes(
            "raft: entry of an earlier term committed",
            (log.term(at: commit + 1) ?? term) < term
        )
        commit(through: index, at: now, into: &effects)
        if entryTerm == term, !reign.hasCommitted {
            reign.hasCommitted = true
            startReads(at: now, into: &effects)
        }
        membershipCommitted(at: now, into: &effects)
    }

    /// The copy of a witness counts for no zone.
    private mutating func indexInTwoZones(
        _ voters: [NodeID],
        reached: (NodeID) -> LogIndex
    ) -> LogIndex {
        let (membership, zones) = (log.membership, configuration.zones)
        return Quorum.indexInTwoZones(
            voters,
            zone: { membership.isWitness($0) ? nil : zones[$0] },
            reached: reached
        )
    }

    // MARK: Heartbeats

    mutating func beat(at now: Instant, into effects: inout RaftEffects) {
        if now >= reign.quorumCheck {
            guard !rules.checksQuorum || hearsQuorum(at: now) else {
                becomeFollower(term, leader: nil, .quorumLost, at: now, into: &effects)
                return
            }
            reign.quorumCheck = now + configuration.electionTimeout
        }
        if let transfer = reign.transfer, now >= transfer.deadline {
            reign.transfer = nil
            effects.report(.transferEnded(to: transfer.target, term: term, succeeded: false))
        }
        let isRoundLate = noteLateRound(at: now, into: &effects)
        sendDueHeartbeats(toAll: isRoundLate, at: now, into: &effects)
        setHeartbeatTimer(at: now, into: &effects)
    }

    /// Sends heartbeats to followers that are due; those that will be in a moment are sent theirs with them.
    private mutating func sendDueHeartbeats(
        toAll: Bool,
        at now: Instant,
        into effects: inout RaftEffects
    ) {
        var isAnyDue = toAll
        for place in reign.followers.indices
        where now >= reign.followers[place].contacted + configuration.heartbeat {
            isAnyDue = true
        }
        guard isAnyDue else { return }
        let isLeftOut = points.strikes("raft: heartbeat left out")
        let limit = now - configuration.heartbeat + configuration.heartbeat / 4
        for place in reign.followers.indices
        where toAll || reign.followers[place].contacted <= limit {
            if isLeftOut {
                reign.followers[place].contacted = now
            } else {
                sendHeartbeat(place, at: now, into: &effects)
            }
        }
    }

    /// The next heartbeat is due an interval after what a follower was sent last; what is looked after with them is
    /// never late for it.
    mutating func setHeartbeatTimer(at now: Instant, into effects: inout RaftEffects) {
        var due = now
        for place in reign.followers.indices {
            let contacted = reign.followers[place].contacted
            due = place == 0 ? contacted : min(due, contacted)
        }
        if let round = reign.confirming { due = min(due, round.asked) }
        due = min(due + configuration.heartbeat, reign.quorumCheck)
        if let transfer = reign.transfer { due = min(due, transfer.deadline) }
        effects.append(.setTimer(.heartbeat, at: max(due, now)))
    }

    mutating func sendHeartbeats(at now: Instant, into effects: inout RaftEffects) {
        for place in reign.followers.indices { sendHeartbeat(place, at: now, into: &effects) }
    }

    mutating func sendHeartbeat(_ place: Int, at now: Instant, into effects: inout RaftEffects) {
        let match = reign.followers[place].match
        let heartbeat = Heartbeat(
            term: term,
            commit: rules.followerCommit(leaderCommit: commit, lastVerified: match),
            round: reign.round,
            sent: now
        )
        reign.followers[place].contacted = now
        effects.send(.heartbeat(heartbeat), to: reign.followers[place].peer)
    }

    /// CheckQuorum, once an election timeout as in etcd: whether voters that make a quorum answered
    /// since the last time.
    private mutating func hearsQuorum(at now: Instant) -> Bool {
        let (node, reign, limit) = (node, reign, configuration.electionTimeout)
        let result = Quorum.result(log.membership.voters, log.membership.outgoing) { voter in
            if voter == node { return true }
            guard let place = reign.place(of: voter) else { return false }
            return now - reign.followers[place].heard <= limit
        }
        return result == .won
    }

    /// A clock that was set back would make leases and waits last too long.
    mutating func clockWentBack(at now: Instant) {
        latest = now
        reign.round += 1
        reign.leaseRound = reign.round
        reign.quorumCheck = min(reign.quorumCheck, now + configuration.electionTimeout)
        if let round = reign.confirming { reign.confirming?.asked = min(round.asked, now) }
        for place in reign.followers.indices {
            reign.followers[place].leaseEnd = Instant(nanoseconds: .min)
            reign.followers[place].heard = min(reign.followers[place].heard, now)
            reign.followers[place].contacted = min(reign.followers[place].contacted, now)
            reign.followers[place].progressed = min(reign.followers[place].progressed, now)
        }
        if let transfer = reign.transfer {
            let deadline = min(transfer.deadline, now + configuration.electionTimeout)
            reign.transfer?.deadline = deadline
        }
        for place in forwarded.indices { forwarded[place].asked = min(forwarded[place].asked, now) }
        waitingSince = min(waitingSince, now)
        leaderHeard = leaderHeard.map { min($0, now) }
    }

    mutating func hear(
        _ answer: HeartbeatAnswer,
        from peer: NodeID,
        at now: Instant,
        into effects: inout RaftEffects
    ) {
        guard role == .leader, let place = reign.place(of: peer) else { return }
        reign.followers[place].heard = now
        // What a peer made up, or our clock set back, says nothing.
        let elapsed = now.nanoseconds.subtractingReportingOverflow(answer.sent.nanoseconds)
        let isPlausible = !elapsed.overflow && elapsed.partialValue >= 0
        if isPlausible {
            let sample = Interval.nanoseconds(elapsed.partialValue)
            reign.followers[place].measured(min(sample, configuration.electionTimeout))
        }
        if isPlausible, configuration.leaseReads, answer.round >= reign.leaseRound {
            let end = rules.leaseEnd(
                sent: answer.sent,
                answered: now,
                timeout: configuration.electionTimeout,
                timeoutLimit: configuration.electionTimeoutLimit,
                drift: configuration.clockDrift
            )
            reign.followers[place].leaseEnd = max(reign.followers[place].leaseEnd, end)
        }
        confirmRound(answer.round, by: place, at: now, into: &effects)
        recoverLosses(place, at: now, into: &effects)
        sendTimeoutNow(into: &effects)
    }

    /// A heartbeat came through: whatever was lost before it is sent again.
    private mutating func recoverLosses(
        _ place: Int,
        at now: Instant,
        into effects: inout RaftEffects
    ) {
        switch reign.followers[place].state {
        case .probe:
            reign.followers[place].isPaused = false
            if reign.followers[place].match < log.lastIndex {
                replicate(place, at: now, into: &effects)
            }
        case .replicate:
            guard reign.followers[place].match < log.lastIndex,
                now - reign.followers[place].progressed >= configuration.heartbeat
            else { return }
            // Nothing was acknowledged for a while: an append at the end of what was sent is
            // answered by how far the follower is.
            if reign.followers[place].inFlight > 0 { reign.followers[place].freeFirst() }
            sendEmptyAppend(place, into: &effects)
        case .snapshot:
            resendSnapshot(place, at: now, into: &effects)
        }
    }

    private mutating func sendEmptyAppend(_ place: Int, into effects: inout RaftEffects) {
        let previous = reign.followers[place].next - 1
        guard let previousTerm = log.term(at: previous) else { return }
        let request = AppendRequest(
            term: term,
            previousIndex: previous,
            previousTerm: previousTerm,
            commit: commit,
            entries: []
        )
        effects.send(.append(request), to: reign.followers[place].peer)
    }
}
