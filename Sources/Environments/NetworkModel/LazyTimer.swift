import Units

/// A deadline that moves with almost every packet, over queue events that do not.
///
/// Moving the deadline later costs nothing: the event that is already in the queue finds nothing
/// due and asks for another. Only an earlier deadline needs an event of its own; the later one then
/// finds nothing due.
struct LazyTimer {
    private(set) var deadline = Instant.distantFuture
    private var scheduled = Instant.distantFuture

    var isSet: Bool { deadline != .distantFuture }

    mutating func clear() { deadline = .distantFuture }

    /// Sets the deadline; `true` when an event must be scheduled for it.
    mutating func set(_ newDeadline: Instant) -> Bool {
        deadline = newDeadline
        guard newDeadline < scheduled else { return false }
        scheduled = newDeadline
        return true
    }

    enum Answer {
        case nothing
        case due
        case scheduleAgain
    }

    /// An event of this timer arrived.
    mutating func wake(at now: Instant) -> Answer {
        if now == scheduled { scheduled = .distantFuture }
        guard isSet else { return .nothing }
        if deadline <= now {
            deadline = .distantFuture
            return .due
        }
        guard deadline < scheduled else { return .nothing }
        scheduled = deadline
        return .scheduleAgain
    }
}
