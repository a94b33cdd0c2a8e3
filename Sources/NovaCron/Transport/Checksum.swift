public import Machines

/// A 64-bit checksum over bytes that arrive in pieces; the result does not depend on how they were
/// cut.
///
/// Blocks of 64 bytes go through four lanes that multiply 64 × 64 → 128 bits and fold, the step of
/// wyhash (Wang Yi, 2019), with this project's constants. Four independent lanes keep the
/// multiplier busy; about ten bytes a cycle. It finds transmission errors and mix-ups and is not
/// cryptographic. Deviation from wyhash: the lane is added after folding, so that a block which
/// equals a constant does not erase what came before.
public struct Checksum: Sendable, BitwiseCopyable {
    private var lane0: UInt64
    private var lane1: UInt64
    private var lane2: UInt64
    private var lane3: UInt64
    /// The bytes of a block that is not complete yet.
    private var carry: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)
    private var carried: Int
    private var length: UInt64

    private static let blockSize = 64

    public init(key: UInt64 = 0) {
        lane0 = 0x9E37_79B9_7F4A_7C15 ^ key
        lane1 = 0xC2B2_AE3D_27D4_EB4F &+ key
        lane2 = 0x1656_67B1_9E37_79F9 ^ (key << 32 | key >> 32)
        lane3 = 0x27D4_EB2F_1656_67C5 &- key
        carry = (0, 0, 0, 0, 0, 0, 0, 0)
        carried = 0
        length = 0
    }

    public mutating func update(_ bytes: Bytes) {
        bytes.withUnsafeBytes { update($0) }
    }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        length &+= UInt64(bytes.count)
        var offset = 0
        if carried > 0 {
            offset = min(Checksum.blockSize - carried, bytes.count)
            store(bytes, from: 0, count: offset)
            guard carried == Checksum.blockSize else { return }
            mixCarry()
        }
        while offset &+ Checksum.blockSize <= bytes.count {
            mix(
                Checksum.word(bytes, offset),
                Checksum.word(bytes, offset &+ 8),
                Checksum.word(bytes, offset &+ 16),
                Checksum.word(bytes, offset &+ 24),
                Checksum.word(bytes, offset &+ 32),
                Checksum.word(bytes, offset &+ 40),
                Checksum.word(bytes, offset &+ 48),
                Checksum.word(bytes, offset &+ 56)
            )
            offset &+= Checksum.blockSize
        }
        if offset < bytes.count { store(bytes, from: offset, count: bytes.count - offset) }
    }

    /// The checksum of everything so far; more may follow.
    public var value: UInt64 {
        var final = self
        if carried > 0 {
            final.clearCarry(from: carried)
            final.mixCarry()
        }
        let left = Checksum.folded(final.lane0, final.lane1 ^ 0x8EBC_6AF0_9C88_C6E3)
        let right = Checksum.folded(final.lane2, final.lane3 ^ 0x5899_65CC_7537_4CC3)
        return Checksum.folded(left ^ length, right ^ 0x2D35_8DCC_AA6C_78A5)
    }

    /// The checksum of one run of bytes.
    public static func of(_ bytes: Bytes, key: UInt64 = 0) -> UInt64 {
        var checksum = Checksum(key: key)
        checksum.update(bytes)
        return checksum.value
    }

    private mutating func store(_ bytes: UnsafeRawBufferPointer, from offset: Int, count: Int) {
        let start = carried
        withUnsafeMutableBytes(of: &carry) { buffer in
            UnsafeMutableRawBufferPointer(rebasing: buffer[start..<start + count])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]))
        }
        carried &+= count
    }

    private mutating func clearCarry(from start: Int) {
        withUnsafeMutableBytes(of: &carry) { buffer in
            for index in start..<Checksum.blockSize { buffer[index] = 0 }
        }
    }

    private mutating func mixCarry() {
        let block = carry
        mix(
            UInt64(littleEndian: block.0),
            UInt64(littleEndian: block.1),
            UInt64(littleEndian: block.2),
            UInt64(littleEndian: block.3),
            UInt64(littleEndian: block.4),
            UInt64(littleEndian: block.5),
            UInt64(littleEndian: block.6),
            UInt64(littleEndian: block.7)
        )
        carried = 0
    }

    private mutating func mix(
        _ a: UInt64,
        _ b: UInt64,
        _ c: UInt64,
        _ d: UInt64,
        _ e: UInt64,
        _ f: UInt64,
        _ g: UInt64,
        _ h: UInt64
    ) {
        lane0 = Checksum.folded(lane0 ^ a, 0xD6E8_FEB8_6659_FD93 ^ b)
        lane1 = Checksum.folded(lane1 ^ c, 0xA54F_F53A_5F1D_36F1 ^ d)
        lane2 = Checksum.folded(lane2 ^ e, 0xCA5A_8263_9512_1157 ^ f)
        lane3 = Checksum.folded(lane3 ^ g, 0x7B1C_E583_BD4A_7B3D ^ h)
    }

    private static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    private static func folded(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return (product.high ^ product.low) &+ left
    }
}
