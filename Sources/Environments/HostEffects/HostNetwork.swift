public import Effects
import Glibc
public import Machines
import NIOCore
import NIOPosix
import SocketEnvironment
public import Units

/// Sockets of the host: HTTP by Hummingbird, probes and protocol machines on SwiftNIO.
public struct HostNetwork: NetworkAccess {
    private let group: any EventLoopGroup
    private let threads: BlockingThreads

    init(group: any EventLoopGroup, threads: BlockingThreads) {
        self.group = group
        self.threads = threads
    }

    /// TLS is version 1.3. A client whose certificate does not come from `clientAuthorities` is cut off
    /// while the connection is set up.
    public func serveHTTP(
        at endpoint: SocketEndpoint,
        identity: TLSIdentity?,
        limits: ListenerLimits,
        respond: @escaping @Sendable (HTTPRequest) async -> HTTPResponse
    ) async throws(NetworkError) -> any NetworkListener {
        let address = try await resolve(endpoint)
        let service = HTTPService(limits: limits, respond: respond)
        return try await service.listen(
            at: endpoint,
            address: address,
            identity: identity,
            on: group,
            threads
        )
    }

    public func answerProbes(
        at endpoint: SocketEndpoint
    ) async throws(NetworkError) -> any NetworkListener {
        try await ProbeResponder.listen(
            at: endpoint,
            address: try await resolve(endpoint),
            on: group
        )
    }

    /// `NetworkError.Reason.unreachable` when no packet came back.
    public func probe(
        _ endpoint: SocketEndpoint,
        _ plan: ProbePlan
    ) async throws(NetworkError) -> PathMeasurement {
        let address = try await resolve(endpoint)
        return try await PathProber.measure(endpoint, address: address, plan, on: group)
    }

    /// Peers need no entry in a list of addresses: they come and open streams. Messages to them cannot
    /// be sent and are lost. The machine keeps no durable records.
    public func host<Program: Machine>(
        _ program: Program.Type,
        node: NodeID,
        at endpoint: SocketEndpoint,
        identity: TLSIdentity?,
        machine: @escaping @Sendable (Birth<Program>) -> Program,
        observe: @escaping @Sendable (Program.Event) -> Void
    ) async throws(NetworkError) -> any NetworkListener {
        let address = try await resolve(endpoint)
        // Reading certificates takes its time.
        let security = try await threads.run { () throws(NetworkError) -> StreamSecurity? in
            do throws(SocketFailure) {
                return try identity.map { identity throws(SocketFailure) in
                    try StreamSecurity(identity, names: .any)
                }
            } catch {
                throw NetworkError(.badIdentity(error.description), endpoint)
            }
        }
        return try await MachineListener<Program>.listen(
            node: node,
            at: endpoint,
            address: address,
            security: security,
            on: group,
            machine: machine,
            observe: observe
        )
    }

    /// Asking for the address of a name may take seconds.
    private func resolve(_ endpoint: SocketEndpoint) async throws(NetworkError) -> SocketAddress {
        try await threads.run { () throws(NetworkError) in
            do {
                return try SocketAddress.makeAddressResolvingHost(
                    endpoint.host,
                    port: Int(endpoint.port)
                )
            } catch {
                throw NetworkError(.unknownHost, endpoint)
            }
        }
    }
}

extension NetworkError {
    /// What an error of SwiftNIO means for `endpoint`.
    init(_ error: any Error, _ endpoint: SocketEndpoint) {
        let reason: Reason =
            switch (error as? IOError)?.errnoCode {
            case EADDRINUSE: .portOccupied
            case EACCES, EPERM: .denied
            case ECONNREFUSED, ENETUNREACH, EHOSTUNREACH, ETIMEDOUT: .unreachable
            case .some(let code): .failed(String(cString: strerror(code)))
            case nil: .failed("\(error)")
            }
        self.init(reason, endpoint)
    }
}

extension SocketEndpoint {
    /// With the port that `address` has in fact.
    func listening(at address: SocketAddress?) -> SocketEndpoint {
        SocketEndpoint(host: host, port: address?.port.flatMap(UInt16.init(exactly:)) ?? port)
    }
}

// Libraries have types of these names, too; where they are imported, ours go by these.
typealias NodeRequest = HTTPRequest
typealias NodeResponse = HTTPResponse
