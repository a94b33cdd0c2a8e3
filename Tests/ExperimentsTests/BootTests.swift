import DataSets
import Experiments
import HardwareModel
import Judging
import Measurements
import Scenarios
import Testing
import Units

/// Goal: simulated boots take the time that their graphs say, to the nanosecond where nothing is
/// drawn, and the same seed gives the same run.
/// Method: the plans' graph and small graphs whose times are worked out by hand.
@Suite struct BootTests {
    @Test(arguments: [
        ("sequential", 21.4, 1), ("level-parallel", 13.8, 21.4 / 13.8),
        ("dependency-ready", 12.4, 21.4 / 12.4),
    ])
    func thePlansGraphTakesThePlansTimes(_ order: String, seconds: Double, speedup: Double) throws {
        let record = try BootSamples.run(
            BootSamples.shipped("study/boot-plan-graph"),
            variant: order
        )
        #expect(record.outcome == .completed)
        #expect(record.bootTimes == [seconds])
        #expect(record.isSound)
        let value = try #require(record.value(of: "boot-speedup"))
        #expect(abs(value.value - speedup) < 1e-12)
        #expect(abs(try #require(value.bound).limit - 21.4 / 12.4) < 1e-12)
        #expect(try #require(record.value(of: "boot-time")?.bound).limit == 12.4)
        #expect(record.fact("component splits")?.hasPrefix("assumed: environment, ") == true)
        #expect(record.fact("component times")?.hasPrefix("plans: environment, ") == true)
    }

    @Test func thePlansClaimIsANoGoThatNamesTheChain() async throws {
        let scenario = try BootSamples.shipped("study/boot-plan-graph")
        let result = try await campaign(scenario)
        #expect(result.judgement.verdict.code == .noGo)
        let target = try #require(result.judgement.targets.first)
        #expect(target.status == .failed)
        #expect(target.bound?.derivation.contains("environment → configuration → logger") == true)
        #expect(result.judgement.targets.dropFirst().allSatisfy { $0.status == .passed })
    }

    private func campaign(_ shipped: Scenario) async throws -> CampaignResult {
        var scenario = shipped
        // What else runs on this machine decides nothing.
        scenario.budget.wall = .seconds(3600)
        let plan = CampaignPlan(try BootSamples.setting(scenario), environment: .simulated)
        return try await CampaignRunner(plan, workers: 2) { setting, isCancelled in
            Replication.simulated(setting, commit: "test", isCancelled: isCancelled)
        }.run(listener: Quiet()) { false }
    }

    @Test func theFinerGraphReachesItsTargets() throws {
        let scenario = try BootSamples.shipped("study/boot-v2")
        for seed in 0..<20 as Range<UInt64> {
            let record = try BootSamples.run(scenario, variant: "dependency-ready", seed: seed)
            #expect(record.isSound && record.failures == 0)
            #expect(try #require(record.value(of: "boot-speedup")).value > 2.5)
            #expect(try #require(record.value(of: "boot-time")).value < 25)
        }
    }

    @Test func computingSharesTheCores() throws {
        // Method: four components of 1 s of computing on two cores need 2 s, of waiting 1 s.
        let names = ["a", "b", "c", "d"]
        for (cost, seconds, share) in [("cpu", 2.0, 100.0), ("wait", 1.0, 0)] {
            let components = names.map { "\($0): {phase: pre, \(cost): 1 s, origin: assumed}" }
            var scenario = try BootSamples.scenario(
                "components: {\(components.joined(separator: ", "))}"
            )
            if case .boot(var boot) = scenario.workload {
                boot.cores = 2
                scenario.workload = .boot(boot)
            }
            let record = try BootSamples.run(scenario)
            #expect(record.bootTimes == [seconds])
            #expect(record.value(of: "cpu-share")?.value == share)
            #expect(record.isSound)
        }
    }

    @Test func backgroundIsOffTheWay() throws {
        // Goal: READY waits neither for a background component nor does the speed-up count it, unless
        // something needs it.
        let slow = "slow: {phase: pre, wait: 9 s, origin: assumed, readiness: background}"
        let fast = "fast: {phase: pre, wait: 2 s, origin: assumed}"
        let free = try BootSamples.run(BootSamples.scenario("components: {\(slow), \(fast)}"))
        #expect(free.bootTimes == [2])
        #expect(free.value(of: "boot-speedup")?.value == 1)
        #expect(free.simulatedSeconds == 9)
        let bound = try BootSamples.run(
            BootSamples.scenario(
                "components: {\(slow), fast: {phase: pre, needs: [slow], wait: 2 s, origin: plans}}"
            )
        )
        #expect(bound.bootTimes == [11])
        #expect(bound.value(of: "boot-speedup")?.bound?.limit == 1)
    }

    @Test func spansShowTheMedianAndTheSlowestNode() throws {
        let scenario = try BootSamples.scenario(
            nodes: 9,
            """
            variation: {distribution: lognormal, sigma: 0.5},
            components: {a: {phase: pre, wait: 1 s, origin: assumed},
                         b: {phase: core, needs: [a], wait: 1 s, origin: assumed},
                         c: {phase: core, needs: [a], wait: 100 ms, origin: assumed}}
            """
        )
        let record = try BootSamples.run(scenario, seed: 3)
        let ranked = record.bootTimes.sorted()
        var lanes: [String] = []
        for span in record.spans where !lanes.contains(span.lane) { lanes.append(span.lane) }
        #expect(lanes.count == 2)
        let times = lanes.map { lane in
            record.markers.first { $0.node == lane && $0.kind == Marker.bootReady }?[
                Marker.secondsField
            ]
        }
        #expect(times == [ranked[4], ranked[8]])
        for lane in lanes {
            let critical = record.spans.filter { $0.lane == lane && $0.isCritical }.map(\.name)
            #expect(critical == ["a", "b"])
        }
    }

    @Test func recordedTimesAreCharged() throws {
        // Goal: a recording's times drive the real node, its spread is drawn, its origin is named.
        var setting = try BootSamples.setting(try BootSamples.scenario("graph: node, costs: lab"))
        var recording = BootRecording(
            name: "lab",
            machine: "a machine",
            commit: "abc",
            recordedAt: "2026-11-22",
            boots: 10,
            components: [
                BootRecording.Component(
                    name: "configuration",
                    phase: "pre",
                    boots: 10,
                    cpu: BootRecording.Times(median: 2, p95: 3),
                    wait: BootRecording.Times(median: 1, p95: 1)
                )
            ]
        )
        recording.before = BootRecording.Times(median: 10, p95: 10)
        recording.beforeCPU = BootRecording.Times(median: 4, p95: 4)
        setting.recording = recording
        let times = (0..<20 as Range<UInt64>).map { seed -> Double in
            setting.seed = seed
            let record = BootReplication(setting, commit: "test").run()
            #expect(record.isSound)
            #expect(record.fact("component times")?.contains("'lab' of a machine") == true)
            // Four seconds before the components, two of one of them, and both of one core.
            let time = record.bootTimes.first ?? 0
            let share = record.value(of: "cpu-share")?.value ?? 0
            let used = share / 100 * time * Double(setting.profile.cores)
            #expect(used > 4.5 && used < 9, "\(used)")
            return time
        }
        #expect(Set(times).count == 20)
        #expect(times.allSatisfy { $0 > 11.5 && $0 < 18 })
        #expect(times.sorted()[10] > 12.5 && times.sorted()[10] < 13.5)
    }

    @Test func aWarmStartFindsWhatItLeft() throws {
        // Goal: the first start makes keys, certificates and tables, the next one only reads them.
        // Method: the durable steps of both are the crash points of a sweep.
        func steps(_ start: String) throws -> [String] {
            let record = try BootSamples.run(
                BootSamples.scenario("graph: node, start: \(start), crash-points: every-step")
            )
            #expect(record.isSound, "\(record.invariants)")
            return record.markers.filter { $0.kind == Marker.crashPoint }.map(\.text)
        }
        let cold = try steps("cold")
        let warm = try steps("warm")
        for step in ["security.authority-key:after", "database.migrations.tasks:before"] {
            #expect(cold.contains(step) && !warm.contains(step))
        }
        #expect(warm.contains("ready:before"))
    }

    // MARK: - Determinism

    @Test func oneSeedOneRunOnAnyThread() async throws {
        let scenarios = try [
            BootSamples.shipped("study/boot-v2"), BootSamples.shipped("chaos/boot-faults"),
            BootSamples.scenario(nodes: 3, "graph: node"),
        ]
        for scenario in scenarios {
            let settings = try (0..<4).map { try BootSamples.setting(scenario, seed: $0) }
            let first = settings.map { BootReplication($0, commit: "test").run() }
            let again = await withTaskGroup(of: (Int, RunRecord).self) { group in
                for (index, setting) in settings.enumerated() {
                    group.addTask { (index, BootReplication(setting, commit: "test").run()) }
                }
                var records: [(Int, RunRecord)] = []
                for await record in group { records.append(record) }
                return records.sorted { $0.0 < $1.0 }.map(\.1)
            }
            for (one, other) in zip(first, again) {
                #expect(one.fingerprint == other.fingerprint)
                #expect(one.checkpoints == other.checkpoints)
                #expect(one.metrics == other.metrics)
                #expect(one.spans == other.spans && one.markers == other.markers)
                #expect(one.faults == other.faults && one.facts == other.facts)
            }
        }
    }

    @Test func seedsExploreInterleavings() throws {
        // Method: of 200 boots of the real node without any drawn cost, at least nine in ten differ.
        let scenario = try BootSamples.scenario("graph: node")
        let prints = try (0..<200).map { try BootSamples.run(scenario, seed: $0).fingerprint }
        #expect(Set(prints).count >= 180)
    }

    @Test func runsStopWhenAsked() throws {
        let setting = try BootSamples.setting(try BootSamples.shipped("study/boot-v2"))
        let interrupted = BootReplication(setting, commit: "test").run { true }
        #expect(interrupted.outcome == .interrupted)
        let until = Instant.zero + .seconds(3)
        let cut = BootReplication(setting, commit: "test", until: until).run()
        let whole = BootReplication(setting, commit: "test").run()
        guard case .truncated = cut.outcome else {
            Issue.record("\(cut.outcome)")
            return
        }
        #expect(cut.simulatedSeconds == 3)
        #expect(cut.checkpoints == Array(whole.checkpoints.prefix(cut.checkpoints.count)))
    }
}

struct Quiet: CampaignListener {
    func planned(done: Int, total: Int) {}
    func started(_ variant: String, _ seed: UInt64) {}
    func keep(_ record: RunRecord) throws {}
    func repeating() {}
}
