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

    /// Keeps what lies up to `index`; returns the rest.
    mutating func truncate(after index: UInt64) -> [Item] {
        guard index < last else { return [] }
        let kept = index > base ? Int(index - base) : 0
        let rest = Array(items[(dead + kept)...])
        items.removeLast(rest.count)
        return rest
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
    /// Up to here the log is on disk.
    private(set) var durable: UInt64 = 0
    /// What was thrown away in memory, and may still be on the disk: newest last.
    private var thrownAway: [(from: UInt64, entries: [RaftMark])] = []

    var last: UInt64 { entries.last }
    var base: UInt64 { entries.base }

    func term(at index: UInt64) -> UInt64? {
        index == entries.base ? baseTerm : entries[index]?.term
    }

    mutating func append(_ mark: RaftMark) { entries.append(mark) }

    mutating func truncate(from index: UInt64) {
        let rest = entries.truncate(after: index - 1)
        durable = min(durable, index - 1)
        if !rest.isEmpty { thrownAway.append((index, rest)) }
    }

    mutating func persist(upTo index: UInt64, term: UInt64) {
        guard self.term(at: index) == term, index > durable else { return }
        durable = index
        // Records are durable in order, so what was thrown away below is gone for good.
        thrownAway.removeAll { $0.from <= index }
    }

    mutating func takeSnapshot(upTo index: UInt64, term: UInt64) {
        guard index > entries.base, index <= entries.last else { return }
        entries.drop(upTo: index)
        baseTerm = term
    }

    /// Whatever follows the snapshot stays when the log has the snapshot's last entry (section 7).
    mutating func installSnapshot(upTo index: UInt64, term: UInt64) {
        if self.term(at: index) == term, index <= entries.last {
            entries.drop(upTo: index)
        } else if index > entries.base {
            entries.reset(to: index)
        } else {
            return
        }
        baseTerm = term
        durable = max(durable, index)
        thrownAway.removeAll()
    }

    /// What a restart found on the disk; `nil` when it is one of the states that the disk can be
    /// in.
    mutating func recover(
        snapshot: UInt64,
        snapshotTerm: UInt64?,
        last: UInt64,
        lastTerm: UInt64
    ) -> RaftFault? {
        defer { thrownAway.removeAll() }
        if last < durable {
            accept(snapshot: snapshot, snapshotTerm: snapshotTerm, last: last)
            return .lostDurable
        }
        // From the newest state in memory back to the older ones that may be on the disk.
        var hadLonger = false
        while true {
            let found = last == entries.base ? baseTerm ?? lastTerm : entries[last]?.term
            if found == lastTerm || last == 0 && entries.base == 0 {
                accept(snapshot: snapshot, snapshotTerm: snapshotTerm, last: last)
                return nil
            }
            if last <= entries.last { hadLonger = true }
            guard let newest = thrownAway.popLast() else { break }
            _ = entries.truncate(after: newest.from - 1)
            for mark in newest.entries { entries.append(mark) }
        }
        adopt(snapshot: snapshot, snapshotTerm: snapshotTerm, last: last, lastTerm: lastTerm)
        return hadLonger ? .neverHad : .cameBack
    }

    private mutating func accept(snapshot: UInt64, snapshotTerm: UInt64?, last: UInt64) {
        _ = entries.truncate(after: last)
        if snapshot > entries.base {
            baseTerm = snapshotTerm ?? term(at: snapshot)
            entries.drop(upTo: snapshot)
            if entries.base < snapshot { entries.reset(to: snapshot) }
        }
        durable = entries.last
    }

    /// A log whose contents the checker cannot know: only its end is.
    private mutating func adopt(
        snapshot: UInt64,
        snapshotTerm: UInt64?,
        last: UInt64,
        lastTerm: UInt64
    ) {
        entries.reset(to: last)
        baseTerm = last == snapshot ? snapshotTerm ?? lastTerm : lastTerm
        durable = last
    }
}
