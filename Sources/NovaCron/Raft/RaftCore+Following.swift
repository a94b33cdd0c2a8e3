import Machines
import Units

extension RaftCore {
    /// Takes a message of a leader: of an older term it is answered with ours, so that the leader
    /// steps down; otherwise its sender is our leader.
    mutating func follow(
        _ sender: NodeID,
        term other: Term,
        at now: Instant,
        into effects: inout RaftEffects
    ) -> Bool {
        if other == term, let leader, leader != sender {
            effects.report(.contradiction(.twoLeaders(term: term, leader, sender)))
            if role == .leader { return false }
        }
        becomeFollower(other, leader: sender, .higherTerm, at: now, into: &effects)
        waitingSince = now
        leaderHeard = now
        return true
    }

    mutating func hear(
        _ heartbeat: Heartbeat,
        from sender: NodeID,
        at now: Instant,
        into effects: inout RaftEffects
    ) {
        let isOlder = heartbeat.term < term
        if !isOlder {
            guard follow(sender, term: heartbeat.term, at: now, into: &effects) else { return }
            followCommit(heartbeat.commit, lastVerified: log.lastIndex, at: now, into: &effects)
        }
        let answer = HeartbeatAnswer(term: term, round: heartbeat.round, sent: heartbeat.sent)
        effects.send(.heartbeatAnswer(answer), to: sender)
    }

    mutating func hear(
        _ request: AppendRequest,
        from sender: NodeID,
        at now: Instant,
        into effects: inout RaftEffects
    ) {
        guard request.term >= term else {
            // The term alone is the message.
            reject(request.previousIndex, hint: log.lastIndex, sender, into: &effects)
            return
        }
        guard follow(sender, term: request.term, at: now, into: &effects) else { return }
        guard isInOrder(request) else {
            effects.report(.contradiction(.termsOutOfOrder(index: request.previousIndex + 1)))
            return
        }
        guard request.previousIndex >= commit else {
            // Older than what is committed here, and hence the same.
            guard isCopy else { return }
            answer(.appendMatched(term: term, index: commit), to: sender, into: &effects)
            return
        }
        guard log.term(at: request.previousIndex) == request.previousTerm else {
            var hint = log.lastIndex(
                atOrBefore: request.previousIndex,
                termAtMost: request.previousTerm
            )
            if hint > commit, points.strikes("raft: hint too far back") { hint = commit }
            reject(request.previousIndex, hint: hint, sender, into: &effects)
            return
        }
        let last = request.previousIndex + LogIndex(request.entries.count)
        guard take(request, into: &effects) else { return }
        followCommit(request.commit, lastVerified: last, at: now, into: &effects)
        verified = (term, verified.term == term ? max(verified.index, last) : last)
        if !readsToApply.isEmpty { commitForReads(at: now, into: &effects) }
        guard isCopy else { return }
        answer(.appendMatched(term: term, index: last), to: sender, into: &effects)
    }

    /// Whether what this node acknowledges is there as the membership says: a member that counts as a full
    /// copy and lacks commands, because it was a witness before, says nothing.
    var isCopy: Bool {
        mutating get {
            log.isWhole || !log.membership.contains(node) || log.membership.isWitness(node)
        }
    }

    /// Terms never fall along a log, and none is above the leader's.
    private mutating func isInOrder(_ request: AppendRequest) -> Bool {
        var last = request.previousTerm
        for place in request.entries.indices {
            let next = request.entries[place].term
            guard next >= last else { return false }
            last = next
        }
        return last <= request.term
    }

    private mutating func reject(
        _ previous: LogIndex,
        hint: LogIndex,
        _ sender: NodeID,
        into effects: inout RaftEffects
    ) {
        let conflict = AppendConflict(
            term: term,
            previousIndex: previous,
            hintIndex: hint,
            hintTerm: log.term(at: hint) ?? 0
        )
        effects.send(.appendConflict(conflict), to: sender)
    }

    /// Adds the entries that the log does not have; `false` when they contradict what is committed.
    private mutating func take(
        _ request: AppendRequest,
        into effects: inout RaftEffects
    ) -> Bool {
        var index = request.previousIndex
        var appended = 0
        if !rules.truncatesOnlyAtConflict, !request.entries.isEmpty {
            guard truncate(from: index + 1, into: &effects) else { return false }
        }
        for entry in request.entries {
            index += 1
            if let present = log.term(at: index) {
                if present == entry.term { continue }
                guard index > commit else {
                    effects.report(.contradiction(.committedEntryConflicts(index: index)))
                    return false
                }
                if !rules.dropsConflictingTail {
                    log.overwrite(entry, at: index)
                    durability.unsavedFrom = min(durability.unsavedFrom, index)
                    reportAppended(entry, at: index, into: &effects)
                    continue
                }
                guard truncate(from: index, into: &effects) else { return false }
            }
            append(entry, into: &effects)
            appended += 1
        }
        if appended > 0, appended == request.entries.count { log.share(request.entries) }
        return true
    }

    private mutating func truncate(
        from index: LogIndex,
        into effects: inout RaftEffects
    ) -> Bool {
        guard index <= log.lastIndex else { return true }
        guard index > commit else {
            effects.report(.contradiction(.committedEntryConflicts(index: index)))
            return false
        }
        let before = log.membershipIndex
        log.truncate(from: index, rollsBackMembership: rules.rollsBackMembership)
        noteTruncation(from: index)
        points.sometimes("raft: log truncated")
        points.sometimes("raft: membership rolled back", log.membershipIndex != before)
        effects.report(.truncated(from: index))
        if log.membershipIndex != before { membershipChanged(into: &effects) }
        if log.membershipIndex > log.lastIndex {
            let index = log.membershipIndex
            effects.report(.contradiction(.membershipBeyondLog(index: index)))
        }
        return true
    }

    mutating func append(_ entry: LogEntry, into effects: inout RaftEffects) {
        log.append(entry)
        reportAppended(entry, at: log.lastIndex, into: &effects)
        if case .membership = entry.content { membershipChanged(into: &effects) }
    }

    private mutating func reportAppended(
        _ entry: LogEntry,
        at index: LogIndex,
        into effects: inout RaftEffects
    ) {
        guard configuration.reportsEntries else { return }
        effects.report(.appended(index: index, term: entry.term, digest: entry.digest))
    }

    private mutating func membershipChanged(into effects: inout RaftEffects) {
        effects.report(.membership(index: log.membershipIndex, log.membership))
    }

    /// Commits what the leader says is committed, as far as this log was verified.
    mutating func followCommit(
        _ leaderCommit: LogIndex,
        lastVerified: LogIndex,
        at now: Instant,
        into effects: inout RaftEffects
    ) {
        var index = rules.followerCommit(leaderCommit: leaderCommit, lastVerified: lastVerified)
        if index > log.lastIndex { index = log.lastIndex }
        if index > commit { commit(through: index, at: now, into: &effects) }
    }

    /// Applies what has become committed.
    mutating func commit(
        through index: LogIndex,
        at now: Instant,
        into effects: inout RaftEffects
    ) {
        commit = index
        if configuration.reportsEntries { effects.report(.committed(index: index)) }
        while applied < commit {
            applied += 1
            if log[applied].isWithheld { isStateWithheld = true }
            if !isStateWithheld { effects.append(.apply(log[applied], index: applied)) }
            if configuration.reportsEntries || applied == commit {
                let (term, digest) = (log[applied].term, log[applied].digest)
                effects.report(.applied(index: applied, term: term, digest: digest))
            }
            if role == .leader { reign.uncommittedBytes -= log[applied].size }
        }
        releaseAppliedReads(into: &effects)
        if points.strikes("raft: snapshot before its time", chance: Ratio(0.02)) {
            isSnapshotDue = true
        }
    }
}
