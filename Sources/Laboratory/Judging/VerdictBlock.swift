import Measurements
import Statistics

/// The verdict as plain text for a terminal.
public struct VerdictBlock: Sendable {
    private let judgement: Judgement
    private let isColoured: Bool
    private static let width = 72

    /// - Parameter isColoured: Whether ANSI colours may be used; off for pipes and `NO_COLOR`.
    public init(_ judgement: Judgement, isColoured: Bool) {
        self.judgement = judgement
        self.isColoured = isColoured
    }

    /// The block, without a final newline.
    public var text: String {
        // Whoever reads no further has to have read this.
        var lines = [judgement.envelope?.notice, heading].compactMap { $0 }
        let titles = judgement.targets.map(\.title)
        let figures = judgement.targets.map(figure)
        let titleWidth = titles.map(\.count).max() ?? 0
        let figureWidth = figures.map(\.count).max() ?? 0
        for (index, target) in judgement.targets.enumerated() {
            let line =
                " \(mark(target.status)) \(padded(titles[index], titleWidth))  "
                + "\(padded(figures[index], figureWidth))  \(remark(target))"
            lines.append(trimmed(line))
        }
        lines.append(summary)
        lines += judgement.warnings.map { "  warning: \($0)" }
        return lines.joined(separator: "\n")
    }

    private var heading: String {
        let word = judgement.verdict.word
        let left = "█ TARGETS"
        let gap = max(2, VerdictBlock.width - left.count - word.rawValue.count)
        return left + String(repeating: " ", count: gap) + painted(word.rawValue, colour(word))
    }

    private var summary: String {
        var parts = ["█ INVARIANTS  \(judgement.runCount) runs, \(violations) violations"]
        if let check = judgement.determinism {
            parts.append("█ DETERMINISM  \(check.equal)/\(check.compared) equal")
        }
        if let envelope = judgement.envelope {
            let ignored = envelope.isIgnored && envelope.place != .inside ? ", ignored" : ""
            parts.append("█ ENVELOPE  \(envelope.words)\(ignored)")
        }
        return parts.joined(separator: "   ")
    }

    private var violations: UInt64 {
        judgement.invariants.reduce(0) { $0 + $1.violations }
    }

    private func figure(_ target: TargetJudgement) -> String {
        switch target.status {
        case .notJudged(let reason): return "not judged: \(reason)"
        case .passed, .failed, .undecided, .invalid:
            guard let estimate = target.estimate else { return "no figure" }
            return "\(target.figureText) n=\(estimate.count)"
        }
    }

    private func remark(_ target: TargetJudgement) -> String {
        switch target.status {
        case .passed, .failed: return target.boundText
        case .undecided(_, let more?): return "about \(more) more replications"
        case .undecided(let reason, nil): return reason
        case .invalid(let reason): return reason
        case .notJudged: return ""
        }
    }

    private func mark(_ status: TargetJudgement.Status) -> String {
        switch status {
        case .passed: painted("✓", .green)
        case .failed: painted("✗", .red)
        case .undecided: painted("?", .yellow)
        case .notJudged: "–"
        case .invalid: painted("!", .red)
        }
    }

    private enum Colour: Int {
        case red = 31
        case green = 32
        case yellow = 33
    }

    private func colour(_ word: VerdictWord) -> Colour {
        switch word {
        case .go: .green
        case .noGo, .invalid: .red
        case .inconclusive: .yellow
        }
    }

    private func painted(_ text: String, _ colour: Colour) -> String {
        isColoured ? "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m" : text
    }

    private func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private func trimmed(_ line: String) -> String {
        var end = line.endIndex
        while end > line.startIndex, line[line.index(before: end)] == " " {
            end = line.index(before: end)
        }
        return String(line[..<end])
    }
}
