/// A distribution of non-negative values in logarithmic buckets of fixed relative precision.
///
/// A bucket is the value's binary exponent and the first seven bits of its mantissa, so each is
/// less than 0.8 % wide; no logarithm is computed, and equal inputs give equal bits on every
/// machine. Buckets between the smallest and the largest value are held densely: from one
/// nanosecond to one day they are fewer than 6,000. The idea is that of HdrHistogram (Gil Tene).
public struct LogHistogram: Equatable, Sendable, Codable {
    /// The number of values recorded.
    public private(set) var count: UInt64 = 0
    /// The exact sum of the values, in the order recorded.
    public private(set) var sum: Double = 0
    /// Zero before the first value.
    public private(set) var minimum: Double = 0
    /// Zero before the first value.
    public private(set) var maximum: Double = 0
    /// The bucket index of `counts[0]`.
    public private(set) var firstIndex: UInt64 = 0
    /// Values per bucket, from `firstIndex` upwards.
    public private(set) var counts: [UInt64] = []

    private static let shift: UInt64 = 52 - 7

    public init() {}

    /// A distribution as the archive kept it; `nil` when the parts contradict each other.
    public init?(
        firstIndex: UInt64,
        counts: [UInt64],
        sum: Double,
        minimum: Double,
        maximum: Double
    ) {
        var total: UInt64 = 0
        for bucket in counts {
            let (next, overflow) = total.addingReportingOverflow(bucket)
            guard !overflow else { return nil }
            total = next
        }
        let last = firstIndex.addingReportingOverflow(UInt64(counts.count))
        guard !last.overflow, last.partialValue <= LogHistogram.index(of: .infinity),
            sum.isFinite, minimum.isFinite, maximum.isFinite, minimum <= maximum
        else { return nil }
        self.firstIndex = firstIndex
        self.counts = counts
        self.sum = sum
        self.minimum = minimum
        self.maximum = maximum
        count = total
    }

    public var mean: Double { count == 0 ? 0 : sum / Double(count) }

    /// Adds one value. Traps on a negative or non-finite one: the recorder made a mistake.
    public mutating func record(_ value: Double) { record(value, count: 1) }

    /// Adds the same value several times, as one observation of many.
    public mutating func record(_ value: Double, count amount: UInt64) {
        guard amount > 0 else { return }
        precondition(value >= 0 && value.isFinite, "cannot record \(value) in a histogram")
        let index = LogHistogram.index(of: value)
        makeRoom(for: index, through: index)
        counts[Int(index - firstIndex)] += amount
        minimum = count == 0 ? value : min(minimum, value)
        maximum = count == 0 ? value : max(maximum, value)
        count += amount
        sum += value * Double(amount)
    }

    /// Adds all values of another distribution.
    public mutating func merge(_ other: LogHistogram) {
        guard other.count > 0 else { return }
        makeRoom(for: other.firstIndex, through: other.firstIndex + UInt64(other.counts.count) - 1)
        for (offset, amount) in other.counts.enumerated() {
            counts[Int(other.firstIndex - firstIndex) + offset] += amount
        }
        minimum = count == 0 ? other.minimum : min(minimum, other.minimum)
        maximum = count == 0 ? other.maximum : max(maximum, other.maximum)
        count += other.count
        sum += other.sum
    }

    /// The value below or at which the share `probability` of the values lies, at most 0.8 % above
    /// the true one and never outside what was recorded; `nil` when empty.
    public func quantile(_ probability: Double) -> Double? {
        precondition(probability >= 0 && probability <= 1, "quantile \(probability) is no share")
        guard count > 0 else { return nil }
        let rank = max(1, (probability * Double(count)).rounded(.up))
        var seen: UInt64 = 0
        for (offset, amount) in counts.enumerated() {
            seen += amount
            if Double(seen) >= rank {
                let upper = LogHistogram.upperEdge(of: firstIndex + UInt64(offset))
                return min(max(upper, minimum), maximum)
            }
        }
        return maximum
    }

    /// The buckets that hold values, as (upper edge, values), in ascending order.
    public var buckets: [(upperEdge: Double, count: UInt64)] {
        counts.indices.compactMap { offset in
            guard counts[offset] > 0 else { return nil }
            let edge = LogHistogram.upperEdge(of: firstIndex + UInt64(offset))
            return (min(edge, maximum), counts[offset])
        }
    }

    private static func index(of value: Double) -> UInt64 {
        value.bitPattern >> shift
    }

    private static func upperEdge(of index: UInt64) -> Double {
        Double(bitPattern: ((index + 1) << shift) - 1)
    }

    private mutating func makeRoom(for low: UInt64, through high: UInt64) {
        guard !counts.isEmpty else {
            firstIndex = low
            counts = Array(repeating: 0, count: Int(high - low) + 1)
            return
        }
        if low < firstIndex {
            counts.insert(contentsOf: repeatElement(0, count: Int(firstIndex - low)), at: 0)
            firstIndex = low
        }
        let end = firstIndex + UInt64(counts.count)
        if high >= end {
            counts.append(contentsOf: repeatElement(0, count: Int(high - end) + 1))
        }
    }
}
