import Determinism
import Foundation
import Measurements
import ResultsStore
import Testing
import Units

/// Goal: seeds of chaos campaigns come back as they were kept, take little room, and damaged ones do
/// no harm.
/// Method: round trips, an archive of the version before, ten thousand seeds whose file is measured,
/// and blobs with flipped bits.
@Suite struct ChaosSeedTests {
    private func passed(_ seed: UInt64) -> SeedResult {
        var random = SeededRandom(stateFrom: seed)
        let digits = (0..<32).map { _ in String(random.below(16), radix: 16) }.joined()
        return SeedResult(
            variant: "default",
            seed: seed,
            signature: nil,
            fingerprint: digits,
            events: 100_000 + random.below(10_000),
            simulatedSeconds: 60,
            realSeconds: 0.3,
            faults: ["clock.jump", "disk.latency", "net.loss", "net.partition", "node.crash"].map {
                SeedResult.FaultTally(kind: $0, planned: 9, fired: 9, healed: 8)
            },
            sightings: (0..<10).map {
                SeedResult.Sighting(name: "raft.event-\($0)", count: random.below(100))
            },
            checks: (0..<7).map { SeedResult.Sighting(name: "invariant-\($0)", count: 12_345) },
            isRepeatable: seed % 100 == 0 ? true : nil,
            checkpoints: [],
            record: nil
        )
    }

    private func failing(_ seed: UInt64) -> SeedResult {
        var run = Archives.record("default", seed: seed)
        run.metrics = []
        run.series = []
        run.histograms = []
        return SeedResult(run, keepsCheckpoints: false)
    }

    @Test func seedsComeBackAsTheyWere() throws {
        let folder = try Folder()
        let path = folder.file("a.sqlite")
        let store = try ResultsArchive(path: path)
        var crashed = SeedResult(
            variant: "default",
            seed: .max,
            crash: "SIGILL in f",
            realSeconds: 0.1
        )
        let results = [passed(1), failing(2), passed(3), crashed]
        #expect(results[1].record != nil && results[1].signature?.kind == .safety)
        for result in results.reversed() { try store.record(result, in: Archives.plan) }
        #expect(try store.seeds(ofPlan: Archives.plan.identity) == results)
        #expect(try store.seeds(ofPlan: "another").isEmpty)
        // The repetition of a seed takes the place of its first result.
        crashed.isRepeatable = true
        try store.record(crashed, in: Archives.plan)
        #expect(try store.seeds(ofPlan: Archives.plan.identity).last == crashed)
        #expect(try store.query("SELECT count(*) FROM chaos_seed").rows == [["4"]])
        // They are no replications of `run`.
        #expect(try store.records(ofPlan: Archives.plan.identity).isEmpty)
    }

    @Test func theVersionBeforeIsMigratedAndReadsAsWithoutSeeds() throws {
        let folder = try Folder()
        let path = folder.file("a.sqlite")
        let run = Archives.record("default", seed: 5)
        do {
            let old = try ResultsArchive(
                path: path,
                migrations: ResultsArchive.migrations(first: 5),
                busySeconds: 1
            )
            try old.record(run, in: Archives.plan)
        }
        #expect(
            try ResultsArchive(reading: path).seeds(ofPlan: Archives.plan.identity).isEmpty
        )
        let store = try ResultsArchive(path: path)
        try store.record(passed(5), in: Archives.plan)
        #expect(try store.seeds(ofPlan: Archives.plan.identity) == [passed(5)])
        #expect(try store.records(ofPlan: Archives.plan.identity) == [run])
    }

    @Test func tenThousandSeedsAreSmall() throws {
        let folder = try Folder()
        let path = folder.file("a.sqlite")
        let store = try ResultsArchive(path: path)
        for seed in 0..<10_000 { try store.record(passed(UInt64(seed)), in: Archives.plan) }
        try store.settle()
        let size = try folder.bytes("a.sqlite").count
        #expect(size < 16 << 20, "\(size >> 10) KiB")
        #expect(try store.seeds(ofPlan: Archives.plan.identity).count == 10_000)
    }

    @Test func damagedBlobsNeverTrap() throws {
        var random = SeededRandom(stateFrom: 5)
        let blob = PackedText.pack(failing(2).record)
        for _ in 0..<300 {
            var bytes = blob
            bytes[Int(random.below(UInt64(bytes.count)))] ^= UInt8(1 + random.below(255))
            if random.below(3) == 0 { bytes.removeLast(Int(random.below(UInt64(bytes.count)))) }
            // Never a trap; a value only where the flipped bit left one.
            _ = PackedText.unpack(RunRecord?.self, bytes)
        }
        #expect(PackedText.unpack(RunRecord?.self, []) == nil)
        #expect(PackedText.unpack(RunRecord?.self, blob) == failing(2).record)
    }
}
