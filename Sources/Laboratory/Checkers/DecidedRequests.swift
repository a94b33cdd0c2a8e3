import Units

/// Requests whose outcome is known, the one that was due first first: a binary heap.
struct DecidedRequests: Sendable {
    struct Request: Hashable, Sendable {
        var due: Instant
        /// When the answer came that was in time; `nil` when the request was not served.
        var answered: Instant?

        /// Of requests due at once, the service answered somebody: failures count first.
        func isBefore(_ other: Request) -> Bool {
            if due != other.due { return due < other.due }
            switch (answered, other.answered) {
            case (nil, nil), (.some, nil): return false
            case (nil, .some): return true
            case (.some(let own), .some(let others)): return own < others
            }
        }
    }

    private var heap: [Request] = []

    var count: Int { heap.count }
    var first: Request? { heap.first }

    mutating func insert(_ request: Request) {
        heap.append(request)
        var place = heap.count - 1
        while place > 0 {
            let parent = (place - 1) / 2
            guard heap[place].isBefore(heap[parent]) else { break }
            heap.swapAt(place, parent)
            place = parent
        }
    }

    mutating func popFirst() -> Request? {
        guard let first = heap.first else { return nil }
        removeFirst()
        return first
    }

    /// Traps when there is none.
    mutating func removeFirst() {
        let last = heap.removeLast()
        guard !heap.isEmpty else { return }
        heap[0] = last
        var place = 0
        while true {
            var child = 2 * place + 1
            guard child < heap.count else { return }
            if child + 1 < heap.count, heap[child + 1].isBefore(heap[child]) { child += 1 }
            guard heap[child].isBefore(heap[place]) else { return }
            heap.swapAt(place, child)
            place = child
        }
    }
}
