public import Measurements
public import Scenarios
import Units

/// Everything the verdict of a chaos campaign follows from.
public struct ChaosCampaign: Sendable {
    public var scenario: String
    /// The names of all variants, in scenario order.
    public var variants: [String]
    /// The names of the invariants that every run must have checked; where they are sampled, every run
    /// that was drawn for it.
    public var invariants: [String]
    /// Whether the swarm draws in which seeds invariants are checked.
    public var isSampled: Bool
    /// What must have been met at least once over all seeds.
    public var sometimes: [String]
    /// Whether it is no GO when something of that was never met.
    public var requiresCoverage: Bool
    /// By seed, then in the order of variants.
    public var results: [SeedResult]
    /// Seeds of all variants that were asked for.
    public var wanted: Int
    /// Of seeds whose repetition differed: where, in words.
    public var differences: [String]

    public init(
        _ scenario: Scenario,
        variants: [String],
        requiresCoverage: Bool,
        results: [SeedResult],
        wanted: Int,
        differences: [String]
    ) {
        self.scenario = scenario.name
        self.variants = variants
        invariants = scenario.invariants.map(\.rawValue)
        isSampled = (scenario.swarm?.checked.value ?? 1) < 1
        sometimes = scenario.sometimes
        self.requiresCoverage = requiresCoverage
        self.results = results
        self.wanted = wanted
        self.differences = differences
    }
}

extension ChaosCampaign {
    /// Whether a seed that does not fail says that the invariants hold in it.
    func isChecked(_ result: SeedResult) -> Bool {
        invariants.allSatisfy { name in
            result.checks.contains { $0.name == name && $0.count > 0 }
        }
    }
}

/// Failing seeds that look like one bug.
public struct FailureGroup: Hashable, Sendable {
    public let signature: FailureSignature
    /// Where it was seen, by seed; at least one.
    public let places: [Place]
    /// What the first of them said, with its numbers.
    public let example: String
    /// When it failed first in that seed; `nil` where nobody knows.
    public let failedAt: Double?

    public struct Place: Hashable, Sendable {
        public let variant: String
        public let seed: UInt64
    }

    public var first: Place { places[0] }
}
