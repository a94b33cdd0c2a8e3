/// The 64-bit checksum of the batch format: of pages, and of a batch as it travels.
///
/// It finds damage and collides rarely enough to be an index key; it does not resist an adversary.
/// It multiplies 64 × 64 → 128 bits and folds (as in wyhash, Wang Yi 2019) over four independent
/// lanes of 16 bytes. It is part of the wire format, so it is defined here and pinned by known-answer
/// tests instead of following the fingerprint of runs.
package enum Checksum {
    package static func of(_ bytes: UnsafeRawBufferPointer, key: UInt64 = 0) -> UInt64 {
        var first = key ^ 0xA076_1D64_78BD_642F
        var second = key &+ 0xE703_7ED1_A0B4_28DB
        var third = key ^ 0x8EBC_6AF0_9C88_C6E3
        var fourth = key &+ 0x5899_65CC_7537_4CC3
        var offset = 0
        let blocksEnd = bytes.count & ~63
        while offset < blocksEnd {
            first = folded(word(bytes, offset), first ^ word(bytes, offset &+ 8))
            second = folded(word(bytes, offset &+ 16), second ^ word(bytes, offset &+ 24))
            third = folded(word(bytes, offset &+ 32), third ^ word(bytes, offset &+ 40))
            fourth = folded(word(bytes, offset &+ 48), fourth ^ word(bytes, offset &+ 56))
            offset &+= 64
        }
        while offset &+ 8 <= bytes.count {
            first = folded(word(bytes, offset), first)
            offset &+= 8
        }
        var tail: UInt64 = 0
        while offset < bytes.count {
            tail = tail << 8 | UInt64(bytes[offset])
            offset &+= 1
        }
        var result = folded(tail, first ^ UInt64(bytes.count))
        result = folded(second, result)
        result = folded(third, result)
        return folded(fourth, result)
    }

    /// Adds one word to a running checksum.
    static func combine(_ word: UInt64, into checksum: inout UInt64) {
        checksum = folded(word, checksum)
    }

    private static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    private static func folded(_ input: UInt64, _ state: UInt64) -> UInt64 {
        let product = (input ^ 0x2D35_8DCC_AA6C_78A5).multipliedFullWidth(by: state)
        // Adding the state keeps a zero factor from erasing what came before.
        return (product.high ^ product.low) &+ state
    }
}
