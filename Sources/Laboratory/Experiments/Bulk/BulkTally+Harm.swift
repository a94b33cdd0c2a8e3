import Measurements
import Scenarios
import Units

extension BulkTally {
    private var way: LinkEnds { LinkEnds(from: plan.transfer.from, to: plan.transfer.to) }

    /// What the transfer, or all of its link, cost the flows of others on its way: of each kind their mean
    /// goodput beside it, against that beside one flow of the kind in each transfer's place.
    func measureHarm(
        in window: BulkWindow,
        _ ending: ReplicationEnding,
        into record: inout RunRecord,
        _ labels: [Label],
        _ suffix: String
    ) {
        guard let cross = ending.cross else { return }
        let (start, end) = (window.start, window.end)
        let mine = cross.flows.indices.filter {
            cross.flows[$0].from == way.from && cross.flows[$0].to == way.to
        }
        let kinds = mine.map { CompetingKind(cross.flows[$0]) }
            .reduce(into: [CompetingKind]()) { if !$0.contains($1) { $0.append($1) } }
        var harms: [Double] = []
        // A transfer's kinds are in the order of the baselines.
        for (kind, baseline) in zip(kinds, ending.baselines) {
            let flows = mine.filter { CompetingKind(cross.flows[$0]) == kind }
            func mean(_ figures: CrossFigures) -> Double {
                flows.reduce(0) { $0 + figures.goodput(of: $1, from: start, to: end) }
                    / Double(flows.count)
            }
            let beside = mean(cross)
            let alone = mean(baseline.figures)
            // Flows that had nothing to lose lost nothing.
            guard alone > 0 else { continue }
            harms.append(100 * (1 - beside / alone))
            record.facts.append(
                Fact(
                    "\(kind.text) flows beside\(suffix)",
                    "\(flows.count), \(BulkTally.megabits(beside)) each; "
                        + "\(BulkTally.megabits(alone)) beside one of their kind"
                )
            )
        }
        guard let worst = harms.max() else { return }
        record.metrics.append(
            MetricValue(
                "fairness-harm",
                worst,
                labels: labels,
                bound: PhysicalBound(
                    .upper,
                    100,
                    derivation: "no flow loses more than all that it had"
                )
            )
        )
    }

    private static func megabits(_ rate: Double) -> String {
        "\((rate / 1e4).rounded() / 100) Mbit/s"
    }
}
