import Measurements
import Scenarios
import Statistics

extension TargetJudgement {
    /// The figure with its interval: `93.1 % [92.6 93.5]`, `12 ms deterministic`; empty when nothing
    /// was measured. Both ends have the scale and the decimals of the figure.
    public var figureText: String {
        guard let estimate else { return "" }
        let (divisor, name) = unit.display(for: estimate.value)
        let places = decimalPlaces(divisor: divisor)
        func number(_ value: Double) -> String {
            Decimals.text(value / divisor, places: places)
        }
        let value = MetricUnit.joined(number(estimate.value), name)
        if estimate.isDeterministic { return "\(value) deterministic" }
        if estimate.low == estimate.high { return value }
        return "\(value) [\(number(estimate.low)) \(number(estimate.high))]"
    }

    /// `bound 100 %`; empty without a bound.
    public var boundText: String {
        guard let bound, bound.limit.isFinite else { return "" }
        return "bound \(unit.shortText(bound.limit))"
    }

    /// The decimals that show the interval's width, and more where rounding would put an end of the
    /// interval onto the threshold and so hide why the target passed or failed.
    private func decimalPlaces(divisor: Double) -> Int {
        guard let estimate else { return 0 }
        let resolution = estimate.halfWidth > 0 ? estimate.halfWidth / divisor : nil
        var places = Decimals.places(for: estimate.value / divisor, resolution: resolution)
        let ends = [estimate.low, estimate.high].filter { $0 != threshold && $0.isFinite }
        while places < 6,
            ends.contains(where: {
                Decimals.text($0 / divisor, places: places)
                    == Decimals.text(threshold / divisor, places: places)
            })
        {
            places += 1
        }
        return places
    }

    /// The judgement as a sentence for the report's first section.
    public var sentence: String {
        let who: String =
            switch subject {
            case .everyVariant: metric
            case .variant(let name): "\(metric) of \(name)"
            case .compare(let first, let second): "\(metric) of \(first) against \(second)"
            }
        // What is selected follows the metric without a space.
        let goal = expression.dropFirst(metric.count).drop { $0 == " " }
        let figure = figureText
        switch status {
        case .passed:
            return "The target “\(goal)” on \(who) is met: \(figure)."
        case .failed:
            return "The target “\(goal)” on \(who) is missed: \(figure)\(reachability)."
        case .undecided(let reason, let more):
            let measured = figure.isEmpty ? "" : " at \(figure)"
            let plan = more.map { "; about \($0) more replications needed" } ?? ""
            return "The target “\(goal)” on \(who) is undecided\(measured): \(reason)\(plan)."
        case .notJudged(let reason):
            return "The target “\(goal)” on \(who) is not judged: \(reason)."
        case .invalid(let reason):
            return "The target “\(goal)” on \(who) is invalid: \(reason)."
        }
    }

    /// Whether physics rules out what was missed. A bound that does not need not be reachable, and one on the other
    /// side says nothing.
    private var reachability: String {
        guard let bound, bound.limit.isFinite, limits(bound.side) else { return "" }
        let limit = unit.shortText(bound.limit)
        return comparison.holds(bound.limit, threshold)
            ? "; its bound of \(limit) does not rule the target out"
            : "; the bound is \(limit), so no implementation reaches it here"
    }

    /// Whether a bound on that side keeps values from clearing the threshold.
    private func limits(_ side: BoundSide) -> Bool {
        switch comparison {
        case .less, .lessOrEqual: side == .lower
        case .greater, .greaterOrEqual: side == .upper
        case .equal, .notEqual: true
        }
    }
}
