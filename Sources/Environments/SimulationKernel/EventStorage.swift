import Units

/// One pending event, as it lies in a bucket or in the front.
struct EventEntry<Payload: BitwiseCopyable>: BitwiseCopyable {
    /// Instants are never negative here, so their order as unsigned words is the same.
    var time: UInt64
    var sequence: UInt64
    var origin: EntityID
    /// The event's slot, and the slot's generation when the event was scheduled.
    var slot: Int32
    var generation: UInt32
    var payload: Payload

    @inline(__always)
    var key: EventKey {
        EventKey(time: time, sequence: sequence, origin: origin.rawValue)
    }
}

/// The order of events; unique, because an origin never repeats a sequence.
struct EventKey: BitwiseCopyable {
    var time: UInt64
    var sequence: UInt64
    var origin: UInt32

    @inline(__always)
    static func precedes(_ left: EventKey, _ right: EventKey) -> Bool {
        if left.time != right.time { return left.time < right.time }
        if left.origin != right.origin { return left.origin < right.origin }
        return left.sequence < right.sequence
    }
}

/// What a token refers to.
struct EventSlot: BitwiseCopyable {
    /// One more whenever the slot's event is over, so that old tokens and entries do not match.
    var generation: UInt32
    /// The next slot of the free list; −1 ends it.
    var nextFree: Int32
}

/// An unordered bag of events whose times share all base-64 digits above the bucket's level: a
/// chain of chunks, of which only the first may be partly filled.
struct EventBucket: BitwiseCopyable {
    var firstChunk: Int32
    var count: Int32

    static var empty: EventBucket { EventBucket(firstChunk: -1, count: 0) }
}

/// A four-ary heap of entries in exact order, over raw memory.
struct EventHeap<Payload: BitwiseCopyable>: ~Copyable {
    private(set) var entries: UnsafeMutablePointer<EventEntry<Payload>>
    private(set) var count = 0
    private var capacity: Int

    init(capacity: Int) {
        self.capacity = capacity
        entries = .allocate(capacity: capacity)
    }

    deinit { entries.deallocate() }

    mutating func insert(_ entry: EventEntry<Payload>) {
        if count == capacity { grow() }
        let key = entry.key
        var hole = count
        count &+= 1
        while hole > 0 {
            let parent = (hole &- 1) >> 2
            if EventKey.precedes(entries[parent].key, key) { break }
            entries[hole] = entries[parent]
            hole = parent
        }
        entries[hole] = entry
    }

    mutating func removeFirst() {
        count &-= 1
        if count > 0 { sift(entries[count], from: 0) }
    }

    /// Adds without ordering; `order` must follow.
    mutating func appendUnordered(_ entry: EventEntry<Payload>) {
        if count == capacity { grow() }
        entries[count] = entry
        count &+= 1
    }

    /// Drops everything from `newCount` on; `order` must follow.
    mutating func truncate(to newCount: Int) {
        count = newCount
    }

    /// Restores the heap after unordered changes (Floyd, "Treesort 3", CACM 1964).
    mutating func order() {
        guard count > 1 else { return }
        var index = (count &- 2) >> 2
        while index >= 0 {
            sift(entries[index], from: index)
            index &-= 1
        }
    }

    private func sift(_ entry: EventEntry<Payload>, from start: Int) {
        let key = entry.key
        var hole = start
        while true {
            let first = hole &* 4 &+ 1
            if first >= count { break }
            var least = first
            let end = min(first &+ 4, count)
            var child = first &+ 1
            while child < end {
                if EventKey.precedes(entries[child].key, entries[least].key) { least = child }
                child &+= 1
            }
            if EventKey.precedes(key, entries[least].key) { break }
            entries[hole] = entries[least]
            hole = least
        }
        entries[hole] = entry
    }

    @inline(never)
    private mutating func grow() {
        let larger = UnsafeMutablePointer<EventEntry<Payload>>.allocate(capacity: capacity * 2)
        larger.update(from: entries, count: count)
        entries.deallocate()
        entries = larger
        capacity *= 2
    }
}
