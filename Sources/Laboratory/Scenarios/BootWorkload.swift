public import Initialization
public import Measurements
public import Units

extension Scenario {
    /// Nodes boot: every node of a region starts its component graph once and again after each crash.
    /// Terminating: ends when every node is READY with everything loaded, or has failed, or at the
    /// deadline.
    public struct BootWorkload: Hashable, Sendable {
        /// Whose nodes boot; `nil` for those of all regions.
        public var region: RegionID?
        public var graph: Graph
        /// The deviation of the logarithm of a factor that is drawn for each cost of each boot; its
        /// median is one. Zero leaves costs as they are.
        public var sigma: Double
        /// Services outside of the nodes that components ask, in file order.
        public var shared: [SharedDependency]
        /// After the run's start, drawn for each node.
        public var stagger: ClosedRange<Interval>
        /// Of each node; `nil` for those of the hardware profile.
        public var cores: Int?
        public var start: Start
        public var crashPoints: CrashPoints
        public var deadline: Interval

        /// Which components a node has.
        public enum Graph: Hashable, Sendable {
            /// The project's own node, run for real on modelled effects; `costs` names a recording of
            /// real boots whose times are added.
            case node(costs: String?)
            /// Models of components, in file order; their names, needs and phases fit together.
            case components([Component])
        }

        /// What a node finds in its folder.
        public enum Start: String, Hashable, Sendable, CaseIterable {
            /// Nothing: the first start makes the authority, the certificate and the database.
            case cold
            /// What a life left that ended in order.
            case warm
        }

        /// Where crashes are put beside those of the faults.
        public enum CrashPoints: String, Hashable, Sendable, CaseIterable {
            case none
            /// Once before and once after every durable step, each in a life of its own.
            case everyStep = "every-step"
            /// Once before, once during and once after every write operation of the disk.
            case everyDiskOperation = "every-disk-operation"
        }

        /// Where a time comes from; reports print it beside the figure.
        public enum Origin: String, Hashable, Sendable, CaseIterable {
            /// The plans state it.
            case plans
            /// Nobody measured it.
            case assumed
            /// Measured in real boots.
            case recorded
        }

        public init(
            region: RegionID?,
            graph: Graph,
            sigma: Double,
            shared: [SharedDependency],
            stagger: ClosedRange<Interval>,
            cores: Int?,
            start: Start,
            crashPoints: CrashPoints,
            deadline: Interval
        ) {
            self.region = region
            self.graph = graph
            self.sigma = sigma
            self.shared = shared
            self.stagger = stagger
            self.cores = cores
            self.start = start
            self.crashPoints = crashPoints
            self.deadline = deadline
        }
    }
}

extension Scenario.BootWorkload {
    /// A model of one component: its place in the graph and what it costs.
    public struct Component: Hashable, Sendable {
        /// Name, phase, needs and policies.
        public var specification: ComponentSpecification
        /// Of one core at nominal speed.
        public var cpu: Interval
        /// Waiting that no core shortens.
        public var wait: Interval
        /// Of the sum of `cpu` and `wait`.
        public var origin: Origin
        /// Of how that sum is split into `cpu` and `wait`, and into this component and others.
        public var split: Origin
        /// The component of the plans that this one is a part of.
        public var part: String?
        /// Requests to shared dependencies, one after the other, sorted by service.
        public var uses: [Use]

        public init(
            specification: ComponentSpecification,
            cpu: Interval,
            wait: Interval,
            origin: Origin,
            split: Origin,
            part: String?,
            uses: [Use]
        ) {
            self.specification = specification
            self.cpu = cpu
            self.wait = wait
            self.origin = origin
            self.split = split
            self.part = part
            self.uses = uses
        }
    }

    /// How often a component asks a service.
    public struct Use: Hashable, Sendable {
        public var service: String
        /// At least one.
        public var requests: Int

        public init(service: String, requests: Int) {
            self.service = service
            self.requests = requests
        }
    }

    /// A service that all nodes share: servers behind one queue.
    public struct SharedDependency: Hashable, Sendable {
        public var name: String
        /// Requests that are worked on at a time; at least one.
        public var servers: Int
        /// The mean time of one request at a server.
        public var serviceTime: Interval
        public var distribution: Distribution
        /// Requests that may wait.
        public var queue: Int
        /// After which a client gives up.
        public var timeout: Interval
        /// Between a node and the service.
        public var roundTrip: Interval

        public enum Distribution: String, Hashable, Sendable, CaseIterable {
            case constant
            case exponential
        }

        public init(
            name: String,
            servers: Int,
            serviceTime: Interval,
            distribution: Distribution,
            queue: Int,
            timeout: Interval,
            roundTrip: Interval
        ) {
            self.name = name
            self.servers = servers
            self.serviceTime = serviceTime
            self.distribution = distribution
            self.queue = queue
            self.timeout = timeout
            self.roundTrip = roundTrip
        }
    }
}

extension Scenario.BootWorkload {
    /// The nodes that boot, ascending.
    public func nodes(in topology: Scenario.Topology) -> [NodeID] {
        region.map { topology.nodes(of: $0) } ?? (0..<topology.nodeCount).map { NodeID(UInt32($0)) }
    }

    /// Why these boots cannot be had there; `nil` when they can.
    public func obstacle(on environment: EnvironmentKind) -> String? {
        switch environment {
        case .simulated:
            guard start == .warm else { return nil }
            return "'start: warm' needs real boots: run it with --on sockets"
        case .sockets:
            if case .components = graph {
                return "models of components boot simulated only; real boots need 'graph: node'"
            }
            guard crashPoints == .everyDiskOperation else { return nil }
            return "a real disk cannot crash at every operation; use 'crash-points: every-step'"
        case .rdma:
            return "boots move nothing over RDMA; use simulated or sockets"
        }
    }

    /// The components of the scenario; none for the project's own node.
    public var components: [Component] {
        switch graph {
        case .node: []
        case .components(let components): components
        }
    }
}
