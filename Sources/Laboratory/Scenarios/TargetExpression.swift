import Measurements
import Units

/// The grammar of a target's `expect`: `stat op value`.
///
/// `stat` is one of `count rate mean min median max p(N) speedup difference ratio`, `op` one of
/// `< <= > >= == !=`, and `value` a quantity in a unit of what is compared.
struct TargetExpression: Hashable {
    var statistic: Target.Statistic
    var comparison: Target.Comparison
    /// In the base unit of the dimension of `unit`.
    var threshold: Double
    var unit: MetricUnit

    private static let example = "for example mean > 90 % or p(99) < 500 ms"
    static let statisticNames = [
        "count", "rate", "mean", "min", "median", "max", "p(N)", "speedup", "difference", "ratio",
    ]

    /// Reads an expression about a metric of this unit.
    init(_ text: String, metricUnit: MetricUnit) throws(ValueFailure) {
        let scalars = Array(text.unicodeScalars)
        var index = 0
        func skipSpaces() { while index < scalars.count, scalars[index] == " " { index += 1 } }
        func string(_ range: Range<Int>) -> String {
            var view = String.UnicodeScalarView()
            view.append(contentsOf: scalars[range])
            return String(view)
        }
        skipSpaces()
        let start = index
        while index < scalars.count, !"<>=! ".unicodeScalars.contains(scalars[index]) { index += 1 }
        statistic = try TargetExpression.statistic(string(start..<index), at: start)
        skipSpaces()
        let operatorStart = index
        while index < scalars.count, "<>=!".unicodeScalars.contains(scalars[index]) { index += 1 }
        comparison = try TargetExpression.comparison(string(operatorStart..<index), operatorStart)
        skipSpaces()
        switch statistic {
        case .count: unit = .count
        case .rate: unit = .requestsPerSecond
        case .speedup, .ratio: unit = .factor
        case .mean, .min, .median, .max, .percentile, .difference: unit = metricUnit
        }
        do {
            threshold = try TargetExpression.threshold(
                string(index..<scalars.count).trimmingSpaces(),
                unit
            )
        } catch {
            var failure = error
            failure.offset = index
            throw failure
        }
    }

    private static func statistic(
        _ word: String,
        at offset: Int
    ) throws(ValueFailure) -> Target.Statistic {
        switch word {
        case "count": return .count
        case "rate": return .rate
        case "mean": return .mean
        case "min": return .min
        case "median": return .median
        case "max": return .max
        case "speedup": return .speedup
        case "difference": return .difference
        case "ratio": return .ratio
        default: break
        }
        if word.hasPrefix("p("), word.hasSuffix(")"),
            let percent = QuantityText.plainNumber(String(word.dropFirst(2).dropLast()))
        {
            guard percent > 0, percent < 100 else {
                throw ValueFailure(
                    .outOfRange,
                    "there is no percentile \(QuantityText.shortened(word))",
                    "p(N) with N above 0 and below 100",
                    offset: offset
                )
            }
            return .percentile(percent)
        }
        guard !word.isEmpty else {
            throw ValueFailure(
                .badValue,
                "the expression does not start with a statistic",
                "\(statisticNames.joined(separator: ", ")); \(example)",
                offset: offset
            )
        }
        let isPercentile = word.hasPrefix("p") && word.dropFirst().first.map(\.isNumber) == true
        throw ValueFailure(
            .badValue,
            "unknown statistic '\(QuantityText.shortened(word))'",
            statisticNames.joined(separator: ", "),
            suggestion: isPercentile
                ? "p(\(QuantityText.shortened(String(word.dropFirst()))))"
                : NearestName.nearest(to: word, among: statisticNames),
            offset: offset
        )
    }

    private static func comparison(
        _ word: String,
        _ offset: Int
    ) throws(ValueFailure) -> Target.Comparison {
        if let comparison = Target.Comparison(rawValue: word) { return comparison }
        let names = Target.Comparison.allCases.map(\.rawValue)
        let suggestion: String? =
            switch word {
            case "=": "=="
            case "=<": "<="
            case "=>": ">="
            case "<>": "!="
            default: nil
            }
        throw ValueFailure(
            .badValue,
            word.isEmpty
                ? "no operator follows the statistic"
                : "unknown operator '\(QuantityText.shortened(word))'",
            names.joined(separator: " "),
            suggestion: suggestion,
            offset: offset
        )
    }

    private static func threshold(
        _ text: String,
        _ unit: MetricUnit
    ) throws(ValueFailure) -> Double {
        switch unit.dimension {
        case .time:
            return Double(try QuantityText.value(of: text, as: QuantityText.duration)) / 1e9
        case .bitRate:
            return Double(try QuantityText.value(of: text, as: QuantityText.rate))
        case .byteRate:
            return Double(try QuantityText.value(of: text, as: byteRate))
        case .size:
            return Double(try QuantityText.value(of: text, as: QuantityText.size))
        case .share:
            return try number(text, ["%"], needsUnit: true, "a share such as 90 %") / 100
        case .requestRate:
            return try number(text, ["req/s", "/s"], needsUnit: true, "a rate such as 500 req/s")
        case .factor:
            return try number(text, ["x"], needsUnit: false, "a factor such as 3 or 3x")
        case .count:
            return try number(text, [], needsUnit: false, "a number without a unit")
        case .timePerSize:
            return try number(text, ["s/GB"], needsUnit: true, "a cost such as 1.5 s/GB")
        }
    }

    private static func number(
        _ text: String,
        _ units: [String],
        needsUnit: Bool,
        _ expected: String
    ) throws(ValueFailure) -> Double {
        guard let parts = QuantityText.split(text), let value = Double(parts.number),
            value.magnitude <= 1e15
        else {
            throw ValueFailure(
                .badValue,
                text.isEmpty
                    ? "no value follows the operator"
                    : "'\(QuantityText.shortened(text))' is not a value",
                expected
            )
        }
        if units.contains(parts.unit) || (parts.unit.isEmpty && !needsUnit) { return value }
        throw ValueFailure(
            .badValue,
            parts.unit.isEmpty
                ? "'\(parts.number)' has no unit"
                : "unknown unit '\(QuantityText.shortened(parts.unit))'",
            expected,
            suggestion: NearestName.nearest(to: parts.unit, among: units)
        )
    }

    static let byteRate = QuantityText.Kind(
        name: "a rate of bytes",
        example: "500 MB/s",
        units: [
            QuantityText.Kind.Unit(name: "B/s", scale: 1),
            QuantityText.Kind.Unit(name: "kB/s", scale: 1_000),
            QuantityText.Kind.Unit(name: "MB/s", scale: 1_000_000),
            QuantityText.Kind.Unit(name: "GB/s", scale: 1_000_000_000),
        ]
    )
}

extension Target {
    /// The condition as a verdict prints it and as `expect` reads it, for example `p(99) < 500 ms`.
    public var expectation: String {
        "\(statistic) \(comparison.rawValue) \(thresholdText)"
    }

    private var thresholdText: String {
        switch unit.dimension {
        case .time:
            Interval(seconds: threshold).description
        case .bitRate:
            threshold < 0
                ? "\(QuantityText.numberText(threshold)) bit/s"
                : BitRate(bitsPerSecond: Int64(threshold)).description
        case .byteRate:
            "\(QuantityText.numberText(threshold / 1e6)) MB/s"
        case .size:
            threshold < 0
                ? "\(QuantityText.numberText(threshold)) B"
                : ByteCount(Int64(threshold)).description
        case .share:
            QuantityText.percentText(Ratio(threshold))
        case .requestRate:
            "\(QuantityText.numberText(threshold)) req/s"
        case .factor:
            "\(QuantityText.numberText(threshold))x"
        case .count:
            QuantityText.numberText(threshold)
        case .timePerSize:
            "\(QuantityText.numberText(threshold)) s/GB"
        }
    }
}

extension Target.Statistic: CustomStringConvertible {
    /// As in the grammar, for example `p(99)`.
    public var description: String {
        switch self {
        case .count: "count"
        case .rate: "rate"
        case .mean: "mean"
        case .min: "min"
        case .median: "median"
        case .max: "max"
        case .percentile(let percent): "p(\(QuantityText.numberText(percent)))"
        case .speedup: "speedup"
        case .difference: "difference"
        case .ratio: "ratio"
        }
    }
}
