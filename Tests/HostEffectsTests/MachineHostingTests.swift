import Effects
import HostEffects
import Machines
import NIOCore
import NIOPosix
import SocketEnvironment
import Testing
import Units

/// Goal: a machine serves peers that it has no addresses of, at a chosen port, until it is closed.
/// Method: two machines that mirror bytes; the one that comes is a node on sockets of its own.
@Suite(.timeLimit(.minutes(15))) struct MachineHostingTests {
    @Test func strangersAreServed() async throws {
        let world = HostWorld()
        let listener = try await world.effects.network.host(
            Mirror.self,
            node: NodeID(0),
            at: SocketEndpoint(host: "127.0.0.1", port: 0),
            identity: nil,
            machine: { _ in Mirror(isClient: false) },
            observe: { _ in }
        )
        #expect(listener.endpoint.port != 0)
        let taken = await #expect(throws: NetworkError.self) {
            _ = try await world.effects.network.host(
                Mirror.self,
                node: NodeID(0),
                at: listener.endpoint,
                identity: nil,
                machine: { _ in Mirror(isClient: false) },
                observe: { _ in }
            )
        }
        #expect(taken?.reason == .portOccupied)
        let answers = AsyncStream.makeStream(of: String.self)
        let client = try SocketNode<Mirror>(
            node: NodeID(70_000),
            on: MultiThreadedEventLoopGroup.singleton,
            journalPath: nil,
            workers: 1,
            machine: { _ in Mirror(isClient: true) },
            observe: { event, _ in answers.continuation.yield(event) },
            fail: { answers.continuation.yield("\($0)") }
        )
        _ = try await client.bind()
        let address = NodeAddress(streamPort: Int(listener.endpoint.port), datagramPort: 9)
        client.start(
            peers: [address],
            origin: MonotonicClock.nanoseconds,
            incarnation: 0,
            seed: 1
        )
        var heard = answers.stream.makeAsyncIterator()
        #expect(await heard.next() == "hello")
        await client.stop()
        await listener.close()
        #expect(listener.connectionCount == 0)
        await #expect(throws: (any Error).self) { _ = try await TestClient(listener.endpoint) }
        await world.shutdown()
    }

    @Test func strangersBeyondTheLimitAreReset() async throws {
        let server = try SocketNode<Mirror>(
            node: NodeID(0),
            on: MultiThreadedEventLoopGroup.singleton,
            journalPath: nil,
            workers: 1,
            machine: { _ in Mirror(isClient: false) },
            observe: { _, _ in },
            fail: { Issue.record("\($0)") }
        )
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: 0)
        let port = try await server.bindForStrangers(to: address, limit: 2)
        server.start(peers: [], origin: MonotonicClock.nanoseconds, incarnation: 0, seed: 1)
        let endpoint = SocketEndpoint(host: "127.0.0.1", port: UInt16(port))
        func stranger(_ number: UInt32) async throws -> TestClient {
            let id = StreamID(opener: NodeID(7), number: number)
            let preamble = StreamPreamble(id, receiveCredit: 1024).bytes
            let client = try await TestClient(endpoint)
            try await client.send(String(decoding: preamble, as: UTF8.self))
            return client
        }
        let first = try await stranger(1)
        let second = try await stranger(2)
        while server.streamCount < 2 { await Task.yield() }
        #expect(try await stranger(3).rest() == "")
        #expect(server.streamCount == 2)
        await first.close()
        await second.close()
        await server.stop()
    }
}

/// Sends what it receives back; as a client it starts with a word.
private struct Mirror: Machine {
    typealias Event = String
    let isClient: Bool
    private var received: [UInt8] = []

    init(isClient: Bool) {
        self.isClient = isClient
    }

    mutating func step(_ input: Input<Mirror>, at now: Instant, into actions: inout Actions<Mirror>)
    {
        switch input {
        case .started:
            guard isClient else { return }
            let id = StreamID(opener: NodeID(70_000), number: 1)
            actions.append(.openStream(id, to: NodeID(0), StreamOptions()))
        case .streamOpened(let id, _):
            guard isClient else { return }
            actions.append(.write(id, Array("hello".utf8)[...]))
        case .readable(let id, let bytes):
            received += bytes
            guard received.count == 5 else { return }
            if isClient {
                actions.append(.emit(String(decoding: received, as: UTF8.self)))
            } else {
                actions.append(.write(id, received[...]))
            }
            actions.append(.finish(id))
        case .reset(_, let reason):
            actions.append(.emit("\(reason)"))
        case .writable, .finished, .path, .received, .fired, .persisted, .computed, .requested:
            break
        }
    }
}
