import Glibc
import LinkModel
import NetworkModel
import SimulatedEnvironment
import Units

/// What the nodes of one region send, moved through the region's pipes to where it is for.
///
/// One thread owns it, as one region of a simulation owns the links that its nodes send on; nothing
/// is shared with other regions but the interfaces that packets are written to, and the kernel takes
/// writes from any thread.
struct RegionRelay: ~Copyable {
    /// A frame on its way. The pipes see only this; the bytes stay in their slot.
    struct Passage: BitwiseCopyable {
        var slot: UInt32
        var receiver: UInt32
    }

    /// One pipe with its number in the topology.
    struct Outlet {
        let link: LinkID
        var pipe: LinkPipe<Passage>
        var errors = DelayErrors()
        /// Instead of the link's own, as faults will have it.
        var rate: BitRate?
    }

    private var outlets: [Outlet]
    /// Index in `outlets` by the receiver's region; -1 where no link leads.
    private let routes: [Int]
    private let regions: [Int]
    /// The interfaces of all nodes, by node.
    private let tunnels: [Int32]
    /// The nodes of this region.
    private let senders: [Int]
    private var slots: FrameSlots
    private let origin: Int64
    private var rules: [(id: Int, rule: NetworkRule)] = []
    /// Packets for nobody, or of another protocol.
    private(set) var strayPackets: UInt64 = 0
    /// Packets that found no slot.
    private(set) var packetsWithoutSlot: UInt64 = 0
    /// Packets written to interfaces.
    private(set) var packetsMoved: UInt64 = 0

    /// Packets moved in one go before other work gets its turn.
    private static let batch = 32

    init(
        region: Int,
        topology: Topology,
        seed: UInt64,
        tunnels: [Int32],
        origin: Int64
    ) throws(EmulatorFailure) {
        var outlets: [Outlet] = []
        var routes = [Int](repeating: -1, count: topology.regionCount)
        for (index, link) in topology.links.enumerated() where Int(link.from.rawValue) == region {
            routes[Int(link.to.rawValue)] = outlets.count
            // The same names as in a simulation: both draw the same sequence of losses.
            outlets.append(
                Outlet(
                    link: LinkID(UInt32(index)),
                    pipe: LinkPipe(
                        link.parameters,
                        entity: EntityID(.link, UInt32(index)),
                        seed: seed,
                        filler: Passage(slot: 0, receiver: 0)
                    )
                )
            )
        }
        self.outlets = outlets
        self.routes = routes
        regions = topology.nodes.map { Int($0.rawValue) }
        senders = regions.indices.filter { topology.nodes[$0].rawValue == UInt32(region) }
        self.tunnels = tunnels
        self.origin = origin
        slots = try FrameSlots(capacity: RegionRelay.slotsNeeded(outlets))
    }

    /// What fits the queues and what the rates can put into the longest delays, in packets of 100
    /// bytes on average, at most a gibibyte of address space a region.
    private static func slotsNeeded(_ outlets: [Outlet]) -> Int {
        let bytes = outlets.reduce(Int64(0)) { sum, outlet in
            let parameters = outlet.pipe.parameters
            let delay = parameters.propagation + parameters.jitter.limit + .seconds(1)
            return sum + parameters.queueLimit.bytes + parameters.rate.bytes(in: delay).bytes
        }
        return Int(min(1 << 19, max(1 << 12, bytes / 100)))
    }

    /// Time on the run's clock; before the run has begun it stands still.
    private var now: Instant { Instant(nanoseconds: max(0, RelayClock.nanoseconds - origin)) }

    // MARK: Moving packets

    /// Writes what is due and reads what has come. Gives the time of the next arrival; `nil` when
    /// there may be more to do at once.
    mutating func turn() -> Instant? {
        let wrote = deliverDue()
        let read = readAll()
        guard !wrote, !read else { return nil }
        return outlets.reduce(Instant.distantFuture) { min($0, $1.pipe.nextEvent) }
    }

    /// Whether a batch was full.
    private mutating func deliverDue() -> Bool {
        var isFull = false
        for index in outlets.indices {
            var moved = 0
            while moved < RegionRelay.batch, outlets[index].pipe.nextEvent <= now,
                let arrival = outlets[index].pipe.takeArrival(at: now)
            {
                deliver(arrival, from: index)
                moved += 1
            }
            giveBackDiscarded(index)
            if moved == RegionRelay.batch { isFull = true }
        }
        return isFull
    }

    private mutating func deliver(_ arrival: LinkPipe<Passage>.Arrival, from index: Int) {
        let passage = arrival.item
        let bytes = slots.frame(in: passage.slot)
        if !arrival.flags.isDisjoint(with: [.marked, .corrupted]), let frame = IPv4Frame(bytes) {
            if arrival.flags.contains(.marked) { frame.mark() }
            // A copy shares its frame with the original, which was spoiled before: twice would mend it.
            if arrival.flags.contains(.corrupted), !arrival.flags.contains(.isCopy) {
                frame.spoil()
            }
        }
        _ = write(tunnels[Int(passage.receiver)], bytes.baseAddress!, bytes.count)
        packetsMoved &+= 1
        let late = RelayClock.nanoseconds - origin - arrival.time.nanoseconds
        outlets[index].errors.record(nanoseconds: late)
        if !arrival.flags.contains(.hasCopy) { slots.giveBack(passage.slot) }
    }

    private mutating func giveBackDiscarded(_ index: Int) {
        guard !outlets[index].pipe.discarded.isEmpty else { return }
        for passage in outlets[index].pipe.discarded { slots.giveBack(passage.slot) }
        outlets[index].pipe.discarded.removeAll(keepingCapacity: true)
    }

    /// Whether anything came.
    private mutating func readAll() -> Bool {
        var hasRead = false
        for sender in senders {
            for _ in 0..<RegionRelay.batch {
                guard let slot = freeSlot(for: sender) else { break }
                let room = slots.room(of: slot)
                let count = read(tunnels[sender], room.baseAddress!, room.count)
                guard count > 0 else { break }
                hasRead = true
                forward(UnsafeMutableRawBufferPointer(rebasing: room[..<count]), slot, from: sender)
            }
        }
        return hasRead
    }

    /// Without a slot a packet is read all the same, into nothing, so that it is counted.
    private mutating func freeSlot(for sender: Int) -> UInt32? {
        guard slots.isExhausted else { return slots.next }
        var scratch: UInt8 = 0
        if read(tunnels[sender], &scratch, 1) > 0 { packetsWithoutSlot += 1 }
        return nil
    }

    private mutating func forward(
        _ bytes: UnsafeMutableRawBufferPointer,
        _ slot: UInt32,
        from sender: Int
    ) {
        guard let frame = IPv4Frame(bytes), let node = frame.destination.node,
            Int(node.rawValue) < regions.count, Int(node.rawValue) != sender
        else {
            strayPackets += 1
            return
        }
        let route = routes[regions[Int(node.rawValue)]]
        guard route >= 0 else {
            strayPackets += 1
            return
        }
        guard passesRules(from: NodeID(UInt32(sender)), to: node) else {
            outlets[route].pipe.countRuleDrop()
            return
        }
        slots.take(length: bytes.count)
        let fate = outlets[route].pipe.offer(
            Passage(slot: slot, receiver: node.rawValue),
            wireBytes: frame.wireBytes,
            flow: frame.flow,
            isECNCapable: frame.isECNCapable,
            at: now
        )
        if fate != .carried { slots.giveBack(slot) }
        giveBackDiscarded(route)
    }

    private func passesRules(from sender: NodeID, to receiver: NodeID) -> Bool {
        for entry in rules {
            switch entry.rule.verdict(from: sender, to: receiver) {
            case .pass: continue
            case .drop, .hold: return false
            case .accept: return true
            }
        }
        return true
    }

    // MARK: Control

    /// What the links of this region did until now.
    func reports() -> [LinkReport] {
        let time = now
        return outlets.map {
            LinkReport(
                link: $0.link,
                counters: $0.pipe.counters(at: time),
                queue: $0.pipe.occupancy(at: time),
                errors: $0.errors
            )
        }
    }

    /// Gives links the condition that all faults together ask for.
    mutating func refresh(_ links: [LinkID], _ faults: LinkFaults) {
        for index in outlets.indices where links.contains(outlets[index].link) {
            let link = outlets[index].link
            let own = outlets[index].pipe.parameters
            let wanted = faults.condition(of: link, own)
            if wanted.isUp != outlets[index].pipe.isUp {
                outlets[index].pipe.setUp(wanted.isUp, at: now)
            }
            outlets[index].pipe.setExtraDelay(wanted.extraDelay)
            outlets[index].pipe.setExtraLoss(wanted.extraLoss)
            outlets[index].pipe.setPacketLimit(wanted.packetLimit)
            outlets[index].pipe.setExtraFaults(wanted.trouble, jitter: wanted.extraJitter)
            outlets[index].pipe.setQueueLimit(wanted.queueLimit)
            if wanted.rate != outlets[index].rate {
                outlets[index].rate = wanted.rate
                outlets[index].pipe.setRate(wanted.rate ?? own.rate, at: now)
            }
            giveBackDiscarded(index)
        }
    }

    mutating func add(_ rule: NetworkRule, id: Int) { rules.append((id, rule)) }

    mutating func removeRules(id: Int) { rules.removeAll { $0.id == id } }
}

/// The host's monotonic clock.
enum RelayClock {
    @inline(__always)
    static var nanoseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
