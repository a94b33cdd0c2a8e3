import DeltaEncoding
import Determinism
import Effects
public import Initialization
import Migration
import NodeFoundation
import Synchronization
import Units

/// `dwcp.encoding`: delta encoding (HDE) with the settings' level, checked once by encoding and
/// decoding pages.
public final class EncodingComponent: Component {
    public let specification = ComponentSpecification(
        name: "dwcp.encoding",
        phase: .core,
        dependencies: ["configuration"],
        criticality: .degrade,
        timeout: .seconds(5)
    )
    private let isChecked = Mutex(false)

    public init() {}

    public func initialize(_ context: ComponentContext) async throws {
        let level = try context.require(NodeKeys.configuration).dwcp.compressionLevel
        guard let compression = EncodingConfiguration.Compression(rawValue: level) else {
            throw EncodingFault.unknownLevel(level)
        }
        let encoding = EncodingConfiguration(form: .hierarchical, compression: compression)
        var random = context.random("encoding check")
        try EncodingCheck(encoding).run(&random)
        isChecked.withLock { $0 = true }
        context.provide(PlatformKeys.encoding, encoding)
    }

    public func stop(_ context: ComponentContext) async {
        isChecked.withLock { $0 = false }
    }

    public func healthCheck(_ context: ComponentContext) async -> ComponentHealth {
        isChecked.withLock { $0 } ? .healthy : .unhealthy("it has not been checked")
    }
}

/// `dwcp.transport`: takes migrations of other nodes over parallel streams (AMST) with delta
/// encoding. When it cannot start, `dwcp.single-stream` takes them over one plain stream.
public final class TransportComponent: Component {
    public let specification = ComponentSpecification(
        name: "dwcp.transport",
        phase: .core,
        dependencies: ["configuration"],
        optionalDependencies: ["dwcp.encoding"],
        criticality: .degrade,
        timeout: .seconds(10)
    )
    public var fallbacks: [any Component] { [SingleStreamComponent()] }
    private let holder = ReceiverHolder()

    public init() {}

    public func initialize(_ context: ComponentContext) async throws {
        guard let encoding = try context.find(PlatformKeys.encoding) else {
            throw TransportFault.noEncoding
        }
        let plan = try TransportPlan.full(
            try context.require(NodeKeys.configuration),
            encoding,
            try await context.effects.machine.resources()
        )
        try await holder.open(plan, context)
    }

    public func stop(_ context: ComponentContext) async { await holder.close() }

    public func healthCheck(_ context: ComponentContext) async -> ComponentHealth {
        holder.health(at: context.effects.clock.wallTime)
    }
}

/// `dwcp.single-stream`: migrations over one plain stream, pages as they are.
final class SingleStreamComponent: Component {
    let specification = ComponentSpecification(
        name: "dwcp.single-stream",
        phase: .core,
        criticality: .degrade,
        timeout: .seconds(10),
        retry: RetryPolicy(attempts: 3, delay: .milliseconds(200), jitter: 0.1)
    )
    private let holder = ReceiverHolder()

    func initialize(_ context: ComponentContext) async throws {
        let resources = try await context.effects.machine.resources()
        try await holder.open(TransportPlan.single(resources), context)
    }

    func stop(_ context: ComponentContext) async { await holder.close() }

    func healthCheck(_ context: ComponentContext) async -> ComponentHealth {
        let health = holder.health(at: context.effects.clock.wallTime)
        return health == .healthy ? .degraded("one plain stream, without encoding") : health
    }
}

/// What both kinds of transport have in common.
private final class ReceiverHolder: Sendable {
    private struct Opened {
        let receiver: MigrationReceiver
        /// Of the certificates, where there is TLS.
        let end: WallTime?
    }

    private let opened = Mutex<Opened?>(nil)

    func health(at now: WallTime) -> ComponentHealth {
        guard let opened = opened.withLock({ $0 }) else { return .unhealthy("it does not listen") }
        guard let end = opened.end, end <= now else { return .healthy }
        return .unhealthy("its certificates ended on \(end.date)")
    }

    func open(_ plan: MigrationConfiguration, _ context: ComponentContext) async throws {
        let configuration = try context.require(NodeKeys.configuration)
        let shown = try await StreamIdentity.read(configuration, context.effects)
        let receiver = try await MigrationReceiver.open(
            plan,
            node: NodeID(named: configuration.name),
            at: configuration.dwcp.endpoint,
            identity: shown?.identity,
            context.effects.network
        )
        opened.withLock { $0 = Opened(receiver: receiver, end: shown?.end) }
        context.provide(PlatformKeys.transport, receiver)
    }

    func close() async {
        let last = opened.withLock { opened in
            defer { opened = nil }
            return opened
        }
        await last?.receiver.close()
    }
}
