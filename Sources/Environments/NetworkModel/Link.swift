import Determinism
import SimulationKernel
import Units

/// One direction between two regions: a drop-tail queue, a rate, random loss, a delay.
///
/// A packet's whole way is decided when it is offered: whether it fits the queue, when it leaves
/// it, whether it is lost afterwards, when it arrives. Only arrivals are events, and only that of
/// the first packet on its way is in the event queue.
struct Link {
    /// What became of an offered packet.
    enum Fate: UInt8 {
        case carried
        case droppedByQueue
        case droppedByLoss
        case droppedByOutage
    }

    /// A packet on its way.
    struct Transit: BitwiseCopyable {
        var packet: Packet
        var departure: Instant
        var arrival: Instant
        var wireBytes: Int32
    }

    /// A packet that waits or is being sent.
    struct Waiting: BitwiseCopyable {
        var departure: Instant
        var wireBytes: Int32
    }

    /// 1,500 bytes of IP and 14 of framing.
    private static let fullPacket = ByteCount(1514 as Int64)

    let id: LinkID
    let parameters: LinkParameters
    var origin: EventOrigin
    var chain: HashChain
    private(set) var isUp = true
    /// What is left for simulated packets after cross traffic.
    private var rate: BitRate
    private var serialization = SerializationTimes()
    private var waiting = Ring(filler: Waiting(departure: .zero, wireBytes: 0))
    private var transit = Ring(
        filler: Transit(packet: Packet(), departure: .zero, arrival: .zero, wireBytes: 0)
    )
    private var waitingBytes = 0
    private var busyUntil = Instant.zero
    private var lastArrival = Instant.zero
    private var extraDelay = Interval.zero
    private var loss: LossProcess
    private var extraLoss: LossProcess
    /// How long a full packet takes at the present rate.
    private var packetTime: Interval
    private var hasLoss: Bool
    private var hasExtraLoss = false
    private var jitter: SeededRandom
    private var counters = LinkCounters()
    private var budget: RateBudget
    /// The event for the first arrival, and its time.
    private var token = EventToken.none
    private var scheduled = Instant.distantFuture

    init(_ id: LinkID, _ parameters: LinkParameters, entity: EntityID, seed: UInt64) {
        self.id = id
        self.parameters = parameters
        origin = EventOrigin(entity)
        chain = HashChain(key: UInt64(entity.rawValue))
        rate = Link.available(parameters.rate, parameters.backgroundLoad)
        packetTime = rate.serializationTime(of: Link.fullPacket)
        budget = RateBudget(rate: rate)
        let stream = { (purpose: StaticString) in
            SeededRandom(seed: seed, entity: entity, purpose: purpose)
        }
        loss = LossProcess(parameters.loss, random: stream("loss"))
        extraLoss = LossProcess(.none, random: stream("extra loss"))
        jitter = stream("jitter")
        hasLoss = parameters.loss != .none
    }

    // MARK: - Packets

    /// Takes a packet or drops it.
    mutating func offer(
        _ packet: Packet,
        wireBytes: Int,
        fragments: Int = 1,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) -> Fate {
        drain(until: now)
        counters.offeredPackets &+= 1
        counters.offeredBytes &+= UInt64(wireBytes)
        mix(packet, at: now)
        guard isUp else {
            counters.droppedByOutage &+= 1
            return .droppedByOutage
        }
        guard waitingBytes + wireBytes <= Int(parameters.queueLimit.bytes) else {
            counters.droppedByQueue &+= 1
            return .droppedByQueue
        }
        let start = max(now, busyUntil)
        let departure = start + serialization.time(of: wireBytes, at: rate)
        counters.busy += departure - start
        busyUntil = departure
        waiting.append(Waiting(departure: departure, wireBytes: Int32(wireBytes)))
        waitingBytes += wireBytes
        budget.note(wireBytes)
        counters.peakQueue = max(counters.peakQueue, ByteCount(waitingBytes))
        if isLost(fragments, leaving: departure) {
            counters.droppedByLoss &+= 1
            return .droppedByLoss
        }
        var arrival = departure + parameters.propagation + extraDelay + drawJitter()
        if !parameters.jitter.reorders {
            arrival = max(arrival, lastArrival)
            lastArrival = arrival
        }
        insert(
            Transit(
                packet: packet,
                departure: departure,
                arrival: arrival,
                wireBytes: Int32(wireBytes)
            )
        )
        schedule(queue: &queue)
        return .carried
    }

    /// The packet whose arrival came due; the next arrival is scheduled.
    mutating func takeArrival(
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) -> Packet? {
        token = .none
        scheduled = .distantFuture
        guard let first = transit.first, first.arrival <= now else {
            schedule(queue: &queue)
            return nil
        }
        transit.removeFirst()
        counters.arrivedPackets &+= 1
        counters.arrivedBytes &+= UInt64(first.wireBytes)
        schedule(queue: &queue)
        return first.packet
    }

    /// Everything that happens on a link follows from what is offered to it and when.
    private mutating func mix(_ packet: Packet, at now: Instant) {
        chain.combine(now.nanoseconds)
        chain.combine(packet.offset &* 3 &+ packet.acknowledgement)
        chain.combine(
            UInt64(packet.length) << 16 | UInt64(packet.flags.rawValue) << 8 | UInt64(packet.side)
        )
    }

    private mutating func isLost(_ fragments: Int, leaving: Instant) -> Bool {
        guard hasLoss || hasExtraLoss else { return false }
        var isLost = false
        // Every fragment and both processes draw, so that a loss shifts no later draw.
        for _ in 0..<fragments {
            if loss.next(at: leaving, packetTime: packetTime) { isLost = true }
            if extraLoss.next(at: leaving, packetTime: packetTime) { isLost = true }
        }
        return isLost
    }

    private mutating func drawJitter() -> Interval {
        let shape = parameters.jitter
        let scale = Double(shape.scale.nanoseconds)
        let drawn: Double
        switch shape.distribution {
        case .none: return .zero
        case .uniform: drawn = scale * jitter.unit()
        case .normal: drawn = scale * jitter.normal().magnitude
        case .lognormal:
            drawn = scale * DeterministicMath.exp(shape.shape * jitter.normal())
        case .pareto:
            drawn = scale * (DeterministicMath.pow(1 - jitter.unit(), -1 / shape.shape) - 1)
        }
        return Interval(nanoseconds: Int64(min(drawn, Double(shape.limit.nanoseconds))))
    }

    /// Keeps the ring in order of arrival; only reordering links ever move anything.
    private mutating func insert(_ entry: Transit) {
        transit.append(entry)
        var place = transit.end - 1
        while place > transit.start, transit[place - 1].arrival > entry.arrival {
            transit[place] = transit[place - 1]
            place -= 1
        }
        transit[place] = entry
    }

    private mutating func schedule(queue: inout EventQueue<SimulationEvent>) {
        guard let first = transit.first else {
            if token != .none { _ = queue.cancel(token) }
            token = .none
            scheduled = .distantFuture
            return
        }
        guard first.arrival != scheduled else { return }
        if token != .none { _ = queue.cancel(token) }
        scheduled = first.arrival
        token = queue.schedule(
            .network(.arrival(link: id)),
            at: first.arrival,
            from: &origin
        )
    }

    // MARK: - Queue

    /// Accounts for everything that has left the queue by now.
    private mutating func drain(until now: Instant) {
        while let first = waiting.first, first.departure <= now {
            waiting.removeFirst()
            waitingBytes -= Int(first.wireBytes)
            counters.departedPackets &+= 1
            counters.departedBytes &+= UInt64(first.wireBytes)
        }
    }

    mutating func countRuleDrop() { counters.droppedByRule &+= 1 }

    /// Bytes waiting or being sent.
    func occupancy(at now: Instant) -> ByteCount {
        var bytes = waitingBytes
        var position = waiting.start
        while position < waiting.end, waiting[position].departure <= now {
            bytes -= Int(waiting[position].wireBytes)
            position += 1
        }
        return ByteCount(bytes)
    }

    /// What happened until now. Traps when the link carried more than its rate.
    func counters(at now: Instant) -> LinkCounters {
        var link = self
        link.drain(until: now)
        link.budget.check(departed: link.counters.departedBytes, at: now)
        // Transmission that was planned and lies ahead is not yet busy time.
        if busyUntil > now, !link.waiting.isEmpty {
            link.counters.busy = link.counters.busy - (busyUntil - now)
        }
        return link.counters
    }

    // MARK: - Changes

    mutating func setExtraDelay(_ delay: Interval) { extraDelay = delay }

    mutating func setExtraLoss(_ model: LossModel) {
        extraLoss.use(model)
        hasExtraLoss = model != .none
    }

    /// Takes the link down or up; `lost` gets the packets that were waiting.
    mutating func setUp(
        _ up: Bool,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>,
        lost: (Packet) -> Void
    ) {
        drain(until: now)
        isUp = up
        guard !up else { return }
        counters.droppedByOutage &+= UInt64(waiting.count)
        if busyUntil > now { counters.busy = counters.busy - (busyUntil - now) }
        busyUntil = min(busyUntil, now)
        waiting.truncate(at: waiting.start)
        waitingBytes = 0
        keepTransit(queue: &queue) { entry in
            if entry.departure <= now { return entry }
            lost(entry.packet)
            return nil
        }
        lastArrival = transit.isEmpty ? .zero : transit[transit.end - 1].arrival
    }

    /// What is being sent and what waits goes on at the new rate.
    mutating func setRate(
        _ newRate: BitRate,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        drain(until: now)
        let oldRate = rate
        rate = Link.available(newRate, parameters.backgroundLoad)
        packetTime = rate.serializationTime(of: Link.fullPacket)
        serialization = SerializationTimes()
        budget.change(to: rate, at: now)
        guard !waiting.isEmpty else { return }
        counters.busy = counters.busy - (busyUntil - now)
        var moved: [(old: Instant, new: Instant)] = []
        var end = now
        for position in waiting.start..<waiting.end {
            let old = waiting[position].departure
            if position == waiting.start {
                // The rest of the packet in service, scaled by the ratio of the rates.
                let rest = (old - now).nanoseconds.magnitude
                let product = rest.multipliedFullWidth(by: UInt64(oldRate.bitsPerSecond))
                let scaled = UInt64(rate.bitsPerSecond).dividingFullWidth(product).quotient
                end = now + Interval(nanoseconds: Int64(scaled) + 1)
            } else {
                end += serialization.time(of: Int(waiting[position].wireBytes), at: rate)
            }
            waiting[position].departure = end
            moved.append((old, end))
        }
        busyUntil = end
        counters.busy += end - now
        var latest = Instant.zero
        let keepsOrder = !parameters.jitter.reorders
        keepTransit(queue: &queue) { entry in
            var entry = entry
            if let move = moved.first(where: { $0.old == entry.departure }) {
                entry.departure = move.new
                entry.arrival += move.new - move.old
            }
            if keepsOrder {
                entry.arrival = max(entry.arrival, latest)
                latest = entry.arrival
            }
            return entry
        }
        if keepsOrder { lastArrival = max(latest, now) }
    }

    /// Rewrites what is on its way, in order.
    private mutating func keepTransit(
        queue: inout EventQueue<SimulationEvent>,
        _ change: (Transit) -> Transit?
    ) {
        var kept: [Transit] = []
        for position in transit.start..<transit.end {
            if let entry = change(transit[position]) { kept.append(entry) }
        }
        transit.truncate(at: transit.start)
        for entry in kept { insert(entry) }
        schedule(queue: &queue)
    }

    private static func available(_ rate: BitRate, _ load: Ratio) -> BitRate {
        let share = max(0, 1 - load.value)
        return BitRate(bitsPerSecond: max(1, Int64(Double(rate.bitsPerSecond) * share)))
    }
}

/// The time to send a packet, remembering the sizes seen last: nearly all packets are full segments
/// or bare acknowledgements, and a 128-bit division for each would cost more than the rest.
struct SerializationTimes {
    private var sizes = (-1, -1)
    private var times = (Interval.zero, Interval.zero)

    @inline(__always)
    mutating func time(of wireBytes: Int, at rate: BitRate) -> Interval {
        if wireBytes == sizes.0 { return times.0 }
        if wireBytes == sizes.1 { return times.1 }
        sizes.1 = sizes.0
        times.1 = times.0
        sizes.0 = wireBytes
        times.0 = rate.serializationTime(of: ByteCount(wireBytes))
        return times.0
    }
}

/// An account of what the rate allowed, kept apart from the departures it judges.
struct RateBudget {
    private var rate: BitRate
    private var since = Instant.zero
    private var bits = 0.0
    private var largest = 0

    mutating func note(_ wireBytes: Int) { largest = max(largest, wireBytes) }

    init(rate: BitRate) { self.rate = rate }

    mutating func change(to newRate: BitRate, at now: Instant) {
        bits += Double(rate.bitsPerSecond) * (now - since).seconds
        since = now
        rate = newRate
    }

    /// Traps when more has departed than the rate allowed, one packet aside.
    func check(departed: UInt64, at now: Instant) {
        let allowed = bits + Double(rate.bitsPerSecond) * (now - since).seconds
        precondition(
            Double(departed) * 8 <= allowed * (1 + 1e-9) + Double(8 * largest),
            "a link carried \(departed) bytes where \(allowed / 8) were possible"
        )
    }
}
