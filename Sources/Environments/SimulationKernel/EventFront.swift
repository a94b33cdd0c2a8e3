/// The events that come next, in exact order: a four-ary heap over raw memory.
///
/// Kept small by the queue around it, except when very many events share one nanosecond.
struct EventFront: ~Copyable {
    /// Sort key and slot of one event; the key is unique.
    struct Entry: BitwiseCopyable {
        let time: UInt64
        let sequence: UInt64
        let origin: UInt32
        let slot: UInt32

        @inline(__always)
        static func precedes(_ left: Entry, _ right: Entry) -> Bool {
            left.time == right.time
                ? (left.origin == right.origin
                    ? left.sequence < right.sequence : left.origin < right.origin)
                : left.time < right.time
        }
    }

    private(set) var entries: UnsafeMutablePointer<Entry>
    private(set) var count = 0
    private var capacity: Int

    init(capacity: Int) {
        self.capacity = capacity
        entries = .allocate(capacity: capacity)
    }

    deinit { entries.deallocate() }

    mutating func insert(_ entry: Entry) {
        reserve(count + 1)
        var hole = count
        count += 1
        while hole > 0 {
            let parent = (hole &- 1) >> 2
            if Entry.precedes(entries[parent], entry) { break }
            entries[hole] = entries[parent]
            hole = parent
        }
        entries[hole] = entry
    }

    /// Appends without ordering; `order` must follow.
    mutating func appendUnordered(_ entry: Entry) {
        reserve(count + 1)
        entries[count] = entry
        count += 1
    }

    /// Forgets all entries from `newCount` on; `order` must follow.
    mutating func truncate(to newCount: Int) {
        count = newCount
    }

    /// Restores the heap after unordered changes (Floyd, 1964).
    mutating func order() {
        guard count > 1 else { return }
        var index = (count &- 2) >> 2
        while index >= 0 {
            sift(entries[index], from: index)
            index &-= 1
        }
    }

    mutating func removeFirst() {
        count &-= 1
        if count > 0 { sift(entries[count], from: 0) }
    }

    @inline(__always)
    private func sift(_ entry: Entry, from start: Int) {
        var hole = start
        while true {
            let first = hole &* 4 &+ 1
            if first >= count { break }
            var least = first
            let end = min(first &+ 4, count)
            var child = first &+ 1
            while child < end {
                if Entry.precedes(entries[child], entries[least]) { least = child }
                child &+= 1
            }
            if Entry.precedes(entry, entries[least]) { break }
            entries[hole] = entries[least]
            hole = least
        }
        entries[hole] = entry
    }

    private mutating func reserve(_ needed: Int) {
        if needed > capacity { grow() }
    }

    @inline(never)
    private mutating func grow() {
        let larger = UnsafeMutablePointer<Entry>.allocate(capacity: capacity * 2)
        larger.update(from: entries, count: count)
        entries.deallocate()
        entries = larger
        capacity *= 2
    }
}
