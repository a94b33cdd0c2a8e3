import Judging
import Measurements
import Scenarios
import Testing
import Units

/// Goal: a gate compares the interval, never the point.
/// Method: replications with known means and spreads on either side of a threshold, and the kinds of
/// evidence that must not decide: too few samples, truncated runs, unshaped links.
@Suite struct GateTests {
    private func status(_ campaign: Campaign) -> TargetJudgement.Status {
        Judge().judge(campaign).targets[0].status
    }

    @Test func wholeIntervalDecides() {
        let target = Campaigns.target("utilisation", .greater, 90)
        func judged(_ centre: Double, _ spread: Double) -> Judgement {
            Judge().judge(
                Campaigns.campaign(
                    [target],
                    "utilisation",
                    Campaigns.values(around: centre, spread: spread),
                    bound: Campaigns.fullLink
                )
            )
        }
        #expect(judged(93, 0.1).verdict.word == .go)
        #expect(judged(87, 0.1).verdict.code == .noGo)
        // The mean clears the target, the interval does not.
        let open = judged(90.2, 0.5)
        #expect(open.verdict.code == .inconclusive)
        guard case .undecided(_, let more?) = open.targets[0].status else {
            Issue.record("\(open.targets[0].status)")
            return
        }
        // s = 1.514, half-width 1.083, distance 0.2: n must grow about 29-fold.
        #expect(more > 200 && more < 400)
    }

    @Test(arguments: [
        (Target.Comparison.less, 5.0, true), (.less, 4.0, false), (.lessOrEqual, 4.0, true),
        (.greater, 3.0, true), (.greater, 4.0, false), (.greaterOrEqual, 4.0, true),
        (.equal, 4.0, true), (.equal, 4.5, false), (.notEqual, 4.5, true), (.notEqual, 4.0, false),
    ])
    func deterministicFiguresDecideExactly(
        comparison: Target.Comparison,
        threshold: Double,
        passes: Bool
    ) {
        let campaign = Campaigns.campaign(
            [Campaigns.target("ratio-dirty", comparison, threshold)],
            "ratio-dirty",
            [4, 4]
        )
        let judgement = Judge().judge(campaign)
        #expect(judgement.targets[0].status == (passes ? .passed : .failed))
        // Two replications suffice where nothing varies.
        #expect(judgement.verdict.code == (passes ? .go : .noGo))
        #expect(judgement.targets[0].figureText == "4.000x deterministic")
    }

    @Test func fewerThanTheMinimumIsNotEnough() {
        let campaign = Campaigns.campaign(
            [Campaigns.target("ratio-dirty", .greater, 3)],
            "ratio-dirty",
            [4, 4.01, 4.02]
        )
        let verdict = Judge().judge(campaign).verdict
        #expect(verdict.exitCode == 75 && verdict.word == .inconclusive)
    }

    @Test func truncatedRunsAndMissingFiguresDecideNothing() {
        let target = Campaigns.target("ratio-dirty", .greater, 3)
        var campaign = Campaigns.campaign([target], "ratio-dirty", Array(repeating: 4, count: 10))
        campaign.runs[3].outcome = .truncated(reason: "the event limit of 5 was reached")
        var judgement = Judge().judge(campaign)
        #expect(judgement.verdict.code == .inconclusive)
        #expect(judgement.verdict.sentences[0].contains("event limit"))
        campaign.runs[3].outcome = .completed
        campaign.runs[3].metrics = []
        judgement = Judge().judge(campaign)
        #expect(judgement.verdict.code == .inconclusive)
        campaign.runs[3].metrics = [MetricValue("ratio-dirty", samples: [], bound: nil)]
        #expect(Judge().judge(campaign).verdict.code == .inconclusive)
        campaign.runs = []
        #expect(Judge().judge(campaign).verdict.exitCode == 75)
    }

    @Test func realRunsWithoutLinksCanGiveAGo() {
        var campaign = Campaigns.campaign(
            [Campaigns.target("ratio-dirty", .greater, 3)],
            "ratio-dirty",
            [4, 4],
            environment: .sockets
        )
        campaign.usesLinks = false
        #expect(Judge().judge(campaign).verdict.code == .go)
    }

    @Test func aBoundOnTheOtherSideSaysNothingAboutReach() {
        let target = Campaigns.target("cpu-share", .less, 10)
        func sentence(_ side: BoundSide, _ limit: Double) -> String {
            let bound = PhysicalBound(side, limit, derivation: "given")
            let runs = (0..<3).map { seed in
                Campaigns.run(
                    "dwcp",
                    seed: UInt64(seed),
                    [MetricValue("cpu-share", 40, bound: bound)]
                )
            }
            var campaign = Campaigns.campaign([target], "cpu-share", [])
            campaign.runs = runs
            return Judge().judge(campaign).targets[0].sentence
        }
        #expect(!sentence(.upper, 100).contains("bound"))
        #expect(sentence(.lower, 20).contains("no implementation reaches it here"))
    }

    @Test func unshapedSocketsJudgeNoNetwork() {
        let network = Campaigns.target("utilisation", .greater, 90)
        let ratio = Campaigns.target("ratio-dirty", .greater, 3)
        var campaign = Campaigns.campaign(
            [network, ratio],
            "ratio-dirty",
            [4, 4],
            environment: .sockets
        )
        let judgement = Judge().judge(campaign)
        #expect(judgement.targets[0].status == .notJudged(reason: "unshaped"))
        #expect(judgement.targets[1].status == .passed)
        #expect(judgement.verdict.code == .inconclusive)
        #expect(VerdictBlock(judgement, isColoured: false).text.contains("not judged: unshaped"))
        // A missed target stays a NO-GO there.
        campaign.targets = [Campaigns.target("ratio-dirty", .greater, 5)]
        #expect(Judge().judge(campaign).verdict.code == .noGo)
        // And even a campaign whose every target passes is no GO.
        campaign.targets = [ratio]
        #expect(Judge().judge(campaign).verdict.code == .inconclusive)
    }

    @Test func ratioFullIsNeverGatedAlone() {
        let full = Campaigns.target("ratio-full", .greater, 3)
        var campaign = Campaigns.campaign([full], "ratio-full", [4, 4])
        #expect(
            Judge().judge(campaign).targets[0].status
                == .notJudged(reason: "ratio-full is gated only beside ratio-dirty")
        )
        #expect(Judge().judge(campaign).verdict.code == .inconclusive)
        campaign.targets = [full, Campaigns.target("ratio-dirty", .greater, 3)]
        #expect(Judge().judge(campaign).targets[0].status == .passed)
        campaign.targets = [Campaigns.target("peak-memory", .less, 3)]
        #expect(Judge().judge(campaign).verdict.code == .inconclusive)
    }

    @Test func percentilesPoolWhenReplicationsAreSmall() {
        let bound = PhysicalBound(.lower, 38, derivation: "RTT/2")
        let target = Campaigns.target("downtime", .percentile(99), .less, 500)
        var campaign = Campaigns.campaign([target], "downtime", [])
        func fill(_ runs: Int, samples: Int) {
            campaign.runs = (0..<runs).map { run in
                let values = (0..<samples).map { 400 + Double((run * samples + $0) % 97) }
                return Campaigns.run(
                    "dwcp",
                    seed: UInt64(run),
                    [MetricValue("downtime", samples: values, bound: bound)]
                )
            }
        }
        fill(20, samples: 10)
        // 368 samples bound the 99th percentile, 200 are there, 10 a replication.
        let open = status(campaign)
        #expect(
            open
                == .undecided(
                    reason: "200 samples, 368 bound the percentile",
                    moreReplications: 17
                )
        )
        fill(40, samples: 10)
        #expect(status(campaign) == .passed)
        fill(10, samples: 1_000)
        let own = Judge().judge(campaign).targets[0]
        #expect(own.status == .passed)
        #expect(own.method.contains("each replication"))
    }

    @Test func extremesCountsAndRates() {
        let values = Campaigns.values(around: 4, spread: 0.1)
        func judged(_ statistic: Target.Statistic, _ threshold: Double) -> TargetJudgement.Status {
            let target = Campaigns.target("ratio-dirty", statistic, .greaterOrEqual, threshold)
            return status(Campaigns.campaign([target], "ratio-dirty", values))
        }
        #expect(judged(.min, 3.55) == .passed)
        #expect(judged(.min, 3.56) == .failed)
        #expect(judged(.max, 4.45) == .passed)
        #expect(judged(.max, 4.46) == .failed)
        #expect(judged(.count, 1) == .passed)
        #expect(judged(.rate, 0.5) == .passed)
        #expect(judged(.rate, 0.51) == .failed)
    }

    @Test func selectorsPickTheirLink() {
        var campaign = Campaigns.campaign(
            [Campaigns.target("ratio-dirty", .mean, .greater, 3, link: "a→b")],
            "ratio-dirty",
            []
        )
        campaign.runs = (0..<2).map { seed in
            Campaigns.run(
                "dwcp",
                seed: seed,
                [
                    MetricValue("ratio-dirty", 2, bound: nil),
                    MetricValue("ratio-dirty", 4, labels: [Label("link", "a→b")], bound: nil),
                    MetricValue("ratio-dirty", 1, labels: [Label("link", "b→a")], bound: nil),
                ]
            )
        }
        #expect(status(campaign) == .passed)
        campaign.targets = [Campaigns.target("ratio-dirty", .equal, 2)]
        #expect(status(campaign) == .passed)
    }

    // Transfers of one link are told apart by their names, and the link's own figure is its own.
    @Test func selectorsPickTheirTransfer() {
        func target(_ value: Double, link: String? = nil, transfer: String? = nil) -> Target {
            Campaigns.target(
                "ratio-dirty",
                .mean,
                .equal,
                value,
                link: link,
                transfer: transfer
            )
        }
        func judged(_ target: Target) -> TargetJudgement.Status {
            var campaign = Campaigns.campaign([target], "ratio-dirty", [])
            campaign.runs = (0..<2 as Range<UInt64>).map { seed in
                let figures = [(2.0, "one"), (4, "two"), (6, nil)] as [(Double, String?)]
                let metrics = figures.map { value, transfer in
                    MetricValue(
                        "ratio-dirty",
                        value,
                        labels: [Label("link", "wan")]
                            + (transfer.map { [Label("transfer", $0)] } ?? []),
                        bound: nil
                    )
                }
                return Campaigns.run("dwcp", seed: seed, metrics)
            }
            return status(campaign)
        }
        #expect(judged(target(2, transfer: "one")) == .passed)
        #expect(judged(target(4, link: "wan", transfer: "two")) == .passed)
        #expect(judged(target(6, link: "wan")) == .passed)
        #expect(judged(target(2, transfer: "two")) == .failed)
        #expect(
            target(2, transfer: "one").expression == "ratio-dirty{transfer: one} mean == 2x"
        )
    }

    // A figure of a transfer, and those of its two ends: the transfer's is meant unless a region is named.
    @Test(arguments: [true, false])
    func namesDoNotHideFigures(isLabelled: Bool) {
        func judged(link: String?, transfer: String?) -> TargetJudgement.Status {
            let target = Campaigns.target(
                "ratio-dirty",
                .mean,
                .equal,
                2,
                link: link,
                transfer: transfer
            )
            var campaign = Campaigns.campaign([target], "ratio-dirty", [])
            campaign.runs = (0..<2 as Range<UInt64>).map { seed in
                let metrics = [(2.0, nil), (4, "a"), (6, "b")].map { value, region in
                    MetricValue(
                        "ratio-dirty",
                        value,
                        labels: (isLabelled ? [Label("link", "wan")] : [])
                            + (region.map { [Label("region", $0)] } ?? [])
                            + [Label("transfer", "one")],
                        bound: nil
                    )
                }
                return Campaigns.run("dwcp", seed: seed, metrics)
            }
            return status(campaign)
        }
        #expect(judged(link: nil, transfer: "one") == .passed)
        #expect(judged(link: isLabelled ? "wan" : nil, transfer: nil) == .passed)
    }
}

extension Campaigns {
    static func target(
        _ metric: String,
        _ comparison: Target.Comparison,
        _ threshold: Double
    ) -> Target {
        target(metric, .mean, comparison, threshold)
    }
}
