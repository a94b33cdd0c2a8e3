/// The fixed start of an encoded batch. Integers are little-endian.
///
/// | offset | field |
/// |---|---|
/// | 0 | magic `HDE1` |
/// | 4 | version (1), then three zero bytes |
/// | 8 | session |
/// | 16 | sequence within the session, from zero |
/// | 24 | generation: the state of memory that the batch builds on |
/// | 32 | page count, 1...4096 |
/// | 36 | for each of three sections: length when decoded, length as sent (32 bits each) |
/// | 60 | checksum of the decoded pages |
/// | 68 | checksum of bytes 0..<68 and of the sections |
///
/// The sections follow without gaps. A section whose two lengths are equal is stored, any other is
/// one zstd frame (RFC 8878).
package struct BatchHeader: Hashable {
    static let magic: UInt32 = 0x3145_4448
    static let version: UInt8 = 1
    package static let size = 76
    package static let checksumOffset = 68

    var session: UInt64
    var sequence: UInt64
    var generation: UInt64
    var pageCount: Int
    /// Numbers, classes, references and masks of the pages.
    var structure = SectionLengths()
    /// The changed words of deltas.
    var words = SectionLengths()
    /// Whole pages.
    var literals = SectionLengths()
    var pagesChecksum: UInt64 = 0

    struct SectionLengths: Hashable {
        var decoded = 0
        var sent = 0

        var isCompressed: Bool { decoded != sent }
    }

    /// The longest possible number and reference of one page, its class and its mask.
    static let maximumStructurePerPage = 10 + 5 + 1 + Page.maskSize

    var sentLength: Int { structure.sent + words.sent + literals.sent }

    /// The state of memory after the batch `sequence` was applied to `generation`.
    static func generation(after generation: UInt64, session: UInt64, sequence: UInt64) -> UInt64 {
        var next = generation
        Checksum.combine(session, into: &next)
        Checksum.combine(sequence, into: &next)
        return next
    }

    /// Writes everything but the batch checksum.
    func write(to target: UnsafeMutableRawBufferPointer) {
        func store<Value: FixedWidthInteger>(_ value: Value, at offset: Int) {
            target.storeBytes(of: value.littleEndian, toByteOffset: offset, as: Value.self)
        }
        store(BatchHeader.magic, at: 0)
        store(UInt32(BatchHeader.version), at: 4)
        store(session, at: 8)
        store(sequence, at: 16)
        store(generation, at: 24)
        store(UInt32(pageCount), at: 32)
        for (index, lengths) in [structure, words, literals].enumerated() {
            store(UInt32(lengths.decoded), at: 36 + index * 8)
            store(UInt32(lengths.sent), at: 40 + index * 8)
        }
        store(pagesChecksum, at: 60)
    }

    /// Computes the batch checksum over a complete batch and stores it.
    package static func seal(_ batch: UnsafeMutableRawBufferPointer) {
        let checksum = batchChecksum(UnsafeRawBufferPointer(batch))
        batch.storeBytes(of: checksum.littleEndian, toByteOffset: checksumOffset, as: UInt64.self)
    }

    /// The checksum of a complete batch, its own field left out.
    static func batchChecksum(_ batch: UnsafeRawBufferPointer) -> UInt64 {
        let head = Checksum.of(UnsafeRawBufferPointer(rebasing: batch[..<checksumOffset]))
        return Checksum.of(UnsafeRawBufferPointer(rebasing: batch[size...]), key: head)
    }

}

extension BatchHeader {
    /// Reads and checks the header of a complete batch, its total length and its checksum.
    init(reading batch: UnsafeRawBufferPointer) throws(DecodingFailure) {
        guard batch.count >= BatchHeader.size else {
            throw .truncated(needed: BatchHeader.size, available: batch.count)
        }
        func load<Value: FixedWidthInteger>(_ offset: Int, as type: Value.Type) -> Value {
            Value(littleEndian: batch.loadUnaligned(fromByteOffset: offset, as: Value.self))
        }
        guard load(0, as: UInt32.self) == BatchHeader.magic else { throw .notABatch }
        guard batch[4] == BatchHeader.version else { throw .unsupportedVersion(batch[4]) }
        session = load(8, as: UInt64.self)
        sequence = load(16, as: UInt64.self)
        generation = load(24, as: UInt64.self)
        pageCount = Int(load(32, as: UInt32.self))
        func lengths(_ offset: Int) -> SectionLengths {
            SectionLengths(
                decoded: Int(load(offset, as: UInt32.self)),
                sent: Int(load(offset + 4, as: UInt32.self))
            )
        }
        structure = lengths(36)
        words = lengths(44)
        literals = lengths(52)
        pagesChecksum = load(60, as: UInt64.self)
        let available = batch.count - BatchHeader.size
        guard available >= sentLength else {
            throw .truncated(needed: sentLength, available: available)
        }
        guard available == sentLength else { throw .trailingBytes(available - sentLength) }
        let stored = load(BatchHeader.checksumOffset, as: UInt64.self)
        guard stored == BatchHeader.batchChecksum(batch) else { throw .payloadChecksumMismatch }
        guard load(4, as: UInt32.self) == UInt32(BatchHeader.version) else {
            throw .malformed("reserved bytes are not zero")
        }
        try checkBounds()
    }

    /// Bounds every length before anything is allocated for it.
    private func checkBounds() throws(DecodingFailure) {
        guard pageCount <= PageBatch.maximumPages else {
            throw .outOfBounds(
                "page count",
                value: pageCount,
                limit: PageBatch.maximumPages
            )
        }
        guard pageCount > 0 else { throw .malformed("a batch without pages") }
        let limits = [
            ("structure", structure, pageCount * BatchHeader.maximumStructurePerPage),
            ("words", words, pageCount * Page.size),
            ("literals", literals, pageCount * Page.size),
        ]
        for (name, section, limit) in limits {
            guard section.decoded <= limit else {
                throw .outOfBounds(name, value: section.decoded, limit: limit)
            }
            // Sections that compression does not shrink are stored, so nothing grows on the wire.
            guard section.sent <= section.decoded else {
                throw .outOfBounds(name, value: section.sent, limit: section.decoded)
            }
        }
    }
}
