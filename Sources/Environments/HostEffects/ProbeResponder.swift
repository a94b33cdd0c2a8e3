import Effects
import NIOCore
import NIOPosix
import SocketEnvironment

/// Answers the probes of other nodes.
final class ProbeResponder: NetworkListener {
    let endpoint: SocketEndpoint
    private let channel: any Channel

    private init(endpoint: SocketEndpoint, channel: any Channel) {
        self.endpoint = endpoint
        self.channel = channel
    }

    var connectionCount: Int { 0 }

    static func listen(
        at endpoint: SocketEndpoint,
        address: SocketAddress,
        on group: any EventLoopGroup
    ) async throws(NetworkError) -> ProbeResponder {
        do {
            let channel = try await DatagramBootstrap(group: group)
                .channelInitializer { $0.pipeline.addHandler(AnswerHandler()) }
                .bind(to: address).get()
            let taken = endpoint.listening(at: channel.localAddress)
            return ProbeResponder(endpoint: taken, channel: channel)
        } catch {
            throw NetworkError(error, endpoint)
        }
    }

    func close() async {
        try? await channel.close().get()
    }
}

private final class AnswerHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let arrival = MonotonicClock.nanoseconds
        let envelope = Self.unwrapInboundIn(data)
        // What follows the message only fills the packet.
        let request = Array(envelope.data.readableBytesView)
        guard let answer = ProbeMessage.answer(to: request, arrival: arrival) else { return }
        let buffer = context.channel.allocator.buffer(bytes: answer)
        let reply = AddressedEnvelope(remoteAddress: envelope.remoteAddress, data: buffer)
        context.writeAndFlush(Self.wrapOutboundOut(reply), promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // An answer that could not be delivered is a lost packet; the next one may arrive.
    }
}
