/// Elementary functions from plain IEEE 754 operations only, so that every machine, libm version and
/// optimization level gives the same bits.
///
/// Accuracy: within 2 ulp of the exact value for `log` and `exp`, 4 ulp for `cbrt`, and a relative
/// error below 1e-14 for `pow` with results in 1e-100…1e100 (tested against known answers).
/// Methods: range reduction as in fdlibm (Sun, 1993), series as noted.
public enum DeterministicMath {
    private static let ln2High = 6.93147180369123816490e-01
    private static let ln2Low = 1.90821492927058770002e-10

    /// Natural logarithm. Negative arguments give NaN, zero gives −∞.
    public static func log(_ x: Double) -> Double {
        if x.isNaN || x < 0 { return .nan }
        if x == 0 { return -.infinity }
        if x == .infinity { return x }
        // x = mantissa · 2^exponent with the mantissa in (√½, √2], by integer arithmetic on the bits:
        // the properties of `Double` are calls, and a branch on a random mantissa is mispredicted.
        // Subnormal numbers are scaled up first, which is exact.
        let isSubnormal = x < 0x1p-1022
        let bits = (isSubnormal ? x * 0x1p54 : x).bitPattern
        let octave = Int64(bitPattern: bits &- 0x3FE6_A09E_667F_3BCE) >> 52
        let mantissa = Double(bitPattern: bits &- UInt64(bitPattern: octave) << 52)
        let exponent = octave - (isSubnormal ? 54 : 0)
        // log(1+f) with s = f/(2+f): fdlibm's e_log.c polynomial.
        let f = mantissa - 1
        let s = f / (2 + f)
        let z = s * s
        let w = z * z
        let even =
            w
            * (3.999999999940941908e-01 + w
                * (2.222219843214978396e-01
                    + w * 1.531383769920937332e-01))
        let odd =
            z
            * (6.666666666666735130e-01 + w
                * (2.857142874366239149e-01
                    + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)))
        let halfSquare = 0.5 * f * f
        let k = Double(exponent)
        return k * ln2High - ((halfSquare - (s * (halfSquare + even + odd) + k * ln2Low)) - f)
    }

    /// e raised to `x`; overflows to ∞ above 709.78 and underflows to 0 below −745.13.
    public static func exp(_ x: Double) -> Double {
        if x.isNaN { return x }
        if x > 709.782712893384 { return .infinity }
        if x < -745.1332191019411 { return 0 }
        let k = (x * 1.44269504088896338700).rounded()
        let high = x - k * ln2High
        let low = k * ln2Low
        let r = high - low
        // fdlibm's e_exp.c rational approximation on |r| ≤ ln2/2.
        let t = r * r
        let c =
            r - t
            * (1.66666666666666019037e-01 + t
                * (-2.77777777770155933842e-03
                    + t
                    * (6.61375632143793436117e-05 + t
                        * (-1.65339022054652515390e-06
                            + t * 4.13813679705723846039e-08))))
        let y = 1 - ((low - (r * c) / (2 - c)) - high)
        let power = Int(k)
        return power < -1000
            ? scaled(scaled(y, by: power + 100), by: -100)
            : scaled(y, by: power)
    }

    /// `base` raised to `exponent`, for bases ≥ 0; negative bases give NaN.
    public static func pow(_ base: Double, _ exponent: Double) -> Double {
        if exponent == 0 { return 1 }
        if base == 0 { return exponent > 0 ? 0 : .infinity }
        if let whole = Int(exactly: exponent), whole.magnitude <= 64 {
            return integerPower(base, whole)
        }
        return base < 0 ? .nan : exp(exponent * log(base))
    }

    /// Real cube root, by one third of the exponent and Newton steps.
    public static func cbrt(_ x: Double) -> Double {
        if x == 0 || !x.isFinite { return x }
        let magnitude = x.magnitude
        var estimate = exp(log(magnitude) / 3)
        for _ in 0..<2 {
            estimate -= (estimate - magnitude / (estimate * estimate)) / 3
        }
        return x < 0 ? -estimate : estimate
    }

    /// Hyperbolic tangent.
    public static func tanh(_ x: Double) -> Double {
        if x.isNaN { return x }
        let magnitude = x.magnitude
        if magnitude > 20 { return x < 0 ? -1 : 1 }
        if magnitude < 0.05 {
            // Odd Taylor series; the next term is below 1e-16 relative here.
            let z = x * x
            return x
                * (1 - z
                    * (1.0 / 3 - z
                        * (2.0 / 15 - z
                            * (17.0 / 315 - z
                                * (62.0 / 2835
                                    - z * (1382.0 / 155925))))))
        }
        let e = exp(-2 * magnitude)
        let value = (1 - e) / (1 + e)
        return x < 0 ? -value : value
    }

    private static func integerPower(_ base: Double, _ exponent: Int) -> Double {
        var result = 1.0
        var factor = base
        var rest = exponent.magnitude
        while rest > 0 {
            if rest & 1 == 1 { result *= factor }
            factor *= factor
            rest >>= 1
        }
        return exponent < 0 ? 1 / result : result
    }

    private static func scaled(_ value: Double, by power: Int) -> Double {
        if power > 1023 {
            return value * 0x1p1023 * Double(sign: .plus, exponent: power - 1023, significand: 1)
        }
        return value * Double(sign: .plus, exponent: power, significand: 1)
    }
}
