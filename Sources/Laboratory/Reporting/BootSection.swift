internal import Judging
internal import Measurements
internal import Units

/// The boots that stand for all others: a panel each, side by side on one time scale, and their
/// figures in a table.
struct BootSection {
    private let evidence: Evidence
    private let boots: [RepresentativeBoot]

    /// Panels beside each other; more begin a new strip.
    private static let panelsAbreast = 3
    /// A page shows no more boots than this.
    private static let bootLimit = 12

    init(_ evidence: Evidence) {
        self.evidence = evidence
        boots = RepresentativeBoot.all(of: evidence.input.campaign)
    }

    /// `nil` when nothing was booted.
    var view: PageView.Boot? {
        guard !boots.isEmpty else { return nil }
        let shown = Array(boots.prefix(BootSection.bootLimit))
        let span = shown.map { BootSection.end(of: $0.timeline) }.max()!
        let strips = strips(shown)
        let rows = strips.map { strip in (strip, BootRows(strip.map(\.timeline))) }
        var notes = [note]
        if boots.count > shown.count {
            notes.append("\(boots.count - shown.count) more boots are in the archive.")
        }
        if let most = rows.map(\.1.leftOut).max(), most > 0 {
            notes.append(
                "\(most) components that are short and not critical have no row in the picture."
            )
        }
        return PageView.Boot(
            notes: notes,
            strips: rows.map { strip($0.0, $0.1, span: span) },
            legend: legend(shown),
            rows: shown.map(row),
            paths: shown.compactMap(path),
            tables: shown.map(table)
        )
    }

    /// Seconds from the boot's start to its last event.
    private static func end(of timeline: BootTimeline) -> Double {
        let times = timeline.components.map(\.end.seconds) + [timeline.ready?.seconds ?? 0]
        // A boot without length still needs a scale.
        return max((times.max()! - timeline.start.seconds) * 1.03, 1e-6)
    }

    /// The panels of each strip. Nodes of one variant stand beside each other; of several variants
    /// the median nodes first, then the slowest ones.
    private func strips(_ boots: [RepresentativeBoot]) -> [[RepresentativeBoot]] {
        let variants = Set(boots.map(\.timeline.variant)).count
        let lines =
            variants == 1
            ? [boots]
            : [boots.filter { $0.role != .slowest }, boots.filter { $0.role == .slowest }]
        return lines.flatMap { line in
            stride(from: 0, to: line.count, by: BootSection.panelsAbreast).map { start in
                Array(line[start..<min(start + BootSection.panelsAbreast, line.count)])
            }
        }
    }

    private func accent(_ boot: RepresentativeBoot) -> Ink {
        evidence.accent(evidence.variants.firstIndex(of: boot.timeline.variant) ?? 0)
    }

    private func strip(
        _ boots: [RepresentativeBoot],
        _ rows: BootRows,
        span: Double
    ) -> PageView.BootStrip {
        let names = rows.rows.map { row in
            switch row {
            case .phase(let name):
                PageView.BootName(style: "phase", text: name.isEmpty ? "components" : name)
            case .component(let key): PageView.BootName(style: "part", text: key.name)
            }
        }
        return PageView.BootStrip(
            style: "abreast\(boots.count) rows\(rows.height)",
            panels: boots.map { boot in
                PageView.BootPanel(
                    names: names,
                    accent: accent(boot).name,
                    title: title(boot),
                    choice: boot.choice,
                    drawing: BootChart(
                        timeline: boot.timeline,
                        rows: rows,
                        span: span,
                        accent: accent(boot)
                    ).markup
                )
            }
        )
    }

    private func title(_ boot: RepresentativeBoot) -> String {
        boot.role == .only
            ? boot.timeline.variant : "\(boot.timeline.variant), \(boot.timeline.lane)"
    }

    private var note: String {
        var sentences = [
            boots.allSatisfy { $0.replications == 0 }
                ? "No replication completed; each picture is the one of the lowest seed."
                : "Each picture is one replication, not an average: the median of its variant by "
                    + "boot time."
        ]
        if boots.contains(where: { $0.role != .only }) {
            sentences.append(
                "Of its nodes the median and the slowest are shown; the distribution over all "
                    + "nodes is among the metrics."
            )
        }
        if boots.count > 1 { sentences.append("All panels share one time scale.") }
        return sentences.joined(separator: " ")
    }

    /// Explains only what the pictures show.
    private func legend(_ boots: [RepresentativeBoot]) -> [PageView.BootMark] {
        let components = boots.flatMap(\.timeline.components)
        let attempts = components.flatMap(\.attempts)
        var marks: [PageView.BootMark] = []
        func add(_ style: String, _ text: String, when isShown: Bool) {
            if isShown { marks.append(PageView.BootMark(style: style, text: text)) }
        }
        let outcomes = Set(attempts.map(\.outcome))
        add("critical", "on the critical path", when: components.contains(where: \.isCritical))
        add("beside", "beside it", when: components.contains { !$0.isCritical })
        add("fallback", "a fallback took over", when: outcomes.contains(.fallback))
        add("failed", "failed attempt", when: outcomes.contains(.failed))
        add("retry", "delay before a retry", when: components.contains { $0.attempts.count > 1 })
        add("cancelled", "cancelled", when: outcomes.contains(.cancelled))
        add("skipped", "not started", when: outcomes.contains(.skipped))
        add(
            "queued",
            "could begin, had to wait",
            when: attempts.contains { ($0[Span.queuedField] ?? 0) > 0 }
        )
        add("ready", "READY", when: boots.contains { $0.timeline.ready != nil })
        return marks
    }

    private func row(_ boot: RepresentativeBoot) -> PageView.BootRow {
        let timeline = boot.timeline
        func duration(_ seconds: Double?) -> String { seconds.map(Decimals.duration) ?? "–" }
        func factor(_ value: Double?) -> String {
            value.map { Decimals.text($0, places: 2) + "x" } ?? "–"
        }
        return PageView.BootRow(
            accent: accent(boot).name,
            variant: title(boot),
            choice: boot.choice,
            bootTime: timeline.bootSeconds.map(Decimals.duration) ?? "not READY",
            sum: Decimals.duration(boot.componentSeconds),
            critical: duration(boot.criticalSeconds),
            speedup: factor(boot.speedup),
            bound: factor(boot.speedupBound)
        )
    }

    private func path(_ boot: RepresentativeBoot) -> PageView.Row? {
        let steps = boot.timeline.pathTexts
        guard !steps.isEmpty else { return nil }
        return PageView.Row(name: title(boot), value: steps.joined(separator: " → "))
    }

    private func table(_ boot: RepresentativeBoot) -> PageView.BootTable {
        let origin = boot.timeline.start.seconds
        return PageView.BootTable(
            title: "\(title(boot)) in numbers",
            rows: boot.timeline.components.map { component in
                PageView.BootComponent(
                    phase: component.group,
                    name: component.name,
                    start: Decimals.duration(component.start.seconds - origin),
                    end: Decimals.duration(component.end.seconds - origin),
                    duration: Decimals.duration(component.duration.seconds),
                    attempts: "\(component.attempts.count)",
                    outcome: component.outcome.words,
                    critical: component.isCritical ? "critical" : ""
                )
            }
        )
    }
}
