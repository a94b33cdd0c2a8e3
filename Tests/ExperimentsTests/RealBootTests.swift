import DataSets
import Experiments
import FakeNodes
import Foundation
import Initialization
import Measurements
import Scenarios
import Testing
import Units

/// Goal: what real boots are said to have taken follows from what the node told and the clock that
/// all processes share, and whatever goes wrong shows in the record.
/// Method: replications on sockets whose daemon is a shell script that tells a known boot.
@Suite struct RealBootTests {
    private static func setting(_ more: String = "", variants: String = "{}") throws
        -> ReplicationSetting
    {
        let scenario = try ScenarioFile.parse(
            """
            version: 1
            name: real
            topology:
              regions: {a: {nodes: 1}}
            workload: {kind: boot, graph: node\(more)}
            variants: \(variants)
            targets:
              - {metric: boot-time, expect: "mean < 60 s"}

            """,
            file: "real.yaml"
        )
        return ScriptedCampaign.plan(scenario, on: .sockets).common
    }

    private static func replicate(
        _ setting: ReplicationSetting,
        _ script: String,
        isCancelled: @escaping () -> Bool = { false }
    ) throws -> RunRecord {
        try Replication.onSockets(
            setting,
            commit: "abc",
            scenarioPath: "real.yaml",
            processes: ProcessLauncher(
                agent: { _ in throw CancellationError() },
                emulator: { throw CancellationError() }
            ),
            daemon: { FakeNode.program(script) },
            isCancelled: isCancelled
        )
    }

    /// The monotonic clock.
    private static var now: Int64 { Int64(ProcessInfo.processInfo.systemUptime * 1e9) }

    @Test func figuresFollowFromWhatTheNodeTold() throws {
        let before = Self.now
        // The node's time zero lies ahead, so that its boot lasts about ten seconds by the clock.
        let origin = before + 10_000_000_000
        let record = try Self.replicate(
            try Self.setting(),
            try FakeNode.serve(FakeNode.boot(origin: origin))
        )
        let after = Self.now
        #expect(record.outcome == .completed)
        #expect(record.key.environment == .sockets)
        let ready = origin + 10_000_000
        let boot = try #require(record.value(of: "boot-time"))
        // A microsecond for the rounding of the clock that this test reads.
        #expect(boot.value <= Double(ready - before) / 1e9 + 1e-6)
        #expect(boot.value >= Double(ready - after) / 1e9 - 1e-6)
        // The chain of both components: 3 ms and 5 ms.
        #expect(abs((boot.bound?.limit ?? 0) - 0.008) < 1e-9)
        let speedup = try #require(record.value(of: "boot-speedup"))
        #expect(abs(speedup.value - 0.008 / boot.value) < 1e-12)
        #expect(speedup.bound?.limit == 1)
        let phase = record.value(of: "phase-time", labels: [Label("phase", "pre")])
        #expect(phase?.value == 0.003)
        #expect(record.value(of: "boot-failures")?.value == 0)
        #expect(record.value(of: "boot-peak-memory")?.value == 0.065536)
        #expect(record.metrics.allSatisfy { $0.isPlausible })
        #expect(record.spans.map(\.name) == ["first", "second"])
        #expect(record.spans.allSatisfy { $0.isCritical })
        #expect(record.invariants.allSatisfy { $0.checked == 1 && $0.violationCount == 0 })
        #expect(record.fact("data")?.hasPrefix("cold") == true)
    }

    @Test func whatANodeTellsMustAgreeWithTheSystem() throws {
        let record = try Self.replicate(
            try Self.setting(),
            try FakeNode.serve(
                FakeNode.boot(origin: Self.now, cpu: .seconds(3600), memory: .gibibytes(64))
            )
        )
        let agreement = record.invariants.first { $0.name == "node-and-system-agree" }
        #expect(agreement?.violationCount == 2)
    }

    @Test func aBootThatFailsIsCountedWithItsReason() throws {
        let told: [NodeReport] =
            Array(FakeNode.boot(origin: Self.now).prefix(5)) + [
                FakeNode.event(
                    2,
                    .componentFailed(component: "first", criticality: .halt, reason: "no disk"),
                    cpu: 1
                ),
                FakeNode.event(2, .bootFailed(component: "first", reason: "no disk"), cpu: 1),
                .ended(.failed(component: "first", reason: "no disk", left: [])),
            ]
        let record = try Self.replicate(
            try Self.setting(),
            "\(try FakeNode.tell(told))\nexit 69"
        )
        #expect(record.value(of: "boot-failures")?.value == 1)
        #expect(record.value(of: "boot-time") == nil)
        // It failed as its criticality says; the process said so by its code.
        #expect(record.invariants.allSatisfy { $0.violationCount == 0 })
        let crashed = try Self.replicate(
            try Self.setting(),
            "\(try FakeNode.tell(Array(told.prefix(5))))\nkill -9 $$"
        )
        let outcome = crashed.invariants.first { $0.name == "boot-outcome-matches-criticality" }
        #expect(outcome?.violations.first?.message.contains("was ended by signal 9") == true)
    }

    @Test func warmBootsHaveALifeBefore() throws {
        // The third life would fail.
        let program = """
            lives=$(cat $data/lives 2>/dev/null)
            echo x$lives > $data/lives
            case "$lives" in '' | x) ;; *) exit 1 ;; esac
            \(try FakeNode.serve(FakeNode.boot(origin: Self.now)))
            """
        let record = try Self.replicate(try Self.setting(", start: warm"), program)
        #expect(record.value(of: "boot-failures")?.value == 0)
        #expect(record.fact("data")?.hasPrefix("warm") == true)
    }

    @Test func everyStepIsACrashPointOnBothSides() throws {
        let crashing = """
            for word in "$@"; do
              case $word in
                first.file:*) kill -9 $$ ;;
              esac
            done
            """
        let record = try Self.replicate(
            try Self.setting(", crash-points: every-step"),
            "\(crashing)\nmkdir -p $data/security; echo one > $data/security/authority.pem\n"
                + (try FakeNode.serve(FakeNode.boot(origin: Self.now)))
        )
        let points = record.markers.filter { $0.kind == Marker.crashPoint }
        #expect(points.map(\.text) == ["first.file:before", "first.file:after"])
        #expect(points.allSatisfy { $0[Marker.survivedField] == 1 })
        for name in [
            "boot-survives-crash-points", "identity-survives-crashes", "no-half-migration",
        ] {
            let invariant = record.invariants.first { $0.name == name }
            #expect(invariant?.checked == 2 && invariant?.violationCount == 0, "\(name)")
        }
        #expect(record.value(of: "boot-failures")?.value == 0)
    }

    @Test func aCancelledReplicationIsInterrupted() throws {
        let record = try Self.replicate(
            try Self.setting(),
            "while :; do sleep 0.01; done",
            isCancelled: { true }
        )
        #expect(record.outcome == .interrupted)
    }

    /// Method: sequential boots of the script, whose processor clock advances 2 ms in the first
    /// component and 1 ms in the second.
    @Test func recordingsSplitTimesByTheProcessorClock() throws {
        let origin = Self.now + 1_000_000_000
        let program = FakeNode.program(try FakeNode.serve(FakeNode.boot(origin: origin)))
        var shown = 0
        let recording = try #require(
            try BootRecorder(program: program, boots: 2, isCancelled: { false }).record(
                as: "fake",
                machine: "none",
                commit: "abc",
                at: "2026-01-01T00:00:00Z",
                progress: { _ in shown += 1 }
            )
        )
        #expect(shown == 4)
        #expect(recording.components.map(\.name) == ["first", "second"])
        #expect(recording.components.map(\.cpu.median) == [0.002, 0.001])
        #expect(recording.components.map(\.wait.median) == [0.001, 0.004])
        // Between the first component's start and READY: one before and none of it between, one after.
        #expect(recording.between?.median == 0.001 && recording.betweenCPU?.median == 0)
        #expect(recording.beforeCPU?.median == 0.001)
        let read = try BootRecording.parse(recording.bytes, path: "fake")
        #expect(read.components == recording.components && read.method == recording.method)
        #expect(read.beforeCPU == recording.beforeCPU && read.between == recording.between)
    }
}
