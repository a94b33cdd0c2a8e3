import FaultInjection
import Foundation
import Machines
import Measurements
import NetworkModel
import Scenarios
import SimulationKernel
import SocketEnvironment
import Units

/// Runs one replication of an experiment on real sockets: one process a node, each in a network
/// namespace of its own behind the emulator's links. Where these cannot be made, the processes share
/// the loopback interface, and the run is unshaped.
///
/// Faults of nodes happen for real (SIGKILL and a new process, SIGSTOP and SIGCONT), and so do faults of
/// the network where an emulator shapes it. Without one the nodes themselves part from each other (see
/// `Parting`); other faults of the network stay unfired, and the judge warns of them.
struct SocketReplication<Kind: Experiment> {
    typealias Message = AgentMessage<Kind.Program.Event>
    let setting: ReplicationSetting
    let environment: EnvironmentKind
    let commit: String
    let processes: ProcessLauncher
    let scenarioPath: String

    /// No replication takes longer in real time, whatever deadline its scenario sets: half an hour.
    private static var longest: Interval { .seconds(1800) }

    func run(isCancelled: @escaping () -> Bool) throws -> RunRecord {
        let began = ContinuousClock.now
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "novalab-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let cross = CrossEnds(
            traffic: setting.scenario.crossTraffic,
            first: setting.scenario.topology.nodeCount
        )
        let links = try startLinks(cross)
        defer { links.emulator?.end() }
        let nodes = setting.scenario.topology.nodeCount
        if cross.count > 0, links.emulator == nil {
            throw CrossTrafficFailure(
                description: "cross-traffic needs emulated links: \(links.obstacle)"
            )
        }
        var stage = SocketStage<Kind>(
            self,
            folder: folder.path,
            emulator: links.emulator,
            credentials: setting.variant.system.transport.tls
                ? try StreamCredentials.forRun(of: nodes) : [],
            cross: cross
        )
        defer { stage.end() }
        try stage.begin()
        let observer = Kind(setting).makeObserver()
        let limit = min(setting.scenario.horizon, SocketReplication.longest)
        let outcome = try stage.play(observer, until: limit, isCancelled: isCancelled)

        var record = RunRecord(key: key, commit: commit)
        record.outcome = outcome.outcome
        record.simulatedSeconds = outcome.time.seconds
        record.faults = stage.faultRecords
        record.facts = stage.facts
        var ending = ReplicationEnding(time: outcome.time, reason: outcome.reason, links: [])
        ending.processors = stage.processors
        var isWhole = true
        var inexact: [InexactLink] = []
        if let emulator = links.emulator {
            let (report, time) = try emulator.report()
            ending.links = report.figures(of: setting.scenario, seed: setting.seed)
            ending.linksUntil = time
            record.invariants.append(ending.linkRates)
            record.facts += ending.markFacts
            if cross.count > 0 {
                emulator.end()
                stage.end()
                isWhole = try addCross(stage, folder.path, to: &ending, &record, isCancelled)
            }
            inexact = report.inexactLinks(of: setting.scenario)
            report.measure(into: &record, besides: Set(inexact.flatMap(\.links)))
        } else {
            record.facts.append(Fact(Fact.links, "unshaped: \(links.obstacle)"))
            if setting.variant.system.transport.usesCongestionNotification {
                record.facts.append(Fact("ecn", "as the host has it: the links are unshaped"))
            }
        }
        outcome.observer.measure(ending, into: &record)
        record.withholdFigures(of: inexact)
        if !isWhole { record.outcome = .interrupted }
        stage.end()
        if setting.variant.system.transport.tls {
            record.facts.append(Fact("tls", stage.secured.fact))
        }
        if environment == .rdma {
            record.facts.append(
                Fact("rdma-streams", "\(stage.carriedStreams)")
            )
        }
        record.peakMemoryBytes = max(peakMemory(), stage.peakMemory)
        record.realSeconds = (ContinuousClock.now - began) / .seconds(1)
        return record
    }

    /// What flows of others did, and the runs that their harm is measured against, which come after
    /// the run itself and take as long.
    ///
    /// - Returns: `false` when it was cancelled.
    private func addCross(
        _ stage: SocketStage<Kind>,
        _ folder: String,
        to ending: inout ReplicationEnding,
        _ record: inout RunRecord,
        _ isCancelled: () -> Bool
    ) throws -> Bool {
        let topology = NetworkModel.Topology(setting.scenario, seed: setting.seed)
        ending.cross = stage.ledger.figures(until: ending.time, topology)
        record.series += ending.cross?.series(in: setting.scenario) ?? []
        record.facts.append(
            Fact("flows of others that broke", "\(stage.ledger.brokenFlows)")
        )
        guard ending.reason == .reachedTime else { return true }
        for replacements in setting.scenario.harmReplacements {
            let ends = CrossEnds(
                traffic: setting.scenario.crossTraffic + replacements,
                first: setting.scenario.topology.nodeCount
            )
            guard let emulator = try startLinks(ends).emulator else { return true }
            defer { emulator.end() }
            var stage = SocketStage<Kind>(
                self,
                folder: folder,
                emulator: emulator,
                credentials: [],
                cross: ends,
                isIdle: true
            )
            defer { stage.end() }
            try stage.begin()
            let observer = Kind(setting).makeObserver()
            let limit: Interval = ending.time - Instant.zero
            let outcome = try stage.play(observer, until: limit, isCancelled: isCancelled)
            guard outcome.reason == .reachedTime else { return outcome.reason != .cancelled }
            let (report, _) = try emulator.report()
            guard report.isExact else {
                record.facts.append(Fact("harm", "not measured: the second run's links were late"))
                return true
            }
            let figures = stage.ledger.figures(until: outcome.time, topology)
            ending.baselines.append(HarmBaseline(replacements: replacements, figures: figures))
        }
        return true
    }

    /// The emulator, or why there is none.
    private func startLinks(
        _ cross: CrossEnds
    ) throws -> (emulator: EmulatorSession?, obstacle: String) {
        guard setting.scenario.workload.usesLinks else { return (nil, "no node uses a link") }
        guard environment == .sockets else { return (nil, "devices have links of their own") }
        let start = try EmulatorSession.start(
            setting,
            scenarioPath: scenarioPath,
            cross: cross
        ) { try processes.emulator() }
        return switch start {
        case .shaped(let session): (session, "")
        case .unshaped(let reason): (nil, reason)
        }
    }

    private var key: RunKey {
        RunKey(
            scenario: setting.scenario.name,
            scenarioDigest: setting.scenario.digest,
            variant: setting.variant.name,
            seed: setting.seed,
            environment: environment
        )
    }
}

/// Flows of others were asked for where there are no links for them.
public struct CrossTrafficFailure: Error, CustomStringConvertible {
    public let description: String
}

/// Starts the processes that a replication on sockets consists of.
public struct ProcessLauncher: Sendable {
    /// A process that runs `AgentProgram`, in the network namespace of that path if there is one.
    public let agent: @Sendable (_ namespace: String?) throws -> AgentHandle
    /// A process that runs `EmulatorProgram`.
    public let emulator: @Sendable () throws -> AgentHandle

    public init(
        agent: @escaping @Sendable (_ namespace: String?) throws -> AgentHandle,
        emulator: @escaping @Sendable () throws -> AgentHandle
    ) {
        self.agent = agent
        self.emulator = emulator
    }
}
