internal import Foundation
package import Statistics

/// Numbers as a report prints them: as many digits as the figure carries, the unit behind it.
package enum FigureText {
    /// A value with its unit. Three significant digits, more when `resolution` (the half-width of an
    /// interval) shows that the figure carries them.
    package static func value(
        _ value: Double,
        unit: String,
        resolution: Double = .infinity
    ) -> String {
        let scale = Scale.fitting(value, unit: unit)
        return number(value / scale.factor, resolution: resolution / scale.factor) + scale.suffix
    }

    /// An interval in the scale of its value, without the unit: `[2.55 – 2.66]`.
    package static func interval(_ estimate: Estimate, unit: String) -> String {
        guard estimate.low.isFinite, estimate.high.isFinite else { return "no interval" }
        let scale = Scale.fitting(estimate.value, unit: unit)
        let resolution = estimate.halfWidth / scale.factor
        let decimals = decimals(for: estimate.value / scale.factor, resolution: resolution)
        let low = fixed(estimate.low / scale.factor, decimals)
        let high = fixed(estimate.high / scale.factor, decimals)
        return "[\(low) – \(high)]"
    }

    /// The value of an estimate, with the digits that its interval supports.
    package static func estimate(_ estimate: Estimate, unit: String) -> String {
        value(estimate.value, unit: unit, resolution: estimate.halfWidth)
    }

    /// A plain number.
    package static func number(_ value: Double, resolution: Double = .infinity) -> String {
        guard value.isFinite else { return value.isNaN ? "not a number" : value < 0 ? "−∞" : "∞" }
        return fixed(value, decimals(for: value, resolution: resolution))
    }

    /// A count with thin spaces between groups of three digits.
    package static func count(_ value: Int) -> String {
        grouped(String(value.magnitude), negative: value < 0)
    }

    /// A share of one in percent.
    package static func percent(_ share: Double) -> String {
        let percent = share * 100
        return (percent == percent.rounded() ? fixed(percent, 0) : number(percent)) + " %"
    }

    /// A unit and what to divide by to get it.
    package struct Scale: Equatable {
        package let factor: Double
        /// Begins with a space unless the unit is a factor.
        package let suffix: String

        /// The unit without the space before it.
        package var unit: String { suffix.trimmingCharacters(in: .whitespaces) }

        /// Rates and sizes get the decimal prefix that leaves one to three digits before the point.
        package static func fitting(_ value: Double, unit: String) -> Scale {
            guard ["bit/s", "B", "B/s", "bytes"].contains(unit) else {
                return Scale(factor: 1, suffix: unit == "x" ? "x" : unit.isEmpty ? "" : " " + unit)
            }
            let base = unit == "bytes" ? "B" : unit
            let steps = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")]
            for (factor, prefix) in steps where abs(value) >= factor {
                return Scale(factor: factor, suffix: " " + prefix + base)
            }
            return Scale(factor: 1, suffix: " " + base)
        }
    }

    private static func decimals(for value: Double, resolution: Double) -> Int {
        guard value != 0, value.isFinite else { return 0 }
        let magnitude = Int(log10(abs(value)).rounded(.down))
        let usual = max(0, 2 - magnitude)
        if value == value.rounded(), abs(value) < 1e6, !(resolution > 0 && resolution < 1) {
            return 0
        }
        guard resolution > 0, resolution.isFinite else { return min(usual, 12) }
        let needed = 1 - Int(log10(resolution).rounded(.down))
        return min(max(usual, min(needed, usual + 3)), 12)
    }

    private static func fixed(_ value: Double, _ decimals: Int) -> String {
        let text = String(format: "%.\(decimals)f", locale: nil, abs(value))
        let parts = text.split(separator: ".", maxSplits: 1)
        let isZero = text.allSatisfy { $0 == "0" || $0 == "." }
        let whole = grouped(String(parts[0]), negative: value < 0 && !isZero)
        return parts.count == 2 ? whole + "." + parts[1] : whole
    }

    private static func grouped(_ digits: String, negative: Bool) -> String {
        var result = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, digits.count > 4, (digits.count - index) % 3 == 0 { result += "\u{202F}" }
            result.append(digit)
        }
        return (negative ? "−" : "") + result
    }
}
