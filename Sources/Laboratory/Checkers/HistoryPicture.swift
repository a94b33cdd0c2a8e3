/// A picture of where a history stops being linearizable, as SVG.
///
/// A lane for each process, a bar for each operation from its call to its return; time runs in the
/// order of calls and returns, evenly spaced, because nanoseconds say nothing here. The operations
/// of the deepest order that was found carry their place in it, the operation whose answer nothing
/// explains is marked. It follows the reader's light or dark setting.
public struct HistoryPicture: Sendable {
    /// One operation to draw.
    public struct Bar: Sendable {
        public var process: Int
        public var label: String
        public var called: Int
        /// `nil` when it is open to the end.
        public var returned: Int?

        public init(process: Int, label: String, called: Int, returned: Int?) {
            self.process = process
            self.label = label
            self.called = called
            self.returned = returned
        }
    }

    public var bars: [Bar]
    public var failure: LinearizabilityFailure
    /// Only the last operations are drawn; what was drawn before an answer failed matters most.
    public var operationLimit: Int
    /// The most that a call or return takes of the width; labels that are longer than their bars are
    /// cut, and whole where the pointer rests.
    public var stepLimit = 160.0

    /// - Parameter bars: one for each operation of the history, by its index.
    public init(bars: [Bar], failure: LinearizabilityFailure, operationLimit: Int = 40) {
        self.bars = bars
        self.failure = failure
        self.operationLimit = max(1, operationLimit)
    }

    /// The same picture narrow enough for a page: fewer operations, closer together.
    public var narrow: HistoryPicture {
        var picture = self
        picture.operationLimit = 16
        picture.stepLimit = 40
        return picture
    }

    // MARK: - Layout

    private static let laneHeight = 44.0
    private static let barHeight = 20.0
    private static let left = 84.0
    private static let top = 64.0

    /// What the prefix holds, and of it what is drawn.
    private var shown: (operations: [Int], left: Int) {
        let inside = failure.part.filter { bars[$0].called <= failure.end }
        // The open ones and the last ones: by return, the open last.
        let sorted = inside.sorted {
            (ending($0), bars[$0].called) < (ending($1), bars[$1].called)
        }
        let open = sorted.filter { ending($0) >= failure.end }
        let past = sorted.filter { ending($0) < failure.end }
        let room = max(0, operationLimit - open.count)
        let kept = past.suffix(room) + open.suffix(operationLimit)
        let result = kept.sorted { bars[$0].called < bars[$1].called }
        return (result, inside.count - result.count)
    }

    private func ending(_ index: Int) -> Int {
        let end = bars[index].returned ?? .max
        return end > failure.end ? .max : end
    }

    public var svg: String {
        let (operations, omitted) = shown
        var positions: [Int] = []
        for index in operations {
            positions.append(bars[index].called)
            if ending(index) != .max { positions.append(ending(index)) }
        }
        positions.sort()
        var column: [Int: Int] = [:]
        for position in positions where column[position] == nil { column[position] = column.count }
        let lanes = Set(operations.map { bars[$0].process }).sorted()
        let rows = Rows(operations.map { ($0, bars[$0].process) }, lanes) { left, right in
            bars[left].called <= ending(right) && bars[right].called <= ending(left)
        }
        let step = spacing(operations, column)
        let width = HistoryPicture.left + step * Double(column.count + 1) + 24
        let height = HistoryPicture.top + HistoryPicture.laneHeight * Double(rows.count) + 34
        var body = ""
        for (lane, span) in zip(lanes, rows.spans) { body += laneMarkup(lane, span, width) }
        for index in operations {
            body += barMarkup(index, rows.row[index] ?? 0, column, step, width)
        }
        return head(width, height) + title(omitted, width) + body + foot(height) + "</svg>\n"
    }

    /// Wide enough that no label is longer than its bar, within the limit.
    private func spacing(_ operations: [Int], _ column: [Int: Int]) -> Double {
        var step = 26.0
        for index in operations {
            let first = column[bars[index].called] ?? 0
            let last = column[ending(index)] ?? column.count
            let wanted = Double(bars[index].label.count) * 6.6 + 30
            step = max(step, min(stepLimit, wanted / Double(max(1, last - first))))
        }
        return step
    }

    // MARK: - Parts

    private func head(_ width: Double, _ height: Double) -> String {
        """
        <svg class="history" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(number(width)) \(number(height))" \
        width="\(number(width))" height="\(number(height))" role="img" \
        aria-label="\(escaped(summary))">
        <style>
        .history { --paper: #ffffff; --text: #1c2330; --quiet: #667085; --line: #d5dae2; \
        --done: #dbe7fb; --done-edge: #3563b8; --open: #eef0f4; --stuck: #fbdcd8; \
        --stuck-edge: #b3261e; }
        @media (prefers-color-scheme: dark) { .history { --paper: #14181f; --text: #e6e9ef; \
        --quiet: #98a2b3; --line: #343b47; --done: #21365e; --done-edge: #8ab0f5; \
        --open: #262c37; --stuck: #5a211d; --stuck-edge: #ff9c93; } }
        .history text { font: 12px ui-sans-serif, system-ui, sans-serif; fill: var(--text); }
        .history .quiet { fill: var(--quiet); }
        .history .title { font-size: 14px; font-weight: 600; }
        .history .order { font-weight: 600; fill: var(--done-edge); }
        .history .why { fill: var(--stuck-edge); font-weight: 600; }
        </style>
        <rect width="100%" height="100%" fill="var(--paper)"/>

        """
    }

    private var summary: String {
        "Not linearizable: \(bars[failure.stuck].label) cannot be explained"
    }

    private func title(_ omitted: Int, _ width: Double) -> String {
        let count = failure.linearized.count
        let more = omitted > 0 ? " \(omitted) earlier operations are not drawn." : ""
        let state = "After the numbered operations the state is \(failure.state)."
        let found = "The deepest order found has length \(count).\(more) \(state)"
        return """
            <text class="title" x="16" y="24">\(escaped(summary))</text>
            <text class="quiet" x="16" y="44">\(escaped(found))</text>

            """
    }

    private func laneMarkup(_ process: Int, _ span: Range<Int>, _ width: Double) -> String {
        let y = HistoryPicture.top + HistoryPicture.laneHeight * Double(span.lowerBound)
        let middle =
            HistoryPicture.top
            + HistoryPicture.laneHeight * (Double(span.lowerBound + span.upperBound) / 2)
        return """
            <line x1="0" x2="\(number(width))" y1="\(number(y))" y2="\(number(y))" \
            stroke="var(--line)"/>
            <text class="quiet" x="16" y="\(number(middle + 4))">process \(process)</text>

            """
    }

    private func barMarkup(
        _ index: Int,
        _ row: Int,
        _ column: [Int: Int],
        _ step: Double,
        _ width: Double
    ) -> String {
        let bar = bars[index]
        let isOpen = ending(index) == .max
        let x = HistoryPicture.left + step * Double(column[bar.called] ?? 0)
        let end =
            isOpen
            ? width - 12 : HistoryPicture.left + step * Double(column[ending(index)] ?? 0)
        let y = HistoryPicture.top + HistoryPicture.laneHeight * Double(row) + 16
        let isStuck = index == failure.stuck
        let place = failure.linearized.firstIndex(of: index)
        let fill = isStuck ? "stuck" : place == nil ? "open" : "done"
        let edge =
            isStuck ? "var(--stuck-edge)" : place == nil ? "var(--quiet)" : "var(--done-edge)"
        let dash = isOpen ? " stroke-dasharray=\"5 3\"" : ""
        let room = max(1, Int((max(6, end - x) - 10) / 6.6))
        let label =
            bar.label.count > room ? String(bar.label.prefix(room - 1)) + "…" : bar.label
        let note = isStuck ? "✗" : place.map { "\($0 + 1)" } ?? ""
        return """
            <g><title>\(escaped(bar.label))</title>
            <rect x="\(number(x))" y="\(number(y))" width="\(number(max(6, end - x)))" \
            height="\(number(HistoryPicture.barHeight))" rx="4" fill="var(--\(fill))" \
            stroke="\(edge)" stroke-width="\(isStuck ? "2" : "1")"\(dash)/>
            <text x="\(number(x + 6))" y="\(number(y + 14))">\(escaped(label))</text>
            <text class="\(isStuck ? "why" : "order")" x="\(number(x))" \
            y="\(number(y - 4))">\(note)</text></g>

            """
    }

    private func foot(_ height: Double) -> String {
        let legend =
            "Numbers: place in the deepest order. Dashed: no return yet. "
            + "✗: no order explains this answer."
        return """
            <text class="quiet" x="16" y="\(number(height - 12))">\(escaped(legend))</text>

            """
    }

    private func number(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(abs(tenths % 10))"
    }

    private func escaped(_ text: String) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "&": result += "&amp;"
            case "\"": result += "&quot;"
            // XML has no way to write these.
            case _ where character.value < 0x20: result += "\u{FFFD}"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}

/// Operations of one process that overlap, after it gave one up, get rows of their own.
private struct Rows {
    var row: [Int: Int] = [:]
    /// The rows of each lane.
    var spans: [Range<Int>] = []
    var count = 0

    init(
        _ operations: [(index: Int, process: Int)],
        _ lanes: [Int],
        overlap: (Int, Int) -> Bool
    ) {
        for lane in lanes {
            var members: [[Int]] = []
            for operation in operations where operation.process == lane {
                let free = members.firstIndex { row in
                    !row.contains { overlap($0, operation.index) }
                }
                if let free {
                    members[free].append(operation.index)
                    row[operation.index] = count + free
                } else {
                    row[operation.index] = count + members.count
                    members.append([operation.index])
                }
            }
            spans.append(count..<count + members.count)
            count += members.count
        }
    }
}
