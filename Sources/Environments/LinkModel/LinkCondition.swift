public import Units

/// What faults make of a link for as long as they last; the default is a link that nothing ails.
public struct LinkCondition: Hashable, Sendable {
    public var isUp = true
    /// On top of the link's own propagation.
    public var extraDelay = Interval.zero
    /// Besides the link's own loss.
    public var extraLoss = LossModel.none
    /// The longest packet that passes, IP header included; `nil` for no limit.
    public var packetLimit: ByteCount?
    /// On top of the link's own jitter.
    public var extraJitter = Jitter.none
    public var trouble = PacketTrouble.none
    /// Instead of the link's own rate.
    public var rate: BitRate?
    /// Instead of the link's own rate and of ``rate``.
    public var trace: FollowedTrace?
    /// Instead of the link's own limit.
    public var queueLimit: ByteCount?

    public init() {}
}

/// A trace that a link follows for a while.
public struct FollowedTrace: Hashable, Sendable {
    public var trace: RateTrace
    /// When the trace began.
    public var since: Instant

    public init(_ trace: RateTrace, since: Instant) {
        self.trace = trace
        self.since = since
    }
}

/// Copies, wrong bits and packets that are late, with memory: the shares hold on average, and
/// `correlation` ties a packet's fate to its predecessor's, as
/// ``LossModel/correlated(rate:correlation:)`` does for loss.
public struct PacketTrouble: Hashable, Sendable {
    public var faults: PacketFaults
    /// In 0..<1.
    public var correlation: Ratio

    public init(_ faults: PacketFaults, correlation: Ratio = .zero) {
        self.faults = faults
        self.correlation = correlation
    }

    public static let none = PacketTrouble(.none)
}
