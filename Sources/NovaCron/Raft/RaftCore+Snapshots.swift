public import Machines
public import Units

/// A snapshot that a leader sends, as far as it has arrived.
struct IncomingSnapshot: Sendable {
    let term: Term
    let point: SnapshotPoint
    let total: UInt64
    var state: [UInt8] = []
}

extension RaftCore {
    /// The state machine as it is after `applied`, as bytes; entries before are forgotten, except the
    /// few that lagging followers may need. Nothing happens while the membership is not known. Traps for
    /// a state beyond the configured limit: the parent bounds what it keeps.
    public mutating func snapshotTaken(
        _ state: Bytes,
        at now: Instant,
        into effects: inout RaftEffects
    ) {
        precondition(state.count <= configuration.snapshotLimit.bytes, "\(state.count) bytes")
        guard applied > log.snapshot.index, knowsMembers, let term = log.term(at: applied) else {
            return
        }
        let point = SnapshotPoint(
            index: applied,
            term: term,
            membership: log.membership(at: applied),
            isStateWithheld: isStateWithheld
        )
        isSnapshotDue = false
        let keepsNone = points.strikes("raft: no entries kept behind a snapshot")
        let trailing = keepsNone ? 0 : configuration.trailingEntries
        log.compact(to: point, state: isStateWithheld ? [] : state, trailing: trailing)
        durability.snapshot = .unsaved
        effects.report(.snapshotTaken(index: point.index, term: term))
        flush(at: now, into: &effects)
    }

    // MARK: Sending

    mutating func sendSnapshot(_ place: Int, at now: Instant, into effects: inout RaftEffects) {
        reign.followers[place].state = .snapshot
        reign.followers[place].clearFlight()
        beginSnapshot(place, at: now)
        sendChunks(place, into: &effects)
    }

    private mutating func beginSnapshot(_ place: Int, at now: Instant) {
        reign.followers[place].snapshotIndex = log.snapshot.index
        reign.followers[place].snapshotReceived = 0
        reign.followers[place].snapshotAnswered = 0
        reign.followers[place].snapshotSent = 0
        reign.followers[place].progressed = now
    }

    private mutating func sendChunks(_ place: Int, into effects: inout RaftEffects) {
        let state = snapshotState(for: reign.followers[place].peer)
        var point = log.snapshot
        point.isStateWithheld = log.membership.isWitness(reign.followers[place].peer)
        let total = UInt64(state.count)
        let window = UInt64(configuration.inFlightBytes.bytes)
        let received = reign.followers[place].snapshotReceived
        var sent = reign.followers[place].snapshotSent
        // An empty state goes as one empty chunk.
        var isFirst = sent == 0
        while isFirst || (sent < total && sent - received < window) {
            isFirst = false
            // One chunk holds all of a small state: then nothing could be lost halfway.
            let isSmall = points.strikes("raft: chunk cut short")
            let chunkSize = UInt64(configuration.snapshotChunk.bytes)
            let size = min(isSmall ? max(1, chunkSize / 64) : chunkSize, total - sent)
            let start = state.startIndex + Int(sent)
            let chunk = SnapshotChunk(
                term: term,
                point: point,
                offset: sent,
                total: total,
                bytes: state[start..<start + Int(size)]
            )
            effects.send(.chunk(chunk), to: reign.followers[place].peer)
            sent += size
        }
        reign.followers[place].snapshotSent = sent
    }

    /// What of the latest snapshot's state is sent to a peer: nothing to a witness.
    private mutating func snapshotState(for peer: NodeID) -> Bytes {
        log.membership.isWitness(peer) ? [] : log.state
    }

    mutating func chunkArrived(
        _ index: LogIndex,
        _ received: UInt64,
        at peer: NodeID,
        at now: Instant,
        into effects: inout RaftEffects
    ) {
        guard role == .leader, let place = reign.place(of: peer),
            reign.followers[place].state == .snapshot,
            reign.followers[place].snapshotIndex == index, log.snapshot.index == index
        else { return }
        let total = UInt64(snapshotState(for: peer).count)
        guard received <= total else { return }
        reign.followers[place].heard = now
        reign.followers[place].snapshotAnswered = received
        guard received > reign.followers[place].snapshotReceived else { return }
        reign.followers[place].snapshotReceived = received
        reign.followers[place].snapshotSent = max(received, reign.followers[place].snapshotSent)
        reign.followers[place].progressed = now
        if received < total { sendChunks(place, into: &effects) }
    }

    /// Goes back to what has arrived, or to a newer snapshot, when nothing came for a while.
    mutating func resendSnapshot(_ place: Int, at now: Instant, into effects: inout RaftEffects) {
        guard now - reign.followers[place].progressed >= configuration.heartbeat else { return }
        if reign.followers[place].snapshotIndex != log.snapshot.index {
            beginSnapshot(place, at: now)
        } else if reign.followers[place].snapshotReceived
            >= UInt64(snapshotState(for: reign.followers[place].peer).count)
        {
            // All of it arrived and nothing follows: the follower forgot it.
            beginSnapshot(place, at: now)
        } else {
            // A follower that was restarted has nothing of it any more, and says so.
            let received = min(
                reign.followers[place].snapshotReceived,
                reign.followers[place].snapshotAnswered
            )
            reign.followers[place].snapshotReceived = received
            reign.followers[place].snapshotSent = received
            reign.followers[place].progressed = now
        }
        sendChunks(place, into: &effects)
    }

    // MARK: Receiving

    mutating func hear(
        _ chunk: SnapshotChunk,
        from sender: NodeID,
        at now: Instant,
        into effects: inout RaftEffects
    ) {
        guard chunk.term >= term else {
            effects.send(
                .chunkAnswer(term: term, index: chunk.point.index, received: 0),
                to: sender
            )
            return
        }
        guard follow(sender, term: chunk.term, at: now, into: &effects) else { return }
        guard chunk.point.index > commit else {
            guard isCopy else { return }
            answer(.appendMatched(term: term, index: commit), to: sender, into: &effects)
            return
        }
        guard chunk.total <= UInt64(configuration.snapshotLimit.bytes) else { return }
        if incoming?.term != chunk.term || incoming?.point != chunk.point
            || incoming?.total != chunk.total
        {
            incoming = IncomingSnapshot(term: term, point: chunk.point, total: chunk.total)
        }
        if chunk.offset == UInt64(incoming!.state.count) {
            incoming!.state.append(contentsOf: chunk.bytes)
        }
        let received = UInt64(incoming!.state.count)
        effects.send(
            .chunkAnswer(term: term, index: chunk.point.index, received: received),
            to: sender
        )
        guard received == chunk.total, let complete = incoming else { return }
        incoming = nil
        install(complete, at: now, into: &effects)
        answer(.appendMatched(term: term, index: complete.point.index), to: sender, into: &effects)
    }

    /// Section 7: entries behind the snapshot stay when the log agrees with it, and only then.
    private mutating func install(
        _ snapshot: IncomingSnapshot,
        at now: Instant,
        into effects: inout RaftEffects
    ) {
        var point = snapshot.point
        if !rules.adoptsMembershipOfSnapshot { point.membership = log.membership }
        let keeps = rules.keepsEntriesBehindSnapshot(
            matching: log.term(at: point.index) == point.term
        )
        log.install(point, state: snapshot.state[...], keepsEntries: keeps)
        noteInstallation(keepingEntries: keeps)
        commit = point.index
        applied = point.index
        points.sometimes("raft: snapshot installed")
        points.sometimes("raft: snapshot installed before a suffix", log.lastIndex > point.index)
        isSnapshotDue = false
        isStateWithheld = point.isStateWithheld
        points.sometimes("raft: witness told of a snapshot", isStateWithheld)
        if !isStateWithheld { effects.append(.restore(point, state: log.state)) }
        effects.report(.snapshotInstalled(index: point.index, term: point.term))
        effects.report(.membership(index: log.membershipIndex, log.membership))
        releaseAppliedReads(into: &effects)
    }
}
