import Determinism
public import Measurements

/// What a campaign runs, as far as it decides about results: runs of equal plans with equal seeds
/// are the same runs.
public struct ArchivedPlan: Hashable, Sendable {
    public let scenario: String
    /// The digest of the resolved scenario.
    public let scenarioDigest: String
    /// The text of the scenario file, so that a report can be made from the archive alone.
    public let scenarioSource: String
    /// As in ``Measurements/RunRecord/commit``.
    public let commit: String
    public let environment: EnvironmentKind
    public let hardwareProfile: String
    public let hardwareDigest: String
    /// Sorted by name.
    public let dataSets: [DataSet]

    /// A data set that the runs read.
    public struct DataSet: Hashable, Sendable {
        public let name: String
        public let digest: String

        public init(name: String, digest: String) {
            self.name = name
            self.digest = digest
        }
    }

    public init(
        scenario: String,
        scenarioDigest: String,
        scenarioSource: String,
        commit: String,
        environment: EnvironmentKind,
        hardwareProfile: String,
        hardwareDigest: String,
        dataSets: [DataSet]
    ) {
        self.scenario = scenario
        self.scenarioDigest = scenarioDigest
        self.scenarioSource = scenarioSource
        self.commit = commit
        self.environment = environment
        self.hardwareProfile = hardwareProfile
        self.hardwareDigest = hardwareDigest
        self.dataSets = dataSets.sorted { ($0.name, $0.digest) < ($1.name, $1.digest) }
    }

    /// 32 hexadecimal digits over the digests of scenario, commit, environment, hardware profile and
    /// data sets. The scenario's text is not part of it: comments and layout change no result.
    public var identity: String {
        var chain = HashChain()
        chain.combine(scenarioDigest)
        chain.combine(commit)
        chain.combine(environment.rawValue)
        chain.combine(hardwareDigest)
        chain.combine(UInt64(dataSets.count))
        for set in dataSets {
            chain.combine(set.name)
            chain.combine(set.digest)
        }
        return chain.fingerprint.description
    }
}

/// A line of the archive's listing.
public struct RunListing: Hashable, Sendable {
    public let plan: String
    public let scenario: String
    public let environment: EnvironmentKind
    public let commit: String
    public let variant: String
    public let seed: UInt64
    /// `completed`, `truncated`, `failed`, `safety-violation` or `liveness-violation`.
    public let outcome: String
    public let fingerprint: String
    public let events: UInt64
    public let simulatedSeconds: Double
    public let realSeconds: Double
    /// UTC, `2026-11-22T18:40:36.000Z`.
    public let recordedAt: String
}

/// Which runs to list; every part that is `nil` matches all.
public struct RunFilter: Hashable, Sendable {
    public var scenario: String?
    public var variant: String?
    public var commit: String?
    /// The identity of a plan.
    public var plan: String?
    /// The most lines, newest first.
    public var limit: Int

    public init(
        scenario: String? = nil,
        variant: String? = nil,
        commit: String? = nil,
        plan: String? = nil,
        limit: Int = 1_000
    ) {
        precondition(limit > 0, "a listing of \(limit) runs")
        self.scenario = scenario
        self.variant = variant
        self.commit = commit
        self.plan = plan
        self.limit = limit
    }
}

/// What a query over the archive gave.
public struct QueryResult: Hashable, Sendable {
    public let columns: [String]
    /// As text; `nil` is SQL's NULL, and a blob shows as its size.
    public let rows: [[String?]]
    /// Whether more rows than were asked for exist.
    public let isTruncated: Bool

    public init(columns: [String], rows: [[String?]], isTruncated: Bool) {
        self.columns = columns
        self.rows = rows
        self.isTruncated = isTruncated
    }
}
