import DataSets
import Determinism
import Experiments
import Foundation
import HardwareModel
import LinkModel
import Measurements
import RDMAEnvironment
import Reporting
import ResultsStore
import Scenarios
import Units

/// A scenario file with everything that its runs need, read and checked.
struct Preparation {
    let path: String
    let source: String
    let scenario: Scenario
    let environment: EnvironmentKind
    let profile: HardwareProfile
    let dataSet: MemoryDataSet?
    /// What real boots took, where the workload names it.
    let recording: BootRecording?
    let provenance: Provenance
    /// The commit that was built; `HASH-dirty-DIGEST` names the changes of a work tree that differs.
    let commit: String

    /// Reads the file, its hardware profile and its data set; captures the default data set on its
    /// first use.
    ///
    /// - Parameter isAgent: A node's process archives nothing and needs no provenance.
    init(
        path: String,
        environment chosen: EnvironmentKind?,
        seed: UInt64?,
        line: ProgressLine,
        isAgent: Bool = false
    ) throws {
        self.path = path
        var scenario: Scenario
        do {
            scenario = try ScenarioFile.load(path: path, on: chosen)
            profile = try HardwareProfileFile.load(
                named: scenario.hardware,
                in: LabFolders.current.hardware
            )
        } catch {
            throw CommandFailure(code: error.exitCode, message: error.description)
        }
        // Readable a moment ago; what is archived is what was parsed unless someone edits meanwhile.
        source = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        if let seed { scenario.seed = seed }
        environment = chosen ?? scenario.environment
        try Preparation.attachTraces(to: &scenario, path: path)
        self.scenario = scenario
        if let obstacle = scenario.obstacle(on: environment) {
            throw CommandFailure(code: 65, message: "\(path): \(obstacle)")
        }
        if environment == .rdma, !scenario.crossTraffic.isEmpty {
            throw CommandFailure(
                code: 65,
                message: "\(path): cross-traffic runs in simulation and on sockets, not over RDMA"
            )
        }
        if environment == .rdma, !isAgent, !RDMASupport.current.isUsable {
            throw CommandFailure.missing("\(RDMASupport.current.text); use simulated or sockets")
        }
        if environment == .sockets, !isAgent, let obstacle = CongestionControls.obstacle(scenario) {
            throw CommandFailure.missing("\(path): \(obstacle)")
        }
        let root = LabFolders.current.root
        provenance = isAgent ? .unrecorded : Provenance.gather(root: root)
        commit = isAgent ? "agent" : provenance.commitName(root: root)
        dataSet = try Preparation.dataSet(of: scenario, line: line)
        recording = try Preparation.recording(of: scenario)
    }

    /// Gives links the traces that the file names, from names or from its folder.
    static func attachTraces(to scenario: inout Scenario, path: String) throws {
        let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        let base = folder.isEmpty ? "." : folder.joined(separator: "/")
        try scenario.attachTraces { reference in
            let trace = try DatasetCommand.attempt { () throws(DataSetError) in
                try DatasetCommand.catalogue.trace(
                    reference.name,
                    from: base,
                    ending: reference.ending
                )
            }
            if let wanted = reference.digest, wanted != trace.digest {
                throw CommandFailure(
                    code: 66,
                    message: "\(path): the trace '\(reference.name)' has the content "
                        + "\(trace.digest), the file demands \(wanted)"
                )
            }
            return trace
        }
        try checkTraces(of: scenario, path: path)
    }

    /// A fault takes rate away: a trace that carries more than the link itself is none.
    private static func checkTraces(of scenario: Scenario, path: String) throws {
        for rule in scenario.faults {
            guard case .link(.trace(let reference, let trace?), let direction) = rule.action else {
                continue
            }
            let links = scenario.linkCandidates(for: rule.selection, direction: direction)
            for ends in links.flatMap({ $0 }) {
                let own =
                    ends.from == ends.to
                    ? scenario.topology.regions[Int(ends.from.rawValue)].local.rate
                    : scenario.topology.link(from: ends.from, to: ends.to)?.path.rate
                // Opportunities have no highest rate.
                let most =
                    trace.peak.isFinite ? trace.peak : Double(trace.mean.bitsPerSecond)
                guard let own, most > Double(own.bitsPerSecond) else { continue }
                throw CommandFailure(
                    code: 65,
                    message:
                        "\(path): the trace '\(reference.name)' carries "
                        + "\(BitRate(bitsPerSecond: Int64(most))), more than the \(own) of a link "
                        + "that should follow it"
                )
            }
        }
    }

    /// As `attachTraces`, with the error as a value.
    static func traceProblem(_ scenario: inout Scenario, path: String) -> CommandFailure? {
        do {
            try attachTraces(to: &scenario, path: path)
            return nil
        } catch {
            return error as? CommandFailure ?? CommandFailure(code: 66, message: "\(error)")
        }
    }

    private static func dataSet(of scenario: Scenario, line: ProgressLine) throws -> MemoryDataSet?
    {
        guard case .migration(let workload) = scenario.workload else { return nil }
        defer { line.clear() }
        return try DatasetCommand.attempt { () throws(DataSetError) in
            try DatasetCommand.catalogue.resolve(
                workload.memory.dataset,
                progress: { DatasetCommand.show($0, on: line) },
                isCancelled: { Interrupt.isRequested }
            )
        }
    }

    private static func recording(of scenario: Scenario) throws -> BootRecording? {
        guard case .boot(let workload) = scenario.workload,
            case .node(let costs?) = workload.graph
        else { return nil }
        return try DatasetCommand.attempt { () throws(DataSetError) in
            try DatasetCommand.catalogue.bootRecording(costs)
        }
    }

    /// What the archive calls these runs.
    var plan: ArchivedPlan {
        ArchivedPlan(
            scenario: scenario.name,
            scenarioDigest: scenario.digest,
            scenarioSource: source,
            commit: commit,
            environment: environment,
            hardwareProfile: profile.name,
            hardwareDigest: profile.digest.description,
            dataSets: (dataSet.map {
                [ArchivedPlan.DataSet(name: $0.name, digest: $0.digest.description)]
            } ?? [])
                + (recording.map { [ArchivedPlan.DataSet(name: $0.name, digest: $0.digest)] } ?? [])
        )
    }

    /// Where every run counts, none may be left unchecked.
    func refuseSampledInvariants() throws {
        guard let swarm = scenario.swarm, swarm.checked.value < 1 else { return }
        throw CommandFailure(
            code: 65,
            message: "\(path): 'swarm.checked' leaves invariants unchecked in some seeds, "
                + "which only 'novalab chaos' takes account of; without it all are checked"
        )
    }

    func setting(
        _ variant: Scenario.Variant,
        seed: UInt64,
        digest: String? = nil
    ) -> ReplicationSetting {
        ReplicationSetting(
            scenario: scenario,
            variant: variant,
            seed: seed,
            profile: profile,
            dataSet: dataSet,
            recording: recording,
            digest: digest
        )
    }

    /// The command that repeats one replication.
    func replayCommand(variant: String?, seed: UInt64) -> String {
        let chosen = variant.map { " --variant \($0)" } ?? ""
        return "novalab replay \(path) --seed \(seed)\(chosen)"
    }
}
