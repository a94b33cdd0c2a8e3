import Effects
import Initialization
import Scenarios
import SimulatedEffects
import SimulationKernel
import Units

/// One life of one node: its process, its costs and what became of its boot.
final class NodeLife: @unchecked Sendable {
    // Unchecked, because every use is confined to the executor's thread.

    let world: BootWorld
    let process: SimulatedProcess
    /// When the process started.
    let start: Instant
    let costs: [String: BootCost]
    private let isMeasured: Bool
    /// Passes before the first component starts.
    private let overhead: (cpu: Interval, wait: Interval)
    private(set) var trace: BootTrace?
    private(set) var outcome: LifecycleOutcome?
    /// Of the node's processor time, at READY.
    private(set) var cpuAtReady = Interval.zero
    /// The fault that crashed it, and the time until it starts again.
    private(set) var crash: (id: Int, restart: Interval?)?
    private let loaded = AsyncStream.makeStream(
        of: Void.self,
        bufferingPolicy: .bufferingOldest(1)
    )

    /// - Parameter isMeasured: False for a life that only prepares its host: it costs nothing and no
    ///   fault strikes it.
    init(_ world: BootWorld, process: SimulatedProcess, isMeasured: Bool = true) {
        self.world = world
        self.isMeasured = isMeasured
        self.process = process
        start = world.executor.now
        overhead = world.costs.drawOverhead(
            seed: world.setting.seed,
            node: process.host.node,
            incarnation: process.incarnation
        )
        costs = world.costs.draw(
            seed: world.setting.seed,
            node: process.host.node,
            incarnation: process.incarnation
        )
    }

    var node: NodeID { process.host.node }
    var isReady: Bool { trace?.ready != nil }

    /// Boots, waits until everything is loaded, and stops. When the host crashes it returns at once.
    func run() async {
        let effects = process.effects
        let journal = BootJournal(effects: effects)
        let real = world.isModelled ? nil : RealGraph(seed: world.setting.seed, node: node)
        let components: [any Component] =
            if let real {
                isMeasured
                    ? real.components.map { StagedComponent($0, in: self) } : real.components
            } else {
                world.workload.components.map {
                    StagedComponent(modelling: $0.specification, in: self)
                }
            }
        let lifecycle: NodeLifecycle
        do {
            lifecycle = try NodeLifecycle(
                components,
                policy: world.policy,
                effects: effects,
                journal: journal,
                seed: world.setting.seed,
                entity: EntityID(node)
            ) { [self] event in
                real?.observe(event)
                observe(event)
            }
        } catch {
            preconditionFailure("the components of \(node) are no graph: \(error)")
        }
        real?.connect(lifecycle, journal)
        trace = BootTrace(lifecycle.graph, order: world.policy.order, start: start)
        let overhead = isMeasured ? self.overhead : (cpu: .zero, wait: .zero)
        let processors = process.host.processors
        outcome = await process.run { [loaded] in
            if overhead.cpu > .zero { try? await processors.run(overhead.cpu) }
            if overhead.wait > .zero { try? await effects.clock.sleep(for: overhead.wait) }
            return await lifecycle.run { _ in
                for await _ in loaded.stream { return }
            }
        }
        loaded.continuation.finish()
        real?.disconnect()
    }

    private func observe(_ event: LifecycleEvent) {
        // What unwinds after a crash happens in no world.
        guard process.isAlive else { return }
        trace?.observe(event)
        switch event.kind {
        case .ready where isMeasured:
            cpuAtReady = process.effects.machine.usage().cpu
            world.noteReady()
        case .bootCompleted:
            loaded.continuation.yield()
        case .phaseStarted(let phase):
            strikeQuietly([.phase(phase)], .before)
        case .phaseEnded(let phase):
            strikeQuietly([.phase(phase)], .after)
        default: break
        }
    }

    // MARK: - For its components

    /// Crashes the host when a fault wants it here.
    func strike(_ component: String, _ point: BootFault.Point) throws {
        guard strikeQuietly([.component(component)], point) else { return }
        throw HostCrash()
    }

    @discardableResult
    private func strikeQuietly(_ places: [BootFault.Place], _ point: BootFault.Point) -> Bool {
        let now = world.executor.now
        guard isMeasured, process.isAlive,
            let strike = world.faults.takeCrash(at: places, point, of: node, now: now)
        else { return false }
        crash = strike
        process.host.crash()
        return true
    }

    /// The node was crashed from outside.
    func crashed(by id: Int, restart: Interval?) {
        crash = (id, restart)
    }

    /// Spends what the component costs: computing, waiting, asking.
    func work(as component: String) async throws {
        guard let cost = costs[component] else { return }
        let factor = world.faults.factor(of: component, on: node, now: world.executor.now)
        try await process.host.processors.run(cost.cpu.slowed(by: factor))
        if cost.wait > .zero {
            try await process.effects.clock.sleep(for: cost.wait.slowed(by: factor))
        }
        for request in cost.requests {
            for _ in 0..<request.count {
                try await request.service.request(roundTrip: request.roundTrip)
            }
        }
    }

    func failIfAsked(_ component: String) throws {
        let now = world.executor.now
        if world.faults.takeFailure(of: component, on: node, now: now) {
            throw WantedFailure(description: "the scenario made this attempt fail")
        }
        if component == BootWorld.configurationComponent, world.isModelled,
            world.faults.torn(node, now: now) != nil
        {
            throw WantedFailure(description: "the configuration file ends in the middle")
        }
    }
}
