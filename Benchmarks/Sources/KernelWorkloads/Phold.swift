public import Determinism
public import Machines
public import SimulationKernel
public import Units

/// PHOLD (Fujimoto, "Performance of Time Warp under Synthetic Workloads", 1990) on the machine
/// contract: each of 1,000 nodes answers a message by sending one to a random node, which arrives
/// after an exponential delay.
public struct PholdMachine: Machine {
    public struct Ball: WireMessage, BitwiseCopyable {
        public var hops: UInt64

        public func encode(into writer: inout WireWriter) { writer.write(hops) }
        public init(from reader: inout WireReader) throws(WireError) { hops = try reader.read() }
        init(hops: UInt64) { self.hops = hops }
    }

    public typealias Message = Ball

    var random: SeededRandom
    let nodes: UInt64
    var received: UInt64 = 0

    init(node: NodeID, nodes: Int, seed: UInt64) {
        random = SeededRandom(seed: seed, entity: EntityID(node), purpose: "phold destination")
        self.nodes = UInt64(nodes)
    }

    public mutating func step(
        _ input: Input<Self>,
        at now: Instant,
        into actions: inout Actions<Self>
    ) {
        switch input {
        case .started:
            actions.send(Ball(hops: 0), to: destination())
        case .received(let ball, from: _):
            received &+= 1
            actions.send(Ball(hops: ball.hops &+ 1), to: destination())
        case .requested, .fired, .persisted, .computed, .streamOpened, .writable, .readable,
            .finished, .reset, .path:
            preconditionFailure("nothing else happens in PHOLD")
        }
    }

    private mutating func destination() -> NodeID {
        NodeID(UInt32(truncatingIfNeeded: random.below(nodes)))
    }
}

/// The least world that PHOLD needs: delays, the queue, and a fingerprint for each node.
public struct PholdWorld: ~Copyable {
    /// One message on its way.
    struct Delivery: BitwiseCopyable {
        var ball: PholdMachine.Ball
        var to: NodeID
        var from: NodeID
    }

    /// The part of the world that hosts act on while one of them is being stepped.
    struct Network: Environment, ~Copyable {
        typealias Program = PholdMachine

        var queue: EventQueue<Delivery>
        var origins: [EventOrigin]
        /// Drawn beforehand, so that the simulator is timed and not the logarithm.
        let delays: [Int64]
        var sent = 0

        static var delayCount: Int { 1 << 16 }

        mutating func perform(_ action: Action<PholdMachine>, on node: NodeID, at now: Instant) {
            guard case .send(let ball, let peer) = action else {
                preconditionFailure("PHOLD only sends")
            }
            let index = Int(node.rawValue)
            let delay = delays[sent & (Network.delayCount - 1)]
            sent &+= 1
            queue.schedule(
                Delivery(ball: ball, to: peer, from: node),
                at: Instant(nanoseconds: now.nanoseconds &+ delay),
                from: &origins[index]
            )
        }
    }

    var network: Network
    var hosts: [Host<PholdMachine>]
    var chains: [HashChain]

    /// A started world with one message of each node on its way.
    public init(nodes: Int, seed: UInt64) {
        let names = (0..<nodes).map { NodeID(UInt32($0)) }
        var random = SeededRandom(
            seed: seed,
            entity: EntityID(.experiment, 0),
            purpose: "phold delays"
        )
        network = Network(
            queue: EventQueue(capacity: nodes * 2),
            origins: names.map { EventOrigin(EntityID($0)) },
            delays: (0..<Network.delayCount).map { _ in
                Int64(random.exponential(mean: 1_000_000)) + 1_000
            }
        )
        hosts = names.map { Host(node: $0) }
        chains = names.map { HashChain(key: UInt64($0.rawValue)) }
        for name in names {
            hosts[Int(name.rawValue)].start(
                PholdMachine(node: name, nodes: nodes, seed: seed),
                at: .zero,
                in: &network
            )
        }
    }

    /// Delivers messages until the limits end the run; returns how many.
    public mutating func run(_ limits: RunLimits) -> UInt64 {
        var control = RunControl(limits)
        while let event = control.next(of: &network.queue) {
            let delivery = event.payload
            let index = Int(delivery.to.rawValue)
            chains[index].combine(event.time.nanoseconds)
            chains[index].combine(UInt64(delivery.from.rawValue))
            chains[index].combine(delivery.ball.hops)
            hosts[index].deliver(
                .received(delivery.ball, from: delivery.from),
                at: event.time,
                in: &network
            )
        }
        return control.delivered
    }

    /// The digest of all that every node received, in node order.
    public var fingerprint: Fingerprint {
        var whole = HashChain()
        for chain in chains { whole.combine(chain.fingerprint) }
        return whole.fingerprint
    }
}
