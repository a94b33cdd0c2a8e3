internal import Judging
internal import Measurements
internal import Statistics

/// A page between its two steps: first every chart is listed so that one gnuplot process draws them
/// all, then the view is made with the drawings in their places.
struct PageDraft {
    let evidence: Evidence
    private let series: [Planned<SeriesChart>]
    private let rounds: [Planned<RoundsChart>]
    private let metrics: [PlannedMetric]
    private let seriesLeftOut: Int

    /// A chart and its place among the drawings; no place when it is left out, with the reason.
    struct Planned<Source> {
        let source: Source
        let place: Int?
        let words: String
    }

    private struct PlannedMetric {
        let group: Evidence.MetricGroup
        let figures: [Planned<Void>]
    }

    let charts: [Chart]

    /// A page has no more time charts and no more metric sections than these; a sentence names the
    /// rest.
    static let seriesLimit = 8
    static let metricLimit = 40

    init(_ input: ReportInput) {
        let evidence = Evidence(input)
        var charts: [Chart] = []
        func plan<Source>(_ source: Source, _ picture: Picture) -> Planned<Source> {
            switch picture {
            case .omitted(let sentence):
                return Planned(source: source, place: nil, words: sentence)
            case .chart(let chart, let caption):
                charts.append(chart)
                return Planned(source: source, place: charts.count - 1, words: caption)
            }
        }
        let allSeries = SeriesChart.all(evidence)
        series = allSeries.prefix(PageDraft.seriesLimit).map { plan($0, $0.picture) }
        seriesLeftOut = max(0, allSeries.count - PageDraft.seriesLimit)
        rounds = evidence.variants.indices.compactMap { variant in
            let source = RoundsChart(evidence: evidence, variant: variant)
            return source.chart.map { plan(source, .chart($0, caption: source.caption)) }
        }
        metrics = evidence.groups.prefix(PageDraft.metricLimit).map { group in
            let distribution = DistributionChart(evidence: evidence, group: group)
            let replications = ReplicationChart(evidence: evidence, group: group)
            return PlannedMetric(
                group: group,
                figures: [plan((), distribution.picture), plan((), replications.picture)]
            )
        }
        self.evidence = evidence
        self.charts = charts
    }

    /// The page; `drawings` are those of ``charts``, in order.
    func view(drawings: [String]) -> PageView {
        precondition(
            drawings.count == charts.count,
            "\(drawings.count) of \(charts.count) drawings"
        )
        let summary = VerdictSummary(evidence)
        let origins = OriginList(evidence)
        let boot = BootSection(evidence).view
        let input = evidence.input
        return PageView(
            title: input.campaign.scenario,
            subtitle: input.subtitle,
            notices: input.notices,
            warnings: input.judgement.warnings,
            word: input.judgement.verdict.word.rawValue,
            tone: summary.tone.rawValue,
            leadReason: summary.leadReason,
            reasons: summary.otherReasons,
            chips: summary.chips,
            replay: input.replay,
            contents: contents(hasBoot: boot != nil),
            targets: input.judgement.targets.map { TargetLine($0, evidence).view },
            noTargets: input.judgement.targets.isEmpty ? "The scenario names no target." : nil,
            boot: boot,
            series: series.compactMap { plan in
                figure(plan.place, drawings, plan.words, keys: keys(of: plan.source))
            },
            rounds: rounds.compactMap { roundsView($0, drawings) },
            timeNotes: timeNotes,
            metrics: metrics.map { metricView($0, drawings) },
            noMetrics: noMetrics,
            comparisons: ComparisonList(evidence).rows,
            comparisonNote: ComparisonList(evidence).note,
            faults: FaultList(evidence).rows,
            faultNote: FaultList(evidence).note,
            invariants: FaultList(evidence).invariants,
            crashPoints: FaultList(evidence).crashPoints,
            originSummary: origins.summary,
            origins: origins.rows,
            models: input.models.map { PageView.Row(name: $0.name, value: $0.assumption) },
            settings: origins.settings,
            runs: origins.runs,
            runNotes: origins.runNotes,
            queries: input.queries.map { PageView.Query(figure: $0.figure, sql: $0.sql) },
            noQueries: input.queries.isEmpty
                ? "The runs of this report were not archived, so there is no query to repeat." : nil
        )
    }

    private func contents(hasBoot: Bool) -> [PageView.Link] {
        let boot = hasBoot ? [("boot", "Boot")] : []
        let before = [("origins", "What ran"), ("targets", "Targets")]
        let after = [
            ("time", "Over time"), ("metrics", "Metrics"), ("variants", "Variants"),
            ("faults", "Faults and invariants"), ("queries", "SQL"),
        ]
        return (before + boot + after).map { PageView.Link(anchor: $0.0, text: $0.1) }
    }

    private func key(_ variant: Int) -> PageView.Key {
        PageView.Key(accent: evidence.accent(variant).name, name: evidence.variants[variant])
    }

    private func keys(of chart: SeriesChart) -> [PageView.Key] {
        evidence.variants.indices.filter { variant in
            evidence.shownRun(variant)?.series.contains {
                $0.name == chart.name && $0.labels == chart.labels && !$0.values.isEmpty
            } ?? false
        }.map(key)
    }

    private func figure(
        _ place: Int?,
        _ drawings: [String],
        _ caption: String,
        keys: [PageView.Key]
    ) -> PageView.Figure? {
        place.map { PageView.Figure(drawing: drawings[$0], keys: keys, caption: caption) }
    }

    private func roundsView(
        _ plan: Planned<RoundsChart>,
        _ drawings: [String]
    ) -> PageView.Rounds? {
        figure(plan.place, drawings, plan.words, keys: [key(plan.source.variant)]).map { figure in
            PageView.Rounds(
                figure: figure,
                rows: plan.source.rounds.map { round in
                    PageView.Round(
                        number: "\(round.number)",
                        dirty: FigureText.bytes(round.dirtyBytes),
                        wire: FigureText.bytes(round.wireBytes),
                        ratio: round.wireBytes > 0
                            ? MetricUnit.factor.text(round.dirtyBytes / round.wireBytes) : "–",
                        duration: FigureText.seconds(round.meanSeconds)
                    )
                }
            )
        }
    }

    private var timeNotes: [String] {
        var notes = series.filter { $0.place == nil }.map(\.words)
        if series.isEmpty {
            notes.append("No run recorded a quantity over time, so none is drawn.")
        }
        if seriesLeftOut > 0 {
            notes.append("\(seriesLeftOut) more recorded quantities are in the archive.")
        }
        return notes
    }

    private var noMetrics: String? {
        if metrics.isEmpty { return "No completed run measured a metric." }
        let rest = evidence.groups.count - metrics.count
        return rest > 0 ? "\(rest) more figures are in the archive." : nil
    }

    private func metricView(_ plan: PlannedMetric, _ drawings: [String]) -> PageView.Metric {
        let group = plan.group
        let present = evidence.variants.indices.filter { !group.figures[$0].isEmpty }
        return PageView.Metric(
            title: group.title,
            definition: PageView.Definition(group.definition),
            rows: present.map { metricRow(group, $0) },
            figures: plan.figures.compactMap { planned in
                figure(planned.place, drawings, planned.words, keys: present.map(key))
            },
            omissions: plan.figures.filter { $0.place == nil }.map(\.words)
        )
    }

    private func metricRow(_ group: Evidence.MetricGroup, _ variant: Int) -> PageView.MetricRow {
        let unit = group.definition.unit
        let values = group.values(variant)
        let estimate = Estimate.mean(of: values, confidence: evidence.input.confidence)!
        let text = FigureText.estimate(estimate, unit: unit)
        let bounds = group.figures[variant].compactMap(\.value.bound)
        let tightest = bounds.min { left, right in
            left.side == .upper ? left.limit < right.limit : left.limit > right.limit
        }
        let low = unit.text(values.min()!)
        let high = unit.text(values.max()!)
        return PageView.MetricRow(
            accent: evidence.accent(variant).name,
            variant: evidence.variants[variant],
            mean: text.value,
            interval: text.interval,
            range: low == high ? low : "\(low) – \(high)",
            bound: tightest.map { ($0.side == .upper ? "≤ " : "≥ ") + unit.text($0.limit) } ?? "–",
            count: FigureText.count(values.count)
        )
    }
}

extension PageView.Definition {
    init(_ definition: MetricDefinition) {
        self.init(
            name: definition.name,
            unit: definition.unit.rawValue,
            direction: definition.direction.rawValue,
            text: definition.definition,
            bound: definition.boundDescription
        )
    }
}
