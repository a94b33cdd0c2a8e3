public import Effects
public import SimulationKernel
public import Units

/// The time of a `VirtualExecutor` as a node's effects show it.
public final class VirtualEffectClock: EffectClock {
    // A class, because every event of a node copies its clock.

    private let executor: VirtualExecutor
    private let wallOrigin: WallTime
    private let process: SimulatedProcess?

    /// - Parameter wallOrigin: the calendar's time when the executor's is zero.
    public init(_ executor: VirtualExecutor, wallOrigin: WallTime) {
        self.executor = executor
        self.wallOrigin = wallOrigin
        process = nil
    }

    /// The clock of one process: it shows the wall time of the host and sleeps only while the process
    /// lives.
    init(_ process: SimulatedProcess) {
        executor = process.host.executor
        wallOrigin = process.host.settings.wallOrigin
        self.process = process
    }

    public var now: Instant { executor.now }

    public var wallTime: WallTime {
        wallOrigin + (executor.now - .zero) + (process?.host.wallClockError ?? .zero)
    }

    public nonisolated(nonsending) func sleep(until deadline: Instant) async throws {
        guard process?.isAlive ?? true else { throw CancellationError() }
        try await executor.sleep(until: deadline)
        guard process?.isAlive ?? true else { throw CancellationError() }
    }
}
