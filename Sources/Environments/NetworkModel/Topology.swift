public import Units

/// Regions, the nodes in them, and the directed links between them.
///
/// A packet crosses exactly one link: that from its sender's region to its receiver's, or the
/// region's own link when both are the same. Where no link is declared nothing passes.
public struct Topology: Hashable, Sendable {
    /// The number of regions; their identifiers are `0..<regionCount`.
    public var regionCount: Int
    /// The region of each node, indexed by `NodeID.rawValue`.
    public var nodes: [RegionID]
    /// At most one link for each ordered pair of regions; one from a region to itself takes the
    /// place of `local` there.
    public var links: [DirectedLink]
    /// The link that each region's nodes share among themselves, one per region.
    public var local: LinkParameters

    /// One direction between two regions.
    public struct DirectedLink: Hashable, Sendable {
        public var from: RegionID
        public var to: RegionID
        public var parameters: LinkParameters

        public init(from: RegionID, to: RegionID, _ parameters: LinkParameters) {
            self.from = from
            self.to = to
            self.parameters = parameters
        }
    }

    public init(
        regionCount: Int,
        nodes: [RegionID],
        links: [DirectedLink],
        local: LinkParameters = .datacenter
    ) {
        self.regionCount = regionCount
        self.nodes = nodes
        self.links = links
        self.local = local
    }
}

/// How one direction of a link behaves.
public struct LinkParameters: Hashable, Sendable {
    /// Bits a second on the wire: IP length plus 14 bytes of framing, as in
    /// `docs/tcp-calibration.md`.
    public var rate: BitRate
    /// The least time between leaving the queue and arriving.
    public var propagation: Interval
    /// What is added to the propagation delay, packet by packet.
    public var jitter: Jitter
    /// Which packets are lost after they were carried.
    public var loss: LossModel
    /// Bytes that wait or are being sent; a packet that does not fit is dropped (drop-tail).
    public var queueLimit: ByteCount
    /// The share of the rate that cross traffic takes, in 0..<1.
    ///
    /// Cross traffic is a fluid of constant rate that the link serves first: what the simulated
    /// nodes see is a link of `rate × (1 − backgroundLoad)`. It takes no room in the queue and does
    /// not give way, as a shaped or reserved aggregate of many flows would not.
    public var backgroundLoad: Ratio
    /// How finely connections are simulated on it.
    public var fidelity: Fidelity

    public enum Fidelity: String, Hashable, Sendable, CaseIterable, Codable {
        /// Every packet is an event.
        case packet
        /// Connections are rates under TCP's windows, moved on sixteen times a round trip: for
        /// transfers of so many packets that each cannot be an event. A connection is a fluid when
        /// both of its ways say so. Datagrams stay packets and do not meet the fluid's queue.
        case fluid
    }

    public init(
        rate: BitRate,
        propagation: Interval,
        jitter: Jitter = .none,
        loss: LossModel = .none,
        queueLimit: ByteCount,
        backgroundLoad: Ratio = .zero,
        fidelity: Fidelity = .packet
    ) {
        self.rate = rate
        self.propagation = propagation
        self.jitter = jitter
        self.loss = loss
        self.queueLimit = queueLimit
        self.backgroundLoad = backgroundLoad
        self.fidelity = fidelity
    }

    /// A switched network inside one site: 10 Gbit/s, 100 µs one way, 1 MiB of queue, no loss.
    public static let datacenter = LinkParameters(
        rate: .gigabits(10),
        propagation: .microseconds(100),
        queueLimit: .mebibytes(1)
    )
}

/// A random delay on top of propagation, never negative, drawn for each packet.
///
/// Without `reorders` a packet never overtakes an earlier one of its link: it arrives no sooner
/// than its predecessor. With it every packet keeps its own delay.
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
}
