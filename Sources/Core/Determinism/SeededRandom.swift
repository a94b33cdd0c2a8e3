public import Units

/// A reproducible stream of random numbers, keyed **by name**: (seed, entity, purpose, incarnation).
///
/// Because the key and not the order of creation selects the stream, a new draw in one place shifts
/// no draw elsewhere, and two variants of a scenario see the same network.
///
/// Generator: xoshiro256** 1.0 (Blackman and Vigna, "Scrambled Linear Pseudorandom Number
/// Generators", ACM TOMS 2021), state filled by SplitMix64 from the key's hash.
public struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    /// A stream for one purpose of one entity.
    public init(seed: UInt64, entity: EntityID, purpose: StaticString, incarnation: UInt32 = 0) {
        // Each part is mixed before the next one joins, or nearby seeds and entities would cancel out.
        var key = SeededRandom.mixed(seed)
        key = SeededRandom.mixed(key ^ (UInt64(entity.rawValue) | UInt64(incarnation) << 32))
        purpose.withUTF8Buffer { name in
            for byte in name {
                key = SeededRandom.mixed(key ^ UInt64(byte))
            }
        }
        self.init(stateFrom: key)
    }

    /// The generator that SplitMix64 seeds from `value`; the published way to fill xoshiro's state.
    public init(stateFrom value: UInt64) {
        var generator = value
        func word() -> UInt64 {
            generator &+= 0x9E37_79B9_7F4A_7C15
            return SeededRandom.finalized(generator)
        }
        state = (word(), word(), word(), word())
    }

    public mutating func next() -> UInt64 {
        let result = SeededRandom.rotated(state.1 &* 5, by: 7) &* 9
        let shifted = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= shifted
        state.3 = SeededRandom.rotated(state.3, by: 45)
        return result
    }

    private static func rotated(_ value: UInt64, by count: UInt64) -> UInt64 {
        (value << count) | (value >> (64 &- count))
    }

    private static func mixed(_ value: UInt64) -> UInt64 {
        finalized(value &+ 0x9E37_79B9_7F4A_7C15)
    }

    private static func finalized(_ value: UInt64) -> UInt64 {
        var word = value
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}

extension SeededRandom {
    /// Uniform in [0, 1) with 53 random bits.
    public mutating func unit() -> Double {
        Double(next() >> 11) * 0x1p-53
    }

    /// Uniform in 0..<bound without bias (Lemire, "Fast Random Integer Generation in an Interval",
    /// ACM TOMACS 2019). Traps when `bound` is zero.
    public mutating func below(_ bound: UInt64) -> UInt64 {
        precondition(bound > 0, "a random choice needs at least one value")
        var product = next().multipliedFullWidth(by: bound)
        if product.low < bound {
            let threshold = (0 &- bound) % bound
            while product.low < threshold {
                product = next().multipliedFullWidth(by: bound)
            }
        }
        return product.high
    }

    /// True with the given probability; one draw whatever the probability, so that changing it does
    /// not shift later draws.
    public mutating func chance(_ probability: Ratio) -> Bool {
        unit() < probability.value
    }

    /// Uniform between two intervals, both included.
    public mutating func interval(in range: ClosedRange<Interval>) -> Interval {
        let width = UInt64(range.upperBound.nanoseconds - range.lowerBound.nanoseconds)
        return range.lowerBound + Interval(nanoseconds: Int64(below(width + 1)))
    }

    /// Exponentially distributed with the given mean, by inversion.
    public mutating func exponential(mean: Double) -> Double {
        -mean * DeterministicMath.log(1 - unit())
    }

    /// Standard normal by the Marsaglia polar method; the second value is dropped to keep the state
    /// a pure function of the number of calls' own rejections.
    public mutating func normal() -> Double {
        while true {
            let x = 2 * unit() - 1
            let y = 2 * unit() - 1
            let square = x * x + y * y
            if square < 1, square > 0 {
                return x * (-2 * DeterministicMath.log(square) / square).squareRoot()
            }
        }
    }
}
