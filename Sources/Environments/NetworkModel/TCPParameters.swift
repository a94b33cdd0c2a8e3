public import Units

/// The constants of the TCP model. The defaults are those of Linux 6.x.
public struct TCPParameters: Hashable, Sendable {
    /// Payload of a full segment: 1500 − 20 (IP) − 20 (TCP) − 12 (timestamp option).
    public var maximumSegment: Int = 1448
    /// Segments that may be sent before the first acknowledgement (RFC 6928).
    public var initialWindow: Int = 10
    /// Bounds of the send buffer. Between them it follows twice the congestion window, as Linux
    /// grows `sk_sndbuf`.
    public var smallestSendBuffer: Int = 64 << 10
    public var largestSendBuffer: Int = 32 << 20
    /// Slow start ends early when delay grows (Ha and Rhee, "Hybrid Slow Start", as in
    /// tcp_cubic.c).
    public var usesHyStart: Bool = true
    public var smallestTimeout: Interval = .milliseconds(200)
    public var largestTimeout: Interval = .seconds(120)
    public var initialTimeout: Interval = .seconds(1)
    public var acknowledgementDelay: Interval = .milliseconds(40)
    /// While segments are missing, acknowledgements after the third wait for each other this long, a
    /// twentieth of the round trip at most, and up to so many (`tcp_comp_sack_delay_ns`,
    /// `tcp_comp_sack_nr`). A limit of zero sends each at once.
    public var acknowledgementCompression: Interval = .milliseconds(1)
    public var compressedAcknowledgementLimit: Int = 44
    /// Whether both sides use explicit congestion notification (RFC 3168). Linux asks for it only
    /// when told to.
    public var usesCongestionNotification: Bool = false
    /// How long data, a handshake or a probe may stay unanswered before the side gives up, as
    /// Linux's `TCP_USER_TIMEOUT`.
    public var patience: Interval = .seconds(60)
    /// After this long without a packet from the peer a side asks whether it lives, every ten
    /// seconds until `patience` is over; `nil` never asks. Linux waits two hours unless told
    /// otherwise.
    public var keepAlive: Interval? = .seconds(60)

    public init() {}

    public static let linux = TCPParameters()
}
