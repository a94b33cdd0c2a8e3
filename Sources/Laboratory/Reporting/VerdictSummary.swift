internal import Judging
internal import Measurements
internal import Statistics

/// The verdict with its reasons, and the short facts beside it.
struct VerdictSummary {
    private let evidence: Evidence
    private var judgement: Judgement { evidence.input.judgement }

    /// More reasons than this are counted instead of printed.
    private static let reasonLimit = 12

    init(_ evidence: Evidence) {
        self.evidence = evidence
    }

    var tone: VerdictTone {
        switch judgement.verdict.word {
        case .go: .go
        case .noGo, .invalid: .no
        case .inconclusive: .open
        }
    }

    var leadReason: String {
        judgement.verdict.sentences.first ?? "The judge gave no reason."
    }

    var otherReasons: [String] {
        let rest = judgement.verdict.sentences.dropFirst()
        let shown = Array(rest.prefix(VerdictSummary.reasonLimit))
        let more = rest.count - shown.count
        return more > 0 ? shown + ["… and \(more) more reasons."] : shown
    }

    var chips: [String] {
        [
            replications, determinism, invariants, environment,
            "exit code \(judgement.verdict.exitCode)",
        ]
    }

    private var replications: String {
        let counts = evidence.variants.map { variant in
            evidence.input.campaign.runs.count {
                $0.key.variant == variant && $0.outcome != .interrupted
            }
        }
        guard let first = counts.first, counts.allSatisfy({ $0 == first }) else {
            return "\(judgement.runCount) replications"
        }
        let runs = "\(first) \(first == 1 ? "replication" : "replications")"
        return counts.count == 1 ? runs : "\(runs) × \(counts.count) variants"
    }

    private var determinism: String {
        guard let check = judgement.determinism else { return "determinism not checked" }
        return "determinism \(check.equal)/\(check.compared) equal"
    }

    private var invariants: String {
        guard !judgement.invariants.isEmpty else { return "no invariants" }
        let violations = judgement.invariants.reduce(0) { $0 + $1.violations }
        return
            "\(FigureText.count(violations)) invariant \(violations == 1 ? "violation" : "violations")"
    }

    private var environment: String {
        switch evidence.input.campaign.environment {
        case .simulated: "simulated"
        case .sockets:
            if !evidence.input.campaign.usesLinks {
                "real processes"
            } else if evidence.input.campaign.isShaped {
                "real sockets over emulated links"
            } else {
                "real sockets, links unshaped"
            }
        case .rdma: "real RDMA devices, links unshaped"
        }
    }
}
