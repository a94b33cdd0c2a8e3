package import Machines
package import Units

/// What each side of a link tells the other before the first packet, over TCP.
///
/// Little-endian, 64 bytes: magic, version, node, queue pair, first packet number (24 bits used),
/// 32 bits each; address of the receive ring, 64 bits; its key, its length, receives that are
/// posted, 32 bits each; LID, 16 bits; MTU as the verbs number it, 8 bits; zero, 8 bits; GID, 16
/// bytes; zero, 32 bits.
package struct LinkOffer: Hashable, Sendable {
    package static let length = 64
    private static let magic: UInt32 = 0x4E4F_5652
    private static let version: UInt32 = 1
    /// Bounds of what a peer may offer: a ring from one packet of the largest MTU to 1 GiB.
    package static let ringLengths = 4_096...(1 << 30)
    package static let receiveCounts = 16...65_536

    package let node: NodeID
    package let queuePair: UInt32
    package let packetNumber: UInt32
    package let ringAddress: UInt64
    package let ringKey: UInt32
    package let ringLength: Int
    package let receives: Int
    package let lid: UInt16
    package let mtu: UInt8
    /// 16 bytes.
    package let gid: [UInt8]

    package init(
        node: NodeID,
        queuePair: UInt32,
        packetNumber: UInt32,
        ringAddress: UInt64,
        ringKey: UInt32,
        ringLength: Int,
        receives: Int,
        lid: UInt16,
        mtu: UInt8,
        gid: [UInt8]
    ) {
        precondition(gid.count == 16, "a GID of \(gid.count) bytes")
        self.node = node
        self.queuePair = queuePair
        self.packetNumber = packetNumber
        self.ringAddress = ringAddress
        self.ringKey = ringKey
        self.ringLength = ringLength
        self.receives = receives
        self.lid = lid
        self.mtu = mtu
        self.gid = gid
    }

    package var bytes: [UInt8] {
        var writer = WireWriter(reserving: LinkOffer.length)
        writer.write(LinkOffer.magic)
        writer.write(LinkOffer.version)
        writer.write(node.rawValue)
        writer.write(queuePair)
        writer.write(packetNumber)
        writer.write(ringAddress)
        writer.write(ringKey)
        writer.write(UInt32(ringLength))
        writer.write(UInt32(receives))
        writer.write(lid)
        writer.write(mtu)
        writer.write(UInt8(0))
        writer.write(bytes: gid)
        writer.write(UInt32(0))
        return writer.bytes
    }

    /// Reads an offer of one of `peers` nodes to `node`; exactly `length` bytes.
    package init(from bytes: [UInt8], to node: NodeID, peers: Int) throws(WireError) {
        var reader = WireReader(bytes)
        let magic = try reader.read(UInt32.self)
        guard magic == LinkOffer.magic else { throw .malformed("not an offer of a link") }
        let version = try reader.read(UInt32.self)
        guard version == LinkOffer.version else {
            throw .malformed("links of version \(version)")
        }
        let sender = try reader.read(UInt32.self)
        guard sender < peers, sender != node.rawValue else {
            throw .malformed("a link of node \(sender)")
        }
        self.node = NodeID(sender)
        queuePair = try LinkOffer.number24(&reader, "queue pair")
        packetNumber = try LinkOffer.number24(&reader, "packet number")
        ringAddress = try reader.read()
        ringKey = try reader.read()
        ringLength = Int(try reader.read(UInt32.self))
        guard LinkOffer.ringLengths.contains(ringLength),
            ringAddress <= UInt64.max - UInt64(ringLength)
        else { throw .malformed("a ring of \(ringLength) bytes at \(ringAddress)") }
        receives = Int(try reader.read(UInt32.self))
        guard LinkOffer.receiveCounts.contains(receives) else {
            throw .malformed("\(receives) receives")
        }
        lid = try reader.read()
        mtu = try reader.read()
        guard (1...5).contains(mtu) else { throw .malformed("an MTU of number \(mtu)") }
        guard try reader.read(UInt8.self) == 0 else { throw .malformed("a reserved byte is set") }
        gid = Array(try reader.read(count: 16))
        guard try reader.read(UInt32.self) == 0 else { throw .malformed("a reserved word is set") }
        try reader.expectEnd()
    }

    private static func number24(
        _ reader: inout WireReader,
        _ name: String
    ) throws(WireError) -> UInt32 {
        let value = try reader.read(UInt32.self)
        guard value < 1 << 24 else { throw .malformed("\(name) \(value) exceeds 24 bits") }
        return value
    }
}
