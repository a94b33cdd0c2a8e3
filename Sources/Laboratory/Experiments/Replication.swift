public import Measurements
import Raft
import RaftDefects
import Scenarios
import SocketEnvironment
public import Units

/// The registered experiments: the one place that knows all workload kinds.
public enum Replication {
    /// Runs one replication under virtual time.
    public static func simulated(
        _ setting: ReplicationSetting,
        commit: String,
        until: Instant? = nil,
        isCancelled: @escaping () -> Bool
    ) -> RunRecord {
        switch setting.scenario.workload {
        case .echo:
            machines(EchoExperiment.self, setting, commit, until, isCancelled)
        case .bulk:
            machines(BulkExperiment.self, setting, commit, until, isCancelled)
        case .transfer:
            machines(TransferExperiment.self, setting, commit, until, isCancelled)
        case .migration:
            machines(MigrationExperiment.self, setting, commit, until, isCancelled)
        case .boot:
            BootReplication(setting, commit: commit, until: until).run(isCancelled: isCancelled)
        case .requests where setting.defect != nil:
            machines(
                RequestExperiment<DefectiveRules>.self,
                setting,
                commit,
                until,
                isCancelled
            )
        case .requests:
            machines(
                RequestExperiment<StandardRules>.self,
                setting,
                commit,
                until,
                isCancelled
            )
        }
    }

    /// An experiment of machines; traced when the setting brings a recorder.
    private static func machines<Kind: Experiment>(
        _ kind: Kind.Type,
        _ setting: ReplicationSetting,
        _ commit: String,
        _ until: Instant?,
        _ isCancelled: @escaping () -> Bool
    ) -> RunRecord {
        guard setting.recorder == nil else {
            return SimulatedReplication<TracedExperiment<Kind>>(
                setting,
                commit: commit,
                until: until
            ).run(isCancelled: isCancelled)
        }
        return SimulatedReplication<Kind>(setting, commit: commit, until: until)
            .run(isCancelled: isCancelled)
    }
}

extension Replication {
    /// Runs one replication on real sockets, one process a node, over emulated links where these can
    /// be made.
    ///
    /// - Parameters:
    ///   - environment: Sockets, or RDMA beside them.
    ///   - scenarioPath: The file that the processes read again.
    ///   - processes: Starts the processes of nodes and links.
    ///   - daemon: The command that real boots run.
    public static func onSockets(
        _ setting: ReplicationSetting,
        environment: EnvironmentKind = .sockets,
        commit: String,
        scenarioPath: String,
        processes: ProcessLauncher,
        daemon: () throws -> [String],
        isCancelled: @escaping () -> Bool
    ) throws -> RunRecord {
        switch setting.scenario.workload {
        case .echo:
            try SocketReplication<EchoExperiment>(
                setting: setting,
                environment: environment,
                commit: commit,
                processes: processes,
                scenarioPath: scenarioPath
            ).run(isCancelled: isCancelled)
        case .bulk:
            try SocketReplication<BulkExperiment>(
                setting: setting,
                environment: environment,
                commit: commit,
                processes: processes,
                scenarioPath: scenarioPath
            ).run(isCancelled: isCancelled)
        case .transfer:
            try SocketReplication<TransferExperiment>(
                setting: setting,
                environment: environment,
                commit: commit,
                processes: processes,
                scenarioPath: scenarioPath
            ).run(isCancelled: isCancelled)
        case .migration:
            try SocketReplication<MigrationExperiment>(
                setting: setting,
                environment: environment,
                commit: commit,
                processes: processes,
                scenarioPath: scenarioPath
            ).run(isCancelled: isCancelled)
        case .boot:
            try RealBootReplication(setting, commit: commit, program: daemon())
                .run(isCancelled: isCancelled)
        case .requests where setting.defect != nil:
            try SocketReplication<RequestExperiment<DefectiveRules>>(
                setting: setting,
                environment: environment,
                commit: commit,
                processes: processes,
                scenarioPath: scenarioPath
            ).run(isCancelled: isCancelled)
        case .requests:
            try SocketReplication<RequestExperiment<StandardRules>>(
                setting: setting,
                environment: environment,
                commit: commit,
                processes: processes,
                scenarioPath: scenarioPath
            ).run(isCancelled: isCancelled)
        }
    }
}
