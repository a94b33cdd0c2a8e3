internal import Judging
internal import Measurements
internal import Units

/// The boot of one node as a Gantt picture, drawn straight as SVG.
///
/// Rows have a fixed height and times are shares of the width, so that texts keep their size however
/// wide the picture is, and panels beside each other line up.
struct BootChart {
    let timeline: BootTimeline
    let rows: BootRows
    /// The end of the time axis, common to all panels.
    let span: Double
    let accent: Ink

    /// Room for READY above the rows and for the axis below them, in pixels.
    static let top = 18.0
    static let bottom = 20.0

    private var height: Double { Double(rows.height) }
    private var floor: Double { BootChart.top + Double(rows.rows.count) * height }

    var markup: String {
        let label = escaped("Boot of \(timeline.variant), \(timeline.lane): \(summary)")
        return """
            <svg class="plot" height="\(short(floor + BootChart.bottom))" role="img" \
            aria-label="\(label)">\(axis)\(bars)\(chain)\(readyLine)</svg>
            """
    }

    private var summary: String {
        let time = timeline.bootSeconds.map { "READY after \(Decimals.duration($0))" }
        let names = timeline.criticalPath.map(\.name).joined(separator: " → ")
        return (time ?? "never READY") + (names.isEmpty ? "" : "; critical path \(names)")
    }

    // MARK: - Places

    /// A time as a share of the width.
    private func place(_ seconds: Double) -> String {
        let share = (seconds - timeline.start.seconds) / span * 100
        return FigureText.fixed(min(100, max(0, share)), 3) + "%"
    }

    private func place(_ time: Instant) -> String { place(time.seconds) }

    private func width(_ seconds: Double) -> String {
        FigureText.fixed(min(100, max(0, seconds / span * 100)), 3) + "%"
    }

    private func middle(_ row: Int) -> Double {
        BootChart.top + (Double(row) + 0.5) * height
    }

    private func row(_ group: String, _ name: String) -> Int? {
        rows.rows.firstIndex(of: .component(BootRows.Key(group: group, name: name)))
    }

    private func short(_ value: Double) -> String { FigureText.fixed(value, 1) }

    // MARK: - Parts

    private var axis: String {
        let isShort = span < 1
        let factor = isShort ? 1e3 : 1
        let ticks = Axis(covering: [0, span * factor], unit: "", fromZero: true).ticks
            .filter { $0.position <= span * factor }
        var marks = ""
        for (index, tick) in ticks.enumerated() {
            let x = place(timeline.start.seconds + tick.position / factor)
            marks += line(x, BootChart.top, x, floor, "line", width: 1)
            let isLast = index == ticks.count - 1
            let isNearEnd = tick.position > span * factor * 0.93
            let anchor = index == 0 ? "start" : isNearEnd ? "end" : "middle"
            let unit = isLast ? (isShort ? " ms" : " s") : ""
            marks += """
                <text x="\(x)" y="\(short(floor + 14))" text-anchor="\(anchor)">\
                \(tick.label)\(unit)</text>
                """
        }
        return marks
    }

    private var bars: String {
        rows.rows.enumerated().map { index, row in
            switch row {
            case .phase(let group): phase(group, row: index)
            case .component(let key): component(key, row: index)
            }
        }.joined()
    }

    /// A thin bar from the begin to the end of a phase.
    private func phase(_ group: String, row: Int) -> String {
        let own = timeline.components.filter { $0.group == group }
        guard let start = own.map(\.start).min(), let end = own.map(\.end).max() else { return "" }
        let y = middle(row)
        let words = escaped(
            "phase \(group): \(Decimals.duration((end - start).seconds)), \(range(start, end))"
        )
        return """
            <g><title>\(words)</title>\
            \(rectangle(start, end, y: y - 1.5, height: 3, fill: "thread"))</g>
            """
    }

    private func component(_ key: BootRows.Key, row: Int) -> String {
        guard
            let component = timeline.components.first(where: {
                $0.group == key.group && $0.name == key.name
            })
        else { return "" }
        let y = middle(row)
        var marks = ""
        if let queued = component.attempts[0][Span.queuedField], queued > 0 {
            let from = place(component.start.seconds - queued)
            marks += line(from, y, place(component.start), y, "dim", width: 1, dashes: "1 3")
        }
        for (first, second) in zip(component.attempts, component.attempts.dropFirst())
        where first.end < second.start {
            let from = place(first.end)
            marks += line(from, y, place(second.start), y, "dim", width: 1.5, dashes: "4 2")
        }
        marks += component.attempts.map { attempt($0, y: y) }.joined()
        return "<g><title>\(escaped(words(component)))</title>\(marks)</g>"
    }

    /// The states differ in shape as well as in colour: a failed attempt is an empty box that ends
    /// in a cross, a fallback is dashed, a cancelled attempt is an empty box, one that never ran is
    /// a ring.
    private func attempt(_ span: Span, y: Double) -> String {
        let high = height - 6
        let top = y - high / 2
        let ink = accent.name
        switch span.outcome {
        case .ready:
            return rectangle(
                span.start,
                span.end,
                y: top,
                height: high,
                fill: ink,
                opacity: span.isCritical ? 1 : 0.4,
                stroke: ink
            )
        case .fallback:
            return rectangle(
                span.start,
                span.end,
                y: top,
                height: high,
                fill: "maybe",
                opacity: span.isCritical ? 0.6 : 0.25,
                stroke: "maybe",
                dashes: "3 2"
            )
        case .failed:
            return rectangle(
                span.start,
                span.end,
                y: top,
                height: high,
                fill: "no",
                opacity: span.isCritical ? 0.35 : 0.12,
                stroke: "no"
            ) + cross(span.end, y: y)
        case .cancelled:
            return rectangle(
                span.start,
                span.end,
                y: top,
                height: high,
                fill: "none",
                stroke: "dim"
            )
        case .skipped:
            return """
                <circle cx="\(place(span.start))" cy="\(short(y))" r="3" fill="none" \
                stroke="var(--dim)"/>
                """
        }
    }

    /// The critical path: one line along its bars and down to where the next begins.
    private var chain: String {
        let steps = timeline.criticalPath
        var marks = ""
        var from = (time: timeline.start.seconds, y: Double?.none)
        for step in steps {
            guard let row = row(step.group, step.name) else { continue }
            let y = middle(row)
            let start = step.start.seconds
            if let above = from.y {
                let x = place(from.time)
                marks += line(x, above, x, y, "ink", width: 1.5)
            }
            if start > from.time {
                marks += line(place(from.time), y, place(start), y, "ink", dashes: "2 2")
            }
            let end = max(step.end.seconds, from.time)
            marks += line(place(start), y, place(end), y, "ink", width: 1.5)
            marks += """
                <circle cx="\(place(end))" cy="\(short(y))" r="2.2" fill="var(--ink)"/>
                """
            from = (end, y)
        }
        if let ready = timeline.ready?.seconds, let y = from.y, ready > from.time {
            marks += line(place(from.time), y, place(ready), y, "ink", dashes: "2 2")
        }
        return marks.isEmpty ? "" : "<g pointer-events=\"none\">\(marks)</g>"
    }

    private var readyLine: String {
        guard let ready = timeline.ready, let seconds = timeline.bootSeconds else {
            return """
                <text class="ready lost" x="100%" y="12" text-anchor="end">not READY</text>
                """
        }
        let x = place(ready)
        let isRight = seconds > span * 0.4
        // A little aside, so that the word does not touch the line.
        let shift = isRight ? -4 : 4
        return """
            \(line(x, 2, x, floor, "go", width: 1.5))\
            <text class="ready" x="\(x)" dx="\(shift)" y="12" \
            text-anchor="\(isRight ? "end" : "start")">READY \(Decimals.duration(seconds))</text>
            """
    }

    // MARK: - Words

    private func range(_ start: Instant, _ end: Instant) -> String {
        let origin = timeline.start.seconds
        return "from \(Decimals.duration(start.seconds - origin)) to "
            + Decimals.duration(end.seconds - origin)
    }

    private func words(_ component: BootTimeline.Component) -> String {
        let time = Decimals.duration(component.duration.seconds)
        var parts = ["\(component.name): \(time), \(range(component.start, component.end))"]
        if component.attempts.count > 1 { parts.append("\(component.attempts.count) attempts") }
        parts.append(component.outcome.words)
        if component.isCritical { parts.append("on the critical path") }
        if let queued = component.attempts[0][Span.queuedField], queued > 0 {
            parts.append("waited \(Decimals.duration(queued)) for its turn")
        }
        let processor = component.attempts.compactMap { $0[Span.processorField] }
        if !processor.isEmpty {
            parts.append("processor \(Decimals.duration(processor.reduce(0, +)))")
        }
        return parts.joined(separator: "; ")
    }

    // MARK: - Shapes

    private func rectangle(
        _ start: Instant,
        _ end: Instant,
        y: Double,
        height: Double,
        fill: String,
        opacity: Double = 1,
        stroke: String? = nil,
        dashes: String? = nil
    ) -> String {
        let paint = fill == "none" ? "none" : "var(--\(fill))"
        var text = """
            <rect x="\(place(start))" y="\(short(y))" width="\(width((end - start).seconds))" \
            height="\(short(height))" rx="1.5" fill="\(paint)"
            """
        if opacity < 1 { text += " fill-opacity=\"\(FigureText.fixed(opacity, 2))\"" }
        if let stroke { text += " stroke=\"var(--\(stroke))\"" }
        if let dashes { text += " stroke-dasharray=\"\(dashes)\"" }
        return text + "/>"
    }

    private func line(
        _ x1: String,
        _ y1: Double,
        _ x2: String,
        _ y2: Double,
        _ ink: String,
        width: Double = 1.5,
        dashes: String? = nil
    ) -> String {
        """
        <line x1="\(x1)" y1="\(short(y1))" x2="\(x2)" y2="\(short(y2))" \
        stroke="var(--\(ink))" stroke-width="\(short(width))"\
        \(dashes.map { " stroke-dasharray=\"\($0)\"" } ?? "")/>
        """
    }

    /// A cross of fixed size at a time: a nested drawing whose origin is that time.
    private func cross(_ time: Instant, y: Double) -> String {
        """
        <svg x="\(place(time))" y="\(short(y))" width="1" height="1" overflow="visible">\
        <path d="M-3 -3l6 6M-3 3l6 -6" fill="none" stroke="var(--no)" stroke-width="1.5"/></svg>
        """
    }
}

extension Span.Outcome {
    /// As a table prints it.
    var words: String {
        switch self {
        case .ready: "ready"
        case .fallback: "ready with a fallback"
        case .failed: "failed"
        case .skipped: "not started"
        case .cancelled: "cancelled"
        }
    }
}
