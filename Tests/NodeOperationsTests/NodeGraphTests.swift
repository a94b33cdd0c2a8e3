import Effects
import Initialization
import NodeFoundation
import NodeOperations
import SimulatedEffects
import Synchronization
import Testing
import Units

// Goal: the whole node boots, serves and ends without leaving anything; a failure of any one
// component leads to what its criticality says; crashes at any durable step and a second instance
// do no harm. Method: the composed graph on a modelled host, with one component replaced by one
// that fails, or a crash placed at each point that a boot reaches.
@Suite struct NodeGraphTests {
    private struct Seen: Sendable {
        var outcome: LifecycleOutcome?
        var events: [LifecycleEvent.Kind] = []
        var health: [HealthReport] = []
        var previous: PreviousBoot?

        var degraded: [String]? {
            for case .bootCompleted(let degraded) in events { return degraded }
            return nil
        }
    }

    /// One life on `host`: boots, serves for two seconds, and ends.
    private func live(
        _ world: OperationsWorld,
        crash: CrashPlan = .never,
        replacing change: (any Component) -> any Component = { $0 },
        during: @escaping @Sendable () async -> Void = {}
    ) throws -> Seen {
        let seen = Shared(Seen())
        let (status, options) = (NodeStatus(), NodeOptions(dataDirectory: "/data"))
        let metrics = NodeMetrics(options.registry)
        let process = world.host.startProcess(
            incarnation: UInt32(world.host.crashCount + 1),
            crash: crash
        )
        let journal = BootJournal(effects: process.effects)
        let lifecycle = try NodeLifecycle(
            NodeGraph.components(options: options, status: status, metrics: metrics).map(change),
            policy: BootPolicy(),
            effects: process.effects,
            journal: journal,
            seed: 1,
            entity: EntityID(.node, 1)
        ) { event in
            status.observe(event)
            metrics.observe(event)
            seen.change { $0.events.append(event.kind) }
        }
        status.connect(lifecycle.graph.components, previousBoot: { journal.previous }) {
            await lifecycle.health(timeout: $0)
        }
        try world.run {
            let outcome = await process.run {
                await lifecycle.run { node in
                    let reports = await node.health(timeout: .seconds(1))
                    seen.change { $0.health = reports }
                    await during()
                    try? await world.clock.sleep(for: .seconds(2))
                }
            }
            seen.change { seen in
                seen.outcome = outcome
                seen.previous = journal.previous
            }
            status.disconnect()
            process.end()
        }
        return seen.value
    }

    private func graph() throws -> ComponentGraph {
        let options = NodeOptions()
        let components = NodeGraph.components(
            options: options,
            status: NodeStatus(),
            metrics: NodeMetrics(options.registry)
        )
        return try ComponentGraph(components.map(\.specification))
    }

    @Test func theGraphIsTheOneOfTheDesign() throws {
        let names = Set(try graph().components.map(\.name))
        #expect(
            names == [
                "configuration", "logger", "instance-lock", "resources", "environment.network",
                "security.authority", "security.certificate", "database", "database.migrations",
                "cache", "network.probes", "network.control", "dwcp.encoding", "dwcp.transport",
                "orchestration.queue", "orchestration.workers", "metrics", "health.server",
                "health.monitor", "discovery", "jobs",
            ]
        )
    }

    @Test func theWholeNodeBootsServesAndEnds() throws {
        let world = OperationsWorld()
        let first = try live(world)
        #expect(first.outcome == .stopped(left: []))
        #expect(first.degraded == [])
        #expect(first.previous == nil)
        for report in first.health {
            #expect(report.health == .healthy && report.fallback == nil, "\(report)")
        }
        #expect(world.host.processes.isEmpty)
        let second = try live(world)
        #expect(second.outcome == .stopped(left: []))
        #expect(second.degraded == [])
        let previous = try #require(second.previous)
        #expect(previous.stoppedInOrder && previous.wasReady)
        #expect(previous.interruptedSteps.isEmpty)
    }

    @Test func eachFailureLeadsToWhatItsCriticalitySays() throws {
        let graph = try graph()
        for failing in graph.components {
            var hasFallback = false
            let seen = try live(
                OperationsWorld(),
                replacing: { component in
                    guard component.specification.name == failing.name else { return component }
                    hasFallback = !component.fallbacks.isEmpty
                    return FailingComponent(component)
                }
            )
            var absent: Set<String> = [failing.name]
            for position in graph.order where !hasFallback {
                let specification = graph.components[position]
                if specification.dependencies.contains(where: { absent.contains($0) }) {
                    absent.insert(specification.name)
                }
            }
            let missing = graph.components.filter { absent.contains($0.name) }
            // Without encoding the transport is one plain stream.
            let replaced: Set<String> = failing.name == "dwcp.encoding" ? ["dwcp.transport"] : []
            if !hasFallback, missing.contains(where: { $0.criticality == .halt }) {
                guard case .failed(_, _, let left) = seen.outcome else {
                    Issue.record("\(failing.name): \(String(describing: seen.outcome))")
                    continue
                }
                #expect(left.isEmpty, "\(failing.name)")
            } else {
                #expect(seen.outcome == .stopped(left: []), "\(failing.name)")
                #expect(
                    seen.degraded
                        == graph.components.map(\.name).filter(absent.union(replaced).contains),
                    "\(failing.name)"
                )
            }
        }
    }

    @Test func aSecondInstanceDoesNotTouchTheFirst() throws {
        let world = OperationsWorld()
        let (before, after, second) = (Shared([UInt8]()), Shared([UInt8]()), Shared(Seen()))
        let first = try live(
            world,
            during: {
                let files = world.host.effects(incarnation: 7).files
                let journal = try? await files.read("/data/boot.journal", limit: 1 << 20)
                before.change { $0 = journal ?? [] }
                let process = world.host.startProcess(incarnation: 8)
                if let node = try? Node(
                    effects: process.effects,
                    options: NodeOptions(dataDirectory: "/data"),
                    policy: BootPolicy()
                ) {
                    let outcome = await node.run { _ in }
                    second.change { $0.outcome = outcome }
                }
                let again = try? await files.read("/data/boot.journal", limit: 1 << 20)
                after.change { $0 = again ?? [] }
            }
        )
        #expect(first.outcome == .stopped(left: []) && first.degraded == [])
        guard case .failed("instance-lock", _, let left) = second.value.outcome else {
            Issue.record("\(String(describing: second.value.outcome))")
            return
        }
        #expect(left.isEmpty)
        #expect(!before.value.isEmpty && before.value == after.value)
    }

    @Test func aCrashAtEveryDurableStepIsSurvived() throws {
        let steps = Shared<[CrashPoint]>([])
        let world = OperationsWorld()
        let process = world.host.startProcess(incarnation: 1)
        try world.run {
            let node = try Node(
                effects: process.effects,
                options: NodeOptions(dataDirectory: "/data"),
                policy: BootPolicy()
            )
            _ = await node.run { _ in }
            steps.change { $0 = process.crashPoints.all }
            process.end()
        }
        #expect(steps.value.count >= 20)
        for point in steps.value {
            let world = OperationsWorld()
            let crashed = try live(world, crash: .point(point))
            #expect(world.host.crashCount == 1 && crashed.outcome == nil, "\(point)")
            let next = try live(world)
            #expect(next.outcome == .stopped(left: []), "\(point)")
            #expect(next.degraded == [], "\(point)")
        }
    }
}

/// Takes a component's place in the graph and cannot be initialized.
private struct FailingComponent: Component {
    let original: any Component

    init(_ original: any Component) { self.original = original }

    var specification: ComponentSpecification { original.specification }
    var fallbacks: [any Component] { original.fallbacks }

    func initialize(_ context: ComponentContext) async throws { throw Failure() }
    func stop(_ context: ComponentContext) async { await original.stop(context) }

    private struct Failure: Error {}
}
