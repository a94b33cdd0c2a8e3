public import Units

/// One thing a machine wants done.
public enum Action<Program: Machine>: Sendable {
    case send(Program.Message, to: NodeID)
    /// Sets the timer, or moves it when it is already set.
    case setTimer(Program.Timer, at: Instant)
    case cancelTimer(Program.Timer)
    case openStream(StreamID, to: NodeID, StreamOptions)
    /// Never more bytes than the credit last given; a precondition of every environment.
    case write(StreamID, Bytes)
    /// Lets the peer send `bytes` more; on top of `StreamOptions.receiveCredit`.
    case grant(StreamID, bytes: Int)
    /// No more bytes follow from this side.
    case finish(StreamID)
    /// Ends both sides at once and forgets unsent bytes.
    case reset(StreamID)
    /// Makes the records durable, after all earlier ones.
    case persist([Program.Write], id: WriteID)
    case compute(Program.Job, id: JobID)
    case emit(Program.Event)
}

/// The caller-owned buffer that a step appends its actions to; reused, so that a step allocates
/// nothing once it has grown.
///
/// Whoever carries actions out moves them out, first to last; see ``MoveQueue``.
public struct Actions<Program: Machine>: Sendable {
    private var waiting = MoveQueue<Action<Program>>()

    public init() {}

    public var isEmpty: Bool { waiting.isEmpty }
    /// Copies of all actions that were not moved out, in order.
    public var elements: [Action<Program>] { waiting.elements }

    public mutating func append(_ action: consuming Action<Program>) { waiting.append(action) }
    public mutating func removeAll() { waiting.removeAll() }

    /// Moves the first action out; `nil` when there is none.
    public mutating func popFirst() -> Action<Program>? { waiting.popFirst() }

    public mutating func send(_ message: consuming Program.Message, to peer: NodeID) {
        waiting.append(.send(message, to: peer))
    }
    public mutating func setTimer(_ timer: Program.Timer, at time: Instant) {
        waiting.append(.setTimer(timer, at: time))
    }
    public mutating func cancelTimer(_ timer: Program.Timer) {
        waiting.append(.cancelTimer(timer))
    }
    public mutating func openStream(
        _ stream: StreamID,
        to peer: NodeID,
        _ options: StreamOptions = StreamOptions()
    ) {
        waiting.append(.openStream(stream, to: peer, options))
    }
    public mutating func write(_ stream: StreamID, _ bytes: Bytes) {
        waiting.append(.write(stream, bytes))
    }
    public mutating func grant(_ stream: StreamID, bytes: Int) {
        waiting.append(.grant(stream, bytes: bytes))
    }
    public mutating func finish(_ stream: StreamID) { waiting.append(.finish(stream)) }
    public mutating func reset(_ stream: StreamID) { waiting.append(.reset(stream)) }
    public mutating func persist(_ records: consuming [Program.Write], id: WriteID) {
        waiting.append(.persist(records, id: id))
    }
    public mutating func compute(_ job: consuming Program.Job, id: JobID) {
        waiting.append(.compute(job, id: id))
    }
    public mutating func emit(_ event: consuming Program.Event) { waiting.append(.emit(event)) }
}
