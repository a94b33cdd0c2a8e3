/// An entry as the checker knows it: its term and what stands for its command.
struct RaftMark: Hashable, Sendable {
    var term: UInt64
    var digest: UInt64
}

/// Numbered items from some index on, whose beginning can be dropped.
struct IndexedWindow<Item: Sendable>: Sendable {
    private var items: [Item] = []
    /// Items at the beginning of `items` that were dropped and not yet moved out.
    private var dead = 0
    /// The index before the first item.
    private(set) var base: UInt64 = 0

    var last: UInt64 { base + UInt64(items.count - dead) }

    subscript(index: UInt64) -> Item? {
        get { index > base && index <= last ? items[dead + Int(index - base) - 1] : nil }
        set {
            guard let newValue, index > base, index <= last else { return }
            items[dead + Int(index - base) - 1] = newValue
        }
    }

    mutating func append(_ item: Item) { items.append(item) }

    /// Keeps what lies up to `index`.
    mutating func truncate(after index: UInt64) {
        guard index < last else { return }
        let kept = index > base ? Int(index - base) : 0
        items.removeLast(items.count - dead - kept)
    }

    /// Forgets what lies up to `index`.
    mutating func drop(upTo index: UInt64) {
        guard index > base else { return }
        let count = min(items.count - dead, Int(index - base))
        dead += count
        base += UInt64(count)
        if items.count - dead == 0 {
            items.removeAll(keepingCapacity: true)
            dead = 0
        } else if dead > 1024, dead > items.count / 2 {
            items.removeFirst(dead)
            dead = 0
        }
    }

    /// Starts anew behind `index`.
    mutating func reset(to index: UInt64) {
        items.removeAll(keepingCapacity: true)
        dead = 0
        base = index
    }
}

/// One node's log as its observations tell it, in memory and on disk.
struct ShadowLog: Sendable {
    private(set) var entries = IndexedWindow<RaftMark>()
    /// The term of the entry at the window's base; `nil` when it is not known.
    private(set) var baseTerm: UInt64? = 0
    /// A restart finds at least everything up to here.
    private(set) var durable: UInt64 = 0
    /// What the log was before a change that may not have reached the disk yet: newest last.
    private var older: [Version] = []

    private struct Version: Sendable {
        var entries: IndexedWindow<RaftMark>
        var baseTerm: UInt64?
        /// The change is on the disk when everything up to here is.
        var until: UInt64
    }

    var last: UInt64 { entries.last }
    var base: UInt64 { entries.base }

    func term(at index: UInt64) -> UInt64? {
        index == entries.base ? baseTerm : entries[index]?.term
    }

    mutating func append(_ mark: RaftMark) { entries.append(mark) }

    mutating func truncate(from index: UInt64) {
        older.append(Version(entries: entries, baseTerm: baseTerm, until: index))
        if index > entries.base {
            entries.truncate(after: index - 1)
        } else {
            // After a restart the window may begin behind what was never committed.
            entries.reset(to: index - 1)
            baseTerm = index == 1 ? 0 : nil
        }
        durable = min(durable, index - 1)
    }

    mutating func persist(upTo index: UInt64, term: UInt64) {
        guard self.term(at: index) == term else { return }
        durable = max(durable, index)
        // Records become durable in order, so earlier changes are on the disk, too.
        if !older.isEmpty { older.removeAll { $0.until <= index } }
    }

    /// A restart may find any part of it.
    mutating func loseDurable() { durable = 0 }

    mutating func takeSnapshot(upTo index: UInt64, term: UInt64) {
        guard index > entries.base, index <= entries.last else { return }
        entries.drop(upTo: index)
        baseTerm = term
    }

    /// Whatever follows the snapshot stays when the log has the snapshot's last entry (section 7).
    mutating func installSnapshot(upTo index: UInt64, term: UInt64) {
        guard index > entries.base else { return }
        older.append(Version(entries: entries, baseTerm: baseTerm, until: index))
        if index <= entries.last, self.term(at: index) == term {
            entries.drop(upTo: index)
        } else {
            entries.reset(to: index)
            durable = min(durable, index)
        }
        baseTerm = term
    }

    /// What a restart found on the disk; `nil` when it is one of the states that the disk can be in.
    mutating func recover(
        snapshot: UInt64,
        snapshotTerm: UInt64?,
        last: UInt64,
        lastTerm: UInt64
    ) -> RaftFault? {
        defer { older.removeAll() }
        let isLost = last < durable
        // From the newest state in memory back to the older ones that may be on the disk.
        var hadLonger = false
        while !isLost {
            // Entries that only a snapshot in memory had replaced are unknown by now.
            let found = last < entries.base ? nil : term(at: last)
            if last < entries.base || last == entries.base && found == nil || found == lastTerm {
                accept(snapshot: snapshot, snapshotTerm: snapshotTerm, last: last, lastTerm)
                return nil
            }
            if last <= entries.last { hadLonger = true }
            guard let version = older.popLast() else { break }
            entries = version.entries
            baseTerm = version.baseTerm
        }
        if isLost {
            accept(snapshot: snapshot, snapshotTerm: snapshotTerm, last: last, lastTerm)
            return .lostDurable
        }
        adopt(snapshot: snapshot, snapshotTerm: snapshotTerm, last: last, lastTerm)
        return hadLonger ? .neverHad : .cameBack
    }

    private mutating func accept(
        snapshot: UInt64,
        snapshotTerm: UInt64?,
        last: UInt64,
        _ lastTerm: UInt64
    ) {
        guard last >= entries.base, last <= entries.last, snapshot <= last else {
            return adopt(snapshot: snapshot, snapshotTerm: snapshotTerm, last: last, lastTerm)
        }
        entries.truncate(after: last)
        if snapshot > entries.base {
            baseTerm = snapshotTerm ?? term(at: snapshot)
            entries.drop(upTo: snapshot)
        }
        durable = last
    }

    /// A log whose contents the checker cannot know: only its end is.
    private mutating func adopt(
        snapshot: UInt64,
        snapshotTerm: UInt64?,
        last: UInt64,
        _ lastTerm: UInt64
    ) {
        entries.reset(to: last)
        baseTerm = last == snapshot ? snapshotTerm ?? lastTerm : lastTerm
        durable = last
    }
}
