import Determinism
import Testing

import Statistics

/// Goal: paired comparisons, the signed-rank test and the bootstrap are right and reproducible.
/// Method: known answers from SciPy 1.17 and R's documentation, symmetry under exchange of the
/// variants, and seeded simulation of the coverage.
@Suite struct ComparisonTests {
    // Hollander and Wolfe (1973), page 29: depression scale before and after; R's wilcox.test.
    static let before = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
    static let after = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]

    @Test func signedRankOfHollanderAndWolfe() throws {
        let pairs = PairedComparison(first: Self.before, second: Self.after)
        #expect(pairs.wilcoxon.statistic == 40)
        #expect(abs(pairs.wilcoxon.probability - 0.0390625) < 1e-12)
        let shift = try #require(pairs.wilcoxon.shift(confidence: 0.95))
        #expect(abs(shift.value - 0.46) < 1e-12)
        #expect(abs(shift.low - 0.010) < 1e-12)
        #expect(abs(shift.high - 0.786) < 1e-12)
    }

    @Test func signedRankWithTiesAndWithManyDifferences() {
        // The tied case was enumerated over all 1,024 signs.
        let tied = WilcoxonSignedRank([1, -1, 2, 2, -3, 4, 5, 5, -2, 6])
        #expect(tied.statistic == 43.5)
        #expect(abs(tied.probability - 0.115234375) < 1e-12)
        let many = WilcoxonSignedRank((0..<60).map { Double($0 * 7_919 % 101) / 10 - 3.2 })
        #expect(abs(many.probability / 0.0001454855004763811 - 1) < 1e-6)
    }

    @Test func signedRankOfNothing() throws {
        #expect(WilcoxonSignedRank([]).probability == 1)
        #expect(WilcoxonSignedRank([]).shift(confidence: 0.95) == nil)
        #expect(WilcoxonSignedRank([0, 0]).probability == 1)
        let few = try #require(WilcoxonSignedRank([1, 2, 3]).shift(confidence: 0.95))
        #expect(few.low == -.infinity && few.high == .infinity && few.value == 2)
    }

    @Test func ratioIsTheGeometricMeanAndItsReciprocal() throws {
        let slow = [12.1, 11.8, 12.9, 12.4, 11.5, 12.2]
        let fast = [4.0, 4.1, 4.2, 3.9, 4.05, 4.0]
        let ratio = try #require(
            PairedComparison(first: fast, second: slow).ratio(confidence: 0.95)
        )
        #expect(abs(ratio.value - 0.33277910750191586) < 1e-12)
        #expect(abs(ratio.low - 0.31828680440172374) < 1e-9)
        #expect(abs(ratio.high - 0.34793127725772577) < 1e-9)
        let inverse = try #require(
            PairedComparison(first: slow, second: fast).ratio(confidence: 0.95)
        )
        #expect(abs(inverse.value * ratio.value - 1) < 1e-12)
        #expect(abs(inverse.low * ratio.high - 1) < 1e-12)
        #expect(PairedComparison(first: [1, 0], second: [1, 1]).ratio(confidence: 0.95) == nil)
    }

    @Test func commonNoiseCancels() throws {
        var random = SeededRandom(stateFrom: 21)
        let noise = (0..<40).map { _ in 10 * random.normal() }
        let first = noise.map { 100 + $0 }
        let second = noise.map { 103 + $0 + 0.1 * random.normal() }
        let pairs = PairedComparison(first: first, second: second)
        let reduction = try #require(pairs.varianceReduction)
        #expect(reduction > 1_000)
        #expect(abs(pairs.difference(confidence: 0.95).value + 3) < 0.1)
        let exact = PairedComparison(first: [1, 2, 3], second: [2, 3, 4])
        #expect(exact.varianceReduction == .infinity)
        #expect(exact.difference(confidence: 0.95).isDeterministic)
        #expect(PairedComparison(first: [1, 1], second: [2, 2]).varianceReduction == nil)
    }

    @Test func bootstrapMatchesReferenceAndRepeats() throws {
        let sample = [2.1, 3.4, 1.9, 5.5, 2.2, 2.8, 3.9, 1.2, 9.8, 2.4, 3.1, 2.7]
        let mean: ([Double]) -> Double = { $0.reduce(0, +) / Double($0.count) }
        let first = try #require(
            Bootstrap.interval(
                of: sample,
                confidence: 0.95,
                seed: 5,
                resamples: 40_000,
                statistic: mean
            )
        )
        // SciPy's BCa with 200,000 resamples: [2.5583, 5.4083]; the tail is a Monte Carlo figure.
        #expect(abs(first.low - 2.5583) < 0.03)
        #expect(abs(first.high - 5.4083) < 0.08)
        let again = Bootstrap.interval(of: sample, confidence: 0.95, seed: 9, statistic: mean)
        #expect(
            again == Bootstrap.interval(of: sample, confidence: 0.95, seed: 9, statistic: mean)
        )
        #expect(Bootstrap.interval(of: [1], confidence: 0.95, seed: 9, statistic: mean) == nil)
    }

    @Test func ratioIntervalCoversAsPromised() {
        let covered = coverage(rounds: 3_000, seed: 22) { random in
            let pairs = (0..<12).map { _ in
                let shared = 10 + random.normal()
                return (shared * (1 + 0.05 * random.normal()), shared * 2.5)
            }
            let comparison = PairedComparison(
                first: pairs.map(\.1),
                second: pairs.map(\.0)
            )
            // E[log(1 + ε)] shifts the geometric mean by σ²/2.
            return comparison.ratio(confidence: 0.95)!.covers(2.5 * 1.001_25)
        }
        #expect(covered >= 0.93 && covered <= 0.97)
    }

    @Test func shiftIntervalCoversAsPromised() {
        let covered = coverage(rounds: 2_000, seed: 23) { random in
            let differences = (0..<15).map { _ in 4 + random.normal() }
            return WilcoxonSignedRank(differences).shift(confidence: 0.95)!.covers(4)
        }
        #expect(covered >= 0.93 && covered <= 0.975)
    }

    @Test func bootstrapCoversAsPromised() {
        var seed: UInt64 = 0
        let covered = coverage(rounds: 800, seed: 24) { random in
            let values = (0..<30).map { _ in 1 + random.normal() }
            seed += 1
            return Bootstrap.interval(
                of: values,
                confidence: 0.95,
                seed: seed,
                resamples: 1_000
            ) { $0.reduce(0, +) / Double($0.count) }!.covers(1)
        }
        // With 30 values the bootstrap is known to fall a little short of the promised share.
        #expect(covered >= 0.91 && covered <= 0.97)
    }
}
