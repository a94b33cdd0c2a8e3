public import Initialization

/// The components of a node.
public enum NodeGraph {
    /// All components with their specifications, ready for a `NodeLifecycle`; each call makes new
    /// ones.
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
            MetricsComponent(registry: options.registry, metrics: metrics),
            HealthServerComponent(status: status, registry: options.registry),
            QueueComponent(kinds: options.taskKinds, metrics: options.registry),
            WorkersComponent(metrics: options.registry),
            HealthMonitorComponent(status: status, metrics: metrics),
        ]
    }
}
