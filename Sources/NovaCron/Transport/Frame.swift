public import Machines

/// The unit of the transport's byte format: a header of 40 bytes, then `length` payload bytes.
///
/// Header, little-endian: kind (1), flags (1), version (2), length (4), session (8), number (8),
/// value (8), checksum (8). The checksum covers the other header fields and the payload.
///
/// | kind | from | number | value | payload |
/// |---|---|---|---|---|
/// | hello | sender, first on each stream | receiver's epoch, 0 while unknown | window assumed | – |
/// | chunk | sender | chunk id | its position in the transfer | the chunk |
/// | welcome | receiver, answers hello | receiver's epoch | limit | – |
/// | acknowledgement | receiver | chunk id | limit | – |
/// | limit | receiver | 0 | limit | – |
/// | note | both | note's number | 0 | the note |
/// | noteAcknowledgement | both | next number expected | 0 | – |
/// | refusal | receiver | reason | 0 | – |
/// | farewell | sender, last on a stream that leaves early | 0 | 0 | – |
/// | probe | sender | any | 0 | – |
/// | probeAnswer | receiver | that of the probe | 0 | – |
///
/// *Limit* is the position in the transfer up to which the sender may send. A chunk takes up its length
/// and `chunkCharge` more, so that many tiny chunks fill a window too.
public struct FrameHeader: Hashable, Sendable, BitwiseCopyable {
    public var kind: Kind
    /// The last chunk of the transfer; only on chunks.
    public var isLast: Bool
    /// The version of this format.
    public var version: UInt16
    public var length: UInt32
    public var session: UInt64
    public var number: UInt64
    public var value: UInt64
    public var checksum: UInt64

    public enum Kind: UInt8, Hashable, Sendable, BitwiseCopyable, CaseIterable {
        case hello = 1
        case chunk
        case welcome
        case acknowledgement
        case limit
        case note
        case noteAcknowledgement
        case refusal
        case farewell
        case probe
        case probeAnswer

        /// The longest payload of a frame of this kind.
        public var payloadLimit: Int {
            switch self {
            case .chunk: FrameHeader.payloadLimit
            case .note: FrameHeader.noteLimit
            case .hello, .welcome, .acknowledgement, .limit, .noteAcknowledgement, .refusal,
                .farewell, .probe, .probeAnswer:
                0
            }
        }
    }

    /// Bytes of a header on the wire.
    public static let size = 40
    /// The longest chunk.
    public static let payloadLimit = 1 << 20
    /// What a chunk costs of the window beyond its length: its share of a receiver's bookkeeping.
    public static let chunkCharge = 256
    /// The longest note.
    public static let noteLimit = 4_096
    /// The version of this format.
    public static let version: UInt16 = 2

    public init(
        _ kind: Kind,
        session: SessionID,
        number: UInt64 = 0,
        value: UInt64 = 0,
        isLast: Bool = false
    ) {
        self.kind = kind
        self.isLast = isLast
        version = FrameHeader.version
        self.session = session.rawValue
        self.number = number
        self.value = value
        length = 0
        checksum = 0
    }

    /// The checksum of the header's own fields, to which the payload's bytes are added.
    var openChecksum: Checksum {
        var checksum = Checksum(key: session)
        let fields =
            UInt64(kind.rawValue) | (isLast ? 1 << 8 : 0) | UInt64(version) << 16
            | UInt64(length) << 32
        withUnsafeBytes(of: (fields.littleEndian, number.littleEndian, value.littleEndian)) {
            checksum.update($0)
        }
        return checksum
    }

    /// Sets length and checksum for the payload; traps when the payload is longer than the kind
    /// allows.
    public mutating func seal(_ payload: Payload = Payload()) {
        precondition(payload.count <= kind.payloadLimit, "\(kind) with \(payload.count) bytes")
        length = UInt32(payload.count)
        var sum = openChecksum
        for piece in payload.pieces { sum.update(piece) }
        checksum = sum.value
    }

    /// The sealed header's bytes.
    public var bytes: Bytes {
        var writer = WireWriter(reserving: FrameHeader.size)
        writer.write(kind.rawValue)
        writer.write(isLast ? 1 as UInt8 : 0)
        writer.write(version)
        writer.write(length)
        writer.write(session)
        writer.write(number)
        writer.write(value)
        writer.write(checksum)
        return writer.bytes[...]
    }

    /// Reads the 40 bytes of a header and checks what can be checked without the payload.
    public init(_ bytes: Bytes) throws(TransportError) {
        precondition(bytes.count == FrameHeader.size, "a header of \(bytes.count) bytes")
        let fields = bytes.withUnsafeBytes { raw in
            (
                kind: raw[0], flags: raw[1],
                version: UInt16(
                    littleEndian: raw.loadUnaligned(fromByteOffset: 2, as: UInt16.self)
                ),
                length: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4, as: UInt32.self)),
                session: FrameHeader.word(raw, 8), number: FrameHeader.word(raw, 16),
                value: FrameHeader.word(raw, 24), checksum: FrameHeader.word(raw, 32)
            )
        }
        // First: a newer format may have other kinds and flags, but not another place for this.
        guard fields.version == FrameHeader.version else {
            throw .unsupportedVersion(fields.version)
        }
        guard let kind = Kind(rawValue: fields.kind) else {
            throw .malformed("frame kind \(fields.kind)")
        }
        guard fields.flags == 0 || (fields.flags == 1 && kind == .chunk) else {
            throw .malformed("flags \(fields.flags) on a frame of kind \(kind)")
        }
        guard Int(fields.length) <= kind.payloadLimit else {
            throw .tooLarge(length: Int(fields.length), limit: kind.payloadLimit)
        }
        self.kind = kind
        isLast = fields.flags == 1
        version = fields.version
        length = fields.length
        session = fields.session
        number = fields.number
        value = fields.value
        checksum = fields.checksum
    }

    private static func word(_ raw: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}

/// A complete frame whose checksum was right.
public struct Frame: Sendable, Equatable {
    public var header: FrameHeader
    public var payload: Payload

    public init(header: FrameHeader, payload: Payload) {
        self.header = header
        self.payload = payload
    }
}
