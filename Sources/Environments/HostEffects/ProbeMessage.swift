package import Machines

/// One packet of a path measurement, request or answer.
///
/// Little-endian, 28 bytes: magic `NCPR`, version, kind, 16 bits of zero, session (64 bits), train
/// (16), packet in the train (16), and in answers the answering clock's nanoseconds when the request
/// arrived (64; zero in requests). A request is filled up with any bytes to the size that is
/// measured. An answer is exactly the 28 bytes, so it is never longer than its request, and an answer
/// is never answered: the responder cannot be used to amplify, nor two of them to talk forever.
package struct ProbeMessage: Hashable, Sendable {
    package static let length = 28
    private static let magic: UInt32 = 0x5250_434E
    private static let version: UInt8 = 1

    package enum Kind: UInt8, Sendable {
        case request = 1
        case answer = 2
    }

    package var kind: Kind
    /// Drawn at random by the one that measures: answers to others are not taken for its own.
    package var session: UInt64
    package var train: UInt16
    package var packet: UInt16
    package var arrival: Int64

    package init(kind: Kind, session: UInt64, train: UInt16, packet: UInt16, arrival: Int64) {
        self.kind = kind
        self.session = session
        self.train = train
        self.packet = packet
        self.arrival = arrival
    }

    package init(_ bytes: [UInt8]) throws(WireError) {
        var reader = WireReader(bytes)
        let magic = try reader.read(UInt32.self)
        guard magic == ProbeMessage.magic else { throw .malformed("not a probe") }
        let version = try reader.read(UInt8.self)
        guard version == ProbeMessage.version else {
            throw .malformed("a probe of version \(version)")
        }
        let code = try reader.read(UInt8.self)
        guard let kind = Kind(rawValue: code) else { throw .malformed("a probe of kind \(code)") }
        let reserved = try reader.read(UInt16.self)
        guard reserved == 0 else { throw .malformed("reserved bits are set") }
        self.kind = kind
        session = try reader.read(UInt64.self)
        train = try reader.read(UInt16.self)
        packet = try reader.read(UInt16.self)
        arrival = try reader.read(Int64.self)
        guard kind == .request || bytes.count == ProbeMessage.length else {
            throw .malformed("an answer of \(bytes.count) bytes")
        }
    }

    /// Filled up with zeros to `size`, or as long as it is.
    package func bytes(size: Int = length) -> [UInt8] {
        var writer = WireWriter(reserving: max(size, ProbeMessage.length))
        writer.write(ProbeMessage.magic)
        writer.write(ProbeMessage.version)
        writer.write(kind.rawValue)
        writer.write(UInt16(0))
        writer.write(session)
        writer.write(train)
        writer.write(packet)
        writer.write(arrival)
        if size > ProbeMessage.length {
            writer.write(bytes: repeatElement(0, count: size - ProbeMessage.length))
        }
        return writer.bytes
    }

    /// What a responder says to `request` that arrived at `arrival`; `nil` when it says nothing.
    package static func answer(to request: [UInt8], arrival: Int64) -> [UInt8]? {
        guard var message = try? ProbeMessage(request), message.kind == .request else { return nil }
        message.kind = .answer
        message.arrival = arrival
        return message.bytes()
    }
}
