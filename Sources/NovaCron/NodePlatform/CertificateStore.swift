public import Effects
import Initialization
import NodeFoundation
import Synchronization
import Units

/// The node's own certificate: kept in a file with its key, renewed before it ends, and shown to
/// those who listen.
///
/// A renewal makes a new key, too. Renewals that are asked for at the same time become one. Bound:
/// 16 observers.
public final class CertificateStore: Sendable {
    private let configuration: NodeConfiguration
    private let authority: CertificateAuthority
    private let effects: NodeEffects
    private let journal: BootJournal
    private let state: Mutex<State>

    /// What `rotateIfNeeded` did.
    public enum Rotation: Hashable, Sendable {
        /// The certificate lasts long enough.
        case notNeeded
        /// A new one is in use by everybody who observes.
        case renewed
        /// Another renewal is under way.
        case underWay
    }

    /// An entry in the list of observers.
    public struct Observation: Hashable, Sendable {
        let number: Int
    }

    private struct State {
        var present: CertifiedKey
        var isRotating = false
        var observers: [(Observation, Observer)] = []
        var observationCount = 0
    }

    /// Begins to use an identity.
    public typealias Observer = @Sendable (TLSIdentity) async throws -> Void

    private static let observerLimit = 16

    private init(
        _ present: CertifiedKey,
        _ configuration: NodeConfiguration,
        _ authority: CertificateAuthority,
        _ effects: NodeEffects,
        _ journal: BootJournal
    ) {
        self.configuration = configuration
        self.authority = authority
        self.effects = effects
        self.journal = journal
        state = Mutex(State(present: present))
    }

    /// Reads the certificate that is there, or issues one; renews one that ends soon.
    ///
    /// - Throws: `SecurityError`, or what ends a durable step.
    static func open(
        _ configuration: NodeConfiguration,
        _ authority: CertificateAuthority,
        _ effects: NodeEffects,
        _ journal: BootJournal
    ) async throws -> CertificateStore {
        let folder = SecurityFolder(configuration, effects.files)
        guard let text = try await folder.secret(folder.node) else {
            let issued = try await issue(configuration, authority, effects, journal)
            return CertificateStore(issued, configuration, authority, effects, journal)
        }
        let present = try CertifiedKey(text, path: folder.node, of: authority)
        let store = CertificateStore(present, configuration, authority, effects, journal)
        _ = try await store.rotateIfNeeded()
        return store
    }

    /// What a listener shows, with the authority as the one whose clients are let in.
    public func identity() throws(SecurityError) -> TLSIdentity {
        try identity(of: state.withLock { $0.present })
    }

    /// When the present certificate ends.
    public var end: WallTime { state.withLock { $0.present.end } }

    /// When the authority ends, and with it everything that it signed.
    public var authorityEnd: WallTime { authority.end }

    /// Whether anything will end within the time at which it should be renewed, and cannot be
    /// renewed because the authority itself ends.
    public var endsWithAuthority: Bool {
        authority.end - effects.clock.wallTime < configuration.security.rotateBefore
    }

    /// Hears of every later identity, one after the other, until `remove`.
    public func observe(_ observer: @escaping Observer) -> Observation {
        state.withLock { state in
            precondition(
                state.observers.count < CertificateStore.observerLimit,
                "\(state.observers.count) observers of the certificate"
            )
            state.observationCount += 1
            let observation = Observation(number: state.observationCount)
            state.observers.append((observation, observer))
            return observation
        }
    }

    public func remove(_ observation: Observation) {
        state.withLock { $0.observers.removeAll { $0.0 == observation } }
    }

    /// Renews the certificate when it ends within `rotateBefore`, is not valid now, or does not say
    /// what the configuration says; then tells the observers.
    ///
    /// - Throws: `SecurityError` when there is no new certificate, what ends a durable step, or the
    ///   first observer's error once all have been told; the new certificate is kept in any case.
    public func rotateIfNeeded() async throws -> Rotation {
        let isFirst = state.withLock { state in
            defer { state.isRotating = true }
            return !state.isRotating
        }
        guard isFirst else { return .underWay }
        defer { state.withLock { $0.isRotating = false } }
        let settings = configuration.security
        let isOutdated = try state.withLock { $0.present }.isOutdated(
            subject: configuration.name,
            usage: CertificateStore.usage(configuration),
            rotateBefore: settings.rotateBefore,
            lifetime: settings.certificateLifetime,
            authority: authority,
            now: effects.clock.wallTime
        )
        guard isOutdated else { return .notNeeded }
        let issued = try await CertificateStore.issue(configuration, authority, effects, journal)
        let identity = try identity(of: issued)
        let observers = state.withLock { state in
            state.present = issued
            return state.observers.map(\.1)
        }
        var failure: (any Error)?
        for observer in observers {
            do {
                try await observer(identity)
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        return .renewed
    }

    private static func usage(_ configuration: NodeConfiguration) -> CertificateContent.Usage {
        .node(names: [configuration.name] + configuration.security.names)
    }

    private static func issue(
        _ configuration: NodeConfiguration,
        _ authority: CertificateAuthority,
        _ effects: NodeEffects,
        _ journal: BootJournal
    ) async throws -> CertifiedKey {
        let folder = SecurityFolder(configuration, effects.files)
        let issued = try CertifiedKey(
            by: authority,
            subject: configuration.name,
            usage: usage(configuration),
            lifetime: configuration.security.certificateLifetime,
            effects
        )
        let text = try issued.text()
        try await journal.step("security.certificate") {
            try await folder.write(text, to: folder.node, permissions: 0o600)
        }
        return issued
    }

    private func identity(of present: CertifiedKey) throws(SecurityError) -> TLSIdentity {
        TLSIdentity(
            certificateChain: try present.certificatePEM(),
            privateKey: present.key.pem,
            clientAuthorities: authority.pem
        )
    }
}
