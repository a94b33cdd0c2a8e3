/// A text as a number of fixed size that knows how to append.
///
/// The search keeps thousands of states of keys whose values grow by appending. As texts they would
/// cost their length each; as two polynomials over the bytes, modulo 2^61 − 1, with the length,
/// they cost 24 bytes, and appending is two multiplications. Two different texts of the same length
/// have equal digests with a chance below (length / 2^61)², which for 64 KiB is below 10^-27.
public struct ValueDigest: Hashable, Sendable {
    /// The length in bytes; negative for "no value".
    public let length: Int64
    let first: UInt64
    let second: UInt64

    public static let absent = ValueDigest(length: -1, first: 0, second: 0)
    /// Some text that no answer can come to depend on.
    static let lost = ValueDigest(length: -2, first: 1, second: 1)
    public static let empty = ValueDigest(length: 0, first: 0, second: 0)

    /// One of the polynomials is hash enough; equality still compares everything.
    public func hash(into hasher: inout Hasher) { hasher.combine(first) }

    static let modulus: UInt64 = (1 << 61) - 1
    static let bases: (UInt64, UInt64) = (0x0B5A_D4EC_EDA1_CE2B, 0x1C1F_E7DF_9A4D_3F67)

    private init(length: Int64, first: UInt64, second: UInt64) {
        self.length = length
        self.first = first
        self.second = second
    }

    public init(_ text: String) {
        var text = text
        self = text.withUTF8 { ValueDigest(bytes: $0) }
    }

    init(bytes: some Collection<UInt8>) {
        var digest = (UInt64(0), UInt64(0))
        var length: Int64 = 0
        for byte in bytes {
            digest.0 = ValueDigest.sum(
                ValueDigest.product(digest.0, ValueDigest.bases.0),
                UInt64(byte) + 1
            )
            digest.1 = ValueDigest.sum(
                ValueDigest.product(digest.1, ValueDigest.bases.1),
                UInt64(byte) + 1
            )
            length += 1
        }
        self.init(length: length, first: digest.0, second: digest.1)
    }

    /// This text with `other` behind it; `power` belongs to `other`.
    func appending(_ other: ValueDigest, _ power: Power) -> ValueDigest {
        // Nothing with something behind it is that something.
        guard length > 0 else { return self == .lost ? self : other }
        return ValueDigest(
            length: length + other.length,
            first: ValueDigest.sum(ValueDigest.product(first, power.first), other.first),
            second: ValueDigest.sum(ValueDigest.product(second, power.second), other.second)
        )
    }

    /// This text without the `ending` that it has.
    func removing(ending: ValueDigest) -> ValueDigest {
        let inverse = Power(length: Int(ending.length), of: Power.inverseBases)
        let rest = (
            ValueDigest.sum(first, ValueDigest.modulus - ending.first),
            ValueDigest.sum(second, ValueDigest.modulus - ending.second)
        )
        return ValueDigest(
            length: length - ending.length,
            first: ValueDigest.product(rest.0, inverse.first),
            second: ValueDigest.product(rest.1, inverse.second)
        )
    }

    /// The bases to the power of a length.
    struct Power: Hashable, Sendable {
        var first: UInt64
        var second: UInt64

        static let one = Power(first: 1, second: 1)

        init(first: UInt64, second: UInt64) {
            self.first = first
            self.second = second
        }

        static let bases = Power(first: ValueDigest.bases.0, second: ValueDigest.bases.1)
        static let inverseBases = bases.inverse

        init(length: Int, of bases: Power = Power.bases) {
            var result = Power.one
            var base = bases
            var rest = length
            while rest > 0 {
                if rest & 1 == 1 { result = result.times(base) }
                base = base.times(base)
                rest >>= 1
            }
            self = result
        }

        /// By Fermat's little theorem; the modulus is prime.
        var inverse: Power {
            var result = Power.one
            var base = self
            var rest = ValueDigest.modulus - 2
            while rest > 0 {
                if rest & 1 == 1 { result = result.times(base) }
                base = base.times(base)
                rest >>= 1
            }
            return result
        }

        private func times(_ other: Power) -> Power {
            Power(
                first: ValueDigest.product(first, other.first),
                second: ValueDigest.product(second, other.second)
            )
        }
    }

    private static func sum(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let sum = left &+ right
        return sum >= modulus ? sum &- modulus : sum
    }

    private static func product(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let full = left.multipliedFullWidth(by: right)
        // 2^61 is 1 modulo 2^61 − 1, so the upper bits are added to the lower ones.
        let folded = (full.low & modulus) &+ (full.low >> 61 | full.high << 3)
        return folded >= modulus ? folded &- modulus : folded
    }
}

/// Digests of all parts of one text, from the digests of its beginnings.
struct PartDigests {
    private var beginnings: [ValueDigest] = [.empty]

    init(_ text: String) {
        beginnings.reserveCapacity(text.utf8.count + 1)
        for byte in text.utf8 { beginnings.append(beginnings[beginnings.count - 1].adding(byte)) }
    }

    var length: Int { beginnings.count - 1 }

    /// The digest of `length` bytes from `start` on; `power` belongs to `length`.
    func part(from start: Int, length: Int, _ power: ValueDigest.Power) -> ValueDigest {
        beginnings[start + length].removing(beginnings[start], power)
    }
}

extension ValueDigest {
    fileprivate func adding(_ byte: UInt8) -> ValueDigest {
        ValueDigest(
            length: length + 1,
            first: ValueDigest.sum(
                ValueDigest.product(first, ValueDigest.bases.0),
                UInt64(byte) + 1
            ),
            second: ValueDigest.sum(
                ValueDigest.product(second, ValueDigest.bases.1),
                UInt64(byte) + 1
            )
        )
    }

    /// The digest of what follows `beginning` in this text.
    fileprivate func removing(_ beginning: ValueDigest, _ power: Power) -> ValueDigest {
        ValueDigest(
            length: length - beginning.length,
            first: ValueDigest.sum(
                first,
                ValueDigest.modulus - ValueDigest.product(beginning.first, power.first)
            ),
            second: ValueDigest.sum(
                second,
                ValueDigest.modulus - ValueDigest.product(beginning.second, power.second)
            )
        )
    }
}
