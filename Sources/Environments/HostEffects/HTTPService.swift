import Effects
import HTTPTypes
import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOCore
import NIOSSL
import SwiftASN1
import Units
import X509

/// What a listener does with a connection: reads requests within limits, answers them.
struct HTTPService: Sendable {
    let limits: ListenerLimits
    let respond: @Sendable (NodeRequest) async -> NodeResponse

    /// Beyond its limit a request is read on by this many bytes and forgotten, so that a client that
    /// writes first and reads then still gets its answer.
    private static let forgottenBytes = 1 << 20
    /// In bytes a second. A client that sends a body or takes an answer more slowly than this, beside
    /// the idle time that everybody has, is cut off: a few of them would hold all connections.
    private static let leastRate = 64 << 10

    func listen(
        at endpoint: SocketEndpoint,
        address: SocketAddress,
        identity: TLSIdentity?,
        on group: any EventLoopGroup,
        _ threads: BlockingThreads
    ) async throws(NetworkError) -> any NetworkListener {
        let connections = OpenConnections(limit: limits.connections)
        let configuration = HTTP1Channel.Configuration(
            idleTimeout: .nanoseconds(limits.idleTimeout.nanoseconds),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: 8 << 10,
                maxHeaderListSize: 32 << 10,
                maxHeaderFieldCount: 100
            )
        )
        let asksForCertificates = identity?.clientAuthorities != nil
        let plain = HTTP1Channel(
            responder: { request, writer, channel in
                let client =
                    asksForCertificates ? try await HTTPService.clientName(of: channel) : nil
                try await answer(request, from: client, with: writer, on: channel)
            },
            configuration: configuration
        )
        guard let identity else {
            return try await HTTPListener.listen(
                LimitedChannel(plain, connections),
                connections,
                at: endpoint,
                address,
                on: group
            ) { _ throws(NetworkError) in
                throw NetworkError(.failed("this listener shows no certificate"), endpoint)
            }
        }
        let secure: @Sendable (TLSIdentity) async throws(NetworkError) -> TLSChannel<HTTP1Channel> =
            { (identity) async throws(NetworkError) in
                try await threads.run { () throws(NetworkError) in
                    do {
                        return try TLSChannel(
                            plain,
                            tlsConfiguration: HTTPService.configuration(of: identity)
                        )
                    } catch {
                        throw NetworkError(.badIdentity("\(error)"), endpoint)
                    }
                }
            }
        let channel = ReplaceableChannel(try await secure(identity))
        return try await HTTPListener.listen(
            LimitedChannel(channel, connections),
            connections,
            at: endpoint,
            address,
            on: group
        ) { (identity) async throws(NetworkError) in
            channel.replace(by: try await secure(identity))
        }
    }

    // MARK: A request

    private func answer(
        _ request: Request,
        from client: String?,
        with writer: consuming ResponseWriter,
        on channel: any Channel
    ) async throws {
        let reading = cutting(channel, afterBytes: limits.requestBytes + HTTPService.forgottenBytes)
        defer { reading.cancel() }
        guard let body = try await content(of: request) else {
            let head = HTTPResponse(
                status: .contentTooLarge,
                headerFields: [.contentLength: "0", .connection: "close"]
            )
            try await writer.writeResponse(head)
            throw RequestTooLarge()
        }
        // What takes its time now is the node.
        reading.cancel()
        let answer = await respond(
            NodeRequest(
                method: request.method.rawValue,
                path: request.uri.path,
                body: body,
                clientName: client
            )
        )
        let head = HTTPResponse(
            status: .init(code: answer.status),
            headerFields: [
                .contentLength: "\(answer.body.count)",
                .contentType: answer.contentType,
                .cacheControl: "no-store",
            ]
        )
        let writing = cutting(channel, afterBytes: answer.body.count)
        defer { writing.cancel() }
        if request.method == .head {
            try await writer.writeResponse(head)
        } else {
            let body = ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body))
            try await writer.write(response: head, body: body)
        }
    }

    /// `nil` when it is longer than the limit.
    private func content(of request: Request) async throws -> [UInt8]? {
        var bytes: [UInt8] = []
        var count = 0
        for try await part in request.body {
            count += part.readableBytes
            if count <= limits.requestBytes {
                bytes += part.readableBytesView
            } else {
                bytes = []
                guard count <= limits.requestBytes + HTTPService.forgottenBytes else { break }
            }
        }
        // The end of a connection looks like the end of a body.
        if let length = request.headers[.contentLength], Int(length) != count,
            count <= limits.requestBytes
        {
            throw RequestCutShort()
        }
        return count <= limits.requestBytes ? bytes : nil
    }

    /// Closes the connection when that many bytes should have passed since long.
    private func cutting(_ channel: any Channel, afterBytes count: Int) -> Scheduled<Void> {
        let time = limits.idleTimeout + .seconds(Int64(count / HTTPService.leastRate))
        return channel.eventLoop.scheduleTask(in: .nanoseconds(time.nanoseconds)) {
            channel.close(promise: nil)
        }
    }

    /// The connection ends with it.
    private struct RequestTooLarge: Error {}

    /// The client has gone before it had sent everything.
    private struct RequestCutShort: Error {}

    // MARK: TLS

    private static func configuration(of identity: TLSIdentity) throws -> TLSConfiguration {
        let chain = try NIOSSLCertificate.fromPEMBytes(Array(identity.certificateChain.utf8))
        let key = try NIOSSLPrivateKey(bytes: Array(identity.privateKey.utf8), format: .pem)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(key)
        )
        configuration.minimumTLSVersion = .tlsv13
        configuration.applicationProtocols = ["http/1.1"]
        if let authorities = identity.clientAuthorities {
            let roots = try NIOSSLCertificate.fromPEMBytes(Array(authorities.utf8))
            configuration.trustRoots = .certificates(roots)
            // Clients are known by the authority that signed for them; they have no host names.
            configuration.certificateVerification = .noHostnameVerification
        }
        return configuration
    }

    /// The common name in the certificate that TLS has verified.
    private static func clientName(of channel: any Channel) async throws -> String? {
        guard let certificate = try await channel.nioSSL_peerCertificate().get() else { return nil }
        let subject = try Certificate(derEncoded: certificate.toDERBytes()).subject
        for part in subject {
            for attribute in part where attribute.type == .RDNAttributeType.commonName {
                return String(attribute.value)
            }
        }
        return nil
    }
}
