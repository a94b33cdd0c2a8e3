public import Measurements
public import Units

/// One experiment as a scenario file describes it: validated, with every default filled in.
///
/// Two files that mean the same give equal values, whatever their layout, anchors or shorthand;
/// locations in the file are not part of the value. The format is described in
/// `docs/scenario-language.md`.
public struct Scenario: Hashable, Sendable {
    /// The version of the scenario language; 1 is the only one.
    public static let languageVersion = 1

    /// Identifies the experiment in the archive and in reports.
    public var name: String
    /// The seed of the first replication; the others use the following seeds.
    public var seed: UInt64
    public var environment: EnvironmentKind
    /// The name of a file under `scenarios/hardware/`, without its extension.
    public var hardware: String
    public var topology: Topology
    public var workload: Scenario.Workload
    /// The configuration that the variants patch.
    public var system: Scenario.SystemConfiguration
    /// At least one; a file without `variants` has a single one named `default`.
    public var variants: [Variant]
    public var faults: [FaultRule]
    public var invariants: [Invariant]
    public var targets: [Target]
    public var budget: Budget
    /// What a chaos campaign must have met at least once over all its seeds: kinds of markers, or
    /// the texts of markers that are made for it. Decides nothing about a single run.
    public var sometimes: [String] = []
    /// Flows beside those of the nodes.
    public var crossTraffic: [CrossTraffic] = []
    /// Whether links outside the calibration envelope keep a simulation from a GO.
    public var envelope = EnvelopeUse.judged
    /// What faults may do so that the system can recover; `nil` leaves them unbounded.
    public var recovery: Recovery?
    /// What each seed draws anew; `nil` for nothing.
    public var swarm: Swarm?
    /// Where a seed has drawn this scenario from a swarm: from which, and what.
    public var drawing: Drawing?

    /// What the calibration envelope means for the verdict.
    public enum EnvelopeUse: String, Hashable, Sendable, CaseIterable {
        /// Links outside of it cap the verdict at INCONCLUSIVE.
        case judged
        /// They do not, and the report says so first.
        case ignore
    }

    /// A named configuration of the system under test.
    public struct Variant: Hashable, Sendable {
        /// The variant of a file that names none.
        public static let defaultName = "default"

        public var name: String
        /// The complete configuration: `system` with this variant's patch merged in.
        public var system: Scenario.SystemConfiguration

        public init(name: String, system: Scenario.SystemConfiguration) {
            self.name = name
            self.system = system
        }
    }

    /// A property that every run must keep; a violation is a NO-GO whatever the targets say.
    public enum Invariant: String, Hashable, Sendable, CaseIterable {
        /// Every answered echo came back unchanged, also across crashes.
        case echoesAnsweredUnchanged = "echoes-answered-unchanged"
        /// Every acknowledged write is there after recovery.
        case acknowledgedWritesSurvive = "acknowledged-writes-survive"
        /// The receiver holds the bytes that were sent, in order, each once.
        case transferIdentical = "transfer-identical"
        /// The destination's whole memory equals the source's at the pause, byte for byte.
        case memoryIdenticalAfterMigration = "memory-identical-after-migration"
        /// Each boot ended as the criticality of what failed in it says.
        case bootOutcomeMatchesCriticality = "boot-outcome-matches-criticality"
        /// After a rollback or an orderly end nothing of the node is held or runs.
        case rollbackLeavesNothing = "rollback-leaves-nothing"
        /// After every crash that was put at a point the next boot was READY.
        case bootSurvivesCrashPoints = "boot-survives-crash-points"
        /// After a crash the node has the certificate authority that it had before.
        case identitySurvivesCrashes = "identity-survives-crashes"
        /// After a crash the database is sound and has all of a migration or none.
        case noHalfMigration = "no-half-migration"
        /// What clients saw could have happened one request after another (Herlihy and Wing, 1990).
        case linearizable
        /// The properties of Raft that hold at every step (Ongaro and Ousterhout, 2014, figure 3).
        case raftSafety = "raft-safety"
        /// Every acknowledged command took effect once.
        case commandsAppliedOnce = "commands-applied-once"
        /// Once faults have ended and requests have stopped, replicas of a group hold the same.
        case replicasConverge = "replicas-converge"
        /// Once faults have ended, requests are answered again within bounded time.
        case progressAfterHeal = "progress-after-heal"
        /// A node that starts again finds what its disk had acknowledged, unless a fault took it.
        case durableRecordsSurvive = "durable-records-survive"
        /// While one partition stands that leaves a replica in touch with a majority, requests are answered
        /// again within bounded time, and nobody else is elected after it.
        case progressUnderPartition = "progress-under-partition"
        /// No link carried more than its rate.
        case linkRateRespected = "link-rate-respected"
    }

    public init(
        name: String,
        seed: UInt64,
        environment: EnvironmentKind,
        hardware: String,
        topology: Topology,
        workload: Scenario.Workload,
        system: Scenario.SystemConfiguration,
        variants: [Variant],
        faults: [FaultRule],
        invariants: [Invariant],
        targets: [Target],
        budget: Budget
    ) {
        self.name = name
        self.seed = seed
        self.environment = environment
        self.hardware = hardware
        self.topology = topology
        self.workload = workload
        self.system = system
        self.variants = variants
        self.faults = faults
        self.invariants = invariants
        self.targets = targets
        self.budget = budget
    }

    /// The variant of that name, or `nil`.
    public func variant(named name: String) -> Variant? {
        variants.first { $0.name == name }
    }

    /// The longest virtual time a run may take; it bounds fault planning and the simulation.
    public var horizon: Interval { workload.horizon }
}
