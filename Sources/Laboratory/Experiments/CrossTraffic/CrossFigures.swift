import Machines
import Measurements
import NetworkModel
public import Scenarios
import SimulatedEnvironment
import Units

/// What flows of others did in one replication, over time.
public struct CrossFigures: Sendable {
    /// The kind of each flow.
    public let flows: [Scenario.CrossTraffic]
    let times: [Instant]
    /// One row a time; stream bytes that each flow had brought.
    let received: [[UInt64]]
    /// The ends of each link.
    let links: [LinkEnds]
    /// One row a time; wire bytes of all flows that had crossed each link.
    let carried: [[UInt64]]

    init(
        flows: [Scenario.CrossTraffic],
        times: [Instant],
        received: [[UInt64]],
        links: [LinkEnds],
        carried: [[UInt64]]
    ) {
        self.flows = flows
        self.times = times
        self.received = received
        self.links = links
        self.carried = carried
    }

    /// The longest time between two looks at the flows: figures of a window are exact to what links
    /// carry in it.
    var resolution: Interval {
        zip(times, times.dropFirst()).map { $1 - $0 }.max() ?? .zero
    }

    /// Bits of a link's rate that the flows have taken between two instants, headers and
    /// acknowledgements included.
    func bitsTaken(over ends: LinkEnds, from start: Instant, to end: Instant) -> Double {
        guard let link = links.firstIndex(of: ends) else { return 0 }
        return 8 * (amount(carried, link, at: end) - amount(carried, link, at: start))
    }

    /// Stream bits a second that one flow brought between two instants.
    func goodput(of flow: Int, from start: Instant, to end: Instant) -> Double {
        8 * (amount(received, flow, at: end) - amount(received, flow, at: start))
            / (end - start).seconds
    }

    /// A count at an instant, on the straight line between the two looks around it.
    private func amount(_ rows: [[UInt64]], _ column: Int, at time: Instant) -> Double {
        guard let next = times.firstIndex(where: { $0 >= time }) else {
            return rows.last.map { Double($0[column]) } ?? 0
        }
        let high = Double(rows[next][column])
        guard next > 0, times[next] > time else { return high }
        let low = Double(rows[next - 1][column])
        let share = (time - times[next - 1]).seconds / (times[next] - times[next - 1]).seconds
        return low + (high - low) * share
    }

    /// What the flows of each entry brought over time.
    func series(in scenario: Scenario) -> [Series] {
        guard times.count >= 2 else { return [] }
        let kinds = flows.reduce(into: [Scenario.CrossTraffic]()) { kinds, flow in
            if !kinds.contains(flow) { kinds.append(flow) }
        }
        let regions = scenario.topology.regions
        return kinds.map { kind in
            let own = flows.indices.filter { flows[$0] == kind }
            let sums = received.map { row in own.reduce(0) { $0 + row[$1] } }
            let from = regions[Int(kind.from.rawValue)].name
            let to = regions[Int(kind.to.rawValue)].name
            let steps = zip(times, times.dropFirst()).map { $1 - $0 }
            let values = zip(zip(sums, sums.dropFirst()), steps).compactMap { pair, step in
                // The last look may come soon after the one before it.
                step == resolution ? Double(pair.1 - pair.0) * 8 / step.seconds : nil
            }
            return Series(
                name: "cross-traffic",
                unit: "bit/s",
                labels: [
                    Label("direction", "\(from)->\(to)"),
                    Label("flows", "\(own.count) \(kind.congestion.rawValue)"),
                ],
                kind: .rate,
                start: times[0],
                width: resolution,
                values: values
            )
        }
    }
}

extension CrossFigures {
    /// What a simulation saw of its topology's flows; `nil` where there are none.
    init?<Observer: RunObserver>(
        _ simulation: borrowing Simulation<Observer>,
        _ traffic: [Scenario.CrossTraffic],
        _ topology: NetworkModel.Topology
    ) {
        guard !traffic.isEmpty else { return nil }
        let samples = simulation.crossSamples
        // The run may end between two samples.
        let received = simulation.medium.network.crossFlows.map { UInt64($0.received) }
        var carried: [UInt64] = []
        for link in topology.links.indices {
            carried.append(simulation.medium.network.crossBytes(LinkID(UInt32(link))))
        }
        self.init(
            flows: traffic.flatMap { Array(repeating: $0, count: $0.flows) },
            times: samples.times + [simulation.now],
            received: samples.received + [received],
            links: topology.links.map { LinkEnds(from: $0.from, to: $0.to) },
            carried: samples.carried + [carried]
        )
    }
}

extension NetworkModel.CrossTraffic {
    init(_ traffic: Scenario.CrossTraffic) {
        self.init(
            from: traffic.from,
            to: traffic.to,
            flows: traffic.flows,
            congestionControl: CongestionControl(traffic.congestion),
            usesCongestionNotification: traffic.usesCongestionNotification,
            start: traffic.start
        )
    }
}
