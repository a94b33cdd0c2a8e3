import Measurements
import Scenarios
import Units

import Judging

/// Campaigns made by hand, with the figures a test wants to see judged.
enum Campaigns {
    static func target(
        _ metric: String,
        _ statistic: Target.Statistic = .mean,
        _ comparison: Target.Comparison,
        _ threshold: Double,
        subject: Target.Subject = .variant("dwcp"),
        link: String? = nil,
        transfer: String? = nil
    ) -> Target {
        let own = MetricCatalogue.standard[metric]?.unit ?? .factor
        let unit: MetricUnit =
            switch statistic {
            case .speedup, .ratio: .factor
            case .count: .count
            case .rate: .requestsPerSecond
            case .mean, .min, .median, .max, .percentile, .difference: own
            }
        return Target(
            metric: metric,
            statistic: statistic,
            comparison: comparison,
            threshold: unit.base(from: threshold),
            unit: unit,
            subject: subject,
            link: link,
            region: nil,
            transfer: transfer,
            confidence: Ratio(0.95)
        )
    }

    static func run(
        _ variant: String,
        seed: UInt64,
        _ metrics: [MetricValue],
        outcome: RunOutcome = .completed,
        environment: EnvironmentKind = .simulated,
        invariants: [InvariantOutcome] = []
    ) -> RunRecord {
        RunRecord(
            key: RunKey(
                scenario: "study",
                scenarioDigest: "d1",
                variant: variant,
                seed: seed,
                environment: environment
            ),
            commit: "abc",
            fingerprint: "00000000000000000000000000000001",
            outcome: outcome,
            events: 10,
            simulatedSeconds: 2,
            metrics: metrics,
            invariants: invariants
        )
    }

    /// One variant `dwcp`, one run per value, seeds from 42.
    static func campaign(
        _ targets: [Target],
        _ metric: String,
        _ values: [Double],
        bound: PhysicalBound? = nil,
        environment: EnvironmentKind = .simulated,
        maximum: Int = 100
    ) -> Campaign {
        Campaign(
            scenario: "study",
            environment: environment,
            targets: targets,
            variants: ["dwcp"],
            invariants: [],
            replications: Budget.Replications(
                minimum: 10,
                maximum: maximum,
                relativeHalfWidth: Ratio(0.05)
            ),
            runs: values.enumerated().map { index, value in
                run(
                    "dwcp",
                    seed: 42 + UInt64(index),
                    [MetricValue(metric, value, bound: bound)],
                    environment: environment
                )
            }
        )
    }

    static let fullLink = PhysicalBound(.upper, 100, derivation: "the whole link")

    /// Ten values around `centre`, `spread` apart.
    static func values(around centre: Double, spread: Double, count: Int = 10) -> [Double] {
        (0..<count).map { centre + spread * (Double($0) - Double(count - 1) / 2) }
    }
}
