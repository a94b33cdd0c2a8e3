public import Judging
public import Measurements

/// Everything a report says. Whoever fills it has measured it: the report computes intervals over
/// the runs it is given and invents nothing.
public struct ReportInput: Sendable {
    /// One line about the scenario, for example `us-east → eu-west, 10 VMs of 64 MiB, simulated`.
    public var subtitle: String
    /// Sentences that a reader must see before any figure, for example that links were not shaped.
    public var notices: [String]
    /// What was asked and every replication. Each variant gets an accent by its place.
    public var campaign: Campaign
    public var judgement: Judgement
    /// Defines every metric that the runs name; others are not printed.
    public var catalogue: MetricCatalogue
    /// Of the intervals that the report computes itself, in (0, 1).
    public var confidence: Double
    public var models: [Model]
    public var provenance: Provenance
    public var queries: [FigureQuery]
    /// The command that runs the experiment again; printed to be copied.
    public var replay: String?

    public init(
        subtitle: String,
        notices: [String] = [],
        campaign: Campaign,
        judgement: Judgement,
        catalogue: MetricCatalogue = .standard,
        confidence: Double = 0.95,
        models: [Model] = [],
        provenance: Provenance,
        queries: [FigureQuery] = [],
        replay: String? = nil
    ) {
        precondition(confidence > 0 && confidence < 1, "confidence \(confidence)")
        self.subtitle = subtitle
        self.notices = notices
        self.campaign = campaign
        self.judgement = judgement
        self.catalogue = catalogue
        self.confidence = confidence
        self.models = models
        self.provenance = provenance
        self.queries = queries
        self.replay = replay
    }

    /// A model that stood in for the world, and what it assumes.
    public struct Model: Hashable, Sendable {
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
    public struct FigureQuery: Hashable, Sendable {
        /// The metric or figure it belongs to, for example `downtime`.
        public var figure: String
        public var sql: String

        public init(figure: String, sql: String) {
            self.figure = figure
            self.sql = sql
        }
    }
}
