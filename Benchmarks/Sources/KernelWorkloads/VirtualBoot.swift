import Determinism
import Effects
import HardwareModel
import Initialization
import SimulatedEffects
import SimulationKernel
import Units

/// Boots of a node of twenty components by the real lifecycle under virtual time, as the laboratory's
/// workload kind `boot` does them: components compute on shared cores, wait, and ask a service.
public enum VirtualBoot {
    /// Boots nodes one after the other, each on an executor of its own; returns a digest of what ran.
    public static func nodes(_ count: Int, seed: UInt64) -> UInt64 {
        var digest: UInt64 = 0
        for number in 0..<UInt64(count) {
            digest = digest &* 31 &+ cluster(1, seed: seed &+ number)
        }
        return digest
    }

    /// Boots nodes at the same time on one executor; returns a digest of what ran.
    public static func cluster(_ count: Int, seed: UInt64) -> UInt64 {
        let executor = VirtualExecutor(seed: seed)
        let service = SharedService(
            SharedService.Configuration(
                servers: 8,
                queueLimit: 100_000,
                serviceTime: .exponential(mean: .milliseconds(4)),
                timeout: .seconds(600)
            ),
            seed: seed,
            entity: EntityID(.experiment, 0),
            executor: executor
        )
        do {
            try executor.run(jobLimit: .max) {
                await withTaskGroup(of: Void.self) { group in
                    for number in 0..<UInt32(count) {
                        group.addTask { await boot(NodeID(number), service, executor, seed) }
                    }
                }
            }
        } catch {
            preconditionFailure("a boot without waiting cycles cannot fail: \(error)")
        }
        return executor.fingerprint.low
    }

    private static func boot(
        _ node: NodeID,
        _ service: SharedService,
        _ executor: VirtualExecutor,
        _ seed: UInt64
    ) async {
        let host = SimulatedHost(
            node,
            settings: HostSettings(name: "node", address: "10.0.0.1", profile: profile),
            seed: seed,
            executor: executor,
            network: SimulatedNetwork(
                defaultPath: NetworkPath(roundTrip: .milliseconds(1), rate: .gigabits(10))
            )
        )
        let process = host.startProcess(incarnation: 0)
        let effects = process.effects
        let lifecycle: NodeLifecycle
        do {
            lifecycle = try NodeLifecycle(
                specifications.map { Part(specification: $0, host: host, service: service) },
                policy: BootPolicy(bootDeadline: .seconds(600)),
                effects: effects,
                journal: BootJournal(effects: effects),
                seed: seed,
                entity: EntityID(node)
            ) { _ in }
        } catch {
            preconditionFailure("the components are no graph: \(error)")
        }
        let outcome = await process.run { await lifecycle.run { _ in } }
        precondition(
            outcome == .stopped(left: []),
            "\(node) ended as \(String(describing: outcome))"
        )
        process.end()
    }

    private struct Part: Component {
        let specification: ComponentSpecification
        let host: SimulatedHost
        let service: SharedService

        func initialize(_ context: ComponentContext) async throws {
            try await host.processors.run(.milliseconds(10))
            try await context.effects.clock.sleep(for: specification.expectedDuration)
            if specification.phase == .pre {
                try await service.request(roundTrip: .milliseconds(1))
            }
        }
    }

    /// A chain of five, then fifteen that wait for two others each.
    private static let specifications = (0..<20).map { index in
        let below = index < 5 ? [index - 1] : [index - 3, index - 5]
        let needs: [String] = below.filter { $0 >= 0 }.map { "component-\($0)" }
        return ComponentSpecification(
            name: "component-\(index)",
            phase: BootPhase.allCases[index / 5],
            dependencies: needs,
            timeout: .seconds(600),
            expectedDuration: .milliseconds(Int64(100 + 37 * index))
        )
    }

    private static let profile = HardwareProfile(
        name: "benchmark",
        measured: HardwareProfile.Provenance(machine: "none", date: "2026-11-22", method: "set"),
        cores: 4,
        speeds: HardwareProfile.Speeds { _ in 1000 },
        disk: HardwareProfile.Disk(write: 500, fsync: .milliseconds(1))
    )
}
