public import Machines
public import Units

/// What is on its way to the disk, and the answers that wait for it.
struct Durability: Sendable {
    /// The term and vote that a restart would find.
    var term: Term = 0
    var vote: NodeID?
    /// Everything in the log up to here is durable.
    var index: LogIndex = 0
    /// The first entry that no batch holds.
    var unsavedFrom: LogIndex = 1
    /// Batches hold entries from here on that the log has thrown away.
    var truncatedFrom: LogIndex?
    var isHardStateUnsaved = false
    var snapshot = SnapshotState.saved
    var nextWrite: UInt64 = 0
    /// Batches at the disk, oldest first; at most `RaftConfiguration.writesInFlight`.
    var batches: [Batch] = []
    /// Answers that a batch must precede, oldest first.
    var waiting: [Waiting] = []

    enum SnapshotState: Sendable {
        case saved
        case unsaved
        case writing
    }

    struct Batch: Sendable {
        let id: UInt64
        let term: Term
        let vote: NodeID?
        /// The end of the log that the batch makes durable: what was thrown away since is not.
        var lastIndex: LogIndex
        var lastTerm: Term
        let holdsSnapshot: Bool
    }

    struct Waiting: Sendable {
        let write: UInt64
        let message: RaftMessage
        let peer: NodeID
    }
}

extension RaftCore {
    @inline(__always)
    var hasUnsaved: Bool {
        durability.isHardStateUnsaved || durability.truncatedFrom != nil
            || durability.snapshot == .unsaved || durability.unsavedFrom <= log.lastIndex
    }

    /// Sends an answer once everything it rests on is durable.
    mutating func answer(
        _ message: consuming RaftMessage,
        to peer: NodeID,
        into effects: inout RaftEffects
    ) {
        let write: UInt64
        if hasUnsaved {
            write = durability.nextWrite
        } else if let last = durability.batches.last {
            write = last.id
        } else {
            effects.send(message, to: peer)
            return
        }
        guard rules.answersWaitForDurability else {
            effects.send(message, to: peer)
            return
        }
        // A peer that repeats itself faster than the disk works is not owed every answer.
        guard durability.waiting.count < configuration.pendingProposals else { return }
        durability.waiting.append(Durability.Waiting(write: write, message: message, peer: peer))
    }

    /// Hands what is new to the disk, as one batch, unless enough batches are there already.
    mutating func flush(at now: Instant, into effects: inout RaftEffects) {
        if durability.isHardStateUnsaved, !rules.keepsHardState {
            durability.isHardStateUnsaved = false
            hardStateIsDurable(term, vote, at: now, into: &effects)
        }
        guard durability.batches.count < configuration.writesInFlight, hasUnsaved else { return }
        var records: [RaftRecord] = []
        let holdsSnapshot = durability.snapshot == .unsaved
        var first = durability.unsavedFrom
        if holdsSnapshot {
            records.append(.snapshot(log.snapshot, state: log.state))
            if rules.recoversEntriesBehindSnapshot(matching: true) {
                first = log.snapshot.index + 1
            }
            durability.snapshot = .writing
        } else if let index = durability.truncatedFrom {
            records.append(.truncate(from: index))
        }
        if (durability.isHardStateUnsaved || holdsSnapshot) && rules.keepsHardState {
            records.append(.hardState(term: term, vote: vote))
        }
        first = max(first, log.base + 1)
        if first <= log.lastIndex {
            records.append(.entries(first: first, log.suffix(from: first)))
        } else if holdsSnapshot {
            // The disk may hold entries behind the snapshot that the log threw away.
            records.append(.truncate(from: log.lastIndex + 1))
        }
        durability.isHardStateUnsaved = false
        durability.truncatedFrom = nil
        durability.unsavedFrom = log.lastIndex + 1
        let id = durability.nextWrite
        durability.nextWrite += 1
        durability.batches.append(
            Durability.Batch(
                id: id,
                term: term,
                vote: vote,
                lastIndex: log.lastIndex,
                lastTerm: log.lastTerm,
                holdsSnapshot: holdsSnapshot
            )
        )
        effects.append(.persist(records, id: WriteID(id)))
    }

    /// The batch, and all before it, survive a crash from now on.
    public mutating func persisted(
        _ id: WriteID,
        at now: Instant,
        into effects: inout RaftEffects
    ) {
        guard let batch = durability.batches.first, batch.id == id.rawValue else {
            preconditionFailure("write \(id.rawValue) of \(durability.batches) out of order")
        }
        durability.batches.removeFirst()
        if batch.holdsSnapshot, durability.snapshot == .writing { durability.snapshot = .saved }
        if batch.lastIndex > durability.index {
            durability.index = batch.lastIndex
            if configuration.reportsEntries {
                effects.report(.durable(index: batch.lastIndex, term: batch.lastTerm))
            }
        }
        if batch.term != durability.term || batch.vote != durability.vote, rules.keepsHardState {
            hardStateIsDurable(batch.term, batch.vote, at: now, into: &effects)
        }
        var ready = 0
        while ready < durability.waiting.count, durability.waiting[ready].write <= batch.id {
            effects.send(durability.waiting[ready].message, to: durability.waiting[ready].peer)
            ready += 1
        }
        durability.waiting.removeFirst(ready)
        if role == .leader {
            replicateToWitnesses(at: now, into: &effects)
            advanceCommit(at: now, into: &effects)
        }
        flush(at: now, into: &effects)
    }

    private mutating func hardStateIsDurable(
        _ newTerm: Term,
        _ newVote: NodeID?,
        at now: Instant,
        into effects: inout RaftEffects
    ) {
        durability.term = newTerm
        durability.vote = newVote
        if let newVote { effects.report(.voted(term: newTerm, for: newVote)) }
        if role == .candidate, newTerm == term { askForVotes(at: now, into: &effects) }
    }

    /// The log has lost its entries from here on.
    mutating func noteTruncation(from index: LogIndex) {
        if index < durability.unsavedFrom {
            durability.truncatedFrom = min(durability.truncatedFrom ?? index, index)
            durability.unsavedFrom = index
        }
        shortenBatches(to: index - 1)
    }

    /// The log begins anew with an installed snapshot, which no batch holds yet.
    mutating func noteInstallation(keepingEntries: Bool) {
        durability.snapshot = .unsaved
        durability.truncatedFrom = nil
        durability.unsavedFrom = max(log.snapshot.index + 1, durability.unsavedFrom)
        if !keepingEntries {
            durability.unsavedFrom = log.snapshot.index + 1
            shortenBatches(to: 0)
        }
    }

    private mutating func shortenBatches(to last: LogIndex) {
        durability.index = min(durability.index, last)
        for place in durability.batches.indices where durability.batches[place].lastIndex > last {
            durability.batches[place].lastIndex = last
            durability.batches[place].lastTerm = log.term(at: last) ?? 0
        }
    }
}
