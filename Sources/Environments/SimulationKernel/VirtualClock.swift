public import Units

/// The clock of a `VirtualExecutor`: the same one-nanosecond time as the simulation's events, for
/// code written against Swift's `Clock`.
///
/// It must be used on that executor only; sleeping elsewhere traps.
public struct VirtualClock: Clock {
    /// A point in virtual time.
    public struct Instant: InstantProtocol {
        /// The same point in the simulation's units.
        public var time: Units.Instant

        public init(_ time: Units.Instant) {
            self.time = time
        }

        /// Moves by `duration`, rounded up to whole nanoseconds so that no sleep is too short, and
        /// stopping at the ends of the range.
        public func advanced(by duration: Duration) -> Instant {
            Instant(time.advanced(by: Interval(roundingUp: duration)))
        }

        public func duration(to other: Instant) -> Duration {
            .nanoseconds(other.time.nanoseconds) - .nanoseconds(time.nanoseconds)
        }

        public static func < (left: Instant, right: Instant) -> Bool { left.time < right.time }
    }

    private let executor: VirtualExecutor

    init(executor: VirtualExecutor) {
        self.executor = executor
    }

    public var now: Instant { Instant(executor.now) }
    public var minimumResolution: Duration { .nanoseconds(1) }

    /// Suspends until `deadline`; throws `CancellationError` when the task is cancelled before.
    /// Virtual time is exact, so the tolerance is not used.
    public func sleep(until deadline: Instant, tolerance: Duration? = nil) async throws {
        try await executor.sleep(until: deadline.time)
    }
}

extension Interval {
    /// The least whole number of nanoseconds that is not below `duration`; saturates.
    fileprivate init(roundingUp duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let whole = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let rest = attoseconds / 1_000_000_000 + (attoseconds % 1_000_000_000 > 0 ? 1 : 0)
        let sum = whole.partialValue.addingReportingOverflow(rest)
        let saturated: Int64 = duration < .zero ? .min : .max
        self.init(nanoseconds: whole.overflow || sum.overflow ? saturated : sum.partialValue)
    }
}
