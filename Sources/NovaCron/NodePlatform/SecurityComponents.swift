import Effects
public import Initialization
import NodeFoundation
import Synchronization
import Units

/// `security.authority`: the authority of this node, made on its first start.
public final class AuthorityComponent: Component {
    public let specification = ComponentSpecification(
        name: "security.authority",
        phase: .core,
        dependencies: ["configuration", "instance-lock"],
        criticality: .halt,
        timeout: .seconds(10)
    )
    private let authority = Mutex<CertificateAuthority?>(nil)

    public init() {}

    public func initialize(_ context: ComponentContext) async throws {
        let opened = try await CertificateAuthority.open(
            try context.require(NodeKeys.configuration),
            context.effects,
            context.journal
        )
        authority.withLock { $0 = opened }
        context.provide(PlatformKeys.authority, opened)
    }

    public func stop(_ context: ComponentContext) async {
        authority.withLock { $0 = nil }
    }

    public func healthCheck(_ context: ComponentContext) async -> ComponentHealth {
        guard let authority = authority.withLock({ $0 }) else {
            return .unhealthy("it has not been read")
        }
        return context.effects.clock.wallTime < authority.end
            ? .healthy : .unhealthy("the authority ended on \(authority.end.date)")
    }
}

/// `security.certificate`: the node's key and certificate, renewed when they end soon.
public final class CertificateComponent: Component {
    public let specification = ComponentSpecification(
        name: "security.certificate",
        phase: .core,
        dependencies: ["configuration", "security.authority"],
        criticality: .halt,
        timeout: .seconds(10)
    )
    private let store = Mutex<CertificateStore?>(nil)

    public init() {}

    public func initialize(_ context: ComponentContext) async throws {
        let opened = try await CertificateStore.open(
            try context.require(NodeKeys.configuration),
            try context.require(PlatformKeys.authority),
            context.effects,
            context.journal
        )
        store.withLock { $0 = opened }
        context.provide(PlatformKeys.certificates, opened)
    }

    public func stop(_ context: ComponentContext) async {
        store.withLock { $0 = nil }
    }

    public func healthCheck(_ context: ComponentContext) async -> ComponentHealth {
        guard let store = store.withLock({ $0 }) else { return .unhealthy("it has not been read") }
        guard context.effects.clock.wallTime < store.end else {
            return .unhealthy("the node's certificate ended on \(store.end.date)")
        }
        return store.endsWithAuthority
            ? .degraded("the authority ends on \(store.authorityEnd.date)") : .healthy
    }
}
