internal import Foundation
public import Judging
public import Measurements
internal import Statistics

/// The report of a chaos campaign: one HTML file for a person who has to decide.
///
/// Equal input gives equal bytes: the page carries no date and no generated name.
public struct ChaosReport: Sendable {
    public var subtitle: String
    public var judgement: ChaosJudgement
    public var models: [ReportInput.Model]
    public var provenance: Provenance
    /// The first and last seed, and everything else that says what ran, as name and value.
    public var facts: [Fact]
    /// One a group of failures that has one, by its signature.
    public var cases: [Case]
    /// The command that runs the campaign again.
    public var again: String

    /// A failure looked at more closely.
    public struct Case: Sendable {
        public var signature: FailureSignature
        /// What is left of the failure once it was made small, in words; empty when nobody has.
        public var minimal: [String]
        public var timeline: Timeline?
        /// Commands that show it.
        public var commands: [String]

        public init(
            signature: FailureSignature,
            minimal: [String],
            timeline: Timeline?,
            commands: [String]
        ) {
            self.signature = signature
            self.minimal = minimal
            self.timeline = timeline
            self.commands = commands
        }
    }

    public init(
        subtitle: String,
        judgement: ChaosJudgement,
        models: [ReportInput.Model],
        provenance: Provenance,
        facts: [Fact],
        cases: [Case],
        again: String
    ) {
        self.subtitle = subtitle
        self.judgement = judgement
        self.models = models
        self.provenance = provenance
        self.facts = facts
        self.cases = cases
        self.again = again
    }

    /// The page as text.
    public var page: String { ChaosPage.render(view) }

    /// Puts the page at `path` in one step: a reader sees the old file or the new one. Missing folders
    /// are made.
    public func write(to path: String) throws(ReportError) {
        let target = URL(filePath: path)
        do {
            try FileManager.default.createDirectory(
                at: target.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try Data(page.utf8).write(to: target, options: .atomic)
        } catch {
            throw .file(path: path, reason: error.localizedDescription)
        }
    }
}

extension ChaosReport {
    /// More seeds of a kind are counted instead of listed.
    private static let seedLimit = 40
    private static let reasonLimit = 12

    var view: ChaosView {
        let verdict = judgement.verdict
        let tone: VerdictTone =
            switch verdict.word {
            case .go: .go
            case .noGo, .invalid: .no
            case .inconclusive: .open
            }
        return ChaosView(
            title: judgement.scenario,
            subtitle: subtitle,
            word: verdict.word.rawValue,
            tone: tone.rawValue,
            leadReason: verdict.sentences.first ?? "",
            reasons: Array(verdict.sentences.dropFirst().prefix(ChaosReport.reasonLimit)),
            chips: chips,
            warnings: judgement.warnings,
            replay: again,
            contents: [
                PageView.Link(anchor: "origins", text: "What ran"),
                PageView.Link(anchor: "failures", text: "Failures"),
                PageView.Link(anchor: "coverage", text: "Coverage"),
            ],
            groups: judgement.groups.enumerated().map { group($0.offset, $0.element) },
            noGroups: judgement.groups.isEmpty ? "No seed failed." : nil,
            faults: judgement.faults.map { tally in
                ChaosView.Coverage(
                    name: tally.kind,
                    planned: FigureText.count(tally.planned),
                    fired: FigureText.count(tally.fired),
                    healed: FigureText.count(tally.healed),
                    warning: tally.fired == 0 ? "never fired" : ""
                )
            },
            faultNote: judgement.faults.isEmpty
                ? "No fault was planned." : "Over all \(seeds).",
            sometimes: judgement.sometimes.map(sighting),
            sightings: judgement.sightings.filter { seen in
                !judgement.sometimes.contains { $0.name == seen.name }
            }.map(sighting),
            checks: judgement.checks.map(sighting),
            facts: origins,
            models: models.map { PageView.Row(name: $0.name, value: $0.assumption) }
        )
    }

    /// How many seeds ran, in words.
    private var seeds: String {
        FigureText.count(judgement.seeds) + (judgement.seeds == 1 ? " seed" : " seeds")
    }

    private var chips: [String] {
        let check = judgement.determinism
        return [
            seeds + (judgement.checked.map { ", \(FigureText.count($0)) of them checked" } ?? "")
                + ", \(FigureText.count(judgement.failing)) failing",
            bound, "determinism \(check.equal)/\(check.compared) equal",
            "exit code \(judgement.verdict.exitCode)",
        ].filter { !$0.isEmpty }
    }

    private var bound: String {
        guard let rate = judgement.rate, let bound = judgement.rateBoundPercent else { return "" }
        guard rate.value > 0 else {
            return "rate of failing seeds < \(Decimals.percent(bound)) (95 %)"
        }
        return "rate \(Decimals.percent(100 * rate.value)), interval "
            + "\(Decimals.percent(100 * rate.low)) to \(Decimals.percent(100 * rate.high)) (95 %)"
    }

    private func group(_ index: Int, _ group: FailureGroup) -> ChaosView.Group {
        let shown = group.places.prefix(ChaosReport.seedLimit).map { "\($0.seed)" }
        let more = group.places.count - shown.count
        let example = cases.first { $0.signature == group.signature }
        let diagram = example?.timeline.map { timeline in
            ChaosView.Diagram(
                drawing: MessageDiagram(timeline).inline(number: index),
                caption: "Seed \(group.first.seed), from \(timeline.from) to \(timeline.until)."
            )
        }
        let picture = example?.timeline?.pictures.first.map { picture in
            ChaosView.Diagram(drawing: picture.drawing, caption: picture.caption)
        }
        return ChaosView.Group(
            tone: (group.signature.isFailure ? VerdictTone.no : .open).rawValue,
            kind: group.signature.kind.rawValue,
            rule: group.signature.rule,
            shape: group.signature.shape,
            count:
                "\(FigureText.count(group.places.count)) of \(seeds)",
            example: group.example,
            seeds: shown.joined(separator: ", ")
                + (more > 0 ? " and \(FigureText.count(more)) more" : ""),
            minimal: example?.minimal ?? [],
            hasMinimal: !(example?.minimal.isEmpty ?? true),
            commands: example?.commands ?? [],
            diagram: diagram,
            picture: picture
        )
    }

    private func sighting(_ seen: SeedResult.Sighting) -> ChaosView.Sighting {
        ChaosView.Sighting(
            name: seen.name,
            count: seen.count == 0 ? "never" : "\(seen.count)",
            tone: (seen.count == 0 ? VerdictTone.open : .go).rawValue
        )
    }

    private var origins: [PageView.Row] {
        [
            PageView.Row(name: "commit", value: commit),
            PageView.Row(name: "compiler", value: "\(provenance.compiler)"),
            PageView.Row(
                name: "processor",
                value: "\(provenance.processor), \(provenance.coreCount) cores"
            ),
            PageView.Row(name: "kernel", value: "\(provenance.kernel)"),
        ] + facts.map { PageView.Row(name: $0.key, value: $0.value) }
    }

    private var commit: String {
        guard case .known(let hash) = provenance.commit else { return "\(provenance.commit)" }
        guard case .known(true) = provenance.isDirty else { return hash }
        return "\(hash) with uncommitted changes"
    }
}
