import Measurements
import Units

/// Boots and crash points as plain text for a terminal, below the verdict block.
public struct BootBlock: Sendable {
    private let boots: [RepresentativeBoot]
    private let crashPoints: CrashPoints
    private static let width = 72
    private static let barWidth = 32
    /// More crash points that were not survived are counted instead of printed.
    private static let lostLimit = 20
    private static let survivedLimit = 500

    public init(_ campaign: Campaign) {
        boots = RepresentativeBoot.all(of: campaign)
        crashPoints = CrashPoints(campaign.runs)
    }

    /// The block without a final newline; `nil` when the campaign booted nothing.
    public var text: String? {
        let lines = bootLines + crashLines
        return lines.isEmpty ? nil : lines.joined(separator: "\n")
    }

    private var bootLines: [String] {
        guard !boots.isEmpty else { return [] }
        let longest = boots.compactMap(\.timeline.bootSeconds).max() ?? 0
        let names = boots.map(name)
        let nameWidth = names.map(\.count).max() ?? 0
        let times = boots.map { boot in
            boot.timeline.bootSeconds.map(Decimals.duration) ?? "not READY"
        }
        let timeWidth = times.map(\.count).max() ?? 0
        var lines = ["█ BOOT"]
        for (index, boot) in boots.enumerated() {
            let share = longest > 0 ? (boot.timeline.bootSeconds ?? 0) / longest : 0
            let cells = min(BootBlock.barWidth, Int((share * Double(BootBlock.barWidth)).rounded()))
            let bar = String(repeating: "▇", count: cells)
            let columns = [
                BootBlock.padded(names[index], nameWidth),
                BootBlock.padded(times[index], timeWidth),
                BootBlock.padded(bar, BootBlock.barWidth),
            ]
            lines.append(" " + (columns + [boot.choice]).joined(separator: "  "))
        }
        for boot in boots where !boot.timeline.criticalPath.isEmpty {
            lines += criticalPath(boot)
        }
        return lines
    }

    private func name(_ boot: RepresentativeBoot) -> String {
        boot.role == .only
            ? boot.timeline.variant : "\(boot.timeline.variant) \(boot.timeline.lane)"
    }

    /// `critical path of …: a 1.8 s → b 0.2 s → … = 12.4 s`, wrapped.
    private func criticalPath(_ boot: RepresentativeBoot) -> [String] {
        let steps = boot.timeline.criticalPath
        var words = ["critical path of \(name(boot)):"]
        for (index, step) in boot.timeline.pathTexts.enumerated() {
            words.append((index == 0 ? "" : "→ ") + step)
        }
        let covered = steps.map(\.end).max()!.seconds - boot.timeline.start.seconds
        words.append("= \(Decimals.duration(covered))")
        // A chain that ends before READY leaves a rest that nothing explains.
        if let whole = boot.timeline.bootSeconds, whole - covered > 1e-6 {
            words.append("of \(Decimals.duration(whole))")
        }
        return BootBlock.wrapped(words)
    }

    /// Words on as few lines as fit, further lines indented.
    private static func wrapped(_ words: [String]) -> [String] {
        var lines: [String] = []
        for word in words {
            if let last = lines.last, last.count + 1 + word.count <= width {
                lines[lines.count - 1] = last + " " + word
            } else {
                lines.append((lines.isEmpty ? "  " : "    ") + word)
            }
        }
        return lines
    }

    private var crashLines: [String] {
        let points = crashPoints.points
        guard !points.isEmpty else { return [] }
        let lost = points.filter { !$0.isSurvived }
        var lines = ["█ CRASH POINTS  \(crashPoints.survivedCount)/\(points.count) survived"]
        lines += lost.prefix(BootBlock.lostLimit).map { point in
            " ✗ \(point.name)  \(point.survived)/\(point.tried) survived"
        }
        if lost.count > BootBlock.lostLimit {
            lines.append("   and \(lost.count - BootBlock.lostLimit) more that were not survived")
        }
        let survived = points.filter(\.isSurvived)
        guard !survived.isEmpty else { return lines }
        let shown = survived.prefix(BootBlock.survivedLimit).map(\.name)
        let more = survived.count - shown.count
        let names = shown + (more > 0 ? ["and \(more) more"] : [])
        lines += BootBlock.wrapped(
            ["survived:"] + names.dropLast().map { $0 + "," } + names.suffix(1)
        )
        return lines
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}

extension RepresentativeBoot {
    /// How the boot was chosen, for example `seed 47, median of 20`.
    public var choice: String {
        let seed = "seed \(timeline.seed)"
        let replication =
            switch replications {
            case 0: "\(seed), did not complete"
            case 1: seed
            default: "\(seed), median of \(replications)"
            }
        switch role {
        case .only: return replication
        case .median: return "\(replication); median of \(nodes) nodes"
        case .slowest: return "\(replication); slowest of \(nodes) nodes"
        }
    }
}

extension BootTimeline {
    /// The steps of the critical path in words: `cache 2.1 s`, with repeated attempts and waiting
    /// where there were any. Waits of less than a hundredth of the boot are not named.
    public var pathTexts: [String] {
        let steps = criticalPath
        let whole = bootSeconds ?? steps.last.map { $0.end.seconds - start.seconds } ?? 0
        return steps.enumerated().map { index, step in
            var remarks: [String] = []
            if step.wait > .zero, step.wait.seconds >= whole / 100 {
                let wait = Decimals.duration(step.wait.seconds)
                remarks.append(
                    index == 0 ? "\(wait) after the process started" : "after waiting \(wait)"
                )
            }
            if step.attempts > 1 { remarks.append("\(step.attempts) attempts") }
            if step.outcome != .ready { remarks.append(step.outcome.rawValue) }
            let text = "\(step.name) \(Decimals.duration(step.duration.seconds))"
            return remarks.isEmpty ? text : "\(text) (\(remarks.joined(separator: ", ")))"
        }
    }
}
