import Determinism
import Foundation
import Measurements
import ResultsStore
import Testing
import Units

/// Goal: bytes from a file never trap, hang or come back as other words.
/// Method: seeded: 100,000 mutated, cut and random blobs to the column decoder, and archives with
/// flipped bytes, which must either be refused or be read.
@Suite struct FuzzTests {
    @Test func columnsComeBack() {
        var random = SeededRandom(stateFrom: 51)
        for count in [0, 1, 7, 8, 500, 2_000] {
            let words = (0..<count).map { _ in random.next() >> random.below(64) }
            let blob = PackedColumn.pack(words)
            #expect(PackedColumn.unpack(blob, count: count) == words)
            #expect(PackedColumn.unpack(blob, count: count + 1) == nil)
            #expect(PackedColumn.unpack(blob, count: -1) == nil)
        }
        #expect(PackedColumn.unpack([], count: 0) == nil)
        #expect(PackedColumn.unpack([1, 2, 3], count: .max) == nil)
    }

    @Test func columnDecoderNeverTraps() {
        var random = SeededRandom(stateFrom: 52)
        let words = (0..<200).map { UInt64($0) &* 0x9E37_79B9 }
        let valid = PackedColumn.pack(words)
        var refused = 0
        for round in 0..<100_000 {
            var blob = valid
            switch round % 4 {
            case 0:
                blob = (0..<random.below(64)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            case 1:
                blob.removeLast(1 + Int(random.below(UInt64(blob.count))))
            case 2:
                blob[Int(random.below(UInt64(blob.count)))] ^= 1 << UInt8(random.below(8))
            default:
                for _ in 0..<random.below(8) {
                    blob[Int(random.below(UInt64(blob.count)))] =
                        UInt8(truncatingIfNeeded: random.next())
                }
            }
            let count = round % 5 == 0 ? Int(random.below(4_000)) : words.count
            let result = PackedColumn.unpack(blob, count: count)
            if let result { #expect(result.count == count) } else { refused += 1 }
        }
        #expect(refused > 50_000)
    }

    @Test func damagedArchivesAreRefusedOrRead() throws {
        let folder = try Folder()
        do {
            let store = try ResultsArchive(path: folder.file("x"))
            for seed in 1...3 as ClosedRange<UInt64> {
                try store.record(Archives.record("dwcp", seed: seed), in: Archives.plan)
            }
        }
        let intact = try folder.bytes("x")
        var random = SeededRandom(stateFrom: 53)
        var refused = 0
        for round in 0..<300 {
            var bytes = intact
            if round % 10 == 0 {
                bytes.removeLast(Int(random.below(UInt64(bytes.count))))
            }
            for _ in 0...random.below(40) where !bytes.isEmpty {
                let place = Int(random.below(UInt64(bytes.count)))
                bytes[place] = UInt8(truncatingIfNeeded: random.next())
            }
            try folder.write(bytes, "copy")
            for end in ["-wal", "-shm", "-journal"] {
                try? FileManager.default.removeItem(atPath: folder.file("copy" + end))
            }
            do {
                let store = try ResultsArchive(path: folder.file("copy"))
                _ = try store.records(ofPlan: Archives.plan.identity)
                _ = try store.runs(RunFilter())
            } catch {
                refused += 1
            }
        }
        #expect(refused > 50 && refused < 300)
    }
}
