internal import Judging
internal import Measurements

/// What ran: code, machine, seeds, data and every replication.
struct OriginList {
    private let evidence: Evidence

    /// A page lists no more replications than this; a sentence names the rest.
    private static let runLimit = 400
    /// Of a fact that differs between runs, no more values are printed than this.
    private static let valueLimit = 6

    init(_ evidence: Evidence) {
        self.evidence = evidence
    }

    private var allRuns: [RunRecord] { evidence.input.campaign.runs }
    private var provenance: Provenance { evidence.input.provenance }

    /// What a reader has to know about the runs before any figure, in one line.
    var summary: String {
        let code =
            switch provenance.commit {
            case .known(let hash):
                switch provenance.isDirty {
                case .known(true): "commit \(hash.prefix(12)) with uncommitted changes"
                case .known(false): "commit \(hash.prefix(12))"
                case .unknown: "commit \(hash.prefix(12)), cleanliness unknown"
                }
            case .unknown: "commit unknown"
            }
        let machine = "\(provenance.processor), \(provenance.coreCount) cores"
        let runs = FigureText.count(allRuns.count)
        return [
            code, "\(runs) \(allRuns.count == 1 ? "run" : "runs"), seeds \(seeds)", environment,
            machine,
        ].joined(separator: " · ")
    }

    var rows: [PageView.Row] {
        var rows = [PageView.Row(name: "commit", value: commit)]
        let built = distinct(allRuns.map(\.commit))
        // One line is enough when every run was built from this very commit.
        if !built.isEmpty, !(built.count == 1 && isThisCommit(built[0])) {
            rows.append(PageView.Row(name: "runs built from", value: listed(built)))
        }
        rows += [
            PageView.Row(name: "compiler", value: "\(provenance.compiler)"),
            PageView.Row(
                name: "processor",
                value: "\(provenance.processor), \(provenance.coreCount) cores"
            ),
            PageView.Row(name: "kernel", value: "\(provenance.kernel)"),
            PageView.Row(name: "environment", value: environment),
            PageView.Row(name: "seeds", value: seeds),
        ]
        let digests = distinct(allRuns.map(\.key.scenarioDigest))
        if !digests.isEmpty {
            rows.append(PageView.Row(name: "scenario digest", value: listed(digests)))
        }
        return rows + facts
    }

    private func isThisCommit(_ built: String) -> Bool {
        guard case .known(let commit) = provenance.commit,
            case .known(let isDirty) = provenance.isDirty
        else { return false }
        return isDirty ? built == commit + "-dirty" : built == commit
    }

    private var commit: String {
        let state =
            switch provenance.isDirty {
            case .known(true): "with uncommitted changes"
            case .known(false): "clean"
            case .unknown(let reason): "cleanliness unknown: \(reason)"
            }
        guard case .known(let commit) = provenance.commit else { return "\(provenance.commit)" }
        return "\(commit), \(state)"
    }

    private var environment: String {
        switch evidence.input.campaign.environment {
        case .simulated: "simulated: virtual clock, modelled links and hardware"
        case .sockets: "sockets: real TCP over loopback, links not shaped"
        case .rdma: "rdma: reliable connections of this machine's devices, links not shaped"
        }
    }

    /// Consecutive seeds as ranges, `42–61 (20)`.
    private var seeds: String {
        var ranges: [ClosedRange<UInt64>] = []
        let sorted = Set(allRuns.map(\.key.seed)).sorted()
        for seed in sorted {
            if let last = ranges.last, last.upperBound < .max, last.upperBound + 1 == seed {
                ranges[ranges.count - 1] = last.lowerBound...seed
            } else {
                ranges.append(seed...seed)
            }
        }
        guard !ranges.isEmpty else { return "none" }
        let shown = ranges.prefix(OriginList.valueLimit).map { range in
            range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound)–\(range.upperBound)"
        }
        let more = ranges.count > shown.count ? ", …" : ""
        return shown.joined(separator: ", ") + more + " (\(sorted.count) in all)"
    }

    /// What the runs state about themselves. A fact that differs is printed by variant where that
    /// explains it, else with its different values.
    private var facts: [PageView.Row] {
        distinct(allRuns.flatMap { $0.facts.map(\.key) }).map { key in
            let values = distinct(allRuns.compactMap { $0.fact(key) })
            guard values.count > 1 else {
                return PageView.Row(name: key, value: values.first ?? "")
            }
            let perVariant = evidence.variants.map { variant in
                distinct(allRuns.filter { $0.key.variant == variant }.compactMap { $0.fact(key) })
            }
            guard perVariant.allSatisfy({ $0.count <= 1 }) else {
                return PageView.Row(name: key, value: listed(values))
            }
            let parts = zip(evidence.variants, perVariant).compactMap { variant, values in
                values.first.map { "\(variant): \($0)" }
            }
            return PageView.Row(name: key, value: parts.joined(separator: "; "))
        }
    }

    private func listed(_ values: [String]) -> String {
        let shown = values.prefix(OriginList.valueLimit).joined(separator: ", ")
        let more = values.count - OriginList.valueLimit
        return more > 0 ? "\(shown) and \(more) more" : shown
    }

    /// The values that are not empty, each once, in order of first appearance.
    private func distinct(_ values: [String]) -> [String] {
        var seen: Set<String> = []
        return values.filter { !$0.isEmpty && seen.insert($0).inserted }
    }

    var settings: [PageView.Row] {
        provenance.settings.map { PageView.Row(name: $0.name, value: "\($0.value)") }
    }

    var runs: [PageView.Run] {
        let order = Dictionary(
            evidence.variants.enumerated().map { ($0.element, $0.offset) },
            uniquingKeysWith: { first, _ in first }
        )
        let sorted = allRuns.sorted { left, right in
            (order[left.key.variant] ?? .max, left.key.seed)
                < (order[right.key.variant] ?? .max, right.key.seed)
        }
        return sorted.prefix(OriginList.runLimit).map { run in
            PageView.Run(
                variant: run.key.variant,
                seed: "\(run.key.seed)",
                outcome: outcome(run.outcome),
                fingerprint: run.fingerprint.isEmpty ? "–" : String(run.fingerprint.prefix(12)),
                events: FigureText.count(run.events),
                simulated: FigureText.seconds(run.simulatedSeconds),
                kernel: FigureText.seconds(run.kernelSeconds),
                work: FigureText.seconds(run.workSeconds),
                real: FigureText.seconds(run.realSeconds),
                memory: FigureText.bytes(Double(run.peakMemoryBytes))
            )
        }
    }

    var runNotes: [String] {
        var notes: [String] = []
        if !evidence.setAside.isEmpty {
            let count = evidence.setAside.count
            notes.append(
                """
                \(count) \(count == 1 ? "run" : "runs") did not complete and \
                \(count == 1 ? "is" : "are") not in any figure.
                """
            )
        }
        let events = allRuns.reduce(0) { $0 + $1.events }
        let kernel = allRuns.reduce(0) { $0 + $1.kernelSeconds }
        if events > 0, kernel > 0 {
            let rate = FigureText.count(Int((Double(events) / kernel).rounded()))
            notes.append(
                """
                \(FigureText.count(events)) events in \(FigureText.seconds(kernel)) of event loop: \
                \(rate) events per kernel second and core.
                """
            )
        }
        if allRuns.count > OriginList.runLimit {
            notes.append("\(allRuns.count - OriginList.runLimit) more runs are in the archive.")
        }
        return notes
    }

    private func outcome(_ outcome: RunOutcome) -> String {
        switch outcome {
        case .completed: "completed"
        case .truncated(let reason): "cut short: \(reason)"
        case .interrupted: "interrupted"
        case .failed(let message): "failed: \(message)"
        case .safetyViolation(let message): "safety: \(message)"
        case .livenessViolation(let message): "liveness: \(message)"
        }
    }
}
