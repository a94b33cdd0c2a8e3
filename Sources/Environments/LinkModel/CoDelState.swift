import Units

/// CoDel's control of one queue: whether the packet at hand is to be dropped.
///
/// Follows RFC 8289, section 5, in the form of Linux (`codel_impl.h`): it resumes near the last
/// drop rate when the queue stood recently (within 16 intervals), and leaves a queue of at most one
/// full packet alone. Deviation: the control law's square root is exact, where Linux
/// approximates it by Newton steps.
struct CoDelState: BitwiseCopyable {
    /// When the waiting time will have stood above the target for an interval; `nil` below it.
    private var firstAbove: Instant?
    private var dropNext = Instant.zero
    /// Drops since the state was entered, and that number when it was entered last.
    private(set) var count: UInt32 = 0
    private var lastCount: UInt32 = 0
    private(set) var isDropping = false

    /// What to do with the packet at the head.
    enum Decision {
        case send
        case mark
        case drop
    }

    /// Whether a call follows a drop of the same turn.
    enum Turn {
        case first
        case afterDropWhileDropping
        case afterFirstDrop
    }

    /// The queue ran empty.
    mutating func queueIsEmpty(_ turn: Turn) {
        firstAbove = nil
        if turn != .afterFirstDrop { isDropping = false }
    }

    /// The time between drops shrinks with the root of their number (section 5.1).
    private func controlLaw(_ time: Instant, _ interval: Interval) -> Instant {
        time
            + Interval(
                nanoseconds: Int64(
                    Double(interval.nanoseconds) / Double(max(1, count)).squareRoot()
                )
            )
    }

    private mutating func isLate(
        _ waited: Interval,
        backlog: Int,
        at now: Instant,
        _ parameters: ControlledDelay
    ) -> Bool {
        guard waited >= parameters.target, backlog > RateTrace.opportunityBytes else {
            firstAbove = nil
            return false
        }
        guard let firstAbove else {
            self.firstAbove = now + parameters.interval
            return false
        }
        return now >= firstAbove
    }

    /// - Parameters:
    ///   - waited: the time that the packet at the head has waited.
    ///   - backlog: the bytes that wait behind it.
    ///   - canMark: whether it can be marked instead of dropped.
    mutating func decide(
        _ turn: Turn,
        waited: Interval,
        backlog: Int,
        canMark: Bool,
        at now: Instant,
        _ parameters: ControlledDelay
    ) -> Decision {
        let late = isLate(waited, backlog: backlog, at: now, parameters)
        switch turn {
        case .first where !isDropping:
            guard late else { return .send }
            enter(at: now, parameters)
            return canMark ? .mark : .drop
        case .afterFirstDrop:
            // The state was just entered; whatever comes next is sent.
            return .send
        case .first, .afterDropWhileDropping:
            guard late else {
                isDropping = false
                return .send
            }
            if turn == .afterDropWhileDropping {
                dropNext = controlLaw(dropNext, parameters.interval)
            }
            guard now >= dropNext else { return .send }
            count += 1
            guard canMark else { return .drop }
            dropNext = controlLaw(dropNext, parameters.interval)
            return .mark
        }
    }

    private mutating func enter(at now: Instant, _ parameters: ControlledDelay) {
        isDropping = true
        let drops = count &- lastCount
        let isRecent = now - dropNext < parameters.interval * 16
        count = drops > 1 && drops < 1 << 31 && isRecent ? drops : 1
        lastCount = count
        dropNext = controlLaw(now, parameters.interval)
    }
}
