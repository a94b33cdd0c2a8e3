import Judging
import Measurements
import Scenarios
import Testing

/// Goal: what nodes miss while they wait for a processor is no NO-GO; what they reach all the same is
/// reached, unless it is what they do to others.
/// Method: clear figures of a link beside waits of its own nodes, of others, and of nobody.
@Suite struct ProcessorShortageTests {
    private static func judgement(
        _ target: Target,
        figure: Double,
        wait: Double?,
        need: Double = 97,
        of link: String? = "ocean"
    ) -> Judgement {
        let ocean = [Label("link", "ocean")]
        var campaign = Campaigns.campaign([target], target.metric, [], environment: .sockets)
        campaign.runs = (0..<10).map { seed in
            var metrics = [
                MetricValue(
                    target.metric,
                    figure + Double(seed) / 100,
                    labels: ocean,
                    bound: Campaigns.fullLink
                )
            ]
            if let wait {
                for (name, share) in [("processor-wait", wait), ("processor-need", need)] {
                    metrics.append(
                        MetricValue(
                            name,
                            seed == 3 ? share : 0,
                            labels: link.map { [Label("link", $0)] } ?? [],
                            bound: nil
                        )
                    )
                }
            }
            var run = Campaigns.run("dwcp", seed: UInt64(seed), metrics, environment: .sockets)
            run.facts = [Fact(Fact.links, Fact.emulated)]
            return run
        }
        return Judge().judge(campaign)
    }

    private static let filled = Campaigns.target("utilisation", .mean, .greater, 90, link: "ocean")
    private static let harmless = Campaigns.target("fairness-harm", .mean, .less, 50, link: "ocean")

    @Test(
        arguments: [
            (nil, "ocean", .noGo), (4, "ocean", .noGo), (37.4, "ocean", .inconclusive),
            (37.4, nil, .inconclusive), (37.4, "lake", .noGo),
        ] as [(Double?, String?, VerdictCode)]
    )
    func whatIsMissedWhileWaiting(wait: Double?, link: String?, verdict: VerdictCode) {
        let judged = ProcessorShortageTests.judgement(
            ProcessorShortageTests.filled,
            figure: 36,
            wait: wait,
            of: link
        )
        #expect(judged.verdict.code == verdict)
        guard verdict == .inconclusive else { return }
        #expect(
            judged.verdict.sentences.contains {
                $0.contains("Run dwcp/seed 3 were never done and waited 37 % of the time")
            }
        )
    }

    // Threads that wake often wait often, and have time left.
    @Test func waitsOfNodesWithTimeLeftExcuseNothing() {
        let judged = ProcessorShortageTests.judgement(
            ProcessorShortageTests.filled,
            figure: 36,
            wait: 34,
            need: 80
        )
        #expect(judged.verdict.code == .noGo)
    }

    @Test func whatIsReachedIsReached() {
        let judged = ProcessorShortageTests.judgement(
            ProcessorShortageTests.filled,
            figure: 95,
            wait: 30
        )
        #expect(judged.verdict.code == .go)
    }

    @Test(arguments: [(3, .go), (30, .inconclusive)] as [(Double, VerdictCode)])
    func littleHarmOfStarvedNodesProvesNothing(wait: Double, verdict: VerdictCode) {
        let judged = ProcessorShortageTests.judgement(
            ProcessorShortageTests.harmless,
            figure: 40,
            wait: wait
        )
        #expect(judged.verdict.code == verdict)
    }
}
