import Foundation
import Testing

/// Goal: every command does what its help says.
/// Method: the built program in a folder of its own.
@Suite struct CommandTests {
    private static let small = "scenarios/smoke/replay-small.yaml"

    @Test(
        arguments: [
            "", "run", "check", "chaos", "shrink", "report", "replay", "runs", "dataset",
            "dataset list",
            "dataset show", "dataset capture", "dataset import", "doctor", "init", "schema",
            "verify",
        ]
    )
    func helpHasAnExample(verb: String) async throws {
        let words = verb.split(separator: " ").map(String.init)
        let ending = try await Laboratory().run(words + ["--help"])
        #expect(ending.code == 0)
        let examples = ending.output.split(separator: "\n")
            .filter { $0.hasPrefix("  novalab \(verb)") }
        #expect(!examples.isEmpty, "\(ending.output)")
    }

    @Test func whatIsResolvedChecksAgain() async throws {
        let lab = try Laboratory()
        for name in ["echo", "replay-small"] {
            let first = try await lab.run(["check", "--resolved", "scenarios/smoke/\(name).yaml"])
            #expect(first.code == 0)
            let file = try lab.write(first.output, to: "resolved.yaml")
            #expect(try await lab.run(["check", file]).code == 0)
            #expect(try await lab.run(["check", "--resolved", file]).output == first.output)
        }
    }

    @Test func theSchemaIsJSON() async throws {
        let ending = try await Laboratory().run(["schema"])
        let schema = try JSONSerialization.jsonObject(with: Data(ending.output.utf8))
        let keys = try #require(schema as? [String: Any]).keys
        #expect(keys.contains("$schema") && keys.contains("properties"))
    }

    @Test func whatInitWritesPassesTheCheck() async throws {
        let lab = try Laboratory()
        #expect(try await lab.run(["init", "my-link"]).code == 0)
        #expect(try await lab.run(["check", "my-link.yaml"]).code == 0)
        #expect(try await lab.run(["init", "my-link"]).code == 64)
        #expect(try await lab.run(["init", "my-link", "--force"]).code == 0)
    }

    @Test func dataSetsAreImportedListedAndShown() async throws {
        let lab = try Laboratory()
        try Data(dump(pages: 64, salt: 1)).write(to: URL(filePath: lab.path("tiny.raw")))
        let imported = try await lab.run(["dataset", "import", "tiny.raw", "--snapshots", "2"])
        #expect(imported.code == 0)
        let list = try await lab.run(["dataset", "list"])
        #expect(list.output.contains("tiny  captured  128 KiB × 2 snapshots"))
        #expect(list.output.contains("seeded-small  committed  4 MiB × 6 snapshots"))
        try Data("0 5\n1 20\n".utf8).write(to: URL(filePath: lab.path("bus.log")))
        let trace = ["dataset", "import", "trace", "bus.log", "--name", "bus"]
        #expect(try await lab.run(trace).code == 0)
        #expect(try await lab.run(["dataset", "list"]).output.contains("bus  trace"))
        let json = try await lab.run(["dataset", "list", "--json"]).output
        let entries = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [[String: Any]]
        #expect(entries?.contains { $0["name"] as? String == "tiny" } == true)
        let bus = try #require(entries?.first { $0["name"] as? String == "bus" })
        #expect(bus["place"] as? String == "trace" && bus["pages"] is NSNull)
        let shown = try await lab.run(["dataset", "show", "tiny"])
        #expect(shown.code == 0)
        #expect(shown.output.contains("memory          128 KiB, 32 pages"))
        try Data(dump(pages: 64, salt: 1).dropLast(5)).write(
            to: URL(filePath: lab.path("cut.raw"))
        )
        #expect(try await lab.run(["dataset", "import", "cut.raw", "--snapshots", "2"]).code == 66)
    }

    @Test func aReplayOverOtherDataIs66() async throws {
        let lab = try Laboratory()
        let raw = URL(filePath: lab.path("tiny.raw"))
        let file = try lab.scenario(as: "tiny", [("dataset: seeded-small", "dataset: tiny")])
        try Data(dump(pages: 64, salt: 1)).write(to: raw)
        #expect(try await lab.run(["dataset", "import", "tiny.raw", "--snapshots", "2"]).code == 0)
        #expect(try await lab.run(["run", file, "--no-html", "--store", lab.store]).code <= 2)
        let replay = ["replay", file, "--store", lab.store]
        #expect(try await lab.run(replay).code == 0)
        try Data(dump(pages: 64, salt: 2)).write(to: raw)
        #expect(try await lab.run(["dataset", "import", "tiny.raw", "--snapshots", "2"]).code == 0)
        let refused = try await lab.run(replay)
        #expect(refused.code == 66)
        #expect(refused.errors.contains("data set 'tiny' had sha256"))
    }

    @Test func queriesCannotChangeTheArchive() async throws {
        let lab = try Laboratory()
        let run = ["run", CommandTests.small, "--no-html", "--store", lab.store]
        #expect(try await lab.run(run).code == 0)
        let before = try await lab.archivedRuns()
        for statement in ["DELETE FROM run", "DROP TABLE run", "SELEC 1"] {
            #expect(
                try await lab.run(["runs", "--store", lab.store, "--sql", statement]).code == 64
            )
        }
        #expect(try await lab.archivedRuns() == before)
        let listed = try await lab.run([
            "runs", "--store", lab.store, "--json", "--scenario", "replay-small",
        ])
        let rows =
            try JSONSerialization.jsonObject(with: Data(listed.output.utf8)) as? [[String: String]]
        #expect(rows?.count == before)
        #expect(rows?.first?["outcome"] == "completed")
    }

    @Test func aReportIsMadeAgainFromTheFirstDigitsOfAPlan() async throws {
        let lab = try Laboratory()
        let run = ["run", CommandTests.small, "--no-html", "--seed", "70", "--store", lab.store]
        #expect(try await lab.run(run).code == 0)
        let listed = try await lab.run(["runs", "--store", lab.store, "--json", "--limit", "1"])
        let rows =
            try JSONSerialization.jsonObject(with: Data(listed.output.utf8)) as? [[String: String]]
        let digits = try #require(rows?.first?["plan"])
        let page = lab.path("again.html")
        let report = ["report", digits, "--store", lab.store, "--output", page]
        #expect(try await lab.run(report).code == 0)
        let html = try String(contentsOfFile: page, encoding: .utf8)
        #expect(html.contains("novalab replay \(CommandTests.small) --seed 70"))
        #expect(html.contains("Swift version"))
        #expect(!html.contains("machine.compiler"))
        let unknown = ["report", "no-such-plan", "--store", lab.store, "--output", page]
        #expect(try await lab.run(unknown).code == 64)
    }

    @Test func theDoctorTellsWhatThisMachineCanDo() async throws {
        let ending = try await Laboratory().run(["doctor"])
        #expect(ending.code == 0)
        for name in ["cores", "gnuplot", "sockets", "emulator", "capture", "archive", "RDMA"] {
            #expect(ending.output.contains(name))
        }
    }

    /// Two halves of which every fourth page differs.
    private func dump(pages: Int, salt: UInt8) -> [UInt8] {
        (0..<pages).flatMap { page in
            let isChanged = page >= pages / 2 && page % 4 == 0
            let seed =
                UInt8(truncatingIfNeeded: page % (pages / 2)) &+ salt &+ (isChanged ? 101 : 0)
            return (0..<4096).map { UInt8(truncatingIfNeeded: $0 / 7) &* 31 &+ seed }
        }
    }
}
