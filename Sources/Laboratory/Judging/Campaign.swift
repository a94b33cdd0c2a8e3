public import Measurements
public import Scenarios

/// Everything a verdict follows from: what was asked and what every replication left behind.
public struct Campaign: Sendable {
    public var scenario: String
    public var environment: EnvironmentKind
    /// Whether what the nodes do crosses the scenario's links; where it does, a run without them cannot
    /// give a GO.
    public var usesLinks = true
    public var targets: [Target]
    /// The names of all variants, in scenario order.
    public var variants: [String]
    /// The names of the invariants that every run must have checked.
    public var invariants: [String]
    public var replications: Budget.Replications
    /// In any order; the judge goes by variant and seed.
    public var runs: [RunRecord]
    /// What running the same seed again gave; `nil` when nothing was run twice.
    public var determinism: DeterminismCheck?
    /// Whether the links are calibrated; `nil` where no simulated TCP is judged.
    public var envelope: EnvelopeFinding?

    public init(
        scenario: String,
        environment: EnvironmentKind,
        targets: [Target],
        variants: [String],
        invariants: [String],
        replications: Budget.Replications,
        runs: [RunRecord],
        determinism: DeterminismCheck? = nil
    ) {
        self.scenario = scenario
        self.environment = environment
        self.targets = targets
        self.variants = variants
        self.invariants = invariants
        self.replications = replications
        self.runs = runs
        self.determinism = determinism
    }

    /// The campaign of a scenario; `environment` may differ from the file's (`--on sockets`).
    public init(
        _ scenario: Scenario,
        environment: EnvironmentKind,
        runs: [RunRecord],
        determinism: DeterminismCheck? = nil
    ) {
        self.init(
            scenario: scenario.name,
            environment: environment,
            targets: scenario.targets,
            variants: scenario.variants.map(\.name),
            invariants: scenario.invariants.map(\.rawValue),
            replications: scenario.budget.replications,
            runs: runs,
            determinism: determinism
        )
        usesLinks = scenario.workload.usesLinks
    }

    /// Whether the links of every run had the rate, delay and loss of the scenario. Targets that depend
    /// on the network are not judged where they had not.
    public var isShaped: Bool {
        let counted = runs.filter { $0.outcome != .interrupted }
        return environment.isShaped || !counted.isEmpty && counted.allSatisfy(\.isShaped)
    }

    /// The runs of `variant` that count as replications, in seed order.
    func replications(of variant: String) -> [RunRecord] {
        runs.filter { $0.key.variant == variant && $0.outcome != .interrupted }
            .sorted { $0.key.seed < $1.key.seed }
    }
}

/// Runs that were repeated with the same seed, and whether their fingerprints agreed.
public struct DeterminismCheck: Hashable, Sendable {
    public let compared: Int
    public let equal: Int
    /// The first seed, variant and checkpoint that differed, in words; `nil` when all were equal.
    public let firstDifference: String?

    /// Traps when more were equal than compared.
    public init(compared: Int, equal: Int, firstDifference: String? = nil) {
        precondition(equal <= compared, "\(equal) of \(compared) runs equal")
        self.compared = compared
        self.equal = equal
        self.firstDifference = firstDifference
    }
}
