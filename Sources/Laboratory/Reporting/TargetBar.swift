internal import Measurements
internal import Statistics

/// A small picture of an interval against its target and physical bound, drawn straight as SVG.
struct TargetBar {
    let estimate: Estimate
    let unit: MetricUnit
    let threshold: Double?
    let bound: Double?
    let tone: VerdictTone

    private static let width = 260.0
    private static let margin = 6.0
    /// The bound is off the scale when keeping it would leave the rest less than this share.
    private static let smallestShare = 0.06

    /// The markup; `nil` when no place on a scale can be given.
    var markup: String? {
        guard estimate.value.isFinite else { return nil }
        let hasInterval = estimate.low.isFinite && estimate.high.isFinite
        let low = hasInterval ? estimate.low : estimate.value
        let high = hasInterval ? estimate.high : estimate.value
        let core = [low, high, estimate.value] + [threshold].compactMap { $0 }.filter(\.isFinite)
        var shown = core
        var boundIsOffScale = false
        if let bound, bound.isFinite {
            let all = core + [bound]
            let part =
                (core.max()! - core.min()!) / max(all.max()! - all.min()!, .leastNonzeroMagnitude)
            boundIsOffScale = part < TargetBar.smallestShare && core.max()! > core.min()!
            if !boundIsOffScale { shown = all }
        }
        let scale = Scale(shown)
        var marks = line(scale.left, 11, scale.right, 11, "line", width: 1)
        if let bound, bound.isFinite {
            if boundIsOffScale {
                marks += arrow(pointsRight: bound > core.max()!)
            } else {
                let place = scale.place(bound)
                marks += line(place, 2, place, 20, "dim", width: 1.5, dashed: true)
            }
        }
        if let threshold, threshold.isFinite {
            let place = scale.place(threshold)
            marks += line(place, 2, place, 20, "ink", width: 1.5)
        }
        let left = scale.place(low)
        let width = max(scale.place(high) - left, 2)
        if hasInterval {
            marks += """
                <rect x="\(short(left))" y="7" width="\(short(width))" height="8" rx="2" \
                fill="var(--\(tone.rawValue))" fill-opacity="0.45"/>
                """
        }
        marks += """
            <circle cx="\(short(scale.place(estimate.value)))" cy="11" r="3.5" \
            fill="var(--\(tone.rawValue))"/>
            """
        return """
            <svg class="bar" viewBox="0 0 260 22" role="img" aria-label="\(escaped(label))">\
            \(marks)</svg>
            """
    }

    private var label: String {
        let text = FigureText.estimate(estimate, unit: unit)
        var parts = ["measured \(text.value)", "interval \(text.interval)"]
        if let threshold { parts.append("target \(unit.text(threshold))") }
        if let bound { parts.append("bound \(unit.text(bound))") }
        return parts.joined(separator: ", ")
    }

    private struct Scale {
        let left = TargetBar.margin
        let right = TargetBar.width - TargetBar.margin
        let low: Double
        let span: Double

        init(_ values: [Double]) {
            let least = values.min()!
            let most = values.max()!
            let room = most > least ? (most - least) * 0.08 : max(abs(most) * 0.1, 1e-9)
            low = least - room
            span = most - least + 2 * room
        }

        func place(_ value: Double) -> Double { left + (value - low) / span * (right - left) }
    }

    private func line(
        _ x1: Double,
        _ y1: Double,
        _ x2: Double,
        _ y2: Double,
        _ ink: String,
        width: Double,
        dashed: Bool = false
    ) -> String {
        """
        <line x1="\(short(x1))" y1="\(short(y1))" x2="\(short(x2))" y2="\(short(y2))" \
        stroke="var(--\(ink))" stroke-width="\(short(width))"\
        \(dashed ? " stroke-dasharray=\"2 2\"" : "")/>
        """
    }

    private func arrow(pointsRight: Bool) -> String {
        let path = pointsRight ? "M250 7l6 4l-6 4" : "M10 7l-6 4l6 4"
        return """
            <path d="\(path)" fill="none" stroke="var(--dim)" stroke-width="1.5"/>
            """
    }

    private func short(_ value: Double) -> String { FigureText.fixed(value, 2) }
}
