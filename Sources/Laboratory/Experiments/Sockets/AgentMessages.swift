public import Measurements
public import SocketEnvironment
import Units

/// What the laboratory tells the process of one node; one JSON object a line.
public enum LabMessage: Sendable, Codable {
    /// First: which node of which scenario to be.
    case configure(AgentAssignment)
    /// Where everybody listens; time zero is when the shared monotonic clock shows `origin`.
    case start(peers: [NodeAddress], origin: Int64)
    /// Somebody listens elsewhere now.
    case peers([NodeAddress])
    /// Be kept from these nodes, and from no others: a partition where no link is emulated.
    case part(Parting)
    /// Answer with `heard`, behind everything that was told so far.
    case sync
    /// Say goodbye and end.
    case stop
}

/// Which node a process is.
public struct AgentAssignment: Sendable, Codable {
    public var scenarioPath: String
    public var variant: String
    public var seed: UInt64
    public var environment: EnvironmentKind
    public var node: UInt32
    public var incarnation: UInt32
    /// Where durable records are kept.
    public var journalPath: String
    /// The IPv4 address to listen on; that of the loopback interface without one.
    public var host: String?
    /// Puts TLS below its streams.
    public var credentials: StreamCredentials?
    /// What an end of others' flows does; `nil` for a node of the scenario.
    public var cross: CrossEndPlan?
    /// A known defect that is planted into consensus, by its name.
    public var defect: String?

    public init(
        scenarioPath: String,
        variant: String,
        seed: UInt64,
        environment: EnvironmentKind,
        node: UInt32,
        incarnation: UInt32,
        journalPath: String,
        host: String? = nil,
        credentials: StreamCredentials? = nil,
        cross: CrossEndPlan? = nil,
        defect: String? = nil
    ) {
        self.scenarioPath = scenarioPath
        self.variant = variant
        self.seed = seed
        self.environment = environment
        self.node = node
        self.incarnation = incarnation
        self.journalPath = journalPath
        self.host = host
        self.credentials = credentials
        self.cross = cross
        self.defect = defect
    }
}

/// What the process of one node tells the laboratory; one JSON object a line.
public enum AgentMessage<Event: Codable & Sendable>: Sendable, Codable {
    case ready(NodeAddress)
    /// A fact of the machine, in nanoseconds since the run's time zero.
    case event(Event, nanoseconds: Int64)
    /// The node cannot go on.
    case failed(String)
    /// The answer to `sync`.
    case heard
    /// What the process has used of the processor until `nanoseconds` of the run's time, and what its steps
    /// had of one, where the kernel tells.
    case processor(
        usedNanoseconds: Int64,
        ranNanoseconds: Int64?,
        waitedNanoseconds: Int64?,
        nanoseconds: Int64
    )
    /// Before the last: what TLS did.
    case secured(StreamSecurity.Counts)
    /// Before the last: how many streams went over RDMA.
    case carried(streams: Int)
    /// The last message: peak memory in bytes.
    case stopped(peakMemory: UInt64)
}
