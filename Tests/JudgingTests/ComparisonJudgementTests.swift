import Judging
import Measurements
import Scenarios
import Statistics
import Testing
import Units

/// Goal: comparisons are paired by seed, and their bound follows from the runs' own bounds.
/// Method: two variants with shared noise and known ratios, in both directions of better.
@Suite struct ComparisonJudgementTests {
    private func campaign(
        _ target: Target,
        _ metric: String,
        first: [Double],
        second: [Double],
        bound: PhysicalBound?
    ) -> Campaign {
        var campaign = Campaigns.campaign([target], metric, first, bound: bound)
        campaign.variants = ["baseline", "dwcp"]
        campaign.runs += second.enumerated().map { index, value in
            Campaigns.run(
                "baseline",
                seed: 42 + UInt64(index),
                [MetricValue(metric, value, bound: bound)]
            )
        }
        return campaign
    }

    private let noise = Campaigns.values(around: 1, spread: 0.02)

    @Test func speedupOfATime() throws {
        let target = Campaigns.target(
            "migration-time",
            .speedup,
            .greater,
            3,
            subject: .compare("dwcp", "baseline")
        )
        let bound = PhysicalBound(.lower, 1, derivation: "RTT/2 + bytes / rate")
        let judgement = Judge().judge(
            campaign(
                target,
                "migration-time",
                first: noise.map { 4 * $0 },
                second: noise.map { 14 * $0 * ($0 + 0.1) },
                bound: bound
            )
        )
        let judged = judgement.targets[0]
        #expect(judged.status == .passed)
        #expect(judged.unit == .factor)
        let estimate = try #require(judged.estimate)
        #expect(abs(estimate.value - 3.5 * 1.1) < 0.02)
        // At its bound of 1 s dwcp would be 14 · 1.1 times as fast as the baseline.
        let limit = try #require(judged.bound)
        #expect(limit.side == .upper && abs(limit.limit - 14 * 1.1) < 0.1)
        let detail = try #require(judged.comparisonDetail)
        #expect(detail.seeds == Array(42..<52))
        #expect(detail.wilcoxonProbability < 0.01)
        #expect(judgement.verdict.code == .go)
    }

    @Test func speedupOfARateIsFirstOverSecond() throws {
        let target = Campaigns.target(
            "ratio-dirty",
            .speedup,
            .greater,
            2,
            subject: .compare("dwcp", "baseline")
        )
        let judged = Judge().judge(
            campaign(
                target,
                "ratio-dirty",
                first: noise.map { 9 * $0 },
                second: noise.map { 3 * $0 },
                bound: nil
            )
        ).targets[0]
        #expect(judged.status == .passed)
        #expect(abs(try #require(judged.estimate).value - 3) < 1e-9)
    }

    @Test func differencesUseOnlySeedsThatBothRan() throws {
        let target = Campaigns.target(
            "ratio-dirty",
            .difference,
            .greater,
            1,
            subject: .compare("dwcp", "baseline")
        )
        var campaign = campaign(
            target,
            "ratio-dirty",
            first: noise.map { 5 + $0 },
            second: noise.map { 3 + $0 },
            bound: nil
        )
        campaign.runs.removeAll { $0.key.variant == "baseline" && $0.key.seed == 45 }
        let judged = Judge().judge(campaign).targets[0]
        let estimate = try #require(judged.estimate)
        #expect(estimate.count == 9)
        #expect(abs(estimate.value - 2) < 1e-9)
        #expect(judged.status == .passed)
    }

    @Test func missedTargetsSayWhetherTheyAreReachable() {
        let bound = PhysicalBound(.lower, 1, derivation: "RTT/2 + bytes / rate")
        func sentence(_ threshold: Double) -> String {
            let target = Campaigns.target(
                "migration-time",
                .speedup,
                .greater,
                threshold,
                subject: .compare("dwcp", "baseline")
            )
            let campaign = campaign(
                target,
                "migration-time",
                first: noise.map { 4 * $0 },
                second: noise.map { 14 * $0 },
                bound: bound
            )
            return Judge().judge(campaign).verdict.sentences[0]
        }
        #expect(sentence(5).contains("does not rule the target out"))
        #expect(sentence(50).contains("no implementation reaches it here"))
    }
}
