import Foundation

/// The functions behind the distributions; the C library has no incomplete beta.
package enum SpecialFunctions {
    /// The regularized incomplete beta function I_x(a, b), by the continued fraction of DiDonato and
    /// Morris evaluated with Lentz's method (Numerical Recipes, 3rd edition, section 6.4).
    ///
    /// Good to about 1e-13 for the arguments that occur here. Traps for a or b ≤ 0 or x outside
    /// [0, 1].
    package static func regularizedBeta(_ x: Double, _ a: Double, _ b: Double) -> Double {
        precondition(a > 0 && b > 0, "incomplete beta of a = \(a), b = \(b)")
        precondition(x >= 0 && x <= 1, "incomplete beta at \(x)")
        guard x > 0 else { return 0 }
        guard x < 1 else { return 1 }
        // The fraction converges fast only on the near side of the mean.
        if x > (a + 1) / (a + b + 2) {
            return 1 - regularizedBeta(1 - x, b, a)
        }
        let logFront = a * log(x) + b * log1p(-x) + logBetaReciprocal(a, b)
        return exp(logFront) * betaFraction(x, a, b) / a
    }

    /// −log B(a, b).
    static func logBetaReciprocal(_ a: Double, _ b: Double) -> Double {
        logGamma(a + b) - logGamma(a) - logGamma(b)
    }

    /// The x with I_x(a, b) = `probability`, by bisection to the last bit that matters.
    static func inverseRegularizedBeta(_ probability: Double, _ a: Double, _ b: Double) -> Double {
        precondition(probability >= 0 && probability <= 1, "\(probability) is no probability")
        var low = 0.0
        var high = 1.0
        for _ in 0..<200 {
            let middle = (low + high) / 2
            guard middle > low, middle < high else { break }
            if regularizedBeta(middle, a, b) < probability {
                low = middle
            } else {
                high = middle
            }
        }
        return (low + high) / 2
    }

    /// P(Binomial(`trials`, `share`) ≤ `successes`).
    static func binomialCumulative(_ successes: Int, trials: Int, share: Double) -> Double {
        guard successes >= 0 else { return 0 }
        guard successes < trials else { return 1 }
        return regularizedBeta(1 - share, Double(trials - successes), Double(successes + 1))
    }

    private static func betaFraction(_ x: Double, _ a: Double, _ b: Double) -> Double {
        let tiny = 1e-300
        var c = 1.0
        var d = 1 - (a + b) * x / (a + 1)
        if abs(d) < tiny { d = tiny }
        d = 1 / d
        var result = d
        // The number of terms grows with the square root of max(a, b); this allows for 1e7.
        for term in 1...20_000 {
            let m = Double(term)
            let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
            d = 1 + even * d
            c = 1 + even / c
            if abs(d) < tiny { d = tiny }
            if abs(c) < tiny { c = tiny }
            d = 1 / d
            result *= d * c
            let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
            d = 1 + odd * d
            c = 1 + odd / c
            if abs(d) < tiny { d = tiny }
            if abs(c) < tiny { c = tiny }
            d = 1 / d
            let step = d * c
            result *= step
            if abs(step - 1) < 1e-16 { break }
        }
        return result
    }

    private static func logGamma(_ x: Double) -> Double {
        // The plain C function writes a global sign; replications are judged on several threads.
        var sign: Int32 = 0
        return lgamma_r(x, &sign)
    }
}

/// The standard normal distribution.
public enum Normal {
    public static func cumulative(_ x: Double) -> Double {
        0.5 * erfc(-x / 2.0.squareRoot())
    }

    /// The x below which the share `probability` lies; algorithm AS 241 (Wichura 1988), good to
    /// 1e-15 relative. Traps outside (0, 1).
    public static func quantile(_ probability: Double) -> Double {
        precondition(probability > 0 && probability < 1, "normal quantile at \(probability)")
        let centred = probability - 0.5
        if abs(centred) <= 0.425 {
            let r = 0.180625 - centred * centred
            return centred * polynomial(r, centralNumerator) / polynomial(r, centralDenominator)
        }
        let tail = centred < 0 ? probability : 1 - probability
        var r = (-log(tail)).squareRoot()
        let value: Double
        if r <= 5 {
            r -= 1.6
            value = polynomial(r, middleNumerator) / polynomial(r, middleDenominator)
        } else {
            r -= 5
            value = polynomial(r, farNumerator) / polynomial(r, farDenominator)
        }
        return centred < 0 ? -value : value
    }

    private static func polynomial(_ x: Double, _ coefficients: [Double]) -> Double {
        coefficients.reversed().reduce(0) { $0 * x + $1 }
    }

    private static let centralNumerator = [
        3.387_132_872_796_366_608_0, 1.331_416_678_917_843_774_5e2, 1.971_590_950_306_551_442_7e3,
        1.373_169_376_550_946_112_5e4, 4.592_195_393_154_987_145_7e4, 6.726_577_092_700_870_085_3e4,
        3.343_057_558_358_812_810_5e4, 2.509_080_928_730_122_672_7e3,
    ]
    private static let centralDenominator = [
        1.0, 4.231_333_070_160_091_125_2e1, 6.871_870_074_920_579_083_0e2,
        5.394_196_021_424_751_107_7e3, 2.121_379_430_158_659_586_7e4, 3.930_789_580_009_271_061_0e4,
        2.872_908_573_572_194_267_4e4, 5.226_495_278_852_854_561_0e3,
    ]
    private static let middleNumerator = [
        1.423_437_110_749_683_577_34, 4.630_337_846_156_545_295_90, 5.769_497_221_460_691_405_50,
        3.647_848_324_763_204_605_04, 1.270_458_252_452_368_382_58,
        2.417_807_251_774_506_117_70e-1, 2.272_384_498_926_918_458_33e-2,
        7.745_450_142_783_414_076_40e-4,
    ]
    private static let middleDenominator = [
        1.0, 2.053_191_626_637_758_821_87, 1.676_384_830_183_803_849_40,
        6.897_673_349_851_000_045_50e-1, 1.481_039_764_274_800_745_90e-1,
        1.519_866_656_361_645_719_66e-2, 5.475_938_084_995_344_946_00e-4,
        1.050_750_071_644_416_843_24e-9,
    ]
    private static let farNumerator = [
        6.657_904_643_501_103_777_20, 5.463_784_911_164_114_369_90, 1.784_826_539_917_291_335_80,
        2.965_605_718_285_048_912_30e-1, 2.653_218_952_657_612_309_30e-2,
        1.242_660_947_388_078_438_60e-3, 2.711_555_568_743_487_578_15e-5,
        2.010_334_399_292_288_132_65e-7,
    ]
    private static let farDenominator = [
        1.0, 5.998_322_065_558_879_376_90e-1, 1.369_298_809_227_358_053_10e-1,
        1.487_536_129_085_061_485_25e-2, 7.868_691_311_456_132_591_00e-4,
        1.846_318_317_510_054_681_80e-5, 1.421_511_758_316_445_888_70e-7,
        2.044_263_103_389_939_785_64e-15,
    ]
}

/// Student's t distribution (Gosset 1908).
public enum StudentT {
    /// P(T ≤ `t`). Traps for `degreesOfFreedom` ≤ 0.
    public static func cumulative(_ t: Double, degreesOfFreedom: Double) -> Double {
        let tail = upperTail(abs(t), degreesOfFreedom)
        return t >= 0 ? 1 - tail : tail
    }

    /// The t below which the share `probability` lies, relative error below 1e-9. Traps outside
    /// (0, 1) and for `degreesOfFreedom` ≤ 0.
    public static func quantile(_ probability: Double, degreesOfFreedom: Double) -> Double {
        precondition(probability > 0 && probability < 1, "t quantile at \(probability)")
        precondition(degreesOfFreedom > 0, "t with \(degreesOfFreedom) degrees of freedom")
        guard probability != 0.5 else { return 0 }
        let wanted = min(probability, 1 - probability)
        // t² = ν (1 − x) / x where x = I⁻¹(2 · tail); near x = 1 the other side keeps the digits.
        let x = SpecialFunctions.inverseRegularizedBeta(2 * wanted, degreesOfFreedom / 2, 0.5)
        let t: Double
        if x < 0.9 {
            t = (degreesOfFreedom * (1 - x) / x).squareRoot()
        } else {
            let rest = SpecialFunctions.inverseRegularizedBeta(
                1 - 2 * wanted,
                0.5,
                degreesOfFreedom / 2
            )
            t = (degreesOfFreedom * rest / (1 - rest)).squareRoot()
        }
        return probability < 0.5 ? -t : t
    }

    private static func upperTail(_ t: Double, _ degrees: Double) -> Double {
        let x = degrees / (degrees + t * t)
        return 0.5 * SpecialFunctions.regularizedBeta(x, degrees / 2, 0.5)
    }
}
