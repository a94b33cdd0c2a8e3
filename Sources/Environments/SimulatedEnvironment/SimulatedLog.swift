import Determinism
import HardwareModel
import Machines
import RecordLog
import Units

/// The durable records of one simulated node.
///
/// What was given to it is kept as records, one behind the other, so that a batch on a disk without faults
/// costs no more than its bytes. The bytes that a record log makes of them are laid out when they are needed:
/// at a restart, which recovers through `RecordRecovery` like a real node, and from the first moment on that
/// something damages them.
struct SimulatedLog {
    /// A disk writes pages of this size from its cache, in any order, and sectors of it whole.
    static let page = 4096

    let identity: UInt64
    /// The records of all batches, oldest first: acknowledged and not superseded, then being written.
    private var content = WireWriter()
    /// Where each of them ends.
    private var recordEnds: [Int] = []
    private var batches: [Batch] = []
    /// How many of the batches were acknowledged.
    private var acknowledged = 0
    private var firstSequence: UInt64 = 0
    /// What is really there; `nil` while that is what the acknowledged records make.
    private var platter: Platter?
    /// What the first acknowledged batches make, where they were laid out before, and how many these are.
    private var laid: (platter: Platter, batches: Int)?

    private struct Batch {
        /// Its first and its last record but one more.
        var records: Range<Int>
        /// Whether the first record makes all earlier ones unnecessary.
        let supersedesEarlier: Bool
    }

    init(identity: UInt64) {
        self.identity = identity
    }

    /// The number of the next batch to be acknowledged.
    private var nextSequence: UInt64 { firstSequence + UInt64(acknowledged) }

    // MARK: Writing

    /// The disk begins to write a batch, or will when it is done with those before.
    ///
    /// - Returns: The bytes of its records.
    mutating func write<Record: DurableRecord>(_ records: [Record]) -> Int {
        // What a record in the same batch supersedes is not written.
        let superseding = records.lastIndex { $0.supersedesEarlier }
        let (first, start) = (recordEnds.count, content.count)
        // By place: a record would be copied.
        for place in (superseding ?? 0)..<records.count {
            records[place].encode(into: &content)
            recordEnds.append(content.count)
        }
        batches.append(
            Batch(
                records: first..<recordEnds.count,
                supersedesEarlier: superseding != nil
            )
        )
        return content.count - start
    }

    /// The bytes of the oldest batch that is being written; a precondition.
    var sizeOfOldest: Int {
        let records = batches[acknowledged].records
        return end(before: records.upperBound) - end(before: records.lowerBound)
    }

    /// The oldest batch that was being written has been acknowledged; a precondition.
    ///
    /// - Parameter isSynced: whether it is durable; otherwise the disk has it in a cache.
    mutating func acknowledge(isSynced: Bool = true) {
        precondition(acknowledged < batches.count, "no batch is being written")
        if !isSynced { layOut() }
        let supersedesEarlier = batches[acknowledged].supersedesEarlier
        if platter != nil {
            platter!.write(slices(of: acknowledged), supersedesEarlier, isSynced: isSynced)
            if supersedesEarlier { platter!.removeSuperseded() }
        }
        if supersedesEarlier { forgetAcknowledged() }
        acknowledged += 1
    }

    private mutating func forgetAcknowledged() {
        firstSequence = nextSequence
        let first = batches[acknowledged].records.lowerBound
        let start = end(before: first)
        // A new writer: the old one keeps the room that everything before the snapshot took.
        let kept = content.slice[start...]
        content = WireWriter(reserving: max(1 << 12, 2 * kept.count))
        content.write(bytes: kept)
        recordEnds = recordEnds[first...].map { $0 - start }
        batches.removeFirst(acknowledged)
        laid = nil
        for place in batches.indices {
            let records = batches[place].records
            batches[place].records = records.lowerBound - first..<records.upperBound - first
        }
        acknowledged = 0
    }

    private func end(before record: Int) -> Int { record == 0 ? 0 : recordEnds[record - 1] }

    private func slices(of batch: Int) -> [Bytes] {
        let content = content.slice
        return batches[batch].records.map { content[end(before: $0)..<recordEnds[$0]] }
    }

    // MARK: Damage

    /// A crash leaves of what is not durable what the seed says.
    ///
    /// - Parameter tearing: whether a part of the batch being written may be there; otherwise it is lost whole.
    ///   The disk writes one after another, so only the oldest has been begun.
    mutating func crash(tearing: Bool, _ random: inout SeededRandom) {
        if tearing, acknowledged < batches.count {
            layOut()
            let torn = batches[acknowledged]
            platter!.write(slices(of: acknowledged), torn.supersedesEarlier, isSynced: false)
        }
        platter?.losePower(&random)
        guard acknowledged < batches.count else { return }
        let first = batches[acknowledged].records.lowerBound
        content.removeLast(content.count - end(before: first))
        recordEnds.removeLast(recordEnds.count - first)
        batches.removeLast(batches.count - acknowledged)
    }

    /// Flips one bit of each byte with the given probability; gives the number of flips.
    mutating func rot(_ probability: Ratio, _ random: inout SeededRandom) -> Int {
        guard probability.value > 0, acknowledged > 0 || platter != nil else { return 0 }
        layOut()
        return platter!.rot(probability.value, &random)
    }

    /// One sector of the batch just acknowledged went elsewhere in the log.
    mutating func misdirect(_ random: inout SeededRandom) {
        guard platter != nil else { return }
        platter!.misdirect(&random)
    }

    /// Nothing that was written is left.
    mutating func erase() { self = SimulatedLog(identity: identity) }

    /// From now on bytes are kept.
    mutating func layOut() {
        guard platter == nil else { return }
        platter = laidOut()
        laid = nil
    }

    private mutating func laidOut() -> Platter {
        let writer = SegmentWriter(identity: identity, startingAt: firstSequence)
        var (platter, done) = laid ?? (Platter(writer: writer), 0)
        // Only one may hold it while it grows, or it would be copied.
        laid = nil
        for batch in done..<acknowledged {
            platter.write(slices(of: batch), batch == 0 && firstSequence > 0, isSynced: true)
        }
        laid = (platter, acknowledged)
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
            take(log)
            platter = nil
        }
        let next = log.continuation.nextSequence
        return Recovered(
            records: log.records,
            lostBatches: acknowledged > next ? acknowledged - next : 0,
            repairs: log.repairs
        )
    }

    /// What was recovered is all there is.
    private mutating func take(_ log: RecoveredLog) {
        laid = nil
        content = WireWriter()
        recordEnds = []
        batches = []
        for record in log.records {
            content.write(bytes: record)
            recordEnds.append(content.count)
        }
        var first = 0
        for size in log.batchSizes {
            // Whether it superseded others matters only until it is acknowledged.
            batches.append(Batch(records: first..<first + size, supersedesEarlier: false))
            first += size
        }
        acknowledged = batches.count
        firstSequence = log.firstSequence
    }
}

/// The bytes on a disk: a log's segments, and which parts of them a crash may still lose.
private struct Platter {
    private var writer: SegmentWriter
    private(set) var images: [SegmentImage] = []
    /// The bytes of the last batch in its segment.
    private var last: Range<Int>?
    /// Written and not durable, by segment.
    private var unsynced: [(segment: UInt64, bytes: Range<Int>)] = []

    init(writer: SegmentWriter) {
        self.writer = writer
    }

    mutating func write(_ records: [Bytes], _ supersedesEarlier: Bool, isSynced: Bool) {
        if writer.beginsSegment(supersedesEarlier: supersedesEarlier) {
            let segment = writer.nextSequence
            images.removeAll { $0.firstSequence == segment }
            images.append(SegmentImage(firstSequence: segment, bytes: []))
        }
        let start = writer.append(
            records,
            supersedesEarlier: supersedesEarlier,
            to: &images[images.count - 1].bytes
        )
        last = start..<writer.offset
        if isSynced {
            unsynced = []
        } else {
            unsynced.append((writer.segment, start..<writer.offset))
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
        let parts = Platter.sectors(of: last)
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
