import Foundation
import Testing

/// Goal: `--on sockets` boots the daemon that is built beside the program, one boot after the other,
/// ends with a verdict by itself, and leaves no process, whatever interrupts it.
/// Method: the built programs with a few boots each.
@Suite struct RealBootRunTests {
    private static func scenario(
        _ lab: Laboratory,
        workload: String = "graph: node",
        targets: String = "[{metric: boot-time, expect: \"max < 60 s\"}]",
        replications: Int = 3
    ) throws -> String {
        try lab.write(
            """
            version: 1
            name: real-boots
            topology:
              regions: {node: {nodes: 1}}
            workload: {kind: boot, \(workload)}
            invariants: [boot-outcome-matches-criticality, rollback-leaves-nothing]
            targets: \(targets)
            budget:
              wall: 5 min
              replications: {min: \(replications), max: \(replications), relative-half-width: 5 %}

            """,
            to: "real-boots.yaml"
        )
    }

    @Test func realBootsAreJudgedAndCanBeGo() async throws {
        let lab = try Laboratory()
        let file = try Self.scenario(
            lab,
            targets: """
                [{metric: boot-time, expect: "max < 60 s"}, {metric: boot-failures, expect: \
                "max == 0"}, {metric: boot-peak-memory, expect: "max < 500 MB"}]
                """
        )
        let ending = try await lab.run([
            "run", file, "--on", "sockets", "--json", "--no-html", "--store", lab.store,
        ])
        #expect(ending.code == 0, "\(ending.errors)\(ending.output)")
        let verdict = try Verdict(ending)
        #expect(verdict.verdict == "GO" && verdict.environment == "sockets")
        #expect(verdict.runs.count == 3)
        #expect(verdict.targets.map(\.status) == ["passed", "passed", "passed"])
        #expect(verdict.invariants.allSatisfy { $0.checked == 3 && $0.violations == 0 })
    }

    @Test func anInterruptedCampaignLeavesNoProcessAndGoesOn() async throws {
        let lab = try Laboratory()
        let file = try Self.scenario(lab, replications: 40)
        let words = [
            "run", file, "--on", "sockets", "--json", "--no-html", "--store", lab.store,
        ]
        let temporary = lab.path("temporary")
        try FileManager.default.createDirectory(
            atPath: temporary,
            withIntermediateDirectories: true
        )
        let running = try lab.start(words, wrapper: ["/usr/bin/env", "TMPDIR=\(temporary)"])
        lab.send(SIGINT, to: running, onceLogReaches: 400_000)
        let interrupted = try await running.wait()
        #expect(interrupted.code == 130, "\(interrupted.errors)")
        #expect(Self.daemons(below: temporary).isEmpty)
        let left = try FileManager.default.contentsOfDirectory(atPath: temporary)
        #expect(left.filter { $0.hasPrefix("novacron-") } == [])
        let kept = try await lab.archivedRuns()
        #expect(kept >= 1 && kept < 40, "\(kept)")
        let whole = try await lab.run(words + ["--resume"])
        #expect(whole.code == 0, "\(whole.errors)")
        #expect(try Verdict(whole).runs.count == 40)
    }

    @Test(
        arguments: [
            ("components: {a: {phase: pre, origin: assumed, cpu: 1 ms}}", "sockets", "graph: node"),
            ("graph: node, start: warm", "simulated", "--on sockets"),
            ("graph: node, crash-points: every-disk-operation", "sockets", "every-step"),
        ]
    )
    func bootsThatCannotBeHadThereAre65(workload: String, place: String, words: String)
        async throws
    {
        let lab = try Laboratory()
        let file = try Self.scenario(lab, workload: workload)
        let ending = try await lab.run(["run", file, "--on", place, "--store", lab.store])
        #expect(ending.code == 65)
        #expect(ending.errors.contains(words), "\(ending.errors)")
    }

    @Test func aRecordingHoldsEveryComponent() async throws {
        let lab = try Laboratory()
        let output = lab.path("few.boot.json")
        let ending = try await lab.run([
            "dataset", "record-boot", "--boots", "2", "--output", output,
        ])
        #expect(ending.code == 0, "\(ending.errors)")
        let data = try Data(contentsOf: URL(filePath: output))
        let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(object["boots"] as? Int == 2)
        #expect(object["method"] != nil && object["between"] != nil)
        let components = try #require(object["components"] as? [[String: Any]])
        let names = components.compactMap { $0["name"] as? String }
        #expect(names.contains("security.authority") && names.contains("jobs"))
        for arguments in [["--boots", "0", "--name", "x"], ["--output", "x.yaml"], []] {
            let wrong = try await lab.run(["dataset", "record-boot"] + arguments)
            #expect(wrong.code == 64, "\(arguments)")
        }
    }

    /// Daemons that work in folders of the program, which takes its temporary ones from `TMPDIR`.
    private static func daemons(below folder: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.filter { name in
            guard Int32(name) != nil,
                let words = try? String(contentsOfFile: "/proc/\(name)/cmdline", encoding: .utf8)
            else { return false }
            return words.contains("novacron-node") && words.contains(folder)
        }
    }
}
