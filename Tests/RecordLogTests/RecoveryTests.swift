import Determinism
import RecordLog
import Testing
import Units

// Goal: whatever a crash leaves of the files, recovery gives every acknowledged batch and nothing that
// was not written; whatever else happens to durable bytes is an error and never a shorter log.
// Method: seeded logs, cut by crashes at every write, changed bit by bit, sector by sector and file by
// file; the log goes on after each recovery, so that what recovery continues with is tested, too.
@Suite struct RecoveryTests {
    // Goal: crashes at any write lose at most the batch being written, also crash after crash.
    @Test func crashesLoseOnlyWhatWasNotAcknowledged() throws {
        var survived = 0
        var tornAway = 0
        for seed in 0..<400 as Range<UInt64> {
            var random = SeededRandom(stateFrom: seed)
            var world = LogWorld()
            for step in 0..<60 {
                let records = LogWorld.records(&random)
                let supersedes = random.below(9) == 0
                guard random.below(3) == 0 else {
                    world.append(records, supersedes: supersedes)
                    continue
                }
                var writer = world.writer
                let write = writer.append(records, supersedesEarlier: supersedes)
                let images = LogWorld.torn(write, over: world.images, &random)
                let log = try LogWorld.recover(images)
                let acknowledged = world.batches
                let whole = supersedes ? [records] : acknowledged + [records]
                #expect(
                    log.batches == acknowledged || log.batches == whole,
                    "seed \(seed), step \(step)"
                )
                if log.batches == whole { survived += 1 } else { tornAway += 1 }
                world.goOn(after: log, images)
                // Recovering what was repaired finds nothing left to do.
                #expect(try LogWorld.recover(world.images).repairs == [])
                #expect(try LogWorld.recover(world.images).batches == log.batches)
            }
        }
        #expect(survived > 1_000 && tornAway > 1_000)
    }

    // Goal: batches appended to the bytes of their segments make the same files as writes that are carried out one by
    // one, also of records that are parts of one buffer. Method: seeded batches through two writers, over many
    // segments and superseding batches; what was appended is recovered.
    @Test func appendedBatchesLieWhereWritesPutThem() throws {
        var (segments, superseding) = (0, 0)
        for seed in 0..<100 as Range<UInt64> {
            var random = SeededRandom(stateFrom: seed)
            var world = LogWorld()
            var writer = world.writer
            var files: [SegmentImage] = []
            for step in 0..<40 {
                let records = LogWorld.records(&random)
                let supersedes = random.below(9) == 0
                world.append(records, supersedes: supersedes)
                let write = try #require(world.last)
                let begins = writer.beginsSegment(supersedesEarlier: supersedes)
                if begins {
                    let name = writer.nextSequence
                    files.append(SegmentImage(firstSequence: name, bytes: []))
                    segments += 1
                }
                if supersedes {
                    files.removeFirst(files.count - 1)
                    superseding += 1
                }
                let start = writer.append(
                    LogWorld.slices(of: records),
                    supersedesEarlier: supersedes,
                    to: &files[files.count - 1].bytes
                )
                #expect(begins == write.beginsSegment, "seed \(seed), step \(step)")
                #expect(start == write.offset, "seed \(seed), step \(step)")
                #expect(writer.offset == write.end && writer.segment == write.segment)
                #expect(files.last?.bytes.count == write.end, "seed \(seed), step \(step)")
                #expect(writer.nextSequence == world.writer.nextSequence)
                let names = files.map(\.firstSequence)
                #expect(names == world.images.map(\.firstSequence), "seed \(seed), step \(step)")
                let isSame = files.map(\.bytes) == world.images.map(\.bytes)
                #expect(isSame, "seed \(seed), step \(step)")
            }
            let log = try LogWorld.recover(files)
            #expect(log.batches == world.batches && log.repairs == [], "seed \(seed)")
        }
        #expect(superseding > 100 && segments > superseding + 200, "\(segments), \(superseding)")
    }

    // Goal: a changed bit anywhere in acknowledged bytes, also in the very last batch, is an error.
    @Test func aFlippedBitIsNeverOverlooked() throws {
        for seed in 0..<60 as Range<UInt64> {
            var random = SeededRandom(stateFrom: seed)
            let world = LogWorld(batches: 12, supersedingEvery: 7, &random)
            for _ in 0..<120 {
                var images = world.images
                let segment = Int(random.below(UInt64(images.count)))
                let byte = Int(random.below(UInt64(images[segment].bytes.count)))
                images[segment].bytes[byte] ^= 1 << UInt8(random.below(8))
                #expect(throws: RecoveryFailure.self, "seed \(seed), byte \(byte) of \(segment)") {
                    try LogWorld.recover(images)
                }
            }
        }
    }

    // Goal: a sector that a lying disk lost, or wrote over with another one of the log, is an error when
    // anything of a later batch is left; at the end of the log it may look like a torn write, which
    // loses no batch that does not reach into that sector.
    @Test func lostAndMisdirectedSectorsAreFound() throws {
        var found = 0
        for seed in 0..<200 as Range<UInt64> {
            var random = SeededRandom(stateFrom: seed)
            let world = LogWorld(batches: 20, supersedingEvery: 50, &random)
            for _ in 0..<20 {
                var images = world.images
                let segment = Int(random.below(UInt64(images.count)))
                let count = images[segment].bytes.count / 512
                guard count > 1 else { continue }
                let target = Int(random.below(UInt64(count))) * 512
                let source = Int(random.below(UInt64(count))) * 512
                let isLost = random.below(2) == 0
                let content =
                    isLost
                    ? Array(repeating: 0, count: 512)
                    : Array(images[segment].bytes[source..<source + 512])
                images[segment].bytes.replaceSubrange(target..<target + 512, with: content)
                guard images[segment].bytes != world.images[segment].bytes else { continue }
                guard let log = try? LogWorld.recover(images) else {
                    found += 1
                    continue
                }
                let last = try #require(world.last)
                #expect(images[segment].firstSequence == last.segment, "seed \(seed)")
                #expect(target + 512 > last.offset, "seed \(seed)")
                #expect(log.batches == Array(world.batches.prefix(log.batches.count)))
            }
        }
        #expect(found > 2_000)
    }

    // Goal: missing, foreign and newer files are told apart; an empty folder is a new log.
    @Test func filesThatDoNotBelongTogether() throws {
        var random = SeededRandom(stateFrom: 5)
        let world = LogWorld(batches: 40, supersedingEvery: 100, &random)
        try #require(world.images.count > 3)
        var images = world.images
        let missing = images.remove(at: 1).firstSequence
        #expect(
            throws: RecoveryFailure.missingSegment(
                expected: missing,
                found: images[1].firstSequence
            )
        ) {
            try LogWorld.recover(images)
        }
        images = world.images
        images.removeFirst()
        #expect(throws: RecoveryFailure.missingBeginning(found: images[0].firstSequence)) {
            try LogWorld.recover(images)
        }
        #expect(throws: RecoveryFailure.foreign(segment: 0, identity: LogWorld.identity)) {
            try RecordRecovery.recover(Array(world.images.prefix(1)), identity: 2)
        }
        images = world.images
        images[0].bytes[8] = 2
        #expect(throws: RecoveryFailure.unsupportedVersion(segment: 0, found: 2)) {
            try LogWorld.recover(images)
        }
        let empty = try LogWorld.recover([])
        #expect(empty.records.isEmpty && empty.repairs.isEmpty)
    }

    // Goal: a batch that supersedes all earlier ones takes their place all at once: before its write is
    // whole the earlier ones count, afterwards their files may be there, or some of them, or none.
    @Test func supersedingIsAllOrNothing() throws {
        var random = SeededRandom(stateFrom: 6)
        let world = LogWorld(batches: 40, supersedingEvery: 100, &random)
        var writer = world.writer
        let write = writer.append([[7, 7, 7]], supersedesEarlier: true)
        let both = LogWorld.applied(write, to: world.images)
        for kept in 0..<64 {
            var images = both
            images.removeAll {
                $0.firstSequence != write.segment && kept >> Int($0.firstSequence % 6) & 1 == 0
            }
            let log = try LogWorld.recover(images)
            #expect(log.batches == [[[7, 7, 7]]])
            #expect(log.repairs.count == images.count - 1)
            #expect(log.firstSequence == write.segment)
        }
        for length in 0..<write.bytes.count {
            var images = both
            let place = images.firstIndex { $0.firstSequence == write.segment }!
            images[place].bytes.removeLast(images[place].bytes.count - length)
            let log = try LogWorld.recover(images)
            #expect(log.batches == world.batches)
            #expect(log.repairs == [.remove(segment: write.segment)])
            // Without the earlier segments it must have been durable.
            #expect(throws: RecoveryFailure.missingBeginning(found: write.segment)) {
                try LogWorld.recover([images[place]])
            }
        }
    }

    // Goal: no bytes make recovery trap, and what it does not refuse it can repair and read again.
    // Method: 40,000 logs, each with a few bytes replaced, inserted or removed anywhere.
    @Test func anyBytes() throws {
        var accepted = 0
        for seed in 0..<400 as Range<UInt64> {
            var random = SeededRandom(stateFrom: seed)
            let world = LogWorld(batches: 5, supersedingEvery: 4, &random)
            for _ in 0..<100 {
                var images = world.images
                for _ in 0...random.below(3) {
                    let segment = Int(random.below(UInt64(images.count)))
                    LogWorld.mutate(&images[segment].bytes, &random)
                }
                guard let log = try? LogWorld.recover(images) else { continue }
                accepted += 1
                let again = try LogWorld.recover(LogWorld.repaired(images, log.repairs))
                #expect(again.batches == log.batches)
                #expect(again.repairs == [])
            }
        }
        #expect(accepted > 100)
    }

    // Goal: bytes of a log inside a record are not taken for the log's own, wherever they lie.
    @Test func aLogInsideARecord() throws {
        var inner = SegmentWriter(identity: LogWorld.identity)
        var content: [UInt8] = []
        for _ in 0..<5 {
            content += inner.append([[1, 2, 3]]).bytes
        }
        var world = LogWorld()
        world.append([content])
        var writer = world.writer
        let write = writer.append([content, content])
        let whole = LogWorld.applied(write, to: world.images)
        for length in stride(from: world.images[0].bytes.count, to: whole[0].bytes.count, by: 7) {
            var images = whole
            images[0].bytes.removeLast(images[0].bytes.count - length)
            #expect(try LogWorld.recover(images).batches == [[content]])
        }
    }
}

extension LogWorld {
    /// A log of as many batches, all acknowledged.
    init(batches count: Int, supersedingEvery period: Int, _ random: inout SeededRandom) {
        self.init()
        for number in 1...count {
            append(LogWorld.records(&random), supersedes: number % period == 0)
        }
    }

    /// The same records, as parts of one buffer.
    static func slices(of records: [[UInt8]]) -> [ArraySlice<UInt8>] {
        let buffer = records.flatMap { $0 }
        var end = 0
        return records.map { record in
            end += record.count
            return buffer[end - record.count..<end]
        }
    }

    /// The world after a restart: repaired files, and the writer that recovery gave.
    mutating func goOn(after log: RecoveredLog, _ images: [SegmentImage]) {
        self = LogWorld(
            writer: log.continuation,
            images: LogWorld.repaired(images, log.repairs),
            batches: log.batches
        )
    }

    static func mutate(_ bytes: inout [UInt8], _ random: inout SeededRandom) {
        guard !bytes.isEmpty else { return }
        let place = Int(random.below(UInt64(bytes.count)))
        switch random.below(4) {
        case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
        case 1: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
        case 2: bytes.removeLast(bytes.count - place)
        default: bytes += (0..<random.below(600)).map { _ in UInt8(random.below(2)) }
        }
    }
}
