public import Measurements
public import Scenarios
import Units

/// Everything the verdict of a chaos campaign follows from.
public struct ChaosCampaign: Sendable {
    public var scenario: String
    /// The names of all variants, in scenario order.
    public var variants: [String]
    /// The names of the invariants that every run must have checked.
    public var invariants: [String]
    /// Of them, those that a swarm may sample.
    public var sampled: Set<String>
    /// The seeds that were drawn to have those checked; `nil` where that is every seed's duty.
    public var checkedSeeds: Set<UInt64>?
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
        sampled = Set(scenario.invariants.filter(\.isSampled).map(\.rawValue))
        if let swarm = scenario.swarm, swarm.checked.value < 1 {
            checkedSeeds = Set(results.map(\.seed).filter { scenario.checks(seed: $0) })
        }
        sometimes = scenario.sometimes
        self.requiresCoverage = requiresCoverage
        self.results = results
        self.wanted = wanted
        self.differences = differences
    }
}

extension ChaosCampaign {
    /// The seeds that say whether all invariants hold.
    var judged: [SeedResult] {
        guard let checkedSeeds else { return results }
        return results.filter { checkedSeeds.contains($0.seed) }
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
