import Effects
public import Initialization
import Units

/// `metrics`: makes the node's registry known and puts the process's first figures into it.
public struct MetricsComponent: Component {
    public let specification = ComponentSpecification(
        name: "metrics",
        phase: .pre,
        dependencies: ["configuration"],
        criticality: .warn,
        timeout: .seconds(5)
    )
    private let registry: PrometheusRegistry
    private let metrics: NodeMetrics

    public init(registry: PrometheusRegistry, metrics: NodeMetrics) {
        self.registry = registry
        self.metrics = metrics
    }

    public func initialize(_ context: ComponentContext) async throws {
        metrics.record(context.effects.machine.usage())
        context.provide(OperationsKeys.metrics, registry)
    }
}
