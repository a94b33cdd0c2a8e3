import Determinism
import LinkModel
import SimulationKernel
import Units

/// One direction between two regions as a fluid: flows share its rate by what they have in its
/// queue, tick by tick.
///
/// A tick is a sixteenth of the round trip. Within it the queue is well mixed: each flow departs in
/// proportion to what it has waiting, which shares the rate as a drop-tail queue of interleaved
/// packets does. What does not fit the queue is lost by the flows in proportion to what they offered.
struct FluidLink {
    /// Losses by chance: so many packets until the next, as many in a row.
    struct Losses {
        private var random: SeededRandom
        private var share = 0.0
        private var burst = 1.0
        private var untilNext = Double.infinity

        init(_ model: LossModel, random: SeededRandom) {
            self.random = random
            use(model)
        }

        mutating func use(_ model: LossModel) {
            switch model {
            case .none: (share, burst) = (0, 1)
            case .bernoulli(let rate): (share, burst) = (rate.value, 1)
            case .gilbert(let rate, let length): (share, burst) = (rate.value, max(1, length))
            case .correlated(let rate, let correlation):
                share = rate.value
                burst = 1 / max(1e-6, (1 - rate.value) * (1 - correlation.value))
            }
            drawNext()
        }

        private mutating func drawNext() {
            untilNext = share > 0 ? random.exponential(mean: burst / share) : .infinity
        }

        /// Passes `packets`; calls `lose` with the packets lost in each burst and a number in 0..<1 that
        /// says whose they are.
        mutating func pass(_ packets: Double, _ lose: (_ count: Int64, _ place: Double) -> Void) {
            var left = packets
            while untilNext <= left {
                left -= untilNext
                var count: Int64 = 1
                while burst > 1, random.unit() >= 1 / burst, count < 10_000 { count += 1 }
                lose(count, random.unit())
                drawNext()
            }
            untilNext -= left
        }
    }

    let id: LinkID
    let parameters: LinkParameters
    var origin: EventOrigin
    var chain: HashChain
    var rate: BitRate
    var isUp = true
    var extraDelay = Interval.zero
    var losses: Losses
    var extraLosses: Losses
    /// Wire bytes waiting.
    var backlog = 0.0
    /// Flows that have something to do, by side index, in the order in which they began.
    var active: [Int] = []
    var isTicking = false
    var lastTick = Instant.zero
    var tick: Interval
    var counters = LinkCounters()
    /// Wire bytes that departed, with parts.
    private var departedBytes = 0.0
    private var sharing: [Double] = []

    init(
        _ id: LinkID,
        _ parameters: LinkParameters,
        roundTrip: Interval,
        entity: EntityID,
        seed: UInt64
    ) {
        self.id = id
        self.parameters = parameters
        origin = EventOrigin(entity)
        chain = HashChain(key: UInt64(entity.rawValue))
        rate = FluidLink.available(parameters.rate, parameters.backgroundLoad)
        losses = Losses(
            parameters.loss,
            random: SeededRandom(seed: seed, entity: entity, purpose: "fluid loss")
        )
        extraLosses = Losses(
            .none,
            random: SeededRandom(seed: seed, entity: entity, purpose: "fluid extra loss")
        )
        tick = max(.microseconds(50), roundTrip / 16)
    }

    static func available(_ rate: BitRate, _ load: Ratio) -> BitRate {
        BitRate(
            bitsPerSecond: max(1, Int64(Double(rate.bitsPerSecond) * max(0, 1 - load.value)))
        )
    }

    mutating func setRate(_ newRate: BitRate) {
        rate = FluidLink.available(newRate, parameters.backgroundLoad)
    }

    private static let wirePerPayload =
        Double(FluidFlow.fullPacket) / Double(FluidFlow.segment)

    /// How long what enters the queue now waits in it.
    var queueDelay: Interval {
        Interval(seconds: backlog * 8 / Double(rate.bitsPerSecond))
    }

    /// The way to the other end once a byte has left the queue. Jitter counts with its mean, for a
    /// fluid has no packets that it could part.
    var propagation: Interval { parameters.propagation + extraDelay + parameters.jitter.mean }

    /// Moves everything by one tick of `length` that ends now.
    ///
    /// - Parameter flows: All flows, by side index; those in `active` take part.
    mutating func carry(_ length: Interval, at now: Instant, _ flows: inout [FluidFlow]) {
        let delay = queueDelay
        var offered = 0.0
        var repaired = 0.0
        for index in active {
            let fresh = flows[index].offer(length, queueDelay: delay, at: now)
            flows[index].entering = fresh
            flows[index].sent += Int64(fresh)
            flows[index].queued += fresh
            offered += fresh
            repaired += Double(flows[index].repairing)
        }
        let wire = FluidLink.wirePerPayload
        counters.offeredBytes &+= UInt64((offered + repaired) * wire)
        counters.offeredPackets &+= UInt64((offered + repaired) / Double(FluidFlow.segment))
        let service = Double(rate.bitsPerSecond) / 8 * length.seconds
        let served = max(0, service - repaired * wire)
        backlog += offered * wire
        let departing = min(backlog, served)
        let departedShare = backlog > 0 ? departing / backlog : 0
        let overflow = max(0, backlog - departing - Double(parameters.queueLimit.bytes))
        count(departing + min(service, repaired * wire), busy: service, length: length)
        spread(departedShare, at: now, &flows)
        passLosses(departing / Double(FluidFlow.fullPacket), at: now, delay: delay, &flows)
        if overflow > 0, offered > 0 {
            drop(overflow / wire / offered, at: now, delay: delay, &flows)
        }
        backlog = 0
        for index in active { backlog += flows[index].queued * wire }
        if backlog < 1 { backlog = 0 }
        counters.peakQueue = max(counters.peakQueue, ByteCount(Int64(backlog)))
        chain.combine(now.nanoseconds)
        chain.combine(Int64(departing))
    }

    private mutating func count(_ departed: Double, busy service: Double, length: Interval) {
        departedBytes += departed
        counters.departedBytes = UInt64(departedBytes)
        counters.departedPackets = UInt64(departedBytes / Double(FluidFlow.fullPacket))
        counters.arrivedBytes = counters.departedBytes
        counters.arrivedPackets = counters.departedPackets
        counters.busy += length.scaled(by: service > 0 ? min(1, departed / service) : 0)
    }

    /// What leaves the queue.
    private mutating func spread(_ share: Double, at now: Instant, _ flows: inout [FluidFlow]) {
        sharing.removeAll(keepingCapacity: true)
        let arrival = now + propagation
        for index in active {
            let part = flows[index].queued * share
            flows[index].depart(part, arrival: arrival)
            sharing.append(part)
        }
    }

    /// What does not fit: `share` of what each flow offered.
    private mutating func drop(
        _ share: Double,
        at now: Instant,
        delay: Interval,
        _ flows: inout [FluidFlow]
    ) {
        let arrival = now + propagation
        for index in active {
            let dropped = min(flows[index].queued, flows[index].entering * share)
            guard dropped >= 1 else { continue }
            flows[index].depart(dropped, arrival: arrival)
            let detection = now + delay + flows[index].roundTrip
            flows[index].lose(Int64(dropped), detection: detection)
            counters.droppedByQueue &+= UInt64(max(1, dropped / Double(FluidFlow.segment)))
        }
    }

    private mutating func passLosses(
        _ packets: Double,
        at now: Instant,
        delay: Interval,
        _ flows: inout [FluidFlow]
    ) {
        let total = sharing.reduce(0, +)
        guard total > 0 else { return }
        let lose = { [sharing, active] (count: Int64, place: Double, flows: inout [FluidFlow]) in
            var rest = place * total
            var chosen = 0
            while chosen + 1 < sharing.count, rest >= sharing[chosen] {
                rest -= sharing[chosen]
                chosen += 1
            }
            let index = active[chosen]
            let trip = flows[index].roundTrip + delay
            flows[index].lose(count * FluidFlow.segment, detection: now + trip)
        }
        var lost: Int64 = 0
        losses.pass(packets) { count, place in
            lose(count, place, &flows)
            lost += count
        }
        extraLosses.pass(packets) { count, place in
            lose(count, place, &flows)
            lost += count
        }
        counters.droppedByLoss &+= UInt64(lost)
    }
}

extension Jitter {
    /// The mean of what is added to the propagation delay, the limit aside.
    var mean: Interval {
        let factor: Double
        switch distribution {
        case .none: factor = 0
        case .uniform: factor = 0.5
        case .normal: factor = 0.797_884_560_802_865_4  // √(2/π)
        case .lognormal: factor = DeterministicMath.exp(shape * shape / 2)
        case .pareto: factor = shape > 1 ? 1 / (shape - 1) : 0
        }
        return min(scale.scaled(by: factor), limit)
    }
}
