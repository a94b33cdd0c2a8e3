public import Units

/// How the streams over a link are carried when they go over RDMA: RoCE version 2, one reliable
/// connection for each pair of nodes and the direction in which it was set up.
///
/// The model that uses it was not held against measurements: it is uncalibrated.
public struct RDMAParameters: Hashable, Sendable {
    /// Payload bytes of a full packet: the path MTU, one of `possibleMTUs`.
    public var mtu: Int
    /// Bytes of the ring that a receiver registers and its sender may have under way.
    public var ring: ByteCount
    /// Priority flow control; without it packets that do not fit the queue are dropped.
    public var pause: PriorityPause?

    /// Those of the verbs (`ibv_mtu`).
    public static let possibleMTUs = [256, 512, 1024, 2048, 4096]
    /// A write fills at most 64 KiB of a ring at a time.
    public static let smallestRing = ByteCount.kibibytes(64)

    public init(
        mtu: Int = 1024,
        ring: ByteCount = .mebibytes(1),
        pause: PriorityPause?
    ) {
        self.mtu = mtu
        self.ring = ring
        self.pause = pause
    }
}

/// When a lossless queue stops those who send to it (IEEE 802.1Qbb).
public struct PriorityPause: Hashable, Sendable {
    /// More bytes than this waiting from a link make the queue ask its sender to stop (XOFF).
    public var stop: ByteCount
    /// No more than this waiting make it ask the sender to go on (XON); at most `stop`.
    public var resume: ByteCount

    public init(stop: ByteCount, resume: ByteCount) {
        self.stop = stop
        self.resume = resume
    }

    /// Room above `stop`: what arrives between the request to stop and its effect, which is all that
    /// the cable holds in both directions, and the packet whose sending had begun.
    public func headroom(rate: BitRate, propagation: Interval, packet: Int) -> ByteCount {
        rate.bytes(in: propagation * 2) + ByteCount(packet)
    }
}
