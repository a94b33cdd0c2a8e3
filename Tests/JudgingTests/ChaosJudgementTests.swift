import Foundation
import Judging
import Measurements
import Scenarios
import Statistics
import Testing
import Units

/// Goal: the verdict of a chaos campaign follows from its seeds by the rules of the commands' codes.
/// Method: made-up results, one rule a case; the block and the document are read as text.
@Suite struct ChaosJudgementTests {
    private func scenario(invariants: String = "[acknowledged-writes-survive]") throws -> Scenario {
        try ScenarioFile.parse(
            """
            version: 1
            name: judged
            topology:
              regions: {a: {nodes: 1}, b: {nodes: 1}}
              links: [{between: [a, b], rtt: 10 ms, rate: 100 Mbit/s}]
            workload: {kind: echo}
            invariants: \(invariants)
            sometimes: [seen, unseen]

            """,
            file: "judged.yaml"
        )
    }

    private func result(
        _ seed: UInt64,
        _ signature: FailureSignature? = nil,
        isRepeatable: Bool? = nil,
        fired: Int = 1,
        checked: UInt64 = 4
    ) -> SeedResult {
        SeedResult(
            variant: "default",
            seed: seed,
            signature: signature,
            fingerprint: String(repeating: "0", count: 32),
            events: 5,
            simulatedSeconds: 2,
            realSeconds: 0.1,
            faults: [SeedResult.FaultTally(kind: "net.down", planned: 2, fired: fired, healed: 0)],
            sightings: [SeedResult.Sighting(name: "seen", count: 1)],
            checks: [SeedResult.Sighting(name: "acknowledged-writes-survive", count: checked)],
            isRepeatable: isRepeatable,
            checkpoints: [],
            record: nil
        )
    }

    private func judge(
        _ results: [SeedResult],
        wanted: Int? = nil,
        requiresCoverage: Bool = false,
        differences: [String] = [],
        scenario: Scenario? = nil
    ) throws -> ChaosJudgement {
        ChaosJudgement(
            ChaosCampaign(
                try scenario ?? self.scenario(),
                variants: ["default"],
                requiresCoverage: requiresCoverage,
                results: results,
                wanted: wanted ?? results.count,
                differences: differences
            )
        )
    }

    private let safety = FailureSignature(.safety, rule: "order", shape: "key 5 twice")
    private let crash = FailureSignature(.crash, rule: "crash", shape: "SIGILL in f")
    private let late = FailureSignature(.liveness, rule: "progress", shape: "no leader")
    private let cut = FailureSignature(.undecided, rule: "outcome", shape: "not finished")

    @Test func noFailureBoundsTheRate() throws {
        let judgement = try judge((0..<1_000).map { result($0) })
        #expect(judgement.verdict.code == .go)
        #expect(judgement.rateBoundPercent == 0.3)
        let text = ChaosBlock(judgement, isColoured: false).text
        #expect(text.contains("0 of 1000: rate < 0.3 % (95 %)"))
        #expect(text.contains("GO"))
        #expect(text.contains("█ FAULTS  2000 planned, 1000 fired, 0 healed"))
        #expect(text.contains("█ SOMETIMES  1/2 met"))
        #expect(text.contains("warning: unseen never happened"))
    }

    // Goal: seeds that were not drawn to be checked bound no rate and cover nothing, and without a checked one
    // there is no GO. Method: a tenth of a hundred seeds checked as drawn, then one of them not, one failing
    // besides, and none drawn at all.
    @Test func sampledSeedsCountWhereTheyWereChecked() throws {
        let sampled = try ScenarioFile.parse(
            """
            version: 1
            name: sampled
            topology: {regions: {a: {nodes: 4}}}
            workload:
              kind: requests
              replicas: 3
              load: {rate: 10 /s, clients: 1}
              duration: {warmup: 0 s, measure: 10 s}
            invariants: [linearizable]
            sometimes: [seen]
            swarm: {checked: 10 %}

            """,
            file: "sampled.yaml"
        )
        let drawn = (0..<100).filter { sampled.checks(seed: $0) } as [UInt64]
        let others = (0..<100).filter { !sampled.checks(seed: $0) } as [UInt64]
        try #require(drawn.count > 2 && others.count > 2)
        func looked(_ seed: UInt64) -> SeedResult {
            var result = result(seed)
            result.checks = [SeedResult.Sighting(name: "linearizable", count: 4)]
            return result
        }
        let checked = drawn.map(looked)
        let unchecked = others.map { result($0, checked: 0) }
        let judgement = try judge(checked + unchecked, scenario: sampled)
        #expect(judgement.verdict.code == .go && judgement.checked == drawn.count)
        #expect(judgement.rateBoundPercent == 300 / Double(drawn.count))
        #expect(judgement.sometimes[0].count == UInt64(drawn.count))
        let text = ChaosBlock(judgement, isColoured: false).text
        #expect(text.contains("█ SEEDS  100 ran, \(drawn.count) checked, 0 failing   0 of "))
        let missing = [result(drawn[0], checked: 0)] + checked.dropFirst()
        #expect(try judge(missing + unchecked, scenario: sampled).verdict.code == .inconclusive)
        let crashed = [result(others[0], crash, checked: 0)] + unchecked.dropFirst()
        let failed = try judge(checked + crashed, scenario: sampled)
        #expect(failed.verdict.code == .crash && failed.failing == 1)
        #expect(failed.decided == drawn.count && failed.rate?.value == 0)
        let none = try judge(unchecked, scenario: sampled)
        #expect(none.verdict.code == .inconclusive && none.rate == nil)
    }

    @Test func theWeightiestFailureDecides() throws {
        let cases: [([FailureSignature], VerdictCode)] = [
            ([safety], .safetyViolation), ([crash], .crash), ([late], .livenessViolation),
            ([cut], .inconclusive), ([late, crash], .crash), ([crash, safety], .safetyViolation),
            ([cut, late], .livenessViolation),
        ]
        for (signatures, code) in cases {
            let failing = signatures.enumerated().map { result(UInt64($0.offset), $0.element) }
            let judgement = try judge(failing + [result(50)])
            #expect(judgement.verdict.code == code)
            #expect(judgement.groups.count == signatures.count)
            #expect(judgement.failing == signatures.count { $0.isFailure })
        }
    }

    @Test func groupsAreOrderedByWeightThenFrequency() throws {
        let other = FailureSignature(.safety, rule: "alpha", shape: "x")
        let judgement = try judge([
            result(1, late), result(2, other), result(3, safety), result(4, safety), result(5),
            result(6, crash),
        ])
        #expect(judgement.groups.map(\.signature) == [safety, other, crash, late])
        #expect(judgement.groups[0].places.map(\.seed) == [3, 4])
        #expect(try judge([result(1), result(2, cut)]).rateBoundPercent == 100)
        #expect(try judge((0..<30).map { result($0, $0 < 10 ? cut : nil) }).rateBoundPercent == 15)
        let rate = try #require(judgement.rate)
        #expect(rate.value == 5.0 / 6 && rate.low < 0.4 && rate.high > 0.99)
        let text = ChaosBlock(judgement, isColoured: false).text
        #expect(text.contains("✗ safety  order: key # twice"))
        #expect(text.contains("2 of 6 seeds, first 3, then 4"))
    }

    @Test func seedsThatDifferAreNondeterminism() throws {
        let signature = FailureSignature(.nondeterminism, rule: "determinism", shape: "s")
        let judgement = try judge(
            [result(1, signature, isRepeatable: false), result(2, isRepeatable: true)],
            differences: ["variant default, seed 1: the runs differ before 2 s"]
        )
        #expect(judgement.verdict.code == .nondeterminism)
        #expect(judgement.determinism.compared == 2 && judgement.determinism.equal == 1)
        #expect(judgement.verdict.sentences.contains { $0.contains("before 2 s") })
    }

    @Test func whatWasNotLookedAtIsNoGo() throws {
        let unchecked = try judge([result(1), result(2, checked: 0)])
        #expect(unchecked.verdict.code == .inconclusive)
        let few = try judge([result(1)], wanted: 2)
        #expect(few.verdict.code == .tooFewReplications)
        let none = try judge([result(1)], scenario: scenario(invariants: "[]"))
        #expect(none.verdict.code == .inconclusive)
        let uncovered = try judge([result(1)], requiresCoverage: true)
        #expect(uncovered.verdict.code == .inconclusive)
        #expect(uncovered.verdict.sentences == ["The campaign never met unseen."])
        // A crash leaves nothing that could have been checked.
        let crashed = try judge([result(1), result(2, crash, checked: 0)])
        #expect(crashed.verdict.code == .crash)
        #expect(crashed.verdict.allCodes == [.crash])
    }

    @Test func faultsThatNeverFiredAreWarnings() throws {
        let judgement = try judge([result(1, fired: 0), result(2, fired: 0)])
        #expect(
            judgement.warnings.first == "Fault net.down was planned 4 times and never fired."
        )
    }

    @Test func theDocumentHasTheDocumentedKeys() throws {
        let judgement = try judge([result(1, safety), result(2)])
        let document = ChaosDocument(
            judgement,
            commit: "abc",
            store: "s.sqlite",
            report: nil,
            reused: 1,
            realSeconds: 3
        )
        let object = try #require(
            JSONSerialization.jsonObject(with: JSONEncoder().encode(document)) as? [String: Any]
        )
        #expect(
            Set(object.keys) == [
                "verdict", "exitCode", "exitCodes", "reasons", "scenario", "commit", "store",
                "report", "seeds", "checked", "reused", "failing", "rate", "groups", "determinism",
                "faults",
                "sometimes", "sightings", "invariants", "warnings", "simulatedSeconds", "events",
                "realSeconds",
            ]
        )
        #expect(object["report"] is NSNull)
        let group = try #require((object["groups"] as? [[String: Any]])?.first)
        #expect(
            Set(group.keys) == [
                "kind", "rule", "shape", "example", "count", "variant", "firstSeed", "seeds",
                "failedAtSeconds",
            ]
        )
        #expect(group["seeds"] as? [Int] == [1])
    }
}
