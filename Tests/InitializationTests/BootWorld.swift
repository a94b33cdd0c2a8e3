import Determinism
import Effects
import Initialization
import Machines
import SimulationKernel
import Synchronization
import Units

/// A world for boots under virtual time: a clock, one folder of files in memory, and nothing else.
final class BootWorld: Sendable {
    let executor: VirtualExecutor
    let files = MemoryFiles()
    let crashPoints = RecordedCrashPoints()
    private let heard = Mutex<[LifecycleEvent]>([])
    private let probes = Mutex<[String]>([])

    init(seed: UInt64 = 1) {
        executor = VirtualExecutor(seed: seed)
    }

    var effects: NodeEffects {
        NodeEffects(
            clock: TestClock(clock: executor.clock),
            files: files,
            machine: Nothing(),
            network: Nothing(),
            databases: Nothing(),
            secrets: Nothing(),
            log: Nothing(),
            crashPoints: crashPoints
        )
    }

    /// What the lifecycle told, in order.
    var events: [LifecycleEvent] { heard.withLock { $0 } }
    var kinds: [LifecycleEvent.Kind] { events.map(\.kind) }
    /// What the components told, in order, for example `start database`.
    var calls: [String] { probes.withLock { $0 } }

    func note(_ call: String) {
        probes.withLock { $0.append(call) }
        executor.record(call)
    }

    /// When the node was READY.
    var readyTime: Instant? {
        events.first { if case .ready = $0.kind { true } else { false } }?.time
    }

    func lifecycle(
        _ components: [any Component],
        policy: BootPolicy = BootPolicy(),
        journal: BootJournal? = nil,
        seed: UInt64 = 1,
        listen: @escaping @Sendable (LifecycleEvent) -> Void = { _ in }
    ) throws -> NodeLifecycle {
        try NodeLifecycle(
            components,
            policy: policy,
            effects: effects,
            journal: journal ?? BootJournal(effects: effects),
            seed: seed,
            entity: EntityID(.node, 0)
        ) { [self] event in
            heard.withLock { $0.append(event) }
            executor.record("\(event.kind)")
            listen(event)
        }
    }

    /// Boots, stays READY for a while, and ends.
    func run(_ node: NodeLifecycle, serving: Interval = .zero) throws -> LifecycleOutcome {
        let clock = effects.clock
        return try executor.run {
            await node.run { _ in try? await clock.sleep(for: serving) }
        }
    }
}

struct TestClock: EffectClock {
    let clock: VirtualClock

    var now: Instant { clock.now.time }
    var wallTime: WallTime { WallTime(nanoseconds: now.nanoseconds) }

    func sleep(until deadline: Instant) async throws {
        try await clock.sleep(until: VirtualClock.Instant(deadline))
    }
}

/// Files that are always durable; can be told to fail from some operation on.
final class MemoryFiles: FileAccess {
    private let contents = Mutex<[String: [UInt8]]>([:])
    private let failure = Mutex<FileError.Reason?>(nil)

    func fail(with reason: FileError.Reason?) { failure.withLock { $0 = reason } }
    subscript(path: String) -> [UInt8]? {
        get { contents.withLock { $0[path] } }
        set { contents.withLock { $0[path] = newValue } }
    }

    private func check(_ path: String) throws(FileError) {
        if let reason = failure.withLock({ $0 }) { throw FileError(reason, path) }
    }

    func read(_ path: String, limit: Int) async throws(FileError) -> [UInt8] {
        guard let bytes = self[path] else { throw FileError(.notFound, path) }
        guard bytes.count <= limit else { throw FileError(.tooLarge(limit: limit), path) }
        return bytes
    }

    func replace(_ path: String, with bytes: [UInt8], permissions: UInt16) async throws(FileError) {
        try check(path)
        contents.withLock { $0[path] = bytes }
    }

    func append(_ bytes: [UInt8], to path: String, synced: Bool) async throws(FileError) {
        try check(path)
        contents.withLock { $0[path, default: []] += bytes }
    }

    func attributes(of path: String) async throws(FileError) -> FileAttributes? { nil }
    func names(in folder: String) async throws(FileError) -> [String] { [] }
    func createFolder(_ path: String, permissions: UInt16) async throws(FileError) {}
    func setPermissions(_ permissions: UInt16, of path: String) async throws(FileError) {}
    func remove(_ path: String) async throws(FileError) {
        contents.withLock { $0[path] = nil }
    }
    func lock(_ path: String) async throws(FileError) -> any FileLock {
        throw FileError(.denied, path)
    }
    func capacity(at path: String) async throws(FileError) -> FileCapacity {
        throw FileError(.denied, path)
    }
}

/// Remembers the places that were reached and can end the node at one of them.
final class RecordedCrashPoints: CrashPoints {
    private let state = Mutex<(reached: [CrashPoint], target: CrashPoint?)>(([], nil))

    var reached: [CrashPoint] { state.withLock { $0.reached } }
    func crash(at point: CrashPoint?) { state.withLock { $0.target = point } }

    func reached(_ point: CrashPoint) async throws {
        let isTarget = state.withLock { state in
            state.reached.append(point)
            return state.target == point
        }
        if isTarget { throw FileError(.crashed, "/") }
    }
}

/// What these tests do not use.
struct Nothing: MachineAccess, NetworkAccess, DatabaseAccess, SecretSource, LogSink {
    var processID: Int32 { 1 }
    var hostName: String { "test" }
    var environmentVariables: [(name: String, value: String)] { [] }
    func resources() async throws(MachineError) -> MachineResources {
        throw MachineError("no machine")
    }
    func usage() -> ProcessUsage {
        ProcessUsage(cpu: .zero, residentMemory: .zero, peakResidentMemory: .zero, openFiles: 0)
    }
    func isRunning(_ process: Int32) -> Bool { false }
    func randomBytes(_ count: Int) -> [UInt8] { Array(repeating: 0, count: count) }
    func write(_ line: String) {}
    func open(_ path: String, busyTimeout: Interval) async throws(DatabaseError) -> any Database {
        throw DatabaseError(.denied, path)
    }
    func serveHTTP(
        at endpoint: SocketEndpoint,
        identity: TLSIdentity?,
        limits: ListenerLimits,
        respond: @escaping @Sendable (HTTPRequest) async -> HTTPResponse
    ) async throws(NetworkError) -> any NetworkListener {
        throw NetworkError(.denied, endpoint)
    }
    func answerProbes(at endpoint: SocketEndpoint) async throws(NetworkError)
        -> any NetworkListener
    {
        throw NetworkError(.denied, endpoint)
    }
    func probe(_ endpoint: SocketEndpoint, _ plan: ProbePlan) async throws(NetworkError)
        -> PathMeasurement
    {
        throw NetworkError(.denied, endpoint)
    }
    func host<Program: Machine>(
        _ program: Program.Type,
        node: NodeID,
        at endpoint: SocketEndpoint,
        identity: TLSIdentity?,
        machine: @escaping @Sendable (Birth<Program>) -> Program,
        observe: @escaping @Sendable (Program.Event) -> Void
    ) async throws(NetworkError) -> any NetworkListener {
        throw NetworkError(.denied, endpoint)
    }
}
