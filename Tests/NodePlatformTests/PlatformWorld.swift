import Effects
import HardwareModel
import Initialization
import NodeFoundation
import NodePlatform
import SimulatedEffects
import SimulationKernel
import Synchronization
import Units

/// One modelled host on which a node's platform boots under virtual time.
final class PlatformWorld: Sendable {
    let executor: VirtualExecutor
    let host: SimulatedHost
    static let security = "/data/security"

    /// What one boot showed.
    struct Boot: Sendable {
        /// `nil` when the host crashed.
        var outcome: LifecycleOutcome?
        var events: [LifecycleEvent.Kind] = []
        /// While the node served.
        var health: [HealthReport] = []

        var isReady: Bool { outcome == .stopped(left: []) }

        /// Components that are missing or replaced; `nil` when the node was never READY.
        var degraded: [String]? {
            for event in events {
                if case .ready(let degraded) = event { return degraded }
            }
            return nil
        }

        /// Why the boot failed, as `component: reason`.
        var failure: String? {
            if case .failed(let component, let reason, let left) = outcome, left.isEmpty {
                "\(component): \(reason)"
            } else {
                nil
            }
        }

        /// Why a component's attempts failed.
        func reasons(_ name: String) -> [String] {
            events.compactMap { event in
                if case .attemptFailed(name, _, let reason) = event { reason } else { nil }
            }
        }
    }

    init(seed: UInt64 = 1, openFiles: Int = 65_536) {
        executor = VirtualExecutor(seed: seed)
        let network = SimulatedNetwork(
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
                openFiles: openFiles
            ),
            seed: seed,
            executor: executor,
            network: network
        )
    }

    static var configuration: NodeConfiguration {
        var configuration = NodeConfiguration(name: "alpha", dataDirectory: "/data")
        configuration.dwcp.streams = 4
        return configuration
    }

    static let migrations = [
        SchemaMigration(
            "first",
            [
                SQLStatement("CREATE TABLE a (x INTEGER) STRICT"),
                SQLStatement("INSERT INTO a VALUES (?)", [.integer(7)]),
            ]
        ),
        SchemaMigration("second", [SQLStatement("CREATE TABLE b (y TEXT) STRICT")]),
    ]

    /// Everything of this room, on the real first components.
    static func all(
        _ configuration: NodeConfiguration = PlatformWorld.configuration,
        migrations: [SchemaMigration] = PlatformWorld.migrations
    ) -> [any Component] {
        [
            ConfigurationDouble(configuration), InstanceLockComponent(), AuthorityComponent(),
            CertificateComponent(), DatabaseComponent(), MigrationsComponent(migrations),
            CacheComponent(), ControlComponent(), ProbesComponent(), EncodingComponent(),
            TransportComponent(),
        ]
    }

    /// Configuration, lock, authority, certificate.
    static func security(
        _ configuration: NodeConfiguration = PlatformWorld.configuration
    ) -> [any Component] {
        Array(all(configuration).prefix(4))
    }

    /// One life of a node; `serve` runs while it is READY.
    func boot(
        _ components: [any Component],
        incarnation: UInt32 = 0,
        crash: CrashPlan = .never,
        serve: @escaping @Sendable (NodeLifecycle, NodeEffects) async -> Void = { _, _ in }
    ) throws -> (boot: Boot, process: SimulatedProcess) {
        let process = host.startProcess(incarnation: incarnation, crash: crash)
        let seen = Shared(Boot())
        let effects = process.effects
        let lifecycle = try NodeLifecycle(
            components,
            policy: BootPolicy(),
            effects: effects,
            journal: BootJournal(effects: effects),
            seed: 1,
            entity: EntityID(.node, 1)
        ) { event in
            seen.change { $0.events.append(event.kind) }
        }
        let outcome = try executor.run {
            await process.run {
                await lifecycle.run { node in
                    await serve(node, effects)
                    let health = await node.health(timeout: .seconds(5))
                    seen.change { $0.health = health }
                }
            }
        }
        process.end()
        seen.change { $0.outcome = outcome }
        return (seen.value, process)
    }

    /// What a file of the security folder holds.
    func file(_ name: String) -> String? {
        host.disk.contents(of: "\(PlatformWorld.security)/\(name)")
            .map { String(decoding: $0, as: UTF8.self) }
    }
}

/// Hands out a configuration as though it had been read.
struct ConfigurationDouble: Component {
    let specification = ComponentSpecification(name: "configuration", phase: .pre)
    let configuration: NodeConfiguration

    init(_ configuration: NodeConfiguration) { self.configuration = configuration }

    func initialize(_ context: ComponentContext) async throws {
        context.provide(NodeKeys.configuration, configuration)
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
