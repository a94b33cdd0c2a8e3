import Foundation
import Judging
import Measurements
import Scenarios
import Testing
import Units

/// Goal: the verdict, its exit code, the terminal block and the JSON document keep their contract.
/// Method: every pair of codes against the published order, campaigns that end in each code, and
/// exact texts and keys.
@Suite struct VerdictTests {
    @Test func theFirstCodeOfThePublishedOrderWins() {
        let order = [14, 12, 10, 13, 11, 1, 3, 75, 2]
        for (index, first) in order.enumerated() {
            for second in order[index...] {
                let codes = [second, first].map { VerdictCode(rawValue: $0)! }
                let verdict = Verdict(codes: codes + [.go], sentences: [])
                #expect(verdict.exitCode == first)
                #expect(
                    verdict.allCodes.map(\.rawValue)
                        == (first == second ? [first] : [first, second])
                )
            }
        }
        #expect(Verdict(codes: [], sentences: []).code == .go)
        #expect(VerdictCode.crash.word == .noGo && VerdictCode.regression.word == .noGo)
        #expect(VerdictCode.tooFewReplications.word == .inconclusive)
    }

    /// A target reads as the scenario gives it: one of 99.999 % is none of 100 %.
    @Test func targetsAreWordedWithAllTheirPlaces() {
        for (value, text) in [(99.999, "99.999 %"), (90, "90 %"), (99.9999999, "99.9999999 %")] {
            let target = Campaigns.target("availability", .greaterOrEqual, value)
            #expect(target.expression == "availability mean >= \(text)")
        }
        let rate = Campaigns.target("goodput", .greater, 94.25e6)
        #expect(rate.expression == "goodput mean > 94.25 Mbit/s")
    }

    private func campaign() -> Campaign {
        Campaigns.campaign(
            [Campaigns.target("ratio-dirty", .greater, 3)],
            "ratio-dirty",
            Array(repeating: 4, count: 10)
        )
    }

    @Test(arguments: [
        (RunOutcome.failed(message: "index out of range"), 13),
        (.safetyViolation(message: "two leaders"), 10),
        (.livenessViolation(message: "no leader in 5 s"), 11),
        (.truncated(reason: "time limit"), 2),
    ])
    func outcomesOfRuns(outcome: RunOutcome, code: Int) {
        var campaign = campaign()
        campaign.runs[2].outcome = outcome
        #expect(Judge().judge(campaign).verdict.exitCode == code)
    }

    @Test func interruptedRunsDoNotCount() {
        var campaign = campaign()
        campaign.runs.append(Campaigns.run("dwcp", seed: 99, [], outcome: .interrupted))
        let judgement = Judge().judge(campaign)
        #expect(judgement.verdict.code == .go && judgement.runCount == 10)
    }

    @Test func invariantsMustBeCheckedAndKept() {
        var campaign = campaign()
        campaign.invariants = ["transfer-identical"]
        #expect(Judge().judge(campaign).verdict.code == .inconclusive)
        for index in campaign.runs.indices {
            campaign.runs[index].invariants = [
                InvariantOutcome(name: "transfer-identical", checked: 3, violations: [])
            ]
        }
        let kept = Judge().judge(campaign)
        #expect(kept.verdict.code == .go)
        #expect(kept.invariants[0].checked == 30)
        let violation = Violation(time: Instant(nanoseconds: 5_000_000), message: "byte 7 differs")
        campaign.runs[1].invariants = [
            InvariantOutcome(name: "transfer-identical", checked: 3, violations: [violation])
        ]
        let broken = Judge().judge(campaign).verdict
        #expect(broken.exitCode == 10)
        #expect(broken.sentences.contains { $0.contains("Run dwcp/seed 43 at 5 ms: byte 7") })
        for index in campaign.runs.indices {
            campaign.runs[index].invariants = [
                InvariantOutcome(
                    name: "transfer-identical",
                    kind: .liveness,
                    checked: 3,
                    violations: index == 1 ? [violation] : []
                )
            ]
        }
        #expect(Judge().judge(campaign).verdict.exitCode == 11)
    }

    @Test func differingRepetitionsAreNondeterminism() {
        var campaign = campaign()
        campaign.determinism = DeterminismCheck(compared: 2, equal: 2)
        #expect(Judge().judge(campaign).verdict.code == .go)
        campaign.determinism = DeterminismCheck(
            compared: 2,
            equal: 1,
            firstDifference: "dwcp seed 42 at 3 s"
        )
        let verdict = Judge().judge(campaign).verdict
        #expect(verdict.exitCode == 12 && verdict.word == .noGo)
        #expect(verdict.sentences[0].contains("dwcp seed 42 at 3 s"))
    }

    @Test func nothingToJudgeIsNoGo() {
        var campaign = campaign()
        campaign.targets = []
        #expect(Judge().judge(campaign).verdict.code == .inconclusive)
    }

    @Test func silentFaultsAreWarnings() {
        var campaign = campaign()
        campaign.runs[0].faults = [
            FaultRecord(
                kind: "net.loss",
                target: "a→b",
                planned: .zero,
                fired: nil,
                healed: nil
            )
        ]
        let judgement = Judge().judge(campaign)
        #expect(judgement.verdict.code == .go)
        #expect(judgement.warnings == ["Fault net.loss on a→b never fired in 1 runs."])
    }

    @Test func blockReadsAsPublished() {
        let utilisation = Campaigns.target("utilisation", .greater, 90)
        let downtime = Campaigns.target("downtime", .percentile(99), .less, 500)
        var campaign = Campaigns.campaign([utilisation, downtime], "utilisation", [])
        campaign.runs = (0..<20).map { index in
            let spread = Double(index) - 9.5
            return Campaigns.run(
                "dwcp",
                seed: UInt64(index),
                [
                    MetricValue("utilisation", 93.1 + spread / 7, bound: Campaigns.fullLink),
                    MetricValue(
                        "downtime",
                        470 + 2 * spread,
                        bound: PhysicalBound(.lower, 38, derivation: "RTT/2")
                    ),
                ]
            )
        }
        campaign.determinism = DeterminismCheck(compared: 2, equal: 2)
        let judgement = Judge().judge(campaign)
        let expected = """
            █ TARGETS                                                   INCONCLUSIVE
             ✓ utilisation{dwcp} mean > 90 %  93.1 % [92.7 93.5] n=20  bound 100 %
             ? downtime{dwcp} p(99) < 500 ms  488.6 ms [487.0 ∞] n=20  about 348 more replications
            █ INVARIANTS  20 runs, 0 violations   █ DETERMINISM  2/2 equal
            """
        #expect(VerdictBlock(judgement, isColoured: false).text == expected)
        #expect(VerdictBlock(judgement, isColoured: true).text.contains("\u{1B}[33mINCONCLUSIVE"))
    }

    @Test func documentHasExactlyThePublishedKeys() throws {
        var campaign = campaign()
        campaign.invariants = ["transfer-identical"]
        let judgement = Judge().judge(campaign)
        let document = VerdictDocument(
            judgement,
            campaign: campaign,
            commit: "abc",
            store: "reports/results.sqlite",
            report: nil
        )
        let data = try JSONEncoder().encode(document)
        let object = try #require(
            try JSONSerialization.jsonObject(with: data) as? [String: Any]
        )
        #expect(
            Set(object.keys) == [
                "verdict", "exitCode", "exitCodes", "scenario", "commit", "environment", "store",
                "report", "runs", "targets", "invariants", "metrics", "boots", "crashPoints",
                "envelope",
            ]
        )
        #expect(object["report"] is NSNull)
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
        #expect(target["expression"] as? String == "ratio-dirty mean > 3x")
        #expect(target["bound"] is NSNull)
        #expect(object["exitCode"] as? Int == 2)
    }
}

/// Goal: a campaign asks for just the replications it needs, whatever the order of its runs.
/// Method: campaigns before and after the minimum, at the maximum, and shuffled.
@Suite struct ReplicationTests {
    private let target = Campaigns.target("ratio-dirty", .greater, 3)

    private func wanted(_ values: [Double], maximum: Int = 100) -> Int {
        Judge().replicationsWanted(
            Campaigns.campaign([target], "ratio-dirty", values, maximum: maximum)
        )
    }

    @Test func targetsThatAreNotJudgedNeedOneRun() {
        let network = Campaigns.target("utilisation", .greater, 90)
        func wanted(_ values: [Double]) -> Int {
            Judge().replicationsWanted(
                Campaigns.campaign([network], "utilisation", values, environment: .sockets)
            )
        }
        #expect(wanted([]) == 1)
        #expect(wanted([93]) == 0)
    }

    @Test func followsMinimumPrecisionAndMaximum() {
        #expect(wanted([]) == 2)
        #expect(wanted([4, 4]) == 0)
        #expect(wanted([4, 4.1]) == 8)
        #expect(wanted(Campaigns.values(around: 4, spread: 0.01)) == 0)
        let wide = Campaigns.values(around: 10, spread: 1)
        #expect(wanted(wide) == 10)
        #expect(wanted(wide, maximum: 12) == 2)
        #expect(wanted(wide, maximum: 10) == 0)
    }

    @Test func narrowButUndecidedGatesGoOnOnlyWithinTheMaximum() {
        // Half-width 2.7 %, and the threshold lies inside the interval.
        let narrow = Campaigns.values(around: 3.05, spread: 0.04)
        #expect(wanted(narrow) > 0)
        #expect(wanted(narrow, maximum: 11) == 0)
    }

    @Test func percentilesThatTheMaximumCannotBoundEndTheCampaign() {
        let downtime = Campaigns.target("downtime", .percentile(99), .less, 500)
        let bound = PhysicalBound(.lower, 38, derivation: "RTT/2")
        func wanted(maximum: Int) -> Int {
            Judge().replicationsWanted(
                Campaigns.campaign(
                    [downtime],
                    "downtime",
                    Campaigns.values(around: 300, spread: 2),
                    bound: bound,
                    maximum: maximum
                )
            )
        }
        // 368 samples bound it, one a replication.
        #expect(wanted(maximum: 400) == 358)
        #expect(wanted(maximum: 100) == 0)
    }

    @Test func orderOfRunsDoesNotMatter() {
        var campaign = Campaigns.campaign(
            [target],
            "ratio-dirty",
            Campaigns.values(around: 10, spread: 1)
        )
        let judge = Judge()
        let before = (judge.replicationsWanted(campaign), judge.judge(campaign).targets)
        campaign.runs.reverse()
        #expect(judge.replicationsWanted(campaign) == before.0)
        #expect(judge.judge(campaign).targets == before.1)
    }
}
