public import LinkEmulator
import SocketEnvironment
import Units

/// What the laboratory tells the emulator's process; one JSON object a line.
public enum EmulatorOrder: Sendable, Codable {
    /// First: whose links to be.
    case configure(EmulatorAssignment)
    /// Let packets pass; time zero is when the shared monotonic clock shows `origin`.
    case begin(origin: Int64)
    /// Carry out this change of the scenario's fault timeline.
    case change(Int)
    /// Answer with a report.
    case report
    /// End. So does the end of the input.
    case stop
}

/// Which links a process emulates: those of a scenario, with a replication's seed.
public struct EmulatorAssignment: Sendable, Codable {
    public var scenarioPath: String
    /// Whose TCP settings the nodes' namespaces get.
    public var variant: String
    public var seed: UInt64
    /// The ends of others' flows, which get namespaces after those of the scenario's nodes.
    public var cross: [CrossPlace]

    public init(scenarioPath: String, variant: String, seed: UInt64, cross: [CrossPlace] = []) {
        self.scenarioPath = scenarioPath
        self.variant = variant
        self.seed = seed
        self.cross = cross
    }
}

/// What the emulator's process tells the laboratory; one JSON object a line.
public enum EmulatorAnswer: Sendable, Codable {
    /// The namespaces are there: their paths and the nodes' addresses in them, by node.
    case ready(namespaces: [String], addresses: [String])
    /// Links cannot be emulated on this machine.
    case unavailable(String)
    /// The emulator cannot go on.
    case failed(String)
    /// What the links did until `nanoseconds` of the run's time.
    case report(EmulatorReport, nanoseconds: Int64)
}
