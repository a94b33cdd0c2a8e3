import Effects
public import Initialization
import Logging
public import Metrics
import NodeFoundation
import Synchronization
import Units

/// `orchestration.workers`: runs the queue's tasks while the node is READY.
public final class WorkersComponent: Component {
    public let specification: ComponentSpecification
    private let metrics: any MetricsFactory
    private let pool = Mutex<WorkerPool?>(nil)

    /// - Parameter transport: whether `dwcp.transport` is part of the graph; workers wait for it.
    public init(metrics: any MetricsFactory, transport: Bool = true) {
        self.metrics = metrics
        specification = ComponentSpecification(
            name: "orchestration.workers",
            phase: .service,
            dependencies: ["configuration", "orchestration.queue"],
            optionalDependencies: ["logger"] + (transport ? ["dwcp.transport"] : []),
            criticality: .halt,
            timeout: .seconds(10)
        )
    }

    public func initialize(_ context: ComponentContext) async throws {
        let settings = try context.require(NodeKeys.configuration).orchestration
        let logger = try context.find(NodeKeys.logger)?.component(context.name)
        let pool = WorkerPool(
            queue: try context.require(OperationsKeys.queue),
            kinds: try context.require(OperationsKeys.taskKinds),
            limit: settings.workers,
            metrics: metrics
        ) { error in
            logger?.error("\(error)")
        }
        self.pool.withLock { $0 = pool }
    }

    public func serve(_ context: ComponentContext) async {
        await pool.withLock { $0 }?.serve()
    }

    public func drain(_ context: ComponentContext) async {
        await pool.withLock { $0 }?.drain()
    }

    public func stop(_ context: ComponentContext) async {
        pool.withLock { $0 = nil }
    }
}
