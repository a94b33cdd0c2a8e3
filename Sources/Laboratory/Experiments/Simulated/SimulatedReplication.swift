import Determinism
import FaultInjection
import Foundation
import Glibc
import LinkModel
import Machines
public import Measurements
import NetworkModel
import Scenarios
import SimulatedEnvironment
import SimulationKernel
public import Units

/// Runs one replication of an experiment under virtual time.
public struct SimulatedReplication<Kind: Experiment> {
    private let setting: ReplicationSetting
    private let commit: String
    private let until: Instant?

    /// - Parameter until: Stops there, before the experiment's own end; for replays.
    public init(_ setting: ReplicationSetting, commit: String, until: Instant? = nil) {
        self.setting = setting.withFaultsPlanned()
        self.commit = commit
        self.until = until
    }

    /// Runs to the experiment's end, its deadline or the budget of events.
    ///
    /// - Parameter isCancelled: Asked now and then; the record says `interrupted` once it was true.
    public func run(isCancelled: @escaping () -> Bool = { false }) -> RunRecord {
        let began = ContinuousClock.now
        let scenario = setting.scenario
        let topology = NetworkModel.Topology(scenario, seed: setting.seed)
        let faults = setting.faultPlan
        var plan = SimulationPlan(
            topology: topology,
            profile: setting.profile,
            seed: setting.seed,
            limits: RunLimits(time: min(.zero + scenario.horizon, until ?? .distantFuture)),
            sampling: setting.sampling,
            faults: faults.changes { ends in
                scenario.topology.linkID(from: ends.from, to: ends.to)
            }
        )
        plan.tcp.usesCongestionNotification =
            setting.variant.system.transport.usesCongestionNotification
        plan.biasedPoints = setting.biasedPoints
        let experiment = Kind(setting)
        var simulation = Simulation(plan, observer: experiment.makeObserver()) { birth in
            experiment.makeMachine(birth)
        }
        let end = simulation.run(isCancelled: isCancelled)

        var record = RunRecord(key: key, commit: commit)
        record.fingerprint = simulation.fingerprint.description
        record.checkpoints = simulation.checkpoints.map {
            Checkpoint(time: $0.time, fingerprint: $0.fingerprint.description)
        }
        record.outcome = SimulatedReplication.outcome(of: end, horizon: scenario.horizon)
        record.events = simulation.events
        record.simulatedSeconds = simulation.now.seconds
        record.kernelSeconds = simulation.kernelSeconds
        record.workSeconds = simulation.workSeconds
        record.faults = SimulatedReplication.records(faults, simulation.faultLog, scenario)
        var links = SimulatedReplication.links(of: simulation, scenario, topology)
        SimulatedReplication.addTraces(faults, record.faults, at: simulation.now, scenario, &links)
        record.series = SimulatedReplication.series(simulation.samples, links, scenario)
        var ending = ReplicationEnding(time: simulation.now, reason: end, links: links)
        ending.cross = CrossFigures(simulation, scenario.crossTraffic, topology)
        record.series += ending.cross?.series(in: scenario) ?? []
        let hasBaselines = addBaselines(plan, to: &ending, &record, isCancelled)
        simulation.hearClosingEvents()
        simulation.observer.measure(ending, into: &record)
        if !record.series.contains(where: { $0.name == "goodput" }) {
            record.series += SimulatedReplication.goodput(simulation.samples)
        }
        if !hasBaselines { record.outcome = .interrupted }
        record.invariants.append(ending.linkRates)
        let storage = StorageJudgement(
            facts: simulation.storageFacts,
            recoveries: simulation.recoveries,
            plan: faults,
            records: record.faults
        )
        record.invariants += storage.outcome.map { [$0] } ?? []
        record.facts += storage.tallies
        record.markers += storage.markers
        SimulatedReplication.addPauses(links, at: simulation.now, scenario, to: &record)
        record.facts += ending.markFacts
        let chaos = ChaosFacts(plan: faults, scenario: scenario, coverage: simulation.coverage)
        record.facts += chaos.facts
        record.markers += chaos.markers(at: simulation.now)
        record.peakMemoryBytes = peakMemory()
        record.realSeconds = (ContinuousClock.now - began) / .seconds(1)
        return record
    }

    /// Simulates what harm is measured against, where somebody can be harmed and the run has its
    /// whole length. The fingerprint then covers these runs, too.
    ///
    /// - Returns: `false` when it was cancelled.
    private func addBaselines(
        _ plan: SimulationPlan,
        to ending: inout ReplicationEnding,
        _ record: inout RunRecord,
        _ isCancelled: @escaping () -> Bool
    ) -> Bool {
        let replacements = setting.scenario.harmReplacements
        guard !replacements.isEmpty, until == nil, ending.reason == .reachedTime else {
            return true
        }
        var chain = HashChain()
        chain.combine(bytes: Array(record.fingerprint.utf8)[...])
        for flows in replacements {
            let baseline = HarmBaseline.simulate(
                plan,
                setting.scenario,
                flows,
                fingerprint: &chain,
                isCancelled: isCancelled
            )
            guard let baseline else { return false }
            ending.baselines.append(baseline)
        }
        record.fingerprint = chain.fingerprint.description
        return true
    }

    private var key: RunKey {
        RunKey(
            scenario: setting.scenario.name,
            scenarioDigest: setting.scenario.digest,
            variant: setting.variant.name,
            seed: setting.seed,
            environment: .simulated
        )
    }

    private static func outcome(of end: RunEnd?, horizon: Interval) -> RunOutcome {
        switch end {
        case nil: .completed
        case .reachedTime: .truncated(reason: "not finished after \(horizon)")
        case .drained: .truncated(reason: "nothing was left to happen before it was finished")
        case .eventLimit: .truncated(reason: "the limit of events was reached")
        case .cancelled: .interrupted
        }
    }

    private static func records(
        _ plan: FaultPlan,
        _ log: [FaultLogEntry],
        _ scenario: Scenario
    ) -> [FaultRecord] {
        var faults = FaultLog(plan)
        for entry in log {
            switch entry.phase {
            case .fired: faults.fire(entry.number, at: entry.time, victim: entry.victim)
            case .healed: faults.heal(entry.number, at: entry.time)
            case .changed: break
            }
        }
        return faults.records(in: scenario.topology)
    }

    private static func links(
        of simulation: borrowing Simulation<Kind.Observer>,
        _ scenario: Scenario,
        _ topology: NetworkModel.Topology
    ) -> [LinkFigures] {
        // Only copyable values go into a closure.
        let counters = topology.links.indices.map {
            simulation.medium.network.counters(LinkID(UInt32($0)), at: simulation.now)
        }
        return scenario.topology.linkFigures { id in
            let index = Int(id.rawValue)
            return (topology.links[index].parameters, counters[index])
        }
    }

    /// What streams brought each node over time, for experiments that do not say it more exactly;
    /// nodes that got nothing are left out.
    private static func goodput(_ samples: LinkSampler) -> [Series] {
        guard samples.times.count >= 2, let last = samples.received.last else { return [] }
        let most = last.max() ?? 0
        // The other direction carries acknowledgements only.
        return last.indices.filter { last[$0] > 0 && last[$0] * 20 > most }.map { node in
            let rows = samples.received.map { $0[node] }
            return Series(
                name: "goodput",
                unit: "bit/s",
                labels: [Label("node", NodeID(UInt32(node)).description)],
                kind: .rate,
                start: samples.times[0],
                width: samples.interval,
                values: zip(rows, rows.dropFirst()).map {
                    Double($1 - $0) * 8 / samples.interval.seconds
                }
            )
        }
    }

    /// For how long lossless queues kept their senders stopped.
    private static func addPauses(
        _ links: [LinkFigures],
        at end: Instant,
        _ scenario: Scenario,
        to record: inout RunRecord
    ) {
        for link in links
        where link.parameters.rdma?.pause != nil && link.counters.departedPackets > 0 {
            let direction = link.direction(in: scenario)
            record.metrics.append(
                MetricValue(
                    "pause-share",
                    100 * link.counters.paused.seconds / max(1e-9, end.seconds),
                    labels: [Label("link", link.name), Label("direction", direction)],
                    bound: PhysicalBound(.upper, 100, derivation: "the time of the run")
                )
            )
            record.facts.append(
                Fact(
                    "pauses, \(direction)",
                    "\(link.counters.pauses), \(link.counters.paused) in all; "
                        + "\(link.counters.droppedByQueue) packets dropped by the queue"
                )
            )
        }
    }

    /// What links may have carried along the traces of faults.
    private static func addTraces(
        _ plan: FaultPlan,
        _ records: [FaultRecord],
        at end: Instant,
        _ scenario: Scenario,
        _ links: inout [LinkFigures]
    ) {
        for (fault, record) in zip(plan.faults, records) {
            guard case .link(let ends, .trace(_, let trace?)) = fault.effect,
                let fired = record.fired
            else { continue }
            let bits = trace.bits(from: .zero, to: .zero + ((record.healed ?? end) - fired))
            for id in ends.compactMap({ scenario.topology.linkID(from: $0.from, to: $0.to) }) {
                links[Int(id.rawValue)].traceBits += bits
            }
        }
    }

    /// What links carried and held over time; links that carried nothing are left out.
    private static func series(
        _ samples: LinkSampler,
        _ links: [LinkFigures],
        _ scenario: Scenario
    ) -> [Series] {
        guard samples.times.count >= 2 else { return [] }
        var series: [Series] = []
        for (index, link) in links.enumerated() where link.counters.departedPackets > 0 {
            let rows = samples.links.map { $0[index] }
            let labels = [
                Label("link", link.name), Label("direction", link.direction(in: scenario)),
            ]
            let seconds = samples.interval.seconds
            series.append(
                Series(
                    name: "link-rate",
                    unit: "bit/s",
                    labels: labels,
                    kind: .rate,
                    start: samples.times[0],
                    width: samples.interval,
                    values: zip(rows, rows.dropFirst()).map {
                        Double($1.departedBytes - $0.departedBytes) * 8 / seconds
                    }
                )
            )
            series.append(
                Series(
                    name: "queue",
                    unit: "B",
                    labels: labels,
                    kind: .level,
                    start: samples.times[0],
                    width: samples.interval,
                    values: rows.dropFirst().map { Double($0.queue.bytes) }
                )
            )
        }
        return series
    }
}

extension LinkFigures {
    /// `us-east->eu-west`.
    func direction(in scenario: Scenario) -> String {
        let regions = scenario.topology.regions
        return "\(regions[Int(from.rawValue)].name)->\(regions[Int(to.rawValue)].name)"
    }
}

extension Scenario.Topology {
    /// All links in the network's order, with what `ask` knows of each.
    func linkFigures(
        _ ask: (LinkID) -> (parameters: LinkParameters, counters: LinkCounters)
    ) -> [LinkFigures] {
        let ends =
            links.map { ($0.name, $0.from, $0.to) }
            + regions.enumerated().map { index, region in
                (region.name, RegionID(UInt32(index)), RegionID(UInt32(index)))
            }
        return ends.enumerated().map { index, end in
            let known = ask(LinkID(UInt32(index)))
            return LinkFigures(
                name: end.0,
                from: end.1,
                to: end.2,
                parameters: known.parameters,
                counters: known.counters
            )
        }
    }

    /// The network's number of a link: declared links first, then one inside each region.
    func linkID(from: RegionID, to: RegionID) -> LinkID? {
        if let index = links.firstIndex(where: { $0.from == from && $0.to == to }) {
            return LinkID(UInt32(index))
        }
        return from == to ? LinkID(UInt32(links.count) + from.rawValue) : nil
    }
}

/// The most memory that this process has held, in bytes.
func peakMemory() -> UInt64 {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return UInt64(usage.ru_maxrss) * 1024
}
