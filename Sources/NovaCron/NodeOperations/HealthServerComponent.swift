import Effects
public import Initialization
import NodeFoundation
import Synchronization
import Units

/// `health.server`: plain HTTP for probes and metrics. It starts early, so that startup can be
/// probed while the rest of the node boots, and is stopped among the last.
public final class HealthServerComponent: Component {
    public let specification = ComponentSpecification(
        name: "health.server",
        phase: .pre,
        dependencies: ["configuration"],
        optionalDependencies: ["metrics"],
        criticality: .warn,
        timeout: .seconds(5),
        retry: RetryPolicy(attempts: 3, delay: .milliseconds(200), jitter: 0.1)
    )
    private let status: NodeStatus
    private let registry: PrometheusRegistry
    private let listener = Mutex<(any NetworkListener)?>(nil)

    /// Probes are small and few.
    static let limits = ListenerLimits(
        connections: 64,
        requestBytes: 4096,
        idleTimeout: .seconds(10)
    )

    public init(status: NodeStatus, registry: PrometheusRegistry) {
        self.status = status
        self.registry = registry
    }

    public func initialize(_ context: ComponentContext) async throws {
        let configuration = try context.require(NodeKeys.configuration)
        let settings = configuration.health
        let answers = HealthAnswers(
            status: status,
            registry: registry,
            effects: context.effects,
            name: configuration.name,
            staleAfter: (settings.maximumAge + settings.checkTimeout) * 10
        )
        let opened = try await context.effects.network.serveHTTP(
            at: settings.endpoint,
            identity: nil,
            limits: HealthServerComponent.limits
        ) { request in
            answers.answer(request)
        }
        listener.withLock { $0 = opened }
        context.provide(OperationsKeys.healthEndpoint, opened.endpoint)
    }

    public func stop(_ context: ComponentContext) async {
        let open = listener.withLock { listener in
            defer { listener = nil }
            return listener
        }
        await open?.close()
    }

    public func healthCheck(_ context: ComponentContext) async -> ComponentHealth {
        listener.withLock { $0 } == nil ? .unhealthy("it does not listen") : .healthy
    }
}
