/// A number of bytes.
public struct ByteCount: Hashable, Comparable, Sendable, BitwiseCopyable {
    public var bytes: Int64

    public init(_ bytes: Int64) {
        self.bytes = bytes
    }

    public init(_ bytes: Int) {
        self.bytes = Int64(bytes)
    }

    public static let zero = ByteCount(0 as Int64)
    public static func kibibytes(_ count: Int64) -> ByteCount { ByteCount(count << 10) }
    public static func mebibytes(_ count: Int64) -> ByteCount { ByteCount(count << 20) }
    public static func gibibytes(_ count: Int64) -> ByteCount { ByteCount(count << 30) }

    public static func < (left: ByteCount, right: ByteCount) -> Bool { left.bytes < right.bytes }
    public static func + (left: ByteCount, right: ByteCount) -> ByteCount {
        ByteCount(left.bytes + right.bytes)
    }
    public static func - (left: ByteCount, right: ByteCount) -> ByteCount {
        ByteCount(left.bytes - right.bytes)
    }
    public static func += (left: inout ByteCount, right: ByteCount) { left = left + right }
}

extension ByteCount: CustomStringConvertible {
    public var description: String {
        // Of the units that divide it the one with the fewest of them: 1 TB is 976562500 KiB, too.
        let units: [(size: Int64, name: String)] = [
            (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"),
            (1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"),
        ]
        let fitting = units.filter { bytes != 0 && bytes % $0.size == 0 }
        guard let unit = fitting.max(by: { $0.size < $1.size }) else { return "\(bytes) B" }
        return "\(bytes / unit.size) \(unit.name)"
    }
}

/// A transmission rate in whole bits per second; at least one wherever it divides.
public struct BitRate: Hashable, Comparable, Sendable, BitwiseCopyable {
    public var bitsPerSecond: Int64

    public init(bitsPerSecond: Int64) {
        self.bitsPerSecond = bitsPerSecond
    }

    public static func megabits(_ count: Int64) -> BitRate {
        BitRate(bitsPerSecond: count * 1_000_000)
    }
    public static func gigabits(_ count: Int64) -> BitRate {
        BitRate(bitsPerSecond: count * 1_000_000_000)
    }

    public static func < (left: BitRate, right: BitRate) -> Bool {
        left.bitsPerSecond < right.bitsPerSecond
    }

    /// The time a link of this rate needs to serialize `count`, rounded up so that a link never
    /// carries more than its rate.
    public func serializationTime(of count: ByteCount) -> Interval {
        let bits = UInt64(count.bytes) * 8
        let (high, low) = bits.multipliedFullWidth(by: 1_000_000_000)
        let divisor = UInt64(bitsPerSecond)
        let (quotient, remainder) = divisor.dividingFullWidth((high, low))
        return Interval(nanoseconds: Int64(quotient) + (remainder > 0 ? 1 : 0))
    }

    /// The bytes that this rate carries in `interval`, rounded down.
    public func bytes(in interval: Interval) -> ByteCount {
        let (high, low) = UInt64(bitsPerSecond)
            .multipliedFullWidth(by: UInt64(max(0, interval.nanoseconds)))
        let (quotient, _) = UInt64(8_000_000_000).dividingFullWidth((high, low))
        return ByteCount(Int64(quotient))
    }
}

extension BitRate: CustomStringConvertible {
    public var description: String {
        for (unit, name) in [
            (Int64(1_000_000_000), "Gbit/s"), (1_000_000, "Mbit/s"), (1_000, "kbit/s"),
        ] where bitsPerSecond >= unit {
            let value = Double(bitsPerSecond) / Double(unit)
            return value == value.rounded() ? "\(Int64(value)) \(name)" : "\(value) \(name)"
        }
        return "\(bitsPerSecond) bit/s"
    }
}

/// A dimensionless share or probability; `0.01` is one per cent.
public struct Ratio: Hashable, Comparable, Sendable, BitwiseCopyable {
    public var value: Double

    public init(_ value: Double) {
        self.value = value
    }

    public static let zero = Ratio(0)
    public static func percent(_ value: Double) -> Ratio { Ratio(value / 100) }

    public static func < (left: Ratio, right: Ratio) -> Bool { left.value < right.value }
}

extension Ratio: CustomStringConvertible {
    public var description: String { "\(value * 100) %" }
}
