import Determinism
import Machines

/// The first bytes of a segment file: what the file is, whose, and where it stands in the log.
///
/// | offset | bytes | |
/// |---|---|---|
/// | 0 | 8 | the text `NCRECLOG` |
/// | 8 | 4 | version of the format |
/// | 12 | 4 | flags; bit 0: the first batch makes all earlier segments unnecessary |
/// | 16 | 8 | identity of the log |
/// | 24 | 8 | sequence number of the first batch, which is also the file's name |
/// | 32 | 8 | checksum of the batch before, with which the first batch is chained |
/// | 40 | 8 | checksum of the bytes before |
///
/// Integers are little-endian. The header lies in the first sector, so that a crash leaves all of it
/// or nothing.
struct SegmentHeader {
    static let length = 48
    static let version: UInt32 = 1

    var identity: UInt64
    var firstSequence: UInt64
    var supersedesEarlier: Bool
    var chain: UInt64

    var encoded: [UInt8] {
        var writer = WireWriter(reserving: SegmentHeader.length)
        writer.write(bytes: SegmentHeader.magic)
        writer.write(SegmentHeader.version)
        writer.write(UInt32(supersedesEarlier ? 1 : 0))
        writer.write(identity)
        writer.write(firstSequence)
        writer.write(chain)
        writer.write(SegmentHeader.checksum(of: writer.bytes[...]))
        return writer.bytes
    }

    /// Reads the segment's header; `nil` for one that a crash left unwritten.
    static func read(
        _ image: SegmentImage,
        identity: UInt64
    ) throws(RecoveryFailure) -> SegmentHeader? {
        let name = image.firstSequence
        guard image.bytes.count >= length else { return nil }
        let bytes = image.bytes.prefix(length)
        if bytes.allSatisfy({ $0 == 0 }) { return nil }
        let damage = RecoveryFailure.corrupt(
            Corruption(segment: name, offset: 0, sequence: name, reason: .segmentHeader)
        )
        var reader = WireReader(bytes.dropFirst(magic.count))
        guard bytes.starts(with: magic), let version = try? reader.read(UInt32.self) else {
            throw damage
        }
        guard version == self.version else {
            throw .unsupportedVersion(segment: name, found: version)
        }
        guard let header = try? SegmentHeader(from: &reader),
            let found = try? reader.read(UInt64.self), found == checksum(of: bytes.dropLast(8)),
            header.firstSequence == name
        else { throw damage }
        guard header.identity == identity else {
            throw .foreign(segment: name, identity: header.identity)
        }
        return header
    }

    /// The value that a log's first batch, and one that supersedes all earlier, is chained with.
    static func chainStart(identity: UInt64, sequence: UInt64) -> UInt64 {
        var chain = HashChain(key: identity)
        chain.combine(sequence)
        return chain.fingerprint.low
    }

    private static let magic = Array("NCRECLOG".utf8)

    private static func checksum(of bytes: Bytes) -> UInt64 {
        var chain = HashChain(key: 0x4E43_5345_474D_454E)
        chain.combine(bytes: bytes)
        return chain.fingerprint.low
    }
}

extension SegmentHeader {
    /// The fields behind the version.
    fileprivate init(from reader: inout WireReader) throws(WireError) {
        let flags = try reader.read(UInt32.self)
        identity = try reader.read()
        firstSequence = try reader.read()
        supersedesEarlier = flags & 1 == 1
        chain = try reader.read()
    }
}
