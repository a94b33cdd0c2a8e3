import Determinism
import SimulationKernel

/// The workloads by name, for tools that look at one of them alone in a process.
public enum Workload: String, CaseIterable, Sendable {
    case holdQueue10k = "hold-queue-10k"
    case holdQueue1m = "hold-queue-1m"
    case holdHeap10k = "hold-heap-10k"
    case holdHeap1m = "hold-heap-1m"
    case phold = "phold-1000"
    /// Nodes of twenty components, one after the other; an event is a boot.
    case boot = "boot-20"
    /// The same at the same time, asking one service.
    case clusterBoot = "cluster-boot-20"

    /// What one process processed.
    public struct Outcome: Sendable {
        /// Processor seconds of the events alone, set-up left out.
        public var seconds: Double
        /// A digest of the order of all events.
        public var digest: UInt64
    }

    /// Sets the workload up and processes `count` events.
    public func run(_ count: Int, seed: UInt64 = 1) -> Outcome {
        var outcome = Outcome(seconds: 0, digest: 0)
        switch self {
        case .holdQueue10k, .holdQueue1m:
            let pending = self == .holdQueue10k ? 10_000 : 1_000_000
            var hold = HoldWithEventQueue(pending: pending, increments: Hold.Increments(seed: seed))
            let start = ProcessorTime.seconds
            outcome.digest = hold.run(count)
            outcome.seconds = ProcessorTime.seconds - start
        case .holdHeap10k, .holdHeap1m:
            let pending = self == .holdHeap10k ? 10_000 : 1_000_000
            var hold = HoldWithHeap(pending: pending, increments: Hold.Increments(seed: seed))
            let start = ProcessorTime.seconds
            outcome.digest = hold.run(count)
            outcome.seconds = ProcessorTime.seconds - start
        case .phold:
            var world = PholdWorld(nodes: 1000, seed: seed)
            let start = ProcessorTime.seconds
            _ = world.run(RunLimits(events: UInt64(count)))
            outcome.seconds = ProcessorTime.seconds - start
            outcome.digest = world.fingerprint.low
        case .boot, .clusterBoot:
            let start = ProcessorTime.seconds
            outcome.digest =
                self == .boot
                ? VirtualBoot.nodes(count, seed: seed) : VirtualBoot.cluster(count, seed: seed)
            outcome.seconds = ProcessorTime.seconds - start
        }
        return outcome
    }
}
