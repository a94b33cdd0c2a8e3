import Determinism
import Foundation

/// Two variants on common random numbers: value i of both comes from seed i.
///
/// Because both variants saw the same network, the noise they share cancels in the pairs, and
/// ``varianceReduction`` says by how much.
public struct PairedComparison: Hashable, Sendable {
    public let first: [Double]
    public let second: [Double]

    /// Traps unless both hold the same, positive number of values.
    public init(first: [Double], second: [Double]) {
        precondition(
            first.count == second.count && !first.isEmpty,
            "\(first.count) values cannot be paired with \(second.count)"
        )
        self.first = first
        self.second = second
    }

    /// First − second, seed by seed.
    public var differences: [Double] { zip(first, second).map { $0 - $1 } }

    /// The mean difference with the paired-t interval.
    public func difference(confidence: Double) -> Estimate {
        Estimate.mean(of: differences, confidence: confidence)!
    }

    /// First / second: the geometric mean of the ratios with the paired-t interval of their
    /// logarithms.
    ///
    /// Chosen over Fieller's ratio of means because the interval always exists, is positive, and
    /// turns into its exact reciprocal when the variants change places; and because a claim such as
    /// "three times faster" is about each run, not about the sum of all runs. `nil` when a value is
    /// not positive, where no ratio has a meaning.
    public func ratio(confidence: Double) -> Estimate? {
        guard first.allSatisfy({ $0 > 0 }), second.allSatisfy({ $0 > 0 }) else { return nil }
        let ratios = zip(first, second).map { $0 / $1 }
        let constant = ratios.allSatisfy { $0 == ratios[0] }
        let logs = constant ? ratios.map { _ in log(ratios[0]) } : ratios.map { log($0) }
        let estimate = Estimate.mean(of: logs, confidence: confidence)!
        return Estimate(
            value: constant ? ratios[0] : exp(estimate.value),
            low: constant && ratios.count > 1 ? ratios[0] : exp(estimate.low),
            high: constant && ratios.count > 1 ? ratios[0] : exp(estimate.high),
            confidence: confidence,
            count: ratios.count,
            isDeterministic: estimate.isDeterministic
        )
    }

    /// (variance of first + variance of second) / variance of the differences: how many times more
    /// replications independent seeds would have cost. Infinite when the differences are constant
    /// though the values are not; `nil` when nothing varies at all or there is only one pair.
    public var varianceReduction: Double? {
        guard first.count >= 2 else { return nil }
        let apart = Summary(first).variance + Summary(second).variance
        let together = Summary(differences).variance
        guard apart > 0 else { return nil }
        return together > 0 ? apart / together : .infinity
    }

    /// Wilcoxon's signed-rank test of the differences.
    public var wilcoxon: WilcoxonSignedRank { WilcoxonSignedRank(differences) }

    /// The mean difference with a BCa bootstrap interval; `nil` for fewer than two pairs.
    public func bootstrapDifference(
        confidence: Double,
        seed: UInt64,
        resamples: Int = 2_000
    ) -> Estimate? {
        Bootstrap.interval(
            of: differences,
            confidence: confidence,
            seed: seed,
            resamples: resamples
        ) { $0.reduce(0, +) / Double($0.count) }
    }
}

/// The bias-corrected and accelerated bootstrap (Efron 1987; Efron and Tibshirani, "An Introduction
/// to the Bootstrap", section 14.3), from a seeded stream: equal inputs give equal intervals.
public enum Bootstrap {
    /// The interval of `statistic` over `values`, which are resampled with replacement. `nil` for
    /// fewer than two values.
    public static func interval(
        of values: [Double],
        confidence: Double,
        seed: UInt64,
        resamples: Int = 2_000,
        statistic: ([Double]) -> Double
    ) -> Estimate? {
        precondition(resamples >= 100, "\(resamples) resamples give no tail to read")
        guard values.count >= 2 else { return nil }
        let observed = statistic(values)
        let constant = values.allSatisfy { $0 == values[0] }
        var random = SeededRandom(stateFrom: seed)
        var replicates: [Double] = []
        replicates.reserveCapacity(resamples)
        var resample = values
        for _ in 0..<resamples {
            for index in resample.indices {
                resample[index] = values[Int(random.below(UInt64(values.count)))]
            }
            replicates.append(statistic(resample))
        }
        replicates.sort()
        let bias = biasCorrection(replicates, observed)
        let acceleration = acceleration(values, statistic)
        func bound(_ probability: Double) -> Double {
            let z = Normal.quantile(probability)
            let shifted = bias + (bias + z) / (1 - acceleration * (bias + z))
            return Quantile.interpolated(
                sorted: replicates,
                probability: Normal.cumulative(shifted)
            )
        }
        return Estimate(
            value: observed,
            low: constant ? observed : bound((1 - confidence) / 2),
            high: constant ? observed : bound((1 + confidence) / 2),
            confidence: confidence,
            count: values.count,
            isDeterministic: constant
        )
    }

    private static func biasCorrection(_ replicates: [Double], _ observed: Double) -> Double {
        var below = 0.0
        for replicate in replicates {
            // Ties count half, or a discrete statistic would look biased.
            below += replicate < observed ? 1 : replicate == observed ? 0.5 : 0
        }
        let count = Double(replicates.count)
        let share = min(max(below / count, 0.5 / count), 1 - 0.5 / count)
        return Normal.quantile(share)
    }

    private static func acceleration(
        _ values: [Double],
        _ statistic: ([Double]) -> Double
    ) -> Double {
        var jackknife: [Double] = []
        for index in values.indices {
            var rest = values
            rest.remove(at: index)
            jackknife.append(statistic(rest))
        }
        let mean = jackknife.reduce(0, +) / Double(jackknife.count)
        var squares = 0.0
        var cubes = 0.0
        for value in jackknife {
            let distance = mean - value
            squares += distance * distance
            cubes += distance * distance * distance
        }
        guard squares > 0 else { return 0 }
        return cubes / (6 * squares * squares.squareRoot())
    }
}
