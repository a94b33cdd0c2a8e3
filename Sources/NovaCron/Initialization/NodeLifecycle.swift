public import Effects
import Synchronization
public import Units

/// Starts the components of one node, keeps them while the node serves, and stops them.
///
/// States: *starting* until every component that holds readiness has ended; then *serving* until the
/// body given to `run` returns or a stop is asked for; then *stopping*. A failed halting component,
/// the boot deadline or a stop before READY leads from *starting* to *rollback*. Components that do
/// not hold readiness may go on starting while the node serves.
///
/// Cancellation: `requestStop` may be called from anywhere at any moment. The task that calls `run`
/// should not be cancelled itself; when it is, it counts as a requested stop, and components must
/// stop without waiting, because every sleep of a cancelled task ends at once.
///
/// Structured: when `run` returns nothing of the node is still running. A component that ignores
/// cancellation therefore holds `run` up; the deadlines name it in the event stream, and ending the
/// process is then up to the caller.
public final class NodeLifecycle: Sendable {
    public let graph: ComponentGraph
    public let policy: BootPolicy
    let components: [any Component]
    let effects: NodeEffects
    let journal: BootJournal
    let container: DependencyContainer
    let seed: UInt64
    let entity: EntityID
    private let observer: @Sendable (LifecycleEvent) -> Void
    private let stopSignal = AsyncStream.makeStream(
        of: Void.self,
        bufferingPolicy: .bufferingOldest(1)
    )
    private let running = Mutex<[String: RunningComponent]>([:])

    /// - Parameters:
    ///   - entity: names the node's random streams.
    ///   - journal: where durable steps are recorded.
    ///   - observe: hears every event at once and in order; it must not block.
    public init(
        _ components: [any Component],
        policy: BootPolicy,
        effects: NodeEffects,
        journal: BootJournal,
        seed: UInt64,
        entity: EntityID,
        observe: @escaping @Sendable (LifecycleEvent) -> Void
    ) throws(GraphError) {
        graph = try ComponentGraph(components.map(\.specification))
        self.components = components
        self.policy = policy
        self.effects = effects
        self.journal = journal
        self.seed = seed
        self.entity = entity
        observer = observe
        container = DependencyContainer(graph)
    }

    /// Boots, calls `serve` once the node is READY, and stops everything when `serve` returns.
    /// `serve` is cancelled when a stop is requested. To be called once.
    public func run(
        serve: @escaping @Sendable (NodeLifecycle) async -> Void
    ) async -> LifecycleOutcome {
        await withTaskCancellationHandler {
            var starting = StartingNode(self)
            let ending = await starting.run(serve: serve)
            let outcome = await finish(ending)
            stopSignal.continuation.finish()
            return outcome
        } onCancel: {
            requestStop()
        }
    }

    /// Asks for the end: a boot is rolled back, a serving node is drained and stopped. Further calls
    /// change nothing.
    public func requestStop() {
        stopSignal.continuation.yield()
    }

    /// The health of every component that runs, in the graph's order; all are asked at the same time.
    ///
    /// - Parameter timeout: a component that has not answered by then counts as unhealthy.
    public func health(timeout: Interval) async -> [HealthReport] {
        let all = running.withLock { $0 }
        return await withTaskGroup(of: (Int, HealthReport).self) { group in
            for (position, specification) in graph.components.enumerated() {
                guard let part = all[specification.name] else { continue }
                group.addTask { [effects] in
                    let health = await withDeadline(timeout, effects.clock) {
                        await part.component.healthCheck(part.context)
                    }
                    let report = HealthReport(
                        component: specification.name,
                        fallback: part.fallback,
                        health: health ?? .unhealthy("no answer within \(timeout)")
                    )
                    return (position, report)
                }
            }
            var reports: [(Int, HealthReport)] = []
            for await report in group { reports.append(report) }
            return reports.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    /// A value that a component has provided; `nil` while it is not ready.
    public func value<Value>(_ key: DependencyKey<Value>) -> Value? {
        try? container.find(key, for: key.component)
    }

    /// Suspends until a stop is requested or the task is cancelled.
    func stopRequested() async {
        for await _ in stopSignal.stream { return }
    }

    func emit(_ kind: LifecycleEvent.Kind) {
        observer(LifecycleEvent(time: effects.clock.now, kind: kind))
    }

    func context(of name: String, attempt: Int) -> ComponentContext {
        ComponentContext(
            name: name,
            attempt: attempt,
            effects: effects,
            journal: journal,
            container: container,
            seed: seed,
            entity: entity
        )
    }

    func register(_ part: RunningComponent) {
        running.withLock { $0[part.context.name] = part }
    }

    func unregister(_ name: String) {
        running.withLock { $0[name] = nil }
    }

    func runningComponent(_ name: String) -> RunningComponent? {
        running.withLock { $0[name] }
    }
}

/// A component, or the fallback in its place, from its first attempt until it is stopped.
struct RunningComponent: Sendable {
    var component: any Component
    var context: ComponentContext
    /// The replacement's name.
    var fallback: String?
    /// Whether it became ready; it must be stopped in any case.
    var isReady: Bool
}

/// What a component answered when it was asked how it is.
public struct HealthReport: Hashable, Sendable {
    public var component: String
    /// The replacement that answers for it.
    public var fallback: String?
    public var health: ComponentHealth

    public init(component: String, fallback: String?, health: ComponentHealth) {
        self.component = component
        self.fallback = fallback
        self.health = health
    }
}
