import Determinism
import Testing

// Goal: elementary functions are right and never change.
// Method: exact values from tables (computed with 50 digits), special values, and identities.
@Suite struct DeterministicMathTests {
    private func close(_ value: Double, _ exact: Double, ulps: Double = 4) -> Bool {
        value == exact || abs(value - exact) <= ulps * exact.ulp
    }

    @Test(arguments: [
        (2.0, 0.6931471805599453), (10.0, 2.302585092994046), (0.5, -0.6931471805599453),
        (1e-300, -690.7755278982137), (1.0000001, 9.999999505838704e-08),
        (123456789.0, 18.63140176616802), (1e300, 690.7755278982137),
    ])
    func logarithm(x: Double, exact: Double) {
        #expect(close(DeterministicMath.log(x), exact), "\(DeterministicMath.log(x))")
    }

    @Test(arguments: [
        (1.0, 2.718281828459045), (-1.0, 0.36787944117144233), (0.1, 1.1051709180756477),
        (700.0, 1.0142320547350045e304), (-700.0, 9.859676543759770e-305), (0.0, 1.0),
        (1e-10, 1.0000000001),
    ])
    func exponential(x: Double, exact: Double) {
        #expect(close(DeterministicMath.exp(x), exact), "\(DeterministicMath.exp(x))")
    }

    @Test(arguments: [
        (27.0, 3.0), (2.0, 1.2599210498948732), (1e-9, 0.001), (-8.0, -2.0),
        (1e200, 4.641588833612779e66),
    ])
    func cubeRoot(x: Double, exact: Double) {
        #expect(close(DeterministicMath.cbrt(x), exact), "\(DeterministicMath.cbrt(x))")
    }

    @Test(arguments: [
        (0.01, 0.009999666679999460), (0.5, 0.46211715726000975), (-1.0, -0.7615941559557649),
        (3.0, 0.9950547536867305), (30.0, 1.0), (0.0499999, 0.0499582752073),
    ])
    func hyperbolicTangent(x: Double, exact: Double) {
        #expect(abs(DeterministicMath.tanh(x) - exact) < 1e-10)
    }

    @Test func powers() {
        #expect(DeterministicMath.pow(2, 10) == 1024)
        #expect(DeterministicMath.pow(2, -1) == 0.5)
        #expect(abs(DeterministicMath.pow(10, 0.5) / 3.1622776601683795 - 1) < 1e-14)
        #expect(abs(DeterministicMath.pow(7.5, 2.25) / 93.08674461506831 - 1) < 1e-13)
        #expect(DeterministicMath.pow(-2, 0.5).isNaN)
        #expect(DeterministicMath.pow(0, 2) == 0)
    }

    @Test func specialValues() {
        #expect(DeterministicMath.log(0) == -.infinity)
        #expect(DeterministicMath.log(-1).isNaN)
        #expect(DeterministicMath.exp(1000) == .infinity)
        #expect(DeterministicMath.exp(-1000) == 0)
        #expect(DeterministicMath.exp(-740) > 0)
        #expect(DeterministicMath.cbrt(0) == 0)
    }

    @Test func expAndLogAreInverse() {
        var x = 1e-30
        while x < 1e30 {
            #expect(abs(DeterministicMath.exp(DeterministicMath.log(x)) / x - 1) < 1e-13)
            x *= 3.7
        }
    }
}
