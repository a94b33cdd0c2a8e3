import Foundation
import Testing

/// Goal: the same scenario runs on real sockets and verifies the memory: over emulated links with the
/// figures of links, and over the loopback interface without claiming anything about a network that
/// was not there.
/// Method: the built program with its processes; the right to make namespaces is taken from it.
@Suite struct SocketRunTests {
    /// Whether links can be emulated here, as the program itself finds.
    private static func isEmulating(_ lab: Laboratory) async throws -> Bool {
        let ending = try await lab.run(["doctor"])
        let isEmulating = ending.output.contains("✓ emulator")
        if !isEmulating { print("shaped runs are not tested here: they need root and TUN") }
        return isEmulating
    }

    @Test func emulatedLinksGiveTheFiguresOfLinks() async throws {
        let lab = try Laboratory()
        guard try await SocketRunTests.isEmulating(lab) else { return }
        let file = try lab.scenario(as: "emulated", [])
        let command = [
            "run", file, "--on", "sockets", "--json", "--no-html", "--store", lab.store,
        ]
        var ending = try await lab.run(command)
        var verdict = try Verdict(ending)
        // Where other machines share the processors, packets leave milliseconds late at times, and the run says
        // rightly that these were not the scenario's links.
        for _ in 1..<4 where verdict.verdict == "INVALID" {
            ending = try await lab.run(command)
            verdict = try Verdict(ending)
        }
        if verdict.verdict == "INVALID" {
            // Above its bound of 1 ms in one of the two runs of a variant.
            let lateness = verdict.metrics.filter { $0.metric == "emulator-delay-error" }
            #expect(lateness.contains { $0.mean ?? 0 > 0.5 }, "\(ending.output) \(ending.errors)")
            print("the verdict on emulated links is not tested here: packets leave too late")
        } else {
            #expect(verdict.verdict == "GO", "\(ending.output) \(ending.errors)")
        }
        #expect(verdict.targets.map(\.status) == ["passed"])
        let rates = try #require(verdict.invariants.first { $0.name == "link-rate-respected" })
        #expect(rates.checked > 0 && rates.violations == 0)
    }

    @Test func linksAloneNeedPrivilegesAndSaySo() async throws {
        let lab = try Laboratory()
        let ending = try await lab.run(
            ["emulate", "scenarios/smoke/replay-small.yaml"],
            wrapper: ["/usr/bin/setpriv", "--bounding-set=-sys_admin,-net_admin"]
        )
        #expect(ending.code == 69, "\(ending.errors)")
        #expect(ending.errors.contains("links cannot be emulated"), "\(ending.errors)")
        #expect(ending.errors.contains("CAP_NET_ADMIN") && ending.errors.contains("sudo"))
        #expect(ending.output.isEmpty)
    }

    @Test func withoutPrivilegesTheSameScenarioRunsOnLoopback() async throws {
        let lab = try Laboratory()
        let file = try lab.scenario(
            as: "on-sockets",
            [
                (
                    "variant: dwcp, expect: \"mean > 1.5\"}",
                    "variant: dwcp, expect: \"mean > 1.5\"}\n"
                        + "  - {metric: migration-time, expect: \"mean < 1 s\"}"
                )
            ]
        )
        let ending = try await lab.run(
            [
                "run", file, "--on", "sockets", "--json", "--no-html",
                "--store", lab.store,
            ],
            wrapper: ["/usr/bin/setpriv", "--bounding-set=-sys_admin,-net_admin"]
        )
        #expect(ending.code == 2, "\(ending.errors)")
        let verdict = try Verdict(ending)
        #expect(verdict.verdict == "INCONCLUSIVE" && verdict.environment == "sockets")
        #expect(verdict.runs.count == 4)
        let memory = try #require(
            verdict.invariants.first { $0.name == "memory-identical-after-migration" }
        )
        #expect(memory.runs == 4 && memory.checked >= 8 && memory.violations == 0)
        // No link counted bytes, so there is no ratio; times say nothing about the scenario's link.
        #expect(
            verdict.targets.map(\.status) == [
                "undecided", "not judged: unshaped", "not judged: unshaped",
            ]
        )
    }

    /// Goal: a migration over TLS is verified as every other, and the run says what TLS did and what the
    /// processes cost; in simulation the same file is refused.
    /// Method: two variants on loopback, without privileges; the archive's facts.
    @Test func migrationsOverTLSAreVerified() async throws {
        let lab = try Laboratory()
        let file = try lab.scenario(
            as: "over-tls",
            [
                ("{transport: {streams: 8}", "{transport: {streams: 8, tls: true}"),
                (
                    "variant: dwcp, expect: \"mean > 1.5\"}",
                    "variant: dwcp, expect: \"mean > 1.5\"}\n"
                        + "  - {metric: cpu-per-gb, variant: dwcp, expect: \"mean > 0.001 s/GB\"}"
                ),
            ]
        )
        let refused = try await lab.run(["run", file, "--store", lab.store, "--no-html"])
        #expect(refused.code == 65, "\(refused.output) \(refused.errors)")
        #expect(refused.errors.contains("TLS is not modelled in simulation"))
        let ending = try await lab.run(
            ["run", file, "--on", "sockets", "--json", "--no-html", "--store", lab.store],
            wrapper: ["/usr/bin/setpriv", "--bounding-set=-sys_admin,-net_admin"]
        )
        let verdict = try Verdict(ending)
        let memory = try #require(
            verdict.invariants.first { $0.name == "memory-identical-after-migration" }
        )
        #expect(memory.checked >= 2 * memory.runs && memory.violations == 0)
        #expect(verdict.targets.last?.status == "passed", "\(verdict.targets)")
        let facts = try await lab.run([
            "runs", "--store", lab.store, "--sql",
            "SELECT value FROM fact WHERE key = 'tls'",
        ])
        let lines = facts.output.split(separator: "\n").filter { $0.contains("streams accepted") }
        #expect(lines.count >= 2 && lines.count * 2 == memory.runs, "\(facts.output)")
        #expect(lines.allSatisfy { $0.contains(" 0 connections refused") && !$0.contains(": 0 ") })
    }

    /// Flows of others are processes of their own beside those of the nodes; without links of their
    /// own they would be silently missing, so the run is refused. `rdma` never has such links.
    @Test func flowsOfOthersNeedEmulatedLinks() async throws {
        let lab = try Laboratory()
        let traffic = "cross-traffic: [{from: left, to: right, flows: 2, ecn: true}]\n"
        let file = try lab.scenario(as: "crossed", [("workload:", traffic + "workload:")])
        let arguments = [
            "run", file, "--on", "sockets", "--json", "--no-html", "--store", lab.store,
        ]
        let refused = try await lab.run(
            arguments,
            wrapper: ["/usr/bin/setpriv", "--bounding-set=-sys_admin,-net_admin"]
        )
        #expect(refused.code == 69, "\(refused.output)")
        #expect(refused.errors.contains("cross-traffic needs emulated links"))
        let devices = try await lab.run(["run", file, "--on", "rdma", "--store", lab.store])
        #expect(devices.code == 65 && devices.errors.contains("cross-traffic"))
        guard try await SocketRunTests.isEmulating(lab) else { return }
        let ending = try await lab.run(arguments)
        let verdict = try Verdict(ending)
        let memory = try #require(
            verdict.invariants.first { $0.name == "memory-identical-after-migration" }
        )
        #expect(memory.checked > 0 && memory.violations == 0, "\(ending.errors)")
        let rates = try #require(verdict.invariants.first { $0.name == "link-rate-respected" })
        #expect(rates.checked > 0 && rates.violations == 0)
    }

    /// Method: a node's process alone, told to be a node of a scenario that is not there.
    @Test func aNodeThatCannotBeginSaysWhy() async throws {
        let lab = try Laboratory()
        let assignment = """
            {"configure":{"_0":{"scenarioPath":"gone.yaml","variant":"dwcp","seed":7,\
            "environment":"sockets","node":0,\
            "incarnation":0,"journalPath":"\(lab.path("journal"))"}}}
            """
        let ending = try await lab.run(
            ["agent"],
            wrapper: ["/bin/sh", "-c", "printf '%s\\n' \"$0\" | \"$@\"", assignment]
        )
        #expect(ending.output.contains("failed"))
        #expect(ending.output.contains("gone.yaml:1:1: error: cannot read the file"))
    }
}
