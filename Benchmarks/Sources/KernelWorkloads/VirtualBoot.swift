import Determinism
import SimulationKernel

/// A boot of twenty components in four phases as asynchronous code under virtual time.
public enum VirtualBoot {
    /// Boots once and returns a digest of the interleaving.
    public static func run(seed: UInt64) -> UInt64 {
        let executor = VirtualExecutor(seed: seed)
        let clock = executor.clock
        do {
            try executor.run {
                for _ in 0..<4 {
                    await withTaskGroup(of: Void.self) { group in
                        for component in 0..<5 {
                            group.addTask {
                                await Task.yield()
                                try? await clock.sleep(for: .milliseconds(200 * (component + 1)))
                            }
                        }
                    }
                }
            }
        } catch {
            preconditionFailure("a boot without waiting cycles cannot fail: \(error)")
        }
        return executor.fingerprint.low
    }
}
