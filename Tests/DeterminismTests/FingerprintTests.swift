import Determinism
import Testing

// Goal: a fingerprint changes with every part of what it digests and never changes otherwise.
// Method: known answer, single-bit changes, order, and lengths.
@Suite struct FingerprintTests {
    @Test func keepsItsKnownAnswer() {
        var chain = HashChain(key: 1)
        chain.combine(2 as UInt64)
        chain.combine(bytes: [3, 4, 5][...])
        #expect(chain.fingerprint.description == FingerprintTests.knownAnswer)
    }

    static let knownAnswer = "4e26d375425fd702b231e3553a84ef88"

    @Test func everyBitCounts() {
        var seen = Set<Fingerprint>()
        for bit in 0..<64 as Range<UInt64> {
            var chain = HashChain()
            chain.combine(UInt64(1) << bit)
            seen.insert(chain.fingerprint)
        }
        #expect(seen.count == 64)
    }

    @Test func everyByteOfALongInputCounts() {
        var bytes = (0..<300).map { UInt8(truncatingIfNeeded: $0) }
        var seen = Set<Fingerprint>()
        for index in bytes.indices {
            bytes[index] ^= 1
            var chain = HashChain()
            chain.combine(bytes: bytes[...])
            seen.insert(chain.fingerprint)
            bytes[index] ^= 1
        }
        #expect(seen.count == bytes.count)
    }

    @Test func orderAndLengthCount() {
        func digest(_ parts: [[UInt8]]) -> Fingerprint {
            var chain = HashChain()
            for part in parts { chain.combine(bytes: part[...]) }
            return chain.fingerprint
        }
        let digests = [
            digest([[1], [2]]), digest([[2], [1]]), digest([[1, 2]]), digest([[1, 2, 0]]),
            digest([[], [1, 2]]), digest([[1, 2], []]), digest([[0], [1, 2]]),
        ]
        #expect(Set(digests).count == digests.count)
    }

    @Test func slicesDigestLikeArrays() {
        let bytes = (0..<100).map { UInt8($0) }
        var whole = HashChain()
        whole.combine(bytes: bytes[13..<77])
        var copy = HashChain()
        copy.combine(bytes: Array(bytes[13..<77])[...])
        #expect(whole.fingerprint == copy.fingerprint)
    }

    @Test func readsWhatItPrints() {
        let value = Fingerprint(high: 5, low: 0xABC)
        #expect(Fingerprint(value.description) == value)
        #expect(Fingerprint("12") == nil)
        #expect(Fingerprint(String(repeating: "g", count: 32)) == nil)
        #expect(Fingerprint("+" + String(repeating: "0", count: 31)) == nil)
    }
}
