import Determinism
import LinkModel
import SimulationKernel
import Units

/// One directed link whose streams go over RDMA: the sender's egress, the cable, and what waits of it
/// in the queue at its end.
///
/// The egress serves acknowledgements first, then queue pairs in turn, a packet each. Nothing waits
/// in front of the cable: what is paused stays with its queue pair.
struct RDMAWire {
    struct Transit: BitwiseCopyable {
        var packet: RDMAPacket
        var arrival: Instant
        var isSpoiled: Bool
    }

    struct Turn: BitwiseCopyable {
        var pair: PairID
        var side: ConnectionSide
    }

    let id: LinkID
    let from: Int
    let to: Int
    let rdma: RDMAParameters
    var origin: EventOrigin
    var chain: HashChain
    var rate: BitRate
    var isUp = true
    var counters = LinkCounters()
    /// Whether a packet is being sent, of what size and until when.
    var isSending = false
    private var sendingBytes = 0
    private var sendingUntil = Instant.zero
    var answers = Ring(filler: RDMAPacket())
    /// Sides with something to send, in the order of their turns; some may be gone.
    var turns = Ring(filler: Turn(pair: PairID(slot: 0, generation: 0), side: .opener))
    var transit = Ring(
        filler: Transit(packet: RDMAPacket(), arrival: .zero, isSpoiled: false)
    )
    /// Bytes of this link in the queue at its end.
    private(set) var waiting = 0
    private let capacity: Int
    /// Whether the queue has asked the sender to stop, and whether the sender has heard it.
    private(set) var asksToStop = false
    var stoppedSince: Instant?
    private var lastRequest = Instant.zero
    private var lastArrival = Instant.zero
    private let propagation: Interval
    private let load: Ratio
    private let corrupt: Ratio
    private var extraDelay = Interval.zero
    /// The longest packet that passes, in bytes on the wire.
    private var longestPacket = Int.max
    private var loss: LossProcess
    private var extraLoss: LossProcess
    private var corruption: SeededRandom

    init(_ link: Link, from: Int, to: Int, _ rdma: RDMAParameters, seed: UInt64) {
        let parameters = link.pipe.parameters
        // Numbered apart from the pipe, which is an entity of its own in the same queue.
        let entity = EntityID(.link, RDMAWire.numbers | link.origin.entity.index)
        id = link.id
        self.from = from
        self.to = to
        self.rdma = rdma
        origin = EventOrigin(entity)
        chain = HashChain(key: UInt64(entity.rawValue))
        rate = FluidLink.available(parameters.rate, parameters.backgroundLoad)
        load = parameters.backgroundLoad
        propagation = parameters.propagation
        corrupt = parameters.faults.corrupt
        let largest = RDMAPacket.largest(mtu: rdma.mtu)
        if let pause = rdma.pause {
            let headroom = pause.headroom(rate: rate, propagation: propagation, packet: largest)
            // And the packet that went beyond the mark.
            capacity = Int((pause.stop + headroom).bytes) + largest
        } else {
            capacity = max(largest, Int(parameters.queueLimit.bytes))
        }
        func stream(_ purpose: StaticString) -> SeededRandom {
            SeededRandom(seed: seed, entity: entity, purpose: purpose)
        }
        loss = LossProcess(parameters.loss, random: stream("loss"))
        extraLoss = LossProcess(.none, random: stream("extra loss"))
        corruption = stream("corruption")
    }

    private static let numbers: UInt32 = 1 << 22

    var way: Interval { propagation + extraDelay }

    mutating func setRate(_ newRate: BitRate) { rate = FluidLink.available(newRate, load) }

    mutating func setExtraDelay(_ delay: Interval) { extraDelay = delay }

    mutating func setExtraLoss(_ model: LossModel) { extraLoss.use(model) }

    /// Drops packets that are longer than this, IP header included.
    mutating func setPacketLimit(_ limit: ByteCount?) {
        longestPacket = limit.map { Int($0.bytes) + RDMAPacket.frame } ?? .max
    }

    /// Puts a packet on the cable; `isCut` when a partition takes it.
    ///
    /// - Returns: When it is sent, and when an event for its arrival is wanted.
    mutating func send(
        _ packet: RDMAPacket,
        isCut: Bool,
        at now: Instant
    ) -> (sent: Instant, arrival: Instant?) {
        let size = Int(packet.wireBytes)
        let time = rate.serializationTime(of: ByteCount(size))
        let sent = now + time
        counters.offeredPackets &+= 1
        counters.offeredBytes &+= UInt64(size)
        counters.departedPackets &+= 1
        counters.departedBytes &+= UInt64(size)
        counters.busy += time
        (sendingBytes, sendingUntil) = (size, sent)
        mix(packet, at: now)
        // Every process draws, so that a loss shifts no later draw.
        var isLost = loss.next(at: sent, packetTime: time)
        if extraLoss.next(at: sent, packetTime: time) { isLost = true }
        let isSpoiled = corrupt > .zero && corruption.chance(corrupt)
        if !isUp || size > longestPacket {
            counters.droppedByOutage &+= 1
        } else if isCut {
            counters.droppedByRule &+= 1
        } else if isLost {
            counters.droppedByLoss &+= 1
        } else {
            lastArrival = max(lastArrival, sent + way)
            transit.append(Transit(packet: packet, arrival: lastArrival, isSpoiled: isSpoiled))
            return (sent, transit.count == 1 ? lastArrival : nil)
        }
        return (sent, nil)
    }

    private mutating func mix(_ packet: RDMAPacket, at now: Instant) {
        chain.combine(now.nanoseconds)
        chain.combine(packet.number)
        chain.combine(
            UInt64(packet.pair.slot) << 32 | UInt64(packet.wireBytes) << 8
                | UInt64(packet.kind.rawValue) << 1 | UInt64(packet.side)
        )
    }

    // MARK: The queue at the end

    enum Request {
        case nothing
        case stop(Instant)
        case resume(Instant)
    }

    /// Whether the queue has room for a packet; without priority flow control it may have none.
    mutating func admits(_ size: Int) -> Bool {
        guard waiting + size <= capacity else {
            counters.droppedByQueue &+= 1
            return false
        }
        waiting += size
        counters.peakQueue = max(counters.peakQueue, ByteCount(waiting))
        return true
    }

    /// After a packet came or went: whether the sender must hear something, and when it does.
    ///
    /// A request is a frame of the MAC layer: it overtakes what waits, is never lost, and its pause
    /// lasts until it is taken back, as one that is repeated in time does.
    mutating func request(at now: Instant) -> Request {
        guard let pause = rdma.pause else { return .nothing }
        if !asksToStop, waiting > Int(pause.stop.bytes) {
            asksToStop = true
            counters.pauses &+= 1
            lastRequest = max(lastRequest, now + way)
            return .stop(lastRequest)
        }
        if asksToStop, waiting <= Int(pause.resume.bytes) {
            asksToStop = false
            lastRequest = max(lastRequest, now + way)
            return .resume(lastRequest)
        }
        return .nothing
    }

    mutating func release(_ size: Int) {
        waiting -= size
        counters.arrivedPackets &+= 1
        counters.arrivedBytes &+= UInt64(size)
    }

    /// What happened until now, the present pause included.
    func counters(at now: Instant) -> LinkCounters {
        var result = counters
        if sendingUntil > now {
            result.departedPackets -= 1
            result.departedBytes -= UInt64(sendingBytes)
            result.busy = result.busy - (sendingUntil - now)
        }
        if let stoppedSince { result.paused += now - stoppedSince }
        return result
    }
}

/// The port by which the nodes of a region receive: one queue for what all links bring, served in
/// order of arrival at the rate of the fastest of them.
struct RDMAPort {
    struct Waiting: BitwiseCopyable {
        var packet: RDMAPacket
        var wire: Int32
        var passage: Instant
    }

    var rate: BitRate
    var origin: EventOrigin
    /// Links out of the region do not send while any of them is asked to stop.
    var stops = 0
    var busyUntil = Instant.zero
    var queue = Ring(filler: Waiting(packet: RDMAPacket(), wire: 0, passage: .zero))
}
