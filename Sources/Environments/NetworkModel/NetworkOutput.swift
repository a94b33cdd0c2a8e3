public import Machines
public import Units

/// A fact that the network tells the world. Facts name the connection's side they are meant for.
public enum NetworkOutput: Sendable {
    /// This side is established and may write `credit` bytes. The opener's comes first, the
    /// acceptor's once the opener's answer or its first data arrives.
    case opened(ConnectionID, ConnectionSide, credit: Int)
    /// `credit` bytes in all may be written beyond those written so far.
    case writable(ConnectionID, ConnectionSide, credit: Int)
    /// The next bytes from the peer, in order: a slice of what the peer wrote.
    case readable(ConnectionID, ConnectionSide, Bytes)
    /// The peer finished; everything it wrote was given out before.
    case finished(ConnectionID, ConnectionSide)
    /// This side is gone.
    case reset(ConnectionID, ConnectionSide, StreamResetReason)
    /// At most once per round trip while data is acknowledged.
    case path(ConnectionID, ConnectionSide, PathSample)
    /// A datagram arrived at a node that is up.
    case datagram(token: UInt32, to: NodeID)
    /// As `datagram`, but the same will arrive once more, and the token stays in use until then.
    case datagramCopied(token: UInt32, to: NodeID)
    /// The datagram will never arrive; its token is free. Nobody in the simulated system is told.
    case datagramLost(token: UInt32)
}

/// What one side of a connection knows and did.
public struct ConnectionStatistics: Hashable, Sendable, BitwiseCopyable {
    public var congestionWindow: Int = 0
    public var slowStartThreshold: Int = 0
    public var smoothedRoundTrip: Interval = .zero
    public var smallestRoundTrip: Interval = .zero
    /// Sum and number of round-trip samples, for means.
    public var roundTripSum: Interval = .zero
    public var roundTripSamples: UInt64 = 0
    /// Data segments sent, first time and again.
    public var segmentsSent: UInt64 = 0
    public var segmentsRetransmitted: UInt64 = 0
    public var timeouts: UInt64 = 0
    public var recoveries: UInt64 = 0
    /// Reductions of the window because a queue marked a packet.
    public var congestionMarks: UInt64 = 0
    /// Stream bytes acknowledged by the peer, and received in order.
    public var bytesAcknowledged: Int64 = 0
    public var bytesReceived: Int64 = 0

    public init() {}
}
