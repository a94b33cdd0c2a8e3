public import Units

/// What a fault does to a node's own clock.
///
/// Machines know one clock, their node's monotonic one, which never goes back. Where a fault would
/// set it back, it *stands still* until it would be past its present reading again: that is what a
/// node sees of a clock that is behind.
public enum ClockFault: Hashable, Sendable {
    /// The clock shows so much more, or less, for as long as the fault lasts.
    case offset(Interval)
    /// The clock is set forward, or back, once and for all.
    case jump(Interval)
    /// The clock gains so many nanoseconds each second, or loses them; more than −10^9.
    case drift(nanosecondsPerSecond: Int64)
    /// The clock stands still, and then goes on from where it stood.
    case freeze
}

/// A node's monotonic clock under faults: linear between changes, and never going back.
struct NodeClock: Sendable {
    /// No fault has touched it so far: it shows the run's own time.
    private(set) var isTrue = true
    /// When the present line begins, in the run's time.
    private var base = Instant.zero
    /// What the line shows there; the clock itself may be ahead of it, and then stands still.
    private var line: Int64 = 0
    /// Nanoseconds that the line gains in a second.
    private var rate: Int64 = 1_000_000_000
    /// What the clock has shown already.
    private var shown: Int64 = 0
    private var active: [(number: Int, fault: ClockFault)] = []

    /// What the clock shows at a time not before the last change.
    func reading(at time: Instant) -> Instant {
        isTrue ? time : Instant(nanoseconds: max(shown, value(at: time)))
    }

    /// When the clock will show `due` or more; `nil` while it stands still for good. Not before
    /// `now`.
    func time(of due: Instant, from now: Instant) -> Instant? {
        if isTrue { return max(now, due) }
        guard due > reading(at: now) else { return now }
        guard due < .distantFuture else { return .distantFuture }
        guard rate > 0 else { return nil }
        // Beyond the reading, the line alone decides.
        let missing = Int128(due.nanoseconds) - Int128(line)
        let elapsed = (missing * 1_000_000_000 + Int128(rate) - 1) / Int128(rate)
        let time = Int128(base.nanoseconds) + elapsed
        return max(now, Instant(nanoseconds: Int64(clamping: time)))
    }

    func isStruck(by number: Int) -> Bool { active.contains { $0.number == number } }

    mutating func begin(_ fault: ClockFault, number: Int, at now: Instant) {
        settle(at: now)
        switch fault {
        case .offset(let offset):
            line += offset.nanoseconds
            active.append((number, fault))
        case .jump(let step): line += step.nanoseconds
        case .drift, .freeze: active.append((number, fault))
        }
        setRate()
    }

    /// Takes a fault back. What drift and standstill have made of the clock stays.
    mutating func end(number: Int, at now: Instant) {
        settle(at: now)
        for entry in active where entry.number == number {
            if case .offset(let offset) = entry.fault { line -= offset.nanoseconds }
        }
        active.removeAll { $0.number == number }
        setRate()
    }

    private func value(at time: Instant) -> Int64 {
        let elapsed = Int128((time - base).nanoseconds)
        return line + Int64(clamping: elapsed * Int128(rate) / 1_000_000_000)
    }

    private mutating func settle(at now: Instant) {
        shown = max(shown, value(at: now))
        line = value(at: now)
        base = now
        isTrue = false
    }

    /// Drifts add up; nothing makes a clock run backwards.
    private mutating func setRate() {
        rate = 1_000_000_000
        for entry in active {
            switch entry.fault {
            case .drift(let gain): rate += gain
            case .freeze:
                rate = 0
                return
            case .offset, .jump: break
            }
        }
        rate = max(0, rate)
    }
}
