import Foundation
import Testing

/// Goal: somebody who kills or stops processes of a run does not end it, and whatever ends the laboratory
/// ends its processes: nothing is left behind, not even of one that stands still.
/// Method: signals to the processes of a run of the built program, found by their parent.
@Suite(.serialized) struct OutsideSignalTests {
    private static func start(_ lab: Laboratory, seconds: Int) throws -> RunningProgram {
        let temporary = lab.path("temporary")
        try FileManager.default.createDirectory(
            atPath: temporary,
            withIntermediateDirectories: true
        )
        let file = try lab.write(
            """
            version: 1
            name: outside
            topology:
              regions: {site: {nodes: 4}}
            workload:
              kind: requests
              replicas: 3
              load: {rate: 40 /s, clients: 8, keys: 3, timeout: 1 s, place: [site]}
              duration: {warmup: 0 s, measure: \(seconds) s}
            system: {consensus: {heartbeat: 50 ms, election: 200..400 ms}}
            invariants: [linearizable, raft-safety, commands-applied-once]
            budget: {replications: {min: 2, max: 2}}

            """,
            to: "outside.yaml"
        )
        return try lab.start(
            ["run", file, "--on", "sockets", "--json", "--no-html", "--store", lab.store],
            wrapper: ["/usr/bin/env", "TMPDIR=\(temporary)"] + Laboratory.withoutPrivileges
        )
    }

    /// Processes of nodes, ascending.
    private static func nodes(of parent: Int32) -> [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.filter { process in
            let line = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
            guard let fields = line?.split(separator: ")").last?.split(separator: " "),
                fields.count > 1, Int32(fields[1]) == parent,
                let words = try? String(contentsOfFile: "/proc/\(process)/cmdline", encoding: .utf8)
            else { return false }
            return words.split(separator: "\0").last == "agent"
        }.sorted()
    }

    /// Whether it runs; one that has ended and that nobody has reaped does not.
    private static func isAlive(_ process: Int32) -> Bool {
        let line = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        guard let state = line?.split(separator: ")").last?.split(separator: " ").first else {
            return false
        }
        return state != "Z" && state != "X"
    }

    private static func wait(until condition: () -> Bool) async throws -> Bool {
        let limit = ContinuousClock.now + .seconds(20)
        while !condition(), ContinuousClock.now < limit {
            try await Task.sleep(for: .milliseconds(20))
        }
        return condition()
    }

    /// The nodes once all four have told the laboratory where they listen and begun to work: their logs
    /// are there.
    private static func workingNodes(_ lab: Laboratory, _ program: RunningProgram) async throws
        -> [Int32]
    {
        let temporary = lab.path("temporary")
        let isWorking = try await wait {
            let files = FileManager.default.enumerator(atPath: temporary)?.allObjects ?? []
            return files.count { "\($0)".hasSuffix(".segment") } >= 3
        }
        try #require(isWorking, "no replica has begun its log")
        return nodes(of: program.identifier)
    }

    private static func folders(of lab: Laboratory) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: lab.path("temporary"))
            .filter { $0.hasPrefix("novalab-") }
    }

    @Test func nodesThatAreKilledAndStoppedByHandEndNothing() async throws {
        let lab = try Laboratory()
        let program = try OutsideSignalTests.start(lab, seconds: 5)
        let nodes = try await OutsideSignalTests.workingNodes(lab, program)
        try #require(nodes.count == 4)
        kill(nodes[0], SIGKILL)
        // It stands still until the run of the first seed is over.
        kill(nodes[1], SIGSTOP)
        let isReplaced = try await OutsideSignalTests.wait {
            OutsideSignalTests.nodes(of: program.identifier).contains { !nodes.contains($0) }
        }
        #expect(isReplaced)
        let verdict = try Verdict(try await program.wait())
        #expect(verdict.verdict == "INCONCLUSIVE", "unshaped links allow no more")
        #expect(verdict.invariants.allSatisfy { $0.violations == 0 })
        let linearizable = try #require(verdict.invariants.first { $0.name == "linearizable" })
        #expect(linearizable.runs == 2 && linearizable.checked > 200)
        let faults = try await lab.run([
            "runs", "--store", lab.store, "--sql",
            "SELECT target FROM fault WHERE target LIKE '%from outside'",
        ])
        #expect(faults.output.contains("from outside"))
        #expect(try OutsideSignalTests.folders(of: lab).isEmpty)
    }

    @Test(arguments: [SIGINT, SIGKILL])
    func theEndOfTheLaboratoryIsTheEndOfItsNodes(by signal: Int32) async throws {
        let lab = try Laboratory()
        let program = try OutsideSignalTests.start(lab, seconds: 60)
        let nodes = try await OutsideSignalTests.workingNodes(lab, program)
        try #require(nodes.count == 4)
        kill(nodes[2], SIGSTOP)
        program.signal(signal)
        let ending = try await program.wait()
        #expect(ending.code == (signal == SIGINT ? 130 : 128 + SIGKILL))
        let areGone = try await OutsideSignalTests.wait {
            !nodes.contains(where: OutsideSignalTests.isAlive)
        }
        #expect(areGone)
        for node in nodes where OutsideSignalTests.isAlive(node) { kill(node, SIGKILL) }
        // Nobody can tidy up after SIGKILL.
        if signal == SIGINT { #expect(try OutsideSignalTests.folders(of: lab).isEmpty) }
    }
}
