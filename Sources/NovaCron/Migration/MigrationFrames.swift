public import DeltaEncoding
public import Machines

/// What a chunk of a migration holds; its first byte tells which.
///
/// | byte | content |
/// |---|---|
/// | 1 | offer, first: page count (4) |
/// | 2 | a batch of pages |
/// | 3 | the end: number of batches (8), page count (4), held pages (4), checksum (8) |
public enum MigrationChunk: Hashable, Sendable {
    case offer(pageCount: UInt32)
    /// The rest of the chunk is the batch.
    case batch
    case end(batches: UInt64, MemoryDigest)

    /// The byte before a batch.
    static let batchTag = Bytes([2])

    public var bytes: Bytes {
        var writer = WireWriter(reserving: 25)
        switch self {
        case .offer(let pageCount):
            writer.write(1 as UInt8)
            writer.write(pageCount)
        case .batch:
            writer.write(2 as UInt8)
        case .end(let batches, let digest):
            writer.write(3 as UInt8)
            writer.write(batches)
            writer.write(digest.pageCount)
            writer.write(digest.heldPages)
            writer.write(digest.checksum)
        }
        return writer.bytes[...]
    }

    /// Reads the bytes of a chunk; of a batch only the first.
    public init(_ bytes: Bytes) throws(WireError) {
        var reader = WireReader(bytes)
        switch try reader.read(UInt8.self) {
        case 1:
            self = .offer(pageCount: try reader.read())
        case 2:
            self = .batch
            return
        case 3:
            self = .end(
                batches: try reader.read(),
                MemoryDigest(
                    pageCount: try reader.read(),
                    heldPages: try reader.read(),
                    checksum: try reader.read()
                )
            )
        case let tag:
            throw .malformed("a chunk of kind \(tag)")
        }
        try reader.expectEnd()
    }
}

/// What the destination tells the source, as a note.
public enum MigrationNote: Hashable, Sendable {
    /// The memory is verified and the guest runs.
    case running
    case failed(Reason)

    public enum Reason: UInt8, Hashable, Sendable, CaseIterable {
        case decoding = 1
        case memoryMismatch = 2
        case refused = 3
        case malformed = 4
    }

    public var bytes: Bytes {
        switch self {
        case .running: [1]
        case .failed(let reason): [2, reason.rawValue]
        }
    }

    public init(_ bytes: Bytes) throws(WireError) {
        var reader = WireReader(bytes)
        switch try reader.read(UInt8.self) {
        case 1: self = .running
        case 2:
            let code = try reader.read(UInt8.self)
            guard let reason = Reason(rawValue: code) else {
                throw .malformed("a failure of kind \(code)")
            }
            self = .failed(reason)
        case let tag: throw .malformed("a note of kind \(tag)")
        }
        try reader.expectEnd()
    }
}
