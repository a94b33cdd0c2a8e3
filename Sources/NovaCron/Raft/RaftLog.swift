import Machines
import Units

/// The log in memory: the latest snapshot, and the entries behind `base`.
///
/// `base` is at or before the snapshot's index: entries that a snapshot covers stay for a while, for
/// followers that lag. Memberships of entries are kept beside them, so that truncating an entry brings
/// back the one before.
struct RaftLog: Sendable {
    private(set) var snapshot = SnapshotPoint.origin
    private(set) var state: Bytes = []
    /// The index and term before the first entry kept.
    private(set) var base: LogIndex = 0
    private(set) var baseTerm: Term = 0
    private(set) var entries: [LogEntry] = []
    /// Those of the entries kept, and at least the last one; the first is of `base` or earlier.
    private(set) var memberships: [(index: LogIndex, membership: Membership)]
    /// How many of the entries kept came without their command.
    private(set) var withheld = 0
    /// Entries that were handed out, or that came, as one array: followers that lack the same, and the disk, share
    /// it.
    private var shared: Shared?

    private struct Shared {
        let first: LogIndex
        let entries: [LogEntry]
        /// Known once it was asked for.
        var bytes: Int?
    }

    init(bootstrap: Membership) {
        memberships = [(0, bootstrap)]
    }

    var lastIndex: LogIndex { base + LogIndex(entries.count) }
    var lastTerm: Term { entries.last?.term ?? baseTerm }
    /// The latest membership, in effect whether committed or not.
    var membership: Membership {
        // In place: a copy has four lists.
        _read { yield memberships[memberships.count - 1].membership }
    }
    var membershipIndex: LogIndex { memberships[memberships.count - 1].index }

    /// Whether everything behind the snapshot can be handed on, and the snapshot itself.
    var isWhole: Bool { withheld == 0 && !snapshot.isStateWithheld }

    /// The term of an entry; `nil` where the log does not know it.
    func term(at index: LogIndex) -> Term? {
        if index == base { return baseTerm }
        guard index > base, index <= lastIndex else { return nil }
        return entries[Int(index - base) - 1].term
    }

    /// An entry that is kept; a precondition.
    subscript(index: LogIndex) -> LogEntry {
        // In place: who asks for a part of it needs no copy of the rest.
        _read {
            precondition(
                index > base && index <= lastIndex,
                "entry \(index) of \(base)...\(lastIndex)"
            )
            yield entries[Int(index - base) - 1]
        }
    }

    func membership(at index: LogIndex) -> Membership {
        var result = memberships[0].membership
        for element in memberships where element.index <= index { result = element.membership }
        return result
    }

    /// Whether a membership that may be the committed one lets the node stand for election.
    func mayLead(_ node: NodeID, committed: LogIndex) -> Bool {
        if membership.mayLead(node) { return true }
        guard membershipIndex > committed, !membership.isWitness(node) else { return false }
        return membership(at: committed).mayLead(node)
            || memberships.contains { $0.index > committed && $0.membership.mayLead(node) }
    }

    /// The last index at or before `index` whose term is at most `limit`.
    func lastIndex(atOrBefore index: LogIndex, termAtMost limit: Term) -> LogIndex {
        var found = min(index, lastIndex)
        while found > base, entries[Int(found - base) - 1].term > limit { found -= 1 }
        return found
    }

    /// Entries from `first` on, at most `count` of them and, beyond the first, `bytes`.
    mutating func slice(
        from first: LogIndex,
        count: Int,
        bytes: Int
    ) -> (entries: [LogEntry], bytes: Int) {
        if let known = sharedSlice(from: first, count: count, bytes: bytes) { return known }
        let start = Int(first - base) - 1
        var end = start
        var size = 0
        while end < entries.count, end - start < count {
            let next = entries[end].size
            if end > start, size + next > bytes { break }
            size += next
            end += 1
        }
        let slice = Array(entries[start..<end])
        shared = Shared(first: first, entries: slice, bytes: size)
        return (slice, size)
    }

    private mutating func sharedSlice(
        from first: LogIndex,
        count: Int,
        bytes limit: Int
    ) -> (entries: [LogEntry], bytes: Int)? {
        guard shared != nil, shared!.first == first else { return nil }
        let length = shared!.entries.count
        guard length <= count else { return nil }
        let bytes: Int
        if let known = shared!.bytes {
            bytes = known
        } else {
            bytes = shared!.entries.reduce(0) { $0 + $1.size }
            shared!.bytes = bytes
        }
        guard length == 1 || bytes <= limit else { return nil }
        // It may be shorter than asked for where the limit of bytes, or the log, ends it.
        let next = Int(first - base) - 1 + length
        guard length == count || next == entries.count || bytes + entries[next].size > limit
        else { return nil }
        return (shared!.entries, bytes)
    }

    func suffix(from first: LogIndex) -> [LogEntry] {
        guard first <= lastIndex else { return [] }
        let start = Int(first - base) - 1
        if shared != nil, shared!.first == first, shared!.entries.count == entries.count - start {
            return shared!.entries
        }
        return Array(entries[start...])
    }

    /// The last entries of the log came as this array.
    mutating func share(_ last: [LogEntry]) {
        shared = Shared(first: lastIndex + 1 - LogIndex(last.count), entries: last)
    }

    mutating func append(_ entry: LogEntry) {
        entries.append(entry)
        if entry.isWithheld { withheld += 1 }
        if case .membership(let membership) = entry.content {
            while memberships.count > 1, memberships[memberships.count - 1].index >= lastIndex {
                memberships.removeLast()
            }
            memberships.append((lastIndex, membership))
        }
    }

    /// Puts an entry in the place of another and leaves those behind it: what a defect does.
    mutating func overwrite(_ entry: LogEntry, at index: LogIndex) {
        shared = nil
        let place = Int(index - base) - 1
        withheld += (entry.isWithheld ? 1 : 0) - (entries[place].isWithheld ? 1 : 0)
        entries[place] = entry
    }

    mutating func truncate(from index: LogIndex, rollsBackMembership: Bool) {
        guard index <= lastIndex else { return }
        shared = nil
        let first = max(index, base + 1)
        let kept = Int(first - base) - 1
        forget(entries[kept...])
        entries.removeLast(entries.count - kept)
        guard rollsBackMembership else { return }
        while memberships.count > 1, memberships[memberships.count - 1].index >= first {
            memberships.removeLast()
        }
    }

    /// Takes a snapshot of what this log led to, and forgets entries up to `keeping` before it.
    mutating func compact(to point: SnapshotPoint, state: Bytes, trailing: UInt64) {
        snapshot = point
        self.state = state
        let newBase = point.index > trailing ? max(base, point.index - trailing) : base
        guard newBase > base else { return }
        shared = nil
        baseTerm = term(at: newBase)!
        let count = Int(newBase - base)
        forget(entries[..<count])
        entries.removeFirst(count)
        base = newBase
        while memberships.count > 1, memberships[1].index <= newBase { memberships.removeFirst() }
    }

    private mutating func forget(_ gone: ArraySlice<LogEntry>) {
        guard withheld > 0 else { return }
        for entry in gone where entry.isWithheld { withheld -= 1 }
    }

    /// Replaces everything up to the point; entries behind it stay when `keepsEntries`.
    mutating func install(_ point: SnapshotPoint, state: Bytes, keepsEntries: Bool) {
        let kept = keepsEntries && point.index >= base ? suffix(from: point.index + 1) : []
        shared = nil
        snapshot = point
        self.state = state
        base = point.index
        baseTerm = point.term
        entries = []
        withheld = 0
        memberships = [(point.index, point.membership)]
        for entry in kept { append(entry) }
    }

    func checkInvariants() {
        precondition(base <= snapshot.index || snapshot.index == 0, "\(base), \(snapshot.index)")
        precondition(!memberships.isEmpty, "no membership")
        precondition(withheld >= 0 && withheld <= entries.count, "\(withheld) withheld")
        if let shared {
            let start = Int(shared.first) - Int(base) - 1
            let end = start + shared.entries.count
            precondition(start >= 0 && end <= entries.count, "shared \(start)..<\(end)")
            precondition(shared.entries[...] == entries[start..<end], "shared entries differ")
        }
        for (left, right) in zip(memberships, memberships.dropFirst()) {
            precondition(left.index < right.index, "memberships out of order")
        }
    }
}
