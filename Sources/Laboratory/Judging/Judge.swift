public import Measurements
import Scenarios
import Statistics
import Units

/// Turns a campaign into a verdict.
///
/// A gate compares the confidence bound, not the point: a target passes when the whole interval
/// clears it, fails when the whole interval misses it, and is undecided otherwise. Before any target
/// is looked at, every figure of every run is held against its physical bound; one impossible
/// figure makes the campaign INVALID, because whatever produced it produced the others too.
public struct Judge: Sendable {
    public let catalogue: MetricCatalogue

    public init(catalogue: MetricCatalogue = .standard) {
        self.catalogue = catalogue
    }

    public func judge(_ campaign: Campaign) -> Judgement {
        var findings = Findings()
        checkPlausibility(campaign, &findings)
        checkDeterminism(campaign, &findings)
        checkOutcomes(campaign, &findings)
        let invariants = judgeInvariants(campaign, &findings)
        let targets = judgeTargets(campaign)
        findings.add(targets, replications: campaign.replications)
        checkReplications(campaign, targets, &findings)
        checkCoverage(campaign, targets, &findings)
        let envelope = envelope(of: campaign, targets)
        if let cap = envelope?.cap { findings.add(.inconclusive, cap) }
        return Judgement(
            verdict: findings.verdict,
            targets: targets,
            invariants: invariants,
            determinism: campaign.determinism,
            envelope: envelope,
            runCount: campaign.runs.count { $0.outcome != .interrupted },
            warnings: warnings(campaign)
        )
    }

    /// How many more replications each variant should run, given all runs of the seeds so far: zero
    /// when every gated interval is as narrow as wished and no gate can be decided within the
    /// maximum, or when the maximum is reached.
    ///
    /// The answer depends only on the runs passed. A caller that passes complete batches of seeds
    /// decides the same on any number of threads.
    public func replicationsWanted(_ campaign: Campaign) -> Int {
        let done = campaign.variants.map { campaign.replications(of: $0).count }.min() ?? 0
        let limits = campaign.replications
        guard done < limits.maximum else { return 0 }
        let judged = judgeTargets(campaign)
        let required = requiredReplications(campaign, judged)
        guard done >= min(2, required) else { return min(2, required) - done }
        let wishes = judged.map { wish(of: $0, done: done, limits) }
        // Without a gate there is no interval to narrow; the minimum is what was asked for.
        let wanted = wishes.max() ?? max(0, limits.minimum - done)
        return min(wanted, limits.maximum - done)
    }

    private func wish(of target: TargetJudgement, done: Int, _ limits: Budget.Replications) -> Int {
        guard let estimate = target.estimate else {
            // Nothing was measured: a minimum of runs shows whether that is the rule.
            if case .undecided = target.status { return max(0, limits.minimum - done) }
            return 0
        }
        if case .notJudged = target.status { return 0 }
        if case .invalid = target.status { return 0 }
        if estimate.isDeterministic { return 0 }
        if done < limits.minimum { return limits.minimum - done }
        let wished = limits.relativeHalfWidth.value
        // An end that no sample bounds yet is worth waiting for only if the maximum allows it.
        if estimate.halfWidth.isFinite, estimate.relativeHalfWidth > wished {
            let growth = estimate.relativeHalfWidth / wished
            return more(growth: growth, done: done, limits)
        }
        guard case .undecided(_, let more?) = target.status, done + more <= limits.maximum else {
            return 0
        }
        return more
    }

    /// An interval narrows with the square root of the replications. At most doubling at a time
    /// keeps a first guess from a few replications from wasting the budget.
    private func more(growth: Double, done: Int, _ limits: Budget.Replications) -> Int {
        guard growth.isFinite, growth * growth < 2 else { return done }
        return max(1, Int((Double(done) * (growth * growth - 1)).rounded(.up)))
    }
}
