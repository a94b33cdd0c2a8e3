public import Measurements
import Statistics

/// The verdict of a chaos campaign as plain text for a terminal.
public struct ChaosBlock: Sendable {
    private let judgement: ChaosJudgement
    private let isColoured: Bool
    private static let width = 72
    /// More kinds of failure are counted instead of printed.
    private static let groupLimit = 20

    /// - Parameter isColoured: Whether ANSI colours may be used; off for pipes and `NO_COLOR`.
    public init(_ judgement: ChaosJudgement, isColoured: Bool) {
        self.judgement = judgement
        self.isColoured = isColoured
    }

    /// The block, without a final newline.
    public var text: String {
        var lines = [heading]
        for group in judgement.groups.prefix(ChaosBlock.groupLimit) {
            let mark = group.signature.isFailure ? painted("✗", 31) : painted("?", 33)
            lines.append(" \(mark) \(group.signature.kind.rawValue)  \(group.signature.text)")
            lines.append(
                "     \(group.places.count) of \(judgement.seeds) seeds, first \(group.first.seed)"
                    + place(group)
            )
        }
        let more = judgement.groups.count - ChaosBlock.groupLimit
        if more > 0 { lines.append("   and \(more) more kinds of failure") }
        let checked = judgement.checked.map { ", \($0) checked" } ?? ""
        lines.append(
            "█ SEEDS  \(judgement.seeds) ran\(checked), \(judgement.failing) failing   \(bound)"
        )
        lines.append(summary)
        lines += judgement.warnings.map { "  warning: \($0)" }
        return lines.joined(separator: "\n")
    }

    private var heading: String {
        let word = judgement.verdict.word
        let left = "█ CHAOS"
        let gap = max(2, ChaosBlock.width - left.count - word.rawValue.count)
        let colour =
            switch word {
            case .go: 32
            case .noGo, .invalid: 31
            case .inconclusive: 33
            }
        return left + String(repeating: " ", count: gap) + painted(word.rawValue, colour)
    }

    private func place(_ group: FailureGroup) -> String {
        let time = group.failedAt.map { " at \(Decimals.duration($0))" } ?? ""
        let others = group.places.dropFirst().prefix(4).map { "\($0.seed)" }
        guard !others.isEmpty else { return time }
        let more = group.places.count > 5 ? ", …" : ""
        return time + ", then " + others.joined(separator: ", ") + more
    }

    /// What the seeds say about the rate of failures.
    private var bound: String {
        guard let rate = judgement.rate, let bound = judgement.rateBoundPercent else { return "" }
        guard rate.value > 0 else {
            return "0 of \(judgement.decided): rate < \(Decimals.percent(bound)) (95 %)"
        }
        return "rate \(Decimals.percent(100 * rate.value)) "
            + "[\(Decimals.percent(100 * rate.low)), \(Decimals.percent(100 * rate.high))] (95 %)"
    }

    private var summary: String {
        let check = judgement.determinism
        var parts = ["█ DETERMINISM  \(check.equal)/\(check.compared) equal"]
        let faults = judgement.faults
        if !faults.isEmpty {
            let planned = faults.reduce(0) { $0 + $1.planned }
            let fired = faults.reduce(0) { $0 + $1.fired }
            let healed = faults.reduce(0) { $0 + $1.healed }
            parts.append("█ FAULTS  \(planned) planned, \(fired) fired, \(healed) healed")
        }
        if !judgement.sometimes.isEmpty {
            let met = judgement.sometimes.count { $0.count > 0 }
            parts.append("█ SOMETIMES  \(met)/\(judgement.sometimes.count) met")
        }
        return parts.joined(separator: "   ")
    }

    private func painted(_ text: String, _ colour: Int) -> String {
        isColoured ? "\u{1B}[\(colour)m\(text)\u{1B}[0m" : text
    }
}

extension Decimals {
    /// Per cent as people read them: `0.3 %`.
    public static func percent(_ value: Double) -> String { MetricUnit.percent.shortText(value) }
}
