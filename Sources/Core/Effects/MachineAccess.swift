public import Units

/// The machine and the process that the code runs in.
public protocol MachineAccess: Sendable {
    var processID: Int32 { get }
    var hostName: String { get }
    /// The process's environment variables, sorted by name.
    var environmentVariables: [(name: String, value: String)] { get }
    func resources() async throws(MachineError) -> MachineResources
    func usage() -> ProcessUsage
    /// Whether a process with this number lives.
    func isRunning(_ process: Int32) -> Bool
}

/// What a machine has.
public struct MachineResources: Hashable, Sendable {
    public var cores: Int
    public var memory: ByteCount
    /// The most files and sockets that this process may have open.
    public var openFiles: Int
    /// Names of RDMA devices, sorted; empty when there are none.
    public var rdmaDevices: [String]

    public init(cores: Int, memory: ByteCount, openFiles: Int, rdmaDevices: [String]) {
        self.cores = cores
        self.memory = memory
        self.openFiles = openFiles
        self.rdmaDevices = rdmaDevices
    }
}

/// What a process has used since its start.
public struct ProcessUsage: Hashable, Sendable, Codable {
    /// User and system time of all threads.
    public var cpu: Interval
    public var residentMemory: ByteCount
    public var peakResidentMemory: ByteCount
    public var openFiles: Int

    public init(
        cpu: Interval,
        residentMemory: ByteCount,
        peakResidentMemory: ByteCount,
        openFiles: Int
    ) {
        self.cpu = cpu
        self.residentMemory = residentMemory
        self.peakResidentMemory = peakResidentMemory
        self.openFiles = openFiles
    }
}

/// A fact about the machine could not be had.
public struct MachineError: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String

    public init(_ description: String) {
        self.description = description
    }
}

/// Where lines of the log go. Writing never suspends; lines that cannot be written are dropped and
/// counted by the sink.
public protocol LogSink: Sendable {
    /// One record, without the line's end.
    func write(_ line: String)
}

/// Random bytes for keys and identifiers. In simulation they come from the seed.
public protocol SecretSource: Sendable {
    func randomBytes(_ count: Int) -> [UInt8]
}
