internal import Measurements
internal import Statistics

/// The empirical distribution of a metric's observations, one step curve a variant.
struct DistributionChart {
    let evidence: Evidence
    let group: Evidence.MetricGroup

    /// A curve has no more steps than this.
    private static let stepLimit = 400

    var picture: Picture {
        let curves = evidence.variants.indices.map { Curve(group.figures[$0]) }
        let drawn = curves.filter { !$0.steps.isEmpty }
        guard !drawn.isEmpty else {
            return .omitted("The distribution is left out: nothing was observed.")
        }
        let values = drawn.flatMap { $0.steps.map(\.value) }
        guard let least = values.min(), let most = values.max(), least < most else {
            return .omitted("The distribution is left out: every observation is the same.")
        }
        let unit = group.definition.unit.label
        let mark = evidence.threshold(of: group.definition, near: (least, most))
        let x = Axis(covering: values + (mark.map { [$0] } ?? []), unit: unit, fromZero: false)
        let y = Axis(covering: [0, 100], unit: "%", fromZero: true)
        var frame = ChartFrame(
            x: x,
            xLabel: "\(group.definition.name), \(x.scale.unit)",
            y: y,
            yLabel: "% at or below"
        )
        if let mark { frame.verticalMark(at: x.place(mark), ink: .target) }
        for (variant, curve) in curves.enumerated() where !curve.steps.isEmpty {
            let start = curve.steps[0].value
            let xs = [start] + curve.steps.map(\.value)
            let ys = [0] + curve.steps.map { $0.share * 100 }
            let ink = evidence.accent(variant)
            frame.plot(
                [xs.map(x.place), ys],
                "using 1:2 with steps lw 1.8 lc rgb \(quoted(ink.code))"
            )
        }
        guard let chart = frame.chart(label: "Distribution of \(group.title)") else {
            return .omitted("The distribution is left out: nothing was observed.")
        }
        let counts = drawn.reduce(0) { $0 + $1.observations }
        var caption =
            "Share of \(drawn[0].isPooled ? "observations" : "replications") at or below a value; "
            + "\(FigureText.count(counts)) \(drawn[0].isPooled ? "observations" : "replications")."
        if mark != nil { caption += " Dashed: the target." }
        return .chart(chart, caption: caption)
    }

    /// The distribution of one variant: of all observations of all replications where they were
    /// kept, else of the replications' figures.
    private struct Curve {
        var steps: [(value: Double, share: Double)]
        let observations: Int
        let isPooled: Bool

        init(_ figures: [Evidence.MetricGroup.Figure]) {
            var values: [Double] = []
            var histogram = LogHistogram()
            for figure in figures {
                switch figure.value.samples {
                case .single: values.append(figure.value.value)
                case .all(let samples): values += samples
                case .distribution(let part): histogram.merge(part)
                }
            }
            isPooled = figures.contains { $0.value.samples != .single }
            guard histogram.count > 0 else {
                observations = values.count
                steps = EmpiricalDistribution(values).steps(limit: DistributionChart.stepLimit)
                return
            }
            observations = Int(histogram.count)
            var seen = 0.0
            let all = histogram.buckets.map { bucket in
                seen += Double(bucket.count)
                return (value: bucket.upperEdge, share: seen / Double(histogram.count))
            }
            let size = (all.count + DistributionChart.stepLimit - 1) / DistributionChart.stepLimit
            steps = all.enumerated().compactMap { index, step in
                index % size == size - 1 || index == all.count - 1 ? step : nil
            }
        }
    }
}

extension MetricUnit {
    /// As printed behind a value; a count has no unit.
    var label: String {
        switch self {
        case .count: ""
        default: rawValue
        }
    }
}
