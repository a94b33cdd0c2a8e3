public import Units

/// What the framework must know of a component before it runs: its place in the graph and the
/// policies for its failures.
public struct ComponentSpecification: Hashable, Sendable {
    /// Unique in its graph, for example `database`; sub-components are named `dwcp.transport`.
    public var name: String
    public var phase: BootPhase
    /// Components that must be ready before this one starts. When one of them is not there in the
    /// end, this component fails without being tried.
    public var dependencies: [String]
    /// Components that this one waits for and does without when they fail.
    public var optionalDependencies: [String]
    public var criticality: Criticality
    /// Of one attempt: initialization and start together.
    public var timeout: Interval
    public var retry: RetryPolicy
    /// Whether the node is READY only once this component is. One that does not hold readiness loads
    /// in the background, off the critical path.
    public var holdsReadiness: Bool
    /// About how long it takes; among components that could start, those with the longest way to the
    /// end go first when the concurrency limit holds some back. Zero when nobody knows.
    public var expectedDuration: Interval

    public init(
        name: String,
        phase: BootPhase,
        dependencies: [String] = [],
        optionalDependencies: [String] = [],
        criticality: Criticality = .halt,
        timeout: Interval = .seconds(10),
        retry: RetryPolicy = .none,
        holdsReadiness: Bool = true,
        expectedDuration: Interval = .zero
    ) {
        self.name = name
        self.phase = phase
        self.dependencies = dependencies
        self.optionalDependencies = optionalDependencies
        self.criticality = criticality
        self.timeout = timeout
        self.retry = retry
        self.holdsReadiness = holdsReadiness
        self.expectedDuration = expectedDuration
    }
}

/// The four phases of a boot, in order. Components wait for their dependencies, not for phases; a
/// phase says how a boot is reported and which way dependencies may point.
public enum BootPhase: String, Hashable, Sendable, CaseIterable, Codable, Comparable {
    /// Environment, configuration, logger, resources.
    case pre
    /// Security, database, cache, network, DWCP.
    case core
    /// Orchestration, interfaces, monitoring.
    case service
    /// Health checks, metrics, discovery, background jobs.
    case post

    public static func < (left: BootPhase, right: BootPhase) -> Bool {
        left.index < right.index
    }

    /// Counted from zero.
    public var index: Int {
        switch self {
        case .pre: 0
        case .core: 1
        case .service: 2
        case .post: 3
        }
    }
}

/// What the failure of a component, with its retries and fallbacks used up, means for the boot.
public enum Criticality: String, Hashable, Sendable, CaseIterable, Codable {
    /// The boot ends and is rolled back.
    case halt
    /// The node runs without the component and says that it is degraded.
    case degrade
    /// The node runs without the component; the log says so.
    case warn
}

/// How often and when a failed attempt is repeated.
public struct RetryPolicy: Hashable, Sendable {
    /// Attempts in all; at least one.
    public var attempts: Int
    /// Before the second attempt.
    public var delay: Interval
    /// By which each further delay grows; at least one.
    public var factor: Double
    public var maximumDelay: Interval
    /// Each delay is drawn uniformly from `delay · (1 ± jitter)`; in 0...1.
    public var jitter: Double

    public init(
        attempts: Int,
        delay: Interval = .seconds(1),
        factor: Double = 2,
        maximumDelay: Interval = .seconds(30),
        jitter: Double = 0
    ) {
        precondition(attempts >= 1, "\(attempts) attempts")
        precondition(factor >= 1, "delays would shrink by \(factor)")
        precondition((0...1).contains(jitter), "jitter \(jitter)")
        self.attempts = attempts
        self.delay = delay
        self.factor = factor
        self.maximumDelay = maximumDelay
        self.jitter = jitter
    }

    /// One attempt.
    public static let none = RetryPolicy(attempts: 1)
    /// The plans' policy: three attempts, one second, doubled; spread by a tenth so that nodes that
    /// failed together do not come back together.
    public static let standard = RetryPolicy(attempts: 3, jitter: 0.1)

    /// The delay after the failed attempt of that number, counted from one, before jitter.
    public func delay(afterAttempt attempt: Int) -> Interval {
        var delay = min(self.delay, maximumDelay)
        for _ in 1..<max(1, attempt) where delay < maximumDelay {
            delay = min(delay.scaled(by: factor), maximumDelay)
        }
        return delay
    }
}
