public import Effects
public import Initialization

/// One node: its components, its journal and what it tells of itself, put together.
///
/// The journal is opened by `instance-lock`, once the lock is held, so a second instance in the same
/// folder never touches the journal of the one that runs.
public final class Node: Sendable {
    public let status: NodeStatus
    public let lifecycle: NodeLifecycle
    /// Closed until `instance-lock` is ready.
    public let journal: BootJournal

    /// - Parameter observe: hears every event at once and in order, after the node's own status and
    ///   metrics; it must not block.
    public init(
        effects: NodeEffects,
        options: NodeOptions,
        policy: BootPolicy,
        observe: @escaping @Sendable (LifecycleEvent) -> Void = { _ in }
    ) throws(GraphError) {
        let status = NodeStatus()
        let metrics = NodeMetrics(options.registry)
        let journal = BootJournal(effects: effects)
        let lifecycle = try NodeLifecycle(
            NodeGraph.components(options: options, status: status, metrics: metrics),
            policy: policy,
            effects: effects,
            journal: journal,
            seed: options.seed,
            entity: options.entity
        ) { event in
            status.observe(event)
            metrics.observe(event)
            observe(event)
        }
        self.status = status
        self.journal = journal
        self.lifecycle = lifecycle
    }

    /// Boots, calls `serve` once the node is READY, and stops everything when `serve` returns or a
    /// stop is requested. To be called once.
    public func run(
        serve: @escaping @Sendable (Node) async -> Void
    ) async -> LifecycleOutcome {
        status.connect(
            lifecycle.graph.components,
            previousBoot: { [journal] in journal.previous },
            health: { [lifecycle] timeout in await lifecycle.health(timeout: timeout) }
        )
        let outcome = await lifecycle.run { _ in await serve(self) }
        status.disconnect()
        return outcome
    }

    /// Asks for the end, from anywhere at any moment.
    public func requestStop() { lifecycle.requestStop() }
}
