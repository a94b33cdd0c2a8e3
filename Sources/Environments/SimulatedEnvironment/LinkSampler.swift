public import Units

/// What one link had done and held at one time.
public struct LinkSample: Hashable, Sendable, BitwiseCopyable {
    /// Wire bytes that left the queue since the start of the run.
    public var departedBytes: UInt64
    /// Packets lost for any reason since the start of the run.
    public var droppedPackets: UInt64
    /// Bytes waiting or being sent.
    public var queue: ByteCount
}

/// Samples of all links and of the bytes that nodes received, at equal distances in virtual time.
///
/// Bounded: when `limit` times have been sampled every second one is dropped and the distance
/// doubles, so that the times are the same for every run of the same length.
public struct LinkSampler: Sendable {
    public static let limit = 2_000
    public private(set) var interval: Interval
    public private(set) var times: [Instant] = []
    /// One row a time; links in the network's order.
    public private(set) var links: [[LinkSample]] = []
    /// One row a time; stream bytes received so far by each node.
    public private(set) var received: [[UInt64]] = []

    init(interval: Interval) {
        precondition(interval > .zero, "samples need a distance, not \(interval)")
        self.interval = interval
    }

    mutating func append(at time: Instant, links row: [LinkSample], received bytes: [UInt64]) {
        times.append(time)
        links.append(row)
        received.append(bytes)
        guard times.count > LinkSampler.limit else { return }
        let kept = stride(from: 0, to: times.count, by: 2)
        times = kept.map { times[$0] }
        links = kept.map { links[$0] }
        received = kept.map { received[$0] }
        interval = interval * 2
    }
}
