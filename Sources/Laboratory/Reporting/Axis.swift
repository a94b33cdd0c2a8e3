internal import Foundation

/// One axis of a chart: a range with round ends, round ticks, and a scale that keeps numbers short.
package struct Axis: Equatable {
    /// In the scale's unit.
    package let low: Double
    /// Always above `low`.
    package let high: Double
    package let ticks: [Tick]
    package let scale: FigureText.Scale

    package struct Tick: Equatable {
        package let position: Double
        package let label: String
    }

    /// An axis that shows all finite `values`.
    ///
    /// - Parameters:
    ///   - fromZero: Lengths of bars and areas mean something only from zero on.
    ///   - goal: About how many steps.
    package init(covering values: [Double], unit: String, fromZero: Bool, goal: Int = 4) {
        let finite = values.filter(\.isFinite)
        let top = finite.map { abs($0) }.max() ?? 0
        scale = FigureText.Scale.fitting(top, unit: unit)
        var first = (finite.min() ?? 0) / scale.factor
        var last = (finite.max() ?? 1) / scale.factor
        if fromZero {
            first = min(first, 0)
            last = max(last, 0)
        }
        if last - first <= abs(last) * 1e-12 {
            let room = last == 0 ? 1 : abs(last) * 0.1
            (first, last) = (fromZero && first >= 0 ? 0 : first - room, last + room)
        }
        let step = Axis.roundStep((last - first) / Double(max(1, goal)))
        let firstIndex = (first / step + 1e-9).rounded(.down)
        let lastIndex = (last / step - 1e-9).rounded(.up)
        low = firstIndex * step
        high = lastIndex * step
        let decimals = max(0, -Int((log10(step) - 1e-9).rounded(.down)))
        let extra = step / pow(10, log10(step).rounded(.down)) == 2.5 ? 1 : 0
        let positions = stride(from: firstIndex, through: lastIndex, by: 1).map { $0 * step }
        ticks = positions.map { position in
            let text = FigureText.fixed(position, step >= 10 ? 0 : decimals + extra)
            return Tick(position: position, label: text)
        }
    }

    /// The one of 1, 2, 2.5, 5 times a power of ten that `step` is nearest to, a little above counts
    /// as below: a few more ticks waste less room than a few less.
    private static func roundStep(_ step: Double) -> Double {
        let power = pow(10, log10(step).rounded(.down))
        for factor in [1, 2, 2.5, 5] where factor * power * 1.15 >= step {
            return factor * power
        }
        return 10 * power
    }

    /// A value in the scale's unit.
    func place(_ value: Double) -> Double { value / scale.factor }

    /// Gnuplot commands for this axis, `x` or `y`.
    func commands(_ name: String) -> [String] {
        let list = ticks.map { "\(quoted($0.label)) \(plain($0.position))" }
        return [
            "set \(name)range [\(plain(low)):\(plain(high))]",
            "set \(name)tics (\(list.joined(separator: ", ")))",
        ]
    }
}

/// A number as gnuplot reads it.
func plain(_ value: Double) -> String {
    precondition(value.isFinite, "\(value) has no place in a chart")
    return "\(value)"
}

/// Text as gnuplot reads it: one line in single quotes, without control characters.
func quoted(_ text: String) -> String {
    var line = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "'": line += "''"
        case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}": line += " "
        default: line.unicodeScalars.append(scalar)
        }
    }
    return "'\(line)'"
}

/// A name that fits under its place on an axis; the legend has it in full.
func shortened(_ name: String, to length: Int) -> String {
    name.count > length ? name.prefix(length - 1) + "…" : name
}
