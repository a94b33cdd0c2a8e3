public import Measurements
public import Statistics

/// Everything a report says. Whoever fills it has measured it: the report computes intervals over
/// the runs it is given and invents nothing.
public struct ReportInput: Sendable {
    /// The scenario's name.
    public var scenario: String
    /// One line about it, for example `us-east → eu-west, 10 VMs of 64 MiB, simulated`.
    public var subtitle: String
    /// Sentences that a reader must see before any figure, for example that links were not shaped.
    public var notices: [String]
    public var conclusion: Conclusion
    /// The variants in the scenario's order; each gets an accent by its place.
    public var variants: [String]
    public var targets: [TargetFigure]
    /// Finished replications of all variants, in any order.
    public var runs: [RunRecord]
    /// Defines every metric that the runs name; others are not printed.
    public var catalogue: MetricCatalogue
    /// Of the intervals that the report computes itself, in (0, 1).
    public var confidence: Double
    /// `nil` when no replication was repeated to compare its fingerprint.
    public var determinism: Determinism?
    public var models: [Model]
    public var provenance: Provenance
    public var queries: [FigureQuery]
    /// The command that runs the experiment again; printed to be copied.
    public var replay: String?

    public init(
        scenario: String,
        subtitle: String,
        notices: [String] = [],
        conclusion: Conclusion,
        variants: [String],
        targets: [TargetFigure],
        runs: [RunRecord],
        catalogue: MetricCatalogue = .standard,
        confidence: Double = 0.95,
        determinism: Determinism? = nil,
        models: [Model] = [],
        provenance: Provenance,
        queries: [FigureQuery] = [],
        replay: String? = nil
    ) {
        precondition(confidence > 0 && confidence < 1, "confidence \(confidence)")
        self.scenario = scenario
        self.subtitle = subtitle
        self.notices = notices
        self.conclusion = conclusion
        self.variants = variants
        self.targets = targets
        self.runs = runs
        self.catalogue = catalogue
        self.confidence = confidence
        self.determinism = determinism
        self.models = models
        self.provenance = provenance
        self.queries = queries
        self.replay = replay
    }
}

extension ReportInput {
    /// The verdict and why.
    public struct Conclusion: Sendable {
        public var word: Word
        /// Of the process that judged.
        public var exitCode: Int32
        /// Sentences, the deciding one first.
        public var reasons: [String]

        public enum Word: String, Sendable, CaseIterable {
            case go = "GO"
            case noGo = "NO-GO"
            case inconclusive = "INCONCLUSIVE"
            case invalid = "INVALID"
        }

        public init(word: Word, exitCode: Int32, reasons: [String]) {
            self.word = word
            self.exitCode = exitCode
            self.reasons = reasons
        }
    }

    /// A target and what was measured for it. Values are in `unit`.
    public struct TargetFigure: Sendable {
        public var status: Status
        /// As the scenario wrote it, for example `downtime · p(99) < 500 ms`.
        public var expression: String
        /// Of the catalogue; its definition unfolds below the target.
        public var metric: String
        /// For example `dwcp`, or `dwcp against baseline`; empty when there is one variant.
        public var subject: String
        /// Of the values, as it is printed behind them: `%`, `x`, `ms`, `bit/s`.
        public var unit: String
        /// `nil` when nothing was measured.
        public var estimate: Estimate?
        public var threshold: Double
        /// `nil` when physics states none.
        public var bound: Double?
        /// How the bound was derived; empty when the metric's definition says enough.
        public var boundDerivation: String
        /// For example `about 30 more replications`; empty when there is nothing to add.
        public var note: String

        public enum Status: String, Sendable, CaseIterable {
            case met
            case missed
            case undecided
            case implausible
            case notJudged = "not judged"
        }

        public init(
            status: Status,
            expression: String,
            metric: String,
            subject: String = "",
            unit: String,
            estimate: Estimate?,
            threshold: Double,
            bound: Double? = nil,
            boundDerivation: String = "",
            note: String = ""
        ) {
            self.status = status
            self.expression = expression
            self.metric = metric
            self.subject = subject
            self.unit = unit
            self.estimate = estimate
            self.threshold = threshold
            self.bound = bound
            self.boundDerivation = boundDerivation
            self.note = note
        }
    }

    /// How many repeated replications gave the same fingerprint.
    public struct Determinism: Sendable {
        public var equal: Int
        public var checked: Int

        public init(equal: Int, checked: Int) {
            self.equal = equal
            self.checked = checked
        }
    }

    /// A model that stood in for the world, and what it assumes.
    public struct Model: Sendable {
        /// For example `TCP`.
        public var name: String
        /// For example `CUBIC (RFC 9438), SACK recovery; drop-tail queues in bytes`.
        public var assumption: String

        public init(name: String, assumption: String) {
            self.name = name
            self.assumption = assumption
        }
    }

    /// The query that gives a figure's numbers from the archive.
    public struct FigureQuery: Sendable {
        /// The metric or figure it belongs to, for example `downtime`.
        public var figure: String
        public var sql: String

        public init(figure: String, sql: String) {
            self.figure = figure
            self.sql = sql
        }
    }
}
