public import Measurements
import Scenarios

/// The registered experiments: the one place that knows all workload kinds.
public enum Replication {
    /// Runs one replication under virtual time.
    public static func simulated(
        _ setting: ReplicationSetting,
        commit: String,
        isCancelled: @escaping () -> Bool
    ) -> RunRecord {
        switch setting.scenario.workload {
        case .echo:
            SimulatedReplication<EchoExperiment>(setting, commit: commit)
                .run(isCancelled: isCancelled)
        case .bulk:
            SimulatedReplication<BulkExperiment>(setting, commit: commit)
                .run(isCancelled: isCancelled)
        case .migration:
            SimulatedReplication<MigrationExperiment>(setting, commit: commit)
                .run(isCancelled: isCancelled)
        }
    }
}
