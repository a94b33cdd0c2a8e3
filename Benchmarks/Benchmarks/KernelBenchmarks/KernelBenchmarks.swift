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
    for workload in Workload.allCases {
        Benchmark("\(workload.rawValue), 500,000 events") { benchmark in
            for _ in benchmark.scaledIterations {
                blackHole(workload.run(500_000).digest)
            }
        }
    }
    Benchmark("virtual-boot, 100 boots of 20 components") { benchmark in
        for iteration in benchmark.scaledIterations {
            for boot in 0..<100 as Range<UInt64> {
                blackHole(VirtualBoot.run(seed: UInt64(iteration) << 8 | boot))
            }
        }
    }
}
