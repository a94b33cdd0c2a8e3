public import Measurements
public import Units

/// A figure that decides about GO: a statistic of a metric, compared with a threshold.
public struct Target: Hashable, Sendable {
    /// The catalogue name of the metric.
    public var metric: String
    public var statistic: Statistic
    public var comparison: Comparison
    /// In the base unit of the dimension of `unit`: 0.5 for 500 ms, 0.9 for 90 %.
    public var threshold: Double
    /// The unit of the figure that is compared: the metric's own, `factor` for `speedup` and `ratio`,
    /// `count` for `count`, `requestsPerSecond` for `rate`.
    public var unit: MetricUnit
    public var subject: Subject
    /// Only samples of this link, by name.
    public var link: String?
    /// Only samples of this region, by name.
    public var region: String?
    /// Only samples of this phase of a boot.
    public var phase: String?
    /// Only samples of this transfer, by its name.
    public var transfer: String?
    /// Of the two-sided interval; in (0, 1).
    public var confidence: Ratio

    public enum Subject: Hashable, Sendable {
        /// Every variant must clear the gate.
        case everyVariant
        case variant(String)
        /// Paired by seed: the first against the second.
        case compare(String, String)
    }

    public enum Statistic: Hashable, Sendable {
        case count
        case rate
        case mean
        case min
        case median
        case max
        /// In (0, 100).
        case percentile(Double)
        /// Second's value / first's value: above 1 the first is faster or smaller.
        case speedup
        /// First's value − second's value.
        case difference
        /// First's value / second's value.
        case ratio

        /// True for the statistics that need two variants.
        public var comparesVariants: Bool {
            switch self {
            case .speedup, .difference, .ratio: true
            case .count, .rate, .mean, .min, .median, .max, .percentile: false
            }
        }
    }

    public enum Comparison: String, Hashable, Sendable, CaseIterable {
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
        case equal = "=="
        case notEqual = "!="

        /// Whether `value` clears the threshold.
        public func holds(_ value: Double, _ threshold: Double) -> Bool {
            switch self {
            case .less: value < threshold
            case .lessOrEqual: value <= threshold
            case .greater: value > threshold
            case .greaterOrEqual: value >= threshold
            case .equal: value == threshold
            case .notEqual: value != threshold
            }
        }
    }

    public init(
        metric: String,
        statistic: Statistic,
        comparison: Comparison,
        threshold: Double,
        unit: MetricUnit,
        subject: Subject,
        link: String?,
        region: String?,
        phase: String? = nil,
        transfer: String? = nil,
        confidence: Ratio
    ) {
        self.metric = metric
        self.statistic = statistic
        self.comparison = comparison
        self.threshold = threshold
        self.unit = unit
        self.subject = subject
        self.link = link
        self.region = region
        self.phase = phase
        self.transfer = transfer
        self.confidence = confidence
    }
}
