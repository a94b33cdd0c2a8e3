internal import Measurements
internal import Statistics

/// Every replication as one dot, lines joining equal seeds, and the interval of the mean beside the
/// dots.
struct ReplicationChart {
    let evidence: Evidence
    let group: Evidence.MetricGroup

    var picture: Picture {
        let present = evidence.variants.indices.filter { !group.figures[$0].isEmpty }
        let values = present.flatMap { group.values($0) }
        guard values.count > 1 else {
            return .omitted("Replications are not drawn: there is only one.")
        }
        guard let least = values.min(), let most = values.max(), least < most else {
            return .omitted("Replications are not drawn: all gave the same value.")
        }
        let estimates = present.map {
            Estimate.mean(of: group.values($0), confidence: evidence.input.confidence)!
        }
        let ends = estimates.flatMap { [$0.low, $0.high] }
        let mark = evidence.threshold(of: group.definition, near: (least, most))
        let y = Axis(
            covering: values + ends + (mark.map { [$0] } ?? []),
            unit: group.definition.unit.label,
            fromZero: false
        )
        var frame = ChartFrame(x: nil, xLabel: "", y: y, yLabel: y.scale.unit)
        let names = present.enumerated().map { place, variant in
            "\(quoted(evidence.variants[variant])) \(place)"
        }
        frame.command("set xrange [-0.5:\(plain(Double(present.count) - 0.5))]")
        frame.command("set xtics (\(names.joined(separator: ", ")))")
        if let mark { frame.horizontalMark(at: y.place(mark), ink: .target) }
        let isPaired = joinSeeds(present, in: &frame, y: y)
        for (place, variant) in present.enumerated() {
            let dots = group.values(variant).map(y.place)
            let ink = quoted(evidence.accent(variant).code)
            frame.plot(
                [Array(repeating: Double(place), count: dots.count), dots],
                "using 1:2 with points pt 7 ps 0.55 lc rgb \(ink)"
            )
            let estimate = estimates[place]
            let beside = Double(place) + 0.14
            if estimate.low.isFinite, estimate.high.isFinite {
                frame.plot(
                    [
                        [beside], [y.place(estimate.value)], [y.place(estimate.low)],
                        [y.place(estimate.high)],
                    ],
                    "using 1:2:3:4 with yerrorbars pt 7 ps 0.8 lw 2 lc rgb \(ink)"
                )
            }
        }
        guard let chart = frame.chart(label: "Replications of \(group.title)") else {
            return .omitted("Replications are not drawn: there are none.")
        }
        let share = FigureText.percent(evidence.input.confidence)
        var caption =
            "Each dot is a replication; beside the dots the mean with its \(share) interval."
        if isPaired { caption += " Lines join equal seeds." }
        if mark != nil { caption += " Dashed: the target." }
        return .chart(chart, caption: caption)
    }

    /// Joins the values of equal seeds between neighbouring variants; whether there were any.
    private func joinSeeds(_ present: [Int], in frame: inout ChartFrame, y: Axis) -> Bool {
        var xs: [Double] = []
        var ys: [Double] = []
        for place in present.indices.dropLast() {
            let pairs = group.pairs(present[place], present[place + 1])
            for (first, second) in zip(pairs.first, pairs.second) {
                xs += [Double(place), Double(place + 1), Double(place + 1)]
                ys += [y.place(first), y.place(second), .nan]
            }
        }
        frame.plot([xs, ys], "using 1:2 with lines lw 0.7 lc rgb \(quoted(Ink.line.code))")
        return !xs.isEmpty
    }
}
