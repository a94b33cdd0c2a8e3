import Foundation
import Testing

/// Goal: whatever is wrong with what a user gives, the program says so, ends with the documented
/// code and damages nothing.
/// Method: the built program, once for each kind of mistake.
@Suite struct BadInputTests {
    @Test(
        arguments: [
            ["run"], ["run", "a.yaml", "--workers", "0"], ["run", "a.yaml", "--on", "moon"],
            ["rnu", "a.yaml"], ["run", "a.yaml", "b.yaml", "--report", "r.html"],
            ["runs", "--limit", "0"], ["dataset", "capture"],
            ["dataset", "import", "x.raw", "--every", "soon"],
            ["dataset", "import", "x.raw", "--name", "../x"],
            ["replay", "scenarios/smoke/echo.yaml", "--seed", "many"],
            ["replay", "scenarios/smoke/echo.yaml", "--variant", "other"],
            ["replay", "scenarios/smoke/echo.yaml", "--until", "late"],
            ["init", "Two Words"], ["doctor", "--measure", "../profile"],
        ]
    )
    func wrongUsageIs64(arguments: [String]) async throws {
        let ending = try await Laboratory().run(arguments)
        #expect(ending.code == 64)
        #expect(!ending.errors.isEmpty)
    }

    @Test func aMalformedScenarioIs65WithItsPlace() async throws {
        let lab = try Laboratory()
        let file = try lab.scenario(as: "bad", [("rate: 100 Mbit/s", "rate: 100")])
        let text = try String(contentsOfFile: file, encoding: .utf8)
        let line = try #require(
            text.split(separator: "\n", omittingEmptySubsequences: false)
                .firstIndex { $0.contains("rate: 100") }
        )
        for verb in [["run"], ["check"], ["replay"]] {
            let ending = try await lab.run(
                verb + [file] + (verb == ["check"] ? [] : ["--store", lab.store])
            )
            #expect(ending.code == 65)
            #expect(ending.errors.contains("\(file):\(line + 1):13: error: "))
            #expect(ending.errors.contains("'100' has no unit"))
        }
        let missing = try await lab.run(["run", "nowhere.yaml"])
        #expect(missing.code == 65)
        #expect(missing.errors.contains("nowhere.yaml"))
        try Data([0x6E, 0xFF, 0x00]).write(to: URL(filePath: lab.path("bytes.yaml")))
        #expect(try await lab.run(["check", "bytes.yaml"]).code == 65)
    }

    @Test func aDataSetThatIsMissingOrCutIs66() async throws {
        let lab = try Laboratory()
        let unknown = try lab.scenario(as: "unknown", [("dataset: seeded-small", "dataset: nope")])
        let missing = try await lab.run(["run", unknown, "--store", lab.store])
        #expect(missing.code == 66)
        #expect(missing.errors.contains("'nope'") && missing.errors.contains("seeded-small"))
        let file = URL(filePath: lab.path("datasets/seeded-small.novamem"))
        let whole = try Data(contentsOf: file)
        for size in [0, 7, whole.count / 2, whole.count - 1] {
            try whole.prefix(size).write(to: file)
            let ending = try await lab.run(["run", "scenarios/smoke/replay-small.yaml"])
            #expect(ending.code == 66, "\(size) of \(whole.count) bytes")
            #expect(ending.errors.contains("seeded-small"))
        }
    }

    // A machine with a device runs the scenario instead; `scripts/softroce-vm` does.
    @Test(.enabled(if: !Laboratory.hasRDMA, "this machine has an RDMA device"))
    func rdmaWithoutADeviceIs69() async throws {
        let lab = try Laboratory()
        let file = try lab.scenario(as: "rdma", [("environment: simulated", "environment: rdma")])
        let ending = try await lab.run(["run", file])
        #expect(ending.code == 69)
        #expect(ending.errors.contains("no RDMA device"))
        let chosen = try await lab.run(["run", "scenarios/smoke/echo.yaml", "--on", "rdma"])
        #expect(chosen.code == 69)
    }

    @Test func aStoreThatIsNoneIs74AndStaysAsItWas() async throws {
        let lab = try Laboratory()
        let file = URL(filePath: lab.path("notes.sqlite"))
        let text = Data("these are my notes, not a database\n".utf8)
        try text.write(to: file)
        for arguments in [
            ["run", "scenarios/smoke/replay-small.yaml", "--no-html"], ["runs"], ["report", "x"],
            ["replay", "scenarios/smoke/replay-small.yaml"],
        ] {
            let ending = try await lab.run(arguments + ["--store", file.path])
            #expect(ending.code == 74, "\(arguments)")
            #expect(ending.errors.contains("is not an SQLite database"))
            #expect(try Data(contentsOf: file) == text)
        }
        #expect(try await lab.run(["runs", "--store", lab.path("none.sqlite")]).code == 74)
    }

    @Test func aNewerArchiveIs74AndStaysAsItWas() async throws {
        let lab = try Laboratory()
        let run = ["run", "scenarios/smoke/replay-small.yaml", "--no-html", "--store", lab.store]
        #expect(try await lab.run(run).code == 0)
        let isNewer = try lab.sqlite(
            "PRAGMA user_version = 999; PRAGMA wal_checkpoint(TRUNCATE)"
        )
        try #require(isNewer)
        let bytes = try Data(contentsOf: URL(filePath: lab.store))
        let ending = try await lab.run(run)
        #expect(ending.code == 74)
        #expect(ending.errors.contains("schema version 999"))
        #expect(try Data(contentsOf: URL(filePath: lab.store)) == bytes)
    }

    @Test func aFolderThatCannotBeMadeIs74() async throws {
        let lab = try Laboratory()
        try lab.write("a file", to: "file")
        let echo = "scenarios/smoke/replay-small.yaml"
        let store = try await lab.run(["run", echo, "--store", lab.path("file/results.sqlite")])
        #expect(store.code == 74)
        let report = try await lab.run(
            ["run", echo, "--store", lab.store, "--report", lab.path("file/report.html")]
        )
        #expect(report.code == 74)
        #expect(report.errors.contains("file/report.html"))
        #expect(try await lab.run(["init", "x", "--output", lab.path("file/x.yaml")]).code == 74)
    }

    /// Method: a small file system in memory, in a name space of its own; needs root.
    @Test(.enabled(if: getuid() == 0)) func aFullDiskIs74AndKeepsFinishedRuns() async throws {
        let lab = try Laboratory()
        let disk = lab.path("disk")
        try FileManager.default.createDirectory(
            atPath: disk,
            withIntermediateDirectories: true
        )
        let script = """
            mount -t tmpfs -o size=1500k tmpfs "$0" || exit 99
            "$@"; code=$?
            cp "$0"/* "$0/../saved" 2>/dev/null
            exit $code
            """
        let saved = lab.path("saved")
        try FileManager.default.createDirectory(atPath: saved, withIntermediateDirectories: true)
        let ending = try await lab.run(
            ["run", try lab.longScenario(), "--no-html", "--store", "\(disk)/results.sqlite"],
            wrapper: ["/usr/bin/unshare", "-m", "/bin/sh", "-c", script, disk]
        )
        guard ending.code != 99, !ending.errors.contains("unshare") else { return }
        #expect(ending.code == 74)
        #expect(ending.errors.contains("the runs recorded before are kept"))
        let kept = try await lab.run(
            [
                "runs", "--store", "\(saved)/results.sqlite", "--sql",
                "SELECT count(*) AS n FROM run",
            ]
        )
        #expect(kept.output.split(separator: "\n").last.flatMap { Int($0) } ?? 0 > 0)
    }
}
