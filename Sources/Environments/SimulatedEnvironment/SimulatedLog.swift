import Determinism
import HardwareModel
import Machines
import RecordLog
import Units

/// The durable records of one simulated node.
///
/// What was acknowledged is kept as records, so that a batch on a disk without faults costs no more
/// than its place in an array. The bytes that a record log makes of them are laid out when they are
/// needed: at a restart, which recovers through `RecordRecovery` like a real node, and from the first
/// moment on that something damages them.
struct SimulatedLog {
    /// A disk writes pages of this size from its cache, in any order, and sectors of it whole.
    static let page = 4096

    let identity: UInt64
    /// Acknowledged and not superseded, oldest first.
    private(set) var records: [[UInt8]] = []
    private var batchSizes: [Int] = []
    private var firstSequence: UInt64 = 0
    /// What is really there; `nil` while that is what the records make.
    private var platter: Platter?

    init(identity: UInt64) {
        self.identity = identity
    }

    /// The number of the next batch.
    private var nextSequence: UInt64 { firstSequence + UInt64(batchSizes.count) }

    /// A batch has been acknowledged.
    ///
    /// - Parameter isSynced: whether it is durable; otherwise the disk has it in a cache.
    mutating func append(_ batch: DurableBatch, isSynced: Bool = true) {
        if !isSynced { layOut() }
        if platter != nil {
            platter!.write(batch, isSynced: isSynced)
            if batch.supersedesEarlier { platter!.removeSuperseded() }
        }
        if batch.supersedesEarlier {
            firstSequence = nextSequence
            records = []
            batchSizes = []
        }
        records += batch.records
        batchSizes.append(batch.records.count)
    }

    // MARK: Damage

    /// A crash leaves of what is not durable what the seed says.
    ///
    /// - Parameter torn: the batch being written, when a part of it may be there; without it such a
    ///   batch is lost whole.
    mutating func crash(torn: DurableBatch?, _ random: inout SeededRandom) {
        if let torn {
            layOut()
            platter!.write(torn, isSynced: false)
        }
        platter?.losePower(&random)
    }

    /// Flips one bit of each byte with the given probability; gives the number of flips.
    mutating func rot(_ probability: Ratio, _ random: inout SeededRandom) -> Int {
        guard probability.value > 0, !batchSizes.isEmpty || platter != nil else { return 0 }
        layOut()
        return platter!.rot(probability.value, &random)
    }

    /// One sector of the batch just appended went elsewhere in the log.
    mutating func misdirect(_ random: inout SeededRandom) {
        guard platter != nil else { return }
        platter!.misdirect(&random)
    }

    /// Nothing that was written is left.
    mutating func erase() { self = SimulatedLog(identity: identity) }

    /// From now on bytes are kept.
    mutating func layOut() {
        if platter == nil { platter = laidOut() }
    }

    private func laidOut() -> Platter {
        var platter = Platter(
            writer: SegmentWriter(identity: identity, startingAt: firstSequence)
        )
        var first = 0
        for (position, size) in batchSizes.enumerated() {
            let batch = DurableBatch(
                records: Array(records[first..<first + size]),
                supersedesEarlier: position == 0 && firstSequence > 0
            )
            platter.write(batch, isSynced: true)
            first += size
        }
        return platter
    }

    // MARK: Restart

    /// What recovery gave.
    struct Recovered {
        let records: [Bytes]
        /// Batches that had been acknowledged and are gone.
        let lostBatches: UInt64
        let repairs: [LogRepair]
    }

    /// Recovers from what is there; the log goes on behind it.
    mutating func recover() throws(RecoveryFailure) -> Recovered {
        let damaged = platter
        let images = damaged?.images ?? laidOut().images
        let log = try RecordRecovery.recover(images, identity: identity)
        let acknowledged = nextSequence
        if damaged != nil {
            records = log.records.map { Array($0) }
            batchSizes = log.batchSizes
            firstSequence = log.firstSequence
            platter = nil
        }
        let next = log.continuation.nextSequence
        return Recovered(
            records: log.records,
            lostBatches: acknowledged > next ? acknowledged - next : 0,
            repairs: log.repairs
        )
    }
}

/// Records that become durable together, in their byte form.
struct DurableBatch {
    var records: [[UInt8]]
    /// Whether the first record makes all earlier ones unnecessary.
    var supersedesEarlier: Bool
}

/// The bytes on a disk: a log's segments, and which parts of them a crash may still lose.
private struct Platter {
    private var writer: SegmentWriter
    private(set) var images: [SegmentImage] = []
    private var last: BatchWrite?
    /// Written and not durable, by segment.
    private var unsynced: [(segment: UInt64, bytes: Range<Int>)] = []

    init(writer: SegmentWriter) {
        self.writer = writer
    }

    mutating func write(_ batch: DurableBatch, isSynced: Bool) {
        let write = writer.append(batch.records, supersedesEarlier: batch.supersedesEarlier)
        if write.beginsSegment {
            images.removeAll { $0.firstSequence == write.segment }
            images.append(SegmentImage(firstSequence: write.segment, bytes: write.bytes))
        } else {
            images[images.count - 1].bytes += write.bytes
        }
        last = write
        if isSynced {
            unsynced = []
        } else {
            unsynced.append((write.segment, write.offset..<write.end))
        }
    }

    mutating func removeSuperseded() {
        images.removeFirst(images.count - 1)
        unsynced.removeAll { $0.segment != images[0].firstSequence }
    }

    /// Each page of what is not durable is kept, lost, or cut between its sectors. What was never
    /// written reads as zeros, or the file ends before it.
    mutating func losePower(_ random: inout SeededRandom) {
        for part in unsynced {
            guard let place = images.firstIndex(where: { $0.firstSequence == part.segment })
            else { continue }
            var page = -1
            var fate: UInt64 = 0
            for sector in Platter.sectors(of: part.bytes) {
                if sector.lowerBound / SimulatedLog.page != page {
                    page = sector.lowerBound / SimulatedLog.page
                    fate = random.below(3)
                }
                let isKept = fate == 0 || fate == 1 && random.below(2) == 0
                if !isKept { clear(sector, of: place) }
            }
        }
        for segment in unsynced.map(\.segment) where random.below(2) == 0 {
            guard let place = images.firstIndex(where: { $0.firstSequence == segment })
            else { continue }
            let firm = unsynced.first { $0.segment == segment }!.bytes.lowerBound
            shorten(place, to: firm)
        }
        unsynced = []
    }

    mutating func rot(_ probability: Double, _ random: inout SeededRandom) -> Int {
        var flips = 0
        for place in images.indices {
            var position = Platter.gap(probability, &random)
            while position < images[place].bytes.count {
                images[place].bytes[position] ^= 1 << UInt8(random.below(8))
                flips += 1
                position += 1 + Platter.gap(probability, &random)
            }
        }
        return flips
    }

    /// The sector is not where it belongs, and what it was written over is gone; when the log has no
    /// other sector, it went somewhere else.
    mutating func misdirect(_ random: inout SeededRandom) {
        guard let last, let source = images.indices.last else { return }
        let parts = Platter.sectors(of: last.offset..<last.end)
        let part = parts[Int(random.below(UInt64(parts.count)))]
        let start = part.lowerBound / BatchWrite.sector * BatchWrite.sector
        let content = images[source].bytes[start..<part.upperBound]
        let place = Int(random.below(UInt64(images.count)))
        let count = images[place].bytes.count / BatchWrite.sector
        if count > 0 {
            let target = Int(random.below(UInt64(count))) * BatchWrite.sector
            if place != source || target != start {
                images[place].bytes.replaceSubrange(target..<target + content.count, with: content)
            }
        }
        clear(part, of: source)
    }

    private mutating func clear(_ bytes: Range<Int>, of place: Int) {
        for index in bytes { images[place].bytes[index] = 0 }
    }

    /// Ends the file behind its last byte that is not zero, and not before `length`.
    private mutating func shorten(_ place: Int, to length: Int) {
        while images[place].bytes.count > length, images[place].bytes.last == 0 {
            images[place].bytes.removeLast()
        }
    }

    /// The bytes of each sector that lie in the range.
    private static func sectors(of range: Range<Int>) -> [Range<Int>] {
        var result: [Range<Int>] = []
        var start = range.lowerBound
        while start < range.upperBound {
            let end = (start / BatchWrite.sector + 1) * BatchWrite.sector
            result.append(start..<min(end, range.upperBound))
            start = end
        }
        return result
    }

    /// Bytes until the next that rots: geometric, by inversion; more than any file when it is far.
    private static func gap(_ probability: Double, _ random: inout SeededRandom) -> Int {
        guard probability < 1 else { return 0 }
        let draw = DeterministicMath.log(1 - random.unit())
        let gap = draw / DeterministicMath.log(1 - probability)
        return gap < 1e15 ? Int(gap) : Int.max / 2
    }
}
