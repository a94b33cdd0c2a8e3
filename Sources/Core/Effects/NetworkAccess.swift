public import Machines
public import Units

/// The network as a node's services use it: HTTP, probes of paths, and protocol machines on sockets.
public protocol NetworkAccess: Sendable {
    /// Serves HTTP/1.1 at `endpoint`, over TLS when an identity is given.
    ///
    /// - Parameter endpoint: port 0 takes a free one; the listener says which.
    func serveHTTP(
        at endpoint: SocketEndpoint,
        identity: TLSIdentity?,
        limits: ListenerLimits,
        respond: @escaping @Sendable (HTTPRequest) async -> HTTPResponse
    ) async throws(NetworkError) -> any NetworkListener

    /// Answers probes of other nodes at `endpoint` (UDP).
    func answerProbes(at endpoint: SocketEndpoint) async throws(NetworkError) -> any NetworkListener

    /// Measures the path to a node that answers probes there.
    func probe(_ endpoint: SocketEndpoint, _ plan: ProbePlan) async throws(NetworkError)
        -> PathMeasurement

    /// Runs a protocol machine that takes connections of its peers at `endpoint` until the listener
    /// is closed. Its events are not lost: `observe` hears each of them.
    ///
    /// - Parameter identity: puts TLS below the streams, with certificates on both sides; its
    ///   `clientAuthorities` are required. Without it streams are plain.
    func host<Program: Machine>(
        _ program: Program.Type,
        node: NodeID,
        at endpoint: SocketEndpoint,
        identity: TLSIdentity?,
        machine: @escaping @Sendable (Birth<Program>) -> Program,
        observe: @escaping @Sendable (Program.Event) -> Void
    ) async throws(NetworkError) -> any NetworkListener
}

/// Something that listens. It must be closed by whoever opened it.
public protocol NetworkListener: Sendable {
    /// With the port that was taken.
    var endpoint: SocketEndpoint { get }
    /// Open connections; zero where there are none.
    var connectionCount: Int { get }
    /// Shows another identity to connections that are made from now on; those that are open go on
    /// with the one they began with.
    ///
    /// - Throws: `NetworkError` when the identity cannot be used, or there was none from the start;
    ///   then the listener shows what it showed before.
    func replaceIdentity(_ identity: TLSIdentity) async throws(NetworkError)
    /// Stops listening at once; returns when requests under way have been answered or cut.
    func close() async
}

extension NetworkListener {
    /// For listeners that show no identity.
    public func replaceIdentity(_ identity: TLSIdentity) async throws(NetworkError) {
        throw NetworkError(.failed("this listener shows no certificate"), endpoint)
    }
}

/// An address and a port.
public struct SocketEndpoint: Hashable, Sendable, CustomStringConvertible {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    public var host: String
    public var port: UInt16

    public init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Reads `127.0.0.1:7400` and `[::1]:7400`.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...])
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("[") {
            guard host.hasSuffix("]") else { return nil }
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty else { return nil }
        self.init(host: String(host), port: port)
    }

    public var description: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

/// What a TLS listener shows and whom it trusts; all in PEM.
public struct TLSIdentity: Hashable, Sendable {
    /// The node's certificate, then those above it.
    public var certificateChain: String
    public var privateKey: String
    /// Certificate authorities whose clients are let in; `nil` asks clients for no certificate.
    public var clientAuthorities: String?

    public init(certificateChain: String, privateKey: String, clientAuthorities: String?) {
        self.certificateChain = certificateChain
        self.privateKey = privateKey
        self.clientAuthorities = clientAuthorities
    }
}

/// Bounds of a listener; beyond them connections and requests are refused.
public struct ListenerLimits: Hashable, Sendable {
    public var connections: Int
    public var requestBytes: Int
    /// A connection that says nothing for this long is closed.
    public var idleTimeout: Interval

    public init(connections: Int, requestBytes: Int, idleTimeout: Interval) {
        self.connections = connections
        self.requestBytes = requestBytes
        self.idleTimeout = idleTimeout
    }
}

public struct HTTPRequest: Hashable, Sendable {
    public var method: String
    /// The path with its leading slash, without the query.
    public var path: String
    public var body: [UInt8]
    /// The common name of the client's certificate, once verified.
    public var clientName: String?

    public init(method: String, path: String, body: [UInt8] = [], clientName: String? = nil) {
        self.method = method
        self.path = path
        self.body = body
        self.clientName = clientName
    }
}

public struct HTTPResponse: Hashable, Sendable {
    public var status: Int
    public var contentType: String
    public var body: [UInt8]

    public init(status: Int, contentType: String, body: [UInt8]) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }
}

/// How a path is measured: trains of packets that the other end sends back.
public struct ProbePlan: Hashable, Sendable {
    /// At least one.
    public var trains: Int
    /// Packets sent back to back in each train, at least two: their spread tells the rate.
    public var packetsPerTrain: Int
    public var packetBytes: Int
    /// Between the starts of two trains.
    public var spacing: Interval
    /// Packets that are not back by then are lost.
    public var timeout: Interval

    public init(
        trains: Int,
        packetsPerTrain: Int,
        packetBytes: Int,
        spacing: Interval,
        timeout: Interval
    ) {
        self.trains = trains
        self.packetsPerTrain = packetsPerTrain
        self.packetBytes = packetBytes
        self.spacing = spacing
        self.timeout = timeout
    }
}

/// What the probes of one path showed.
public struct PathMeasurement: Hashable, Sendable {
    public var sent: Int
    /// Round trip times of the packets that came back, in order of sending. Of each train the first
    /// one that came back counts, since the others waited behind it.
    public var roundTrips: [Interval]
    public var received: Int
    /// The median over trains of bytes by their spread at the receiver; `nil` when no train came
    /// back with two packets.
    public var rate: BitRate?

    public init(sent: Int, roundTrips: [Interval], received: Int, rate: BitRate?) {
        self.sent = sent
        self.roundTrips = roundTrips
        self.received = received
        self.rate = rate
    }
}

/// Why something could not be done with the network.
public struct NetworkError: Error, Hashable, Sendable, CustomStringConvertible {
    public var reason: Reason
    public var endpoint: SocketEndpoint

    public enum Reason: Hashable, Sendable {
        case portOccupied
        case denied
        case unknownHost
        /// Nobody answered.
        case unreachable
        /// The certificate or key of the identity cannot be used; the text says why.
        case badIdentity(String)
        /// The host crashed while this was going on.
        case crashed
        case failed(String)
    }

    public init(_ reason: Reason, _ endpoint: SocketEndpoint) {
        self.reason = reason
        self.endpoint = endpoint
    }

    public var description: String {
        switch reason {
        case .portOccupied: "\(endpoint): another process listens there"
        case .denied: "\(endpoint): permission denied"
        case .unknownHost: "\(endpoint): there is no such host"
        case .unreachable: "\(endpoint): nobody answered"
        case .badIdentity(let text): "\(endpoint): the TLS identity cannot be used: \(text)"
        case .crashed: "\(endpoint): the host crashed"
        case .failed(let text): "\(endpoint): \(text)"
        }
    }
}
