/// What one end of a transfer has counted.
public struct TransferStatistics: Hashable, Sendable, Codable {
    /// Chunks acknowledged (sender) or delivered (receiver).
    public var chunks: UInt64 = 0
    /// Their payload bytes.
    public var payloadBytes: UInt64 = 0
    /// Payload bytes of chunks that came whole for the first time (receiver): delivered, or held for older ones.
    public var acceptedBytes: UInt64 = 0
    /// Bytes handed to streams: headers, payloads, repetitions and acknowledgements.
    public var writtenBytes: UInt64 = 0
    /// Bytes that streams brought.
    public var readBytes: UInt64 = 0
    /// Chunks sent again because their stream died (sender) or received again (receiver).
    public var repeatedChunks: UInt64 = 0
    /// Streams that ended before the transfer did.
    public var streamsLost: UInt64 = 0
    /// Changes of the path's mode that the sender has followed.
    public var modeChanges: UInt64 = 0

    public init() {}
}
