import Foundation
import Testing

/// Goal: a campaign gives the same results in every process, with any number of workers, and after
/// every kind of interruption.
/// Method: the built program; verdicts printed as JSON are compared without their timing.
@Suite struct CampaignTests {
    private static let small = "scenarios/smoke/replay-small.yaml"

    @Test func processesAndWorkersMakeNoDifference() async throws {
        let lab = try Laboratory()
        var verdicts: [Verdict] = []
        for (number, workers) in [1, 2, 2].enumerated() {
            let ending = try await lab.run([
                "run", CampaignTests.small, "--json", "--no-html", "--workers", "\(workers)",
                "--store", lab.path("\(number).sqlite"),
            ])
            #expect(ending.code == 0)
            verdicts.append(try Verdict(ending))
        }
        #expect(verdicts[0].verdict == "GO" && verdicts[0].runs.count >= 4)
        #expect(verdicts.allSatisfy { $0 == verdicts[0] })
    }

    @Test func jsonHasTheDocumentedKeys() async throws {
        let lab = try Laboratory()
        let ending = try await lab.run([
            "run", "scenarios/smoke/echo.yaml", "--json", "--store", lab.store, "--report",
            lab.path("r.html"),
        ])
        let object = try #require(
            JSONSerialization.jsonObject(with: Data(ending.output.utf8)) as? [String: Any]
        )
        #expect(
            Set(object.keys) == [
                "verdict", "exitCode", "exitCodes", "scenario", "commit", "environment", "store",
                "report", "runs", "targets", "invariants", "metrics", "boots", "crashPoints",
                "envelope",
            ]
        )
        let run = try #require((object["runs"] as? [[String: Any]])?.first)
        #expect(
            Set(run.keys) == [
                "seed", "variant", "fingerprint", "events", "simulatedSeconds", "kernelSeconds",
                "workSeconds", "realSeconds",
            ]
        )
        let target = try #require((object["targets"] as? [[String: Any]])?.first)
        #expect(
            Set(target.keys) == [
                "expression", "variant", "status", "n", "mean", "low", "high", "unit", "bound",
            ]
        )
        #expect(object["exitCode"] as? Int == Int(ending.code))
        #expect(object["store"] as? String == lab.store)
        #expect(FileManager.default.fileExists(atPath: lab.path("r.html")))
    }

    /// Method: SIGINT, SIGKILL and SIGTRAP in mid-campaign, then `--resume`, against a campaign that
    /// nothing interrupted.
    @Test(arguments: [(SIGINT, 130), (SIGKILL, 128 + SIGKILL), (SIGTRAP, 13)] as [(Int32, Int32)])
    func whatEndsACampaignLosesNoFinishedRun(signal: Int32, code: Int32) async throws {
        let lab = try Laboratory()
        let file = try lab.longScenario(replications: 200)
        let campaign = [
            "run", file, "--no-html", "--json", "--workers", "1", "--on", "simulated", "--seed",
            "900", "--store",
        ]
        let running = try lab.start(campaign + [lab.store])
        lab.send(signal, to: running)
        let ended = try await running.wait()
        #expect(ended.code == code)
        let kept = try await lab.archivedRuns()
        #expect(kept >= 3 && kept < 400, "\(kept) of 400 runs")
        if signal == SIGINT {
            #expect(
                ended.errors.contains(
                    "go on with: novalab run \(file) --on simulated --seed 900 --store "
                        + "\(lab.store) --resume\n"
                )
            )
        }
        if signal == SIGTRAP {
            #expect(ended.errors.contains("the code under test crashed"))
            // Between two replications none is running, and none can be named.
            let named = ended.errors.split(separator: "\n").filter { $0.contains("novalab replay") }
            #expect(named.allSatisfy { $0.hasPrefix("  novalab replay \(file) --seed ") })
            #expect(named.count <= 1)
        }
        let resumed = try await lab.run(campaign + [lab.store, "--resume"])
        let whole = try await lab.run(campaign + [lab.path("whole.sqlite"), "--workers", "2"])
        #expect(resumed.code == whole.code)
        #expect(try Verdict(resumed) == Verdict(whole))
        #expect(try Verdict(resumed).runs.count == 400)
    }

    @Test func aSpentBudgetIs75() async throws {
        let lab = try Laboratory()
        let file = try lab.scenario(
            as: "short",
            [
                (
                    "{wall: 1 min, replications: {min: 2, max: 4,",
                    "{wall: 150 ms, replications: {min: 5000, max: 5000,"
                )
            ]
        )
        let ending = try await lab.run(["run", file, "--json", "--no-html", "--store", lab.store])
        #expect(ending.code == 75)
        #expect(try Verdict(ending).verdict == "INCONCLUSIVE")
    }

    @Test func anotherFirstSeedIsTheSamePlan() async throws {
        let lab = try Laboratory()
        let run = ["run", CampaignTests.small, "--no-html", "--store", lab.store]
        #expect(try await lab.run(run + ["--seed", "500"]).code == 0)
        let plans = try await lab.run([
            "runs", "--store", lab.store, "--sql", "SELECT identity FROM plan",
        ])
        #expect(plans.output.split(separator: "\n").count == 2)
        #expect(try await lab.run(run).code == 0)
        let again = try await lab.run([
            "runs", "--store", lab.store, "--sql", "SELECT identity FROM plan",
        ])
        #expect(again.output == plans.output)
        let replay = ["replay", CampaignTests.small, "--store", lab.store, "--seed"]
        for seed in ["500", "0x1F5", "7"] {
            let ending = try await lab.run(replay + [seed])
            #expect(ending.code == 0)
            #expect(ending.output.components(separatedBy: "equal to the archived run").count == 3)
        }
        let unknown = try await lab.run(replay + ["123456"])
        #expect(unknown.code == 0)
        #expect(unknown.output.contains("no archived run"))
    }

    @Test func aReplayThatDiffersIs12() async throws {
        let lab = try Laboratory()
        let run = ["run", CampaignTests.small, "--no-html", "--store", lab.store]
        #expect(try await lab.run(run).code == 0)
        // A copy of another seed's runs under this one stands for code that behaves differently.
        let planted = """
            UPDATE run SET fingerprint = '00000000000000000000000000000000' WHERE seed = 7
            """
        try #require(try lab.sqlite(planted))
        let ending = try await lab.run(["replay", CampaignTests.small, "--store", lab.store])
        #expect(ending.code == 12)
        #expect(ending.output.contains("DIFFERENT from the archived run"))
    }

    @Test func uncommittedChangesAreAnotherPlan() async throws {
        let lab = try Laboratory()
        try FileManager.default.createDirectory(
            atPath: lab.path("Sources"),
            withIntermediateDirectories: true
        )
        try lab.write("let a = 1\n", to: "Sources/a.swift")
        try lab.git(["init", "-q"])
        try lab.git(["add", "Sources"])
        try lab.git([
            "-c", "user.name=t", "-c", "user.email=t@example", "commit", "-q", "-m", "first",
        ])
        var commits: Set<String> = []
        for text in ["let a = 2\n", "let a = 3\n", "let a = 3\n"] {
            try lab.write(text, to: "Sources/a.swift")
            commits.insert(try await lab.commitOfRun())
        }
        try lab.write("let b = 1\n", to: "Sources/b.swift")
        commits.insert(try await lab.commitOfRun())
        #expect(commits.count == 3)
        #expect(commits.allSatisfy { $0.wholeMatch(of: /[0-9a-f]{40}-dirty-[0-9a-f]{8}/) != nil })
    }
}

extension Laboratory {
    /// Changes the archive behind the program's back.
    func sqlite(_ statement: String) throws -> Bool {
        try EditedArchive.execute(statement, at: store)
    }

    func git(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["git", "-C", root] + arguments
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
    }

    /// What a run calls the code that it ran.
    func commitOfRun() async throws -> String {
        struct Origin: Decodable { var commit: String }
        let ending = try await run([
            "run", "scenarios/smoke/replay-small.yaml", "--no-html", "--json", "--store", store,
        ])
        return try JSONDecoder().decode(Origin.self, from: Data(ending.output.utf8)).commit
    }
}
