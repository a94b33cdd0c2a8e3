package import Machines
package import Units

/// The bytes that an opener sends before its own: they name the stream and say how much the other
/// side may send.
///
/// Little-endian: magic, version, opener, number, receive credit, 32 bits each.
package struct StreamPreamble: Hashable, Sendable {
    package static let length = 20
    private static let magic: UInt32 = 0x4E4F_5641
    private static let version: UInt32 = 1

    package let stream: StreamID
    /// Bytes that the acceptor may receive before it grants more; at least one.
    package let receiveCredit: Int

    /// Traps when the credit is not in 1...`UInt32.max`.
    package init(_ stream: StreamID, receiveCredit: Int) {
        precondition(
            receiveCredit > 0 && receiveCredit <= Int(UInt32.max),
            "a receive credit of \(receiveCredit) bytes cannot be carried"
        )
        self.stream = stream
        self.receiveCredit = receiveCredit
    }

    package var bytes: [UInt8] {
        var writer = WireWriter(reserving: StreamPreamble.length)
        writer.write(StreamPreamble.magic)
        writer.write(StreamPreamble.version)
        writer.write(stream.opener.rawValue)
        writer.write(stream.number)
        writer.write(UInt32(receiveCredit))
        return writer.bytes
    }

    /// Takes the preamble off the front of a stream whose acceptor is `node` and whose opener must
    /// be one of `peers` nodes.
    package init(
        from reader: inout WireReader,
        to node: NodeID,
        peers: Int
    ) throws(WireError) {
        let magic = try reader.read(UInt32.self)
        guard magic == StreamPreamble.magic else { throw .malformed("not a stream of ours") }
        let version = try reader.read(UInt32.self)
        guard version == StreamPreamble.version else {
            throw .malformed("streams of version \(version)")
        }
        let opener = try reader.read(UInt32.self)
        guard opener < peers, opener != node.rawValue else {
            throw .malformed("a stream opened by node \(opener)")
        }
        let number = try reader.read(UInt32.self)
        let credit = try reader.read(UInt32.self)
        guard credit > 0 else { throw .malformed("a stream without receive credit") }
        stream = StreamID(opener: NodeID(opener), number: number)
        receiveCredit = Int(credit)
    }
}
