/// A 128-bit digest of everything that happened to an entity, or of a whole run.
///
/// It tells runs apart and locates the first difference between two of them. It is not
/// cryptographic: files are identified by SHA-256 elsewhere.
public struct Fingerprint: Hashable, Sendable, BitwiseCopyable {
    public var high: UInt64
    public var low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads the 32 hexadecimal digits that `description` prints; `nil` for anything else.
    public init?(_ text: String) {
        guard text.utf8.count == 32,
            text.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }),
            let high = UInt64(text.prefix(16), radix: 16),
            let low = UInt64(text.suffix(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }
}

extension Fingerprint: CustomStringConvertible {
    public var description: String {
        Fingerprint.padded(high) + Fingerprint.padded(low)
    }

    private static func padded(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// A running hash over a sequence of words and bytes; order matters, and lengths are mixed in, so
/// that two different sequences never give the same input.
///
/// The mixing step multiplies 64 × 64 → 128 bits and folds (as in wyhash, Wang Yi 2019), in two
/// lanes with different constants.
public struct HashChain: Sendable, BitwiseCopyable {
    @usableFromInline var first: UInt64
    @usableFromInline var second: UInt64

    public init(key: UInt64 = 0) {
        first = 0xA076_1D64_78BD_642F ^ key
        second = 0xE703_7ED1_A0B4_28DB &+ key
    }

    // Inlinable: called several times an event, and a call costs more than the work.
    @inlinable
    public mutating func combine(_ word: UInt64) {
        first = HashChain.folded(first ^ word, 0x8EBC_6AF0_9C88_C6E3)
        second = HashChain.folded(second &+ word, 0x5899_65CC_7537_4CC3)
    }

    @inlinable
    public mutating func combine(_ word: Int64) {
        combine(UInt64(bitPattern: word))
    }

    public mutating func combine(_ fingerprint: Fingerprint) {
        combine(fingerprint.high)
        combine(fingerprint.low)
    }

    public mutating func combine(bytes: UnsafeRawBufferPointer) {
        combine(UInt64(bytes.count))
        var offset = 0
        if bytes.count >= 128 {
            offset = combine(blocksOf: bytes)
        }
        while offset &+ 8 <= bytes.count {
            combine(HashChain.word(of: bytes, at: offset))
            offset &+= 8
        }
        if offset < bytes.count {
            var tail: UInt64 = 0
            while offset < bytes.count {
                tail = tail << 8 | UInt64(bytes[offset])
                offset &+= 1
            }
            combine(tail)
        }
    }

    /// Takes 64 bytes at a time in four independent lanes, because one lane waits for its own
    /// multiplication; returns how many bytes were taken.
    private mutating func combine(blocksOf bytes: UnsafeRawBufferPointer) -> Int {
        var lanes: SIMD4<UInt64> = [first, second, first &+ 1, second &+ 1]
        var offset = 0
        while offset &+ 64 <= bytes.count {
            for lane in 0..<4 {
                let left = HashChain.word(of: bytes, at: offset &+ lane &* 16)
                let right = HashChain.word(of: bytes, at: offset &+ lane &* 16 &+ 8)
                lanes[lane] = HashChain.folded(
                    lanes[lane] ^ left,
                    0x8EBC_6AF0_9C88_C6E3 ^ right
                )
            }
            offset &+= 64
        }
        for lane in 0..<4 { combine(lanes[lane]) }
        return offset
    }

    private static func word(of bytes: UnsafeRawBufferPointer, at offset: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    public mutating func combine(bytes: ArraySlice<UInt8>) {
        bytes.withUnsafeBytes { combine(bytes: $0) }
    }

    public mutating func combine(_ text: String) {
        var copy = text
        copy.withUTF8 { combine(bytes: UnsafeRawBufferPointer($0)) }
    }

    /// The digest of everything combined so far; the chain can go on afterwards.
    public var fingerprint: Fingerprint {
        var final = self
        final.combine(0x2D35_8DCC_AA6C_78A5 as UInt64)
        return Fingerprint(high: final.first ^ (final.second >> 32), low: final.second)
    }

    @inlinable
    static func folded(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        // Adding `left` keeps a zero operand from erasing the chain's history.
        return (product.high ^ product.low) &+ left
    }
}
