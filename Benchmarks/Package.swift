// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that the product's builds never fetch or compile benchmark tooling.

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
    .unsafeFlags(["-cross-module-optimization"], .when(configuration: .release)),
]

let package = Package(
    name: "novacron-lab-benchmarks",
    dependencies: [
        .package(name: "novacron-lab", path: ".."),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
    ],
    targets: [
        .target(
            name: "KernelWorkloads",
            dependencies: [
                .product(name: "Units", package: "novacron-lab"),
                .product(name: "Determinism", package: "novacron-lab"),
                .product(name: "Effects", package: "novacron-lab"),
                .product(name: "HardwareModel", package: "novacron-lab"),
                .product(name: "Initialization", package: "novacron-lab"),
                .product(name: "Machines", package: "novacron-lab"),
                .product(name: "SimulatedEffects", package: "novacron-lab"),
                .product(name: "SimulationKernel", package: "novacron-lab"),
                .product(name: "HeapModule", package: "swift-collections"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "kernel-gates",
            dependencies: ["KernelWorkloads"],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "tcp-cells",
            dependencies: [
                .product(name: "Determinism", package: "novacron-lab"),
                .product(name: "LinkModel", package: "novacron-lab"),
                .product(name: "Machines", package: "novacron-lab"),
                .product(name: "NetworkModel", package: "novacron-lab"),
                .product(name: "SimulationKernel", package: "novacron-lab"),
                .product(name: "Units", package: "novacron-lab"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "checker-times",
            dependencies: [
                .product(name: "Checkers", package: "novacron-lab"),
                .product(name: "Determinism", package: "novacron-lab"),
                .product(name: "Units", package: "novacron-lab"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "emulator-rate",
            dependencies: [
                .product(name: "LinkEmulator", package: "novacron-lab"),
                .product(name: "LinkModel", package: "novacron-lab"),
                .product(name: "NetworkModel", package: "novacron-lab"),
                .product(name: "Units", package: "novacron-lab"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "KernelBenchmarks",
            dependencies: [
                "KernelWorkloads",
                .product(name: "Benchmark", package: "benchmark"),
            ],
            path: "Benchmarks/KernelBenchmarks",
            swiftSettings: settings,
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]
        ),
    ],
    swiftLanguageModes: [.v6]
)
