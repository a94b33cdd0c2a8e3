/// A name and a value that tell figures of one metric apart: `link=us-east→eu-west`.
public struct Label: Hashable, Sendable, Codable {
    public let key: String
    public let value: String

    public init(_ key: String, _ value: String) {
        self.key = key
        self.value = value
    }
}

/// On which side of a value its physical bound lies.
public enum BoundSide: String, Hashable, Sendable, Codable {
    /// No honest value is larger.
    case upper
    /// No honest value is smaller.
    case lower
}

/// A limit that physics or arithmetic sets to one run's value.
public struct PhysicalBound: Hashable, Sendable, Codable {
    public let side: BoundSide
    /// In the metric's unit.
    public let limit: Double
    /// How the limit was derived from what the run knew, for example
    /// `200 Mbit/s − 0 background − 5.2 % headers`.
    public let derivation: String

    public init(_ side: BoundSide, _ limit: Double, derivation: String) {
        self.side = side
        self.limit = limit
        self.derivation = derivation
    }

    /// Whether `value` is possible. One part in 10⁹ is allowed for the rounding of the arithmetic
    /// that made both figures; anything that is not a number is impossible.
    public func admits(_ value: Double) -> Bool {
        guard value.isFinite, !limit.isNaN else { return false }
        let slack = 1e-9 * max(abs(limit.isFinite ? limit : 0), abs(value))
        return switch side {
        case .upper: value <= limit + slack
        case .lower: value >= limit - slack
        }
    }
}

/// What one replication measured of one metric.
public struct MetricValue: Equatable, Sendable, Codable {
    /// A name of the catalogue.
    public let metric: String
    /// Sorted by key. The variant belongs to the run's key, not here.
    public let labels: [Label]
    /// The replication's figure, in the metric's unit: with samples, their mean.
    public let value: Double
    public let bound: PhysicalBound?
    public let samples: Samples

    /// The single observations behind a figure.
    public enum Samples: Equatable, Sendable, Codable {
        /// The figure is one observation itself.
        case single
        /// Every observation, in the order observed.
        case all([Double])
        /// Too many to keep: their distribution.
        case distribution(LogHistogram)
    }

    /// A figure that is one observation.
    public init(_ metric: String, _ value: Double, labels: [Label] = [], bound: PhysicalBound?) {
        self.metric = metric
        self.labels = labels.sorted { $0.key < $1.key }
        self.value = value
        self.bound = bound
        samples = .single
    }

    /// A figure made of several observations. No observations give the value zero and the count
    /// zero, which no target accepts.
    public init(
        _ metric: String,
        samples values: [Double],
        labels: [Label] = [],
        bound: PhysicalBound?
    ) {
        self.metric = metric
        self.labels = labels.sorted { $0.key < $1.key }
        value = values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count)
        self.bound = bound
        samples = .all(values)
    }

    /// A figure made of a distribution.
    public init(
        _ metric: String,
        distribution: LogHistogram,
        labels: [Label] = [],
        bound: PhysicalBound?
    ) {
        self.metric = metric
        self.labels = labels.sorted { $0.key < $1.key }
        value = distribution.mean
        self.bound = bound
        samples = .distribution(distribution)
    }

    /// A figure as the archive kept it.
    public init(
        metric: String,
        labels: [Label],
        value: Double,
        bound: PhysicalBound?,
        samples: Samples
    ) {
        self.metric = metric
        self.labels = labels
        self.value = value
        self.bound = bound
        self.samples = samples
    }

    /// The number of observations behind the figure.
    public var sampleCount: Int {
        switch samples {
        case .single: 1
        case .all(let values): values.count
        case .distribution(let histogram): Int(histogram.count)
        }
    }

    /// The smallest and the largest observation; `nil` without any.
    public var extremes: (minimum: Double, maximum: Double)? {
        switch samples {
        case .single:
            return (value, value)
        case .all(let values):
            guard let low = values.min(), let high = values.max() else { return nil }
            return (low, high)
        case .distribution(let histogram):
            guard histogram.count > 0 else { return nil }
            return (histogram.minimum, histogram.maximum)
        }
    }

    /// Whether the figure and each observation behind it are possible.
    public var isPlausible: Bool {
        guard let bound else { return value.isFinite }
        guard sampleCount > 0 else { return true }
        guard let extremes else { return true }
        return bound.admits(value) && bound.admits(extremes.minimum)
            && bound.admits(extremes.maximum)
    }
}
