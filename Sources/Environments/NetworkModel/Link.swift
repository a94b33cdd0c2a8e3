import Determinism
import LinkModel
import SimulationKernel
import Units

/// A pipe of the link model inside a simulation: what is due on it is an event, and all that
/// happens on it is in a hash chain.
///
/// Only the first thing due is in the event queue: with drop-tail, that is the first arrival.
struct Link {
    typealias Pipe = LinkPipe<Packet>

    let id: LinkID
    var origin: EventOrigin
    var chain: HashChain
    private(set) var pipe: Pipe
    /// The event for what is due first, and its time.
    private var token = EventToken.none
    private var scheduled = Instant.distantFuture

    init(_ id: LinkID, _ parameters: LinkParameters, entity: EntityID, seed: UInt64) {
        self.id = id
        origin = EventOrigin(entity)
        chain = HashChain(key: UInt64(entity.rawValue))
        pipe = LinkPipe(parameters, entity: entity, seed: seed, filler: Packet())
    }

    // MARK: - Packets

    /// Takes a packet or drops it. Packets that were accepted earlier and are dropped now are in
    /// `pipe.discarded`.
    mutating func offer(
        _ packet: Packet,
        wireBytes: Int,
        fragments: Int = 1,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) -> Pipe.Fate {
        mix(packet, at: now)
        let fate = pipe.offer(
            packet,
            wireBytes: wireBytes,
            fragments: fragments,
            flow: packet.flow,
            isECNCapable: packet.congestion.contains(.capable),
            at: now
        )
        schedule(queue: &queue)
        return fate
    }

    /// The packet whose arrival came due; what is due next is scheduled.
    mutating func takeArrival(
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) -> Pipe.Arrival? {
        token = .none
        scheduled = .distantFuture
        let arrival = pipe.takeArrival(at: now)
        schedule(queue: &queue)
        return arrival
    }

    /// Everything that happens on a link follows from what is offered to it and when.
    private mutating func mix(_ packet: Packet, at now: Instant) {
        chain.combine(now.nanoseconds)
        chain.combine(packet.offset &* 3 &+ packet.acknowledgement)
        chain.combine(
            UInt64(packet.length) << 16 | UInt64(packet.flags.rawValue) << 8 | UInt64(packet.side)
        )
    }

    @inline(__always)
    private mutating func schedule(queue: inout EventQueue<SimulationEvent>) {
        let next = pipe.nextEvent
        guard next != scheduled else { return }
        if token != .none { _ = queue.cancel(token) }
        token = .none
        scheduled = next
        guard next != .distantFuture else { return }
        token = queue.schedule(.network(.arrival(link: id)), at: next, from: &origin)
    }

    /// The packets' part of ``Network/totals(_:at:)``. Mutating, because a link would be copied otherwise.
    mutating func totals(at now: Instant) -> LinkTotals {
        let counters = pipe.counters(at: now)
        return LinkTotals(
            departedBytes: counters.departedBytes,
            dropped: counters.dropped,
            queue: pipe.occupancy(at: now)
        )
    }

    mutating func countRuleDrop() { pipe.countRuleDrop() }

    /// Gives out the packets that were accepted and will not arrive.
    mutating func takeDiscarded(_ body: (Packet) -> Void) {
        for packet in pipe.discarded { body(packet) }
        pipe.discarded.removeAll(keepingCapacity: true)
    }

    // MARK: - Changes

    mutating func setExtraDelay(_ delay: Interval) { pipe.setExtraDelay(delay) }

    mutating func setExtraLoss(_ model: LossModel) { pipe.setExtraLoss(model) }

    mutating func setExtraFaults(_ trouble: PacketTrouble, jitter: Jitter) {
        pipe.setExtraFaults(trouble, jitter: jitter)
    }

    mutating func setQueueLimit(_ limit: ByteCount?) { pipe.setQueueLimit(limit) }

    mutating func setPacketLimit(_ limit: ByteCount?) { pipe.setPacketLimit(limit) }

    mutating func setUp(_ up: Bool, at now: Instant, queue: inout EventQueue<SimulationEvent>) {
        pipe.setUp(up, at: now)
        schedule(queue: &queue)
    }

    mutating func setRate(
        _ rate: BitRate,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        pipe.setRate(rate, at: now)
        schedule(queue: &queue)
    }

    mutating func follow(
        _ trace: FollowedTrace,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        pipe.follow(trace.trace, since: trace.since, at: now)
        schedule(queue: &queue)
    }
}

extension Packet {
    /// Tells flows apart, for queues that give each its share: a direction of a connection, or the
    /// datagrams to a node.
    var flow: UInt32 {
        flags.contains(.datagram)
            ? generation | 1 << 31 : (slot &* 2 &+ UInt32(side)) & (1 << 31 - 1)
    }
}
