import Glibc
import Machines
import NIOCore
import Units

/// One byte stream on a TCP connection.
///
/// The opener first sends a preamble that names the stream; after it the bytes are the machine's
/// own. Receive credit is kept by not reading: the kernel's window then stops the peer.
final class SocketStream: ChannelInboundHandler, @unchecked Sendable {
    // Confined to the node's event loop.
    typealias InboundIn = ByteBuffer

    /// What the stream tells its node.
    enum Happening {
        case opened(SocketStream)
        case readable(Bytes)
        case writable
        case finished
        case reset(StreamResetReason)
    }

    /// Bytes that may wait in the channel before the machine's credit is used up.
    static let sendLimit = 1 << 20
    /// Magic, version, opener, number, receive credit.
    static let preambleLength = 20
    static let magic: UInt32 = 0x4E4F_5641
    static let version: UInt32 = 1

    private(set) var id: StreamID?
    private(set) var channel: (any Channel)?
    /// Bytes handed to the channel and not yet taken by the kernel.
    private(set) var pending = 0
    /// Bytes the machine still lets the peer send.
    private var receiveCredit: Int
    /// What came before the credit for it was given.
    private var early: [UInt8] = []
    private var preamble: [UInt8] = []
    private var isOver = false
    private var isPeerFinished = false
    private var isReading = false
    private let tell: (SocketStream, Happening) -> Void

    /// A stream that we open (`id` known) or that a peer opens (`id` unknown until its preamble).
    init(
        id: StreamID?,
        receiveCredit: Int,
        tell: @escaping (SocketStream, Happening) -> Void
    ) {
        self.id = id
        self.receiveCredit = receiveCredit
        self.tell = tell
    }

    /// Bytes the machine may write in all beyond those written so far.
    var credit: Int { max(0, SocketStream.sendLimit - pending) }

    // MARK: The machine's actions

    func write(_ bytes: Bytes) {
        guard let channel, !isOver, !bytes.isEmpty else { return }
        let count = bytes.count
        pending += count
        let buffer = channel.allocator.buffer(bytes: bytes)
        channel.writeAndFlush(buffer).whenComplete { [self] result in
            pending -= count
            if case .success = result, !isOver { tell(self, .writable) }
        }
    }

    func grant(_ count: Int) {
        receiveCredit += count
        deliver([])
        readMore()
    }

    func finish() {
        guard let channel, !isOver else { return }
        // Half-closing waits for what is still to be written.
        channel.writeAndFlush(channel.allocator.buffer(capacity: 0)).whenComplete { _ in
            channel.close(mode: .output, promise: nil)
        }
    }

    func reset() {
        isOver = true
        guard let channel else { return }
        // Without lingering the kernel sends RST, which is what the peer must see.
        (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
            .whenComplete { _ in channel.close(promise: nil) }
    }

    // MARK: The channel's events

    func handlerAdded(context: ChannelHandlerContext) {
        channel = context.channel
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        readMore()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isReading = false
        var bytes = Array(Self.unwrapInboundIn(data).readableBytesView)
        if id == nil {
            preamble += bytes
            guard preamble.count >= SocketStream.preambleLength else { return }
            guard begin(preamble) else {
                isOver = true
                context.close(promise: nil)
                return
            }
            bytes = Array(preamble[SocketStream.preambleLength...])
            preamble = []
        }
        deliver(bytes)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        readMore()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed {
            isPeerFinished = true
            deliver([])
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        guard !isOver else { return }
        isOver = true
        tell(self, .reset(.byPeer))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if !isOver {
            isOver = true
            tell(self, .reset(.byPeer))
        }
        context.close(promise: nil)
    }

    /// The bytes that open a stream.
    static func preamble(of id: StreamID, receiveCredit: Int) -> [UInt8] {
        var writer = WireWriter(reserving: preambleLength)
        writer.write(magic)
        writer.write(version)
        writer.write(id.opener.rawValue)
        writer.write(id.number)
        writer.write(UInt32(clamping: receiveCredit))
        return writer.bytes
    }

    /// Reads the preamble; `false` when it is not one.
    private func begin(_ bytes: [UInt8]) -> Bool {
        var reader = WireReader(bytes)
        guard let magic = try? reader.read(UInt32.self), magic == SocketStream.magic,
            let version = try? reader.read(UInt32.self), version == SocketStream.version,
            let opener = try? reader.read(UInt32.self),
            let number = try? reader.read(UInt32.self),
            let credit = try? reader.read(UInt32.self)
        else { return false }
        id = StreamID(opener: NodeID(opener), number: number)
        receiveCredit = Int(credit)
        tell(self, .opened(self))
        return true
    }

    /// Hands over what the credit admits and keeps the rest; then tells the end of the stream.
    private func deliver(_ bytes: [UInt8]) {
        guard !isOver else { return }
        early += bytes
        let count = min(early.count, receiveCredit)
        if count > 0 {
            let part = early[..<count]
            early = Array(early[count...])
            receiveCredit -= count
            tell(self, .readable(part))
        }
        if isPeerFinished, early.isEmpty, !isOver {
            isPeerFinished = false
            tell(self, .finished)
        }
    }

    private func readMore() {
        guard !isOver, !isReading, id == nil || receiveCredit > 0, early.isEmpty else { return }
        isReading = true
        channel?.read()
    }
}
