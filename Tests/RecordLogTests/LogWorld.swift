import Determinism
import RecordLog
import Units

/// A disk under test: what is durable, and what a crash may keep of the rest.
struct LogWorld {
    static let identity: UInt64 = 0x1D
    /// Small, so that logs have several segments.
    static let segmentLimit = 4_000

    private(set) var writer: SegmentWriter
    private(set) var images: [SegmentImage]
    /// The latest write of all.
    private(set) var last: BatchWrite?
    /// Batches since the last one that superseded the others.
    private(set) var batches: [[[UInt8]]]

    init(
        writer: SegmentWriter = SegmentWriter(identity: identity, segmentLimit: segmentLimit),
        images: [SegmentImage] = [],
        batches: [[[UInt8]]] = []
    ) {
        self.writer = writer
        self.images = images
        self.batches = batches
    }

    /// Makes a batch durable.
    mutating func append(_ records: [[UInt8]], supersedes: Bool = false) {
        let write = writer.append(records, supersedesEarlier: supersedes)
        images = LogWorld.applied(write, to: images)
        last = write
        if supersedes {
            batches = []
            images.removeAll { $0.firstSequence != write.segment }
        }
        batches.append(records)
    }

    /// The whole write, over whatever is there.
    static func applied(_ write: BatchWrite, to images: [SegmentImage]) -> [SegmentImage] {
        var images = images
        images.removeAll { write.beginsSegment && $0.firstSequence == write.segment }
        if write.beginsSegment {
            images.append(SegmentImage(firstSequence: write.segment, bytes: []))
        }
        let place = images.firstIndex { $0.firstSequence == write.segment }!
        images[place].bytes.replaceSubrange(write.offset..., with: write.bytes)
        return images
    }

    /// What a crash during `write` leaves: each page kept, lost or cut between its sectors; what is
    /// lost at the end may leave the file short or zero.
    static func torn(
        _ write: BatchWrite,
        over images: [SegmentImage],
        _ random: inout SeededRandom
    ) -> [SegmentImage] {
        if write.beginsSegment, random.below(8) == 0 { return images }
        var images = applied(write, to: images)
        let place = images.firstIndex { $0.firstSequence == write.segment }!
        var end = write.offset
        var offset = write.offset
        var page: (number: Int, fate: UInt64) = (-1, 0)
        while offset < write.end {
            let next = min(write.end, (offset / 512 + 1) * 512)
            if offset / 4096 != page.number { page = (offset / 4096, random.below(3)) }
            let isKept = page.fate == 0 || page.fate == 1 && random.below(2) == 0
            if isKept {
                end = next
            } else {
                for index in offset..<next { images[place].bytes[index] = 0 }
            }
            offset = next
        }
        if random.below(2) == 0 {
            images[place].bytes.removeLast(images[place].bytes.count - end)
        }
        return images
    }

    static func records(
        _ random: inout SeededRandom,
        longest: UInt64 = 900
    ) -> [[UInt8]] {
        (0..<random.below(4)).map { _ in
            let count = Int(random.below(8) == 0 ? random.below(9_000) : random.below(longest))
            // Zeros must not look like what was never written.
            let isZero = random.below(3) == 0
            return (0..<count).map { _ in isZero ? 0 : UInt8(truncatingIfNeeded: random.next()) }
        }
    }

    /// Makes the repairs that recovery asks for.
    static func repaired(_ images: [SegmentImage], _ repairs: [LogRepair]) -> [SegmentImage] {
        var images = images
        for repair in repairs {
            switch repair {
            case .remove(let segment): images.removeAll { $0.firstSequence == segment }
            case .cut(let segment, let length):
                let place = images.firstIndex { $0.firstSequence == segment }!
                images[place].bytes.removeLast(images[place].bytes.count - length)
            }
        }
        return images
    }

    static func recover(_ images: [SegmentImage]) throws(RecoveryFailure) -> RecoveredLog {
        try RecordRecovery.recover(images, identity: identity, segmentLimit: segmentLimit)
    }
}

extension RecoveredLog {
    /// The batches as they were appended.
    var batches: [[[UInt8]]] {
        var result: [[[UInt8]]] = []
        var first = 0
        for size in batchSizes {
            result.append(records[first..<first + size].map { Array($0) })
            first += size
        }
        return result
    }
}
