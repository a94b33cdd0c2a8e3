import Measurements
import Scenarios
import Statistics
import Units

/// One target on its way to a judgement.
struct Draft {
    let target: Target
    let subject: Target.Subject
    let definition: MetricDefinition?
    private var estimate: Estimate?
    private var bound: PhysicalBound?
    private var method = ""
    private var detail: TargetJudgement.ComparisonDetail?
    /// Why the figures at hand bound nothing, when that is more than too few replications.
    private var shortage: String?
    /// Samples of a replication, when the interval pools them.
    private var pooledPerReplication: Double?

    init(_ target: Target, _ subject: Target.Subject, _ catalogue: MetricCatalogue) {
        self.target = target
        self.subject = subject
        definition = catalogue[target.metric]
    }

    var threshold: Double { target.unit.value(fromBase: target.threshold) }

    /// What can be said before looking at any run; `nil` when the runs must decide.
    func statusWithoutRuns(in campaign: Campaign) -> TargetJudgement.Status? {
        guard let definition else {
            return .notJudged(reason: "nothing measures \(target.metric)")
        }
        if definition.gating == .never {
            return .notJudged(reason: "\(target.metric) is printed and never gated")
        }
        if case .onlyBeside(let companion) = definition.gating,
            !campaign.targets.contains(where: { $0.metric == companion })
        {
            return .notJudged(reason: "\(target.metric) is gated only beside \(companion)")
        }
        if !definition.environments.contains(campaign.environment) {
            return .notJudged(
                reason: "not measurable in \(campaign.environment.rawValue) runs"
            )
        }
        if definition.isNetworkDependent, !campaign.isShaped {
            return .notJudged(reason: "unshaped")
        }
        return nil
    }

    func judgement(_ status: TargetJudgement.Status) -> TargetJudgement {
        TargetJudgement(
            target: target,
            expression: target.expression,
            metric: target.metric,
            subject: subject,
            status: status,
            estimate: estimate,
            unit: target.unit,
            threshold: threshold,
            comparison: target.comparison,
            bound: bound,
            definition: definition?.definition ?? "",
            method: method,
            comparisonDetail: detail
        )
    }

    /// The interval against the threshold.
    func gate() -> TargetJudgement.Status {
        guard let estimate else { return .undecided(shortage ?? "nothing was measured", nil) }
        switch target.comparison.decide(low: estimate.low, high: estimate.high, threshold) {
        case true?: return .passed
        case false?: return .failed
        case nil:
            let more = moreReplications(estimate)
            let reason = shortage ?? "the interval holds the target"
            return .undecided(reason, more)
        }
    }

    /// The replications after which the interval is expected to leave the threshold on one side.
    private func moreReplications(_ estimate: Estimate) -> Int? {
        if let perReplication = pooledPerReplication, !estimate.halfWidth.isFinite {
            guard case .percentile(let percent) = target.statistic else { return nil }
            let needed = Quantile.pooledSamplesNeeded(
                probability: percent / 100,
                confidence: estimate.confidence
            )
            let missing = Double(max(1, needed - estimate.count))
            return Int((missing / max(1, perReplication)).rounded(.up))
        }
        let distance = abs(estimate.value - threshold)
        guard distance > 0, estimate.halfWidth.isFinite else { return nil }
        let replications = Double(estimate.count) / (pooledPerReplication ?? 1)
        let growth = estimate.halfWidth / distance
        let total = replications * growth * growth
        guard total < Double(ReplicationPlanning.ceiling) else { return nil }
        return max(1, Int((total - replications).rounded(.up)))
    }
}

extension Draft {
    /// An estimate for showing only, from runs that may not decide.
    mutating func estimateLoosely(_ figures: [MetricValue]) {
        guard !figures.isEmpty, figures.allSatisfy({ $0.sampleCount > 0 }) else { return }
        estimate(figures, seconds: figures.map { _ in 0 })
    }

    /// The statistic over replications with its interval.
    mutating func estimate(_ figures: [MetricValue], seconds: [Double]) {
        let confidence = target.confidence.value
        bound = Draft.bound(figures, "mean of the replications' bounds") {
            $0.reduce(0, +) / Double($0.count)
        }
        method = "Student-t over replications"
        switch target.statistic {
        case .mean:
            estimate = .mean(of: figures.map(\.value), confidence: confidence)
        case .count:
            bound = nil
            let counts = figures.map { Double($0.sampleCount) }
            estimate = .mean(of: counts, confidence: confidence)
        case .rate:
            bound = nil
            guard seconds.allSatisfy({ $0 > 0 }) else { return }
            let rates = zip(figures, seconds).map { Double($0.sampleCount) / $1 }
            estimate = .mean(of: rates, confidence: confidence)
        case .min:
            bound = Draft.bound(figures, "smallest of the replications' bounds") { $0.min()! }
            observe(figures.compactMap { $0.extremes?.minimum }) { $0.min() }
        case .max:
            bound = Draft.bound(figures, "largest of the replications' bounds") { $0.max()! }
            observe(figures.compactMap { $0.extremes?.maximum }) { $0.max() }
        case .median:
            estimateQuantile(figures, percent: 50)
        case .percentile(let percent):
            estimateQuantile(figures, percent: percent)
        case .speedup, .difference, .ratio:
            preconditionFailure("\(target.statistic) of one variant \(subject)")
        }
    }

    /// An extreme is a statement about the replications that ran; no interval is claimed for those
    /// that did not.
    private mutating func observe(_ values: [Double], _ extreme: ([Double]) -> Double?) {
        guard let value = extreme(values) else { return }
        method = "observed extreme of all replications, no interval"
        estimate = Estimate(
            value: value,
            low: value,
            high: value,
            confidence: target.confidence.value,
            count: values.count,
            isDeterministic: values.count >= 2 && values.allSatisfy { $0 == values[0] }
        )
    }

    private mutating func estimateQuantile(_ figures: [MetricValue], percent: Double) {
        let confidence = target.confidence.value
        let needed = Quantile.samplesNeeded(percent: percent)
        let own = figures.compactMap { $0.quantile(percent / 100) }
        guard own.count == figures.count else { return }
        let constant = own.count >= 2 && own.allSatisfy { $0 == own[0] }
        if constant || figures.allSatisfy({ $0.sampleCount >= needed }) {
            method = "percentile of each replication, Student-t over replications"
            estimate = .mean(of: own, confidence: confidence)
            return
        }
        bound = Draft.pooledBound(figures, percent: percent)
        let pooled = figures.flatMap(\.pooledSamples)
        method = "order statistics of the samples of all replications"
        estimate = Quantile.pooled(pooled, probability: percent / 100, confidence: confidence)
        pooledPerReplication = Double(pooled.count) / Double(figures.count)
        let enough = Quantile.pooledSamplesNeeded(
            probability: percent / 100,
            confidence: confidence
        )
        if pooled.count < enough {
            shortage = "\(pooled.count) samples, \(enough) bound the percentile"
        }
    }

    /// First against second, paired by seed.
    mutating func compare(first: [MetricValue], second: [MetricValue], seeds: [UInt64]) {
        let confidence = target.confidence.value
        let pairs = PairedComparison(first: first.map(\.value), second: second.map(\.value))
        let wilcoxon = pairs.wilcoxon
        detail = TargetJudgement.ComparisonDetail(
            differences: pairs.differences,
            seeds: seeds,
            varianceReduction: pairs.varianceReduction,
            wilcoxonProbability: wilcoxon.probability,
            shift: wilcoxon.shift(confidence: confidence),
            bootstrap: pairs.bootstrapDifference(
                confidence: confidence,
                seed: seeds.first ?? 0
            )
        )
        let isSmallerBetter = definition?.direction == .lowerIsBetter
        switch target.statistic {
        case .difference:
            method = "paired t over seeds"
            estimate = pairs.difference(confidence: confidence)
        case .ratio:
            method = "geometric mean of the seeds' ratios, paired t of their logarithms"
            estimate = pairs.ratio(confidence: confidence)
        case .speedup:
            method = "geometric mean of the seeds' speed-ups, paired t of their logarithms"
            let oriented =
                isSmallerBetter
                ? PairedComparison(first: pairs.second, second: pairs.first) : pairs
            estimate = oriented.ratio(confidence: confidence)
        case .count, .rate, .mean, .min, .median, .max, .percentile:
            preconditionFailure("\(target.statistic) cannot compare \(subject)")
        }
        if estimate == nil {
            shortage = "a ratio of values that are not positive has no meaning"
        }
        bound = comparisonBound(first, second, isSmallerBetter: isSmallerBetter)
    }

    /// The best comparison the first variant could reach if each of its runs met its own bound.
    private func comparisonBound(
        _ first: [MetricValue],
        _ second: [MetricValue],
        isSmallerBetter: Bool
    ) -> PhysicalBound? {
        let limits = first.compactMap { value -> Double? in
            guard let bound = value.bound, bound.side == (isSmallerBetter ? .lower : .upper),
                bound.limit > 0, bound.limit.isFinite
            else { return nil }
            return bound.limit
        }
        guard limits.count == first.count, !limits.isEmpty else { return nil }
        let best = PairedComparison(first: limits, second: second.map(\.value))
        let derivation = "every run of the first variant at its own bound"
        switch target.statistic {
        case .speedup:
            let oriented =
                isSmallerBetter ? PairedComparison(first: best.second, second: best.first) : best
            return oriented.ratio(confidence: 0.95)
                .map { PhysicalBound(.upper, $0.value, derivation: derivation) }
        case .ratio:
            return best.ratio(confidence: 0.95).map {
                PhysicalBound(isSmallerBetter ? .lower : .upper, $0.value, derivation: derivation)
            }
        case .difference:
            let value = best.difference(confidence: 0.95).value
            return PhysicalBound(isSmallerBetter ? .lower : .upper, value, derivation: derivation)
        case .count, .rate, .mean, .min, .median, .max, .percentile:
            return nil
        }
    }

    /// What bounds a statistic over replications that each have a bound of their own: the statistic of
    /// those bounds. The tightest of them bounds a single replication only.
    private static func bound(
        _ figures: [MetricValue],
        _ derivation: String,
        _ statistic: ([Double]) -> Double
    ) -> PhysicalBound? {
        let bounds = figures.compactMap(\.bound)
        guard let first = bounds.first, bounds.count == figures.count,
            bounds.allSatisfy({ $0.side == first.side })
        else { return nil }
        guard !bounds.allSatisfy({ $0.limit == first.limit }) else { return first }
        return PhysicalBound(first.side, statistic(bounds.map(\.limit)), derivation: derivation)
    }

    /// Of a quantile of all samples together: where each replication gave one sample, the same
    /// quantile of their bounds; else the loosest of them.
    private static func pooledBound(_ figures: [MetricValue], percent: Double) -> PhysicalBound? {
        guard !figures.allSatisfy({ $0.sampleCount == 1 }) else {
            return bound(figures, "the same percentile of the replications' bounds") { limits in
                Quantile.interpolated(sorted: limits.sorted(), probability: percent / 100)
            }
        }
        let isUpper = figures.first?.bound?.side == .upper
        return bound(figures, "loosest of the replications' bounds") { limits in
            isUpper ? limits.max()! : limits.min()!
        }
    }
}

extension MetricValue {
    /// The quantile of this replication's own samples; `nil` without any.
    func quantile(_ probability: Double) -> Double? {
        switch samples {
        case .single: value
        case .all(let values):
            values.isEmpty
                ? nil : Quantile.interpolated(sorted: values.sorted(), probability: probability)
        case .distribution(let histogram): histogram.quantile(probability)
        }
    }

    /// Every sample, those of a distribution at the upper edge of their bucket.
    var pooledSamples: [Double] {
        switch samples {
        case .single: [value]
        case .all(let values): values
        case .distribution(let histogram):
            histogram.buckets.flatMap { Array(repeating: $0.upperEdge, count: Int($0.count)) }
        }
    }
}
