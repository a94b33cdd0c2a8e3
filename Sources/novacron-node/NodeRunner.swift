import Effects
import Glibc
import HostEffects
import Initialization
import NodeFoundation
import NodeOperations
import Units

/// Runs one node in this process until it has ended.
struct NodeRunner: Sendable {
    var settings: NodeSettings
    var crashPoint: CrashPoint?
    /// Where reports go: a descriptor's number or a file.
    var events: String?
    let clock: HostClock

    /// Runs the node; the answer is how the process ends.
    func run() async throws(CommandFailure) -> NodeExitCode {
        let signals = await SignalWatch()
        let world = HostWorld(clock: clock)
        let outcome = try await run(in: world, signals)
        await world.shutdown()
        return outcome
    }

    private func run(
        in world: HostWorld,
        _ signals: SignalWatch
    ) async throws(CommandFailure) -> NodeExitCode {
        let machine = world.effects.machine
        let reporter = try events.map { (target) throws(CommandFailure) in
            try NodeReporter(target, machine: machine)
        }
        reporter?.report(.started(process: machine.processID, origin: clock.origin))
        let effects = effects(of: world, reporter)
        let manager = ServiceManager(environment: effects.machine.environmentVariables)
        manager.status("starting")
        let (happenings, told) = AsyncStream.makeStream(of: LifecycleEvent.Kind.self)
        let (watched, seen) = AsyncStream.makeStream(of: LifecycleEvent.Kind.self)
        let place: NodePlace
        do {
            place = try await NodePlace(settings, effects)
        } catch {
            let reason = error.message
            reporter?.report(.ended(.failed(component: "configuration", reason: reason, left: [])))
            throw error
        }
        let node = try makeNode(place.configuration, effects) { event in
            reporter?.report(event)
            told.yield(event.kind)
            seen.yield(event.kind)
        }
        reporter?.report(.graph(node.lifecycle.graph.components.map { ComponentPlace($0) }))
        let outcome = await withTaskGroup(of: Void.self) { group in
            group.addTask { await NodeHerald(node, effects, manager).run(happenings) }
            let lastResort = LastResort(policy: place.configuration.boot, clock: effects.clock)
            let outcome = await run(node, effects, signals) {
                await lastResort.run(watched) {
                    let left = node.status.snapshot.components
                        .filter { ![.stopped, .failed, .skipped, .waiting].contains($0.state) }
                    let names = left.map(\.name).joined(separator: ", ")
                    Terminal.complain("ended by force, since these did not stop: \(names)")
                    _exit(NodeExitCode.notYet.rawValue)
                }
            }
            told.finish()
            return outcome
        }
        reporter?.report(.ended(outcome))
        if NodeExitCode(outcome) != .success { Terminal.complain(BackgroundStart.text(outcome)) }
        return NodeExitCode(outcome)
    }

    private func effects(of world: HostWorld, _ reporter: NodeReporter?) -> NodeEffects {
        var effects = world.effects
        if let crashPoint { effects.crashPoints = KillingCrashPoints(at: crashPoint) }
        if let reporter {
            effects.crashPoints = ReportedCrashPoints(
                reporter: reporter,
                clock: clock,
                next: effects.crashPoints
            )
        }
        return effects
    }

    private func makeNode(
        _ configuration: NodeConfiguration,
        _ effects: NodeEffects,
        observe: @escaping @Sendable (LifecycleEvent) -> Void
    ) throws(CommandFailure) -> Node {
        let words = effects.secrets.randomBytes(8)
        let options = NodeOptions(
            configurationFile: settings.configurationFile,
            dataDirectory: settings.dataDirectory,
            seed: words.reduce(0) { $0 << 8 | UInt64($1) }
        )
        do {
            return try Node(
                effects: effects,
                options: options,
                policy: configuration.boot,
                observe: observe
            )
        } catch {
            throw CommandFailure(.bug, "the node's components do not fit: \(error)")
        }
    }

    private func run(
        _ node: Node,
        _ effects: NodeEffects,
        _ signals: SignalWatch,
        watch: @escaping @Sendable () async -> Void
    ) async -> LifecycleOutcome {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await signals.run { node.requestStop() } }
            group.addTask { await watch() }
            let outcome = await node.run { _ in
                // The node serves until somebody asks for its end, which cancels this.
                try? await effects.clock.sleep(until: .distantFuture)
            }
            group.cancelAll()
            return outcome
        }
    }
}
