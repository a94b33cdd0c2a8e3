/// A length of time in whole nanoseconds; may be negative.
public struct Interval: Hashable, Comparable, Sendable, BitwiseCopyable {
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// Rounds half away from zero; traps when the value leaves ±292 years or is not a number.
    public init(seconds: Double) {
        nanoseconds = Int64((seconds * 1e9).rounded())
    }

    public static let zero = Interval(nanoseconds: 0)

    public static func nanoseconds(_ count: Int64) -> Interval { Interval(nanoseconds: count) }
    public static func microseconds(_ count: Int64) -> Interval {
        Interval(nanoseconds: count * 1_000)
    }
    public static func milliseconds(_ count: Int64) -> Interval {
        Interval(nanoseconds: count * 1_000_000)
    }
    public static func seconds(_ count: Int64) -> Interval {
        Interval(nanoseconds: count * 1_000_000_000)
    }

    public var seconds: Double { Double(nanoseconds) / 1e9 }
    public var milliseconds: Double { Double(nanoseconds) / 1e6 }

    public static func < (left: Interval, right: Interval) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    public static func + (left: Interval, right: Interval) -> Interval {
        Interval(nanoseconds: left.nanoseconds + right.nanoseconds)
    }

    public static func - (left: Interval, right: Interval) -> Interval {
        Interval(nanoseconds: left.nanoseconds - right.nanoseconds)
    }

    public static func * (left: Interval, right: Int64) -> Interval {
        Interval(nanoseconds: left.nanoseconds * right)
    }

    public static func / (left: Interval, right: Int64) -> Interval {
        Interval(nanoseconds: left.nanoseconds / right)
    }

    public static func += (left: inout Interval, right: Interval) {
        left = left + right
    }

    public static prefix func - (value: Interval) -> Interval {
        Interval(nanoseconds: -value.nanoseconds)
    }

    /// This interval multiplied by `factor`, rounded to the nearest nanosecond.
    public func scaled(by factor: Double) -> Interval {
        Interval(nanoseconds: Int64((Double(nanoseconds) * factor).rounded()))
    }
}

extension Interval: CustomStringConvertible {
    /// The value in the largest unit that keeps it at or above one, for example `76 ms`.
    public var description: String {
        let magnitude = nanoseconds.magnitude
        return if magnitude >= 1_000_000_000 {
            decimal(per: 1_000_000_000) + " s"
        } else if magnitude >= 1_000_000 {
            decimal(per: 1_000_000) + " ms"
        } else if magnitude >= 1_000 {
            decimal(per: 1_000) + " us"
        } else {
            "\(nanoseconds) ns"
        }
    }

    private func decimal(per unit: UInt64) -> String {
        let whole = nanoseconds.magnitude / unit
        let rest = nanoseconds.magnitude % unit
        let sign = nanoseconds < 0 ? "-" : ""
        guard rest > 0 else { return "\(sign)\(whole)" }
        var digits = String(unit + rest).dropFirst()
        while digits.last == "0" { digits.removeLast() }
        return "\(sign)\(whole).\(digits)"
    }
}
