import Effects
public import Initialization
import NodeFoundation
import Synchronization
import Units

/// `network.control`: the control interface, HTTPS for clients whose certificates come from this
/// node's authority. A renewed certificate is shown to the next connection; those that are open go
/// on.
public final class ControlComponent: Component {
    public let specification = ComponentSpecification(
        name: "network.control",
        phase: .core,
        dependencies: ["configuration", "security.certificate"],
        criticality: .halt,
        timeout: .seconds(10),
        retry: RetryPolicy(attempts: 3, delay: .milliseconds(200), jitter: 0.1)
    )
    private let state = Mutex(State())

    private struct State {
        var listener: (any NetworkListener)?
        var observation: CertificateStore.Observation?
        /// Why the last renewed certificate is not shown.
        var failure: String?
    }

    public init() {}

    public func initialize(_ context: ComponentContext) async throws {
        let settings = try context.require(NodeKeys.configuration).network
        let certificates = try context.require(PlatformKeys.certificates)
        let routes = ControlRoutes()
        let opened = try await context.effects.network.serveHTTP(
            at: settings.control,
            identity: try certificates.identity(),
            limits: settings.limits
        ) { request in
            await routes.answer(request)
        }
        let observation = certificates.observe { [weak self] identity in
            try await self?.show(identity, opened)
        }
        state.withLock { state in
            state = State(listener: opened, observation: observation, failure: nil)
        }
        context.provide(PlatformKeys.controlRoutes, routes)
        context.provide(PlatformKeys.controlEndpoint, opened.endpoint)
    }

    private func show(
        _ identity: TLSIdentity,
        _ listener: any NetworkListener
    ) async throws(NetworkError) {
        do throws(NetworkError) {
            try await listener.replaceIdentity(identity)
            state.withLock { $0.failure = nil }
        } catch {
            state.withLock { $0.failure = "\(error)" }
            throw error
        }
    }

    public func stop(_ context: ComponentContext) async {
        let last = state.withLock { state in
            defer { state = State() }
            return state
        }
        if let observation = last.observation {
            try? context.find(PlatformKeys.certificates)?.remove(observation)
        }
        await last.listener?.close()
    }

    public func healthCheck(_ context: ComponentContext) async -> ComponentHealth {
        let state = state.withLock { $0 }
        guard state.listener != nil else { return .unhealthy("it does not listen") }
        if let failure = state.failure {
            return .degraded("it does not show the renewed certificate: \(failure)")
        }
        return .healthy
    }
}

/// `network.probes`: answers the probes by which other nodes measure paths.
public final class ProbesComponent: Component {
    public let specification = ComponentSpecification(
        name: "network.probes",
        phase: .core,
        dependencies: ["configuration"],
        criticality: .warn,
        timeout: .seconds(5),
        retry: RetryPolicy(attempts: 3, delay: .milliseconds(200), jitter: 0.1)
    )
    private let listener = Mutex<(any NetworkListener)?>(nil)

    public init() {}

    public func initialize(_ context: ComponentContext) async throws {
        let endpoint = try context.require(NodeKeys.configuration).environment.answersAt
        let opened = try await context.effects.network.answerProbes(at: endpoint)
        listener.withLock { $0 = opened }
        context.provide(PlatformKeys.probeEndpoint, opened.endpoint)
    }

    public func stop(_ context: ComponentContext) async {
        let open = listener.withLock { listener in
            defer { listener = nil }
            return listener
        }
        await open?.close()
    }

    public func healthCheck(_ context: ComponentContext) async -> ComponentHealth {
        listener.withLock { $0 } == nil ? .unhealthy("it does not listen") : .healthy
    }
}
