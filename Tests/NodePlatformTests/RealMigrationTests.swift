import DeltaEncoding
import Effects
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
        var configuration = PlatformWorld.configuration
        configuration.dwcp.endpoint.port = 0
        // Level 2 does not exist, so the transport falls back to one stream.
        configuration.dwcp.compressionLevel = level
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
            let events = await self.migrate(to: receiver)
            heard.change { $0 = events }
            counts.change { $0 = receiver.statistics }
        }
        await world.shutdown()
        #expect(outcome == .stopped(left: []))
        #expect(heard.value.last == "completed", "\(heard.value)")
        #expect(counts.value?.verified == 1 && counts.value?.running == 1)
        #expect(counts.value?.pages == StripedMemory().pageCount && counts.value?.failed == 0)
    }

    /// What the source tells, until it is done.
    private func migrate(to receiver: MigrationReceiver) async -> [String] {
        let (events, sink) = AsyncStream.makeStream(of: String.self)
        let configuration = receiver.configuration
        do {
            let source = try SocketNode<MigrationNode<StripedMemory>>(
                node: NodeID(70_000),
                on: MultiThreadedEventLoopGroup.singleton,
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
                    case .started, .round, .paused, .verified, .running, .resumedAtSource,
                        .streamLost:
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
