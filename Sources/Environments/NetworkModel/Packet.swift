import Units

/// One packet on a link: a TCP segment or a datagram. Payload stays in the connection's send buffer;
/// the packet names it by offset and length.
///
/// Exactly 64 bytes, so that a link's ring holds one in a cache line.
struct Packet: BitwiseCopyable {
    /// The connection's slot, or a datagram's token.
    var slot: UInt32 = 0
    /// The connection's generation, or a datagram's receiving node.
    var generation: UInt32 = 0
    /// First stream byte carried; a FIN takes the offset after the last byte.
    var offset: Int64 = 0
    /// The next byte the sender of this packet expects.
    var acknowledgement: Int64 = 0
    /// Bytes beyond `acknowledgement` that the sender of this packet takes.
    var window: UInt32 = 0
    /// When the packet was sent, in microseconds, and the time it echoes (RFC 7323).
    var timestamp: UInt32 = 0
    var echo: UInt32 = 0
    /// Payload bytes.
    var length: UInt16 = 0
    var flags: Flags = []
    /// The raw value of the sending `ConnectionSide`.
    var side: UInt8 = 0
    /// Selective acknowledgements relative to `acknowledgement`, latest first (RFC 2018).
    var sack = SackBlocks()

    struct Flags: OptionSet, BitwiseCopyable {
        let rawValue: UInt8
        static let syn = Flags(rawValue: 1)
        static let fin = Flags(rawValue: 2)
        static let reset = Flags(rawValue: 4)
        /// With `reset`: nobody listens, or the process died.
        static let refused = Flags(rawValue: 8)
        /// Asks for an acknowledgement without carrying anything.
        static let probe = Flags(rawValue: 16)
        static let acknowledges = Flags(rawValue: 32)
        static let datagram = Flags(rawValue: 64)
    }

    /// Up to three blocks; an empty block ends the list.
    struct SackBlocks: BitwiseCopyable {
        var first = Block()
        var second = Block()
        var third = Block()

        struct Block: BitwiseCopyable {
            var start: UInt32 = 0
            var end: UInt32 = 0
            var isEmpty: Bool { start == end }
        }

        var count: Int {
            first.isEmpty ? 0 : second.isEmpty ? 1 : third.isEmpty ? 2 : 3
        }

        @inline(__always)
        subscript(index: Int) -> Block {
            index == 0 ? first : index == 1 ? second : third
        }
    }

    /// Sequence numbers taken: payload, and one for a FIN.
    var sequenceLength: Int64 { Int64(length) + (flags.contains(.fin) ? 1 : 0) }

    /// Bytes on the wire: framing 14, IP 20, TCP 20, options 12 (timestamps), 20 for a SYN, and
    /// 4 + 8 a block for selective acknowledgements.
    var wireBytes: Int {
        var total = 66 + Int(length)
        if flags.contains(.syn) { total += 8 }
        let blocks = sack.count
        if blocks > 0 { total += 4 + 8 * blocks }
        return total
    }

    /// Wire bytes of a datagram: each 1472 payload bytes take one fragment with 42 of headers.
    static func wireBytes(ofDatagram size: ByteCount) -> (bytes: Int, fragments: Int) {
        let fragments = max(1, (Int(size.bytes) + 1471) / 1472)
        return (Int(size.bytes) + 42 * fragments, fragments)
    }
}
