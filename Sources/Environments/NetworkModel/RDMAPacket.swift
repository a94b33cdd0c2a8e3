import Units

/// One packet of a reliable connection. Payload stays with the message at its sender; the packet
/// names it by its number.
struct RDMAPacket: BitwiseCopyable {
    enum Kind: UInt8 {
        case data
        /// Everything up to `number` has arrived.
        case acknowledgement
        /// Everything before `number` has arrived, and something after it: go back to it.
        case sequenceError
    }

    var pair = PairID(slot: 0, generation: 0)
    /// Packet sequence numbers count from zero and do not wrap; a real one has 24 bits.
    var number: Int64 = 0
    var wireBytes: UInt16 = 0
    var kind = Kind.data
    /// The raw value of the `ConnectionSide` that sent it.
    var side: UInt8 = 0
    /// The last packet of a message, which asks for an acknowledgement.
    var endsMessage = false

    /// Ethernet's header, as in the TCP model without preamble and check sequence.
    static let frame = 14
    /// Ethernet 14, IP 20, UDP 8, base transport header 12, invariant check 4 (InfiniBand Architecture 1.4, annex A17).
    static let headers = 58
    /// Address, key and length of a write, in its first packet (RETH).
    static let writeHeader = 16
    /// The stream that a write is for, in its last packet (ImmDt).
    static let immediate = 4
    /// An acknowledgement: headers and AETH.
    static let acknowledgementBytes = 62

    /// Bytes on the wire of one packet of a message; payload is filled up to words.
    static func wireBytes(payload: Int, begins: Bool, ends: Bool, isWrite: Bool) -> Int {
        var total = headers + (payload + 3) & ~3
        if isWrite, begins { total += writeHeader }
        if isWrite, ends { total += immediate }
        return total
    }

    /// The largest packet for a path MTU.
    static func largest(mtu: Int) -> Int { headers + mtu + writeHeader + immediate }
}
