import Benchmark
import KernelWorkloads

// For looking at changes by hand: `swift package benchmark`. What is gated runs in `kernel-gates`,
// `instructions` and `peers/run`, because ratios and counts are comparable between machines.
let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.cpuTotal, .throughput, .peakMemoryResident],
        scalingFactor: .one,
        maxDuration: .seconds(3),
        maxIterations: 50
    )
    for workload in Workload.allCases where workload != .boot && workload != .clusterBoot {
        Benchmark("\(workload.rawValue), 500,000 events") { benchmark in
            for _ in benchmark.scaledIterations {
                blackHole(workload.run(500_000).digest)
            }
        }
    }
    for workload in [Workload.boot, .clusterBoot] {
        Benchmark("\(workload.rawValue), 100 boots") { benchmark in
            for _ in benchmark.scaledIterations {
                blackHole(workload.run(100).digest)
            }
        }
    }
}
