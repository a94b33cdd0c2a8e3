/// Where the machines of a run live.
public enum EnvironmentKind: String, Hashable, Sendable, Codable, CaseIterable {
    /// Virtual clock, modelled links, modelled hardware.
    case simulated
    /// Real TCP, one process a node: over links that an emulator shapes where it may, over the loopback
    /// interface where it may not.
    case sockets
    /// As `sockets`, with streams over RDMA where both nodes have a device.
    case rdma

    /// Whether links always have the rate, delay and loss that the scenario asks for. On sockets each
    /// run says whether they had; see ``RunRecord/isShaped``.
    public var isShaped: Bool {
        switch self {
        case .simulated: true
        case .sockets, .rdma: false
        }
    }
}

/// One metric: its single definition, which every report prints beside the figure.
public struct MetricDefinition: Hashable, Sendable {
    /// The name that scenarios, the archive and reports use, for example `migration-time`.
    public let name: String
    public let unit: MetricUnit
    public let direction: Direction
    /// What is measured, in words.
    public let definition: String
    /// The bound that no honest value passes, in words.
    public let boundDescription: String
    /// On which side of a value its physical bound lies; `nil` when physics states none.
    public let boundSide: BoundSide?
    /// Whether every run must state the bound's figure; a value that lacks it cannot be checked and
    /// is not judged as passed.
    public let requiresBound: Bool
    /// Values outside are impossible in any run, whatever bound the run states.
    public let possibleRange: ClosedRange<Double>
    /// The environments in which the metric can be measured at all.
    public let environments: [EnvironmentKind]
    /// Whether the value depends on rate, delay or loss of the network; unshaped runs do not judge it.
    public let isNetworkDependent: Bool
    /// The fewest samples that a replication must hold for its value to count.
    public let minimumSamples: Int
    public let gating: Gating

    /// Which way is better.
    public enum Direction: String, Hashable, Sendable, Codable {
        case higherIsBetter = "higher is better"
        case lowerIsBetter = "lower is better"
    }

    /// Whether a scenario's target may rest on the metric.
    public enum Gating: Hashable, Sendable {
        /// A target may name it.
        case alone
        /// A target may name it only when another target names this metric too.
        case onlyBeside(String)
        /// It is printed and never gated.
        case never
    }

    public init(
        name: String,
        unit: MetricUnit,
        direction: Direction,
        definition: String,
        boundDescription: String,
        boundSide: BoundSide?,
        requiresBound: Bool = false,
        possibleRange: ClosedRange<Double> = 0...Double.greatestFiniteMagnitude,
        environments: [EnvironmentKind] = EnvironmentKind.allCases,
        isNetworkDependent: Bool,
        minimumSamples: Int = 1,
        gating: Gating = .alone
    ) {
        precondition(minimumSamples >= 1, "metric \(name) needs at least one sample to be a metric")
        self.name = name
        self.unit = unit
        self.direction = direction
        self.definition = definition
        self.boundDescription = boundDescription
        self.boundSide = boundSide
        self.requiresBound = requiresBound
        self.possibleRange = possibleRange
        self.environments = environments
        self.isNetworkDependent = isNetworkDependent
        self.minimumSamples = minimumSamples
        self.gating = gating
    }
}
