/// What the templates print: text only, in the order of the page. Everything but drawings is
/// escaped on the way out.
struct PageView {
    var title: String
    var subtitle: String
    /// Above and below the verdict.
    var notices: [String]
    var warnings: [String]
    var word: String
    var tone: String
    var leadReason: String
    var reasons: [String]
    var chips: [String]
    /// A command, and what it does.
    var replay: String?
    var replayWord = "replay"
    var contents: [Link]
    var targets: [Target]
    var noTargets: String?
    var boot: Boot?
    var series: [Figure]
    var rounds: [Rounds]
    var timeNotes: [String]
    var metrics: [Metric]
    var noMetrics: String?
    var comparisons: [Comparison]
    var comparisonNote: String
    var faults: [Fault]
    var faultNote: String
    var invariants: [Invariant]
    var crashPoints: CrashPoints?
    var originSummary: String
    var origins: [Row]
    var models: [Row]
    var settings: [Row]
    var runs: [Run]
    var runNotes: [String]
    var queries: [Query]
    var noQueries: String?

    struct Link {
        var anchor: String
        var text: String
    }

    struct Row {
        var name: String
        var value: String
    }

    struct Key {
        /// The style sheet's class of the accent.
        var accent: String
        var name: String
    }

    struct Figure {
        var drawing: String
        var keys: [Key]
        var caption: String
    }

    struct Target {
        var tone: String
        var sign: String
        var status: String
        var expression: String
        var subject: String
        var measured: String
        var interval: String
        var note: String
        var bar: String?
        var bound: String
        var count: String
        var definition: Definition?
    }

    struct Definition {
        var name: String
        var unit: String
        var direction: String
        var text: String
        var bound: String
    }

    struct Metric {
        var title: String
        var definition: Definition
        var rows: [MetricRow]
        var figures: [Figure]
        var omissions: [String]
    }

    struct MetricRow {
        var accent: String
        var variant: String
        var mean: String
        var interval: String
        var range: String
        var bound: String
        var count: String
    }

    struct Rounds {
        var figure: Figure
        var rows: [Round]
    }

    struct Round {
        var number: String
        var dirty: String
        var wire: String
        var ratio: String
        var duration: String
    }

    struct Comparison {
        var metric: String
        var pair: String
        var difference: String
        var differenceInterval: String
        var ratio: String
        var ratioInterval: String
        var bar: String?
        var probability: String
        var reduction: String
        var count: String
    }

    struct Fault {
        var kind: String
        var target: String
        var planned: String
        var fired: String
        var healed: String
        var warning: String
    }

    struct Invariant {
        var name: String
        var kind: String
        var checked: String
        var violations: String
        var tone: String
        var first: String
    }

    struct Run {
        var variant: String
        var seed: String
        var outcome: String
        var fingerprint: String
        var events: String
        var simulated: String
        var kernel: String
        var work: String
        var real: String
        var memory: String
    }

    struct Query {
        var figure: String
        var sql: String
    }
}
