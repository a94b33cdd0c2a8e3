import Determinism
import Effects
public import Initialization
public import Metrics
import NodeFoundation
import NodePlatform
import Synchronization
import Units

/// `orchestration.queue`: the node's task queue. What ran when the node ended before is given back
/// to it.
public final class QueueComponent: Component {
    public let specification = ComponentSpecification(
        name: "orchestration.queue",
        phase: .service,
        dependencies: ["configuration", "database.migrations"],
        criticality: .halt,
        timeout: .seconds(10),
        retry: .standard
    )
    private let kinds: [TaskKind]
    private let metrics: any MetricsFactory
    private let queue = Mutex<TaskQueue?>(nil)

    public init(kinds: [TaskKind], metrics: any MetricsFactory) {
        self.kinds = kinds
        self.metrics = metrics
    }

    public func initialize(_ context: ComponentContext) async throws {
        let settings = try context.require(NodeKeys.configuration).orchestration
        var limits = TaskQueue.Limits(capacity: settings.capacity, lease: settings.lease)
        limits.retry.attempts = settings.attempts
        let queue = TaskQueue(
            database: try context.require(PlatformKeys.database),
            limits: limits,
            effects: context.effects,
            random: context.random("task delays")
        )
        try await context.journal.step("orchestration.recover") { _ = try await queue.recoverAll() }
        self.queue.withLock { $0 = queue }
        context.provide(OperationsKeys.queue, queue)
        context.provide(OperationsKeys.taskKinds, TaskKinds(kinds))
    }

    public func stop(_ context: ComponentContext) async {
        queue.withLock { $0 = nil }
    }

    public func healthCheck(_ context: ComponentContext) async -> ComponentHealth {
        guard let queue = queue.withLock({ $0 }) else { return .unhealthy("it is not open") }
        do {
            let counts = try await queue.counts()
            for (state, count) in [
                ("waiting", counts.waiting), ("running", counts.running), ("done", counts.done),
                ("dead", counts.dead),
            ] {
                Gauge(label: "task_queue_tasks", dimensions: [("state", state)], factory: metrics)
                    .record(count)
            }
            let unfinished = counts.waiting + counts.running
            return unfinished >= queue.limits.capacity
                ? .degraded("the queue is full: \(unfinished) tasks") : .healthy
        } catch {
            return .unhealthy("\(error)")
        }
    }
}
