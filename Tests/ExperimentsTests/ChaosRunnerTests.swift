import Experiments
import FaultInjection
import Foundation
import Judging
import Measurements
import Scenarios
import Synchronization
import Testing
import Units

/// Goal: a campaign runs every seed once, some of them twice in other processes, keeps what it has
/// when it is stopped, and goes on where it was.
/// Method: made-up runs, among them one that is not deterministic on purpose, with one and with several
/// workers; and real runs with a promise that is broken on purpose.
@Suite struct ChaosRunnerTests {
    private func runner(
        seeds: Int,
        first: UInt64 = 1,
        variants: [String] = ["default"],
        jobs: Int = 3,
        renew: @escaping @Sendable () -> Void = {},
        _ run: @escaping @Sendable (SeedOrder) throws -> SeedAnswer
    ) -> ChaosRunner {
        ChaosRunner(
            ChaosPlan(variants: variants, firstSeed: first, seeds: seeds),
            jobs: jobs,
            run: { order, _, isCancelled in try isCancelled() ? nil : run(order) },
            renew: renew
        )
    }

    @Test(arguments: [1, 4]) func everySeedOfEveryVariantRunsInOrder(jobs: Int) throws {
        let orders = Mutex<[SeedOrder]>([])
        let recorder = SeedRecorder()
        let outcome = try runner(seeds: 250, first: 40, variants: ["a", "b"], jobs: jobs) { order in
            orders.withLock { $0.append(order) }
            return ChaosSamples.passed(order)
        }.run(listener: recorder, isInterrupted: { false })
        let wanted = (40..<290).flatMap { seed in ["a", "b"].map { "\($0) \(seed)" } }
        #expect(outcome.results.map { "\($0.variant) \($0.seed)" } == wanted)
        #expect(outcome.wanted == 500 && !outcome.isInterrupted)
        // About one percent runs twice, and the first seed in any case.
        let repeated = outcome.results.filter { $0.isRepeatable != nil }
        #expect(repeated.allSatisfy { $0.isRepeatable == true })
        #expect(repeated.contains { $0.seed == 40 })
        #expect((2...20).contains(repeated.count))
        let ran = orders.withLock { $0.count }
        #expect(ran == 500 + repeated.count)
    }

    @Test func whichSeedsRunTwiceDoesNotDependOnTheRange() throws {
        func repeated(_ first: UInt64, _ count: Int) throws -> Set<UInt64> {
            let outcome = try runner(seeds: count, first: first) { ChaosSamples.passed($0) }
                .run(listener: SeedRecorder(), isInterrupted: { false })
            return Set(outcome.results.filter { $0.isRepeatable != nil }.map(\.seed))
        }
        let whole = try repeated(0, 2_000)
        let part = try repeated(1_000, 500)
        #expect(part == Set(whole.filter { (1_000..<1_500).contains($0) }).union([1_000]))
        #expect((10...32).contains(whole.count))
    }

    @Test func repetitionsMeetOtherProcesses() throws {
        // The number of the process that stands for all workers; renewing starts the next.
        let process = Atomic<Int>(1)
        let seen = Mutex<[UInt64: [Int]]>([:])
        let outcome = try runner(
            seeds: 300,
            renew: { process.wrappingAdd(1, ordering: .relaxed) }
        ) { order in
            seen.withLock {
                $0[order.seed, default: []].append(process.load(ordering: .relaxed))
            }
            return ChaosSamples.passed(order)
        }.run(listener: SeedRecorder(), isInterrupted: { false })
        for result in outcome.results {
            let processes = seen.withLock { $0[result.seed] }
            #expect(processes == (result.isRepeatable == nil ? [1] : [1, 2]))
        }
    }

    /// Method: the fake's second process gives another fingerprint for one seed; the runs differ at
    /// their second checkpoint.
    @Test func aRunThatIsNotDeterministicIsFound() throws {
        let process = Atomic<Int>(1)
        let recorder = SeedRecorder()
        let outcome = try runner(
            seeds: 3,
            first: 70,
            renew: { process.wrappingAdd(1, ordering: .relaxed) }
        ) { order in
            let isFirst = process.load(ordering: .relaxed) == 1
            return ChaosSamples.passed(
                order,
                fingerprint: isFirst ? nil : String(repeating: "f", count: 32)
            )
        }.run(listener: recorder, isInterrupted: { false })
        #expect(
            outcome.differences == ["variant default, seed 70: the runs differ before 2 s"]
        )
        let result = try #require(outcome.results.first)
        #expect(result.isRepeatable == false)
        #expect(result.signature?.kind == .nondeterminism)
        // Kept twice: as it ran first, and as it was found to be.
        #expect(recorder.all.filter { $0.seed == 70 }.map(\.isRepeatable) == [nil, false])
        let judgement = try judged(outcome)
        #expect(judgement.verdict.code == .nondeterminism)
    }

    @Test func theFirstSeedOfEachKindOfFailureRunsTwice() throws {
        let orders = Mutex<[UInt64]>([])
        let outcome = try runner(seeds: 60, first: 1) { order in
            orders.withLock { $0.append(order.seed) }
            var answer = ChaosSamples.passed(order)
            if order.seed % 10 == 3 {
                answer.result.signature = FailureSignature(.safety, rule: "r", shape: "key 5")
            } else if order.seed % 10 == 7 {
                answer.result.signature = FailureSignature(.crash, rule: "crash", shape: "trap")
            }
            return answer
        }.run(listener: SeedRecorder(), isInterrupted: { false })
        let ran = orders.withLock { $0 }
        let counts = Dictionary(grouping: ran) { $0 }.mapValues(\.count)
        #expect(counts[3] == 2 && counts[7] == 2)
        #expect(counts[13] == 1 && counts[17] == 1)
        #expect(outcome.results.count { $0.isFailing } == 12)
    }

    @Test func ofManySeedsThatFailAlikeOnlySomeAreKeptInFull() throws {
        let outcome = try runner(seeds: 200) { order in
            var answer = ChaosSamples.passed(order)
            answer.result.signature = FailureSignature(.safety, rule: "r", shape: "s")
            answer.result.record = RunRecord(
                key: RunKey(
                    scenario: "s",
                    scenarioDigest: "d",
                    variant: "default",
                    seed: order.seed,
                    environment: .simulated
                ),
                commit: "abc"
            )
            return answer
        }.run(listener: SeedRecorder(), isInterrupted: { false })
        #expect(outcome.results.count { $0.record != nil } == ChaosRunner.recordsPerGroup)
        #expect(outcome.results.allSatisfy { $0.isFailing })
    }

    @Test func whatIsInTheArchiveDoesNotRunAgain() throws {
        let first = try runner(seeds: 100) { ChaosSamples.passed($0) }
            .run(listener: SeedRecorder(), isInterrupted: { false })
        let orders = Mutex<[UInt64]>([])
        let recorder = SeedRecorder()
        let second = try runner(seeds: 120) { order in
            orders.withLock { $0.append(order.seed) }
            return ChaosSamples.passed(order)
        }.run(resuming: first.results, listener: recorder, isInterrupted: { false })
        let ran = orders.withLock { $0 }
        #expect(Set(ran) == Set(101...120))
        #expect(second.results.count == 120)
        #expect(second.results.prefix(100).map(\.isRepeatable) == first.results.map(\.isRepeatable))
        // Seeds outside the plan are nobody's business.
        let third = try runner(seeds: 10) { ChaosSamples.passed($0) }
            .run(resuming: second.results, listener: SeedRecorder(), isInterrupted: { false })
        #expect(third.results.map(\.seed) == Array(1...10))
    }

    @Test func anInterruptionKeepsWhatIsDone() throws {
        let isInterrupted = Atomic<Bool>(false)
        let recorder = SeedRecorder()
        let outcome = try runner(seeds: 1_000, jobs: 2) { order in
            if order.seed == 50 { isInterrupted.store(true, ordering: .relaxed) }
            return ChaosSamples.passed(order)
        }.run(listener: recorder, isInterrupted: { isInterrupted.load(ordering: .relaxed) })
        #expect(outcome.isInterrupted)
        #expect((49...60).contains(outcome.results.count))
        #expect(recorder.all.count == outcome.results.count)
    }

    // Goal: a slow archive does not hold up the one process that runs seeds, and nothing is lost or swapped by that.
    // Method: the first result is kept only once a later seed has begun; a runner that waits comes to the time-out.
    @Test func theNextSeedBeginsWhileAResultIsBeingKept() throws {
        let archive = SlowArchive()
        let outcome = try runner(seeds: 40, jobs: 1) { order in
            if order.seed == 2 { archive.go() }
            return ChaosSamples.passed(order)
        }.run(listener: archive, isInterrupted: { false })
        #expect(archive.wentOnBesides)
        let kept = archive.seeds
        #expect(kept.prefix(40) == Array(1...40)[...])
        #expect(kept.count == 40 + outcome.results.count { $0.isRepeatable != nil })
    }

    @Test func whatCannotBeKeptEndsTheCampaign() throws {
        #expect(throws: SeedRecorder.Full.self) {
            try runner(seeds: 1_000) { ChaosSamples.passed($0) }
                .run(listener: SeedRecorder(limit: 20), isInterrupted: { false })
        }
    }

    /// Method: real runs of echo with real faults and a promise that breaks when an outage precedes a
    /// restart; found among passing seeds, grouped as one, then made small to exactly these two.
    @Test func aPlantedFailureIsFoundGroupedAndShrunk() throws {
        let scenario = try ChaosSamples.scenario()
        let run: @Sendable (SeedOrder) throws -> SeedAnswer = {
            try ChaosSamples.planted($0, scenario)
        }
        let outcome = try runner(seeds: 12, run).run(
            listener: SeedRecorder(),
            isInterrupted: { false }
        )
        let failing = outcome.results.filter(\.isFailing)
        #expect((1...11).contains(failing.count), "\(failing.count) of 12 fail")
        let judgement = try judged(outcome, scenario)
        #expect(judgement.groups.count == 1)
        let signature = try #require(judgement.groups.first).signature
        #expect(signature.text == "planted: node # came back after an outage at #")
        #expect(judgement.verdict.code == .safetyViolation)
        #expect(judgement.sometimes.map(\.count).map { $0 > 0 } == [true, false])
        #expect(judgement.warnings.count == 1)

        let seed = try #require(failing.first).seed
        let setting = ChaosSamples.setting(scenario, seed: seed)
        let original = try run(SeedOrder(variant: "default", seed: seed))
        let small = try Shrinker(
            setting,
            jobs: 2,
            listener: SilentShrinking(),
            run: { order, _, _ in try run(order) },
            isInterrupted: { false }
        ).shrink(original)
        #expect(small.faultsBefore >= 20)
        let kinds = Set(small.answer.faults.map { $0.text.split(separator: " ")[0] })
        #expect(kinds == ["net.down", "node.restart"])
        #expect(small.faultsAfter == 2)
        #expect(small.reduction.regions == [Reduction.RegionSize(region: "clients", nodes: 1)])
        #expect(small.reduction.until == small.answer.result.failedAt.map(Self.roundedUp))
        let again = try run(
            SeedOrder(variant: "default", seed: seed, reduction: small.reduction)
        )
        #expect(again.result.fingerprint == small.answer.result.fingerprint)
        #expect(again.result.signature == signature)
    }

    // Goal: a failure that comes with many small sets of faults, but with none of those that delta debugging reaches,
    // is made small all the same. Method: a made-up one needs the first and the last fault and not too many others, so
    // that neither a part of the plan nor what is left without one shows it.
    @Test func whatNoNeighbourShowsIsFoundByDrawing() throws {
        let scenario = try ScenarioFile.parse(
            """
            version: 1
            name: stumbling
            topology:
              regions: {clients: {nodes: 1}, server: {nodes: 1}}
              links: [{between: [clients, server], rtt: 10 ms, rate: 100 Mbit/s}]
            workload: {kind: echo, from: clients, to: server, requests: 40, interval: 100 ms,
              timeout: 200 ms, attempts: 60, stream: 0 B, streams: 1, deadline: 30 s}
            faults: [{kind: node.pause, every: 1500 ms, for: 20 ms, select: {role: client}}]
            invariants: [acknowledged-writes-survive]

            """,
            file: "stumbling.yaml"
        )
        let setting = ChaosSamples.setting(scenario, seed: 1)
        var names: [PlannedFault.Name] = []
        for fault in setting.faultPlan.faults where !names.contains(fault.name) {
            names.append(fault.name)
        }
        let causes = [names[0], names[names.count - 1]]
        let all = names
        let run: @Sendable (SeedOrder) -> SeedAnswer = { order in
            let kept = order.reduction.faults ?? all
            let isFew = kept.count == all.count || kept.count <= all.count / 2
            guard isFew, causes.allSatisfy(kept.contains) else { return ChaosSamples.passed(order) }
            let result = SeedResult(
                variant: order.variant,
                seed: order.seed,
                crash: "it stumbles",
                realSeconds: 0.01
            )
            return SeedAnswer(result)
        }
        let outcomes = try (0..<2).map { _ in
            try Shrinker(
                setting,
                jobs: 1,
                listener: SilentShrinking(),
                run: { order, _, _ in run(order) },
                isInterrupted: { false }
            ).shrink(run(SeedOrder(variant: "default", seed: 1)))
        }
        #expect((12...40).contains(names.count))
        #expect(outcomes.map(\.reduction.faults) == [causes, causes])
        #expect(outcomes[0].runs == outcomes[1].runs && outcomes[0].runs < 2_000)
    }

    private static func roundedUp(_ time: Instant) -> Instant {
        Instant(nanoseconds: (time.nanoseconds + 999_999) / 1_000_000 * 1_000_000)
    }

    private func judged(
        _ outcome: ChaosOutcome,
        _ scenario: Scenario? = nil
    ) throws -> ChaosJudgement {
        ChaosJudgement(
            ChaosCampaign(
                try scenario ?? ChaosSamples.scenario(),
                variants: ["default"],
                requiresCoverage: false,
                results: outcome.results,
                wanted: outcome.wanted,
                differences: outcome.differences
            )
        )
    }
}

/// Keeps the first result only once it is told to go on.
private final class SlowArchive: ChaosListener, @unchecked Sendable {
    // Unchecked, because semaphores of the dispatch library are made for several threads.
    private let signal = DispatchSemaphore(value: 0)
    private let state = Mutex<(seeds: [UInt64], wentOn: Bool)>(([], false))

    var seeds: [UInt64] { state.withLock { $0.seeds } }
    /// Whether it was told so while a result was being kept.
    var wentOnBesides: Bool { state.withLock { $0.wentOn } }

    func go() { signal.signal() }

    func planned(done: Int, total: Int) {}

    func keep(_ result: SeedResult) {
        if seeds.isEmpty {
            let isTold = signal.wait(timeout: .now() + 60) == .success
            state.withLock { $0.wentOn = isTold }
        }
        state.withLock { $0.seeds.append(result.seed) }
    }

    func repeating(_ count: Int) {}
}

struct SilentShrinking: ShrinkListener {
    func smaller(_ reduction: Reduction, faults: Int, runs: Int) {}
    func tried(runs: Int) {}
}
