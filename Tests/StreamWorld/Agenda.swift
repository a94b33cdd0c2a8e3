import Units

/// Entries by time, then by the order in which they were added: a binary heap.
struct Agenda<Entry> {
    private var heap: [(time: Instant, order: UInt64, entry: Entry)] = []
    private var added: UInt64 = 0

    init() {}

    var nextTime: Instant? { heap.first?.time }

    mutating func add(_ entry: Entry, at time: Instant) {
        heap.append((time, added, entry))
        added += 1
        var child = heap.count - 1
        while child > 0, precedes(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func pop() -> (Instant, Entry)? {
        guard !heap.isEmpty else { return nil }
        heap.swapAt(0, heap.count - 1)
        let last = heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if precedes(child, least) { least = child }
            }
            guard least != parent else { break }
            heap.swapAt(parent, least)
            parent = least
        }
        return (last.time, last.entry)
    }

    private func precedes(_ left: Int, _ right: Int) -> Bool {
        (heap[left].time, heap[left].order) < (heap[right].time, heap[right].order)
    }
}
