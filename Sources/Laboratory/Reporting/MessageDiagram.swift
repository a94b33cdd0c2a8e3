public import Measurements
import Units

/// A timeline as a message sequence diagram in SVG: a vertical line a node, time downwards, an arrow a
/// message, a band a fault, a dot for what happens on one node.
///
/// Every event has a row of its own; the axis is one of order, with times written beside it. Colours are
/// variables with values for light and dark, so the picture follows its reader inside a page and as a
/// file.
public struct MessageDiagram: Sendable {
    private let timeline: Timeline
    private let lanes: [Int]
    private let rows: [Instant]
    /// The row of each shown entry.
    private let rowOfEntry: [Int?]
    /// More events are not drawn; a line says how many are left out.
    public static let rowLimit = 300
    private static let laneLimit = 16
    private static let rowHeight = 15
    /// Tells the definitions of several diagrams of one page apart.
    private var number = 0
    private static let top = 46
    private static let left = 96
    private static let laneWidth = 168

    public init(_ timeline: Timeline) {
        self.timeline = timeline
        lanes = TimelineText.busiest(timeline, limit: MessageDiagram.laneLimit)
        let shown = Set(lanes)
        // The end of a window is where things go wrong.
        let all = timeline.entries.indices.filter { shown.contains(timeline.entries[$0].lane) }
        let kept = Set(all.suffix(MessageDiagram.rowLimit))
        var times: [Instant] = []
        var places: [Int?] = Array(repeating: nil, count: timeline.entries.count)
        for index in timeline.entries.indices where kept.contains(index) {
            places[index] = times.count
            times.append(timeline.entries[index].time)
        }
        rows = times
        rowOfEntry = places
    }

    /// A file of its own, with the colours that a page would give it.
    public var file: String {
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + svg(style: MessageDiagram.ownColours)
            + "\n"
    }

    /// An element for a page that defines the colours; `number` differs between diagrams of one page.
    public func inline(number: Int) -> String {
        var diagram = self
        diagram.number = number
        return diagram.svg(style: "")
    }

    private func svg(style: String) -> String {
        let width = MessageDiagram.left + max(1, lanes.count) * MessageDiagram.laneWidth + 72
        let height = MessageDiagram.top + (rows.count + 2) * MessageDiagram.rowHeight
        var parts = [
            """
            <svg xmlns="http://www.w3.org/2000/svg" class="sequence" \
            viewBox="0 0 \(width) \(height)" width="\(width)" height="\(height)" role="img" \
            aria-label="\(escaped(label))">
            """
        ]
        parts.append("<style>\(style)\(MessageDiagram.sheet)</style>")
        parts.append("<defs>\(arrowHead)</defs>")
        parts += bands(width: width)
        parts += lifelines(height: height)
        parts += messages
        parts += dots
        parts += violations(width: width)
        parts += times
        parts.append("</svg>")
        return parts.joined(separator: "\n")
    }

    private var label: String {
        "Messages between \(lanes.count) nodes from \(timeline.from) to \(timeline.until)"
    }

    // MARK: - Places

    private func x(_ column: Int) -> Int {
        MessageDiagram.left + column * MessageDiagram.laneWidth + MessageDiagram.laneWidth / 2
    }

    private func y(_ row: Int) -> Int {
        MessageDiagram.top + row * MessageDiagram.rowHeight + MessageDiagram.rowHeight / 2
    }

    /// Where a time lies between the rows.
    private func y(at time: Instant) -> Int {
        let row = rows.firstIndex { $0 >= time } ?? rows.count
        return MessageDiagram.top + row * MessageDiagram.rowHeight
    }

    // MARK: - Parts

    private func bands(width: Int) -> [String] {
        var names = LabelPlaces()
        return timeline.faults.map { fault -> String in
            let begin = y(at: max(fault.fired, timeline.from))
            let end = fault.healed.map { y(at: $0) } ?? y(rows.count)
            let height = max(3, end - begin)
            let title = "<title>\(escaped("\(fault.kind): \(fault.target)"))</title>"
            let columns = fault.lanes.compactMap { lanes.firstIndex(of: $0) }
            let places =
                columns.isEmpty
                ? [(MessageDiagram.left - 8, width - MessageDiagram.left - 8)]
                : columns.map { (x($0) - 9, 18) }
            let boxes = places.map { place in
                "<rect class=\"\(columns.isEmpty ? "fault wide" : "fault")\" x=\"\(place.0)\" y=\"\(begin)\" width=\"\(place.1)\" "
                    + "height=\"\(height)\">\(title)</rect>"
            }
            let word = MessageDiagram.short(fault.kind, 22)
            // Beside a lane on the left: what happens on it is written on the right.
            let isWide = columns.isEmpty
            let edge = isWide ? places[0].0 + 2 : places[0].0 - 3
            let line = names.place(x: edge, y: begin + 9, length: word.count, isLeft: !isWide)
            let name =
                "<text class=\"\(isWide ? "name" : "name left")\" x=\"\(edge)\" y=\"\(line)\">"
                + "\(escaped(word))</text>"
            return boxes.joined() + name
        }
    }

    /// Keeps labels of ten pixels' height off each other: one whose place is taken goes a line down.
    private struct LabelPlaces {
        private var taken: [(x: Range<Int>, y: Int)] = []
        private static let line = 11
        private static let character = 6

        /// - Parameter isLeft: whether the label ends at `x` instead of beginning there.
        mutating func place(x: Int, y: Int, length: Int, isLeft: Bool) -> Int {
            let width = max(1, length) * LabelPlaces.character
            let extent = isLeft ? x - width..<x : x..<x + width
            var y = y
            while let other = taken.first(where: {
                $0.x.overlaps(extent) && abs($0.y - y) < LabelPlaces.line
            }) {
                y = other.y + LabelPlaces.line
            }
            taken.append((extent, y))
            return y
        }
    }

    private func lifelines(height: Int) -> [String] {
        lanes.indices.map { column in
            "<text class=\"lane\" x=\"\(x(column))\" y=\"24\">"
                + "\(escaped(timeline.lanes[lanes[column]]))</text>"
                + "<line class=\"life\" x1=\"\(x(column))\" y1=\"\(MessageDiagram.top - 12)\" "
                + "x2=\"\(x(column))\" y2=\"\(height - 4)\"/>"
        }
    }

    /// The rows where each message left and arrived.
    private var ends: [(sent: Int?, received: Int?)] {
        var ends = Array(
            repeating: (sent: Int?.none, received: Int?.none),
            count: timeline.messages.count
        )
        for (index, entry) in timeline.entries.enumerated() {
            guard let message = entry.message, let row = rowOfEntry[index] else { continue }
            if entry.kind == .sent { ends[message].sent = row }
            if entry.kind == .received { ends[message].received = row }
        }
        return ends
    }

    private var messages: [String] {
        zip(timeline.messages, ends).compactMap { message, end -> String? in
            guard let from = lanes.firstIndex(of: message.from),
                let to = lanes.firstIndex(of: message.to), end.sent != nil || end.received != nil
            else { return nil }
            // What left before the picture begins, or arrives after its end, crosses its edge.
            let begin = end.sent.map { y($0) } ?? MessageDiagram.top - 10
            let isLost = message.received == nil && !message.isStream
            let title = "<title>\(escaped(title(message, isLost: isLost)))</title>"
            let (x1, x2) = (x(from), x(to))
            if isLost {
                let (x3, y3) = ((x1 + x2 * 2) / 3, begin + MessageDiagram.rowHeight)
                return arrow("lost", x1, begin, x3, y3, title)
                    + "<text class=\"cross\" x=\"\(x3)\" y=\"\(y3 + 4)\">✗</text>"
                    + caption(message.text, x1, x3, (begin + y3) / 2)
            }
            let arrives = end.received.map { y($0) } ?? y(rows.count)
            let kind = message.isStream ? "stream" : "sent"
            if from == to {
                return
                    "<circle class=\"dot\" cx=\"\(x1)\" cy=\"\(arrives)\" r=\"3\">\(title)</circle>"
            }
            return arrow(kind, x1, begin, x2, arrives, title)
                + caption(message.text, x1, x2, (begin + arrives) / 2)
        }
    }

    private func title(_ message: Timeline.Message, isLost: Bool) -> String {
        let end = message.received.map { "arrives at \($0)" } ?? (isLost ? "lost" : "under way")
        return "\(message.text): sent at \(message.sent), \(end)"
    }

    private func arrow(
        _ kind: String,
        _ x1: Int,
        _ y1: Int,
        _ x2: Int,
        _ y2: Int,
        _ title: String
    ) -> String {
        "<line class=\"\(kind)\" x1=\"\(x1)\" y1=\"\(y1)\" x2=\"\(x2)\" y2=\"\(y2)\" "
            + "marker-end=\"url(#head\(number))\">\(title)</line>"
    }

    private func caption(_ text: String, _ x1: Int, _ x2: Int, _ y: Int) -> String {
        let room = max(8, abs(x2 - x1) / 7)
        return "<text class=\"words\" x=\"\((x1 + x2) / 2)\" y=\"\(y - 2)\">"
            + "\(escaped(MessageDiagram.short(text, min(room, 30))))</text>"
    }

    private var dots: [String] {
        timeline.entries.indices.compactMap { index -> String? in
            let entry = timeline.entries[index]
            guard let row = rowOfEntry[index], entry.message == nil,
                let column = lanes.firstIndex(of: entry.lane)
            else { return nil }
            let kind =
                switch entry.kind {
                case .born: "born"
                case .persisting, .persisted: "disk"
                case .reported: "told"
                case .sent, .received, .fired, .computed, .stream: "dot"
                }
            let title = "<title>\(escaped("\(entry.time): \(entry.text)"))</title>"
            return "<circle class=\"\(kind)\" cx=\"\(x(column))\" cy=\"\(y(row))\" r=\"3\">\(title)"
                + "</circle><text class=\"note\" x=\"\(x(column) + 7)\" y=\"\(y(row) + 3)\">"
                + "\(escaped(MessageDiagram.short(entry.text, 24)))</text>"
        }
    }

    private func violations(width: Int) -> [String] {
        timeline.violations.map { violation -> String in
            // Behind everything of its moment.
            let row = rows.firstIndex { $0 > violation.time } ?? rows.count
            let y = MessageDiagram.top + row * MessageDiagram.rowHeight
            return "<line class=\"broken\" x1=\"4\" y1=\"\(y)\" x2=\"\(width - 4)\" y2=\"\(y)\"/>"
                + "<text class=\"broken\" x=\"6\" y=\"\(y + 11)\">"
                + "\(escaped(MessageDiagram.short(violation.message, 110)))</text>"
        }
    }

    private var times: [String] {
        var last: Instant?
        return rows.indices.compactMap { row -> String? in
            guard rows[row] != last else { return nil }
            last = rows[row]
            return "<text class=\"time\" x=\"\(MessageDiagram.left - 14)\" y=\"\(y(row) + 3)\">"
                + "\(Decimals.text(rows[row].seconds, places: 6))</text>"
        }
    }

    private static func short(_ text: String, _ limit: Int) -> String {
        text.count > limit ? String(text.prefix(limit - 1)) + "…" : text
    }

    private var arrowHead: String {
        """
        <marker id="head\(number)" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" \
        markerHeight="7" orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" class="tip"/></marker>
        """
    }

    private static let sheet = """
        .sequence text{font:11px system-ui,sans-serif;fill:var(--ink);stroke:none}\
        .sequence .lane{font-weight:600;font-size:12px;text-anchor:middle}\
        .sequence .life{stroke:var(--line)}.sequence .fault{fill:var(--fault);opacity:.16}\
        .sequence .wide{opacity:.07}\
        .sequence .name{fill:var(--fault);font-size:10px}.sequence .left{text-anchor:end}\
        .sequence .sent,.sequence .stream,.sequence .lost{stroke:var(--v1);stroke-width:1.2}\
        .sequence .stream{stroke:var(--v2)}\
        .sequence .lost{stroke:var(--fault);stroke-dasharray:4 3}\
        .sequence .cross{fill:var(--fault);text-anchor:middle}\
        .sequence .tip{fill:var(--dim)}.sequence .words{text-anchor:middle;font-size:10px}\
        .sequence .words,.sequence .note{paint-order:stroke;stroke:var(--paper);stroke-width:3px;\
        stroke-linejoin:round}.sequence .note{font-size:10px;fill:var(--dim)}\
        .sequence .dot{fill:var(--dim)}.sequence .born{fill:var(--go)}.sequence .disk{fill:var(--v4)}\
        .sequence .told{fill:var(--v3)}.sequence .time{text-anchor:end;fill:var(--dim);\
        font-variant-numeric:tabular-nums}\
        .sequence line.broken{stroke:var(--no);stroke-width:2}\
        .sequence text.broken{fill:var(--no);font-weight:600}
        """

    private static let ownColours = """
        :root{--ink:#1c2330;--dim:#5d687b;--line:#dfe4ec;--paper:#fff;--go:#12805c;--no:#b42318;\
        --fault:#d92d20;--v1:#2f6fed;--v2:#0e8f7e;--v3:#8b4fd0;--v4:#d1700c}\
        @media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--dim:#9aa5b8;--line:#2b3342;\
        --paper:#12161f;--go:#3fbf92;--no:#f97066;--fault:#f97066;--v1:#78a4ff;--v2:#45c4b0;\
        --v3:#b68cf0;--v4:#f0a04b}}svg{background:var(--paper)}
        """
}
