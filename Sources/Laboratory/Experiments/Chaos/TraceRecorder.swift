import Foundation
import Machines
public import Measurements
public import Units

/// Writes down what machines hear and do within a window of a run's time.
///
/// It is filled by ``TracedMachine`` and read when the run is over; runs that nobody traces do not
/// have one.
public final class TraceRecorder: @unchecked Sendable {
    // Unchecked, because one run on one thread fills it and only afterwards it is read.

    /// The run's time, which differs from what a node's clock shows while a fault shifts it.
    var now = Instant.zero
    private var timeline: Timeline
    /// Datagrams under way, by what identifies them; equal ones arrive in the order of sending.
    private var underWay: [DatagramKey: [Departure]] = [:]
    private var streams: [StreamKey: StreamState] = [:]
    private var acceptors: [StreamID: NodeID] = [:]

    private struct DatagramKey: Hashable {
        let from: NodeID
        let to: NodeID
        let bytes: [UInt8]
    }

    private struct StreamKey: Hashable {
        let stream: StreamID
        /// The side that writes.
        let writer: NodeID
    }

    /// When something left, and where it stands in the timeline if that was within the window.
    private struct Departure {
        let time: Instant
        let message: Int?
        let text: String
    }

    private struct StreamState {
        var written = 0
        var read = 0
        /// Pieces that have not wholly arrived, by the position of their ends.
        var pieces: [(end: Int, departure: Departure)] = []
    }

    /// - Parameters:
    ///   - lanes: The nodes' names, by number.
    ///   - until: The window's end, or the run's.
    public init(lanes: [String], from: Instant, until: Instant) {
        timeline = Timeline(lanes: lanes, from: from, until: until)
    }

    /// What happened, once the run is over.
    public func finished(_ record: RunRecord) -> Timeline {
        var timeline = timeline
        timeline.until = min(timeline.until, .zero + Interval(seconds: record.simulatedSeconds))
        timeline.add(record)
        return timeline
    }

    /// Adds a drawing that explains what went wrong.
    func add(_ picture: Timeline.Picture) { timeline.pictures.append(picture) }

    // MARK: - What a node hears and does

    func note(_ kind: Timeline.Kind, _ text: @autoclosure () -> String, on node: NodeID) {
        guard isOpen else { return }
        append(kind, text(), on: node, message: nil)
    }

    func sent(
        _ bytes: [UInt8],
        _ text: @autoclosure () -> String,
        from node: NodeID,
        to peer: NodeID
    ) {
        let departure = depart(text, from: node, to: peer, isStream: false)
        underWay[DatagramKey(from: node, to: peer, bytes: bytes), default: []].append(departure)
    }

    func received(
        _ bytes: [UInt8],
        _ text: @autoclosure () -> String,
        from peer: NodeID,
        on node: NodeID
    ) {
        let key = DatagramKey(from: peer, to: node, bytes: bytes)
        var departure: Departure?
        if var waiting = underWay[key], !waiting.isEmpty {
            departure = waiting.removeFirst()
            underWay[key] = waiting.isEmpty ? nil : waiting
        }
        arrive(departure, text, from: peer, on: node, isStream: false)
    }

    func opened(_ stream: StreamID, by node: NodeID, to peer: NodeID) {
        acceptors[stream] = peer
        for writer in [node, peer] { streams[StreamKey(stream: stream, writer: writer)] = nil }
        note(.stream, "opens stream \(stream.number) to \(peer)", on: node)
    }

    func accepted(_ stream: StreamID, from peer: NodeID, on node: NodeID) {
        if stream.opener != node { acceptors[stream] = node }
        note(.stream, "stream \(stream.number) with \(peer) stands", on: node)
    }

    func wrote(
        _ count: Int,
        _ text: @autoclosure () -> String,
        on stream: StreamID,
        by node: NodeID
    ) {
        guard let peer = peer(of: node, on: stream) else { return }
        let departure = depart(text, from: node, to: peer, isStream: true)
        let key = StreamKey(stream: stream, writer: node)
        streams[key, default: StreamState()].written += count
        let end = streams[key]!.written
        streams[key]!.pieces.append((end, departure))
    }

    func read(_ count: Int, on stream: StreamID, by node: NodeID) {
        guard let peer = peer(of: node, on: stream) else { return }
        let key = StreamKey(stream: stream, writer: peer)
        guard var state = streams[key] else { return }
        state.read += count
        while let piece = state.pieces.first, piece.end <= state.read {
            state.pieces.removeFirst()
            arrive(piece.departure, { piece.departure.text }, from: peer, on: node, isStream: true)
        }
        streams[key] = state
    }

    // MARK: - Parts

    private var isOpen: Bool {
        guard now >= timeline.from, now <= timeline.until else { return false }
        if timeline.entries.count >= Timeline.entryLimit { timeline.isCut = true }
        return !timeline.isCut
    }

    private func peer(of node: NodeID, on stream: StreamID) -> NodeID? {
        stream.opener == node ? acceptors[stream] : stream.opener
    }

    private func append(_ kind: Timeline.Kind, _ text: String, on node: NodeID, message: Int?) {
        timeline.entries.append(
            Timeline.Entry(
                time: now,
                lane: Int(node.rawValue),
                kind: kind,
                text: text,
                message: message
            )
        )
    }

    private func depart(
        _ text: () -> String,
        from node: NodeID,
        to peer: NodeID,
        isStream: Bool
    ) -> Departure {
        guard now <= timeline.until else { return Departure(time: now, message: nil, text: "") }
        let words = text()
        guard isOpen else { return Departure(time: now, message: nil, text: words) }
        let number = timeline.messages.count
        timeline.messages.append(
            Timeline.Message(
                from: Int(node.rawValue),
                to: Int(peer.rawValue),
                sent: now,
                text: words,
                isStream: isStream
            )
        )
        append(.sent, words, on: node, message: number)
        return Departure(time: now, message: number, text: words)
    }

    private func arrive(
        _ departure: Departure?,
        _ text: () -> String,
        from peer: NodeID,
        on node: NodeID,
        isStream: Bool
    ) {
        guard isOpen else { return }
        var number = departure?.message
        if let number {
            timeline.messages[number].received = now
        } else {
            // It left before the window, or is the copy of one that has arrived.
            number = timeline.messages.count
            timeline.messages.append(
                Timeline.Message(
                    from: Int(peer.rawValue),
                    to: Int(node.rawValue),
                    sent: departure?.time ?? now,
                    received: now,
                    text: text(),
                    isStream: isStream
                )
            )
        }
        append(.received, text(), on: node, message: number)
    }
}

/// Values of the code under test in a few words.
enum TraceWords {
    static let limit = 72

    /// How Swift prints `value`, without module names, labels of raw values and the elements of byte
    /// arrays.
    static func of(_ value: Any) -> String {
        if let value = value as? any TraceText { return value.traceText }
        let text = String(String(describing: value).prefix(4096))
            // [1, 2, 3, 4, 5] and ArraySlice([1, 2, …]) of more than four numbers; the end may be cut.
            .replacing(/(?:ArraySlice\()?\[(?:\d+, ){4,}\d*\]?\)?/) { match in
                "[\(match.output.split(separator: ",").count) B]"
            }
            // Units.NodeID(rawValue: 3)
            .replacing(/(?:\w+\.)*\w+\(rawValue: ([^()]*)\)/) { String($0.output.1) }
            .replacing(/\b(?:[A-Z]\w*\.)+(?=\w)/, with: "")
        let line = String(text.map { $0.isNewline ? " " : $0 })
        return line.count > limit ? String(line.prefix(limit - 1)) + "…" : line
    }
}
