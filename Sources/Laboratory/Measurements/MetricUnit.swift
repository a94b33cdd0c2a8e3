/// What a quantity measures; values of one dimension convert into each other.
public enum Dimension: String, Hashable, Sendable, Codable, CaseIterable {
    /// Base unit: one second.
    case time
    /// Base unit: one bit per second.
    case bitRate
    /// Base unit: one byte per second.
    case byteRate
    /// Base unit: one request per second.
    case requestRate
    /// Base unit: the fraction one, that is 100 %.
    case share
    /// Base unit: one (a plain factor).
    case factor
    /// Base unit: one byte.
    case size
    /// Base unit: one thing counted.
    case count
    /// Base unit: one second for each 10⁹ bytes.
    case timePerSize
}

/// The unit in which a metric's values are stored, judged and printed.
///
/// Every value in a ``MetricValue`` is in its metric's own unit: a utilisation of 93.1 % is `93.1`
/// and a downtime of 470 ms is `470`. A threshold from a scenario arrives in the base unit of its
/// dimension; ``value(fromBase:)`` converts it.
public enum MetricUnit: String, Hashable, Sendable, Codable, CaseIterable {
    case bitsPerSecond = "bit/s"
    case megabytesPerSecond = "MB/s"
    case requestsPerSecond = "req/s"
    case percent = "%"
    case seconds = "s"
    case milliseconds = "ms"
    case factor = "x"
    case megabytes = "MB"
    case count = "count"
    case secondsPerGigabyte = "s/GB"

    public var dimension: Dimension {
        switch self {
        case .bitsPerSecond: .bitRate
        case .megabytesPerSecond: .byteRate
        case .requestsPerSecond: .requestRate
        case .percent: .share
        case .seconds, .milliseconds: .time
        case .factor: .factor
        case .megabytes: .size
        case .count: .count
        case .secondsPerGigabyte: .timePerSize
        }
    }

    /// One of this unit, in the base unit of its dimension: 0.001 for milliseconds.
    public var scale: Double {
        switch self {
        case .bitsPerSecond, .requestsPerSecond, .seconds, .factor, .count, .secondsPerGigabyte: 1
        case .megabytesPerSecond, .megabytes: 1e6
        case .percent: 0.01
        case .milliseconds: 1e-3
        }
    }

    /// A value given in the dimension's base unit, in this unit. Multiplies where the factor is
    /// exact, so that 0.5 s is exactly 500 ms.
    public func value(fromBase base: Double) -> Double {
        switch self {
        case .milliseconds: base * 1e3
        case .percent: base * 1e2
        default: base / scale
        }
    }

    /// A value of this unit in the dimension's base unit.
    public func base(from value: Double) -> Double {
        switch self {
        case .milliseconds: value / 1e3
        case .percent: value / 1e2
        default: value * scale
        }
    }
}
