internal import Measurements
internal import Statistics

/// Every variant against the first, seed by seed, for every metric that both measured.
struct ComparisonList {
    private let evidence: Evidence

    init(_ evidence: Evidence) {
        self.evidence = evidence
    }

    var note: String {
        guard evidence.variants.count > 1 else {
            return "The scenario has one variant, so nothing is compared."
        }
        guard !rows.isEmpty else {
            return "No seed was completed by two variants, so nothing is compared."
        }
        let share = FigureText.percent(evidence.input.confidence)
        return """
            Both variants of a pair saw the same network for the same seed. Difference is the first \
            minus the second, ratio the first divided by the second, each with its paired \(share) \
            interval; “variance cut” is how many times more replications independent seeds would \
            have cost.
            """
    }

    var rows: [PageView.Comparison] {
        guard evidence.variants.count > 1 else { return [] }
        return evidence.groups.flatMap { group in
            (1..<evidence.variants.count).compactMap { row(group, $0, 0) }
        }
    }

    private func row(
        _ group: Evidence.MetricGroup,
        _ first: Int,
        _ second: Int
    ) -> PageView.Comparison? {
        let values = group.pairs(first, second)
        guard !values.first.isEmpty else { return nil }
        let pairs = PairedComparison(first: values.first, second: values.second)
        let confidence = evidence.input.confidence
        let difference = pairs.difference(confidence: confidence)
        let ratio = pairs.ratio(confidence: confidence)
        let unit = group.definition.unit
        let differenceText = FigureText.estimate(difference, unit: unit)
        let ratioText = ratio.map { FigureText.estimate($0, unit: .factor) }
        return PageView.Comparison(
            metric: group.title,
            pair: "\(evidence.variants[first]) vs \(evidence.variants[second])",
            difference: differenceText.value,
            differenceInterval: differenceText.interval,
            ratio: ratioText?.value ?? "–",
            ratioInterval: ratioText?.interval ?? "",
            bar: ratio.flatMap { estimate in
                TargetBar(
                    estimate: estimate,
                    unit: .factor,
                    threshold: 1,
                    bound: nil,
                    tone: tone(estimate, group.definition.direction)
                ).markup
            },
            probability: probability(pairs.wilcoxon.probability),
            reduction: reduction(pairs.varianceReduction),
            count: FigureText.count(values.first.count)
        )
    }

    /// Whether the whole interval says better, worse, or neither.
    private func tone(
        _ ratio: Estimate,
        _ direction: MetricDefinition.Direction
    ) -> VerdictTone {
        let isAbove = ratio.low > 1
        let isBelow = ratio.high < 1
        guard isAbove || isBelow else { return .open }
        switch direction {
        case .higherIsBetter: return isAbove ? .go : .no
        case .lowerIsBetter: return isBelow ? .go : .no
        }
    }

    private func reduction(_ value: Double?) -> String {
        guard let value else { return "–" }
        return value > 1_000 ? "> 1000x" : MetricUnit.factor.text(value)
    }

    private func probability(_ value: Double) -> String {
        value < 0.0001 ? "< 0.0001" : Decimals.text(value, places: 4)
    }
}
