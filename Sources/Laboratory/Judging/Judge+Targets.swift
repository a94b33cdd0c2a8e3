import Measurements
import Scenarios
import Statistics

extension Judge {
    func judgeTargets(_ campaign: Campaign) -> [TargetJudgement] {
        campaign.targets.flatMap { target -> [TargetJudgement] in
            switch target.subject {
            case .everyVariant:
                campaign.variants.map { judge(target, variant: $0, in: campaign) }
            case .variant(let name):
                [judge(target, variant: name, in: campaign)]
            case .compare(let first, let second):
                [judge(target, first: first, second: second, in: campaign)]
            }
        }
    }

    private func judge(
        _ target: Target,
        variant: String,
        in campaign: Campaign
    ) -> TargetJudgement {
        var draft = Draft(target, .variant(variant), catalogue)
        if let status = draft.statusWithoutRuns(in: campaign) {
            return draft.judgement(status)
        }
        let runs = campaign.replications(of: variant)
        let figures = runs.map { figure(of: target, in: $0) }
        if let status = obstacle(target, runs, figures, draft.definition!) {
            draft.estimateLoosely(figures.compactMap { $0 })
            return draft.judgement(status)
        }
        draft.estimate(figures.compactMap { $0 }, seconds: runs.map(\.simulatedSeconds))
        return draft.judgement(limited(draft.gate(), target, runs, draft.definition!))
    }

    private func judge(
        _ target: Target,
        first: String,
        second: String,
        in campaign: Campaign
    ) -> TargetJudgement {
        var draft = Draft(target, .compare(first, second), catalogue)
        if let status = draft.statusWithoutRuns(in: campaign) {
            return draft.judgement(status)
        }
        let left = campaign.replications(of: first)
        let right = campaign.replications(of: second)
        let pairs = left.compactMap { run in
            right.first { $0.key.seed == run.key.seed }.map { (run, $0) }
        }
        let runs = pairs.flatMap { [$0.0, $0.1] }
        let figures = runs.map { figure(of: target, in: $0) }
        if let status = obstacle(target, runs, figures, draft.definition!) {
            return draft.judgement(status)
        }
        draft.compare(
            first: pairs.indices.map { figures[2 * $0]! },
            second: pairs.indices.map { figures[2 * $0 + 1]! },
            seeds: pairs.map(\.0.key.seed)
        )
        return draft.judgement(limited(draft.gate(), target, runs, draft.definition!))
    }

    private func limited(
        _ status: TargetJudgement.Status,
        _ target: Target,
        _ runs: [RunRecord],
        _ definition: MetricDefinition
    ) -> TargetJudgement.Status {
        ProcessorShortage(of: target, in: runs)?.limiting(status, of: definition) ?? status
    }

    /// Why these runs decide nothing about the target; `nil` when they may.
    private func obstacle(
        _ target: Target,
        _ runs: [RunRecord],
        _ figures: [MetricValue?],
        _ definition: MetricDefinition
    ) -> TargetJudgement.Status? {
        for (run, figure) in zip(runs, figures) {
            if let figure, let reason = implausibility(of: figure, in: run) {
                return .invalid(reason: reason)
            }
        }
        for run in runs {
            switch run.outcome {
            case .completed, .interrupted: continue
            case .truncated(let reason): return .undecided(cut(run, reason), nil)
            case .failed(let message): return .undecided(cut(run, message), nil)
            case .safetyViolation(let message), .livenessViolation(let message):
                return .undecided(cut(run, message), nil)
            }
        }
        guard !runs.isEmpty else { return .undecided("no replication ran", nil) }
        for (run, figure) in zip(runs, figures) {
            guard let figure else {
                return .undecided("\(run.name) has no figure of \(target.metric)", nil)
            }
            let needed = target.statistic == .count ? 0 : definition.minimumSamples
            guard figure.sampleCount >= needed else {
                return .undecided(
                    "\(run.name) has \(figure.sampleCount) samples of at least \(needed)",
                    nil
                )
            }
            if definition.requiresBound, figure.sampleCount > 0, figure.bound == nil {
                return .undecided("\(run.name) states no bound to check the figure against", nil)
            }
        }
        return nil
    }

    private func cut(_ run: RunRecord, _ reason: String) -> String {
        "\(run.name) did not complete: \(reason)"
    }

    /// The figure the target selects: the one whose link, phase, region and transfer labels are exactly
    /// the target's, otherwise the only one that has them. A transfer has a name of its own, whichever
    /// its link, and one that is alone may have a name all the same.
    private func figure(of target: Target, in run: RunRecord) -> MetricValue? {
        var wanted: [Label] = []
        if let link = target.link { wanted.append(Label("link", link)) }
        if let phase = target.phase { wanted.append(Label("phase", phase)) }
        if let region = target.region { wanted.append(Label("region", region)) }
        if let transfer = target.transfer { wanted.append(Label("transfer", transfer)) }
        let implied: String? =
            target.transfer == nil ? "transfer" : target.link == nil ? "link" : nil
        let figures = run.metrics.filter { $0.metric == target.metric }
        // Sorted, as labels are.
        let all = ["link", "phase", "region", "transfer"]
        for selectors in [all, all.filter { $0 != implied }] {
            let exact = figures.filter { value in
                value.labels.filter { selectors.contains($0.key) } == wanted
            }
            if exact.count == 1 { return exact[0] }
        }
        return run.value(of: target.metric, labels: wanted)
    }
}

extension TargetJudgement.Status {
    static func undecided(_ reason: String, _ more: Int?) -> TargetJudgement.Status {
        .undecided(reason: reason, moreReplications: more)
    }
}
