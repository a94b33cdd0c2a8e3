public import Measurements
public import Scenarios
public import Statistics

/// What became of one target for one variant or one pair of variants.
public struct TargetJudgement: Hashable, Sendable {
    /// The target as the scenario has it.
    public let target: Target
    /// As in the scenario, without the variant: `utilisation mean > 90 %`.
    public let expression: String
    public let metric: String
    public let subject: Target.Subject
    public let status: Status
    /// `nil` when there is nothing to estimate from. Its bounds may be infinite.
    public let estimate: Estimate?
    /// Of the figure: the metric's own, or a factor for `speedup` and `ratio`.
    public let unit: MetricUnit
    /// In ``unit``.
    public let threshold: Double
    public let comparison: Target.Comparison
    /// The physical bound of the figure, in ``unit``: the same statistic of the replications' bounds.
    public let bound: PhysicalBound?
    /// The metric's definition, word for word.
    public let definition: String
    /// How the interval was made, for example `Student-t over replications`.
    public let method: String
    /// With the pairs behind a comparison; `nil` for other targets.
    public let comparisonDetail: ComparisonDetail?

    /// Whether the interval clears the target.
    public enum Status: Hashable, Sendable {
        /// The whole interval clears the target.
        case passed
        /// The whole interval fails it.
        case failed
        /// The interval holds both; about that many more replications would tell, if it can be told.
        case undecided(reason: String, moreReplications: Int?)
        /// The target says nothing about this kind of run.
        case notJudged(reason: String)
        /// A value behind the figure is impossible.
        case invalid(reason: String)

        /// One word, as `--json` has it.
        public var word: String {
            switch self {
            case .passed: "passed"
            case .failed: "failed"
            case .undecided: "undecided"
            case .notJudged: "not judged"
            case .invalid: "invalid"
            }
        }
    }

    /// What a paired comparison says beside its interval.
    public struct ComparisonDetail: Hashable, Sendable {
        /// First minus second, seed by seed, in the metric's unit.
        public let differences: [Double]
        /// The seeds that paired, in the order of `differences`.
        public let seeds: [UInt64]
        /// See ``PairedComparison/varianceReduction``.
        public let varianceReduction: Double?
        /// Two-sided, of Wilcoxon's signed-rank test.
        public let wilcoxonProbability: Double
        /// The Hodges–Lehmann shift in the metric's unit.
        public let shift: Estimate?
        /// The mean difference with its BCa bootstrap interval.
        public let bootstrap: Estimate?
    }

    /// The variant, `first vs second` for a pair, or `all`.
    public var subjectName: String {
        switch subject {
        case .everyVariant: "all"
        case .variant(let name): name
        case .compare(let first, let second): "\(first) vs \(second)"
        }
    }

    /// As the verdict block prints it: `utilisation{dwcp} mean > 90 %`.
    public var title: String {
        guard case .variant(let name) = subject else { return expression }
        let rest = expression.dropFirst(metric.count)
        return "\(metric){\(name)}\(rest)"
    }
}

/// What checking one invariant over a whole campaign gave.
public struct InvariantJudgement: Hashable, Sendable {
    public let name: String
    public let kind: InvariantOutcome.Kind
    /// The runs in which it was checked at least once.
    public let runs: Int
    public let checked: UInt64
    public let violations: UInt64
    /// The first violation, with its seed and variant; `nil` without one.
    public let firstViolation: String?

    public init(
        name: String,
        kind: InvariantOutcome.Kind,
        runs: Int,
        checked: UInt64,
        violations: UInt64,
        firstViolation: String?
    ) {
        self.name = name
        self.kind = kind
        self.runs = runs
        self.checked = checked
        self.violations = violations
        self.firstViolation = firstViolation
    }
}

/// A campaign, judged.
public struct Judgement: Sendable {
    public let verdict: Verdict
    /// In scenario order; a target for every variant gives one judgement a variant.
    public let targets: [TargetJudgement]
    public let invariants: [InvariantJudgement]
    public let determinism: DeterminismCheck?
    /// Whether the links are calibrated; `nil` where no target depends on a simulated TCP.
    public let envelope: EnvelopeFinding?
    /// The replications that were judged, interrupted ones left out.
    public let runCount: Int
    /// What a reader must know and what decides nothing: a fault that never fired.
    public let warnings: [String]
}
