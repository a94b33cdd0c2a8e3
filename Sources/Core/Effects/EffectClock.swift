public import Units

/// Time, real or virtual.
public protocol EffectClock: Sendable {
    /// Monotonic; its origin is the start of the process or of the run.
    var now: Instant { get }
    /// The calendar's time, for certificates, schedules and logs. It may jump.
    var wallTime: WallTime { get }
    /// Suspends until `now` is not before `deadline`; throws `CancellationError` when the task is
    /// cancelled before.
    nonisolated(nonsending) func sleep(until deadline: Instant) async throws
}

extension EffectClock {
    /// Suspends for `interval`; zero and less still let others run.
    public nonisolated(nonsending) func sleep(for interval: Interval) async throws {
        try await sleep(until: now.advanced(by: interval))
    }
}

/// A point of the calendar: nanoseconds since 1970-01-01T00:00:00 UTC, without leap seconds (POSIX).
public struct WallTime: Hashable, Comparable, Sendable {
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    public init(unixSeconds: Int64) {
        nanoseconds = unixSeconds * 1_000_000_000
    }

    /// Whole seconds since 1970, rounded down.
    public var unixSeconds: Int64 {
        let (quotient, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return rest < 0 ? quotient - 1 : quotient
    }

    public static func < (left: WallTime, right: WallTime) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    public static func + (left: WallTime, right: Interval) -> WallTime {
        WallTime(nanoseconds: left.nanoseconds + right.nanoseconds)
    }

    public static func - (left: WallTime, right: WallTime) -> Interval {
        Interval(nanoseconds: left.nanoseconds - right.nanoseconds)
    }
}
