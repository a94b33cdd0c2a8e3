public import Raft
public import Units

/// How a replica of the store behaves.
public struct StoreConfiguration: Hashable, Sendable {
    public var raft = RaftConfiguration()
    public var carrier = Carrier.datagrams
    /// Bytes of keys and values together, with eight more each; what would exceed them is answered with `full`.
    public var dataLimit = ByteCount.mebibytes(16)
    /// Client sessions; the one that was not used for the longest part of the log makes room.
    public var sessionLimit = 1_024
    /// Updates of one session that may be open at once.
    public var sessionWindow: UInt64 = 64
    /// Bytes that wait for one peer's stream; further messages are dropped.
    public var streamBuffer = ByteCount.mebibytes(4)
    /// The first and the longest wait before a broken stream is opened again.
    public var reopenDelay = Interval.milliseconds(50)
    public var reopenDelayLimit = Interval.milliseconds(2_000)
    /// A stream to a peer that was not heard for this long is opened anew.
    public var streamSilence = Interval.milliseconds(3_000)
    /// Whether an event tells of each update that was executed: what checkers need that count them.
    public var reportsExecutions = true

    /// How messages between replicas travel.
    public enum Carrier: String, Hashable, Sendable, CaseIterable, Codable {
        /// Each by itself: they may be lost, repeated and overtaken.
        case datagrams
        /// One byte stream in each direction between two replicas.
        case streams
    }

    public init() {}

    /// Traps for values that contradict each other.
    public func checkBounds() {
        raft.checkBounds()
        precondition(dataLimit.bytes > 0 && sessionLimit > 0 && sessionWindow > 0)
        precondition(streamBuffer.bytes > 0 && reopenDelay > .zero)
        precondition(reopenDelayLimit >= reopenDelay && streamSilence > .zero)
        precondition(dataLimit.bytes <= raft.snapshotLimit.bytes / 2, "snapshots hold the data")
    }
}
