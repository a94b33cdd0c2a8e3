import Machines
import Units

/// Builds a replica's past from its durable records.
///
/// Records come from a disk that lost nothing it had confirmed, so contradictions mean that it lied, or
/// a defect. They are noted, and the records that do not fit are left out.
struct Recovery {
    var term: Term = 0
    var vote: NodeID?
    var log: RaftLog
    var problem: RaftFact.Contradiction?

    init(bootstrap: Membership) {
        log = RaftLog(bootstrap: bootstrap)
    }

    mutating func take<Rules: RaftRules>(_ record: RaftRecord, _ rules: Rules) {
        switch record {
        case .hardState(let newTerm, let newVote):
            term = newTerm
            vote = newVote
        case .truncate(let index):
            guard index > log.base else { return }
            if rules.recoveryTruncates { log.truncate(from: index, rollsBackMembership: true) }
        case .entries(let first, let entries):
            take(entries, from: first, rules)
        case .snapshot(let point, let state):
            guard point.index >= log.snapshot.index else { return }
            let matching = log.term(at: point.index) == point.term
            log.install(
                point,
                state: state,
                keepsEntries: rules.recoversEntriesBehindSnapshot(matching: matching)
            )
        }
    }

    private mutating func take<Rules: RaftRules>(
        _ entries: [LogEntry],
        from first: LogIndex,
        _ rules: Rules
    ) {
        guard first <= log.lastIndex + 1 else {
            problem = .recordsDoNotFit(index: first)
            return
        }
        if rules.recoveryTruncates { log.truncate(from: first, rollsBackMembership: true) }
        for (offset, entry) in entries.enumerated() {
            let index = first + LogIndex(offset)
            if index <= log.base { continue }
            if index <= log.lastIndex {
                log.overwrite(entry, at: index)
            } else {
                log.append(entry)
            }
        }
    }
}
