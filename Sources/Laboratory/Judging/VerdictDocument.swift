import Measurements
import Scenarios
import Statistics

/// What `--json` prints. The keys are a contract with scripts; optional values are printed as
/// `null`, never left out.
public struct VerdictDocument: Hashable, Sendable, Encodable {
    public let verdict: String
    public let exitCode: Int
    /// Every code that applies, the exit code first.
    public let exitCodes: [Int]
    public let scenario: String
    public let commit: String
    public let environment: String
    /// The path of the archive; `nil` when nothing was archived.
    public let store: String?
    /// The path of the report; `nil` when none was written.
    public let report: String?
    public let runs: [Run]
    public let targets: [Target]
    public let invariants: [Invariant]
    /// Every figure of every variant, gated or not: means over replications with 95 % intervals.
    public let metrics: [Metric]
    /// `nil` where no target depends on a simulated TCP.
    public let envelope: Envelope?
    /// The boots that stand for all boots of each variant; empty when nothing was booted.
    public let boots: [Boot]
    /// Empty when no crash was made.
    public let crashPoints: [CrashPoint]

    public struct Envelope: Hashable, Sendable, Encodable {
        /// `inside calibration`, `outside calibration` or `not calibrated`.
        public let place: String
        public let isIgnored: Bool
        /// Why links are outside, one entry a path.
        public let reasons: [String]
        /// How streams were counted that the transport chooses the number of.
        public let notes: [String]
        /// When and where the calibration was measured.
        public let source: String
    }

    public struct Metric: Hashable, Sendable, Encodable {
        public let metric: String
        public let variant: String
        public let n: Int
        public let mean: Double
        /// `nil` where one replication bounds nothing.
        public let low: Double?
        public let high: Double?
        public let unit: String
    }

    public struct Run: Hashable, Sendable, Encodable {
        public let seed: UInt64
        public let variant: String
        public let fingerprint: String
        public let events: UInt64
        public let simulatedSeconds: Double
        public let kernelSeconds: Double
        public let workSeconds: Double
        public let realSeconds: Double
    }

    public struct Target: Hashable, Sendable {
        public let expression: String
        public let variant: String
        public let status: String
        public let n: Int
        public let mean: Double?
        public let low: Double?
        public let high: Double?
        public let unit: String
        public let bound: Double?
    }

    public struct Invariant: Hashable, Sendable, Encodable {
        public let name: String
        public let kind: String
        public let runs: Int
        public let checked: UInt64
        public let violations: UInt64
    }

    /// Runs are listed by variant in the campaign's order, then by seed.
    public init(
        _ judgement: Judgement,
        campaign: Campaign,
        commit: String,
        store: String?,
        report: String?
    ) {
        verdict = judgement.verdict.word.rawValue
        exitCode = judgement.verdict.exitCode
        exitCodes = judgement.verdict.allCodes.map(\.rawValue)
        scenario = campaign.scenario
        self.commit = commit
        environment = campaign.environment.rawValue
        self.store = store
        self.report = report
        runs = campaign.variants.flatMap { campaign.replications(of: $0) }.map(Run.init)
        targets = judgement.targets.map(Target.init)
        invariants = judgement.invariants.map(Invariant.init)
        metrics = campaign.variants.flatMap { variant in
            VerdictDocument.metrics(of: campaign.replications(of: variant), variant)
        }
        envelope = judgement.envelope.map {
            Envelope(
                place: $0.words,
                isIgnored: $0.isIgnored,
                reasons: $0.reasons,
                notes: $0.notes,
                source: $0.source
            )
        }
        boots = RepresentativeBoot.all(of: campaign).map(Boot.init)
        crashPoints = CrashPoints(campaign.runs).points.map(CrashPoint.init)
    }

    /// Figures that all completed replications of a variant have, in catalogue order.
    private static func metrics(of runs: [RunRecord], _ variant: String) -> [Metric] {
        let completed = runs.filter { $0.outcome == .completed }
        guard !completed.isEmpty else { return [] }
        return MetricCatalogue.standard.definitions.compactMap { definition in
            let values = completed.compactMap { $0.value(of: definition.name)?.value }
            guard values.count == completed.count,
                let estimate = Estimate.mean(of: values, confidence: 0.95)
            else { return nil }
            return Metric(
                metric: definition.name,
                variant: variant,
                n: estimate.count,
                mean: estimate.value,
                low: estimate.low.isFinite ? estimate.low : nil,
                high: estimate.high.isFinite ? estimate.high : nil,
                unit: definition.unit.rawValue
            )
        }
    }

    private enum CodingKeys: String, CodingKey {
        case verdict, exitCode, exitCodes, scenario, commit, environment, store, report
        case runs, targets, invariants, metrics, envelope, boots, crashPoints
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(verdict, forKey: .verdict)
        try container.encode(exitCode, forKey: .exitCode)
        try container.encode(exitCodes, forKey: .exitCodes)
        try container.encode(scenario, forKey: .scenario)
        try container.encode(commit, forKey: .commit)
        try container.encode(environment, forKey: .environment)
        try container.encode(store, forKey: .store)
        try container.encode(report, forKey: .report)
        try container.encode(runs, forKey: .runs)
        try container.encode(targets, forKey: .targets)
        try container.encode(invariants, forKey: .invariants)
        try container.encode(metrics, forKey: .metrics)
        try container.encode(envelope, forKey: .envelope)
        try container.encode(boots, forKey: .boots)
        try container.encode(crashPoints, forKey: .crashPoints)
    }
}

extension VerdictDocument.Run {
    init(_ run: RunRecord) {
        seed = run.key.seed
        variant = run.key.variant
        fingerprint = run.fingerprint
        events = run.events
        simulatedSeconds = run.simulatedSeconds
        kernelSeconds = run.kernelSeconds
        workSeconds = run.workSeconds
        realSeconds = run.realSeconds
    }
}

extension VerdictDocument.Target: Encodable {
    init(_ target: TargetJudgement) {
        expression = target.expression
        variant = target.subjectName
        status =
            switch target.status {
            case .notJudged(let reason): "not judged: \(reason)"
            case .passed, .failed, .undecided, .invalid: target.status.word
            }
        n = target.estimate?.count ?? 0
        // JSON has no infinity; an end that is not bounded is null.
        func finite(_ value: Double?) -> Double? {
            value.flatMap { $0.isFinite ? $0 : nil }
        }
        mean = finite(target.estimate?.value)
        low = finite(target.estimate?.low)
        high = finite(target.estimate?.high)
        unit = target.unit.rawValue
        bound = finite(target.bound?.limit)
    }

    private enum CodingKeys: String, CodingKey {
        case expression, variant, status, n, mean, low, high, unit, bound
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(expression, forKey: .expression)
        try container.encode(variant, forKey: .variant)
        try container.encode(status, forKey: .status)
        try container.encode(n, forKey: .n)
        try container.encode(mean, forKey: .mean)
        try container.encode(low, forKey: .low)
        try container.encode(high, forKey: .high)
        try container.encode(unit, forKey: .unit)
        try container.encode(bound, forKey: .bound)
    }
}

extension VerdictDocument.Invariant {
    init(_ invariant: InvariantJudgement) {
        name = invariant.name
        kind = invariant.kind.rawValue
        runs = invariant.runs
        checked = invariant.checked
        violations = invariant.violations
    }
}
