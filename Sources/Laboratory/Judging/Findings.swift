import Measurements
import Scenarios
import Statistics

/// The codes and sentences a verdict is made of, collected in order of weight.
struct Findings {
    private(set) var codes: [VerdictCode] = []
    private(set) var sentences: [String] = []

    /// The verdict, with the sentences that decided it first: what is met is no reason for a verdict
    /// that is not GO.
    var verdict: Verdict {
        let decided = Verdict(codes: codes, sentences: [])
        let paired = zip(codes, sentences)
        let deciding = paired.filter { $0.0 == decided.code }
        let others = paired.filter { $0.0 != decided.code }
        return Verdict(codes: codes, sentences: (deciding + others).map(\.1))
    }

    mutating func add(_ code: VerdictCode, _ sentence: String) {
        codes.append(code)
        sentences.append(sentence)
    }

    mutating func add(_ targets: [TargetJudgement], replications: Budget.Replications) {
        let ordered = targets.sorted { Findings.weight($0.status) > Findings.weight($1.status) }
        for target in ordered {
            let sentence = target.sentence
            switch target.status {
            case .passed: add(.go, sentence)
            case .failed: add(.noGo, sentence)
            case .undecided, .notJudged: add(.inconclusive, sentence)
            case .invalid: add(.invalid, sentence)
            }
        }
    }

    private static func weight(_ status: TargetJudgement.Status) -> Int {
        switch status {
        case .invalid: 4
        case .failed: 3
        case .undecided: 2
        case .notJudged: 1
        case .passed: 0
        }
    }
}

extension Judge {
    func checkPlausibility(_ campaign: Campaign, _ findings: inout Findings) {
        for run in campaign.runs {
            for value in run.metrics {
                if let reason = implausibility(of: value, in: run) {
                    findings.add(.invalid, "\(run.name) is impossible: \(reason).")
                }
            }
        }
    }

    /// Why `value` cannot be true; `nil` when it can.
    func implausibility(of value: MetricValue, in run: RunRecord) -> String? {
        guard let definition = catalogue[value.metric] else {
            return "\(value.metric) has no definition in the catalogue"
        }
        guard definition.environments.contains(run.key.environment) else {
            return "\(value.metric) cannot be measured in \(run.key.environment.rawValue) runs"
        }
        guard value.value.isFinite else { return "\(value.metric) is \(value.value)" }
        guard value.sampleCount > 0, let extremes = value.extremes else { return nil }
        for figure in [value.value, extremes.minimum, extremes.maximum] {
            let text = definition.unit.text(figure)
            guard definition.possibleRange.contains(figure) else {
                return "\(value.metric) of \(text) is outside what the metric can be"
            }
            if let bound = value.bound, !bound.admits(figure) {
                let relation = bound.side == .upper ? "above" : "below"
                let limit = definition.unit.text(bound.limit)
                return "\(value.metric) of \(text) is \(relation) its bound \(limit) "
                    + "(\(bound.derivation))"
            }
        }
        return nil
    }

    func checkDeterminism(_ campaign: Campaign, _ findings: inout Findings) {
        guard let check = campaign.determinism, check.equal < check.compared else { return }
        let difference = check.firstDifference.map { "; first: \($0)" } ?? ""
        findings.add(
            .nondeterminism,
            "\(check.compared - check.equal) of \(check.compared) repeated runs differ from their "
                + "first execution\(difference)."
        )
    }

    func checkOutcomes(_ campaign: Campaign, _ findings: inout Findings) {
        for run in campaign.runs {
            switch run.outcome {
            case .completed, .interrupted: continue
            case .truncated(let reason):
                findings.add(.inconclusive, "\(run.name) was cut short: \(reason).")
            case .failed(let message):
                findings.add(.crash, "The code under test failed in \(run.name): \(message).")
            case .safetyViolation(let message):
                findings.add(.safetyViolation, "\(run.name) broke a promise: \(message).")
            case .livenessViolation(let message):
                findings.add(.livenessViolation, "\(run.name) did not get there: \(message).")
            }
        }
    }

    func judgeInvariants(
        _ campaign: Campaign,
        _ findings: inout Findings
    ) -> [InvariantJudgement] {
        let counted = campaign.runs.filter { $0.outcome != .interrupted }
        var names = campaign.invariants
        for run in counted {
            for outcome in run.invariants where !names.contains(outcome.name) {
                names.append(outcome.name)
            }
        }
        let judged = names.map { name in
            InvariantJudgement(name: name, runs: counted)
        }
        for invariant in judged {
            if invariant.violations > 0 {
                let code: VerdictCode =
                    invariant.kind == .safety ? .safetyViolation : .livenessViolation
                let first = invariant.firstViolation.map { "; first: \($0)" } ?? ""
                findings.add(
                    code,
                    "Invariant \(invariant.name) was violated \(invariant.violations) times\(first)."
                )
            }
            let required = campaign.invariants.contains(invariant.name)
            if required, invariant.runs < counted.count || counted.isEmpty {
                findings.add(
                    .inconclusive,
                    "Invariant \(invariant.name) was checked in only \(invariant.runs) of "
                        + "\(counted.count) runs."
                )
            }
        }
        return judged
    }

    func checkReplications(
        _ campaign: Campaign,
        _ targets: [TargetJudgement],
        _ findings: inout Findings
    ) {
        let minimum = requiredReplications(campaign, targets)
        for variant in campaign.variants {
            let count = campaign.replications(of: variant).count
            if count < minimum {
                findings.add(
                    .tooFewReplications,
                    "Variant \(variant) ran \(count) of at least \(minimum) replications."
                )
            }
        }
    }

    /// What has no variance over seeds needs no more than two replications, and one shows all there
    /// is to see when no target is judged.
    func requiredReplications(_ campaign: Campaign, _ targets: [TargetJudgement]) -> Int {
        let judged = targets.filter { target in
            if case .notJudged = target.status { false } else { true }
        }
        if judged.isEmpty, !targets.isEmpty { return 1 }
        let deterministic = judged.allSatisfy { $0.estimate?.isDeterministic ?? false }
        let minimum = campaign.replications.minimum
        return deterministic && !judged.isEmpty ? min(2, minimum) : minimum
    }

    func checkCoverage(
        _ campaign: Campaign,
        _ targets: [TargetJudgement],
        _ findings: inout Findings
    ) {
        if campaign.usesLinks, !campaign.isShaped {
            findings.add(
                .inconclusive,
                "The links of a \(campaign.environment.rawValue) run are unshaped, so it judges "
                    + "invariants and cannot give a GO."
            )
        }
        if targets.isEmpty, campaign.invariants.isEmpty {
            findings.add(.inconclusive, "The scenario names no target and no invariant to judge.")
        }
    }

    /// Where no target depends on the network, no likeness of the network is needed; a real TCP is like
    /// itself.
    func envelope(of campaign: Campaign, _ targets: [TargetJudgement]) -> EnvelopeFinding? {
        guard campaign.environment == .simulated else { return nil }
        let depends = targets.contains { catalogue[$0.metric]?.isNetworkDependent ?? false }
        return depends ? campaign.envelope?.following(campaign.runs) : nil
    }

    func warnings(_ campaign: Campaign) -> [String] {
        var silent: [(kind: String, target: String, count: Int)] = []
        for run in campaign.runs {
            for fault in run.faults where fault.fired == nil {
                let known = silent.firstIndex { $0.kind == fault.kind && $0.target == fault.target }
                if let known {
                    silent[known].count += 1
                } else {
                    silent.append((fault.kind, fault.target, 1))
                }
            }
        }
        return Findings.warnings(silent)
    }
}

extension Findings {
    /// Of more targets of one kind than these a reader learns nothing more.
    private static let listedTargets = 3

    /// A line for each target, and one for all targets of a kind that has many.
    static func warnings(_ silent: [(kind: String, target: String, count: Int)]) -> [String] {
        var kinds: [String] = []
        for fault in silent where !kinds.contains(fault.kind) { kinds.append(fault.kind) }
        return kinds.flatMap { kind in
            let targets = silent.filter { $0.kind == kind }
            guard targets.count > listedTargets else {
                return targets.map {
                    "Fault \(kind) on \($0.target) never fired in \($0.count) runs."
                }
            }
            let count = targets.reduce(0) { $0 + $1.count }
            return ["Faults \(kind) never fired \(count) times, on \(targets.count) targets."]
        }
    }
}

extension InvariantJudgement {
    init(name: String, runs: [RunRecord]) {
        var kind = InvariantOutcome.Kind.safety
        var checkedRuns = 0
        var checked: UInt64 = 0
        var violations: UInt64 = 0
        var first: String?
        for run in runs {
            var seen = false
            for outcome in run.invariants where outcome.name == name {
                kind = outcome.kind
                seen = seen || outcome.checked > 0
                checked += outcome.checked
                violations += outcome.violationCount
                if first == nil, let violation = outcome.violations.first {
                    first = "\(run.name) at \(violation.time): \(violation.message)"
                }
            }
            checkedRuns += seen ? 1 : 0
        }
        self.init(
            name: name,
            kind: kind,
            runs: checkedRuns,
            checked: checked,
            violations: violations,
            firstViolation: first
        )
    }
}

extension RunRecord {
    /// How sentences call the run.
    var name: String { "Run \(key.variant)/seed \(key.seed)" }
}
