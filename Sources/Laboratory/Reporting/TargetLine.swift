internal import Judging
internal import Measurements
internal import Statistics

/// One target as the page prints it.
struct TargetLine {
    private let target: TargetJudgement
    private let evidence: Evidence

    init(_ target: TargetJudgement, _ evidence: Evidence) {
        self.target = target
        self.evidence = evidence
    }

    var view: PageView.Target {
        let text = figure
        return PageView.Target(
            tone: tone.rawValue,
            sign: sign,
            status: target.status.word,
            expression: target.expression,
            subject: target.subjectName,
            measured: text.measured,
            interval: text.interval,
            note: note,
            bar: bar,
            bound: bound,
            count: count,
            definition: evidence.input.catalogue[target.metric].map(PageView.Definition.init)
        )
    }

    private var tone: VerdictTone {
        switch target.status {
        case .passed: .go
        case .failed, .invalid: .no
        case .undecided: .open
        case .notJudged: .none
        }
    }

    private var sign: String {
        switch target.status {
        case .passed: "✓"
        case .failed: "✗"
        case .undecided: "?"
        case .notJudged: "–"
        case .invalid: "!"
        }
    }

    /// The figure in the verdict block's words, cut before its interval.
    private var figure: (measured: String, interval: String) {
        let text = target.figureText
        guard !text.isEmpty else { return ("no figure", "") }
        guard let cut = text.firstRange(of: " [") ?? text.firstRange(of: " deterministic") else {
            return (text, "")
        }
        return (
            String(text[..<cut.lowerBound]), String(text[text.index(after: cut.lowerBound)...])
        )
    }

    private var note: String {
        switch target.status {
        case .passed, .failed: ""
        case .undecided(let reason, let more):
            more.map { "\(reason); about \($0) more replications" } ?? reason
        case .notJudged(let reason), .invalid(let reason): reason
        }
    }

    private var bar: String? {
        guard let estimate = target.estimate else { return nil }
        return TargetBar(
            estimate: estimate,
            unit: target.unit,
            threshold: target.threshold,
            bound: target.bound?.limit,
            tone: tone
        ).markup
    }

    private var bound: String {
        guard let bound = target.bound, bound.limit.isFinite else { return "" }
        return "\(target.boundText) (\(bound.derivation))"
    }

    private var count: String {
        guard let estimate = target.estimate else { return "" }
        let share = FigureText.percent(estimate.confidence)
        return "n = \(FigureText.count(estimate.count)), \(share), \(target.method)"
    }
}
