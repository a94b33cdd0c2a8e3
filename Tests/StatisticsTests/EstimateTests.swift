import Determinism
import Testing

import Statistics

/// Goal: means, intervals and stopping rules say what they promise.
/// Method: known answers, edge counts (0, 1, 2 replications, no variance), and seeded simulation of
/// the coverage.
@Suite struct EstimateTests {
    @Test func summaryKeepsSmallVariancesAroundLargeMeans() {
        let summary = Summary([1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16])
        #expect(summary.mean == 1e9 + 10)
        #expect(summary.variance == 30)
        #expect(Summary([]).count == 0)
        #expect(Summary([3]).variance == 0)
    }

    @Test func meanIntervalOfKnownSample() throws {
        // mean 10, s = 1.5811388, t(0.975, 4) = 2.7764451 → ±1.9632432
        let estimate = try #require(Estimate.mean(of: [8, 9, 10, 11, 12], confidence: 0.95))
        #expect(estimate.value == 10)
        #expect(abs(estimate.low - 8.036756838522439) < 1e-9)
        #expect(abs(estimate.high - 11.96324316147756) < 1e-9)
        #expect(!estimate.isDeterministic)
    }

    @Test func oneReplicationHasNoInterval() throws {
        #expect(Estimate.mean(of: [], confidence: 0.95) == nil)
        let one = try #require(Estimate.mean(of: [5], confidence: 0.95))
        #expect(one.low == -.infinity && one.high == .infinity && !one.isDeterministic)
    }

    @Test func zeroVarianceIsDeterministic() throws {
        // The values are chosen so that a naive sum of squares would not give zero.
        let two = try #require(Estimate.mean(of: [0.1, 0.1, 0.1], confidence: 0.95))
        #expect(two.isDeterministic && two.low == 0.1 && two.high == 0.1)
        let stopping = SequentialStopping(maximum: 50, relativeHalfWidth: 0.05)
        #expect(stopping.decide([7]) == .more(1))
        #expect(stopping.decide([7, 7]) == .deterministic)
    }

    @Test func stoppingAsksForAtLeastTheMinimum() {
        let stopping = SequentialStopping(minimum: 10, maximum: 12, relativeHalfWidth: 0.05)
        let tight = (0..<12).map { 100 + Double($0 % 3) }
        #expect(stopping.decide(Array(tight.prefix(4))) == .more(6))
        #expect(stopping.decide(Array(tight.prefix(10))) == .precise)
        let wide = (0..<12).map { Double(1 + 40 * ($0 % 2)) }
        #expect(stopping.decide(Array(wide.prefix(10))) == .more(2))
        #expect(stopping.decide(wide) == .exhausted)
    }

    @Test(arguments: [(1.0, 0.5, 18), (10, 1, 387), (3, 5, 4)])
    func replicationsNeeded(deviation: Double, halfWidth: Double, expected: Int) throws {
        let needed = try #require(
            ReplicationPlanning.replicationsNeeded(
                standardDeviation: deviation,
                halfWidth: halfWidth,
                confidence: 0.95
            )
        )
        #expect(needed >= expected && Double(needed) <= Double(expected) * 1.02)
    }

    @Test func impossibleWishesGetNoNumber() {
        #expect(
            ReplicationPlanning.replicationsNeeded(
                standardDeviation: 1,
                halfWidth: 0,
                confidence: 0.95
            ) == nil
        )
        #expect(
            ReplicationPlanning.replicationsNeeded(
                standardDeviation: 1e9,
                halfWidth: 1e-9,
                confidence: 0.95
            ) == nil
        )
    }

    @Test func meanIntervalCoversAsPromised() {
        let covered = coverage(rounds: 4_000, seed: 11) { random in
            let values = (0..<12).map { _ in 3 + 2 * random.normal() }
            return Estimate.mean(of: values, confidence: 0.95)!.covers(3)
        }
        #expect(covered >= 0.93 && covered <= 0.97)
    }

    @Test func pooledQuantileIntervalCoversAsPromised() {
        // The order-statistic interval is conservative, so only the lower limit is tight.
        let truth = Normal.quantile(0.9)
        let covered = coverage(rounds: 3_000, seed: 12) { random in
            let values = (0..<80).map { _ in random.normal() }
            return Quantile.pooled(values, probability: 0.9, confidence: 0.95)!.covers(truth)
        }
        #expect(covered >= 0.94 && covered <= 0.985)
    }

    @Test func sequentialStoppingLosesLittleCoverage() {
        let stopping = SequentialStopping(maximum: 400, relativeHalfWidth: 0.1)
        let covered = coverage(rounds: 1_500, seed: 13) { random in
            var values = (0..<10).map { _ in 10 + 3 * random.normal() }
            while case .more(let count) = stopping.decide(values) {
                for _ in 0..<count { values.append(10 + 3 * random.normal()) }
            }
            return Estimate.mean(of: values, confidence: 0.95)!.covers(10)
        }
        #expect(covered >= 0.92 && covered <= 0.97)
    }
}

extension Estimate {
    func covers(_ truth: Double) -> Bool { low <= truth && truth <= high }
}

/// The share of seeded rounds in which `covers` is true.
func coverage(
    rounds: Int,
    seed: UInt64,
    _ covers: (inout SeededRandom) -> Bool
) -> Double {
    var random = SeededRandom(stateFrom: seed)
    var hits = 0
    for _ in 0..<rounds where covers(&random) {
        hits += 1
    }
    return Double(hits) / Double(rounds)
}
