public import Units

/// Values by key, bounded by their number and size; the one that was longest unused goes first.
///
/// A value: whoever holds it decides about locks, and `now` is an argument. A value is there until
/// its time is over: at that instant it is not found any more. What is over makes place when it is
/// looked for, or as the longest unused. All operations take constant time, amortised.
public struct CacheTable: Sendable {
    public let limits: Limits
    /// Sum of the keys' and values' bytes; bookkeeping is not counted.
    public private(set) var bytes = 0
    private var places: [String: Int] = [:]
    private var slots: [Slot] = []
    private var free: [Int] = []
    /// The most recently used.
    private var first = CacheTable.none
    /// The longest unused.
    private var last = CacheTable.none

    public struct Limits: Hashable, Sendable {
        public var entries: Int
        public var bytes: Int

        /// Traps for negative bounds.
        public init(entries: Int, bytes: Int) {
            precondition(entries >= 0 && bytes >= 0, "a cache of \(entries) entries, \(bytes) B")
            self.entries = entries
            self.bytes = bytes
        }
    }

    public struct Entry: Hashable, Sendable {
        public var key: String
        public var value: [UInt8]
        /// From then on it is not found.
        public var end: Instant

        public init(key: String, value: [UInt8], end: Instant) {
            self.key = key
            self.value = value
            self.end = end
        }

        var size: Int { key.utf8.count + value.count }
    }

    private struct Slot: Sendable {
        var entry: Entry
        var newer: Int
        var older: Int
    }

    private static let none = -1

    public init(_ limits: Limits) {
        self.limits = limits
    }

    public var count: Int { places.count }

    /// The value, which counts as used now; `nil` when there is none or its time is over.
    public mutating func value(for key: String, at now: Instant) -> [UInt8]? {
        guard let place = places[key] else { return nil }
        guard now < slots[place].entry.end else {
            remove(at: place)
            return nil
        }
        unlink(place)
        linkFirst(place)
        return slots[place].entry.value
    }

    /// Keeps an entry in the place of any other of its key, and lets go of others until it fits.
    ///
    /// - Returns: `false` when it is over already, or too large for the cache; then nothing is kept
    ///   for its key.
    @discardableResult
    public mutating func insert(_ entry: Entry, at now: Instant) -> Bool {
        remove(entry.key)
        guard now < entry.end, limits.entries > 0, entry.size <= limits.bytes else { return false }
        while count >= limits.entries || bytes + entry.size > limits.bytes { remove(at: last) }
        let slot = Slot(entry: entry, newer: CacheTable.none, older: CacheTable.none)
        let place: Int
        if let reused = free.popLast() {
            place = reused
            slots[place] = slot
        } else {
            place = slots.count
            slots.append(slot)
        }
        places[entry.key] = place
        bytes += entry.size
        linkFirst(place)
        return true
    }

    public mutating func remove(_ key: String) {
        if let place = places[key] { remove(at: place) }
    }

    public mutating func removeAll() {
        self = CacheTable(limits)
    }

    /// What is not over, the longest unused first: inserted in this order they make an equal table.
    public func entries(at now: Instant) -> [Entry] {
        var result: [Entry] = []
        result.reserveCapacity(count)
        var place = last
        while place != CacheTable.none {
            if now < slots[place].entry.end { result.append(slots[place].entry) }
            place = slots[place].newer
        }
        return result
    }

    /// Traps when the table contradicts itself; for tests.
    public func checkInvariants() {
        precondition(count <= limits.entries && bytes <= limits.bytes, "\(count), \(bytes) B")
        precondition(slots.count == count + free.count, "\(slots.count) slots for \(count)")
        var (place, newer, seen, sum) = (first, CacheTable.none, 0, 0)
        while place != CacheTable.none {
            let slot = slots[place]
            precondition(places[slot.entry.key] == place && slot.newer == newer, "\(slot)")
            seen += 1
            sum += slot.entry.size
            (newer, place) = (place, slot.older)
        }
        precondition(last == newer && seen == count && sum == bytes, "\(seen) of \(count)")
    }

    // MARK: - The list by use

    private mutating func remove(at place: Int) {
        unlink(place)
        let entry = slots[place].entry
        places[entry.key] = nil
        bytes -= entry.size
        slots[place].entry = Entry(key: "", value: [], end: .zero)
        free.append(place)
    }

    private mutating func unlink(_ place: Int) {
        let (newer, older) = (slots[place].newer, slots[place].older)
        if newer == CacheTable.none { first = older } else { slots[newer].older = older }
        if older == CacheTable.none { last = newer } else { slots[older].newer = newer }
    }

    private mutating func linkFirst(_ place: Int) {
        slots[place].newer = CacheTable.none
        slots[place].older = first
        if first == CacheTable.none { last = place } else { slots[first].newer = place }
        first = place
    }
}
