public import Units

/// An IPv4 address.
public struct IPv4Address: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// The address plan of emulated networks, which exist in namespaces only: node `n` is the
    /// (n + 1)-th address of 10.0.0.0/8.
    public init(of node: NodeID) {
        precondition(node.rawValue < IPv4Address.nodeLimit, "no address is left for \(node)")
        rawValue = 10 << 24 | (node.rawValue + 1)
    }

    /// The node whose address this is, whether it exists or not.
    var node: NodeID? {
        let number = rawValue & 0xFF_FFFF
        guard rawValue >> 24 == 10, number > 0 else { return nil }
        return NodeID(number - 1)
    }

    static let nodeLimit: UInt32 = (1 << 24) - 2
    static let networkMask = IPv4Address(rawValue: 0xFF00_0000)

    public var description: String {
        [24, 16, 8, 0].map { "\(rawValue >> UInt32($0) & 255)" }.joined(separator: ".")
    }
}

/// What an emulator reads and changes in an IP packet (RFC 791). It trusts no length in it.
package struct IPv4Frame {
    private let bytes: UnsafeMutableRawBufferPointer

    /// The header without options.
    private static let headerLength = 20
    /// Bytes of framing that the link model counts besides the IP packet.
    package static let framing = 14

    /// `nil` for what is no IPv4 packet.
    package init?(_ bytes: UnsafeMutableRawBufferPointer) {
        guard bytes.count >= IPv4Frame.headerLength, bytes[0] >> 4 == 4 else { return nil }
        self.bytes = bytes
    }

    package var wireBytes: Int { bytes.count + IPv4Frame.framing }

    package var destination: IPv4Address { IPv4Address(rawValue: word(at: 16)) }

    /// Whether the sender understands congestion marks: ECT(0), ECT(1) or CE (RFC 3168, 5).
    package var isECNCapable: Bool { bytes[1] & 3 != 0 }

    /// The same for all packets of a connection, where ports are in the first fragment's place.
    package var flow: UInt32 {
        let length = Int(bytes[0] & 15) * 4
        let isFragment = UInt16(word(at: 4) & 0x3FFF) != 0
        let ports = !isFragment && bytes.count >= length + 4 ? word(at: length) : 0
        // Fibonacci hashing: the high bits depend on all others.
        let mixed =
            (UInt64(word(at: 12)) << 32 | UInt64(word(at: 16)))
            &+ UInt64(ports) &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(bytes[9])
        return UInt32(truncatingIfNeeded: (mixed &* 0x9E37_79B9_7F4A_7C15) >> 32)
    }

    /// Sets the mark "congestion experienced" and mends the header's checksum (RFC 1624, equation 3).
    package func mark() {
        let old = UInt16(bytes[0]) << 8 | UInt16(bytes[1])
        let new = old | 3
        guard new != old else { return }
        bytes[1] |= 3
        let checksum = UInt16(bytes[10]) << 8 | UInt16(bytes[11])
        var sum = UInt32(~checksum) + UInt32(~old) + UInt32(new)
        sum = (sum & 0xFFFF) + sum >> 16
        sum = (sum & 0xFFFF) + sum >> 16
        let mended = ~UInt16(truncatingIfNeeded: sum)
        bytes[10] = UInt8(mended >> 8)
        bytes[11] = UInt8(mended & 255)
    }

    /// Spoils the last bit, so that the receiver's checksum fails.
    package func spoil() { bytes[bytes.count - 1] ^= 1 }

    private func word(at offset: Int) -> UInt32 {
        UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}
