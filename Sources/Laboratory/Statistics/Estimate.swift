import Foundation

/// A figure with the interval that its true value lies in.
public struct Estimate: Hashable, Sendable {
    public let value: Double
    /// −∞ when too few replications ran to bound the value from below.
    public let low: Double
    /// +∞ when too few replications ran to bound the value from above.
    public let high: Double
    /// Of the two-sided interval, in (0, 1).
    public let confidence: Double
    /// The number of independent observations behind it: replications or pairs, or pooled samples.
    public let count: Int
    /// At least two replications gave exactly the same value: there is no variance to estimate.
    public let isDeterministic: Bool

    public init(
        value: Double,
        low: Double,
        high: Double,
        confidence: Double,
        count: Int,
        isDeterministic: Bool = false
    ) {
        self.value = value
        self.low = low
        self.high = high
        self.confidence = confidence
        self.count = count
        self.isDeterministic = isDeterministic
    }

    public var halfWidth: Double { (high - low) / 2 }

    /// The half-width in units of the value; infinite around zero unless the value is exact.
    public var relativeHalfWidth: Double {
        guard halfWidth > 0 else { return 0 }
        return value == 0 ? .infinity : halfWidth / abs(value)
    }
}

/// Count, mean and variance of observations, by two passes with the compensation of Chan, Golub and
/// LeVeque (1983), so that a small variance around a large mean keeps its digits.
public struct Summary: Hashable, Sendable {
    public let count: Int
    /// Zero without observations.
    public let mean: Double
    /// The unbiased sample variance; zero for fewer than two observations.
    public let variance: Double
    /// Whether all observations are bit for bit the same.
    public let isConstant: Bool

    public init(_ values: [Double]) {
        count = values.count
        guard let first = values.first else {
            (mean, variance, isConstant) = (0, 0, true)
            return
        }
        isConstant = values.allSatisfy { $0 == first }
        guard !isConstant else {
            (mean, variance) = (first, 0)
            return
        }
        // Shifting by the first value keeps the sum small when the values lie close together.
        let total = values.reduce(0) { $0 + ($1 - first) }
        let centre = first + total / Double(values.count)
        var squares = 0.0
        var rest = 0.0
        for value in values {
            squares += (value - centre) * (value - centre)
            rest += value - centre
        }
        mean = centre
        variance = max(0, squares - rest * rest / Double(count)) / Double(count - 1)
    }

    public var standardDeviation: Double { variance.squareRoot() }
}

extension Estimate {
    /// The mean over replications with its Student-t interval; the unit is one replication, never a
    /// packet. `nil` without replications; one replication has no interval.
    public static func mean(of values: [Double], confidence: Double) -> Estimate? {
        precondition(confidence > 0 && confidence < 1, "confidence \(confidence)")
        guard !values.isEmpty else { return nil }
        let summary = Summary(values)
        guard values.count >= 2 else {
            return Estimate(
                value: summary.mean,
                low: -.infinity,
                high: .infinity,
                confidence: confidence,
                count: 1
            )
        }
        let half = halfWidth(
            standardDeviation: summary.standardDeviation,
            count: values.count,
            confidence: confidence
        )
        return Estimate(
            value: summary.mean,
            low: summary.mean - half,
            high: summary.mean + half,
            confidence: confidence,
            count: values.count,
            isDeterministic: summary.isConstant
        )
    }

    private static func halfWidth(
        standardDeviation: Double,
        count: Int,
        confidence: Double
    ) -> Double {
        guard standardDeviation > 0 else { return 0 }
        let t = StudentT.quantile((1 + confidence) / 2, degreesOfFreedom: Double(count - 1))
        return t * standardDeviation / Double(count).squareRoot()
    }
}

/// How many replications an interval needs.
public enum ReplicationPlanning {
    /// No plan asks for more than this.
    public static let ceiling = 1_000_000

    /// The number of replications at which the Student-t half-width is expected to be at most
    /// `halfWidth`, given the variance seen so far; `nil` when even ``ceiling`` would not do. A wish
    /// of zero is fulfilled only by a variance of zero.
    public static func replicationsNeeded(
        standardDeviation: Double,
        halfWidth: Double,
        confidence: Double
    ) -> Int? {
        guard standardDeviation > 0 else { return 2 }
        guard halfWidth > 0 else { return nil }
        let z = Normal.quantile((1 + confidence) / 2)
        let start = (z * standardDeviation / halfWidth) * (z * standardDeviation / halfWidth)
        guard start < Double(ceiling) else { return nil }
        // Student's quantile exceeds the normal one by about (1 + z²)/4ν, so the normal answer is too
        // small by only a few; the loop ends after those.
        var count = max(2, Int(start.rounded(.up)))
        while count <= ceiling {
            let t = StudentT.quantile((1 + confidence) / 2, degreesOfFreedom: Double(count - 1))
            if t * standardDeviation / Double(count).squareRoot() <= halfWidth { return count }
            // Near the bottom of the table t falls fast; above it a few per cent a step suffices.
            count += max(1, count / 64)
        }
        return nil
    }
}

/// When to stop adding replications: at the wished relative half-width, but not before the minimum.
///
/// Looking again and again makes a fixed-size interval slightly too narrow; a minimum of ten keeps
/// the loss of coverage within about a percentage point (Law, "Simulation Modeling and Analysis",
/// section 9.4.1). The decision depends only on the values given, so whoever passes them in seed
/// order decides the same on any number of threads.
public struct SequentialStopping: Hashable, Sendable {
    public let minimum: Int
    public let maximum: Int
    public let relativeHalfWidth: Double
    public let confidence: Double

    public enum Decision: Hashable, Sendable {
        /// At least two replications gave exactly the same figure; more would too.
        case deterministic
        /// The interval is as narrow as wished.
        case precise
        /// About that many more replications are expected to do, never beyond the maximum.
        case more(Int)
        /// The maximum is reached and the interval is still too wide.
        case exhausted
    }

    public init(
        minimum: Int = 10,
        maximum: Int,
        relativeHalfWidth: Double,
        confidence: Double = 0.95
    ) {
        precondition(minimum >= 2, "an interval needs two replications, not \(minimum)")
        precondition(maximum >= minimum, "at most \(maximum) but at least \(minimum) replications")
        self.minimum = minimum
        self.maximum = maximum
        self.relativeHalfWidth = relativeHalfWidth
        self.confidence = confidence
    }

    public func decide(_ values: [Double]) -> Decision {
        let summary = Summary(values)
        if values.count >= 2, summary.isConstant { return .deterministic }
        if values.count < 2 { return .more(2 - values.count) }
        let estimate = Estimate.mean(of: values, confidence: confidence)!
        if values.count >= minimum, estimate.relativeHalfWidth <= relativeHalfWidth {
            return .precise
        }
        if values.count >= maximum { return .exhausted }
        if values.count < minimum { return .more(minimum - values.count) }
        let needed = ReplicationPlanning.replicationsNeeded(
            standardDeviation: summary.standardDeviation,
            halfWidth: relativeHalfWidth * abs(summary.mean),
            confidence: confidence
        )
        let total = min(maximum, max(values.count + 1, needed ?? maximum))
        return .more(total - values.count)
    }
}
