public import Effects
import Machines
import NIOCore
import NIOSSL
import SwiftASN1
import Synchronization
public import Units
import X509

/// TLS for the streams of a node: version 1.3, with a certificate on either side (RFC 8446).
///
/// Whoever has no certificate of a trusted authority is refused while the connection is set up, in
/// both directions. Datagrams, and streams of a carrier beside TCP, are not covered.
public final class StreamSecurity: Sendable {
    /// What a certificate must say beside being signed by a trusted authority.
    public enum PeerNames: Sendable {
        /// Which node its holder is, as `name(of:)`: no node can pass for another one.
        case numbered
        /// Nothing: whoever the authorities signed for is trusted with every identity.
        case any
    }

    /// What has become of connections so far.
    public struct Counts: Hashable, Sendable, Codable {
        /// Streams of peers that showed their certificate and named themselves.
        public var accepted = 0
        /// Streams of our own whose acceptor showed its certificate; it may still refuse ours.
        public var opened = 0
        /// Connections that ended before, at either end.
        public var refused = 0
        /// Of the connection that was refused last.
        public var lastReason: String?

        public init() {}
    }

    private let server: NIOSSLContext
    private let client: NIOSSLContext
    private let names: PeerNames
    /// How long a peer may take for its part of the handshake, and to name its stream after it.
    let patience: TimeAmount
    private let present = Mutex(Counts())

    /// Reads certificates and key, all in PEM; takes some milliseconds.
    ///
    /// - Parameters:
    ///   - identity: needs `clientAuthorities`, whose nodes are trusted.
    ///   - patience: how long a peer may take for its part of the handshake, and to name its stream
    ///     after it.
    public init(
        _ identity: TLSIdentity,
        names: PeerNames,
        patience: Interval = .seconds(5)
    ) throws(SocketFailure) {
        guard let authorities = identity.clientAuthorities else {
            throw SocketFailure("TLS on streams needs the authorities of its peers")
        }
        self.names = names
        self.patience = .nanoseconds(patience.nanoseconds)
        let roots = try StreamSecurity.certificates(authorities, "the authorities")
        let chain = try StreamSecurity.certificates(identity.certificateChain, "the certificate")
        do {
            let key = try NIOSSLPrivateKey(bytes: Array(identity.privateKey.utf8), format: .pem)
            let shown = chain.map { NIOSSLCertificateSource.certificate($0) }
            var accepting = TLSConfiguration.makeServerConfiguration(
                certificateChain: shown,
                privateKey: .privateKey(key)
            )
            accepting.minimumTLSVersion = .tlsv13
            accepting.trustRoots = .certificates(roots)
            // The opener's name is compared with the node that it says to be.
            accepting.certificateVerification = .noHostnameVerification
            accepting.applicationProtocols = StreamSecurity.protocols
            server = try NIOSSLContext(configuration: accepting)
            var opening = TLSConfiguration.makeClientConfiguration()
            opening.minimumTLSVersion = .tlsv13
            opening.trustRoots = .certificates(roots)
            opening.certificateChain = shown
            opening.privateKey = .privateKey(key)
            opening.certificateVerification =
                switch names {
                case .numbered: .fullVerification
                case .any: .noHostnameVerification
                }
            opening.applicationProtocols = StreamSecurity.protocols
            client = try NIOSSLContext(configuration: opening)
        } catch {
            throw SocketFailure("the certificate and its key cannot be used for TLS: \(error)")
        }
    }

    /// May be read from any thread.
    public var counts: Counts { present.withLock { $0 } }

    /// What the certificate of a node names (as a name of the DNS) with `PeerNames.numbered`.
    public static func name(of node: NodeID) -> String { "node-\(node.rawValue)" }

    /// The application protocol that both ends must speak (RFC 7301).
    private static let protocols = ["novacron-streams/1"]

    private static func certificates(
        _ text: String,
        _ what: String
    ) throws(SocketFailure) -> [NIOSSLCertificate] {
        let found = (try? NIOSSLCertificate.fromPEMBytes(Array(text.utf8))) ?? []
        guard !found.isEmpty else { throw SocketFailure("\(what): no certificate in PEM") }
        return found
    }

    // MARK: Connections; on the node's event loop

    /// Puts TLS below a stream that a peer opens.
    func accept(_ stream: SocketStream, on channel: any Channel) throws {
        try install(NIOSSLServerHandler(context: server), stream, channel)
    }

    /// Puts TLS below a stream that we open to `peer`.
    func open(_ stream: SocketStream, to peer: NodeID, on channel: any Channel) throws {
        let host: String? =
            switch names {
            case .numbered: StreamSecurity.name(of: peer)
            case .any: nil
            }
        let handler = try NIOSSLClientHandler(context: client, serverHostname: host)
        try install(handler, stream, channel)
    }

    private func install(
        _ handler: NIOSSLHandler,
        _ stream: SocketStream,
        _ channel: any Channel
    ) throws {
        let ground = StreamGround()
        stream.secure(by: SocketStream.Protection(security: self, handler: handler, ground: ground))
        try channel.pipeline.syncOperations.addHandlers([ground, handler, stream])
    }

    /// Whether the certificate that the peer has shown is one of `opener`.
    func admits(_ opener: NodeID, showing certificate: NIOSSLCertificate?) -> Bool {
        switch names {
        case .any:
            return true
        case .numbered:
            let wanted = StreamSecurity.name(of: opener)
            guard let certificate, let bytes = try? certificate.toDERBytes(),
                let names = try? Certificate(derEncoded: bytes).extensions.subjectAlternativeNames
            else { return false }
            return names.contains(.dnsName(wanted))
        }
    }

    func countAccepted() { present.withLock { $0.accepted += 1 } }
    func countOpened() { present.withLock { $0.opened += 1 } }

    func countRefused(_ reason: String) {
        present.withLock { counts in
            counts.refused += 1
            counts.lastReason = reason
        }
    }
}

/// Stands between TLS and the socket: an orderly end waits until the socket has taken what TLS wrote
/// last, so that the peer can tell a finished stream from one that was cut off. A reset waits for
/// nothing, and says nothing that TLS would take for an end.
final class StreamGround: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    private var context: ChannelHandlerContext?
    private var unwritten = 0
    private var isClosing = false
    private var closing: EventLoopPromise<Void>?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    /// Ends the connection at once, without a word of TLS.
    func abort() { context?.close(mode: .all, promise: nil) }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let written = promise ?? context.eventLoop.makePromise()
        unwritten += 1
        written.futureResult.assumeIsolated().whenComplete { [self] _ in
            unwritten -= 1
            if unwritten == 0, isClosing { finishClosing(context) }
        }
        context.write(data, promise: written)
    }

    func close(
        context: ChannelHandlerContext,
        mode: CloseMode,
        promise: EventLoopPromise<Void>?
    ) {
        guard mode == .all, unwritten > 0 else {
            context.close(mode: mode, promise: promise)
            return
        }
        guard !isClosing else {
            if let closing { closing.futureResult.cascade(to: promise) } else { closing = promise }
            return
        }
        isClosing = true
        closing = promise
    }

    private func finishClosing(_ context: ChannelHandlerContext) {
        let promise = closing
        closing = nil
        context.close(mode: .all, promise: promise)
    }
}
