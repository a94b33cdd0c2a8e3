import Units

/// One packet on a link: a TCP segment or a datagram. Payload stays in the connection's send
/// buffer; the packet names it by offset and length.
///
/// Exactly 64 bytes, so that a link's ring holds one in a cache line.
package struct Packet: BitwiseCopyable {
    /// The connection's slot, or a datagram's token.
    var slot: UInt32 = 0
    /// The connection's generation, or a datagram's receiving node.
    var generation: UInt32 = 0
    /// First stream byte carried; a FIN takes the offset after the last byte.
    package var offset: Int64 = 0
    /// The next byte the sender of this packet expects.
    package var acknowledgement: Int64 = 0
    /// Bytes beyond `acknowledgement` that the sender of this packet takes.
    package var window: UInt32 = 0
    /// When the packet was sent, in microseconds, and the time it echoes (RFC 7323).
    package var timestamp: UInt32 = 0
    package var echo: UInt32 = 0
    /// Payload bytes.
    package var length: UInt16 = 0
    package var flags: Flags = []
    /// The sending side in the lowest bit, congestion marks above it.
    private var sideAndMarks: UInt8 = 0
    /// Selective acknowledgements relative to `acknowledgement`, latest first (RFC 2018).
    package var sack = SackBlocks()

    /// The raw value of the sending `ConnectionSide`.
    package var side: UInt8 {
        get { sideAndMarks & 1 }
        set { sideAndMarks = sideAndMarks & ~1 | newValue & 1 }
    }

    package var congestion: CongestionMarks {
        get { CongestionMarks(rawValue: sideAndMarks >> 1) }
        set { sideAndMarks = sideAndMarks & 1 | newValue.rawValue << 1 }
    }

    /// Explicit congestion notification (RFC 3168): two bits of the IP header, two of TCP's.
    package struct CongestionMarks: OptionSet, BitwiseCopyable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// ECT: the sender understands marks.
        package static let capable = CongestionMarks(rawValue: 1)
        /// CE: a queue marked the packet instead of dropping it.
        package static let experienced = CongestionMarks(rawValue: 2)
        /// ECE: the receiver of a marked packet tells its sender.
        package static let echo = CongestionMarks(rawValue: 4)
        /// CWR: the sender has reduced its window.
        package static let reduced = CongestionMarks(rawValue: 8)
    }

    package struct Flags: OptionSet, BitwiseCopyable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let syn = Flags(rawValue: 1)
        package static let fin = Flags(rawValue: 2)
        package static let reset = Flags(rawValue: 4)
        /// With `reset`: nobody listens, or the process died.
        package static let refused = Flags(rawValue: 8)
        /// Asks for an acknowledgement without carrying anything.
        package static let probe = Flags(rawValue: 16)
        static let acknowledges = Flags(rawValue: 32)
        static let datagram = Flags(rawValue: 64)
    }

    /// Up to three blocks; an empty block ends the list.
    package struct SackBlocks: BitwiseCopyable {
        package var first = Block()
        package var second = Block()
        package var third = Block()

        package struct Block: BitwiseCopyable {
            package var start: UInt32 = 0
            package var end: UInt32 = 0
            package var isEmpty: Bool { start == end }
        }

        package var count: Int {
            first.isEmpty ? 0 : second.isEmpty ? 1 : third.isEmpty ? 2 : 3
        }

        @inline(__always)
        package subscript(index: Int) -> Block {
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
