internal import Judging
internal import Measurements
internal import Scenarios
internal import Units

/// The runs of a report, ordered and grouped for its figures.
struct Evidence {
    let input: ReportInput
    /// In scenario order.
    let variants: [String]
    /// Completed runs of each variant, by ascending seed.
    let runs: [[RunRecord]]
    /// Runs that did not complete: their figures describe less than was asked and are not used.
    let setAside: [RunRecord]
    let groups: [MetricGroup]
    /// The seed whose run is shown over time: the lowest that most variants completed.
    let shownSeed: UInt64?

    /// One metric under one set of labels, with a figure of each variant's replications.
    struct MetricGroup {
        let definition: MetricDefinition
        let labels: [Label]
        /// One list a variant, by ascending seed.
        let figures: [[Figure]]

        struct Figure {
            let seed: UInt64
            let value: MetricValue
        }

        /// For example `goodput · link=us-east→eu-west`.
        var title: String {
            ([definition.name] + labels.map { "\($0.key)=\($0.value)" }).joined(separator: " · ")
        }

        func values(_ variant: Int) -> [Double] { figures[variant].map(\.value.value) }

        /// The values of the seeds that both variants have, in seed order.
        func pairs(_ first: Int, _ second: Int) -> (first: [Double], second: [Double]) {
            var result: (first: [Double], second: [Double]) = ([], [])
            var index = 0
            for figure in figures[first] {
                while index < figures[second].count, figures[second][index].seed < figure.seed {
                    index += 1
                }
                guard index < figures[second].count else { break }
                guard figures[second][index].seed == figure.seed else { continue }
                result.first.append(figure.value.value)
                result.second.append(figures[second][index].value.value)
            }
            return result
        }
    }

    init(_ input: ReportInput) {
        self.input = input
        variants = input.campaign.variants
        let completed = input.campaign.runs.filter { $0.outcome == .completed }
        let runs = input.campaign.variants.map { variant in
            completed.filter { $0.key.variant == variant }.sorted { $0.key.seed < $1.key.seed }
        }
        self.runs = runs
        setAside = input.campaign.runs.filter { $0.outcome != .completed }
        groups = Evidence.groups(runs, catalogue: input.catalogue)
        let seeds = runs.joined().map(\.key.seed)
        let counts = Dictionary(grouping: seeds) { $0 }.mapValues(\.count)
        let most = counts.values.max()
        shownSeed = counts.filter { $0.value == most }.keys.min()
    }

    /// The accent of a variant. A lone variant does not take the first, which is the quiet colour of
    /// a baseline.
    func accent(_ variant: Int) -> Ink {
        .variant(variants.count == 1 ? 1 : variant)
    }

    /// The run of a variant that is shown over time.
    func shownRun(_ variant: Int) -> RunRecord? {
        runs[variant].first { $0.key.seed == shownSeed }
    }

    /// The threshold that a target sets to a metric, for a line in the metric's charts: `nil` when
    /// there is none, or when it lies so far off that the data would shrink to a line.
    func threshold(
        of definition: MetricDefinition,
        near range: (low: Double, high: Double)
    ) -> Double? {
        let target = input.judgement.targets.first { target in
            if case Target.Subject.compare = target.subject { return false }
            return target.metric == definition.name && target.unit == definition.unit
        }
        let span = range.high - range.low
        guard let value = target?.threshold, value.isFinite,
            value > range.low - 2 * span, value < range.high + 2 * span
        else { return nil }
        return value
    }

    private static func groups(
        _ runs: [[RunRecord]],
        catalogue: MetricCatalogue
    ) -> [MetricGroup] {
        struct Key: Hashable {
            let metric: String
            let labels: [Label]
        }
        var order: [Key] = []
        var figures: [Key: [[MetricGroup.Figure]]] = [:]
        for (variant, list) in runs.enumerated() {
            for run in list {
                for value in run.metrics where value.sampleCount > 0 {
                    let key = Key(metric: value.metric, labels: value.labels)
                    if figures[key] == nil {
                        order.append(key)
                        figures[key] = Array(repeating: [], count: runs.count)
                    }
                    figures[key]![variant].append(
                        MetricGroup.Figure(seed: run.key.seed, value: value)
                    )
                }
            }
        }
        return catalogue.definitions.flatMap { definition in
            order.filter { $0.metric == definition.name }.map { key in
                MetricGroup(
                    definition: definition,
                    labels: key.labels,
                    figures: figures[key]!
                )
            }
        }
    }
}
