package import Units

/// The times in which a group answered nobody, for promises of progress.
///
/// An answer counts however late it is. Clients ask openly, so after a long fault they may be behind for the rest
/// of a run, and every answer then comes after its request has failed; figures of availability tell of
/// that, and it is no want of progress.
package struct AnswerSilences: Sendable {
    /// Shorter ones are not kept.
    private let least: Interval
    private var last = Instant.zero
    private var ended: [ClosedRange<Instant>] = []

    package init(longerThan least: Interval) { self.least = least }

    package mutating func answered(at time: Instant) {
        if time - last > least { ended.append(last...time) }
        last = max(last, time)
    }

    /// Ascending; the last one may still go on at `end`.
    package func all(until end: Instant) -> [ClosedRange<Instant>] {
        end - last > least ? ended + [last...end] : ended
    }
}
