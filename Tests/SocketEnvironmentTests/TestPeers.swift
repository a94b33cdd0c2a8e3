import Machines
import NIOCore
import NIOPosix
import SocketEnvironment
import Synchronization
import Testing
import Units

/// A node on sockets and what its machine tells.
final class TestNode: Sendable {
    let security: StreamSecurity?
    let address: NodeAddress
    private let node: SocketNode<Talker>
    private let facts = Facts()

    /// - Parameter stream: that it opens to node 0, unless it is node 0 itself.
    init(_ number: UInt32, _ security: StreamSecurity?, stream: UInt32) async throws {
        self.security = security
        node = try SocketNode<Talker>(
            node: NodeID(number),
            on: MultiThreadedEventLoopGroup.singleton,
            security: security,
            journalPath: nil,
            workers: 1,
            machine: { Talker($0.node, stream: stream) },
            observe: { [facts] event, _ in facts.append(event) },
            fail: { Issue.record("\($0)") }
        )
        address = try await node.bind()
    }

    func start(_ peers: [NodeAddress]) {
        node.start(peers: peers, origin: MonotonicClock.nanoseconds, incarnation: 0, seed: 1)
    }

    /// What the machine tells next, apart from echoes after the first.
    func next() async -> String {
        while true {
            if let fact = facts.take() { return fact }
            await Task.yield()
        }
    }

    /// Whether a word that is sent from now on still comes back.
    func isStillHeard() async -> Bool {
        // The next echo may be under way; the one after it belongs to a word that is still to be sent.
        let wanted = facts.echoes + 2
        while facts.echoes < wanted, !facts.isReset { await Task.yield() }
        return !facts.isReset
    }

    /// How many connections this node has refused, once there are that many.
    func refusals(_ count: Int) async -> Int {
        while let security, security.counts.refused < count { await Task.yield() }
        return security?.counts.refused ?? 0
    }

    func stop() async { await node.stop() }
}

/// What a machine has told.
private final class Facts: Sendable {
    private struct State {
        var waiting: [String] = []
        var echoes = 0
        var isReset = false
    }
    private let state = Mutex(State())

    var echoes: Int { state.withLock { $0.echoes } }
    var isReset: Bool { state.withLock { $0.isReset } }

    func append(_ fact: String) {
        state.withLock { state in
            if fact == "again" {
                state.echoes += 1
            } else {
                state.waiting.append(fact)
            }
            if fact.hasPrefix("reset") { state.isReset = true }
        }
    }

    func take() -> String? {
        state.withLock { $0.waiting.isEmpty ? nil : $0.waiting.removeFirst() }
    }
}

/// Node 0 sends back what it gets; others open a stream to it and talk for ever.
struct Talker: Machine {
    typealias Timer = UInt32
    typealias Event = String
    private let node: NodeID
    private let stream: StreamID
    private var received: [UInt8] = []

    init(_ node: NodeID, stream: UInt32) {
        self.node = node
        self.stream = StreamID(opener: node, number: stream)
    }

    private var answers: Bool { node == NodeID(0) }

    mutating func step(_ input: Input<Talker>, at now: Instant, into actions: inout Actions<Talker>)
    {
        switch input {
        case .started:
            if !answers { actions.openStream(stream, to: NodeID(0)) }
        case .streamOpened(let id, _):
            guard !answers else { return }
            actions.emit("opened")
            actions.write(id, Array("hello".utf8)[...])
        case .readable(let id, let bytes):
            actions.grant(id, bytes: bytes.count)
            guard !answers else {
                actions.write(id, bytes)
                return
            }
            received += bytes
            guard received.count == 5 else { return }
            actions.emit(String(decoding: received, as: UTF8.self))
            received = []
            actions.setTimer(0, at: now + .milliseconds(5))
        case .fired:
            actions.write(stream, Array("again".utf8)[...])
        case .reset(_, let reason):
            if !answers {
                actions.cancelTimer(0)
                actions.emit("reset \(reason)")
            }
        case .writable, .finished, .path, .received, .persisted, .computed, .requested:
            break
        }
    }
}

/// A client that sends bytes and waits for its end.
final class RawClient: Sendable {
    private let channel: any Channel

    init(_ port: Int) async throws {
        channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: NodeAddress.loopback, port: port).get()
    }

    func send(_ bytes: [UInt8]) async throws {
        try await channel.writeAndFlush(channel.allocator.buffer(bytes: bytes)).get()
    }

    /// Returns once the other side has ended the connection.
    func end() async { try? await channel.closeFuture.get() }
}

/// A server that is no node: to the first bytes of each connection it gives its answer and ends it.
/// Without an answer it says nothing for ever, with an empty one it just ends it.
final class RawServer: Sendable {
    let port: Int
    private let channel: any Channel

    init(_ answer: String?) async throws {
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Answerer(answer))
                }
            }
            .bind(host: NodeAddress.loopback, port: 0).get()
        port = try #require(channel.localAddress?.port)
    }

    func stop() async { try? await channel.close() }

    private final class Answerer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let answer: String?

        init(_ answer: String?) { self.answer = answer }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard let answer else { return }
            let buffer = context.channel.allocator.buffer(string: answer)
            context.writeAndFlush(Self.wrapOutboundOut(buffer), promise: nil)
            context.close(promise: nil)
        }
    }
}
