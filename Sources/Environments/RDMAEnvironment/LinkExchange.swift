import Machines
import NIOCore

/// Reads the peer's offer off the connection that sets a link up, and afterwards notices its end.
final class LinkExchange: ChannelInboundHandler, @unchecked Sendable {
    // Confined to the event loop.
    typealias InboundIn = ByteBuffer

    /// How long a peer may take to make its offer.
    static let patience = TimeAmount.seconds(5)

    private var bytes: [UInt8] = []
    private var isOffered = false
    private let offered: (any Channel, [UInt8]) -> Void
    private let ended: (any Channel) -> Void

    /// - Parameters:
    ///   - offered: hears of `LinkOffer.length` bytes, once.
    ///   - ended: hears of the connection's end, once, also before the offer.
    init(
        offered: @escaping (any Channel, [UInt8]) -> Void,
        ended: @escaping (any Channel) -> Void
    ) {
        self.offered = offered
        self.ended = ended
    }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        context.eventLoop.assumeIsolated().scheduleTask(in: LinkExchange.patience) { [self] in
            if !isOffered { channel.close(promise: nil) }
        }
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytes += Self.unwrapInboundIn(data).readableBytesView
        guard bytes.count >= LinkOffer.length else { return }
        // Nothing follows an offer.
        guard bytes.count == LinkOffer.length, !isOffered else {
            context.close(promise: nil)
            return
        }
        isOffered = true
        offered(context.channel, bytes)
    }

    func channelInactive(context: ChannelHandlerContext) {
        ended(context.channel)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
