public import Machines
public import SimulationKernel
public import Units

/// Flows of others: endless TCP transfers between two regions in which no node of the simulated system
/// takes part. They follow the rules of every connection, and so give way and push as such flows do.
public struct CrossTraffic: Hashable, Sendable {
    public var from: RegionID
    public var to: RegionID
    /// How many; each from a node of its own kind in `from` to one in `to`.
    public var flows: Int
    public var congestionControl: CongestionControl
    /// Whether both ends use explicit congestion notification (RFC 3168).
    public var usesCongestionNotification: Bool
    /// When the first one opens; the others follow ``stagger`` after one another.
    public var start: Interval

    /// What each flow's receiver grants beyond what it has read: more than any link holds that the
    /// laboratory is calibrated for.
    public static let receiveCredit = 32 << 20
    /// From the opening of a flow to that of the next.
    public static let stagger = Interval.milliseconds(10)

    public init(
        from: RegionID,
        to: RegionID,
        flows: Int,
        congestionControl: CongestionControl = .cubic,
        usesCongestionNotification: Bool = false,
        start: Interval = .zero
    ) {
        self.from = from
        self.to = to
        self.flows = flows
        self.congestionControl = congestionControl
        self.usesCongestionNotification = usesCongestionNotification
        self.start = start
    }
}

/// What one flow of others did.
public struct CrossFlow: Hashable, Sendable {
    public var from: RegionID
    public var to: RegionID
    /// Stream bytes that arrived in order since the start of the run.
    public var received: Int64 = 0
    /// Connections that broke and were opened again a second later.
    public var resets = 0
    let traffic: Int
}

/// The flows of others, and what they took of each link.
struct CrossTrafficState {
    var flows: [CrossFlow] = []
    /// The flow of a connection, by slot.
    var owners: [(generation: UInt32, flow: Int32)] = []
    /// Wire bytes that arrived over each link.
    var carried: [UInt64] = []
    /// What they all send.
    let content = Bytes(repeating: 0, count: 1 << 16)

    init(_ topology: Topology, links: Int) {
        guard !topology.crossTraffic.isEmpty else { return }
        carried = [UInt64](repeating: 0, count: links)
        for (index, traffic) in topology.crossTraffic.enumerated() {
            let flow = CrossFlow(from: traffic.from, to: traffic.to, traffic: index)
            flows += [CrossFlow](repeating: flow, count: traffic.flows)
        }
    }

    func flow(_ slot: UInt32, _ generation: UInt32) -> Int? {
        guard Int(slot) < owners.count, owners[Int(slot)].generation == generation,
            owners[Int(slot)].flow >= 0
        else { return nil }
        return Int(owners[Int(slot)].flow)
    }

    mutating func own(_ connection: ConnectionID, _ flow: Int) {
        while owners.count <= Int(connection.slot) { owners.append((0, -1)) }
        owners[Int(connection.slot)] = (connection.generation, Int32(flow))
    }
}

extension Network {
    /// The flows of others, in the topology's order.
    public var crossFlows: [CrossFlow] { cross.flows }

    /// Wire bytes of others' flows that arrived over a link.
    public func crossBytes(_ link: LinkID) -> UInt64 {
        cross.flows.isEmpty ? 0 : cross.carried[Int(link.rawValue)]
    }

    /// Schedules the opening of the flows of others; to be called once, before the run.
    public mutating func startCrossTraffic(queue: inout EventQueue<SimulationEvent>) {
        var flow: UInt32 = 0
        for (index, traffic) in topology.crossTraffic.enumerated() {
            for number in 0..<traffic.flows {
                let delay = traffic.start + CrossTraffic.stagger * Int64(number)
                _ = queue.schedule(
                    .network(.cross(flow: flow)),
                    at: .zero + delay,
                    from: &nodes[crossSender(index)].origin
                )
                flow += 1
            }
        }
    }

    private func crossSender(_ traffic: Int) -> Int { topology.nodes.count + traffic * 2 }

    mutating func openCrossFlow(
        _ flow: Int,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let index = cross.flows[flow].traffic
        let sender = crossSender(index)
        let traffic = topology.crossTraffic[index]
        var own = parameters
        own.usesCongestionNotification = traffic.usesCongestionNotification
        let connection = open(
            from: NodeID(UInt32(sender)),
            to: NodeID(UInt32(sender + 1)),
            StreamOptions(
                congestionControl: traffic.congestionControl,
                receiveCredit: CrossTraffic.receiveCredit
            ),
            own,
            at: now,
            queue: &queue
        )
        cross.own(connection, flow)
    }

    /// Handles a fact about a flow of others; `false` when it is about something else, which is the
    /// world's to handle.
    @inline(__always)
    public mutating func serveCrossTraffic(
        _ output: NetworkOutput,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) -> Bool {
        cross.flows.isEmpty ? false : serve(output, at: now, queue: &queue)
    }

    private mutating func serve(
        _ output: NetworkOutput,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) -> Bool {
        switch output {
        case .opened(let connection, let side, let credit),
            .writable(let connection, let side, let credit):
            guard cross.flow(connection.slot, connection.generation) != nil else { return false }
            if side == .opener { fill(connection, credit, at: now, queue: &queue) }
        case .readable(let connection, let side, let bytes):
            guard let flow = cross.flow(connection.slot, connection.generation) else {
                return false
            }
            cross.flows[flow].received += Int64(bytes.count)
            grant(connection, side, bytes: bytes.count, at: now, queue: &queue)
        case .finished(let connection, _), .path(let connection, _, _):
            return cross.flow(connection.slot, connection.generation) != nil
        case .reset(let connection, let side, _):
            guard let flow = cross.flow(connection.slot, connection.generation) else {
                return false
            }
            guard side == .opener else { return true }
            cross.flows[flow].resets += 1
            _ = queue.schedule(
                .network(.cross(flow: UInt32(flow))),
                at: now + .seconds(1),
                from: &nodes[crossSender(cross.flows[flow].traffic)].origin
            )
        case .datagram, .datagramCopied, .datagramLost:
            return false
        }
        return true
    }

    private mutating func fill(
        _ connection: ConnectionID,
        _ credit: Int,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        var left = credit
        while left > 0 {
            let count = min(left, cross.content.count)
            write(connection, .opener, cross.content.prefix(count), at: now, queue: &queue)
            left -= count
        }
    }

    /// Accounts for a packet of others that came over a link.
    @inline(__always)
    mutating func countCross(_ packet: Packet, _ wireBytes: Int, link: Int) {
        if cross.flows.isEmpty || packet.flags.contains(.datagram) { return }
        if cross.flow(packet.slot, packet.generation) != nil {
            cross.carried[link] &+= UInt64(wireBytes)
        }
    }
}
