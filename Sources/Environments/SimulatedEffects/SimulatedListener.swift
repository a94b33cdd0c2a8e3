import Effects
import SimulationKernel

/// A port that one process listens at.
///
/// open → closing, until requests under way have been answered → closed; or cut at once, by a crash
/// or when the closing task is cancelled: then requests under way fail.
final class SimulatedListener: NetworkListener, @unchecked Sendable {
    // Unchecked, because every use is confined to the executor's thread.

    let endpoint: SocketEndpoint
    let transport: PortTable.Transport
    let process: SimulatedProcess
    private var service: Service
    private(set) var connectionCount = 0
    private var state = State.open
    private var closers: [Closer] = []

    enum Service {
        case http(HTTPService)
        case probes
        /// A machine that nobody connects to.
        case program(any Sendable)
    }

    struct HTTPService {
        var identity: TLSIdentity?
        var limits: ListenerLimits
        var respond: @Sendable (HTTPRequest) async -> HTTPResponse
    }

    private enum State {
        case open
        case closing
        case closed
        case cut
    }

    init(
        _ endpoint: SocketEndpoint,
        _ transport: PortTable.Transport,
        _ process: SimulatedProcess,
        _ service: Service
    ) {
        self.endpoint = endpoint
        self.transport = transport
        self.process = process
        self.service = service
        process.openFiles += 1
    }

    /// Lets the client's task run the service.
    func answer(
        _ request: HTTPRequest,
        at endpoint: SocketEndpoint
    ) async throws(NetworkError) -> HTTPResponse {
        guard state == .open, case .http(let http) = service,
            connectionCount < http.limits.connections
        else { throw NetworkError(.unreachable, endpoint) }
        if http.identity?.clientAuthorities != nil, request.clientName == nil {
            throw NetworkError(.failed("the listener asks for a client certificate"), endpoint)
        }
        guard request.body.count <= http.limits.requestBytes else {
            return HTTPResponse(status: 413, contentType: "text/plain", body: [])
        }
        connectionCount += 1
        let response = await http.respond(request)
        connectionCount -= 1
        if state == .closing, connectionCount == 0 { finishClosing() }
        guard state != .cut else { throw NetworkError(.unreachable, endpoint) }
        return response
    }

    /// What the next client meets; `nil` shows none.
    var identity: TLSIdentity? {
        if case .http(let http) = service { http.identity } else { nil }
    }

    func replaceIdentity(_ identity: TLSIdentity) async throws(NetworkError) {
        guard state == .open, process.isAlive else { throw NetworkError(.crashed, endpoint) }
        guard case .http(var http) = service, http.identity != nil else {
            throw NetworkError(.failed("this listener shows no certificate"), endpoint)
        }
        try identity.checkMarks(endpoint)
        http.identity = identity
        service = .http(http)
    }

    func close() async {
        if state == .open {
            process.host.ports.release(self)
            process.openFiles -= 1
            state = connectionCount == 0 ? .closed : .closing
        }
        guard state == .closing else { return }
        let closer = Closer()
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                closer.continuation = continuation
                if state != .closing || closer.isCancelled {
                    cut()
                    closer.finish()
                } else {
                    closers.append(closer)
                }
            }
        } onCancel: {
            closer.isCancelled = true
            if closer.continuation != nil { cut() }
        }
    }

    /// Ends it at once.
    func cut() {
        guard state == .open || state == .closing else { return }
        if state == .open { process.openFiles -= 1 }
        state = .cut
        finishClosers()
    }

    private func finishClosing() {
        state = .closed
        finishClosers()
    }

    private func finishClosers() {
        let waiting = closers
        closers.removeAll()
        for closer in waiting { closer.finish() }
    }

    private final class Closer: @unchecked Sendable {
        // Unchecked, because only the executor's thread uses it.
        var continuation: UnsafeContinuation<Void, Never>?
        var isCancelled = false

        func finish() {
            continuation?.resume()
            continuation = nil
        }
    }
}
