internal import Judging
internal import Measurements

/// What was planned to break, what did, what healed; and which promises were checked meanwhile.
struct FaultList {
    private let evidence: Evidence

    /// A kind that struck more targets than this has one row for all of them.
    private static let targetLimit = 12
    /// A page lists no more crash points than this; a sentence names the rest.
    private static let pointLimit = 1_000

    init(_ evidence: Evidence) {
        self.evidence = evidence
    }

    private struct Tally {
        let kind: String
        let target: String
        var planned = 0
        var fired = 0
        var healed = 0
    }

    private var tallies: [Tally] {
        var tallies: [Tally] = []
        for run in evidence.input.campaign.runs {
            for fault in run.faults {
                var place = tallies.firstIndex {
                    $0.kind == fault.kind && $0.target == fault.target
                }
                if place == nil {
                    tallies.append(Tally(kind: fault.kind, target: fault.target))
                    place = tallies.count - 1
                }
                tallies[place!].planned += 1
                tallies[place!].fired += fault.fired == nil ? 0 : 1
                tallies[place!].healed += fault.healed == nil ? 0 : 1
            }
        }
        return tallies.sorted { ($0.kind, $0.target) < ($1.kind, $1.target) }
    }

    var note: String {
        let planned = tallies.reduce(0) { $0 + $1.planned }
        guard planned > 0 else { return "No fault was planned." }
        let fired = tallies.reduce(0) { $0 + $1.fired }
        let healed = tallies.reduce(0) { $0 + $1.healed }
        return """
            Over all replications \(FigureText.count(planned)) faults were planned, \
            \(FigureText.count(fired)) fired and \(FigureText.count(healed)) healed.
            """
    }

    /// A row a target, or a row a kind where there are many targets.
    private var shortTallies: [Tally] {
        let all = tallies
        var kinds: [String] = []
        for tally in all where kinds.last != tally.kind { kinds.append(tally.kind) }
        return kinds.flatMap { kind -> [Tally] in
            let own = all.filter { $0.kind == kind }
            guard own.count > FaultList.targetLimit else { return own }
            var sum = Tally(kind: kind, target: "\(FigureText.count(own.count)) targets")
            for tally in own {
                sum.planned += tally.planned
                sum.fired += tally.fired
                sum.healed += tally.healed
            }
            return [sum]
        }
    }

    var rows: [PageView.Fault] {
        shortTallies.map { tally in
            PageView.Fault(
                kind: tally.kind,
                target: tally.target,
                planned: FigureText.count(tally.planned),
                fired: FigureText.count(tally.fired),
                healed: FigureText.count(tally.healed),
                warning: tally.fired == 0 ? "never fired" : ""
            )
        }
    }

    var invariants: [PageView.Invariant] {
        evidence.input.judgement.invariants.map { invariant in
            let tone: VerdictTone =
                invariant.violations > 0 ? .no : invariant.checked == 0 ? .open : .go
            return PageView.Invariant(
                name: invariant.name,
                kind: invariant.kind.rawValue,
                checked: invariant.checked == 0
                    ? "never"
                    : "\(FigureText.count(invariant.checked)) in \(invariant.runs) runs",
                violations: FigureText.count(invariant.violations),
                tone: tone.rawValue,
                first: invariant.firstViolation ?? ""
            )
        }
    }

    /// `nil` when no crash was made.
    var crashPoints: PageView.CrashPoints? {
        let list = CrashPoints(evidence.input.campaign.runs)
        guard !list.points.isEmpty else { return nil }
        let isWhole = list.survivedCount == list.points.count
        let shown = list.points.prefix(FaultList.pointLimit)
        let more = list.points.count - shown.count
        return PageView.CrashPoints(
            tone: (isWhole ? VerdictTone.go : .no).rawValue,
            summary: "\(FigureText.count(list.survivedCount)) of "
                + "\(FigureText.count(list.points.count)) crash points were survived every time."
                + (more > 0 ? " \(FigureText.count(more)) more are in the archive." : ""),
            rows: shown.map { point in
                PageView.CrashPoint(
                    tone: (point.isSurvived ? VerdictTone.go : .no).rawValue,
                    sign: point.isSurvived ? "✓" : "✗",
                    name: point.name,
                    tried: FigureText.count(point.tried),
                    survived: FigureText.count(point.survived)
                )
            }
        )
    }
}
