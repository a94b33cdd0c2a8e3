import Determinism
import Foundation
import Measurements
import ResultsStore
import Testing
import Units

/// Goal: whatever lies at the path, nothing is damaged and the error says what is wrong.
/// Method: foreign and cut files whose bytes are compared before and after, archives of other
/// versions, a page limit as a full disk, a held lock, and the files as a killed process leaves them.
@Suite struct OpeningTests {
    private func error(opening path: String) -> StoreError? {
        do {
            _ = try ResultsArchive(path: path)
            return nil
        } catch {
            return error
        }
    }

    @Test func filesThatAreNoDatabaseStayAsTheyAre() throws {
        let folder = try Folder()
        var random = SeededRandom(stateFrom: 41)
        let contents: [[UInt8]] = [
            Array("version: 1\nname: wan-migration\n".utf8), [0], Array("SQLite format 2\0".utf8),
            (0..<9_000).map { _ in UInt8(truncatingIfNeeded: random.next()) },
        ]
        for bytes in contents {
            try folder.write(bytes, "x")
            #expect(error(opening: folder.file("x")) == .notSQLite(path: folder.file("x")))
            #expect(try folder.bytes("x") == bytes)
        }
        // The right magic and nonsense behind it.
        let hollow = Array("SQLite format 3\0".utf8) + contents[3]
        try folder.write(hollow, "x")
        #expect(error(opening: folder.file("x")) != nil)
        #expect(try folder.bytes("x") == hollow)
    }

    @Test func databasesOfOthersStayAsTheyAre() throws {
        let folder = try Folder()
        let path = folder.file("x")
        _ = try ResultsArchive(
            path: path,
            migrations: ["CREATE TABLE secret (id)"],
            busySeconds: 1
        )
        // The store marked it as its own; another application's mark is put in its place.
        var bytes = try folder.bytes("x")
        bytes.replaceSubrange(68..<72, with: [0, 0, 0, 7])
        try folder.write(bytes, "x")
        #expect(error(opening: path) == .foreign(path: path, applicationID: 7))
        #expect(try folder.bytes("x") == bytes)
    }

    @Test func newerVersionsAreRefusedUntouched() throws {
        let folder = try Folder()
        let path = folder.file("x")
        let current = ResultsArchive.schemaVersion
        do {
            let newer = try ResultsArchive(
                path: path,
                migrations: ResultsArchive.migrations(first: current)
                    + ["CREATE TABLE future (id INTEGER) STRICT"],
                busySeconds: 1
            )
            try newer.record(Archives.record("dwcp", seed: 1), in: Archives.plan)
        }
        let bytes = try folder.bytes("x")
        #expect(
            error(opening: path)
                == .newer(path: path, version: current + 1, supported: current)
        )
        #expect(try folder.bytes("x") == bytes)
    }

    @Test func olderVersionsAreMigratedWithTheirRuns() throws {
        let folder = try Folder()
        let path = folder.file("x")
        let runs = [Archives.record("dwcp", seed: 1), Archives.record("dwcp", seed: 2)]
        for version in 1..<ResultsArchive.schemaVersion {
            try? FileManager.default.removeItem(atPath: path)
            do {
                let old = try ResultsArchive(
                    path: path,
                    migrations: ResultsArchive.migrations(first: version),
                    busySeconds: 1
                )
                for run in runs { try old.record(run, in: Archives.plan) }
                #expect(try old.query("PRAGMA user_version").rows == [["\(version)"]])
            }
            let store = try ResultsArchive(path: path)
            #expect(try store.records(ofPlan: Archives.plan.identity) == runs)
            #expect(
                try store.query("PRAGMA user_version").rows
                    == [["\(ResultsArchive.schemaVersion)"]]
            )
            try store.recordArtifact(kind: "report", path: "r.html", of: Archives.plan)
            // What the older version could not hold goes in beside it.
            let boot = Archives.boot("graph", seed: 1)
            try store.record(boot, in: Archives.plan)
            #expect(try store.records(ofPlan: Archives.plan.identity) == runs + [boot])
        }
    }

    @Test func readingLeavesOlderArchivesAsTheyAre() throws {
        let folder = try Folder()
        for version in 1...ResultsArchive.schemaVersion {
            let name = "v\(version)?#%.sqlite"
            let path = folder.file(name)
            let runs = [Archives.record("dwcp", seed: 1)]
            do {
                let old = try ResultsArchive(
                    path: path,
                    migrations: ResultsArchive.migrations(first: version),
                    busySeconds: 1
                )
                for run in runs { try old.record(run, in: Archives.plan) }
            }
            let bytes = try folder.bytes(name)
            let store = try ResultsArchive(reading: path)
            #expect(try store.records(ofPlan: Archives.plan.identity) == runs)
            #expect(try store.runs(RunFilter()).count == 1)
            #expect(try store.artifacts(ofPlan: Archives.plan.identity).isEmpty)
            #expect(throws: StoreError.readOnly(path: path)) {
                try store.record(Archives.record("dwcp", seed: 2), in: Archives.plan)
            }
            #expect(try folder.bytes(name) == bytes)
        }
        let absent = folder.file("absent")
        guard
            case .cannotOpen? = #expect(
                throws: StoreError.self,
                performing: {
                    _ = try ResultsArchive(reading: absent)
                }
            )
        else {
            Issue.record("an absent archive is not named as such")
            return
        }
        #expect(!FileManager.default.fileExists(atPath: absent))
    }

    @Test func aSettledArchiveIsOneFile() throws {
        let folder = try Folder()
        let store = try ResultsArchive(path: folder.file("x"))
        try store.record(Archives.record("dwcp", seed: 1), in: Archives.plan)
        #expect(try !folder.bytes("x-wal").isEmpty)
        try store.settle()
        #expect(try folder.bytes("x-wal").isEmpty)
        try folder.write(try folder.bytes("x"), "copy")
        let copy = try ResultsArchive(reading: folder.file("copy"))
        #expect(try copy.runs(RunFilter()).count == 1)
        try store.record(Archives.record("dwcp", seed: 2), in: Archives.plan)
        #expect(try store.runs(RunFilter()).count == 2)
    }

    @Test func aFailingMigrationChangesNothing() throws {
        let folder = try Folder()
        let path = folder.file("x")
        _ = try ResultsArchive(
            path: path,
            migrations: ResultsArchive.migrations(first: 1),
            busySeconds: 1
        )
        let bytes = try folder.bytes("x")
        #expect(throws: StoreError.self) {
            _ = try ResultsArchive(
                path: path,
                migrations: ResultsArchive.migrations(first: 1)
                    + ["CREATE TABLE half (id); CREATE TABLE run (id)"],
                busySeconds: 1
            )
        }
        #expect(try folder.bytes("x") == bytes)
    }

    /// Released migrations are part of archives out there; an edit would make two kinds of them.
    @Test func releasedMigrationsAreNeverEdited() {
        let digests = ResultsArchive.migrations(first: 3).map { text in
            var chain = HashChain()
            chain.combine(text)
            return chain.fingerprint.description
        }
        #expect(
            digests == [
                "913aecc6edbbe989173ad4d81bb8e84b", "f977c1fdf68c7c1e4ba3f4c7e800bf18",
                "9ba03a1de43347eccc940023dad98961",
            ]
        )
    }

    @Test func aFullDiskKeepsWhatWasRecorded() throws {
        let folder = try Folder()
        let path = folder.file("x")
        let store = try ResultsArchive(path: path)
        try store.record(Archives.record("dwcp", seed: 1), in: Archives.plan)
        let pages = try #require(Int(store.query("PRAGMA page_count").rows[0][0] ?? ""))
        try store.limitPages(to: pages)
        #expect(throws: StoreError.full(path: path)) {
            for seed in 2...20 as ClosedRange<UInt64> {
                try store.record(Archives.record("dwcp", seed: seed), in: Archives.plan)
            }
        }
        let kept = try store.completedRuns(of: Archives.plan).count
        #expect(kept >= 1 && kept < 20)
        try store.limitPages(to: 1_000_000)
        try store.record(Archives.record("dwcp", seed: 99), in: Archives.plan)
        #expect(try store.completedRuns(of: Archives.plan).count == kept + 1)
        #expect(try store.query("PRAGMA integrity_check").rows == [["ok"]])
    }

    @Test func unreachablePathsAndHeldLocksAreNamed() throws {
        let folder = try Folder()
        try folder.write([1], "file")
        let beneath = folder.file("file/results.sqlite")
        guard case .cannotOpen? = error(opening: beneath) else {
            Issue.record("\(String(describing: error(opening: beneath)))")
            return
        }
        try FileManager.default.createDirectory(
            atPath: folder.file("folder"),
            withIntermediateDirectories: false
        )
        #expect(error(opening: folder.file("folder")) != nil)
        let path = folder.file("x")
        let holder = try ResultsArchive(path: path)
        let other = try ResultsArchive(
            path: path,
            migrations: ResultsArchive.migrations(first: ResultsArchive.schemaVersion),
            busySeconds: 0.05
        )
        try holder.whileLocked {
            #expect(throws: StoreError.locked(path: path)) {
                try other.record(Archives.record("dwcp", seed: 1), in: Archives.plan)
            }
            // Reading goes on while another process writes.
            let visible = try other.completedRuns(of: Archives.plan)
            #expect(visible.isEmpty)
        }
        try other.record(Archives.record("dwcp", seed: 1), in: Archives.plan)
        #expect(StoreError.locked(path: path).description.contains(path))
        #expect(StoreError.exitCode == 74)
    }

    @Test func aKilledCampaignKeepsItsFinishedRuns() throws {
        let folder = try Folder()
        let store = try ResultsArchive(path: folder.file("x"))
        var runs: [RunRecord] = []
        for seed in 1...6 as ClosedRange<UInt64> {
            runs.append(Archives.record("dwcp", seed: seed))
            try store.record(runs.last!, in: Archives.plan)
        }
        // The files of a process that dies now: the database and a log that nobody checkpointed, cut
        // where the disk stopped. Whole runs survive, in order; half of one never shows.
        let database = try folder.bytes("x")
        let log = try folder.bytes("x-wal")
        var random = SeededRandom(stateFrom: 42)
        var seen: Set<Int> = []
        for round in 0..<60 {
            let cut = round == 0 ? log.count : Int(random.below(UInt64(log.count)))
            try folder.write(database, "copy")
            try folder.write(Array(log[..<cut]), "copy-wal")
            try? FileManager.default.removeItem(atPath: folder.file("copy-shm"))
            let copy = try ResultsArchive(path: folder.file("copy"))
            let kept = try copy.records(ofPlan: Archives.plan.identity)
            #expect(kept == Array(runs.prefix(kept.count)))
            if round == 0 { #expect(kept.count == 6) }
            seen.insert(kept.count)
            for run in runs.dropFirst(kept.count) { try copy.record(run, in: Archives.plan) }
            #expect(try copy.records(ofPlan: Archives.plan.identity) == runs)
        }
        #expect(seen.count > 3)
    }
}
