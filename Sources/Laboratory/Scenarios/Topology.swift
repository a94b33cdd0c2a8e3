public import LinkModel
public import Units

extension Scenario {
    /// Regions with their nodes, and the directed links between regions.
    public struct Topology: Hashable, Sendable {
        /// In file order; a region's place is its `RegionID`.
        public var regions: [Region]
        /// Directed, sorted by (from, to); at most one for each ordered pair.
        public var links: [Link]

        public init(regions: [Region], links: [Link]) {
            self.regions = regions
            self.links = links
        }

        /// A place whose nodes reach each other over `local`.
        public struct Region: Hashable, Sendable {
            public var name: String
            /// At least one.
            public var nodes: Int
            /// Free words that fault selections may name.
            public var labels: [String]

            /// The path that the nodes of the region share among themselves.
            public var local: PathProperties

            public init(name: String, nodes: Int, labels: [String], local: PathProperties) {
                self.name = name
                self.nodes = nodes
                self.labels = labels
                self.local = local
            }
        }

        /// One direction of the pipe that all nodes of one region share towards another region.
        public struct Link: Hashable, Sendable {
            /// The declared name, or `from->to`. Both directions may share a declared name.
            public var name: String
            public var from: RegionID
            public var to: RegionID
            public var path: PathProperties

            public init(name: String, from: RegionID, to: RegionID, path: PathProperties) {
                self.name = name
                self.from = from
                self.to = to
                self.path = path
            }
        }

        /// The number of nodes of all regions.
        public var nodeCount: Int { regions.reduce(0) { $0 + $1.nodes } }

        /// The nodes of a region: numbered from zero through the regions in file order.
        public func nodes(of region: RegionID) -> [NodeID] {
            let first = regions.prefix(Int(region.rawValue)).reduce(0) { $0 + $1.nodes }
            return (0..<regions[Int(region.rawValue)].nodes).map { NodeID(UInt32(first + $0)) }
        }

        /// The region in which a node lives. Traps for a node that the topology does not have.
        public func region(of node: NodeID) -> RegionID {
            var end = 0
            for (index, region) in regions.enumerated() {
                end += region.nodes
                if Int(node.rawValue) < end { return RegionID(UInt32(index)) }
            }
            preconditionFailure("\(node) is not among the \(nodeCount) nodes of the topology")
        }

        public func region(named name: String) -> RegionID? {
            regions.firstIndex { $0.name == name }.map { RegionID(UInt32($0)) }
        }

        /// The link from one region to another, or `nil` when they are not connected.
        public func link(from: RegionID, to: RegionID) -> Link? {
            links.first { $0.from == from && $0.to == to }
        }
    }
}

extension Scenario {
    /// How one direction of a path treats packets.
    public struct PathProperties: Hashable, Sendable {
        /// Propagation, one way.
        public var delay: Interval
        public var jitter: Jitter
        /// At least 1 bit/s. Where the rate varies: its mean, which is known for a trace once it was
        /// attached.
        public var rate: BitRate
        public var source: RateSource
        /// What the trace of `source` holds, once it was attached.
        public var trace: RateTrace?
        public var loss: LossModel
        /// What else befalls packets.
        public var faults: PacketFaults
        public var queue: QueueLimit
        /// Which waiting packet leaves next, and which are dropped or marked.
        public var discipline: QueueDiscipline
        /// The share of the rate that other traffic takes; in [0, 1).
        public var background: Ratio
        /// How finely connections are simulated on it.
        public var fidelity: Fidelity
        /// Streams go over RDMA in simulation; `nil`: over TCP.
        public var rdma: RDMAStreams?

        public init(
            delay: Interval,
            jitter: Jitter,
            rate: BitRate,
            source: RateSource = .fixed,
            loss: LossModel,
            faults: PacketFaults = .none,
            queue: QueueLimit,
            discipline: QueueDiscipline = .dropTail,
            background: Ratio,
            fidelity: Fidelity = .packet,
            rdma: RDMAStreams? = nil
        ) {
            self.delay = delay
            self.jitter = jitter
            self.rate = rate
            self.source = source
            self.loss = loss
            self.faults = faults
            self.queue = queue
            self.discipline = discipline
            self.background = background
            self.fidelity = fidelity
            self.rdma = rdma
        }
    }
}

extension Scenario.Variant {
    var usesBBR: Bool { system.transport.congestion == .bbr }
}

extension Scenario {
    /// How finely connections over a link are simulated.
    public enum Fidelity: String, Hashable, Sendable, CaseIterable {
        case packet
        case fluid
        /// Fluid where packets would be too many and a fluid is known to agree with them.
        case auto
    }

    /// Whether connections over a path between these regions are simulated as fluids.
    public func isFluid(_ path: PathProperties, roundTrip: Interval) -> Bool {
        switch path.fidelity {
        case .packet: return false
        case .fluid: return true
        case .auto:
            let product = Double(path.rate.bytes(in: roundTrip).bytes)
            let queue = path.queue.bytes(rate: path.rate, roundTrip: roundTrip)
            return path.suitsFluid && crossTraffic.isEmpty && !variants.contains { $0.usesBBR }
                && Double(queue.bytes) >= 0.25 * product
                && expectedPackets(path) > Scenario.packetLimit
        }
    }

    /// More packets than this make a run of packets too long: some ten seconds of one core.
    private static let packetLimit = 10_000_000.0

    private func expectedPackets(_ path: PathProperties) -> Double {
        let most = Double(path.rate.bitsPerSecond) / 8 * workload.horizon.seconds / 1514
        guard case .transfer(let transfer) = workload else { return most }
        return min(most, Double(transfer.amount.bytes) / 1448)
    }
}

extension Scenario {
    /// Where the rate of a path comes from.
    public enum RateSource: Hashable, Sendable {
        case fixed
        case trace(TraceReference)
        /// Drawn anew for each replication and each direction.
        case generated(RateGenerator)
    }

    /// A trace that a scenario names.
    public struct TraceReference: Hashable, Sendable {
        /// A name that `dataset list` prints, or the path of a file, from the scenario file's folder.
        public var name: String
        public var ending: RateTrace.Ending
        /// The content's fingerprint; part of what identifies a run. `nil` until it is attached,
        /// unless the file demands one.
        public var digest: String?

        public init(name: String, ending: RateTrace.Ending, digest: String? = nil) {
            self.name = name
            self.ending = ending
            self.digest = digest
        }
    }

    /// Gives every path that names a trace what `load` reads for it.
    public mutating func attachTraces<Failure>(
        _ load: (TraceReference) throws(Failure) -> RateTrace
    ) throws(Failure) {
        for index in topology.links.indices {
            try topology.links[index].path.attachTrace(load)
        }
        for index in topology.regions.indices {
            try topology.regions[index].local.attachTrace(load)
        }
        for index in faults.indices {
            guard case .link(.trace(var reference, _), let direction) = faults[index].action
            else { continue }
            let found = try load(reference)
            reference.digest = found.digest
            faults[index].action = .link(.trace(reference, found), direction)
        }
    }
}

extension Scenario.PathProperties {
    /// Whether a fluid has everything that the path has.
    public var suitsFluid: Bool {
        source == .fixed && discipline == .dropTail && faults == .none && rdma == nil
    }

    fileprivate mutating func attachTrace<Failure>(
        _ load: (Scenario.TraceReference) throws(Failure) -> RateTrace
    ) throws(Failure) {
        guard case .trace(var reference) = source else { return }
        let found = try load(reference)
        trace = found
        rate = found.mean
        reference.digest = found.digest
        source = .trace(reference)
    }
}

extension Scenario {
    /// A random delay on top of the propagation delay, never negative, drawn for each packet.
    public struct Jitter: Hashable, Sendable {
        public var distribution: Distribution
        /// Whether a packet may overtake an earlier one.
        public var reorders: Bool

        public enum Distribution: Hashable, Sendable {
            case none
            /// Uniform between zero and `scale`.
            case uniform(scale: Interval)
            /// The magnitude of a normal value with standard deviation `scale`.
            case normal(scale: Interval)
            /// `scale · exp(sigma · z)`, z standard normal: the median is `scale`.
            case lognormal(scale: Interval, sigma: Double)
            /// `scale · (u^(−1/shape) − 1)` (Lomax): a heavy tail with index `shape`.
            case pareto(scale: Interval, shape: Double)
        }

        public init(_ distribution: Distribution, reorders: Bool) {
            self.distribution = distribution
            self.reorders = reorders
        }

        public static let none = Jitter(.none, reorders: false)
    }
}

extension Scenario {
    /// Which packets a path drops besides those that overflow its queue.
    public enum LossModel: Hashable, Sendable {
        case none
        /// Each packet on its own, with this probability.
        case bernoulli(rate: Ratio)
        /// Bursts (Gilbert): the long-run share of lost packets is `rate`, and a burst loses `burst`
        /// packets on average; at least 1.
        case gilbert(rate: Ratio, burst: Double)
        /// A packet's fate is correlated with its predecessor's; the share of lost packets is `rate`.
        case correlated(rate: Ratio, correlation: Ratio)
    }
}

extension Scenario {
    /// The size of a drop-tail queue.
    public enum QueueLimit: Hashable, Sendable {
        /// A multiple of rate × round-trip time of the path.
        case bandwidthDelayProducts(Double)
        case bytes(ByteCount)
        /// What the rate drains in this time.
        case time(Interval)

        /// The limit in bytes for a path of this rate and round-trip time; at least one full packet of
        /// 1514 bytes, because a queue that holds none carries nothing.
        public func bytes(rate: BitRate, roundTrip: Interval) -> ByteCount {
            let smallest = ByteCount(1514 as Int64)
            let limit: ByteCount
            switch self {
            case .bandwidthDelayProducts(let factor):
                limit = rate.bytes(in: roundTrip.scaled(by: factor))
            case .bytes(let count):
                limit = count
            case .time(let interval):
                limit = rate.bytes(in: interval)
            }
            return max(smallest, limit)
        }
    }
}
