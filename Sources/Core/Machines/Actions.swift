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
public struct Actions<Program: Machine>: Sendable {
    public private(set) var elements: [Action<Program>] = []

    public init() {}

    public var isEmpty: Bool { elements.isEmpty }

    public mutating func append(_ action: Action<Program>) { elements.append(action) }
    public mutating func removeAll() {
        // One by one: `Array.removeAll` destroys through the type's witness table, which costs a
        // step with one action 290 instructions.
        while elements.popLast() != nil {}
    }

    /// Turns the order round, so that `popLast` gives the first action first.
    public mutating func reverse() {
        if elements.count > 1 { elements.reverse() }
    }

    /// Moves the last action out; `nil` when there is none.
    public mutating func popLast() -> Action<Program>? { elements.popLast() }

    public mutating func send(_ message: Program.Message, to peer: NodeID) {
        elements.append(.send(message, to: peer))
    }
    public mutating func setTimer(_ timer: Program.Timer, at time: Instant) {
        elements.append(.setTimer(timer, at: time))
    }
    public mutating func cancelTimer(_ timer: Program.Timer) {
        elements.append(.cancelTimer(timer))
    }
    public mutating func openStream(
        _ stream: StreamID,
        to peer: NodeID,
        _ options: StreamOptions = StreamOptions()
    ) {
        elements.append(.openStream(stream, to: peer, options))
    }
    public mutating func write(_ stream: StreamID, _ bytes: Bytes) {
        elements.append(.write(stream, bytes))
    }
    public mutating func grant(_ stream: StreamID, bytes: Int) {
        elements.append(.grant(stream, bytes: bytes))
    }
    public mutating func finish(_ stream: StreamID) { elements.append(.finish(stream)) }
    public mutating func reset(_ stream: StreamID) { elements.append(.reset(stream)) }
    public mutating func persist(_ records: [Program.Write], id: WriteID) {
        elements.append(.persist(records, id: id))
    }
    public mutating func compute(_ job: Program.Job, id: JobID) {
        elements.append(.compute(job, id: id))
    }
    public mutating func emit(_ event: Program.Event) { elements.append(.emit(event)) }
}
