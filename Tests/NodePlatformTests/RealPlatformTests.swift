import Effects
import Foundation
import HostEffects
import Initialization
import Machines
import NodeFoundation
import NodePlatform
import Synchronization
import Testing
import Units

// Goal: on a real host, with real files, TLS and SQLite, the platform boots, lets in whom its
// authority has signed for, changes its certificate without cutting a connection, and leaves
// nothing. Method: boots in a folder of their own, on free ports of the loopback interface, with a
// wall clock that can be set.
@Suite(.timeLimit(.minutes(15))) struct RealPlatformTests {
    /// The host's clock with another calendar.
    private final class ShiftedClock: EffectClock {
        private let base = HostClock()
        let shift = Mutex(Interval.zero)

        var now: Instant { base.now }
        var wallTime: WallTime { base.wallTime + shift.withLock { $0 } }

        func sleep(until deadline: Instant) async throws { try await base.sleep(until: deadline) }
    }

    private struct Place {
        let folder: URL
        var configuration: NodeConfiguration

        init() {
            folder = FileManager.default.temporaryDirectory.appending(
                path: "novacron-platform-\(UUID().uuidString)"
            )
            configuration = NodeConfiguration(name: "real", dataDirectory: folder.path)
            configuration.network.control.port = 0
            configuration.environment.answersAt.port = 0
            configuration.dwcp.endpoint.port = 0
            configuration.dwcp.streams = 4
        }

        func remove() { try? FileManager.default.removeItem(at: folder) }
    }

    private func boot(
        _ place: Place,
        _ clock: ShiftedClock = ShiftedClock(),
        serve: @escaping @Sendable (NodeLifecycle, NodeEffects) async throws -> Void
    ) async throws -> (outcome: LifecycleOutcome, events: [LifecycleEvent.Kind]) {
        let world = HostWorld()
        var effects = world.effects
        effects.clock = clock
        let events = Shared<[LifecycleEvent.Kind]>([])
        let failure = Shared<(any Error)?>(nil)
        let lifecycle = try NodeLifecycle(
            PlatformWorld.all(place.configuration),
            policy: BootPolicy(),
            effects: effects,
            journal: BootJournal(effects: effects),
            seed: 1,
            entity: EntityID(.node, 1)
        ) { event in
            events.change { $0.append(event.kind) }
        }
        let given = effects
        let outcome = await lifecycle.run { node in
            do {
                try await serve(node, given)
            } catch {
                failure.change { $0 = error }
            }
        }
        await world.shutdown()
        if let error = failure.value { throw error }
        return (outcome, events.value)
    }

    @Test func operatorsAreLetInAndARotationCutsNobody() async throws {
        let place = Place()
        defer { place.remove() }
        let clock = ShiftedClock()
        // The node's first certificate has ten of its ninety days left.
        clock.shift.withLock { $0 = .seconds(-80 * 86_400) }
        let other = Place()
        defer { other.remove() }
        let stranger = Shared<TLSIdentity?>(nil)
        _ = try await boot(other) { _, effects in
            let identity = try await OperatorCertificate.identity(other.configuration, effects)
            stranger.change { $0 = identity }
        }
        let (outcome, events) = try await boot(place, clock) { node, effects in
            let endpoint = try #require(node.value(PlatformKeys.controlEndpoint))
            let routes = try #require(node.value(PlatformKeys.controlRoutes))
            routes.register("GET", "/v1/me") { request, _ in
                HTTPResponse(
                    status: 200,
                    contentType: "text/plain",
                    body: Array("hello \(request.clientName ?? "-")".utf8)
                )
            }
            clock.shift.withLock { $0 = .zero }
            let identity = try await OperatorCertificate.identity(place.configuration, effects)
            let authority = try #require(identity.clientAuthorities)
            let early = try await SecureClient(endpoint, trusting: authority, as: identity)
            #expect(await early.get("/v1/me").hasSuffix("hello operator"))
            for intruder in [nil, stranger.value] {
                let client = try await SecureClient(endpoint, trusting: authority, as: intruder)
                #expect(await client.get("/v1/me").isEmpty)
            }
            let store = try #require(node.value(PlatformKeys.certificates))
            #expect(try await store.rotateIfNeeded() == .renewed)
            #expect(await early.get("/v1/me").hasSuffix("hello operator"))
            let late = try await SecureClient(endpoint, trusting: authority, as: identity)
            #expect(await late.get("/v1/me").hasSuffix("hello operator"))
            #expect(try await early.peerCertificate() != late.peerCertificate())
            #expect(await late.get("/v1/nothing").hasPrefix("HTTP/1.1 404"))
            for report in await node.health(timeout: .seconds(5)) {
                #expect(report.health == .healthy, "\(report.component)")
            }
            await early.close()
            await late.close()
        }
        #expect(outcome == .stopped(left: []))
        #expect(events.contains(.ready(degraded: [])))
    }

    @Test func aSecondBootFindsEverything() async throws {
        let place = Place()
        defer { place.remove() }
        let security = place.folder.appending(path: "security")
        let files = ["authority-key.pem", "authority.pem", "node.pem"].map {
            security.appending(path: $0)
        }
        var contents: [Data] = []
        for life in 0..<2 {
            let (outcome, events) = try await boot(place) { node, _ in
                let cache = try #require(node.value(PlatformKeys.cache))
                #expect(cache.value(for: "life") == (life == 0 ? nil : [7]))
                cache.insert([7], for: "life")
                let database = try #require(node.value(PlatformKeys.database))
                #expect(try await database.run("SELECT x FROM a") == [[.integer(7)]])
            }
            #expect(outcome == .stopped(left: []) && events.contains(.ready(degraded: [])))
            let now = try files.map { try Data(contentsOf: $0) }
            #expect(life == 0 || now == contents)
            contents = now
        }
        let modes = try ([security] + files).map {
            try FileManager.default.attributesOfItem(atPath: $0.path)[.posixPermissions] as? Int
        }
        #expect(modes == [0o700, 0o600, 0o644, 0o600])
    }

    @Test func openSecretsAndDamagedDatabasesEndARealBoot() async throws {
        let place = Place()
        defer { place.remove() }
        _ = try await boot(place) { _, _ in }
        let key = place.folder.appending(path: "security/authority-key.pem").path
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: key)
        guard
            case .failed("security.authority", let open, []) = try await boot(
                place,
                serve: { _, _ in }
            ).outcome
        else {
            Issue.record("a key that everybody can read was used")
            return
        }
        #expect(open.contains("chmod 600 \(key)"))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key)
        let database = place.folder.appending(path: "node.sqlite")
        try Data("this is no database, however long it is".utf8).write(to: database)
        guard
            case .failed("database", let damage, []) = try await boot(place, serve: { _, _ in })
                .outcome
        else {
            Issue.record("a damaged database was used")
            return
        }
        #expect(damage.contains("restore it from a backup"))
    }

    @Test func anOccupiedPortEndsARealBoot() async throws {
        let holder = Place()
        defer { holder.remove() }
        let (outcome, _) = try await boot(holder) { node, _ in
            var place = Place()
            defer { place.remove() }
            place.configuration.network.control = try #require(
                node.value(PlatformKeys.controlEndpoint)
            )
            let second = try await boot(place) { _, _ in }
            guard case .failed("network.control", let reason, []) = second.outcome else {
                Issue.record("\(second.outcome)")
                return
            }
            #expect(reason.hasSuffix("another process listens there"))
        }
        #expect(outcome == .stopped(left: []))
    }
}
