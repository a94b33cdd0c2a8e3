import Determinism
import Effects
import HardwareModel
import SimulatedEffects
import SimulationKernel
import Units

/// One host, or two, under virtual time.
final class ModelWorld: Sendable {
    let executor: VirtualExecutor
    let network: SimulatedNetwork
    let host: SimulatedHost
    let seed: UInt64

    init(
        seed: UInt64 = 1,
        cores: Int = 2,
        fsync: Interval = .milliseconds(1),
        capacity: ByteCount = .mebibytes(1)
    ) {
        self.seed = seed
        executor = VirtualExecutor(seed: seed)
        network = SimulatedNetwork(
            defaultPath: NetworkPath(roundTrip: .milliseconds(10), rate: .megabits(100))
        )
        host = SimulatedHost(
            NodeID(0),
            settings: ModelWorld.settings(0, cores: cores, fsync: fsync, capacity: capacity),
            seed: seed,
            executor: executor,
            network: network
        )
    }

    static func settings(
        _ number: Int,
        cores: Int = 2,
        fsync: Interval = .milliseconds(1),
        capacity: ByteCount = .mebibytes(1)
    ) -> HostSettings {
        HostSettings(
            name: "node-\(number)",
            address: "10.0.0.\(number + 1)",
            profile: HardwareProfile(
                name: "test",
                measured: .init(machine: "none", date: "2026-11-22", method: "chosen for tests"),
                cores: cores,
                speeds: .init { _ in 1000 },
                // One byte takes a microsecond.
                disk: .init(write: 1, fsync: fsync)
            ),
            diskCapacity: capacity,
            environmentVariables: [("PATH", "/bin"), ("HOME", "/root")]
        )
    }

    /// Runs `body` as a process of the host, to its end or the process's.
    func run<Value: Sendable>(
        incarnation: UInt32 = 0,
        crash: CrashPlan = .never,
        _ body: @escaping @Sendable (SimulatedProcess) async -> Value
    ) throws -> Value? {
        let process = host.startProcess(incarnation: incarnation, crash: crash)
        let value = try executor.run { await process.run { await body(process) } }
        process.end()
        return value
    }
}

/// The error of a call, as text; `nil` when it succeeded.
func failure(_ body: () async throws -> Void) async -> String? {
    do {
        try await body()
        return nil
    } catch {
        return "\(error)"
    }
}

/// Collects values on the executor's one thread.
final class Collector<Value>: @unchecked Sendable {
    var values: [Value] = []

    func append(_ value: Value) { values.append(value) }
}
