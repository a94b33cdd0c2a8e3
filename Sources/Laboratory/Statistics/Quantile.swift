import Foundation

/// Quantiles of samples and their intervals.
public enum Quantile {
    /// The samples that p(`percent`) needs within one replication: ten beyond it, 10·100/(100−N),
    /// counted from whichever end is nearer. Traps outside (0, 100).
    public static func samplesNeeded(percent: Double) -> Int {
        precondition(percent > 0 && percent < 100, "p(\(percent)) is no percentile")
        let beyond = min(percent, 100 - percent)
        // 100 − 99.9 is a little more than 0.1 in binary; that must not ask for one sample more.
        return Int((1_000 / beyond - 1e-6).rounded(.up))
    }

    /// The linearly interpolated quantile of sorted samples (type 7 of Hyndman and Fan 1996, the
    /// default of R and NumPy). Traps without samples.
    public static func interpolated(sorted: [Double], probability: Double) -> Double {
        precondition(!sorted.isEmpty, "a quantile needs a sample")
        let position = min(max(probability, 0), 1) * Double(sorted.count - 1)
        let below = Int(position)
        guard below + 1 < sorted.count else { return sorted[sorted.count - 1] }
        let (low, high) = (sorted[below], sorted[below + 1])
        return low == high ? low : low + (position - Double(below)) * (high - low)
    }

    public static func median(sorted: [Double]) -> Double {
        interpolated(sorted: sorted, probability: 0.5)
    }

    /// The quantile of pooled samples with the distribution-free interval between two order
    /// statistics (Hahn and Meeker, "Statistical Intervals", section 5.2). A side that the samples
    /// are too few for is infinite. `nil` without samples.
    ///
    /// It takes the samples as independent; samples of one replication share a network, so this is
    /// used only where a replication holds too few for a quantile of its own.
    public static func pooled(
        _ samples: [Double],
        probability: Double,
        confidence: Double
    ) -> Estimate? {
        precondition(probability > 0 && probability < 1, "quantile \(probability)")
        guard !samples.isEmpty else { return nil }
        let sorted = samples.sorted()
        let count = sorted.count
        let alpha = 1 - confidence
        // P(X(l) > q) = P(B ≤ l − 1), P(X(u) < q) = P(B ≥ u), B ~ Binomial(n, probability).
        func cumulative(_ successes: Int) -> Double {
            SpecialFunctions.binomialCumulative(successes, trials: count, share: probability)
        }
        let lower = lastIndex(in: 1...count) { cumulative($0 - 1) <= alpha / 2 }
        let upper = lastIndex(in: 1...count) { 1 - cumulative(count - $0) <= alpha / 2 }
        return Estimate(
            value: interpolated(sorted: sorted, probability: probability),
            low: lower.map { sorted[$0 - 1] } ?? -.infinity,
            high: upper.map { sorted[count - $0] } ?? .infinity,
            confidence: confidence,
            count: count,
            isDeterministic: false
        )
    }

    /// The pooled samples at which both ends of the interval exist.
    public static func pooledSamplesNeeded(probability: Double, confidence: Double) -> Int {
        let extreme = max(probability, 1 - probability)
        return Int((log((1 - confidence) / 2) / log(extreme)).rounded(.up))
    }

    /// The largest number of `range` that fulfils a condition which only small numbers fulfil.
    private static func lastIndex(
        in range: ClosedRange<Int>,
        where holds: (Int) -> Bool
    ) -> Int? {
        guard holds(range.lowerBound) else { return nil }
        var low = range.lowerBound
        var high = range.upperBound
        while low < high {
            let middle = low + (high - low + 1) / 2
            if holds(middle) {
                low = middle
            } else {
                high = middle - 1
            }
        }
        return low
    }
}

/// The share of samples at or below each value.
public struct EmpiricalDistribution: Hashable, Sendable {
    /// In ascending order.
    public let sorted: [Double]

    public init(_ samples: [Double]) {
        sorted = samples.sorted()
    }

    /// The share of samples ≤ `value`; zero without samples.
    public func share(atOrBelow value: Double) -> Double {
        guard !sorted.isEmpty else { return 0 }
        var low = 0
        var high = sorted.count
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] <= value {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return Double(low) / Double(sorted.count)
    }

    /// The steps of the curve, at most `limit` of them, the first and the last sample included.
    public func steps(limit: Int = 500) -> [(value: Double, share: Double)] {
        precondition(limit >= 2, "a curve of \(limit) points")
        let count = sorted.count
        guard count > limit else {
            return sorted.indices.map { (sorted[$0], Double($0 + 1) / Double(count)) }
        }
        return (0..<limit).map { step in
            let index = step * (count - 1) / (limit - 1)
            return (sorted[index], Double(index + 1) / Double(count))
        }
    }
}

/// The exact binomial interval of Clopper and Pearson (1934).
public enum ClopperPearson {
    /// The share of successes with its interval; 0 of n gives an upper bound near 3/n at 95 %
    /// one-sided. Traps unless 0 ≤ successes ≤ trials and trials > 0.
    public static func share(of successes: Int, in trials: Int, confidence: Double) -> Estimate {
        precondition(
            trials > 0 && successes >= 0 && successes <= trials,
            "\(successes) successes in \(trials) trials"
        )
        let alpha = 1 - confidence
        let (hits, misses) = (Double(successes), Double(trials - successes))
        return Estimate(
            value: hits / Double(trials),
            low: successes == 0
                ? 0 : SpecialFunctions.inverseRegularizedBeta(alpha / 2, hits, misses + 1),
            high: successes == trials
                ? 1 : SpecialFunctions.inverseRegularizedBeta(1 - alpha / 2, hits + 1, misses),
            confidence: confidence,
            count: trials
        )
    }
}
