internal import Foundation
package import Measurements
package import Statistics

/// Numbers as a report prints them, in the same words as the verdict block.
package enum FigureText {
    /// The value of an estimate and its interval, `2.61x` and `[2.55 2.66]`, with the digits that
    /// the interval supports.
    package static func estimate(
        _ estimate: Estimate,
        unit: MetricUnit
    ) -> (value: String, interval: String) {
        let (divisor, name) = unit.display(for: estimate.value)
        let resolution = estimate.halfWidth > 0 ? estimate.halfWidth / divisor : nil
        let places = Decimals.places(for: estimate.value / divisor, resolution: resolution)
        func number(_ value: Double) -> String { Decimals.text(value / divisor, places: places) }
        let value = MetricUnit.joined(number(estimate.value), name)
        if estimate.isDeterministic { return (value, "deterministic") }
        guard estimate.low.isFinite, estimate.high.isFinite else { return (value, "no interval") }
        return (value, "[\(number(estimate.low)) \(number(estimate.high))]")
    }

    /// A plain number in four significant digits.
    package static func number(_ value: Double) -> String {
        Decimals.text(value, places: Decimals.places(for: value, resolution: nil))
    }

    /// A count with narrow spaces between groups of three digits.
    package static func count(_ value: some BinaryInteger) -> String {
        var result = ""
        let digits = String(value.magnitude)
        for (index, digit) in digits.enumerated() {
            if index > 0, digits.count > 4, (digits.count - index) % 3 == 0 { result += "\u{202F}" }
            result.append(digit)
        }
        return value < 0 ? "-" + result : result
    }

    /// A share of one in percent, `95 %`.
    package static func percent(_ share: Double) -> String {
        let percent = share * 100
        let text = Decimals.text(percent, places: percent == percent.rounded() ? 0 : 1)
        return text + " %"
    }

    /// A number of bytes with a decimal prefix.
    package static func bytes(_ bytes: Double) -> String {
        let scale = Scale.fitting(bytes, unit: "B")
        return number(bytes / scale.factor) + " " + scale.unit
    }

    /// Seconds, in the unit that leaves digits before the point.
    package static func seconds(_ seconds: Double) -> String {
        if seconds == 0 || abs(seconds) >= 1 { return number(seconds) + " s" }
        return abs(seconds) >= 1e-3
            ? number(seconds * 1e3) + " ms" : number(seconds * 1e6) + " µs"
    }

    /// A number for markup and chart scripts: an ASCII minus, a point, no grouping.
    package static func fixed(_ value: Double, _ decimals: Int) -> String {
        String(format: "%.\(decimals)f", locale: nil, value)
    }

    /// A unit and what to divide by to get it.
    package struct Scale: Equatable {
        package let factor: Double
        package let unit: String

        /// Rates and sizes get the decimal prefix that leaves digits before the point.
        package static func fitting(_ value: Double, unit: String) -> Scale {
            let base = unit == "bytes" ? "B" : unit
            guard ["bit/s", "B", "B/s"].contains(base) else {
                return Scale(factor: 1, unit: unit)
            }
            for (factor, prefix) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")]
            where abs(value) >= factor {
                return Scale(factor: factor, unit: prefix + base)
            }
            return Scale(factor: 1, unit: base)
        }
    }
}
