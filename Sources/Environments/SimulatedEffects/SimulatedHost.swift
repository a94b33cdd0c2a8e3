import Determinism
public import Effects
public import HardwareModel
public import SimulationKernel
public import Units

/// One machine under virtual time: its disk, databases, ports and cores outlive the processes that
/// run on it, and its crashes end them all.
///
/// What is promised to survive a crash is what `FileAccess` and `Database` promise, and not more:
/// everything else is kept, torn or lost by the seed. To be used by tasks of the executor only, or
/// between its steps.
public final class SimulatedHost: @unchecked Sendable {
    // Unchecked, because every use is confined to the executor's thread.

    public let node: NodeID
    public let settings: HostSettings
    public let executor: VirtualExecutor
    public let network: SimulatedNetwork
    public let disk: SimulatedDisk
    public let databases: SimulatedDatabases
    public let processors: SharedProcessors
    public let ports = PortTable()
    /// What the wall clock shows beyond the true time.
    public var wallClockError = Interval.zero
    /// Why resources cannot be told; `nil` when they can.
    public var resourcesError: MachineError?
    /// What `resources` tells.
    public var resources: MachineResources
    /// Numbers of processes that run beside those of the node.
    public var foreignProcesses: [Int32] = []
    /// Those that have not ended, in order of their start.
    public private(set) var processes: [SimulatedProcess] = []
    /// How often the host has crashed.
    public private(set) var crashCount = 0
    let seed: UInt64
    private var nextProcessID: Int32

    public init(
        _ node: NodeID,
        settings: HostSettings,
        seed: UInt64,
        executor: VirtualExecutor,
        network: SimulatedNetwork
    ) {
        self.node = node
        self.settings = settings
        self.seed = seed
        self.executor = executor
        self.network = network
        let entity = EntityID(node)
        let device = StorageDevice(
            settings.profile,
            seed: seed,
            entity: entity,
            executor: executor
        )
        disk = SimulatedDisk(device, capacity: settings.diskCapacity, executor: executor)
        databases = SimulatedDatabases(disk, device, executor: executor)
        processors = SharedProcessors(cores: settings.profile.cores, executor: executor)
        resources = settings.resources
        nextProcessID = settings.firstProcessID
        network.add(self)
    }

    /// Starts a process, whose effects the node's code is given. Several may run at a time, as when
    /// somebody starts a node twice.
    ///
    /// - Parameter crash: where the whole host will crash.
    public func startProcess(
        incarnation: UInt32,
        crash: CrashPlan = .never
    ) -> SimulatedProcess {
        let process = SimulatedProcess(
            self,
            incarnation: incarnation,
            processID: nextProcessID,
            crash: crash
        )
        nextProcessID += 1
        processes.append(process)
        return process
    }

    /// The effects of a new process that never crashes by plan.
    public func effects(incarnation: UInt32) -> NodeEffects {
        startProcess(incarnation: incarnation).effects
    }

    /// The machine loses power and is there again: every process is over, locks and ports are free,
    /// unsynced content is kept, torn or lost.
    public func crash() {
        let ended = processes
        processes.removeAll()
        crashCount += 1
        for process in ended { process.markOver(.hostCrashed) }
        disk.crash()
        ports.releaseAll()
        processors.drop()
        for process in ended { process.wakeWatchers() }
    }

    /// Asks a listener of this host, as a client on the same machine would.
    ///
    /// - Throws: `NetworkError` when nobody listens there, the client is not let in, or the process
    ///   ended before it answered.
    public func request(
        _ request: HTTPRequest,
        port: UInt16
    ) async throws(NetworkError) -> HTTPResponse {
        let endpoint = SocketEndpoint(host: settings.name, port: port)
        guard let listener = ports.httpListener(at: port) else {
            throw NetworkError(.unreachable, endpoint)
        }
        return try await listener.answer(request, at: endpoint)
    }

    func finish(_ process: SimulatedProcess, _ ending: SimulatedProcess.Ending) {
        guard let place = processes.firstIndex(where: { $0 === process }) else { return }
        processes.remove(at: place)
        process.markOver(ending)
        disk.release(process)
        ports.releaseAll(of: process)
        process.wakeWatchers()
    }

    func isRunning(_ process: Int32) -> Bool {
        processes.contains { $0.processID == process } || foreignProcesses.contains(process)
    }
}

/// What a simulated host is.
public struct HostSettings: Sendable {
    /// Also the name by which other hosts reach it.
    public var name: String
    public var address: String
    /// Speeds of the disk, and the number of cores.
    public var profile: HardwareProfile
    /// What the machine says it has.
    public var resources: MachineResources
    public var diskCapacity: ByteCount
    /// Sorted by name.
    public var environmentVariables: [(name: String, value: String)]
    /// The calendar's time at the executor's zero.
    public var wallOrigin: WallTime
    public var firstProcessID: Int32

    /// - Parameter wallOrigin: 2026-01-01T00:00:00 UTC unless it is told.
    public init(
        name: String,
        address: String,
        profile: HardwareProfile,
        memory: ByteCount = .gibibytes(16),
        openFiles: Int = 65_536,
        rdmaDevices: [String] = [],
        diskCapacity: ByteCount = .gibibytes(64),
        environmentVariables: [(name: String, value: String)] = [],
        wallOrigin: WallTime = WallTime(unixSeconds: 1_767_225_600),
        firstProcessID: Int32 = 1000
    ) {
        precondition(firstProcessID > 0, "process \(firstProcessID)")
        self.name = name
        self.address = address
        self.profile = profile
        resources = MachineResources(
            cores: profile.cores,
            memory: memory,
            openFiles: openFiles,
            rdmaDevices: rdmaDevices.sorted()
        )
        self.diskCapacity = diskCapacity
        self.environmentVariables = environmentVariables.sorted { $0.name < $1.name }
        self.wallOrigin = wallOrigin
        self.firstProcessID = firstProcessID
    }
}
