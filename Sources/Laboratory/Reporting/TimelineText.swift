public import Measurements
import Units

/// A timeline as plain text for a terminal: a column a node, a line an event, faults as bands beside
/// the time.
///
/// `→` is sent, `←` received, `⏰` fired, `▤` handed to the disk, `■` durable, `⚙` computed, `◆` told by
/// the experiment. A band `▒` in a node's column, and left of all columns for faults that name no node,
/// lasts as long as the fault.
public struct TimelineText: Sendable {
    private let timeline: Timeline
    private let lanes: [Int]
    private let width: Int
    private let limit: Int
    private static let timeWidth = 14
    private static let narrowest = 18
    /// A fault that strikes more nodes than these at once singles out none.
    private static let singledOut = 4
    /// More columns are not readable; those in which most happened are shown.
    private static let laneLimit = 8

    /// - Parameters:
    ///   - columns: The terminal's width in characters.
    ///   - limit: The most lines; the rest is counted.
    public init(_ timeline: Timeline, columns: Int, limit: Int = 2_000) {
        self.timeline = timeline
        self.limit = limit
        lanes = TimelineText.busiest(timeline)
        let room = columns - TimelineText.timeWidth - 2
        width = max(TimelineText.narrowest, min(60, room / max(1, lanes.count)))
    }

    /// The lines, without a final newline.
    public var text: String {
        var lines = [heading]
        let hidden = timeline.lanes.count - lanes.count
        if hidden > 0 { lines.append("(\(hidden) more nodes did less; the diagram has all)") }
        var events = rows
        let more = events.count - limit
        if more > 0 {
            events.removeLast(more)
            events.append("… \(more) more lines; narrow the window with --from and --until")
        } else if timeline.isCut {
            events.append("… more than a timeline keeps; narrow the window with --from and --until")
        }
        if events.isEmpty { events = ["nothing happened in this window"] }
        return (lines + events).joined(separator: "\n")
    }

    private var heading: String {
        let names = lanes.map { TimelineText.fitted(timeline.lanes[$0], width) }
        return String(repeating: " ", count: TimelineText.timeWidth + 2) + names.joined()
    }

    private enum Line {
        case entry(Timeline.Entry)
        case fault(Timeline.Fault, isEnd: Bool)
        case violation(Violation)
    }

    private var rows: [String] {
        ordered.compactMap { time, line in
            switch line {
            case .entry(let entry):
                guard let column = lanes.firstIndex(of: entry.lane) else { return nil }
                return row(time, column, words(entry))
            case .fault(let fault, let isEnd):
                let words = "\(fault.kind) \(isEnd ? "healed" : "strikes"): \(fault.target)"
                return stamp(time) + " " + banner(words, "▒")
            case .violation(let violation):
                return stamp(time) + " " + banner("VIOLATED \(violation.message)", "█")
            }
        }
    }

    /// Everything in order of time; faults before what happens at the same time, violations after it.
    private var ordered: [(Instant, Line)] {
        var all: [(time: Instant, rank: Int, line: Line)] = timeline.entries.map {
            ($0.time, 1, .entry($0))
        }
        for fault in timeline.faults {
            if fault.fired >= timeline.from {
                all.append((fault.fired, 0, .fault(fault, isEnd: false)))
            }
            if let healed = fault.healed, healed <= timeline.until {
                all.append((healed, 0, .fault(fault, isEnd: true)))
            }
        }
        all += timeline.violations.map { ($0.time, 2, .violation($0)) }
        return all.enumerated().sorted {
            ($0.element.time, $0.element.rank, $0.offset)
                < ($1.element.time, $1.element.rank, $1.offset)
        }.map { ($0.element.time, $0.element.line) }
    }

    private func words(_ entry: Timeline.Entry) -> String {
        let message = entry.message.map { timeline.messages[$0] }
        switch entry.kind {
        case .sent:
            let peer = message.map { "\($0.to)" } ?? "?"
            let lost = message?.received == nil && !(message?.isStream ?? true) ? "✗ " : ""
            return "→\(peer) \(lost)\(entry.text)"
        case .received: return "←\(message.map { "\($0.from)" } ?? "?") \(entry.text)"
        case .fired: return "⏰ \(entry.text)"
        case .persisting: return "▤ \(entry.text)"
        case .persisted: return "■ \(entry.text)"
        case .computed: return "⚙ \(entry.text)"
        case .born: return "● \(entry.text)"
        case .stream: return "≡ \(entry.text)"
        case .reported: return "◆ \(entry.text)"
        }
    }

    private func row(_ time: Instant, _ column: Int, _ words: String) -> String {
        let cells = lanes.indices.map { index -> String in
            let isStruck = timeline.faults.contains { fault in
                fault.lanes.contains(lanes[index]) && fault.fired <= time
                    && (fault.healed.map { $0 > time } ?? true)
            }
            let edge = isStruck ? "▒" : "│"
            return TimelineText.fitted(index == column ? "\(edge) \(words)" : edge, width)
        }
        let isAround = timeline.faults.contains { fault in
            fault.lanes.isEmpty && fault.fired <= time && (fault.healed.map { $0 > time } ?? true)
        }
        let line = stamp(time) + (isAround ? "▒ " : "  ") + cells.joined()
        return String(line.reversed().drop { $0 == " " }.reversed())
    }

    private func banner(_ words: String, _ mark: String) -> String { "\(mark)\(mark) \(words)" }

    private func stamp(_ time: Instant) -> String {
        let text = Decimals.text(time.seconds, places: 6) + " s"
        return String(repeating: " ", count: max(0, TimelineText.timeWidth - text.count)) + text
    }

    /// `text` in exactly `width` characters, the last of them a space.
    private static func fitted(_ text: String, _ width: Int) -> String {
        let room = width - 1
        guard text.count > room else {
            return text + String(repeating: " ", count: width - text.count)
        }
        return String(text.prefix(room - 1)) + "… "
    }

    /// The lanes to show, in order of their numbers.
    static func busiest(_ timeline: Timeline, limit: Int = laneLimit) -> [Int] {
        guard timeline.lanes.count > limit else { return Array(timeline.lanes.indices) }
        var counts = Array(repeating: 0, count: timeline.lanes.count)
        for entry in timeline.entries where counts.indices.contains(entry.lane) {
            counts[entry.lane] += 1
        }
        // Whom a fault singles out is worth more than who is merely busy.
        for fault in timeline.faults where fault.lanes.count <= TimelineText.singledOut {
            for lane in fault.lanes { counts[lane] += timeline.entries.count }
        }
        let order = counts.indices.sorted { (-counts[$0], $0) < (-counts[$1], $1) }
        return order.prefix(limit).sorted()
    }
}
