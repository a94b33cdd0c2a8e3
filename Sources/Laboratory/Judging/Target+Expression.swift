import Measurements
public import Scenarios

extension Target {
    /// The target as the scenario states it, without variants: `downtime p(99) < 500 ms`.
    public var expression: String {
        var selectors: [String] = []
        if let link { selectors.append("link: \(link)") }
        if let region { selectors.append("region: \(region)") }
        if let phase { selectors.append("phase: \(phase)") }
        if let transfer { selectors.append("transfer: \(transfer)") }
        let selector = selectors.isEmpty ? "" : "{\(selectors.joined(separator: ", "))}"
        let figure = unit.statedText(unit.value(fromBase: threshold))
        return "\(metric)\(selector) \(statistic.word) \(comparison.rawValue) \(figure)"
    }
}

extension MetricUnit {
    /// A threshold with as many decimal places as the scenario gave it, nine at most. Rounded like a figure,
    /// a target of 99.999 % would read 100 %.
    fileprivate func statedText(_ value: Double) -> String {
        let (divisor, name) = display(for: value)
        let scaled = value / divisor
        let texts = (0...9).lazy.map { Decimals.text(scaled, places: $0) }
        let text = texts.first { text in
            Double(text).map { abs($0 - scaled) <= abs(scaled) * 1e-12 } ?? false
        }
        return text.map { MetricUnit.joined($0, name) } ?? shortText(value)
    }
}

extension Target.Statistic {
    /// The word of the target grammar.
    public var word: String {
        switch self {
        case .count: "count"
        case .rate: "rate"
        case .mean: "mean"
        case .min: "min"
        case .median: "median"
        case .max: "max"
        case .percentile(let percent):
            percent == percent.rounded() ? "p(\(Int(percent)))" : "p(\(percent))"
        case .speedup: "speedup"
        case .difference: "difference"
        case .ratio: "ratio"
        }
    }
}

extension Target.Comparison {
    /// Whether every value of the interval clears the threshold (`true`), none does (`false`), or
    /// some do (`nil`).
    func decide(low: Double, high: Double, _ threshold: Double) -> Bool? {
        switch self {
        case .less: high < threshold ? true : low >= threshold ? false : nil
        case .lessOrEqual: high <= threshold ? true : low > threshold ? false : nil
        case .greater: low > threshold ? true : high <= threshold ? false : nil
        case .greaterOrEqual: low >= threshold ? true : high < threshold ? false : nil
        case .equal:
            low == threshold && high == threshold
                ? true : threshold < low || threshold > high ? false : nil
        case .notEqual:
            threshold < low || threshold > high
                ? true : low == threshold && high == threshold ? false : nil
        }
    }
}
