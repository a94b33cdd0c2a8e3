import Effects
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// A client of one connection that sends bytes and tells what came back.
final class TestClient: Sendable {
    private let channel: any Channel
    private let collector: Collector

    /// With `identity` over TLS, trusting `authority`; one that does not read leaves what comes where
    /// it is.
    init(
        _ endpoint: SocketEndpoint,
        reads: Bool = true,
        trusting authority: TestAuthority? = nil,
        as identity: TLSIdentity? = nil
    ) async throws {
        let collector = Collector()
        var configuration = TLSConfiguration.makeClientConfiguration()
        if let authority {
            let roots = try NIOSSLCertificate.fromPEMBytes(Array(authority.pem.utf8))
            configuration.trustRoots = .certificates(roots)
        }
        if let identity {
            let chain = try NIOSSLCertificate.fromPEMBytes(Array(identity.certificateChain.utf8))
            configuration.certificateChain = chain.map { .certificate($0) }
            let key = try NIOSSLPrivateKey(bytes: Array(identity.privateKey.utf8), format: .pem)
            configuration.privateKey = .privateKey(key)
        }
        let context = authority == nil ? nil : try NIOSSLContext(configuration: configuration)
        channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(ChannelOptions.autoRead, value: reads)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: context, serverHostname: "localhost")
                        )
                    }
                    try channel.pipeline.syncOperations.addHandler(collector)
                }
            }
            .connect(host: endpoint.host, port: Int(endpoint.port)).get()
        self.collector = collector
    }

    func send(_ text: String) async throws {
        try await channel.writeAndFlush(channel.allocator.buffer(string: text)).get()
    }

    /// Everything that came until the connection ended.
    func rest() async -> String {
        try? await channel.closeFuture.get()
        return collector.text
    }

    func close() async {
        try? await channel.close().get()
    }

    /// One request on a connection of its own; empty when the connection was cut.
    static func ask(
        _ request: String,
        of endpoint: SocketEndpoint,
        trusting authority: TestAuthority? = nil,
        as identity: TLSIdentity? = nil
    ) async throws -> String {
        let client = try await TestClient(endpoint, trusting: authority, as: identity)
        try? await client.send(request)
        return await client.rest()
    }

    private final class Collector: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        private let collected = Mutex("")

        var text: String { collected.withLock { $0 } }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let buffer = Self.unwrapInboundIn(data)
            collected.withLock { $0 += String(buffer: buffer) }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}
