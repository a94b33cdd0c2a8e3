import Effects
import Initialization
import NodeFoundation
import NodeOperations
import SimulatedEffects
import Synchronization
import Testing
import Units

// Goal: the components of this room boot, serve, answer probes at every stage, end without leaving
// anything, and fail as their criticality says. Method: a lifecycle of them on a modelled host, with
// small stand-ins for what other rooms provide.
@Suite struct OperationsComponentsTests {
    private let world = OperationsWorld()
    private let health = SocketEndpoint(host: "127.0.0.1", port: 7403)

    private struct Outcome: Sendable {
        var outcome: LifecycleOutcome?
        var answers: [String: HTTPResponse] = [:]
        var events: [LifecycleEvent.Kind] = []
        var rotations = 0
    }

    /// Boots, serves for `serving`, asks all paths during the boot and then once more, and ends.
    private func boot(
        _ configuration: NodeConfiguration = NodeConfiguration(dataDirectory: "/data"),
        slowDatabase: Interval = .zero,
        serving: Interval = .seconds(5),
        kinds: [TaskKind] = [],
        then body: @escaping @Sendable (NodeLifecycle) async -> Void = { _ in }
    ) throws -> Outcome {
        let result = Shared(Outcome())
        let (status, registry) = (NodeStatus(), PrometheusRegistry())
        let metrics = NodeMetrics(registry)
        let components: [any Component] = [
            ConfigurationDouble(configuration),
            NamedDouble("logger", .pre, after: ["configuration"]),
            DatabaseDouble(duration: slowDatabase),
            NamedDouble("database.migrations", .core, after: ["database"]),
            NamedDouble("security.certificate", .core, after: ["configuration"]),
            MetricsComponent(registry: registry, metrics: metrics),
            HealthServerComponent(status: status, registry: registry),
            QueueComponent(kinds: kinds, metrics: registry),
            WorkersComponent(metrics: registry, transport: false),
            HealthMonitorComponent(status: status, metrics: metrics),
            JobsComponent { _ in result.change { $0.rotations += 1 } },
        ]
        let process = world.host.startProcess(incarnation: 1)
        let journal = BootJournal(effects: process.effects)
        let lifecycle = try NodeLifecycle(
            components,
            policy: BootPolicy(),
            effects: process.effects,
            journal: journal,
            seed: 1,
            entity: EntityID(.node, 1)
        ) { event in
            status.observe(event)
            metrics.observe(event)
            result.change { $0.events.append(event.kind) }
        }
        status.connect(lifecycle.graph.components, previousBoot: { journal.previous }) {
            await lifecycle.health(timeout: $0)
        }
        try world.run { [world] in
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    let outcome = await lifecycle.run { node in
                        try? await world.clock.sleep(for: serving)
                        for path in ["live", "ready", "startup"].map({ "/health/\($0)" })
                            + ["/metrics", "/status"]
                        {
                            let answer = try? await world.host.request(
                                HTTPRequest(method: "GET", path: path),
                                port: 7403
                            )
                            result.change { $0.answers[path] = answer }
                        }
                        await body(node)
                    }
                    result.change { $0.outcome = outcome }
                }
                group.addTask {
                    try? await world.clock.sleep(for: .milliseconds(500))
                    let answer = try? await world.host.request(
                        HTTPRequest(method: "GET", path: "/health/startup"),
                        port: 7403
                    )
                    result.change { $0.answers["early"] = answer }
                }
            }
            status.disconnect()
            process.end()
        }
        return result.value
    }

    @Test func aNodeAnswersProbesWhileItBootsAndServes() throws {
        let seen = try boot(slowDatabase: .seconds(2))
        #expect(seen.outcome == .stopped(left: []))
        #expect(seen.events.contains(.ready(degraded: [])))
        #expect(seen.answers["early"]?.status == 503)
        for path in ["/health/live", "/health/ready", "/health/startup", "/metrics", "/status"] {
            #expect(seen.answers[path]?.status == 200, "\(path)")
        }
        let metrics = String(decoding: seen.answers["/metrics"]?.body ?? [], as: UTF8.self)
        #expect(metrics.contains(#"task_queue_tasks{state="waiting"} 0"#))
        #expect(metrics.contains(#"component_up{component="jobs"} 1"#))
        #expect(metrics.contains("\ntotal_boot_time_seconds 2."))
        let status = String(decoding: seen.answers["/status"]?.body ?? [], as: UTF8.self)
        #expect(status.contains(#""name":"orchestration.queue","phase":"service""#))
        #expect(!status.contains(#""health":"unhealthy""#))
        // Nothing is left: the port is free again.
        let after = try boot()
        #expect(after.outcome == .stopped(left: []))
        #expect(after.events.contains(.ready(degraded: [])))
    }

    @Test func jobsAndTasksRunWhileTheNodeServes() throws {
        var configuration = NodeConfiguration(dataDirectory: "/data")
        configuration.jobs.jobs = BackgroundJob.allCases.map {
            NodeConfiguration.JobSchedule(job: $0, schedule: "*/5 * * * *")
        }
        configuration.jobs.jitter = .seconds(10)
        let ran = Shared(0)
        let kind = TaskKind("hello") { _ in ran.change { $0 += 1 } }
        let seen = try boot(configuration, serving: .seconds(700), kinds: [kind]) { [world] node in
            guard let queue = node.value(OperationsKeys.queue) else { return }
            _ = try? await queue.enqueue(kind: "hello")
            try? await world.clock.sleep(for: .seconds(1))
        }
        #expect(ran.value == 1)
        #expect(seen.outcome == .stopped(left: []))
        #expect(seen.rotations == 2)
        let rows = try world.host.databases.rows(
            at: OperationsWorld.database,
            "SELECT job, count(*) FROM job_run WHERE failure IS NULL GROUP BY job ORDER BY job"
        )
        #expect(
            rows == [
                [.text("check-database"), .integer(2)], [.text("prune-tasks"), .integer(2)],
                [.text("rotate-certificates"), .integer(2)],
            ]
        )
    }

    @Test func anOccupiedHealthPortIsNoReasonNotToServe() throws {
        let other = world.host.effects(incarnation: 9).network
        try world.run { [health] in
            _ = try await other.serveHTTP(
                at: health,
                identity: nil,
                limits: ListenerLimits(connections: 1, requestBytes: 1, idleTimeout: .seconds(1))
            ) { _ in HTTPResponse(status: 200, contentType: "text/plain", body: []) }
        }
        let seen = try boot()
        #expect(seen.outcome == .stopped(left: []))
        let degraded = seen.events.compactMap { event -> [String]? in
            if case .ready(let degraded) = event { degraded } else { nil }
        }
        #expect(degraded == [["health.server", "health.monitor"]])
    }

    @Test func aWrongScheduleLeavesTheNodeDegraded() throws {
        var configuration = NodeConfiguration(dataDirectory: "/data")
        configuration.jobs.jobs[0].schedule = "61 * * * *"
        let seen = try boot(configuration)
        #expect(seen.events.contains(.ready(degraded: ["jobs"])))
        #expect(
            seen.events.contains(
                .componentFailed(
                    component: "jobs",
                    criticality: .degrade,
                    reason: "column 1: minute 61 is not in 0-59"
                )
            )
        )
    }

    @Test func aQueueThatCannotBeReadEndsTheBoot() throws {
        _ = try boot()
        world.host.databases.damage(OperationsWorld.database, "page 3 is torn")
        let seen = try boot()
        guard case .failed(let component, let reason, let left) = seen.outcome else {
            Issue.record("\(String(describing: seen.outcome))")
            return
        }
        #expect(component == "orchestration.queue" && reason.contains("page 3 is torn"))
        #expect(left.isEmpty)
        #expect(seen.events.contains(.rollbackEnded(left: [])))
    }
}

private struct ConfigurationDouble: Component {
    let specification = ComponentSpecification(name: "configuration", phase: .pre)
    let configuration: NodeConfiguration

    init(_ configuration: NodeConfiguration) { self.configuration = configuration }

    func initialize(_ context: ComponentContext) async throws {
        context.provide(NodeKeys.configuration, configuration)
    }
}

/// Opens the database and makes the tables, after `duration`.
private struct DatabaseDouble: Component {
    let specification = ComponentSpecification(
        name: "database",
        phase: .core,
        dependencies: ["configuration"]
    )
    var duration = Interval.zero

    func initialize(_ context: ComponentContext) async throws {
        try await context.effects.clock.sleep(for: duration)
        try await context.effects.files.createFolder("/data", permissions: 0o700)
        let database = try await context.effects.databases.open(
            OperationsWorld.database,
            busyTimeout: .seconds(1)
        )
        // A damaged one is found by those who use it.
        _ = try? await database.transaction(TaskQueue.schema)
        context.provide(DependencyKey<any Database>("database", from: "database"), database)
    }
}

private struct NamedDouble: Component {
    let specification: ComponentSpecification

    init(_ name: String, _ phase: BootPhase, after: [String]) {
        specification = ComponentSpecification(name: name, phase: phase, dependencies: after)
    }

    func initialize(_ context: ComponentContext) async throws {}
}
