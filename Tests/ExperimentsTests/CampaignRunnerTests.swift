import Experiments
import Judging
import Measurements
import Scenarios
import Synchronization
import Testing
import Units

/// Goal: which replications a campaign runs follows from the scenario and their results alone, never
/// from workers, timing or the archive; and nothing that was finished is lost.
/// Method: replications that are made up, so that each end of a campaign can be provoked.
@Suite struct CampaignRunnerTests {
    private func run(
        _ scenario: Scenario,
        workers: Int = 1,
        resuming: [RunRecord] = [],
        listener: Recorder = Recorder(),
        on environment: EnvironmentKind = .simulated,
        isInterrupted: @escaping @Sendable () -> Bool = { false },
        replicate: @escaping @Sendable (ReplicationSetting) throws -> RunRecord
    ) async throws -> CampaignResult {
        let plan = ScriptedCampaign.plan(scenario, on: environment)
        return try await CampaignRunner(plan, workers: workers) { setting, isCancelled in
            var record = try replicate(setting)
            if isCancelled() { record.outcome = .interrupted }
            return record
        }.run(resuming: resuming, listener: listener, isInterrupted: isInterrupted)
    }

    private static func honest(_ setting: ReplicationSetting) -> RunRecord {
        ScriptedCampaign.record(setting, latency: ScriptedCampaign.latency(setting))
    }

    @Test func workersDoNotChangeWhichReplicationsRun() async throws {
        let scenario = try ScriptedCampaign.scenario(minimum: 4, maximum: 40)
        var results: [CampaignResult] = []
        for workers in [1, 2, 7] {
            let result = try await run(scenario, workers: workers) { setting in
                CampaignRunnerTests.honest(setting)
            }
            results.append(result)
        }
        let keys = results.map { $0.campaign.runs.map(\.key) }
        #expect(keys[0] == keys[1] && keys[0] == keys[2])
        #expect(keys[0].count > 8, "the interval was narrow at once, and the rule was not tried")
        // Both variants have run the same seeds, from the scenario's first one on.
        let seeds = keys[0].filter { $0.variant == "two" }.map(\.seed)
        #expect(seeds == (0..<UInt64(seeds.count)).map { 100 + $0 })
        #expect(seeds == keys[0].filter { $0.variant == "one" }.map(\.seed))
        #expect(results.allSatisfy { $0.judgement.targets == results[0].judgement.targets })
        #expect(results[0].judgement.verdict.code == .go)
    }

    @Test func whatDoesNotVaryRunsTwice() async throws {
        let scenario = try ScriptedCampaign.scenario(minimum: 10, maximum: 40)
        let result = try await run(scenario) { ScriptedCampaign.record($0, latency: 20) }
        #expect(result.campaign.runs.count == 4)
        #expect(result.judgement.verdict.code == .go)
    }

    @Test func realRunsAlwaysReachTheMinimum() async throws {
        let scenario = try ScriptedCampaign.scenario(minimum: 5, maximum: 40)
        let result = try await run(scenario, on: .sockets) {
            ScriptedCampaign.record($0, latency: 20, on: .sockets)
        }
        #expect(result.campaign.runs.count == 10)
        #expect(result.judgement.verdict.code == .inconclusive)
    }

    @Test func aSpentBudgetBelowTheMinimumIs75() async throws {
        let scenario = try ScriptedCampaign.scenario(minimum: 400, maximum: 400, wall: "200 ms")
        let result = try await run(scenario) { setting in
            let until = ContinuousClock.now + .milliseconds(2)
            while ContinuousClock.now < until {}
            return CampaignRunnerTests.honest(setting)
        }
        #expect(result.judgement.verdict.code == .tooFewReplications)
        #expect(result.judgement.verdict.exitCode == 75)
        #expect(!result.isInterrupted)
        #expect(result.campaign.runs.count < 800)
    }

    @Test func resumingGivesWhatAnUninterruptedCampaignGives() async throws {
        let scenario = try ScriptedCampaign.scenario(minimum: 4, maximum: 40)
        let whole = try await run(scenario) { CampaignRunnerTests.honest($0) }
        for stop in [1, 5, 8] {
            let count = Counter()
            let recorder = Recorder()
            let cut = try await run(
                scenario,
                workers: 2,
                listener: recorder,
                isInterrupted: { count.value >= stop }
            ) { setting in
                defer { count.increment() }
                return CampaignRunnerTests.honest(setting)
            }
            #expect(cut.isInterrupted)
            #expect(recorder.all.count == cut.campaign.runs.count)
            // The archive may hold more than this campaign will ask for.
            var stray = cut.campaign.runs
            var setting = ScriptedCampaign.plan(scenario).common
            setting.seed = 7
            stray.append(CampaignRunnerTests.honest(setting))
            let second = Recorder()
            let resumed = try await run(
                scenario,
                workers: 2,
                resuming: stray,
                listener: second
            ) { CampaignRunnerTests.honest($0) }
            #expect(resumed.campaign.runs == whole.campaign.runs)
            #expect(resumed.judgement.targets == whole.judgement.targets)
            let all = recorder.all + second.all
            #expect(Set(all).count == all.count, "a replication ran twice")
        }
    }

    @Test func aRunThatCannotBeKeptEndsTheCampaign() async throws {
        let scenario = try ScriptedCampaign.scenario(minimum: 4, maximum: 40)
        let recorder = Recorder(limit: 3)
        await #expect(throws: Recorder.Full.self) {
            _ = try await run(scenario, workers: 2, listener: recorder) {
                CampaignRunnerTests.honest($0)
            }
        }
        #expect(recorder.all.count == 3)
    }

    /// Method: the second time that a seed runs it has another fingerprint.
    @Test func aPlantedDifferenceIsNondeterminism() async throws {
        let scenario = try ScriptedCampaign.scenario(minimum: 2, maximum: 2)
        let seen = Mutex<Set<String>>([])
        let result = try await run(scenario) { setting in
            var record = CampaignRunnerTests.honest(setting)
            record.checkpoints = [
                Checkpoint(time: .zero + .seconds(1), fingerprint: record.fingerprint)
            ]
            let name = "\(setting.variant.name) \(setting.seed)"
            if !seen.withLock({ $0.insert(name).inserted }), setting.variant.name == "two" {
                record.fingerprint = String(repeating: "f", count: 32)
            }
            return record
        }
        #expect(result.judgement.verdict.code == .nondeterminism)
        let check = try #require(result.campaign.determinism)
        #expect(check.compared == 2 && check.equal == 1)
        #expect(
            check.firstDifference
                == "variant two, seed 100: the runs differ after the last checkpoint"
        )
    }
}

/// Counts from any thread.
private final class Counter: Sendable {
    private let count = Mutex(0)

    var value: Int { count.withLock { $0 } }

    func increment() { count.withLock { $0 += 1 } }
}
