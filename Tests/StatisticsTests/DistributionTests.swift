import Testing

import Statistics

/// Goal: the distributions give the published values.
/// Method: known answers computed with SciPy 1.17 in double precision, relative error 1e-8.
@Suite struct DistributionTests {
    @Test(arguments: [
        (0.975, 1.0, 12.706204736174694), (0.975, 2, 4.302652729749462),
        (0.975, 9, 2.262157162798205), (0.975, 29, 2.045229642132703),
        (0.995, 5, 4.032142983555228), (0.9, 3, 1.637744353696209),
        (0.6, 7, 0.2631668613520229), (0.9999, 4, 13.033671720896821),
        (0.975, 1000, 1.9623390808264083), (0.025, 19, -2.09302405440831),
        (0.975, 0.5, 164.55767348048818),
    ])
    func studentQuantile(probability: Double, degrees: Double, expected: Double) {
        let t = StudentT.quantile(probability, degreesOfFreedom: degrees)
        #expect(abs(t / expected - 1) < 1e-8)
        #expect(abs(StudentT.cumulative(t, degreesOfFreedom: degrees) - probability) < 1e-10)
    }

    @Test func studentQuantileNearTheMiddle() {
        let t = StudentT.quantile(0.500001, degreesOfFreedom: 10)
        #expect(abs(t / 2.5699780350251853e-06 - 1) < 1e-8)
        #expect(StudentT.quantile(0.5, degreesOfFreedom: 3) == 0)
    }

    @Test(arguments: [
        (0.5, 0.0), (0.975, 1.959963984540054), (0.001, -3.090232306167813),
        (1e-10, -6.361340902404056), (0.9, 1.2815515655446004), (0.999999999, 5.997807019601637),
    ])
    func normalQuantile(probability: Double, expected: Double) {
        #expect(abs(Normal.quantile(probability) - expected) < 1e-7 * max(1e-8, abs(expected)))
    }

    @Test(arguments: [
        (0.3, 2.0, 5.0, 0.579825), (0.9, 0.5, 0.5, 0.7951672353008665),
        (0.01, 10, 0.5, 1.770034965528571e-21), (0.5, 100, 120, 0.9117960627949818),
        (0.999, 3, 1000, 1), (0.5, 5000, 5000, 0.5),
    ])
    func incompleteBeta(x: Double, a: Double, b: Double, expected: Double) {
        #expect(abs(SpecialFunctions.regularizedBeta(x, a, b) / expected - 1) < 1e-9)
    }

    @Test(arguments: [
        (0, 10, 0.0, 0.30849710781876294), (3, 10, 0.06673951117773447, 0.652452850060008),
        (10, 10, 0.6915028921812371, 1), (1, 1000, 2.5317487491674634e-05, 0.0055589242798499),
        (0, 300, 0, 0.012220974694296421),
    ])
    func clopperPearson(successes: Int, trials: Int, low: Double, high: Double) {
        let estimate = ClopperPearson.share(of: successes, in: trials, confidence: 0.95)
        #expect(abs(estimate.low - low) <= 1e-8 * low)
        #expect(abs(estimate.high - high) <= 1e-8 * high)
    }
}
