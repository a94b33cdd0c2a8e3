public import Units

/// What a node is told from outside before it reads its configuration.
public struct NodeOptions: Sendable {
    /// A YAML or JSON file; `nil` takes the one that `NOVACRON_CONFIG` names, or the embedded
    /// defaults.
    public var configurationFile: String?
    /// Goes before the one that the configuration names.
    public var dataDirectory: String?
    /// Work that the node's task queue can be given, beside the background jobs.
    public var taskKinds: [TaskKind]
    /// Where the node's metrics are kept.
    public var registry: PrometheusRegistry
    /// Of the node's random streams: jitter, delays.
    public var seed: UInt64
    /// Names the random streams; differs among the nodes of one run.
    public var entity: EntityID

    public init(
        configurationFile: String? = nil,
        dataDirectory: String? = nil,
        taskKinds: [TaskKind] = [],
        registry: PrometheusRegistry = PrometheusRegistry(),
        seed: UInt64 = 0,
        entity: EntityID = EntityID(.node, 0)
    ) {
        self.configurationFile = configurationFile
        self.dataDirectory = dataDirectory
        self.taskKinds = taskKinds
        self.registry = registry
        self.seed = seed
        self.entity = entity
    }
}
