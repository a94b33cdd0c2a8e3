import LinkModel
import Machines
package import SimulationKernel
import StreamLinks
package import Units

/// The connections whose streams go over RDMA: the same calls and outputs as for those over TCP.
///
/// All streams that a node opens to another share one queue pair, as in the real environment, and its
/// `StreamLink` is the very code that runs there.
struct RDMAPlane {
    /// One for each entry of `Network.links`; `nil` for links whose streams go over TCP.
    var wires: [RDMAWire?]
    /// One for each region.
    var ports: [RDMAPort]
    var pairs: [Pair] = []
    /// Two for each pair: opener, acceptor.
    var ends: [End] = []
    /// Indexed like `Network.connections`; only entries of streams over RDMA mean anything.
    var streams: [Stream] = []
    /// The pair that a node's next stream to another uses, by both.
    var current: [UInt64: UInt32] = [:]
    var freePairs: [UInt32] = []
    var actions: [StreamLink.Action] = []

    struct Pair {
        var generation: UInt32 = 0
        var isUsed = false
        var opener = NodeID(0)
        var acceptor = NodeID(0)
        var forward = 0
        var backward = 0
        /// The connection of each stream, and all that are not released, in order of opening.
        var slots: [UInt32: UInt32] = [:]
        var members: [UInt32] = []
        var nextStream: UInt32 = 0
        /// When it was made, until its first hello.
        var begun = Instant.zero

        func node(_ side: ConnectionSide) -> NodeID { side == .opener ? opener : acceptor }
    }

    /// One side of a pair.
    struct End {
        enum Life: UInt8 {
            /// An acceptor that has heard no offer.
            case absent
            case present
            case gone
        }

        var life = Life.absent
        var link: StreamLink
        var queuePair: ReliableQueuePair
        /// Whether it is among its link's turns.
        var isListed = false
        /// Whether an event will post what may be posted.
        var isAdvancing = false
        /// Streams open on this side.
        var open: [UInt32] = []
        /// Bytes placed into the peer's ring, taken from our own, and the most of a ring ever used.
        var placed = 0
        var taken = 0
        var peakRing = 0
    }

    struct Stream {
        var pair = PairID(slot: 0, generation: 0)
        var number: UInt32 = 0
        /// Whether the acceptor may come to know it.
        var isAnnounced = false
        var isOver = (opener: false, acceptor: false)
        var received: (opener: Int64, acceptor: Int64) = (0, 0)
    }

    /// Receives that a side keeps posted, and what it may post itself, as in the real environment.
    static let receives = 256
    static let posts = 252
    /// How long a pair may take to come up.
    static let patience = Interval.seconds(5)
    /// When what was lost on the way to a peer is sent again, as by a TCP that has no sample yet.
    static let repetition = Interval.seconds(1)

    init(_ topology: Topology, links: [Link], routes: [Int32], seed: UInt64) {
        let regions = topology.regionCount
        wires = links.map { _ in nil }
        ports = (0..<regions).map { region in
            let entity = EntityID(.link, RDMAPlane.portNumbers | UInt32(region))
            return RDMAPort(rate: BitRate(bitsPerSecond: 1), origin: EventOrigin(entity))
        }
        for from in 0..<regions {
            for to in 0..<regions {
                let route = Int(routes[from * regions + to])
                guard route >= 0, let rdma = links[route].pipe.parameters.rdma else { continue }
                let wire = RDMAWire(links[route], from: from, to: to, rdma, seed: seed)
                ports[to].rate = max(ports[to].rate, wire.rate)
                wires[route] = wire
            }
        }
    }

    private static let portNumbers: UInt32 = 1 << 21
}

extension Network {
    /// Whether streams over these links go over RDMA: both ways must.
    func isRDMA(_ forward: Int32, _ backward: Int32) -> Bool {
        forward >= 0 && backward >= 0 && rdma.wires[Int(forward)] != nil
            && rdma.wires[Int(backward)] != nil
    }

    /// Whether the connection's streams go over RDMA.
    public func isRDMA(_ connection: ConnectionID) -> Bool {
        let slot = Int(connection.slot)
        return slot < connections.count && connections[slot].carrier == .rdma
    }

    func endIndex(_ pair: PairID, _ side: ConnectionSide) -> Int {
        sideIndex(pair.slot, side)
    }

    func isCurrent(_ pair: PairID) -> Bool {
        rdma.pairs[Int(pair.slot)].isUsed
            && rdma.pairs[Int(pair.slot)].generation == pair.generation
    }

    // MARK: - Calls

    mutating func openRDMA(
        _ connection: ConnectionID,
        _ options: StreamOptions,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let record = connections[Int(connection.slot)]
        let pair = pairForStreams(record, at: now, queue: &queue)
        let number = rdma.pairs[Int(pair.slot)].nextStream
        rdma.pairs[Int(pair.slot)].nextStream += 1
        rdma.pairs[Int(pair.slot)].slots[number] = connection.slot
        rdma.pairs[Int(pair.slot)].members.append(connection.slot)
        while rdma.streams.count <= Int(connection.slot) { rdma.streams.append(RDMAPlane.Stream()) }
        rdma.streams[Int(connection.slot)] = RDMAPlane.Stream(pair: pair, number: number)
        let end = endIndex(pair, .opener)
        rdma.ends[end].open.append(number)
        rdma.ends[end].link.open(
            number,
            window: options.receiveCredit,
            priority: options.priority,
            at: now
        )
        advanceLater(pair, .opener, at: now, queue: &queue)
    }

    /// Posts what may be posted once the machine's step is over, so that all it does in one goes
    /// together, as in the real environment.
    private mutating func advanceLater(
        _ pair: PairID,
        _ side: ConnectionSide,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let end = endIndex(pair, side)
        guard !rdma.ends[end].isAdvancing else { return }
        rdma.ends[end].isAdvancing = true
        let node = rdma.pairs[Int(pair.slot)].node(side)
        schedule(.advance(pair, side), at: now, by: node, queue: &queue)
    }

    private mutating func pairForStreams(
        _ record: ConnectionRecord,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) -> PairID {
        let key = UInt64(record.opener.rawValue) << 32 | UInt64(record.acceptor.rawValue)
        if let slot = rdma.current[key] {
            let pair = PairID(slot: slot, generation: rdma.pairs[Int(slot)].generation)
            let isPresent = rdma.ends[endIndex(pair, .opener)].life == .present
            let isSame =
                rdma.pairs[Int(slot)].node(.opener) == record.opener
                && rdma.pairs[Int(slot)].node(.acceptor) == record.acceptor
            if rdma.pairs[Int(slot)].isUsed, isPresent, isSame { return pair }
        }
        let pair = takePair(record, at: now)
        rdma.current[key] = pair.slot
        schedule(
            .setUp(pair, .request),
            at: now + rdma.wires[Int(record.forward)]!.way,
            by: record.opener,
            queue: &queue
        )
        schedule(
            .setUp(pair, .openerDeadline),
            at: now + RDMAPlane.patience,
            by: record.opener,
            queue: &queue
        )
        return pair
    }

    private mutating func takePair(_ record: ConnectionRecord, at now: Instant) -> PairID {
        let wire = rdma.wires[Int(record.forward)]!
        let slot = rdma.freePairs.popLast() ?? UInt32(rdma.pairs.count)
        if Int(slot) == rdma.pairs.count { rdma.pairs.append(RDMAPlane.Pair()) }
        let generation = rdma.pairs[Int(slot)].generation
        rdma.pairs[Int(slot)] = RDMAPlane.Pair(
            generation: generation,
            isUsed: true,
            opener: record.opener,
            acceptor: record.acceptor,
            forward: Int(record.forward),
            backward: Int(record.backward),
            begun: now
        )
        for side in ConnectionSide.allCases {
            let ring = rdma.wires[Int(side == .opener ? record.backward : record.forward)]!.rdma
                .ring
            let end = RDMAPlane.End(
                life: side == .opener ? .present : .absent,
                link: StreamLink(
                    role: side == .opener ? .opener : .acceptor,
                    receiveLength: Int(ring.bytes),
                    receives: RDMAPlane.receives,
                    postLimit: RDMAPlane.posts
                ),
                queuePair: ReliableQueuePair(mtu: wire.rdma.mtu)
            )
            let index = sideIndex(slot, side)
            if index == rdma.ends.count {
                rdma.ends.append(end)
            } else {
                rdma.ends[index] = end
            }
        }
        return PairID(slot: slot, generation: generation)
    }

    /// Carries a call on a stream out; one that has ended on this side is left alone.
    mutating func change(
        _ connection: ConnectionID,
        _ side: ConnectionSide,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>,
        _ body: (inout StreamLink, UInt32) -> Void
    ) {
        let stream = rdma.streams[Int(connection.slot)]
        let end = endIndex(stream.pair, side)
        guard isCurrent(stream.pair), rdma.ends[end].life == .present,
            rdma.ends[end].link.isOpen(stream.number)
        else { return }
        body(&rdma.ends[end].link, stream.number)
        advanceLater(stream.pair, side, at: now, queue: &queue)
    }

    func creditRDMA(_ connection: ConnectionID, _ side: ConnectionSide) -> Int {
        let stream = rdma.streams[Int(connection.slot)]
        guard isCurrent(stream.pair) else { return 0 }
        let end = endIndex(stream.pair, side)
        let isOpen = side == .acceptor || stream.isAnnounced
        guard rdma.ends[end].life == .present, isOpen else { return 0 }
        return rdma.ends[end].link.credit(of: stream.number)
    }

    /// What the connection's queue pair did, for all of its streams together.
    func statisticsRDMA(
        _ connection: ConnectionID,
        _ side: ConnectionSide
    ) -> ConnectionStatistics {
        let stream = rdma.streams[Int(connection.slot)]
        guard isCurrent(stream.pair) else { return ConnectionStatistics() }
        var result = rdma.ends[endIndex(stream.pair, side)].queuePair.statistics
        result.bytesReceived = side == .opener ? stream.received.opener : stream.received.acceptor
        return result
    }

    /// The most bytes that were ever under way into a receiver's ring, and its length.
    package func ringUse(
        _ connection: ConnectionID,
        towards side: ConnectionSide
    ) -> (peak: Int, length: Int) {
        let stream = rdma.streams[Int(connection.slot)]
        let pair = rdma.pairs[Int(stream.pair.slot)]
        let wire = rdma.wires[side == .acceptor ? pair.forward : pair.backward]!
        let peak = rdma.ends[endIndex(stream.pair, side.other)].peakRing
        return (peak, Int(wire.rdma.ring.bytes))
    }

    /// The queue pairs between two nodes go to their error state on this side, as when a device fails.
    package mutating func breakPair(
        of connection: ConnectionID,
        _ side: ConnectionSide,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let pair = rdma.streams[Int(connection.slot)].pair
        guard isCurrent(pair) else { return }
        lose(pair, side, .broken("the queue pair was broken"), at: now, queue: &queue)
    }

    mutating func schedule(
        _ event: RDMAEvent,
        at time: Instant,
        by node: NodeID,
        queue: inout EventQueue<SimulationEvent>
    ) {
        let origin = Int(node.rawValue)
        _ = queue.schedule(.network(.rdma(event)), at: time, from: &nodes[origin].origin)
    }
}
