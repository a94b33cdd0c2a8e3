package import Units

/// How far the furthest of some replicas had come a while ago: the others have had the time to follow.
///
/// Time is cut into parts of `grace`, so that what is due was there between one and two of them before.
package struct FurthestIndex: Sendable {
    private let grace: Interval
    /// The parts in which it rose and where it stood at their ends, ascending; the newest three.
    private var parts: [(number: Int64, index: UInt64)] = []

    package init(grace: Interval) {
        precondition(grace > .zero, "a grace of \(grace)")
        self.grace = grace
    }

    package mutating func applied(_ index: UInt64, at time: Instant) {
        guard index > parts.last?.index ?? 0 else { return }
        let number = time.nanoseconds / grace.nanoseconds
        if let last = parts.last, last.number >= number {
            parts[parts.count - 1].index = index
            return
        }
        parts.append((number, index))
        if parts.count > 3 { parts.removeFirst() }
    }

    /// What all must have come to at `end`.
    package func index(dueAt end: Instant) -> UInt64 {
        let past = (end.nanoseconds - grace.nanoseconds) / grace.nanoseconds
        return parts.last { $0.number < past }?.index ?? 0
    }
}
