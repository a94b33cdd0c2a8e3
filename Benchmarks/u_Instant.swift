/// A point on a clock, in whole nanoseconds since that clock's origin.
///
/// In simulation the origin is the start of the run; on sockets it is the start instant that all
/// nodes of a run agreed on. Instants before the origin are negative. The range is ±292 years.
public struct Instant: Hashable, Comparable, Sendable, BitwiseCopyable {
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// The clock's origin.
    public static let zero = Instant(nanoseconds: 0)
    /// Later than everything that can happen; used for "no deadline".
    public static let distantFuture = Instant(nanoseconds: .max)

    /// Seconds since the origin, for printing and plotting only.
    public var seconds: Double { Double(nanoseconds) / 1e9 }

    public static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    public static func + (left: Instant, right: Interval) -> Instant {
        Instant(nanoseconds: left.nanoseconds + right.nanoseconds)
    }

    public static func - (left: Instant, right: Interval) -> Instant {
        Instant(nanoseconds: left.nanoseconds - right.nanoseconds)
    }

    public static func - (left: Instant, right: Instant) -> Interval {
        Interval(nanoseconds: left.nanoseconds - right.nanoseconds)
    }

    public static func += (left: inout Instant, right: Interval) {
        left = left + right
    }

    /// This instant moved by `interval`, stopping at `distantFuture` instead of overflowing.
    public func advanced(by interval: Interval) -> Instant {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(interval.nanoseconds)
        return overflow ? .distantFuture : Instant(nanoseconds: sum)
    }
}

extension Instant: CustomStringConvertible {
    public var description: String { "\(Interval(nanoseconds: nanoseconds))" }
}
