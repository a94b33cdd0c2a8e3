import Determinism
import Effects
import HardwareModel
import Initialization
import Machines
import NodeOperations
import SimulatedEffects
import SimulationKernel
import Synchronization
import Units

/// One modelled host on which the node's operations run under virtual time.
final class OperationsWorld: Sendable {
    let executor: VirtualExecutor
    let network: SimulatedNetwork
    let host: SimulatedHost
    static let database = "/data/node.sqlite"

    init(seed: UInt64 = 1) {
        executor = VirtualExecutor(seed: seed)
        network = SimulatedNetwork(
            defaultPath: NetworkPath(roundTrip: .milliseconds(1), rate: .gigabits(1))
        )
        let profile = HardwareProfile(
            name: "test",
            measured: HardwareProfile.Provenance(machine: "none", date: "none", method: "chosen"),
            cores: 4,
            speeds: HardwareProfile.Speeds { _ in 1e9 },
            disk: HardwareProfile.Disk(write: 100e6, fsync: .milliseconds(1))
        )
        host = SimulatedHost(
            NodeID(1),
            settings: HostSettings(
                name: "alpha",
                address: "10.0.0.1",
                profile: profile,
                diskCapacity: .gibibytes(200)
            ),
            seed: seed,
            executor: executor,
            network: network
        )
    }

    var clock: VirtualEffectClock {
        VirtualEffectClock(executor, wallOrigin: host.settings.wallOrigin)
    }

    /// Runs `body` in virtual time; a test fails when it does not end.
    func run<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) throws -> Value
    {
        let result: Result<Value, any Error> = try executor.run {
            do {
                return .success(try await body())
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// A queue of a new process with its tables in place; leases of earlier processes are taken back.
    func queue(
        _ limits: TaskQueue.Limits = TaskQueue.Limits(),
        process: SimulatedProcess? = nil
    ) async throws -> TaskQueue {
        let process = process ?? host.startProcess(incarnation: 1)
        let effects = process.effects
        try await effects.files.createFolder("/data", permissions: 0o700)
        let database = try await effects.databases.open(
            OperationsWorld.database,
            busyTimeout: .seconds(1)
        )
        try await database.transaction(TaskQueue.schema)
        let queue = TaskQueue(
            database: database,
            limits: limits,
            effects: effects,
            random: SeededRandom(
                seed: UInt64(process.processID),
                entity: EntityID(.node, 1),
                purpose: "queue"
            )
        )
        try await queue.recoverAll()
        return queue
    }
}

/// A value that tests and the code under test share.
final class Shared<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>

    init(_ value: Value) { mutex = Mutex(value) }

    var value: Value { mutex.withLock { $0 } }

    @discardableResult
    func change<Result: Sendable>(_ body: (inout Value) -> Result) -> Result {
        mutex.withLock { value in body(&value) }
    }
}
