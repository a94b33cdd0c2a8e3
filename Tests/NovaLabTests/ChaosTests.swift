import Foundation
import Testing

/// Goal: the commands `chaos`, `shrink` and `replay --trace` do what they say, from the first seed to the
/// small file that shows the failure.
/// Method: the built program on a scenario whose seeds end early or not at all, as faults have it;
/// signals in mid-campaign; a process of the campaign that is made to trap.
@Suite struct ChaosTests {
    /// In about half of all seeds the server dies for good within the three seconds that the clients
    /// need; such a run is never finished.
    private static let text = """
        version: 1
        name: mortal
        seed: 100
        topology:
          regions: {clients: {nodes: 3}, server: {nodes: 1}}
          links: [{between: [clients, server], rtt: 10 ms, rate: 100 Mbit/s}]
        workload: {kind: echo, from: clients, to: server, requests: 30, interval: 100 ms,
          timeout: 200 ms, attempts: 1000, stream: 0 B, streams: 1, deadline: 20 s}
        faults:
          - {kind: node.crash, at: 1..5 s, select: {role: server}}
          - {kind: node.pause, every: 300 ms, for: 20 ms, select: {role: client, pick: one}}
          - {kind: net.delay, every: 400 ms, for: 50 ms, delay: 5 ms, select: {region: server}}
        invariants: [acknowledged-writes-survive]
        sometimes: [echo.serving, never-seen]

        """

    private struct Group: Decodable {
        var kind: String
        var shape: String
        var count: Int
        var seeds: [UInt64]
    }

    private struct Document: Decodable {
        struct Determinism: Decodable {
            var compared: Int
            var equal: Int
        }

        var verdict: String
        var exitCode: Int
        var seeds: Int
        var reused: Int
        var failing: Int
        var groups: [Group]
        var determinism: Determinism
        var warnings: [String]
    }

    private func document(_ ending: Laboratory.Ending) throws -> Document {
        try JSONDecoder().decode(Document.self, from: Data(ending.output.utf8))
    }

    @Test func seedsAreFoundKeptShrunkAndReplayed() async throws {
        let lab = try Laboratory()
        let file = try lab.write(ChaosTests.text, to: "mortal.yaml")
        let chaos = ["chaos", file, "--seeds", "12", "--store", lab.store]
        let first = try await lab.run(chaos + ["--json", "--report", lab.path("c.html")])
        #expect(first.code == 2, "\(first.errors)")
        let found = try document(first)
        #expect(found.verdict == "INCONCLUSIVE" && found.seeds == 12 && found.reused == 0)
        #expect(found.failing == 0)
        #expect(found.groups.map(\.kind) == ["undecided"])
        let group = try #require(found.groups.first)
        #expect((2...11).contains(group.count))
        #expect(found.determinism.compared >= 1)
        #expect(found.determinism.compared == found.determinism.equal)
        #expect(found.warnings.contains { $0.hasPrefix("never-seen") })
        let page = try String(contentsOfFile: lab.path("c.html"), encoding: .utf8)
        #expect(page.contains("INCONCLUSIVE") && page.contains("net.delay"))

        // Nothing runs a second time; text and JSON agree.
        let again = try await lab.run(chaos + ["--no-html", "--json", "--jobs", "1"])
        let resumed = try document(again)
        #expect(resumed.reused == 12)
        #expect(resumed.groups.first?.seeds == group.seeds)
        let words = try await lab.run(chaos + ["--no-html"])
        #expect(words.output.contains("█ CHAOS") && words.output.contains("12 from the archive"))
        #expect(words.errors.contains("novalab shrink \(file) --seed \(group.seeds[0])"))

        let small = lab.path("small.yaml")
        let shrunk = try await lab.run([
            "shrink", file, "--seed", "\(group.seeds[0])", "--output", small,
        ])
        #expect(shrunk.code == 0, "\(shrunk.errors)")
        #expect(shrunk.output.contains("→ 1 "), "\(shrunk.output)")
        #expect(shrunk.output.contains("node.crash node"))
        #expect(shrunk.output.contains("verified 2 of 2 times"))
        let text = try String(contentsOfFile: small, encoding: .utf8)
        #expect(text.contains("scenario: \"mortal.yaml\"") && text.contains("nodes: {clients: 1}"))

        let replay = try await lab.run([
            "replay", small, "--trace", "--from", "0s", "--until", "1s", "--diagram",
            lab.path("d.svg"),
        ])
        #expect(replay.output.contains("node 0") && replay.output.contains("ping"))
        #expect(try String(contentsOfFile: lab.path("d.svg"), encoding: .utf8).contains("<svg"))
        let whole = try await lab.run(["replay", small])
        #expect(whole.code == 2)
        #expect(whole.output.contains("reproduced: "))
        // The scenario is another one now, and the file says so.
        try lab.write(
            ChaosTests.text.replacing("rtt: 10 ms", with: "rtt: 12 ms"),
            to: "mortal.yaml"
        )
        let stale = try await lab.run(["replay", small])
        #expect(stale.code == 65 && stale.errors.contains("digest"))
    }

    @Test func aReplayIsComparedWithTheCampaign() async throws {
        let lab = try Laboratory()
        let file = try lab.write(ChaosTests.text, to: "mortal.yaml")
        let ending = try await lab.run([
            "chaos", file, "--seeds", "3", "--store", lab.store, "--no-html",
        ])
        #expect(ending.code == 2 || ending.code == 0)
        let replay = try await lab.run(["replay", file, "--seed", "101", "--store", lab.store])
        #expect(replay.code == 0 && replay.output.contains("equal to the archived run"))
        let planted = """
            UPDATE chaos_seed SET fingerprint = '00000000000000000000000000000000'
            """
        try #require(try lab.sqlite(planted))
        let other = try await lab.run(["replay", file, "--seed", "101", "--store", lab.store])
        #expect(other.code == 12)
    }

    @Test func anInterruptionKeepsSeedsAndSaysHowToGoOn() async throws {
        let lab = try Laboratory()
        let file = try lab.write(ChaosTests.text, to: "mortal.yaml")
        let chaos = ["chaos", file, "--seeds", "100000", "--store", lab.store, "--no-html"]
        let running = try lab.start(chaos)
        lab.send(SIGINT, to: running)
        let ended = try await running.wait()
        #expect(ended.code == 130)
        #expect(ended.errors.contains("go on with: novalab chaos \(file) --seeds 100000"))
        let counted = try await lab.run([
            "runs", "--store", lab.store, "--sql", "SELECT count(*) AS n FROM chaos_seed",
        ])
        let kept = counted.output.split(separator: "\n").last.flatMap { Int($0) } ?? 0
        #expect(kept > 3)
        let rest = try await lab.run([
            "chaos", file, "--seeds", "\(kept)", "--store", lab.store, "--no-html", "--json",
        ])
        #expect(try document(rest).reused >= kept - 4)
    }

    /// Method: the process that runs seeds is made to trap from outside. The campaign goes on without
    /// it; the seed, run once more, does not crash, which is the worse news.
    @Test func aTrapTakesOnlyItsSeed() async throws {
        let lab = try Laboratory()
        let file = try lab.write(ChaosTests.text, to: "mortal.yaml")
        let running = try lab.start([
            "chaos", file, "--seeds", "300", "--jobs", "1", "--store", lab.store, "--no-html",
            "--json",
        ])
        let parent = running.identifier
        Thread.detachNewThread {
            let limit = Date().addingTimeInterval(30)
            while Date() < limit {
                // In the middle of a seed, or between two: the next one finds nobody then.
                if let child = ChaosTests.child(of: parent) {
                    kill(child, SIGTRAP)
                    return
                }
                usleep(1_000)
            }
        }
        let ended = try await running.wait()
        #expect(ended.code == 12, "\(ended.errors)")
        let found = try document(ended)
        #expect(found.seeds == 300)
        #expect(found.groups.contains { $0.kind == "nondeterminism" && $0.count == 1 })
    }

    private static func child(of parent: Int32) -> Int32? {
        let all =
            (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(parent)/task")) ?? []
        for task in all {
            let file = "/proc/\(parent)/task/\(task)/children"
            let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
            for word in text.split(separator: " ") {
                // Others tell what commit this is.
                let line =
                    (try? String(contentsOfFile: "/proc/\(word)/cmdline", encoding: .utf8)) ?? ""
                if line.contains("\0seeds\0"), let number = Int32(word) { return number }
            }
        }
        return nil
    }

    @Test(
        arguments: [
            (["chaos", "mortal.yaml", "--seeds", "0"], 64),
            (["chaos", "mortal.yaml", "--seeds", "5", "--from", "x"], 64),
            (["chaos", "mortal.yaml", "--seeds", "5", "--variant", "other"], 64),
            (["chaos", "absent.yaml", "--seeds", "5"], 65),
            (["chaos", "mortal.yaml", "--seeds", "5", "--limit", "soon"], 64),
            (["replay", "mortal.yaml", "--from", "1s"], 64),
            (["replay", "mortal.yaml", "--trace", "--from", "soon"], 64),
            (["replay", "broken.yaml"], 65),
            (["shrink", "mortal.yaml", "--seed", "ten"], 64),
            (["shrink", "mortal.yaml"], 64),
        ] as [([String], Int32)]
    )
    func wrongWordsAreTold(words: [String], code: Int32) async throws {
        let lab = try Laboratory()
        try lab.write(ChaosTests.text, to: "mortal.yaml")
        try lab.write("reproduce: 1\nseed: 4\n", to: "broken.yaml")
        let ending = try await lab.run(words)
        #expect(ending.code == code, "\(ending.errors)")
        #expect(!ending.errors.isEmpty)
    }
}
