public import Determinism
public import LinkModel
import Machines
public import SimulationKernel
public import Units

/// What a link did so far, in brief.
public struct LinkTotals: Hashable, Sendable, BitwiseCopyable {
    public var departedBytes: UInt64
    /// Packets that did not reach the other end.
    public var dropped: UInt64
    /// Bytes waiting or being sent.
    public var queue: ByteCount
}

/// The network of a simulated world, packet by packet: links with queues, TCP connections,
/// datagrams, partitions.
///
/// The world owns it and the event queue, passes it every `.network` event, and drains `outputs`
/// after each call. All calls of one world must come in order of time.
public struct Network: ~Copyable {
    /// Facts since the world last emptied this buffer (`removeAll(keepingCapacity: true)`).
    public var outputs: [NetworkOutput] = []
    /// Packets that left a node for a link, plus packets that arrived.
    public internal(set) var events: UInt64 = 0

    let topology: Topology
    let parameters: TCPParameters
    let seed: UInt64
    var links: [Link]
    /// Index of the link for each ordered pair of regions, or −1.
    var routes: [Int32]
    var nodes: [NodeState]
    var connections: [ConnectionRecord] = []
    /// Two for each connection: opener, acceptor.
    var endpoints: [TCPEndpoint] = []
    var buffers: [SendBuffer] = []
    var freeSlots: [UInt32] = []
    var rules: [(id: RuleID, rule: NetworkRule)] = []
    private var rulesAdded: UInt32 = 0
    /// Packets that rules keep, in the order in which they were sent.
    var held: [HeldPacket] = []
    var effects = EndpointEffects()
    var fluid: FluidPlane
    var cross: CrossTrafficState
    var rdma: RDMAPlane
    /// By link: whether it has packets alone. Asked instead of the planes, which would be copied for it.
    private let hasPacketsOnly: [Bool]

    /// A node as its peers see it.
    struct NodeState {
        enum Life: UInt8 {
            case running
            /// The host answers, but nobody listens.
            case refusing
            /// Nothing is answered.
            case dark
        }

        var life = Life.running
        let region: Int
        var origin: EventOrigin
        /// How many connections it took part in: each has its own random stream.
        var connections: UInt32 = 0
        var chain: HashChain
    }

    /// What carries the streams of a connection.
    enum Carrier: UInt8 {
        /// TCP, packet by packet.
        case packets
        case fluid
        case rdma
    }

    struct ConnectionRecord {
        var generation: UInt32 = 0
        var isUsed = false
        var carrier = Carrier.packets
        var opener = NodeID(0)
        var acceptor = NodeID(0)
        /// Links towards the acceptor and towards the opener, or −1.
        var forward: Int32 = -1
        var backward: Int32 = -1

        func node(_ side: ConnectionSide) -> NodeID { side == .opener ? opener : acceptor }
    }

    public init(topology: Topology, seed: UInt64, parameters: TCPParameters = .linux) {
        let (links, routes) = Network.links(of: topology, seed: seed)
        self.links = links
        self.routes = routes
        nodes = Network.nodes(of: topology)
        fluid = FluidPlane(topology, links: links, routes: routes, seed: seed)
        cross = CrossTrafficState(topology, links: links.count)
        rdma = RDMAPlane(topology, links: links, routes: routes, seed: seed)
        hasPacketsOnly = links.indices.map { [fluid, rdma] in
            fluid.links[$0] == nil && rdma.wires[$0] == nil
        }
        self.topology = topology
        self.seed = seed
        self.parameters = parameters
    }

    private static func links(of topology: Topology, seed: UInt64) -> ([Link], [Int32]) {
        let regions = topology.regionCount
        var links: [Link] = []
        var routes = [Int32](repeating: -1, count: regions * regions)
        for declared in topology.links {
            let index = UInt32(links.count)
            let from = Int(declared.from.rawValue)
            let to = Int(declared.to.rawValue)
            precondition(
                max(from, to) < regions && routes[from * regions + to] < 0,
                "link \(index) leaves the topology or repeats another"
            )
            routes[from * regions + to] = Int32(index)
            let entity = EntityID(.link, index)
            links.append(Link(LinkID(index), declared.parameters, entity: entity, seed: seed))
        }
        for region in 0..<regions where routes[region * regions + region] < 0 {
            let index = UInt32(links.count)
            routes[region * regions + region] = Int32(index)
            let entity = EntityID(.link, localLinks | UInt32(region))
            links.append(Link(LinkID(index), topology.local, entity: entity, seed: seed))
        }
        return (links, routes)
    }

    private static func nodes(of topology: Topology) -> [NodeState] {
        var nodes: [NodeState] = []
        // Ends of others' flows come last and are numbered apart.
        let others = topology.crossTraffic.flatMap { [$0.from, $0.to] }
        for (index, region) in (topology.nodes + others).enumerated() {
            precondition(
                Int(region.rawValue) < topology.regionCount,
                "node \(index) is in no region"
            )
            let other = index - topology.nodes.count
            let number = other < 0 ? UInt32(index) : localLinks | UInt32(other)
            let entity = EntityID(.stack, number)
            nodes.append(
                NodeState(
                    region: Int(region.rawValue),
                    origin: EventOrigin(entity),
                    chain: HashChain(key: UInt64(entity.rawValue))
                )
            )
        }
        return nodes
    }

    /// Links inside regions are numbered apart, so that declaring one more renames none of them.
    private static let localLinks: UInt32 = 1 << 23

    /// Carries out what the queue says is due now.
    public mutating func handle(
        _ event: NetworkEvent,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        switch event {
        case .arrival(let link):
            let index = Int(link.rawValue)
            let arrival = links[index].takeArrival(at: now, queue: &queue)
            if !links[index].pipe.discarded.isEmpty { loseDiscarded(index) }
            guard let arrival else { return }
            events &+= 1
            countCross(arrival.item, arrival.wireBytes, link: index)
            if arrival.flags.isEmpty {
                receive(arrival.item, at: now, queue: &queue)
            } else {
                receive(arrival, at: now, queue: &queue)
            }
        case .tick(let link):
            tick(link, at: now, queue: &queue)
        case .cross(let flow):
            openCrossFlow(Int(flow), at: now, queue: &queue)
        case .timer(let connection, let side, let timer):
            wake(connection, side, timer, at: now, queue: &queue)
        case .rdma(let event):
            handle(event, at: now, queue: &queue)
        }
    }

    // MARK: - Faults; all reversible

    public var linkCount: Int { links.count }

    /// `nil` where no link is declared; every region has a link to itself.
    public func link(from: RegionID, to: RegionID) -> LinkID? {
        let index = routes[Int(from.rawValue) * topology.regionCount + Int(to.rawValue)]
        return index < 0 ? nil : LinkID(UInt32(index))
    }

    /// What the link did until `now`. Traps when it carried more than its rate allowed.
    public func counters(_ link: LinkID, at now: Instant) -> LinkCounters {
        let index = Int(link.rawValue)
        var counters = links[index].pipe.counters(at: now)
        if let flows = fluid.links[index]?.counters { counters.add(flows) }
        if let flows = rdma.wires[index]?.counters(at: now) { counters.add(flows) }
        return counters
    }

    /// Bytes waiting or being sent.
    public func queueOccupancy(_ link: LinkID, at now: Instant) -> ByteCount {
        let index = Int(link.rawValue)
        let backlog = ByteCount(Int64(fluid.links[index]?.backlog ?? 0))
        let ingress = ByteCount(rdma.wires[index]?.waiting ?? 0)
        return links[index].pipe.occupancy(at: now) + backlog + ingress
    }

    /// What samples take of ``counters(_:at:)`` and ``queueOccupancy(_:at:)``.
    public mutating func totals(_ link: LinkID, at now: Instant) -> LinkTotals {
        let index = Int(link.rawValue)
        guard hasPacketsOnly[index] else {
            let counters = counters(link, at: now)
            return LinkTotals(
                departedBytes: counters.departedBytes,
                dropped: counters.dropped,
                queue: queueOccupancy(link, at: now)
            )
        }
        return links[index].totals(at: now)
    }

    /// Down: what waits in the queue and what is offered is lost; what has left the queue arrives.
    public mutating func setLink(
        _ link: LinkID,
        isUp: Bool,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        fluid.links[Int(link.rawValue)]?.isUp = isUp
        rdma.wires[Int(link.rawValue)]?.isUp = isUp
        links[Int(link.rawValue)].setUp(isUp, at: now, queue: &queue)
        loseDiscarded(Int(link.rawValue))
    }

    /// Waiting packets leave at the new rate from now on; a trace ends.
    public mutating func setRate(
        _ link: LinkID,
        _ rate: BitRate,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        precondition(rate.bitsPerSecond > 0, "a link that carries nothing is down")
        links[Int(link.rawValue)].setRate(rate, at: now, queue: &queue)
        fluid.links[Int(link.rawValue)]?.setRate(rate)
        rdma.wires[Int(link.rawValue)]?.setRate(rate)
        loseDiscarded(Int(link.rawValue))
    }

    /// Lets a link of packets follow a trace; ``setRate`` takes it back. Fluids and RDMA know none.
    public mutating func follow(
        _ link: LinkID,
        _ trace: FollowedTrace,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let index = Int(link.rawValue)
        precondition(
            fluid.links[index] == nil && rdma.wires[index] == nil,
            "\(link) carries no packets that could follow a trace"
        )
        links[index].follow(trace, at: now, queue: &queue)
        loseDiscarded(index)
    }

    /// Adds to the propagation delay of packets offered from now on; zero takes it back.
    public mutating func setExtraDelay(_ link: LinkID, _ delay: Interval) {
        precondition(delay >= .zero, "a link cannot be faster than its propagation")
        links[Int(link.rawValue)].setExtraDelay(delay)
        fluid.links[Int(link.rawValue)]?.extraDelay = delay
        rdma.wires[Int(link.rawValue)]?.setExtraDelay(delay)
    }

    /// Loses packets offered from now on, besides the link's own loss; `.none` takes it back.
    public mutating func setExtraLoss(_ link: LinkID, _ loss: LossModel) {
        links[Int(link.rawValue)].setExtraLoss(loss)
        fluid.links[Int(link.rawValue)]?.extraLosses.use(loss)
        rdma.wires[Int(link.rawValue)]?.setExtraLoss(loss)
    }

    /// Drops packets offered from now on that are longer than this, IP header included, without a word;
    /// `nil` takes it back. On a link of fluids full segments are all there is: it is down for them
    /// where they do not pass.
    public mutating func setPacketLimit(_ link: LinkID, _ limit: ByteCount?) {
        let index = Int(link.rawValue)
        links[index].setPacketLimit(limit)
        rdma.wires[index]?.setPacketLimit(limit)
        guard fluid.links[index] != nil else { return }
        let isPassable = limit.map { $0.bytes >= Int64(parameters.maximumSegment + 52) } ?? true
        fluid.links[index]!.isUp = links[index].pipe.isUp && isPassable
    }

    /// Rules are consulted in the order in which they were added.
    public mutating func addRule(_ rule: NetworkRule) -> RuleID {
        rulesAdded += 1
        let id = RuleID(rawValue: rulesAdded)
        rules.append((id, rule))
        return id
    }

    /// Does nothing when the rule is gone already. What it holds stays until rules are removed with
    /// ``removeRules(_:at:queue:)``.
    public mutating func removeRule(_ id: RuleID) {
        rules.removeAll { $0.id == id }
    }

    /// Mixes in every link's and node's chain, in entity order.
    public func combineFingerprint(into chain: inout HashChain) {
        // By index: a copy of a link, or of a node, copies references to all that it holds.
        for index in links.indices { chain.combine(links[index].chain.fingerprint) }
        for index in links.indices where !hasPacketsOnly[index] {
            if let print = fluid.links[index]?.chain.fingerprint { chain.combine(print) }
        }
        for index in links.indices where !hasPacketsOnly[index] {
            if let print = rdma.wires[index]?.chain.fingerprint { chain.combine(print) }
        }
        for index in nodes.indices { chain.combine(nodes[index].chain.fingerprint) }
    }
}
