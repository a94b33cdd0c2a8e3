public import Units

/// What happened on the nodes of one run within a window of time, for people: in order, one lane a
/// node, with the messages between them and the faults meanwhile.
public struct Timeline: Hashable, Sendable, Codable {
    /// The nodes' names, by number.
    public var lanes: [String]
    public var from: Instant
    public var until: Instant
    /// In the order in which they happened.
    public var entries: [Entry]
    /// In the order in which they were sent.
    public var messages: [Message]
    /// In the order in which they struck.
    public var faults: [Fault]
    /// Broken promises, in order of time.
    public var violations: [Violation]
    /// Drawings that explain a broken promise.
    public var pictures: [Picture]
    /// More happened in the window than is kept.
    public var isCut: Bool

    /// More entries than these are not kept of a window.
    public static let entryLimit = 20_000

    public init(lanes: [String], from: Instant, until: Instant) {
        self.lanes = lanes
        self.from = from
        self.until = until
        entries = []
        messages = []
        faults = []
        violations = []
        pictures = []
        isCut = false
    }

    /// Something on one node.
    public struct Entry: Hashable, Sendable, Codable {
        public var time: Instant
        public var lane: Int
        public var kind: Kind
        /// A few words, without line breaks.
        public var text: String
        /// The message that left or arrived here, as a position in ``Timeline/messages``.
        public var message: Int?

        public init(time: Instant, lane: Int, kind: Kind, text: String, message: Int? = nil) {
            self.time = time
            self.lane = lane
            self.kind = kind
            self.text = text
            self.message = message
        }
    }

    public enum Kind: String, Hashable, Sendable, Codable {
        /// The machine was born, for the first time or again.
        case born
        case sent
        case received
        case fired
        /// Records were handed to the disk, and are durable.
        case persisting
        case persisted
        case computed
        /// A stream was opened, ended or lost.
        case stream
        /// A fact that the machine reported, or a marker of the experiment.
        case reported
    }

    /// A datagram, or a piece of a stream.
    public struct Message: Hashable, Sendable, Codable {
        public var from: Int
        public var to: Int
        public var sent: Instant
        /// `nil` when it never arrived within the window.
        public var received: Instant?
        public var text: String
        /// Whether it went over a stream, which repeats what is lost.
        public var isStream: Bool

        public init(
            from: Int,
            to: Int,
            sent: Instant,
            received: Instant? = nil,
            text: String,
            isStream: Bool
        ) {
            self.from = from
            self.to = to
            self.sent = sent
            self.received = received
            self.text = text
            self.isStream = isStream
        }
    }

    /// A drawing that stands in a page.
    public struct Picture: Hashable, Sendable, Codable {
        /// SVG that brings its own style and keeps it to itself.
        public var drawing: String
        /// What it shows, in a sentence.
        public var caption: String

        public init(drawing: String, caption: String) {
            self.drawing = drawing
            self.caption = caption
        }
    }

    /// A fault that struck before the window's end and was not over before its begin.
    public struct Fault: Hashable, Sendable, Codable {
        public var kind: String
        public var target: String
        public var fired: Instant
        public var healed: Instant?
        /// The nodes it names, where it names any.
        public var lanes: [Int]
    }
}

extension Timeline {
    /// Adds what the record of the run tells: faults, violations, markers, and pieces of time on lanes.
    public mutating func add(_ record: RunRecord) {
        faults = record.faults.compactMap { fault -> Fault? in
            guard let fired = fault.fired, fired <= until, fault.healed ?? until >= from else {
                return nil
            }
            return Fault(
                kind: fault.kind,
                target: fault.target,
                fired: fired,
                healed: fault.healed,
                lanes: lanes.indices.filter { Timeline.names(fault.target, lanes[$0]) }
            )
        }.sorted { ($0.fired, $0.kind) < ($1.fired, $1.kind) }
        violations = record.invariants.flatMap { invariant in
            invariant.violations.map {
                Violation(time: $0.time, message: "\(invariant.name): \($0.message)")
            }
        }.filter { $0.time >= from && $0.time <= until }.sorted { $0.time < $1.time }
        var told: [Entry] = []
        for marker in record.markers {
            guard let lane = lanes.firstIndex(of: marker.node) else { continue }
            let fields = marker.fields.map { " \($0.name) \(Timeline.short($0.value))" }.joined()
            let words = [marker.kind, marker.text].filter { !$0.isEmpty }.joined(separator: " ")
            told.append(
                Entry(time: marker.time, lane: lane, kind: .reported, text: words + fields)
            )
        }
        for span in record.spans {
            guard let lane = lanes.firstIndex(of: span.lane) else { continue }
            told.append(
                Entry(time: span.start, lane: lane, kind: .reported, text: "\(span.name) begins")
            )
            told.append(
                Entry(
                    time: span.end,
                    lane: lane,
                    kind: .reported,
                    text: "\(span.name) \(span.outcome.rawValue)"
                )
            )
        }
        merge(told.filter { $0.time >= from && $0.time <= until })
    }

    /// Puts entries between those that are there, behind those of the same time.
    private mutating func merge(_ more: [Entry]) {
        let ordered = more.enumerated().sorted {
            ($0.element.time, $0.offset) < ($1.element.time, $1.offset)
        }.map(\.element)
        var merged: [Entry] = []
        merged.reserveCapacity(entries.count + ordered.count)
        var place = ordered.startIndex
        for entry in entries {
            while place < ordered.endIndex, ordered[place].time < entry.time {
                merged.append(ordered[place])
                place += 1
            }
            merged.append(entry)
        }
        merged += ordered[place...]
        if merged.count > Timeline.entryLimit {
            isCut = true
            merged.removeLast(merged.count - Timeline.entryLimit)
        }
        entries = merged
    }

    /// Whether `target` names the node: `node 1` is not in `node 12`.
    private static func names(_ target: String, _ node: String) -> Bool {
        target.split(whereSeparator: { $0 == "," || $0 == ">" || $0 == "-" }).contains {
            $0.drop { $0 == " " }.prefix { $0 != "\n" }.trimmed == node
        }
    }

    private static func short(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
    }
}

extension Substring {
    fileprivate var trimmed: String {
        var text = self
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
