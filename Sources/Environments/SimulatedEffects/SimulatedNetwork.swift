import Determinism
public import Effects
public import Units

/// The hosts that know each other, and what the paths between them are like.
///
/// It carries probes; requests of clients go straight to `SimulatedHost.request`. To be used by tasks
/// of the executor only, or between its steps.
public final class SimulatedNetwork: @unchecked Sendable {
    // Unchecked, because every use is confined to the executor's thread.

    /// Of all pairs of hosts that have none of their own.
    public var defaultPath: NetworkPath
    private var hosts: [String: SimulatedHost] = [:]
    private var responders: Set<SocketEndpoint> = []
    private var paths: [Pair: NetworkPath] = [:]

    private struct Pair: Hashable {
        var from: NodeID
        var to: String
    }

    public init(defaultPath: NetworkPath) {
        self.defaultPath = defaultPath
    }

    /// Traps when the name or address is taken.
    func add(_ host: SimulatedHost) {
        for name in Set([host.settings.name, host.settings.address]).sorted() {
            precondition(hosts[name] == nil, "two hosts are named '\(name)'")
            hosts[name] = host
        }
    }

    public func host(_ name: String) -> SimulatedHost? { hosts[name] }

    /// Sets the path from a node to the host of that name or address.
    public func setPath(from node: NodeID, to host: String, _ path: NetworkPath) {
        paths[Pair(from: node, to: host)] = path
    }

    /// Something outside of the modelled hosts that answers probes.
    public func addResponder(_ endpoint: SocketEndpoint) {
        responders.insert(endpoint)
    }

    public func removeResponder(_ endpoint: SocketEndpoint) {
        responders.remove(endpoint)
    }

    func path(from node: NodeID, to host: String) -> NetworkPath {
        paths[Pair(from: node, to: host)] ?? defaultPath
    }

    func isKnown(_ endpoint: SocketEndpoint) -> Bool {
        hosts[endpoint.host] != nil || responders.contains(endpoint)
    }

    func answersProbes(_ endpoint: SocketEndpoint) -> Bool {
        responders.contains(endpoint)
            || hosts[endpoint.host]?.ports.answersProbes(at: endpoint.port) ?? false
    }
}

/// What a path between two hosts does to packets.
public struct NetworkPath: Hashable, Sendable {
    /// Without queues.
    public var roundTrip: Interval
    /// The mean of what is added to a round trip; exponentially distributed, one draw a train.
    public var jitter: Interval
    /// Of a packet on its way there and back.
    public var loss: Ratio
    /// Of the narrowest link, which spreads the packets of a train.
    public var rate: BitRate

    /// Traps when times are negative, the loss is no probability or the rate not positive.
    public init(roundTrip: Interval, jitter: Interval = .zero, loss: Ratio = .zero, rate: BitRate) {
        precondition(roundTrip >= .zero && jitter >= .zero, "a path of \(roundTrip) ± \(jitter)")
        precondition((0...1).contains(loss.value), "a loss of \(loss)")
        precondition(rate.bitsPerSecond > 0, "a path of \(rate)")
        self.roundTrip = roundTrip
        self.jitter = jitter
        self.loss = loss
        self.rate = rate
    }

    /// What probes of the path show, and how long that takes.
    func measure(
        _ plan: ProbePlan,
        _ random: inout SeededRandom
    ) -> (measurement: PathMeasurement, duration: Interval) {
        let serialization = rate.serializationTime(of: ByteCount(plan.packetBytes))
        var roundTrips: [Interval] = []
        var rates: [BitRate] = []
        var received = 0
        var end = Interval.zero
        for train in 0..<plan.trains {
            let start = plan.spacing * Int64(train)
            let delay =
                jitter > .zero
                ? Interval(seconds: random.exponential(mean: jitter.seconds)) : .zero
            var back: [Interval] = []
            for packet in 0..<plan.packetsPerTrain {
                let roundTrip = roundTrip + delay + serialization * Int64(packet + 1)
                if random.chance(loss) || roundTrip > plan.timeout {
                    end = max(end, start + plan.timeout)
                } else {
                    back.append(roundTrip)
                    end = max(end, start + roundTrip)
                }
            }
            received += back.count
            if let first = back.first { roundTrips.append(first) }
            if let first = back.first, let last = back.last, last > first {
                let bits = Double((back.count - 1) * plan.packetBytes * 8)
                rates.append(BitRate(bitsPerSecond: Int64(bits / (last - first).seconds)))
            }
        }
        rates.sort()
        let measurement = PathMeasurement(
            sent: plan.trains * plan.packetsPerTrain,
            roundTrips: roundTrips,
            received: received,
            rate: rates.isEmpty ? nil : rates[(rates.count - 1) / 2]
        )
        return (measurement, end)
    }
}
