public import Transport
public import Units

/// What a node reports about its migrations.
///
/// Each event happens on the node that emits it, at the time at which it is emitted; an observer with
/// one clock for both nodes measures the downtime as `running` (destination) minus `paused` (source).
/// Times *inside* events come from the emitting node's own clock alone.
public enum MigrationEvent: Sendable, Equatable, Codable {
    /// Source: the first page may leave.
    case started(SessionID, destination: NodeID, pages: Int)
    /// Source: a round is over; the last one is the stop-and-copy.
    case round(SessionID, MigrationRound)
    /// Source: the guest stands still from now on.
    case paused(SessionID, StopReason)
    /// Destination: the whole memory equals that of the paused guest.
    case verified(SessionID, pages: Int, checksum: UInt64)
    /// Destination: the guest runs here from now on.
    case running(SessionID)
    /// Source: the destination has said so. Final.
    case completed(SessionID, MigrationSummary)
    /// Source: the migration failed and the guest, which stood still that long, runs here again.
    case resumedAtSource(SessionID, paused: Interval)
    /// Either end. Final.
    case failed(SessionID, MigrationFailure)
    /// Source: an order beyond `MigrationConfiguration.sessionLimit`; its guest runs on there. Final.
    case orderRefused(destination: NodeID)
    /// Either end: a stream died, the migration goes on.
    case streamLost(SessionID, TransportError)
}

/// One round of pre-copy, or the stop-and-copy, at the source.
public struct MigrationRound: Hashable, Sendable, Codable {
    /// Zero is the full image.
    public var index: Int
    /// Whether the guest stood still.
    public var isStopAndCopy: Bool
    /// Pages sent because the destination did not have their content.
    public var dirtyPages: Int
    /// Their size: the state that the round represents.
    public var stateBytes: Int
    /// The batches that represent them, with their headers.
    public var encodedBytes: Int
    /// Bytes handed to streams meanwhile: frames, repetitions and acknowledgements included.
    public var wireBytes: Int
    /// From the first page read to the last byte acknowledged, except that a round which the stop
    /// ends is cut there, and the stop-and-copy ends when the destination runs.
    public var start: Instant
    public var end: Instant

    public init(
        index: Int,
        isStopAndCopy: Bool,
        dirtyPages: Int,
        stateBytes: Int,
        encodedBytes: Int,
        wireBytes: Int,
        start: Instant,
        end: Instant
    ) {
        self.index = index
        self.isStopAndCopy = isStopAndCopy
        self.dirtyPages = dirtyPages
        self.stateBytes = stateBytes
        self.encodedBytes = encodedBytes
        self.wireBytes = wireBytes
        self.start = start
        self.end = end
    }
}

/// A whole migration as its source saw it.
public struct MigrationSummary: Hashable, Sendable, Codable {
    /// From the start to the message that the guest runs at the destination.
    public var totalTime: Interval
    /// From the pause to that message, on the source's clock: at least a round trip, and longer than
    /// the guest really stood still by the way back of the message. Never understated.
    public var downtime: Interval
    public var stopReason: StopReason
    /// Rounds, the full image and the stop-and-copy included.
    public var rounds: Int
    /// The guest's memory.
    public var memoryBytes: Int
    /// Pages sent in all rounds, 4,096 bytes each.
    public var stateBytes: Int
    /// Batches with their headers.
    public var encodedBytes: Int
    /// Bytes that the source handed to streams and read from them: frames, repetitions and
    /// acknowledgements, without the medium's own headers.
    public var wireBytes: Int
    /// Pages by class.
    public var pages: Pages
    public var transport: TransferStatistics

    public init(
        totalTime: Interval,
        downtime: Interval,
        stopReason: StopReason,
        rounds: Int,
        memoryBytes: Int,
        stateBytes: Int,
        encodedBytes: Int,
        wireBytes: Int,
        pages: Pages,
        transport: TransferStatistics
    ) {
        self.totalTime = totalTime
        self.downtime = downtime
        self.stopReason = stopReason
        self.rounds = rounds
        self.memoryBytes = memoryBytes
        self.stateBytes = stateBytes
        self.encodedBytes = encodedBytes
        self.wireBytes = wireBytes
        self.pages = pages
        self.transport = transport
    }

    public struct Pages: Hashable, Sendable, Codable {
        public var zero = 0
        public var unchanged = 0
        public var duplicate = 0
        public var delta = 0
        public var literal = 0

        public init() {}
    }
}

/// Why a migration failed.
public enum MigrationFailure: Error, Hashable, Sendable, Codable {
    /// The transfer failed; the destination has nothing that runs.
    case transport(TransportError)
    /// The destination could not decode what arrived; the text says why.
    case decoding(String)
    /// The destination's memory is not that of the paused guest.
    case memoryMismatch
    /// The guest does not fit the destination's limits.
    case refused
    /// What arrived breaks the protocol; the text names the rule.
    case malformed(String)
    /// The connection died after everything was sent and before an answer came: the guest may run at
    /// the destination, so it stays paused at the source.
    case outcomeUnknown(TransportError)
    /// The source gave up; at the destination only.
    case abandoned
}
