import DataSets
import Determinism
import FaultInjection
import HardwareModel
import Initialization
import Measurements
import Scenarios
import SimulatedEffects
import SimulationKernel
import Units

extension BootWorld {
    /// Starts all nodes, each after its own delay.
    func addNodes() {
        for node in workload.nodes(in: setting.scenario.topology) {
            var random = SeededRandom(
                seed: setting.seed,
                entity: EntityID(node),
                purpose: "boot stagger"
            )
            addNode(node, startingAt: random.interval(in: workload.stagger))
        }
    }

    /// Carries out what the fault plan says for now.
    func apply(_ change: FaultPlan.Change) {
        let planned = faults.fault(change.fault)
        switch (change.kind, planned.effect) {
        case (.fire, .crash(let nodes)):
            crash(nodes, by: change.fault, until: planned.healAt)
        case (.fire, .boot): faults.fire(change.fault, at: executor.now)
        case (.heal, .boot): faults.heal(change.fault, at: executor.now)
        // Nodes that crashed start again by themselves when it is time.
        case (.heal, .crash): break
        default:
            preconditionFailure("\(planned.kind) in a world of boots was not checked")
        }
    }

    /// How many nodes serve over time.
    var series: [Series] {
        workload.crashPoints == .none ? [ready.finished(at: executor.now)] : []
    }

    /// Where the times come from, and what the services did.
    var facts: [Fact] {
        var facts = [Fact("cores", "\(profile.cores) of each node")]
        switch workload.graph {
        case .components(let components):
            facts += BootWorld.origins(components)
        case .node:
            let times =
                setting.recording.map { recording in
                    "recorded: '\(recording.name)' of \(recording.machine), \(recording.boots) "
                        + "boots at \(recording.commit), sha256 \(recording.digest); the start of the "
                        + "process and the framework's own time come first"
                } ?? "none recorded: only what modelled disks, probes and timers take"
            facts.append(Fact("component times", times))
        }
        if workload.sigma > 0 {
            facts.append(Fact("variation", "lognormal factors, sigma \(workload.sigma)"))
        }
        for (name, service) in services {
            let figures = service.figures
            facts.append(
                Fact(
                    "service \(name)",
                    "\(figures.sent) requests, \(figures.answered) answered, \(figures.refused) "
                        + "refused, \(figures.timedOut) given up, longest queue "
                        + "\(figures.longestQueue), longest wait \(figures.longestWait)"
                )
            )
        }
        return facts
    }

    /// Which component's time is whose word; assumed splits are named one by one.
    private static func origins(_ components: [Scenario.BootWorkload.Component]) -> [Fact] {
        func names(_ origin: KeyPath<Scenario.BootWorkload.Component, Scenario.BootWorkload.Origin>)
            -> String
        {
            Scenario.BootWorkload.Origin.allCases.compactMap { word in
                let found = components.filter { $0[keyPath: origin] == word }
                    .map(\.specification.name)
                return found.isEmpty
                    ? nil : "\(word.rawValue): \(found.joined(separator: ", "))"
            }.joined(separator: "; ")
        }
        return [Fact("component times", names(\.origin)), Fact("component splits", names(\.split))]
    }
}

extension SharedService.Configuration {
    init(_ shared: Scenario.BootWorkload.SharedDependency) {
        self.init(
            servers: shared.servers,
            queueLimit: shared.queue,
            serviceTime: shared.distribution == .constant
                ? .constant(shared.serviceTime) : .exponential(mean: shared.serviceTime),
            timeout: shared.timeout
        )
    }
}

extension BootPolicy {
    init(_ options: Scenario.SystemConfiguration.BootOptions) {
        self.init(
            order: options.order,
            concurrencyLimit: options.concurrency,
            bootDeadline: options.bootDeadline,
            rollbackDeadline: options.rollbackDeadline
        )
    }
}

extension HardwareProfile {
    /// With the scenario's cores. Recorded waiting holds the disk's part already, so then the disk
    /// takes no time of its own.
    func adapted(to workload: Scenario.BootWorkload, isRecorded: Bool) -> HardwareProfile {
        var profile = self
        if let cores = workload.cores { profile.cores = cores }
        if isRecorded {
            profile.disk = Disk(write: 1e9, fsync: .zero, read: 1e9)
        }
        return profile
    }
}
