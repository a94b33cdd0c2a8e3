import Effects
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// A client on one TLS connection that asks and reads answers one after the other.
final class SecureClient: Sendable {
    private let channel: any Channel
    private let answers: AsyncStream<String>

    /// Trusts `authority`, in PEM, and shows `identity` when there is one.
    init(_ endpoint: SocketEndpoint, trusting authority: String, as identity: TLSIdentity?)
        async throws
    {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .certificates(
            try NIOSSLCertificate.fromPEMBytes(Array(authority.utf8))
        )
        if let identity {
            let chain = try NIOSSLCertificate.fromPEMBytes(Array(identity.certificateChain.utf8))
            configuration.certificateChain = chain.map { .certificate($0) }
            let key = try NIOSSLPrivateKey(bytes: Array(identity.privateKey.utf8), format: .pem)
            configuration.privateKey = .privateKey(key)
        }
        let context = try NIOSSLContext(configuration: configuration)
        let (answers, sink) = AsyncStream.makeStream(of: String.self)
        self.answers = answers
        channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        NIOSSLClientHandler(context: context, serverHostname: "localhost"),
                        Reader(sink),
                    ])
                }
            }
            .connect(host: endpoint.host, port: Int(endpoint.port)).get()
    }

    /// The answer's first packet, which holds all of a short one; empty when the connection was
    /// cut.
    func get(_ path: String) async -> String {
        let text = "GET \(path) HTTP/1.1\r\nhost: localhost\r\n\r\n"
        try? await channel.writeAndFlush(channel.allocator.buffer(string: text)).get()
        for await answer in answers { return answer }
        return ""
    }

    /// What the listener showed.
    func peerCertificate() async throws -> [UInt8]? {
        try await channel.nioSSL_peerCertificate().get()?.toDERBytes()
    }

    func close() async {
        try? await channel.close().get()
    }

    private final class Reader: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        private let sink: AsyncStream<String>.Continuation

        init(_ sink: AsyncStream<String>.Continuation) { self.sink = sink }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            sink.yield(String(buffer: Self.unwrapInboundIn(data)))
        }

        func channelInactive(context: ChannelHandlerContext) {
            sink.finish()
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}
