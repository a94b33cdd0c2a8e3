import Foundation
import Initialization
import Measurements
import RealNodes
import Scenarios
import Units

/// Runs one replication of the workload kind `boot` with the real daemon: every node of the scenario
/// is a process of its own in a new folder, on free ports of this machine.
///
/// Nodes boot one after the other, since they would compete for the cores that they are measured on.
/// Times count from right before a process is made; those of components are what they took beside
/// the others that started at the same time.
struct RealBootReplication {
    private let setting: ReplicationSetting
    private let workload: Scenario.BootWorkload
    private let commit: String
    /// The daemon's path, or a command that runs it.
    private let program: [String]

    init(_ setting: ReplicationSetting, commit: String, program: [String]) {
        guard case .boot(let workload) = setting.scenario.workload else {
            preconditionFailure("boots of kind \(setting.scenario.workload.kind)")
        }
        self.setting = setting
        self.workload = workload
        self.commit = commit
        self.program = program
    }

    func run(isCancelled: @escaping () -> Bool) throws -> RunRecord {
        let began = ContinuousClock.now
        var record = RunRecord(
            key: RunKey(
                scenario: setting.scenario.name,
                scenarioDigest: setting.scenario.digest,
                variant: setting.variant.name,
                seed: setting.seed,
                environment: .sockets
            ),
            commit: commit
        )
        record.facts.append(Fact("component times", RealBootReplication.origin))
        record.facts.append(Fact("data", workload.start.text))
        let isWhole =
            workload.crashPoints == .none
            ? try boot(into: &record, isCancelled) : try sweep(into: &record, isCancelled)
        if !isWhole { record.outcome = .interrupted }
        record.realSeconds = (ContinuousClock.now - began) / .seconds(1)
        record.simulatedSeconds = record.realSeconds
        record.peakMemoryBytes = peakMemory()
        return record
    }

    private static let origin =
        "measured in these boots, beside components that started at the same time: they bound these "
        + "boots, not those of another machine or order"

    /// `false` when it was cancelled.
    private func boot(into record: inout RunRecord, _ isCancelled: @escaping () -> Bool) throws
        -> Bool
    {
        var figures = RealBootFigures()
        let began = ContinuousClock.now
        for node in workload.nodes(in: setting.scenario.topology) {
            let place = try makeNode()
            guard try prepare(place, isCancelled) else { return false }
            let offset =
                Instant.zero + Interval(seconds: (ContinuousClock.now - began) / .seconds(1))
            guard let boot = try BootSession(place, isCancelled: isCancelled).measure() else {
                return false
            }
            figures.add(boot, of: node, startedAt: offset)
        }
        figures.write(into: &record)
        return true
    }

    /// One life from start to end, then one crash and recovery for each of its durable steps and
    /// sides, each from a folder of its own; `false` when it was cancelled.
    private func sweep(into record: inout RunRecord, _ isCancelled: @escaping () -> Bool) throws
        -> Bool
    {
        let node = workload.nodes(in: setting.scenario.topology)[0]
        let whole = try makeNode()
        guard try prepare(whole, isCancelled),
            let life = try BootSession(whole, isCancelled: isCancelled).measure()
        else { return false }
        var figures = RealBootFigures()
        figures.add(life, of: node, startedAt: .zero)
        var sweep = RealCrashSweep(node)
        for point in life.crashPoints {
            let place = try makeNode()
            guard try prepare(place, isCancelled),
                let survival = try BootSession(place, isCancelled: isCancelled).survive(point)
            else { return false }
            figures.addCutShort()
            figures.add(survival.recovered, of: node, startedAt: .zero)
            sweep.add(survival)
        }
        figures.write(into: &record)
        sweep.write(into: &record)
        return true
    }

    private func makeNode() throws -> RealNode {
        let options = setting.variant.system.initialization
        let policy = """
            boot:
              order: \(options.order.rawValue)
              concurrency-limit: \(options.concurrency)
              deadline: \(options.bootDeadline.nanoseconds) ns
              rollback-deadline: \(options.rollbackDeadline.nanoseconds) ns

            """
        return try RealNode(program: program, configuration: RealNode.freePorts + policy)
    }

    /// Gives the node what it would have from an earlier life; `false` when it was cancelled.
    private func prepare(_ node: RealNode, _ isCancelled: @escaping () -> Bool) throws -> Bool {
        switch workload.start {
        case .cold: return true
        case .warm:
            guard let life = try BootSession(node, isCancelled: isCancelled).measure() else {
                return false
            }
            guard life.ready != nil, life.problems.isEmpty else {
                let problem = life.problems.first ?? "it was never READY"
                throw RealNodeError("the life before the measured one failed: \(problem)")
            }
            return true
        }
    }
}

extension Scenario.BootWorkload.Start {
    fileprivate var text: String {
        switch self {
        case .cold: "cold: an empty folder, so that the first start makes the authority"
        case .warm: "warm: the folder of a life that ended in order"
        }
    }
}
