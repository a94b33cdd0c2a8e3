/// The end of a log, and what to write there for the next batch.
///
/// It does no I/O. Whoever does writes each batch's bytes at its place, makes them durable (a new
/// file's name, too), and then removes the segments that are superseded. **A batch is written only
/// when all earlier ones are durable**: recovery takes any trace of a later batch as the proof that
/// an earlier one had been acknowledged. To share a sync, several requests become one batch.
public struct SegmentWriter: Sendable {
    /// The longest record in bytes.
    public static let recordLimit = 1 << 31
    /// The most bytes of one batch, the records' lengths included.
    public static let batchLimit = Int(UInt32.max)
    /// A segment that has grown to this is followed by another.
    public static let segmentLimit = 1 << 26

    /// Tells this log from others; recovery refuses another's files.
    public let identity: UInt64
    /// The segment that the last batch is in, by its first batch's sequence number.
    public private(set) var segment: UInt64
    /// Bytes of that segment; zero before the first batch.
    public private(set) var offset: Int
    /// The sequence number of the next batch.
    public private(set) var nextSequence: UInt64
    private var chain: UInt64
    private let segmentLimit: Int

    /// Before the batch numbered `sequence`, of which no file exists yet: it must be the log's first,
    /// or supersede all earlier ones.
    public init(
        identity: UInt64,
        startingAt sequence: UInt64 = 0,
        segmentLimit: Int = SegmentWriter.segmentLimit
    ) {
        self.init(
            identity: identity,
            segment: sequence,
            offset: 0,
            nextSequence: sequence,
            chain: SegmentHeader.chainStart(identity: identity, sequence: sequence),
            segmentLimit: segmentLimit
        )
    }

    init(
        identity: UInt64,
        segment: UInt64,
        offset: Int,
        nextSequence: UInt64,
        chain: UInt64,
        segmentLimit: Int
    ) {
        self.identity = identity
        self.segment = segment
        self.offset = offset
        self.nextSequence = nextSequence
        self.chain = chain
        self.segmentLimit = segmentLimit
    }

    /// What to write for the next batch.
    ///
    /// Traps when a record or the batch is longer than its limit.
    /// - Parameter supersedesEarlier: whether all earlier batches are unnecessary once this one is
    ///   durable.
    public mutating func append<Record: Collection<UInt8>>(
        _ records: some Collection<Record>,
        supersedesEarlier: Bool = false
    ) -> BatchWrite {
        let begins = beginsSegment(supersedesEarlier: supersedesEarlier)
        var bytes: [UInt8] = []
        let overhead = SegmentHeader.length + BatchFrame.headerLength + BatchFrame.trailerLength
        bytes.reserveCapacity(overhead + records.reduce(0) { $0 + 4 + $1.count })
        let start = append(records, supersedesEarlier: supersedesEarlier, to: &bytes)
        return BatchWrite(
            segment: segment,
            offset: start,
            bytes: bytes,
            beginsSegment: begins,
            supersedesEarlier: supersedesEarlier
        )
    }

    /// Whether the next batch is the first of a segment, which is then named by `nextSequence`.
    public func beginsSegment(supersedesEarlier: Bool) -> Bool {
        offset == 0 || supersedesEarlier || offset >= segmentLimit
    }

    /// Appends what to write for the next batch to the bytes of its segment so far; to none when the batch
    /// begins a segment.
    ///
    /// Traps when a record or the batch is longer than its limit.
    /// - Returns: Where in its segment the batch begins.
    public mutating func append<Record: Collection<UInt8>>(
        _ records: some Collection<Record>,
        supersedesEarlier: Bool,
        to bytes: inout [UInt8]
    ) -> Int {
        let payload = records.reduce(0) { $0 + 4 + $1.count }
        precondition(payload <= SegmentWriter.batchLimit, "a batch of \(payload) bytes")
        let begins = beginsSegment(supersedesEarlier: supersedesEarlier)
        let start = begins ? 0 : offset
        if begins { beginSegment(supersedesEarlier, into: &bytes) }
        let frameStart = bytes.count
        encode(records, payload: payload, into: &bytes)
        offset += bytes.count - frameStart
        nextSequence += 1
        return start
    }

    private mutating func beginSegment(_ supersedes: Bool, into bytes: inout [UInt8]) {
        segment = nextSequence
        if supersedes {
            chain = SegmentHeader.chainStart(identity: identity, sequence: nextSequence)
        }
        let header = SegmentHeader(
            identity: identity,
            firstSequence: nextSequence,
            supersedesEarlier: supersedes,
            chain: chain
        )
        bytes += header.encoded
        offset = SegmentHeader.length
    }

    /// Appends the batch's frame, which will lie at `offset`.
    private mutating func encode<Record: Collection<UInt8>>(
        _ records: some Collection<Record>,
        payload: Int,
        into bytes: inout [UInt8]
    ) {
        let start = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: BatchFrame.headerLength))
        for record in records {
            precondition(
                record.count <= SegmentWriter.recordLimit,
                "a record of \(record.count) bytes"
            )
            withUnsafeBytes(of: UInt32(record.count).littleEndian) {
                bytes.append(contentsOf: $0)
            }
            bytes.append(contentsOf: record)
        }
        var frame = BatchFrame(
            recordCount: UInt32(records.count),
            payloadLength: UInt32(payload),
            sequence: nextSequence
        )
        // Other sectors are never zero: header and trailer see to it.
        let sector = BatchWrite.sector
        let first = (offset + BatchFrame.headerLength + sector - 1) / sector * sector
        let last = (offset + BatchFrame.headerLength + payload) / sector * sector
        if first < last {
            frame.zeroSectors = UInt32(
                SectorScan.zeroSectors(bytes[start...], in: first..<last, origin: offset)
            )
        }
        frame.encodeHeader(
            for: BatchFrame.Place(identity: identity, segment: segment, offset: offset),
            into: &bytes,
            at: start
        )
        chain = BatchFrame.trailer(of: bytes[start...], after: chain)
        withUnsafeBytes(of: chain.littleEndian) { bytes.append(contentsOf: $0) }
    }
}

/// Where the bytes of one batch go.
public struct BatchWrite: Sendable {
    /// What a disk writes whole or not at all.
    public static let sector = 512

    /// The segment, by its first batch's sequence number.
    public let segment: UInt64
    public let offset: Int
    public let bytes: [UInt8]
    /// Whether the segment is a new file; its name has to become durable with it.
    public let beginsSegment: Bool
    /// Whether all other segments are unnecessary once this write is durable.
    public let supersedesEarlier: Bool

    public var end: Int { offset + bytes.count }
}
