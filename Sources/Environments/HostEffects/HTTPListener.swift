import Effects
import HummingbirdCore
import Logging
import NIOCore
import Synchronization

/// A running HTTP server.
final class HTTPListener<Child: ServerChildChannel>: NetworkListener {
    let endpoint: SocketEndpoint
    private let server: Server<Child>
    private let running: Task<Void, any Error>
    private let connections: OpenConnections
    private let replacing: Replacing

    /// Makes another identity the one that new connections see.
    typealias Replacing = @Sendable (TLSIdentity) async throws(NetworkError) -> Void

    /// How long requests under way may take once the listener is being closed.
    private static var patience: Duration { .seconds(5) }

    private init(
        endpoint: SocketEndpoint,
        server: Server<Child>,
        running: Task<Void, any Error>,
        connections: OpenConnections,
        replacing: @escaping Replacing
    ) {
        self.endpoint = endpoint
        self.server = server
        self.running = running
        self.connections = connections
        self.replacing = replacing
    }

    var connectionCount: Int { connections.count }

    static func listen(
        _ child: Child,
        _ connections: OpenConnections,
        at endpoint: SocketEndpoint,
        _ address: SocketAddress,
        on group: any EventLoopGroup,
        replacing: @escaping Replacing
    ) async throws(NetworkError) -> HTTPListener {
        let (bound, report) = AsyncStream.makeStream(of: SocketAddress?.self)
        let server = Server(
            childChannelSetup: child,
            configuration: ServerConfiguration(
                address: .hostname(address.ipAddress ?? endpoint.host, port: Int(endpoint.port)),
                serverName: nil
            ),
            onServerRunning: { channel in report.yield(channel.localAddress) },
            eventLoopGroup: group,
            // The node has its own words for what happens here.
            logger: Logger(label: "http") { _ in SwiftLogNoOpLogHandler() }
        )
        // Not a child of the caller: it runs until the listener is closed. And detached, so that a
        // graceful shutdown of the whole process does not reach it before the node's own order does.
        let running = Task.detached {
            defer { report.finish() }
            try await server.run()
        }
        // Not in the caller's task: when that one is cancelled the server is running all the same,
        // and whoever asked for it must get it, to close it.
        let taken = await Task.detached { () -> SocketAddress?? in
            for await address in bound { return .some(address) }
            return .none
        }.value
        if let address = taken {
            return HTTPListener(
                endpoint: endpoint.listening(at: address),
                server: server,
                running: running,
                connections: connections,
                replacing: replacing
            )
        }
        do {
            try await running.value
            throw NetworkError(.failed("the listener ended at once"), endpoint)
        } catch let error as NetworkError {
            throw error
        } catch {
            throw NetworkError(error, endpoint)
        }
    }

    func replaceIdentity(_ identity: TLSIdentity) async throws(NetworkError) {
        try await replacing(identity)
    }

    func close() async {
        // Detached, so that it takes its time also for a caller that is cancelled.
        await Task.detached { [self] in
            let watch = Task.detached { [self] in
                try await Task.sleep(for: HTTPListener.patience)
                running.cancel()
                connections.cut()
            }
            try? await server.shutdownGracefully()
            try? await running.value
            watch.cancel()
        }.value
    }
}

/// Sets connections up as the present channel does, which another one may replace.
final class ReplaceableChannel<Base: ServerChildChannel>: ServerChildChannel {
    typealias Value = Base.Value
    private let present: Mutex<Base>

    init(_ base: Base) {
        present = Mutex(base)
    }

    func replace(by base: Base) {
        present.withLock { $0 = base }
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        present.withLock { $0 }.setup(channel: channel, logger: logger)
    }

    func handle(value: Value, logger: Logger) async {
        await present.withLock { $0 }.handle(value: value, logger: logger)
    }
}

/// Refuses connections beyond the limit and knows those that are open.
struct LimitedChannel<Base: ServerChildChannel>: ServerChildChannel {
    typealias Value = Base.Value
    private let base: Base
    private let connections: OpenConnections

    init(_ base: Base, _ connections: OpenConnections) {
        self.base = base
        self.connections = connections
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        guard connections.enter(channel) else {
            channel.close(promise: nil)
            return channel.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
        }
        return base.setup(channel: channel, logger: logger)
    }

    func handle(value: Value, logger: Logger) async {
        await base.handle(value: value, logger: logger)
    }
}

/// The open connections of one listener.
final class OpenConnections: Sendable {
    private let limit: Int
    private let channels = Mutex<[ObjectIdentifier: any Channel]>([:])

    init(limit: Int) {
        self.limit = limit
    }

    var count: Int { channels.withLock { $0.count } }

    /// `false` when there are as many as may be.
    func enter(_ channel: any Channel) -> Bool {
        let isAdmitted = channels.withLock { channels in
            guard channels.count < limit else { return false }
            channels[ObjectIdentifier(channel)] = channel
            return true
        }
        if isAdmitted {
            channel.closeFuture.whenComplete { [self] _ in
                channels.withLock { $0[ObjectIdentifier(channel)] = nil }
            }
        }
        return isAdmitted
    }

    /// Closes all of them at once.
    func cut() {
        for channel in channels.withLock({ Array($0.values) }) { channel.close(promise: nil) }
    }
}
