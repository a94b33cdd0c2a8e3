package import Machines

/// One control message of a link, sent by send and received into a posted receive.
///
/// Little-endian, 32 bytes: kind, 8 bits; priority, 8 bits; zero, 16 bits; stream, 32 bits; value,
/// bytes taken, messages taken, 64 bits each. Every message returns credit with its last two fields.
package struct ControlMessage: Hashable, Sendable {
    package static let length = 32

    package enum Kind: UInt8, Hashable, Sendable, CaseIterable {
        /// The first message of each side; nothing else travels before both have arrived.
        case hello = 1
        /// Returns credit and nothing else.
        case credit = 2
        /// Opens a stream; the value is the receive credit of both sides, at least one byte.
        case open = 3
        /// The value is the number of bytes that the receiver may have sent since the stream began.
        case grant = 4
        case finish = 5
        case reset = 6
    }

    package var kind: Kind
    package var priority: UInt8
    package var stream: UInt32
    package var value: UInt64
    /// Bytes of the other side's writes, and messages of it, taken since the link began.
    package var bytesTaken: UInt64
    package var messagesTaken: UInt64

    package init(
        _ kind: Kind,
        stream: UInt32 = 0,
        value: UInt64 = 0,
        priority: UInt8 = 0,
        bytesTaken: UInt64,
        messagesTaken: UInt64
    ) {
        self.kind = kind
        self.stream = stream
        self.value = value
        self.priority = priority
        self.bytesTaken = bytesTaken
        self.messagesTaken = messagesTaken
    }

    package var bytes: [UInt8] {
        var writer = WireWriter(reserving: ControlMessage.length)
        writer.write(kind.rawValue)
        writer.write(priority)
        writer.write(UInt16(0))
        writer.write(stream)
        writer.write(value)
        writer.write(bytesTaken)
        writer.write(messagesTaken)
        return writer.bytes
    }

    /// Reads exactly `length` bytes.
    package init(from bytes: Bytes) throws(WireError) {
        var reader = WireReader(bytes)
        let number = try reader.read(UInt8.self)
        guard let kind = Kind(rawValue: number) else { throw .malformed("message \(number)") }
        self.kind = kind
        priority = try reader.read()
        guard try reader.read(UInt16.self) == 0 else { throw .malformed("reserved bits are set") }
        stream = try reader.read()
        value = try reader.read()
        bytesTaken = try reader.read()
        messagesTaken = try reader.read()
        try reader.expectEnd()
        guard value < 1 << 62 else { throw .malformed("a value of \(value)") }
        guard kind != .open || (1...UInt64(UInt32.max)).contains(value) else {
            throw .malformed("a receive credit of \(value)")
        }
    }
}
