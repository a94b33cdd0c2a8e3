import Determinism
import Testing

import Statistics

/// Goal: quantiles, their intervals, the distribution curve and the warm-up cut.
/// Method: known answers (NumPy, exact binomial sums in SciPy) and constructed series.
@Suite struct QuantileTests {
    @Test func interpolationIsTypeSeven() {
        let sample = [2.1, 3.4, 1.9, 5.5, 2.2, 2.8, 3.9, 1.2, 9.8, 2.4, 3.1, 2.7].sorted()
        #expect(abs(Quantile.interpolated(sorted: sample, probability: 0.1) - 1.92) < 1e-12)
        #expect(abs(Quantile.median(sorted: sample) - 2.75) < 1e-12)
        #expect(abs(Quantile.interpolated(sorted: sample, probability: 0.9) - 5.34) < 1e-12)
        #expect(Quantile.interpolated(sorted: [4], probability: 0.99) == 4)
        #expect(Quantile.interpolated(sorted: sample, probability: 1) == 9.8)
    }

    @Test(arguments: [(99.0, 1_000), (99.9, 10_000), (95, 200), (50, 20), (1, 1_000), (90, 100)])
    func samplesNeeded(percent: Double, expected: Int) {
        #expect(Quantile.samplesNeeded(percent: percent) == expected)
    }

    @Test(arguments: [
        (100, 0.5, 40.0, 61.0), (368, 0.99, 360, 368), (367, 0.99, 359, .infinity),
        (50, 0.9, 41, 50),
    ])
    func orderStatistics(count: Int, probability: Double, low: Double, high: Double) throws {
        let values = (1...count).reversed().map(Double.init)
        let estimate = try #require(
            Quantile.pooled(values, probability: probability, confidence: 0.95)
        )
        #expect(estimate.low == low && estimate.high == high)
        #expect(Quantile.pooledSamplesNeeded(probability: 0.99, confidence: 0.95) == 368)
    }

    @Test func empiricalDistributionSteps() {
        let curve = EmpiricalDistribution([3, 1, 2, 2])
        #expect(curve.share(atOrBelow: 0.5) == 0)
        #expect(curve.share(atOrBelow: 2) == 0.75)
        #expect(curve.share(atOrBelow: 9) == 1)
        let long = EmpiricalDistribution((0..<10_000).map(Double.init)).steps(limit: 100)
        #expect(long.count == 100)
        #expect(long.first!.value == 0 && long.last! == (9_999, 1))
        #expect(EmpiricalDistribution([]).steps().isEmpty)
    }

    @Test func warmUpEndsWhereTheRampEnds() {
        var random = SeededRandom(stateFrom: 31)
        // A ramp of 100 observations, then noise around 50.
        let series = (0..<1_000).map { index in
            (index < 100 ? Double(index) / 2 : 50) + random.normal()
        }
        guard case .after(let cut) = WarmUp.cut(series) else {
            Issue.record("the cut was refused")
            return
        }
        #expect(cut >= 80 && cut <= 130)
    }

    @Test func warmUpOfASteadyOrEndlesslyRisingSeries() {
        #expect(WarmUp.cut(Array(repeating: 5, count: 200)) == .after(0))
        // The mean of a run that is still changing near its end says nothing about a steady state.
        let late = (0..<1_000).map { $0 < 700 ? Double($0) : 700.0 }
        #expect(WarmUp.cut(late) == .refused)
        #expect(WarmUp.cut([1, 2, 3]) == .refused)
    }
}
