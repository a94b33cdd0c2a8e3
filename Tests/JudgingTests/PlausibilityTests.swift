import Judging
import Measurements
import Scenarios
import Statistics
import Testing
import Units

/// Goal: no figure beyond its physical bound ever becomes a GO.
/// Method: for every metric of the catalogue one replication among ten is planted beyond the bound
/// that the run states, and once outside what the metric can be at all; the same campaign without the
/// planted value must not be INVALID.
@Suite struct PlausibilityTests {
    private static let metrics = MetricCatalogue.standard.definitions.map(\.name)

    private func campaign(_ metric: String, planted: Double?, bound: PhysicalBound) -> Campaign {
        let target = Campaigns.target(metric, .greater, 0)
        var values = Campaigns.values(around: 50, spread: 0.1)
        if let planted { values[6] = planted }
        // Some metrics are of real runs only.
        let places = MetricCatalogue.standard[metric]?.environments ?? []
        return Campaigns.campaign(
            [target],
            metric,
            values,
            bound: bound,
            environment: places.contains(.simulated) ? .simulated : .sockets
        )
    }

    /// Seeds whose bounds differ: the bound beside a figure is one that the figure itself has to keep.
    @Test(
        arguments: [
            (Target.Statistic.mean, 4.0), (.min, 2), (.max, 6), (.percentile(50), 4), (.median, 4),
        ]
    )
    func boundsOfSeedsAreTakenLikeTheirFigures(statistic: Target.Statistic, limit: Double) throws {
        var campaign = Campaigns.campaign(
            [Campaigns.target("ratio-dirty", statistic, .greater, 1)],
            "ratio-dirty",
            []
        )
        campaign.runs = [2.0, 4, 6].enumerated().map { seed, limit in
            Campaigns.run(
                "dwcp",
                seed: UInt64(seed),
                [
                    MetricValue(
                        "ratio-dirty",
                        limit,
                        bound: PhysicalBound(.upper, limit, derivation: "seed \(seed)")
                    )
                ]
            )
        }
        let judged = try #require(Judge().judge(campaign).targets.first)
        let bound = try #require(judged.bound)
        let estimate = try #require(judged.estimate)
        #expect(bound.limit == limit && bound.admits(estimate.value))
        #expect(bound.derivation.contains("replications' bounds"))
    }

    @Test(arguments: metrics)
    func beyondTheStatedBound(metric: String) throws {
        let definition = try #require(MetricCatalogue.standard[metric])
        let side = definition.boundSide ?? .upper
        let bound = PhysicalBound(side, side == .upper ? 60 : 40, derivation: "test link")
        let planted = side == .upper ? 60.001 : 39.999
        let honest = Judge().judge(campaign(metric, planted: nil, bound: bound)).verdict
        #expect(honest.code != .invalid)
        let verdict = Judge().judge(campaign(metric, planted: planted, bound: bound)).verdict
        #expect(verdict.word == .invalid && verdict.exitCode == 14)
        #expect(verdict.sentences[0].contains("Run dwcp/seed 48 is impossible"))
        #expect(verdict.sentences[0].contains("test link"))
    }

    @Test(arguments: metrics)
    func outsideWhatTheMetricCanBe(metric: String) throws {
        let definition = try #require(MetricCatalogue.standard[metric])
        let wide = PhysicalBound(.lower, -1e9, derivation: "none")
        // What a share can gain is negative as harm, and no mistake.
        var planted = definition.possibleRange.contains(-1) ? [] : [-1.0]
        planted += [.nan, .infinity]
        if definition.unit == .percent { planted.append(100.5) }
        for value in planted {
            let verdict = Judge().judge(campaign(metric, planted: value, bound: wide)).verdict
            #expect(verdict.exitCode == 14, "\(metric) of \(value)")
        }
    }

    @Test func aSingleSampleBeyondTheBoundIsEnough() {
        // The mean of 30 ms is above half the round trip of 20 ms; one sample of 19 ms is not.
        let bound = PhysicalBound(.lower, 20, derivation: "RTT/2")
        let value = MetricValue("request-latency", samples: [40, 19, 31], bound: bound)
        var campaign = Campaigns.campaign(
            [Campaigns.target("request-latency", .less, 100)],
            "request-latency",
            Campaigns.values(around: 30, spread: 0.1),
            bound: bound
        )
        campaign.runs.append(Campaigns.run("dwcp", seed: 90, [value]))
        #expect(Judge().judge(campaign).verdict.code == .invalid)
    }

    @Test func metricsThatNobodyGatesAreCheckedToo() {
        var campaign = Campaigns.campaign(
            [Campaigns.target("utilisation", .greater, 90)],
            "utilisation",
            Campaigns.values(around: 95, spread: 0.01),
            bound: Campaigns.fullLink
        )
        #expect(Judge().judge(campaign).verdict.code == .go)
        let goodput = MetricValue(
            "goodput",
            1.8e15,
            bound: PhysicalBound(.upper, 2e8, derivation: "200 Mbit/s")
        )
        campaign.runs[0].metrics.append(goodput)
        #expect(Judge().judge(campaign).verdict.code == .invalid)
        campaign.runs[0].metrics[1] = MetricValue("wishes", 1, bound: nil)
        #expect(Judge().judge(campaign).verdict.code == .invalid)
    }

    @Test func aFigureWithoutItsRequiredBoundDecidesNothing() {
        let campaign = Campaigns.campaign(
            [Campaigns.target("utilisation", .greater, 90)],
            "utilisation",
            Campaigns.values(around: 95, spread: 0.01)
        )
        let judgement = Judge().judge(campaign)
        #expect(judgement.verdict.code == .inconclusive)
        #expect(judgement.verdict.sentences[0].contains("states no bound"))
    }
}
