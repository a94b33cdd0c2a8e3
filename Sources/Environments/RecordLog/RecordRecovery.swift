public import Machines

/// What a log's files hold.
public struct RecoveredLog: Sendable {
    /// Oldest first; slices of the files' bytes.
    public fileprivate(set) var records: [Bytes] = []
    /// How many of the records each batch has.
    public fileprivate(set) var batchSizes: [Int] = []
    /// The sequence number of the first of the batches.
    public fileprivate(set) var firstSequence: UInt64
    /// Where the log goes on once `repairs` are made and durable.
    public fileprivate(set) var continuation: SegmentWriter
    /// In the order in which they have to be made.
    public fileprivate(set) var repairs: [LogRepair] = []
}

/// From the bytes of a log's files to its records: a pure function, the same for simulated disks and
/// real ones.
///
/// What a crash cuts short is cut off: a batch counts as a whole or not at all. Damage to bytes that
/// had been durable is an error and never repaired by forgetting them, because the node has acted on
/// them ("Protocol-Aware Recovery for Consensus-Based Storage", FAST'18). A batch that cannot be read is
/// such damage when
///
/// - there is a trace of a later batch, which is written only when all earlier ones are durable; or
/// - all its sectors are there: a crash leaves out whole sectors, which then read as zeros or lie beyond
///   the end of the file, and never changes single bytes.
///
/// Two assumptions are those of most databases: a crash in the middle of an append does not harm bytes
/// of the same sector that were there before, and sectors are written whole. When a disk lies about the
/// last batch and loses sectors of it, that is a torn write by all that the disk still says; a log on
/// one disk cannot notice.
public enum RecordRecovery {
    /// Reads the segments, which may come in any order.
    ///
    /// - Parameter segmentLimit: see `SegmentWriter`; for what is appended afterwards.
    public static func recover(
        _ segments: [SegmentImage],
        identity: UInt64,
        segmentLimit: Int = SegmentWriter.segmentLimit
    ) throws(RecoveryFailure) -> RecoveredLog {
        var images = segments
        images.sort { $0.firstSequence < $1.firstSequence }
        var recovery = Recovery(identity: identity, segmentLimit: segmentLimit, images: images)
        return try recovery.run()
    }
}

/// One recovery under way.
private struct Recovery {
    let identity: UInt64
    let segmentLimit: Int
    var images: [SegmentImage]

    /// The last segment, which a crash left before its first batch was durable.
    private var unfinished: UInt64?
    private var log: RecoveredLog
    private var chain: UInt64 = 0
    private var sequence: UInt64 = 0

    init(identity: UInt64, segmentLimit: Int, images: [SegmentImage]) {
        self.identity = identity
        self.segmentLimit = segmentLimit
        self.images = images
        let empty = SegmentWriter(identity: identity, segmentLimit: segmentLimit)
        log = RecoveredLog(firstSequence: 0, continuation: empty)
    }

    mutating func run() throws(RecoveryFailure) -> RecoveredLog {
        try dropUnfinished()
        guard let start = try beginning() else {
            removeUnfinished()
            return log
        }
        log.repairs = images[..<start].map { .remove(segment: $0.firstSequence) }
        log.firstSequence = images[start].firstSequence
        sequence = log.firstSequence
        chain = SegmentHeader.chainStart(identity: identity, sequence: sequence)
        for index in start..<images.count { try read(index, isFirst: index == start) }
        removeUnfinished()
        return log
    }

    private mutating func removeUnfinished() {
        if let unfinished { log.repairs.append(.remove(segment: unfinished)) }
    }

    // MARK: Where the log begins

    /// Leaves out a last segment of which nothing was durable.
    private mutating func dropUnfinished() throws(RecoveryFailure) {
        guard let last = images.last else { return }
        let name = last.firstSequence
        if let header = try SegmentHeader.read(last, identity: identity) {
            guard header.supersedesEarlier || images.count == 1 else { return }
            let chain = SegmentHeader.chainStart(identity: identity, sequence: name)
            var records: [Bytes] = []
            let frame = Recovery.frame(
                at: place(SegmentHeader.length, in: last),
                of: last,
                sequence: name,
                chain: chain,
                into: &records
            )
            switch frame {
            case .batch: return
            case .end: break
            case .damaged(let reason): try rejectUnlessTorn(reason, at: SegmentHeader.length, last)
            }
        } else if let evidence = evidence(that: name, wasDurable: last, from: 0) {
            throw .corrupt(evidence)
        }
        images.removeLast()
        unfinished = name
        // Older segments are removed only once a batch that supersedes them is durable.
        guard !images.isEmpty || name == 0 else { throw .missingBeginning(found: name) }
    }

    /// The segment to begin with: the last one that supersedes all earlier, or the very first.
    private func beginning() throws(RecoveryFailure) -> Int? {
        for index in images.indices.reversed() {
            guard let header = try SegmentHeader.read(images[index], identity: identity) else {
                throw corruption(images[index], at: 0, .segmentHeader)
            }
            if header.supersedesEarlier { return index }
        }
        guard let first = images.first else { return nil }
        guard first.firstSequence == 0 else {
            throw .missingBeginning(found: first.firstSequence)
        }
        return 0
    }

    // MARK: Reading

    private mutating func read(_ index: Int, isFirst: Bool) throws(RecoveryFailure) {
        let image = images[index]
        guard image.firstSequence == sequence else {
            throw .missingSegment(expected: sequence, found: image.firstSequence)
        }
        guard let header = try SegmentHeader.read(image, identity: identity) else {
            throw corruption(image, at: 0, .segmentHeader)
        }
        guard header.chain == chain else { throw corruption(image, at: 0, .chain) }
        var offset = SegmentHeader.length
        reading: while true {
            let frame = Recovery.frame(
                at: place(offset, in: image),
                of: image,
                sequence: sequence,
                chain: chain,
                into: &log.records
            )
            switch frame {
            case .end:
                break reading
            case .batch(let count, let end, let trailer):
                log.batchSizes.append(count)
                offset = end
                chain = trailer
                sequence += 1
            case .damaged(let reason):
                let isLast = index == images.count - 1 && unfinished == nil
                guard isLast else { throw corruption(image, at: offset, reason) }
                try rejectUnlessTorn(reason, at: offset, image)
                log.repairs.append(.cut(segment: image.firstSequence, length: offset))
                break reading
            }
        }
        log.continuation = SegmentWriter(
            identity: identity,
            segment: image.firstSequence,
            offset: offset,
            nextSequence: sequence,
            chain: chain,
            segmentLimit: segmentLimit
        )
    }

    private enum Frame {
        case end
        case batch(records: Int, end: Int, trailer: UInt64)
        case damaged(Corruption.Reason)
    }

    /// What lies at `place`; the records of a batch are appended to `records`.
    private static func frame(
        at place: BatchFrame.Place,
        of image: SegmentImage,
        sequence: UInt64,
        chain: UInt64,
        into records: inout [Bytes]
    ) -> Frame {
        let bytes = image.bytes[...]
        let offset = place.offset
        if offset == bytes.count { return .end }
        guard let frame = BatchFrame(bytes, at: place) else { return .damaged(.batchHeader) }
        guard frame.sequence == sequence else { return .damaged(.sequence) }
        let end = offset + frame.length
        guard end <= bytes.count else { return .damaged(.checksum) }
        let payloadEnd = end - BatchFrame.trailerLength
        let expected = BatchFrame.trailer(of: bytes[offset..<payloadEnd], after: chain)
        var reader = WireReader(bytes[payloadEnd..<end])
        guard let trailer = try? reader.read(UInt64.self), trailer == expected else {
            return .damaged(.checksum)
        }
        let payload = bytes[offset + BatchFrame.headerLength..<payloadEnd]
        let count = Int(frame.recordCount)
        guard decode(payload, count: count, into: &records) else {
            return .damaged(.records)
        }
        return .batch(records: count, end: end, trailer: trailer)
    }

    /// Appends the records of a batch; `false`, and none of them, when the bytes are not that many.
    private static func decode(
        _ payload: Bytes,
        count: Int,
        into records: inout [Bytes]
    ) -> Bool {
        let before = records.count
        var reader = WireReader(payload)
        do throws(WireError) {
            for _ in 0..<count {
                records.append(
                    try reader.readLengthPrefixed(limit: SegmentWriter.recordLimit)
                )
            }
            try reader.expectEnd()
            return true
        } catch {
            records.removeLast(records.count - before)
            return false
        }
    }

    // MARK: Torn or damaged

    /// Throws when the batch at `offset`, which cannot be read, had been durable.
    private func rejectUnlessTorn(
        _ reason: Corruption.Reason,
        at offset: Int,
        _ image: SegmentImage
    ) throws(RecoveryFailure) {
        let expected = offset == SegmentHeader.length ? image.firstSequence : sequence
        if let evidence = evidence(that: expected, wasDurable: image, from: offset) {
            throw .corrupt(evidence)
        }
        guard isTorn(at: offset, image) else { throw corruption(image, at: offset, reason) }
    }

    /// Whether a part of the batch at `offset` was never written.
    private func isTorn(at offset: Int, _ image: SegmentImage) -> Bool {
        let bytes = image.bytes[...]
        guard offset + BatchFrame.headerLength <= bytes.count else { return true }
        let header = offset..<offset + BatchFrame.headerLength
        guard let frame = BatchFrame(bytes, at: place(offset, in: image)) else {
            return SectorScan.zeroSectors(bytes, in: header) > 0
        }
        let end = offset + frame.length
        guard end <= bytes.count else { return true }
        return SectorScan.zeroSectors(bytes, in: offset..<end) > Int(frame.zeroSectors)
    }

    /// A trace of a batch later than the one numbered `sequence`, which begins at `offset`.
    private func evidence(
        that sequence: UInt64,
        wasDurable image: SegmentImage,
        from offset: Int
    ) -> Corruption? {
        let bytes = image.bytes
        let found = Corruption(
            segment: image.firstSequence,
            offset: offset,
            sequence: sequence,
            reason: .lost
        )
        var position = offset
        if let frame = BatchFrame(bytes[...], at: place(offset, in: image)) {
            position = min(bytes.count, offset + frame.length)
            if bytes[position...].contains(where: { $0 != 0 }) { return found }
        }
        while position + BatchFrame.headerLength <= bytes.count {
            defer { position += 1 }
            guard bytes[position] == BatchFrame.marker[0],
                let frame = BatchFrame(bytes[...], at: place(position, in: image)),
                frame.sequence > sequence
            else { continue }
            return found
        }
        return nil
    }

    private func place(_ offset: Int, in image: SegmentImage) -> BatchFrame.Place {
        BatchFrame.Place(identity: identity, segment: image.firstSequence, offset: offset)
    }

    private func corruption(
        _ image: SegmentImage,
        at offset: Int,
        _ reason: Corruption.Reason
    ) -> RecoveryFailure {
        let isFirst = offset <= SegmentHeader.length
        return .corrupt(
            Corruption(
                segment: image.firstSequence,
                offset: offset,
                sequence: isFirst ? image.firstSequence : sequence,
                reason: reason
            )
        )
    }
}
