public import Initialization
import NodeFoundation
import NodePlatform

/// The components of a node.
public enum NodeGraph {
    /// All components with their specifications, ready for a `NodeLifecycle`; each call makes new
    /// ones. In the order of the list they start one after the other where nothing else decides.
    ///
    /// - Parameters:
    ///   - status: what the health server answers from.
    ///   - metrics: is told what the process uses; keeps its figures in the options' registry.
    public static func components(
        options: NodeOptions,
        status: NodeStatus,
        metrics: NodeMetrics
    ) -> [any Component] {
        [
            ConfigurationComponent(
                path: options.configurationFile,
                dataDirectory: options.dataDirectory
            ),
            LoggerComponent(),
            MetricsComponent(registry: options.registry, metrics: metrics),
            HealthServerComponent(status: status, registry: options.registry),
            InstanceLockComponent(),
            ResourcesComponent(),
            AuthorityComponent(),
            CertificateComponent(),
            DatabaseComponent(),
            MigrationsComponent(migrations),
            CacheComponent(),
            DiscoveryComponent(),
            NetworkEnvironmentComponent(),
            ProbesComponent(),
            ControlComponent(),
            EncodingComponent(),
            TransportComponent(),
            QueueComponent(kinds: options.taskKinds, metrics: options.registry),
            WorkersComponent(metrics: options.registry),
            HealthMonitorComponent(status: status, metrics: metrics),
            JobsComponent { context in
                _ = try await context.require(PlatformKeys.certificates).rotateIfNeeded()
            },
        ]
    }

    /// Of the node's database, oldest first; a node's version takes those that are new to it.
    static let migrations = [SchemaMigration("tasks", TaskQueue.schema)]
}
