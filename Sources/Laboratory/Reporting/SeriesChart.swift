internal import Foundation
internal import Measurements
internal import Units

/// A quantity over the time of one run of each variant, with fault bands and the warm-up cut.
struct SeriesChart {
    /// The kind of marker that an experiment leaves at the end of the warm-up, with the link's or the transfer's name
    /// as its text where each has a warm-up of its own.
    static let warmUpEnd = "warmup.end"
    /// A line has no more points than this; neighbouring buckets merge.
    static let pointLimit = 220

    let evidence: Evidence
    let name: String
    let labels: [Label]

    /// One chart a name and label set: goodput, queues, then the others as the runs list them.
    static func all(_ evidence: Evidence) -> [SeriesChart] {
        var charts: [SeriesChart] = []
        for variant in evidence.variants.indices {
            for series in evidence.shownRun(variant)?.series ?? []
            where !charts.contains(where: { $0.name == series.name && $0.labels == series.labels })
            {
                charts.append(
                    SeriesChart(evidence: evidence, name: series.name, labels: series.labels)
                )
            }
        }
        let first = ["goodput", "queue"].flatMap { name in charts.filter { $0.name == name } }
        return first + charts.filter { !["goodput", "queue"].contains($0.name) }
    }

    var title: String {
        ([name] + labels.map { "\($0.key)=\($0.value)" }).joined(separator: " · ")
    }

    var picture: Picture {
        let shown = evidence.variants.indices.compactMap { variant -> Line? in
            guard let run = evidence.shownRun(variant),
                let series = run.series.first(where: { $0.name == name && $0.labels == labels }),
                !series.values.isEmpty
            else { return nil }
            return Line(variant: variant, run: run, series: series)
        }
        guard let first = shown.first else {
            return .omitted("\(title) is left out: no run recorded a value.")
        }
        let ends = shown.map { $0.series.start + $0.series.width * Int64($0.series.values.count) }
        let starts = shown.map { min($0.series.start, .zero).seconds }
        let x = Axis(covering: starts + ends.map(\.seconds), unit: "s", fromZero: false, goal: 5)
        let merged = shown.map(\.points)
        let values = merged.flatMap { $0.values }
        let y = Axis(covering: values, unit: first.series.unit, fromZero: true)
        guard values.contains(where: { $0 != 0 }) else {
            return .omitted("\(title) is left out: it stayed at zero.")
        }
        var frame = ChartFrame(x: x, xLabel: "time, s", y: y, yLabel: y.scale.unit)
        shadeWarmUp(shown, in: &frame, x: x)
        shadeFaults(shown, in: &frame, x: x)
        for (line, points) in zip(shown, merged) {
            let ink = evidence.accent(line.variant)
            frame.plot(
                [points.seconds, points.values.map(y.place)],
                "using 1:2 with lines lw 1.4 lc rgb \(quoted(ink.code))"
            )
        }
        guard let chart = frame.chart(label: label(shown)) else {
            return .omitted("\(title) is left out: no run recorded a value.")
        }
        return .chart(chart, caption: caption(shown, points: merged))
    }

    private struct Line {
        let variant: Int
        let run: RunRecord
        let series: Series

        /// The series in at most `pointLimit` points: means for rates and levels, maxima for peaks.
        var points: (seconds: [Double], values: [Double], width: Double) {
            let size = (series.values.count + SeriesChart.pointLimit - 1) / SeriesChart.pointLimit
            let step = series.width.seconds * Double(size)
            var seconds: [Double] = []
            var values: [Double] = []
            for start in stride(from: 0, to: series.values.count, by: size) {
                let part = series.values[start..<min(start + size, series.values.count)]
                seconds.append(series.start.seconds + (Double(start / size) + 0.5) * step)
                switch series.kind {
                case .peak: values.append(part.max() ?? 0)
                case .rate, .level: values.append(part.reduce(0, +) / Double(part.count))
                }
            }
            return (seconds, values, step)
        }
    }

    private func warmUpEnd(of run: RunRecord) -> Marker? {
        let names = labels.filter { ["link", "transfer"].contains($0.key) }.map(\.value)
        return run.markers.first {
            $0.kind == SeriesChart.warmUpEnd && ($0.text.isEmpty || names.contains($0.text))
        }
    }

    private func shadeWarmUp(_ lines: [Line], in frame: inout ChartFrame, x: Axis) {
        let cuts = lines.compactMap { warmUpEnd(of: $0.run)?.time.seconds }
        guard let cut = cuts.max(), cut > x.low else { return }
        frame.shade(from: x.low, to: min(cut, x.high), ink: .warmup, opacity: 0.14)
    }

    private func shadeFaults(_ lines: [Line], in frame: inout ChartFrame, x: Axis) {
        for band in SeriesChart.bands(lines.map(\.run)) {
            let low = max(x.low, band.low)
            let high = min(x.high, band.high)
            guard low < high else { continue }
            frame.shade(from: low, to: high, ink: .fault, opacity: 0.16)
        }
    }

    /// When faults were active in any of the runs, overlaps merged.
    private static func bands(_ runs: [RunRecord]) -> [(low: Double, high: Double)] {
        var bands: [(low: Double, high: Double)] = []
        let all = runs.flatMap(\.faults).compactMap { fault -> (low: Double, high: Double)? in
            guard let fired = fault.fired else { return nil }
            return (fired.seconds, fault.healed?.seconds ?? .greatestFiniteMagnitude)
        }
        for band in all.sorted(by: { $0.low < $1.low }) {
            if let last = bands.last, band.low <= last.high {
                bands[bands.count - 1].high = max(last.high, band.high)
            } else {
                bands.append(band)
            }
        }
        return bands
    }

    private func label(_ lines: [Line]) -> String {
        let names = lines.map { evidence.variants[$0.variant] }.joined(separator: " and ")
        return "\(title) over time for \(names)"
    }

    private func caption(
        _ lines: [Line],
        points: [(seconds: [Double], values: [Double], width: Double)]
    ) -> String {
        let kind =
            switch lines[0].series.kind {
            case .rate: "rate"
            case .level: "mean level"
            case .peak: "highest level"
            }
        let widths = Set(points.map(\.width)).sorted()
        let buckets = widths.map { "\(Interval(seconds: $0))" }.joined(separator: " and ")
        var text =
            "\(title) over time: \(kind) in buckets of \(buckets), seed \(lines[0].run.key.seed)."
        if name == "goodput" {
            text +=
                " Bytes count when their chunk is whole or was delivered, so the bucket after a "
            text += "repair can stand above the link's rate."
        }
        if lines.contains(where: { warmUpEnd(of: $0.run) != nil }) {
            text += " The warm-up that was cut is shaded grey."
        }
        if lines.contains(where: { line in line.run.faults.contains { $0.fired != nil } }) {
            text += " Shaded red: a fault was active."
        }
        return text
    }
}
