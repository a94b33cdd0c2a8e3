public import Units

/// How one direction of a link behaves.
///
/// A packet meets, in this order: the queue and its discipline, the rate, loss, corruption and
/// duplication, the delay.
public struct LinkParameters: Hashable, Sendable {
    /// Bits a second on the wire: IP length plus 14 bytes of framing, as in
    /// `docs/tcp-calibration.md`. With a trace: its mean, as which Gilbert's loss takes it.
    public var rate: BitRate
    /// What the link can carry at each time, instead of the fixed rate.
    public var trace: RateTrace?
    /// The least time between leaving the queue and arriving.
    public var propagation: Interval
    /// What is added to the propagation delay, packet by packet.
    public var jitter: Jitter
    /// Which packets are lost after they were carried.
    public var loss: LossModel
    /// What else befalls packets after they were carried.
    public var faults: PacketFaults
    /// Bytes that wait or are being sent; what becomes of more is the discipline's to say.
    public var queueLimit: ByteCount
    /// Which waiting packet leaves next, and which ones are dropped or marked.
    public var discipline: QueueDiscipline
    /// The share of the rate that cross traffic takes, in 0..<1.
    ///
    /// Cross traffic is a fluid of constant rate that the link serves first: what the packets
    /// see is a link of `rate × (1 − backgroundLoad)`. It takes no room in the queue and does
    /// not give way, as a shaped or reserved aggregate of many flows would not.
    public var backgroundLoad: Ratio
    /// How finely a simulation moves connections over it; real packets are packets.
    public var fidelity: Fidelity
    /// How streams go over it in a simulation when not over TCP; datagrams and real packets are not
    /// concerned.
    public var rdma: RDMAParameters?

    public enum Fidelity: String, Hashable, Sendable, CaseIterable, Codable {
        /// Every packet is an event.
        case packet
        /// Connections are rates under TCP's windows, moved on sixteen times a round trip: for
        /// transfers of so many packets that each cannot be an event. A connection is a fluid when
        /// both of its ways say so and its congestion control is not BBR. Other connections and
        /// datagrams stay packets and do not meet the fluid's queue.
        case fluid
    }

    public init(
        rate: BitRate,
        trace: RateTrace? = nil,
        propagation: Interval,
        jitter: Jitter = .none,
        loss: LossModel = .none,
        faults: PacketFaults = .none,
        queueLimit: ByteCount,
        discipline: QueueDiscipline = .dropTail,
        backgroundLoad: Ratio = .zero,
        fidelity: Fidelity = .packet,
        rdma: RDMAParameters? = nil
    ) {
        self.rate = rate
        self.trace = trace
        self.propagation = propagation
        self.jitter = jitter
        self.loss = loss
        self.faults = faults
        self.queueLimit = queueLimit
        self.discipline = discipline
        self.backgroundLoad = backgroundLoad
        self.fidelity = fidelity
        self.rdma = rdma
    }

    /// A switched network inside one site: 10 Gbit/s, 100 µs one way, 1 MiB of queue, no loss.
    public static let datacenter = LinkParameters(
        rate: .gigabits(10),
        propagation: .microseconds(100),
        queueLimit: .mebibytes(1)
    )

    /// The most that the link carries in a second beside its background load, at any time; of
    /// opportunities nothing can be said, because many may come at once.
    public var freePeak: Double {
        (trace?.peak ?? Double(rate.bitsPerSecond)) * (1 - backgroundLoad.value)
    }

    /// The bits that the link can carry between two instants beside its background load.
    public func freeBits(from start: Instant, to end: Instant) -> Double {
        let share = 1 - backgroundLoad.value
        if let trace { return trace.bits(from: start, to: end) * share }
        return Double(rate.bitsPerSecond) * share * (end - start).seconds
    }
}

/// What befalls packets on the way besides loss, each on its own and with one draw a packet.
///
/// As `netem` has them, with three differences that keep physics: a duplicate is made behind the
/// queue and takes no rate; a reordered packet is late by `hold` instead of early by the link's
/// whole delay; corruption is a mark that the receiving end acts on.
public struct PacketFaults: Hashable, Sendable {
    /// Arrives twice, the copy right behind.
    public var duplicate: Ratio
    /// Arrives with wrong bits.
    public var corrupt: Ratio
    /// Arrives later by `hold`, overtaken by those behind it.
    public var reorder: Ratio
    public var hold: Interval

    public init(
        duplicate: Ratio = .zero,
        corrupt: Ratio = .zero,
        reorder: Ratio = .zero,
        hold: Interval = .zero
    ) {
        self.duplicate = duplicate
        self.corrupt = corrupt
        self.reorder = reorder
        self.hold = hold
    }

    public static let none = PacketFaults()
}

/// A random delay on top of propagation, never negative, drawn for each packet.
///
/// Without `reorders` a packet never overtakes an earlier one of its link: what a longer delay held up
/// follows at twice the link's rate. With it every packet keeps its own delay.
public struct Jitter: Hashable, Sendable {
    public enum Distribution: String, Hashable, Sendable, CaseIterable, Codable {
        case none
        /// Uniform in 0...scale.
        case uniform
        /// The magnitude of a normal variable with standard deviation `scale`.
        case normal
        /// `scale · exp(shape · Z)`: median `scale`, `shape` the σ of its logarithm.
        case lognormal
        /// `scale · (U^(−1/shape) − 1)` (Lomax): heavy tail with index `shape`.
        case pareto
    }

    public var distribution: Distribution
    public var scale: Interval
    public var shape: Double
    /// No packet is delayed by more than this, whatever was drawn.
    public var limit: Interval
    public var reorders: Bool

    /// The limit defaults to twenty times `scale`.
    public init(
        _ distribution: Distribution,
        scale: Interval,
        shape: Double = 1,
        limit: Interval? = nil,
        reorders: Bool = false
    ) {
        self.distribution = distribution
        self.scale = scale
        self.shape = shape
        self.limit = limit ?? scale * 20
        self.reorders = reorders
    }

    public static let none = Jitter(.none, scale: .zero)
}

/// Which packets a link loses.
public enum LossModel: Hashable, Sendable {
    case none
    /// Each packet is lost independently with this probability.
    case bernoulli(Ratio)
    /// Gilbert's two-state model: everything is lost in the bad state, nothing in the good one.
    /// `rate` is the mean share of lost packets, in 0..<1; `burst` the mean number of packets lost
    /// in a row while the link is busy, at least 1 (Gilbert, "Capacity of a burst-noise channel",
    /// BSTJ 1960). The state moves with time, one step for each full packet that the link could
    /// have sent, so that a burst passes also while nobody sends.
    case gilbert(rate: Ratio, burst: Double)
    /// `rate` is the mean share of lost packets; `correlation`, in 0..<1, that of a packet's fate
    /// with its predecessor's. A first-order chain in packets, so that the mean holds; `netem`'s
    /// "loss P CORRELATION" smooths its random numbers instead and misses the mean.
    case correlated(rate: Ratio, correlation: Ratio)
}
