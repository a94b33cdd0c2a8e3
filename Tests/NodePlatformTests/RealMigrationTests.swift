import DeltaEncoding
import Effects
import Foundation
import HostEffects
import Initialization
import Machines
import Migration
import NIOCore
import NIOPosix
import NodeFoundation
import NodePlatform
import SocketEnvironment
import Testing
import Transport
import Units

// Goal: the node takes a guest that another node sends, over parallel streams and over one. Method:
// a real source on loopback sockets migrates a small guest to the booted component; both ends
// compare the whole memory before they say that it runs.
@Suite(.timeLimit(.minutes(15))) struct RealMigrationTests {
    @Test(arguments: [(3, 4), (2, 1)])
    func aGuestArrives(level: Int, streams: Int) async throws {
        let heard = try await migrate(level: level, streams: streams)
        #expect(heard == ["completed"])
    }

    /// Goal: with files for TLS the guest arrives over TLS alone: a source without it, or of another
    /// authority, is refused, by the whole transport and by its fallback.
    @Test(arguments: [(3, 4), (2, 1)])
    func aGuestArrivesOverTLS(level: Int, streams: Int) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let now = WallTime(unixSeconds: Int64(Date.now.timeIntervalSince1970))
        let authority = try EphemeralAuthority(HostSecrets(), from: now, lifetime: .seconds(3600))
        let other = try EphemeralAuthority(HostSecrets(), from: now, lifetime: .seconds(3600))
        let own = try authority.identity(named: "alpha")
        let files = [
            ("certificate.pem", own.certificateChain), ("key.pem", own.privateKey),
            ("authorities.pem", authority.pem),
        ]
        for (name, text) in files {
            let isMade = FileManager.default.createFile(
                atPath: folder.appending(path: name).path,
                contents: Data(text.utf8),
                attributes: [.posixPermissions: 0o600]
            )
            try #require(isMade)
        }
        var stranger = try other.identity(named: "beta")
        stranger.clientAuthorities = authority.pem
        let sources: [(TLSIdentity?, [String])] = [
            (try authority.identity(named: "beta"), ["completed"]), (stranger, ["lost a stream"]),
            (nil, ["lost a stream"]),
        ]
        for (identity, expected) in sources {
            let security = try identity.map { try StreamSecurity($0, names: .any) }
            let heard = try await migrate(level: level, streams: streams, security) {
                $0.certificate = folder.appending(path: "certificate.pem").path
                $0.key = folder.appending(path: "key.pem").path
                $0.authorities = folder.appending(path: "authorities.pem").path
            }
            #expect(heard == expected)
        }
    }

    /// What the source of a guest tells at its end, after the node has been stopped in order.
    private func migrate(
        level: Int,
        streams: Int,
        _ security: StreamSecurity? = nil,
        _ change: (inout NodeConfiguration.DWCPSettings) -> Void = { _ in }
    ) async throws -> [String] {
        var configuration = PlatformWorld.configuration
        configuration.dwcp.endpoint.port = 0
        // Level 2 does not exist, so the transport falls back to one stream.
        configuration.dwcp.compressionLevel = level
        change(&configuration.dwcp)
        let all = PlatformWorld.all(configuration)
        let world = HostWorld()
        let lifecycle = try NodeLifecycle(
            [all[0], all[9], all[10]],
            policy: BootPolicy(),
            effects: world.effects,
            journal: BootJournal(effects: world.effects),
            seed: 1,
            entity: EntityID(.node, 1)
        ) { _ in }
        let counts = Shared<MigrationReceiver.Counts?>(nil)
        let heard = Shared<[String]>([])
        let outcome = await lifecycle.run { node in
            guard let receiver = node.value(PlatformKeys.transport) else { return }
            #expect(receiver.configuration.transport.streams == streams)
            let events = await self.migrate(to: receiver, security)
            heard.change { $0 = events }
            counts.change { $0 = receiver.statistics }
        }
        await world.shutdown()
        #expect(outcome == .stopped(left: []))
        let arrived = heard.value == ["completed"] ? 1 : 0
        #expect(counts.value?.verified == arrived && counts.value?.running == arrived)
        #expect(counts.value?.pages == arrived * StripedMemory().pageCount)
        #expect(counts.value?.failed == 0)
        return heard.value
    }

    /// What the source tells, until it is done.
    private func migrate(
        to receiver: MigrationReceiver,
        _ security: StreamSecurity?
    ) async -> [String] {
        let (events, sink) = AsyncStream.makeStream(of: String.self)
        let configuration = receiver.configuration
        do {
            let source = try SocketNode<MigrationNode<StripedMemory>>(
                node: NodeID(70_000),
                on: MultiThreadedEventLoopGroup.singleton,
                security: security,
                journalPath: nil,
                workers: 1,
                machine: { birth in
                    let order = MigrationOrder(memory: StripedMemory(), to: NodeID(0))
                    return MigrationNode(birth, configuration: configuration, orders: [order])
                },
                observe: { event, _ in
                    switch event {
                    case .completed: sink.yield("completed")
                    case .failed(_, let failure): sink.yield("\(failure)")
                    // Who is refused would try again for minutes.
                    case .streamLost: sink.yield("lost a stream")
                    case .orderRefused: sink.yield("refused an order")
                    case .started, .round, .paused, .verified, .running, .resumedAtSource:
                        break
                    }
                },
                fail: { sink.yield("\($0)") }
            )
            _ = try await source.bind()
            let address = NodeAddress(
                streamPort: Int(receiver.endpoint.port),
                datagramPort: 9
            )
            source.start(
                peers: [address],
                origin: MonotonicClock.nanoseconds,
                incarnation: 0,
                seed: 1
            )
            var seen: [String] = []
            for await event in events {
                seen.append(event)
                break
            }
            await source.stop()
            return seen
        } catch {
            return ["\(error)"]
        }
    }
}

/// A guest that stands still: zeros, stripes and repetitions.
private struct StripedMemory: GuestMemory {
    var pageCount: Int { 500 }

    func dirtyPages(after start: Instant, through end: Instant) -> [Int] { [] }

    func page(_ index: Int, at time: Instant) -> Bytes {
        guard index % 3 > 0 else { return Page.zero }
        return Bytes((0..<Page.size).map { UInt8(truncatingIfNeeded: $0 * (index / 5 + 1)) })
    }

    func contentVersion(ofPage index: Int, at time: Instant) -> UInt64 { 0 }
}
