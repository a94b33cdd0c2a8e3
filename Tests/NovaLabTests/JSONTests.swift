import Foundation
import Testing

/// Goal: what commands print with `--json` has exactly the documented keys, and reading commands need
/// nothing writable.
/// Method: the built program in a folder of its own; an archive on a read-only mount, where the
/// machine allows one.
@Suite struct JSONTests {
    private static let small = "scenarios/smoke/replay-small.yaml"

    private func list(_ ending: Laboratory.Ending) throws -> [[String: Any]] {
        try #require(
            try JSONSerialization.jsonObject(with: Data(ending.output.utf8)) as? [[String: Any]]
        )
    }

    @Test func checkedFilesTellWhatIsWrong() async throws {
        let lab = try Laboratory()
        let broken = try lab.scenario(as: "broken", [("workload:", "worklod:")])
        let ending = try await lab.run(["check", "--json", JSONTests.small, broken])
        #expect(ending.code == 65 && ending.errors.isEmpty)
        let files = try list(ending)
        #expect(files.map { $0["isValid"] as? Bool } == [true, false])
        for file in files {
            #expect(Set(file.keys) == ["file", "isValid", "scenario", "errors"])
        }
        let scenario = try #require(files[0]["scenario"] as? [String: Any])
        #expect(scenario["name"] as? String == "replay-small")
        #expect(scenario["resolved"] is NSNull)
        #expect(files[1]["scenario"] is NSNull)
        let error = try #require((files[1]["errors"] as? [[String: Any]])?.first)
        #expect(
            Set(error.keys) == [
                "category", "line", "column", "path", "message", "expected", "suggestion",
            ]
        )
        let resolved = try list(
            try await lab.run(["check", "--json", "--resolved", JSONTests.small])
        )
        let text = (resolved[0]["scenario"] as? [String: Any])?["resolved"] as? String
        #expect(
            text
                == (try await lab.run(["check", "--resolved", JSONTests.small])).output
        )
    }

    @Test func dataSetsAndMachineAreListed() async throws {
        let lab = try Laboratory()
        let sets = try list(try await lab.run(["dataset", "list", "--json"]))
        let seeded = try #require(sets.first { $0["name"] as? String == "seeded-small" })
        #expect(
            Set(seeded.keys) == [
                "name", "place", "path", "memoryBytes", "pages", "snapshots", "sha256", "error",
            ]
        )
        #expect(seeded["memoryBytes"] as? Int == 4 << 20 && seeded["snapshots"] as? Int == 6)
        #expect(seeded["error"] is NSNull)
        let checks = try list(try await lab.run(["doctor", "--json"]))
        #expect(checks.allSatisfy { Set($0.keys) == ["name", "isAvailable", "detail"] })
        let lines = try await lab.run(["doctor"]).output.split(separator: "\n")
        #expect(lines.count == checks.count)
    }

    @Test func replaysAndReportsSpeakJSON() async throws {
        let lab = try Laboratory()
        let alone = try list(
            try await lab.run(["replay", JSONTests.small, "--store", lab.store, "--json"])
        )
        #expect(alone.allSatisfy { $0["comparison"] as? String == "none" })
        let run = ["run", JSONTests.small, "--no-html", "--store", lab.store]
        #expect(try await lab.run(run).code == 0)
        let replayed = try list(
            try await lab.run(["replay", JSONTests.small, "--store", lab.store, "--json"])
        )
        for replay in replayed {
            #expect(
                Set(replay.keys) == [
                    "variant", "seed", "outcome", "events", "simulatedSeconds", "fingerprint",
                    "comparison", "archivedFingerprint", "firstDifferenceSeconds",
                ]
            )
            #expect(replay["comparison"] as? String == "equal")
            #expect(replay["archivedFingerprint"] as? String == replay["fingerprint"] as? String)
        }
        let page = lab.path("page.html")
        let ending = try await lab.run([
            "report", "replay-small", "--store", lab.store, "--output", page, "--json",
        ])
        let report = try #require(
            try JSONSerialization.jsonObject(with: Data(ending.output.utf8)) as? [String: Any]
        )
        #expect(
            Set(report.keys) == [
                "report", "scenario", "plan", "commit", "environment", "runs", "verdict",
                "exitCode",
            ]
        )
        #expect(report["report"] as? String == page && report["exitCode"] as? Int == 0)
        #expect(FileManager.default.fileExists(atPath: page))
    }

    /// Whether this machine lets a process mount something for itself.
    private static let canMount: Bool = {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"]
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }()

    @Test(.enabled(if: canMount)) func archivesOnReadOnlyMountsAreListed() async throws {
        let lab = try Laboratory()
        let run = ["run", JSONTests.small, "--no-html", "--store", lab.store]
        #expect(try await lab.run(run).code == 0)
        let listing = ["runs", "--store", lab.store]
        let before = try await lab.run(listing)
        let wrapper = [
            "/usr/bin/env", "unshare", "-rm", "sh", "-c",
            "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && exec \"$@\"",
            lab.root,
        ]
        let mounted = try await lab.run(listing, wrapper: wrapper)
        #expect(mounted.code == 0)
        #expect(mounted.output == before.output)
        let query = listing + ["--sql", "SELECT count(*) AS n FROM run"]
        #expect(try await lab.run(query, wrapper: wrapper).code == 0)
        let again = try await lab.run(run, wrapper: wrapper)
        #expect(again.code == 74, "\(again.errors)")
    }
}
