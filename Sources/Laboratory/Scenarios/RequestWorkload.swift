public import Units

extension Scenario {
    /// Clients send operations to replicated groups and wait for the answers. Steady: measured over
    /// a window after a warm-up.
    ///
    /// The last node of each region in `load.places` is where clients run; all other nodes are
    /// replicas. Replicas are dealt to the groups region by region, so that a group spreads over as
    /// many regions as there are.
    public struct RequestWorkload: Hashable, Sendable {
        /// Groups that know nothing of each other.
        public var groups: Int
        /// The replicas of each group.
        public var replicas: Int
        /// How many of the founders of each group vote without holding commands or state, the last ones
        /// in the order of dealing; a minority.
        public var witnesses: Int
        public var load: Load
        public var duration: SteadyDuration
        /// How administrators change who takes part; `nil` when nobody does.
        public var membership: Membership?

        public init(
            groups: Int,
            replicas: Int,
            witnesses: Int = 0,
            load: Load,
            duration: SteadyDuration,
            membership: Membership? = nil
        ) {
            self.groups = groups
            self.replicas = replicas
            self.witnesses = witnesses
            self.load = load
            self.duration = duration
            self.membership = membership
        }
    }
}

extension Scenario.RequestWorkload {
    /// What clients ask for. The load is open: requests are due when they are due, however long
    /// earlier ones take.
    public struct Load: Hashable, Sendable {
        public var arrival: Arrival
        /// Requests that become due each second, of one group in all.
        public var rate: Double
        /// Sessions of one group in all, each with one request at a time.
        public var clients: Int
        /// What is asked for, with its share; the shares sum to one, and none is zero.
        public var mix: [Share]
        /// Keys that requests are drawn from, each as often as any other.
        public var keys: Int
        /// The length of values that are written.
        public var value: ByteCount
        /// A request without an answer by then, counted from when it was due, has failed.
        public var timeout: Interval
        /// Where clients run, ascending; sessions are dealt to these regions in turn.
        public var places: [RegionID]

        public init(
            arrival: Arrival,
            rate: Double,
            clients: Int,
            mix: [Share],
            keys: Int,
            value: ByteCount,
            timeout: Interval,
            places: [RegionID]
        ) {
            self.arrival = arrival
            self.rate = rate
            self.clients = clients
            self.mix = mix
            self.keys = keys
            self.value = value
            self.timeout = timeout
            self.places = places
        }
    }

    public enum Arrival: String, Hashable, Sendable, CaseIterable {
        /// Exponential distances.
        case poisson
        /// Equal distances.
        case constant
    }

    public enum Operation: String, Hashable, Sendable, CaseIterable {
        case get
        case put
        /// Compare and swap.
        case cas
        case append
        case delete
        /// All keys of a range.
        case scan
    }

    /// How much of the load is one kind of operation.
    public struct Share: Hashable, Sendable {
        public var operation: Operation
        public var share: Ratio

        public init(_ operation: Operation, _ share: Ratio) {
            self.operation = operation
            self.share = share
        }
    }

    /// The mix of a file that names none.
    static let usualMix = [
        Share(.get, Ratio(0.5)), Share(.put, Ratio(0.3)), Share(.cas, Ratio(0.2)),
    ]
}

extension Scenario {
    /// The nodes on which clients of a request workload run, ascending; none for other kinds.
    public var clientNodes: [NodeID] {
        guard case .requests(let requests) = workload else { return [] }
        return requests.load.places.compactMap { topology.nodes(of: $0).last }
    }

    /// The replicas of each group of a request workload, in the order of dealing; none for other
    /// kinds.
    public var replicaGroups: [[NodeID]] {
        guard case .requests(let requests) = workload else { return [] }
        let clients = clientNodes
        var waiting = topology.regions.indices.map { region in
            Array(
                topology.nodes(of: RegionID(UInt32(region))).filter { !clients.contains($0) }
                    .reversed()
            )
        }
        var dealt: [NodeID] = []
        while waiting.contains(where: { !$0.isEmpty }) {
            for region in waiting.indices {
                if let node = waiting[region].popLast() { dealt.append(node) }
            }
        }
        return (0..<requests.groups).map { group in
            Array(dealt[(group * requests.replicas)..<((group + 1) * requests.replicas)])
        }
    }
}
