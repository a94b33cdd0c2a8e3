public import Units

/// What flows of others had brought and taken at the times of the link samples.
///
/// Bounded as ``LinkSampler`` is: beyond its limit every second row goes.
public struct CrossSampler: Sendable {
    public private(set) var times: [Instant] = []
    /// One row a time; stream bytes that each flow had brought, flows in the topology's order.
    public private(set) var received: [[UInt64]] = []
    /// One row a time; wire bytes of all flows that had crossed each link, in the network's order.
    public private(set) var carried: [[UInt64]] = []

    mutating func append(at time: Instant, received bytes: [UInt64], carried wire: [UInt64]) {
        times.append(time)
        received.append(bytes)
        carried.append(wire)
        guard times.count > LinkSampler.limit else { return }
        let kept = stride(from: 0, to: times.count, by: 2)
        times = kept.map { times[$0] }
        received = kept.map { received[$0] }
        carried = kept.map { carried[$0] }
    }
}
