internal import Measurements
internal import Statistics

/// Every replication as one dot, lines joining equal seeds, and the interval of the mean beside the
/// dots. The dots of a variant stand side by side in seed order, so that equal values stay apart.
struct ReplicationChart {
    let evidence: Evidence
    let group: Evidence.MetricGroup
    /// Of all variants, ascending.
    private let seeds: [UInt64]

    init(evidence: Evidence, group: Evidence.MetricGroup) {
        self.evidence = evidence
        self.group = group
        seeds = Set(group.figures.joined().map(\.seed)).sorted()
    }

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
            let name = shortened(evidence.variants[variant], to: max(6, 48 / present.count))
            return "\(quoted(name)) \(place)"
        }
        frame.command("set xrange [-0.5:\(plain(Double(present.count) - 0.5))]")
        frame.command("set xtics (\(names.joined(separator: ", ")))")
        if let mark { frame.horizontalMark(at: y.place(mark), ink: .target) }
        let isPaired = joinSeeds(present, in: &frame, y: y)
        for (place, variant) in present.enumerated() {
            let dots = group.values(variant).map(y.place)
            let ink = quoted(evidence.accent(variant).code)
            let seeds = group.figures[variant].map(\.seed)
            frame.plot(
                [seeds.map { self.place($0, beside: place) }, dots],
                "using 1:2 with points pt 7 ps 0.5 lc rgb \(ink)"
            )
            let estimate = estimates[place]
            let beside = Double(place) + 0.3
            if estimate.low.isFinite, estimate.high.isFinite {
                frame.plot(
                    [[beside, beside], [y.place(estimate.low), y.place(estimate.high)]],
                    "using 1:2 with lines lw 2.5 lc rgb \(ink)"
                )
            }
            frame.plot(
                [[beside], [y.place(estimate.value)]],
                "using 1:2 with points pt 7 ps 0.75 lc rgb \(ink)"
            )
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

    /// Where a seed's dot stands on the x axis: the place of its variant, shifted by the seed's rank.
    private func place(_ seed: UInt64, beside place: Int) -> Double {
        let rank = seeds.firstIndex(of: seed)!
        let share = seeds.count < 2 ? 0.5 : Double(rank) / Double(seeds.count - 1)
        return Double(place) - 0.2 + 0.4 * share
    }

    /// Joins the values of equal seeds between neighbouring variants; whether there were any.
    private func joinSeeds(_ present: [Int], in frame: inout ChartFrame, y: Axis) -> Bool {
        var xs: [Double] = []
        var ys: [Double] = []
        for place in present.indices.dropLast() {
            let next = group.figures[present[place + 1]]
            let values = Dictionary(
                next.map { ($0.seed, $0.value.value) },
                uniquingKeysWith: { first, _ in first }
            )
            for figure in group.figures[present[place]] {
                guard let value = values[figure.seed] else { continue }
                let end = self.place(figure.seed, beside: place + 1)
                xs += [self.place(figure.seed, beside: place), end, end]
                ys += [y.place(figure.value.value), y.place(value), .nan]
            }
        }
        frame.plot([xs, ys], "using 1:2 with lines lw 0.7 lc rgb \(quoted(Ink.thread.code))")
        return !xs.isEmpty
    }
}
