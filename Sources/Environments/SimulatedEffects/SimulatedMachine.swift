import Determinism
public import Effects
import Units

/// The modelled machine as one process sees it.
struct SimulatedMachine: MachineAccess {
    private let process: SimulatedProcess

    init(_ process: SimulatedProcess) {
        self.process = process
    }

    var processID: Int32 { process.processID }
    var hostName: String { process.host.settings.name }
    var environmentVariables: [(name: String, value: String)] {
        process.host.settings.environmentVariables
    }

    func resources() async throws(MachineError) -> MachineResources {
        guard process.isAlive else { throw MachineError("the host crashed") }
        if let error = process.host.resourcesError { throw error }
        return process.host.resources
    }

    /// The processor time is that of the whole host since the process started.
    func usage() -> ProcessUsage {
        ProcessUsage(
            cpu: process.host.processors.busy - process.busyAtStart,
            residentMemory: process.residentMemory,
            peakResidentMemory: process.peakResidentMemory,
            openFiles: process.openFiles
        )
    }

    func isRunning(_ process: Int32) -> Bool { self.process.host.isRunning(process) }
}

/// Random bytes from the seed: the same for the same life of the same node.
final class SimulatedSecrets: SecretSource, @unchecked Sendable {
    // Unchecked, because every use is confined to the executor's thread.
    private var random: SeededRandom

    init(seed: UInt64, node: NodeID, incarnation: UInt32) {
        random = SeededRandom(
            seed: seed,
            entity: EntityID(node),
            purpose: "secrets",
            incarnation: incarnation
        )
    }

    func randomBytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }
}

/// Keeps the first lines of a log.
public final class CollectedLog: LogSink, @unchecked Sendable {
    // Unchecked, because every use is confined to the executor's thread.

    /// In order of writing; at most `limit`.
    public private(set) var lines: [String] = []
    /// Lines that came when the log was full.
    public private(set) var dropped = 0
    public let limit: Int

    public init(limit: Int = 10_000) {
        precondition(limit >= 0, "a log of \(limit) lines")
        self.limit = limit
    }

    public func write(_ line: String) {
        if lines.count < limit { lines.append(line) } else { dropped += 1 }
    }
}
