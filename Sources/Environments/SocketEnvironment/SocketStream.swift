import Glibc
import Machines
import NIOCore
import NIOSSL
import NIOTLS
import Units

/// One byte stream on a TCP connection.
///
/// The opener first sends a preamble that names the stream; after it the bytes are the machine's
/// own. Receive credit is kept by not reading: the kernel's window then stops the peer.
///
/// A side that has not finished ends in a reset, also when its process dies; once it has finished,
/// the kernel delivers what it was given, whatever becomes of the process.
///
/// Over TLS the bytes are the same. The machine hears of a stream once the certificates are verified;
/// an end without TLS's closure alert is a failure, never the peer's finish (RFC 8446, section 6.1).
final class SocketStream: CarriedStream, ChannelInboundHandler, @unchecked Sendable {
    // Confined to the node's event loop.
    typealias InboundIn = ByteBuffer

    /// Bytes that may wait in the channel before the machine's credit is used up.
    static let sendLimit = 1 << 20
    /// How long a peer may take to name a stream without TLS.
    private static let patience = TimeAmount.seconds(5)

    private(set) var id: StreamID?
    /// Whom our own stream leads to.
    private let target: NodeID?
    private var channel: (any Channel)?
    /// Bytes handed to the channel and not yet taken by the kernel.
    private var pending = 0
    /// Bytes the machine still lets the peer send.
    private var receiveCredit: Int
    /// What came before the credit for it was given, and how much of it was handed over.
    private var early: [UInt8] = []
    private var earlyTaken = 0
    private var preamble: [UInt8] = []
    /// Whether the machine knows of the stream.
    private var isOpen = false
    private var isFinishing = false
    private var isOutputClosed = false
    /// The peer's end has arrived; the machine hears of it after all bytes.
    private var isPeerFinished = false
    private var isPeerFinishTold = false
    /// Reset by either side, or never named: nothing is told any more.
    private var isOver = false
    private var isReading = false
    private var meter = PathMeter()
    /// A measurement of the path is due in a while.
    private var isMeasuring = false
    private var protection: Protection?
    /// What waits while nothing may leave.
    private var held: Held?
    /// Whether nothing may come in.
    private var isDeaf = false
    private let accept: (inout WireReader) throws(WireError) -> StreamPreamble
    private let tell: (SocketStream, StreamHappening) -> Void

    /// TLS below the stream.
    struct Protection {
        let security: StreamSecurity
        let handler: NIOSSLHandler
        let ground: StreamGround
        var isEstablished = false
    }

    private struct Held {
        var bytes: [UInt8] = []
        var closes = false
        var resets = false
    }

    /// A stream that we open.
    init(
        opening id: StreamID,
        to target: NodeID,
        receiveCredit: Int,
        tell: @escaping (SocketStream, StreamHappening) -> Void
    ) {
        self.id = id
        self.target = target
        self.receiveCredit = receiveCredit
        self.tell = tell
        accept = { (_) throws(WireError) in throw .malformed("our own stream has a name") }
    }

    /// A stream that a peer opens; `accept` reads its preamble.
    init(
        accepting accept: @escaping (inout WireReader) throws(WireError) -> StreamPreamble,
        tell: @escaping (SocketStream, StreamHappening) -> Void
    ) {
        self.accept = accept
        self.tell = tell
        target = nil
        receiveCredit = 0
    }

    /// The node at the other end, once it is known.
    var partner: NodeID? { target ?? id?.opener }

    /// Bytes the machine may write in all beyond those written so far.
    var credit: Int { isOpen ? max(0, SocketStream.sendLimit - pending) : 0 }

    /// Both sides have finished: the machine hears nothing more.
    var isComplete: Bool { isFinishing && isPeerFinishTold }

    /// Whether there is a connection.
    var isConnected: Bool { channel?.isActive ?? false }

    /// Bytes, TLS's own included, that the kernel has not taken.
    var unsentBytes: Int {
        (try? channel?.syncOptions?.getOption(ChannelOptions.bufferedWritableBytes)) ?? 0
    }

    /// Calls back on the node's event loop once the connection is gone.
    func whenDisconnected(_ body: @escaping () -> Void) {
        channel?.closeFuture.assumeIsolated().whenComplete { _ in body() }
    }

    /// Before the channel is active.
    func secure(by protection: Protection) { self.protection = protection }

    // MARK: The machine's actions

    /// The machine is about to learn that the stream is established.
    func open(sending preamble: StreamPreamble?) {
        isOpen = true
        meter = PathMeter()
        if let preamble { send(preamble.bytes[...]) }
        if isFinishing { closeOutput() }
    }

    func write(_ bytes: Bytes) {
        guard !isOver else { return }
        precondition(
            bytes.count <= credit && !isFinishing,
            "\(bytes.count) bytes written with a credit of \(credit), finishing: \(isFinishing)"
        )
        send(bytes)
    }

    func grant(_ count: Int) {
        receiveCredit += count
        deliver([])
        readMore()
    }

    func finish() {
        guard !isOver, !isFinishing else { return }
        isFinishing = true
        if isOpen { closeOutput() }
    }

    func reset() {
        isOver = true
        cut()
    }

    /// Whether something of it waits for a partition's end.
    var isHeld: Bool { held != nil }

    /// Keeps bytes and ends from leaving, or from being read, until they may again. As on a path that
    /// loses everything, nothing is lost of a stream: it comes late.
    func hold(writing: Bool, reading: Bool) {
        isDeaf = reading
        if writing {
            if held == nil { held = Held() }
        } else if let waiting = held {
            held = nil
            transmit(waiting.bytes[...])
            if waiting.resets {
                cut()
            } else if waiting.closes {
                closeOutput()
            }
        }
        if !reading { readMore() }
    }

    /// Ends the connection in a reset.
    private func cut() {
        guard held == nil else {
            held?.resets = true
            return
        }
        guard let channel else { return }
        StreamSocketOptions.setEndsInReset(true, on: channel)
        if let protection {
            protection.ground.abort()
        } else {
            channel.close(promise: nil)
        }
    }

    private func send(_ bytes: Bytes) {
        guard channel != nil, !bytes.isEmpty else { return }
        pending += bytes.count
        guard held == nil else {
            held?.bytes += bytes
            return
        }
        transmit(bytes)
    }

    private func transmit(_ bytes: Bytes) {
        guard let channel, !bytes.isEmpty else { return }
        let count = bytes.count
        measureLater()
        let buffer = channel.allocator.buffer(bytes: bytes)
        channel.writeAndFlush(buffer).assumeIsolated().whenSuccess { [self] in
            pending -= count
            if !isOver, !isFinishing { tell(self, .writable) }
        }
    }

    /// Half-closes once everything written is with the kernel.
    private func closeOutput() {
        guard held == nil else {
            held?.closes = true
            return
        }
        guard let channel else { return }
        let empty = channel.allocator.buffer(capacity: 0)
        channel.writeAndFlush(empty).assumeIsolated().whenSuccess { [self] in
            guard !isOver else { return }
            isOutputClosed = true
            StreamSocketOptions.setEndsInReset(false, on: channel)
            channel.close(mode: .output, promise: nil)
        }
    }

    // MARK: The channel's events

    func handlerAdded(context: ChannelHandlerContext) {
        channel = context.channel
        StreamSocketOptions.setEndsInReset(true, on: context.channel)
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        if id == nil || protection != nil {
            let patience = protection?.security.patience ?? SocketStream.patience
            context.eventLoop.assumeIsolated().scheduleTask(in: patience) { [self] in
                losePatience()
            }
        }
        readMore()
    }

    private func losePatience() {
        guard !isOver else { return }
        if let protection, !protection.isEstablished {
            protection.security.countRefused("no handshake in time")
            end(.timedOut)
            reset()
        } else if id == nil {
            protection?.security.countRefused("no name in time")
            reset()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isReading = false
        guard !isOver else { return }
        var bytes = Array(Self.unwrapInboundIn(data).readableBytesView)[...]
        if id == nil {
            preamble += bytes
            guard preamble.count >= StreamPreamble.length else { return }
            bytes = preamble[StreamPreamble.length...]
            var reader = WireReader(preamble)
            preamble = []
            guard let found = try? accept(&reader), admits(found) else {
                reset()
                return
            }
            id = found.stream
            receiveCredit = found.receiveCredit
            tell(self, .named(found))
        }
        deliver(bytes)
    }

    /// Whether the opener is the node that its certificate names, where there are certificates.
    private func admits(_ preamble: StreamPreamble) -> Bool {
        guard let protection else { return true }
        let opener = preamble.stream.opener
        let certificate = protection.handler.peerCertificate
        guard protection.security.admits(opener, showing: certificate) else {
            protection.security.countRefused(
                "the certificate is not one of node \(opener.rawValue)"
            )
            return false
        }
        protection.security.countAccepted()
        return true
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        readMore()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { endInput() }
        if case .handshakeCompleted? = event as? TLSUserEvent { establish() }
    }

    /// TLS has verified the peer. What we open ourselves is open now.
    private func establish() {
        guard !isOver else { return }
        protection?.isEstablished = true
        guard id != nil else { return }
        protection?.security.countOpened()
        tell(self, .opened)
    }

    func channelInactive(context: ChannelHandlerContext) {
        guard id != nil else {
            isOver = true
            tell(self, .abandoned)
            return
        }
        // The channel closes without another word when the peer finishes after us.
        if isOutputClosed {
            endInput()
        } else {
            end(.byPeer)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let protection else {
            end(SocketStream.reason(of: error))
            context.close(promise: nil)
            return
        }
        guard !protection.isEstablished else {
            end(SocketStream.reason(of: error))
            cut()
            return
        }
        // TLS has told the peer why and closes the connection itself, in a reset: a peer without TLS
        // would take anything else for our finish.
        if !isOver {
            protection.security.countRefused("\(error)")
            end(.refused)
            isOver = true
        }
    }

    static func reason(of error: any Error) -> StreamResetReason {
        // The connection has ended without the closure alert, as a peer's reset does.
        if case .uncleanShutdown? = error as? NIOSSLError { return .byPeer }
        guard let error = error as? IOError else { return .failed }
        return switch error.errnoCode {
        case ECONNRESET, EPIPE: .byPeer
        case ECONNREFUSED: .refused
        case ETIMEDOUT: .timedOut
        default: .failed
        }
    }

    // MARK: Inside

    private func end(_ reason: StreamResetReason) {
        guard !isOver, !isComplete, id != nil else { return }
        isOver = true
        tell(self, .reset(reason))
    }

    private func endInput() {
        isPeerFinished = true
        deliver([])
    }

    /// Hands over what the credit admits and keeps the rest; then tells the end of the stream.
    private func deliver(_ bytes: Bytes) {
        guard !isOver else { return }
        if early.isEmpty, bytes.count <= receiveCredit {
            hand(bytes)
        } else {
            early += bytes
            handEarly()
        }
        if isPeerFinished, early.isEmpty, !isOver, !isPeerFinishTold {
            isPeerFinishTold = true
            tell(self, .finished)
        }
    }

    private func handEarly() {
        let count = min(early.count - earlyTaken, receiveCredit)
        let part = early[earlyTaken..<earlyTaken + count]
        earlyTaken += count
        if earlyTaken == early.count {
            early = []
            earlyTaken = 0
        }
        hand(part)
    }

    private func hand(_ bytes: Bytes) {
        guard !bytes.isEmpty else { return }
        receiveCredit -= bytes.count
        tell(self, .readable(bytes))
    }

    private func readMore() {
        let isSettingUp = id == nil || protection?.isEstablished == false
        guard let channel, !isOver, !isDeaf, !isReading, isSettingUp || receiveCredit > 0,
            early.isEmpty
        else { return }
        isReading = true
        channel.read()
    }

    /// Measures the path about once a round trip until everything sent is acknowledged.
    private func measureLater() {
        guard let channel, !isMeasuring else { return }
        isMeasuring = true
        meter.begin(at: MonotonicClock.nanoseconds)
        scheduleMeasurement(channel)
    }

    private func scheduleMeasurement(_ channel: any Channel) {
        channel.eventLoop.assumeIsolated().scheduleTask(in: meter.pause) { [self] in
            guard !isOver, !isComplete, channel.isActive else {
                isMeasuring = false
                return
            }
            TCPInformation.read(from: channel) { [self] information in
                let now = MonotonicClock.nanoseconds
                if let sample = meter.sample(information, at: now) { tell(self, .path(sample)) }
                isMeasuring = !isOver && (pending > 0 || information.isBusy)
                if isMeasuring { scheduleMeasurement(channel) }
            }
        }
    }
}
