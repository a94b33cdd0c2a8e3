import Effects

/// Who listens where on one host.
public final class PortTable: @unchecked Sendable {
    // Unchecked, because every use is confined to the executor's thread.

    public enum Transport: String, Hashable, Sendable, CaseIterable {
        case tcp
        case udp
    }

    /// One taken port.
    public struct Port: Hashable, Comparable, Sendable {
        public var number: UInt16
        public var transport: Transport

        public init(_ number: UInt16, _ transport: Transport) {
            self.number = number
            self.transport = transport
        }

        public static func < (left: Port, right: Port) -> Bool {
            (left.number, left.transport.rawValue) < (right.number, right.transport.rawValue)
        }
    }

    private var listeners: [Port: SimulatedListener] = [:]
    private var foreign: Set<Port> = []
    private var denied: Set<Port> = []
    private var nextFree: UInt16 = PortTable.firstFree

    private static let firstFree: UInt16 = 32_768

    init() {}

    /// Ports that the node's processes listen at, sorted.
    public var open: [Port] { listeners.keys.sorted() }

    /// Another program takes the port, and keeps it through crashes.
    public func occupy(_ port: Port) {
        foreign.insert(port)
    }

    public func vacate(_ port: Port) {
        foreign.remove(port)
    }

    /// Nobody may listen there.
    public func deny(_ port: Port) {
        denied.insert(port)
    }

    func httpListener(at port: UInt16) -> SimulatedListener? { listeners[Port(port, .tcp)] }

    func answersProbes(at port: UInt16) -> Bool { listeners[Port(port, .udp)] != nil }

    /// Takes a port for a listener; zero takes a free one.
    func take(
        _ endpoint: SocketEndpoint,
        _ transport: Transport,
        _ make: (SocketEndpoint) -> SimulatedListener
    ) throws(NetworkError) -> SimulatedListener {
        var number = endpoint.port
        if number == 0 {
            guard let free = freePort(transport) else {
                throw NetworkError(.failed("no port is free"), endpoint)
            }
            number = free
        }
        let port = Port(number, transport)
        if denied.contains(port) { throw NetworkError(.denied, endpoint) }
        guard isFree(port) else { throw NetworkError(.portOccupied, endpoint) }
        let listener = make(SocketEndpoint(host: endpoint.host, port: number))
        listeners[port] = listener
        return listener
    }

    func release(_ listener: SimulatedListener) {
        let port = Port(listener.endpoint.port, listener.transport)
        if listeners[port] === listener { listeners[port] = nil }
    }

    /// Those of one process, or of all when none is named.
    func releaseAll(of process: SimulatedProcess? = nil) {
        for port in listeners.keys.sorted() {
            guard let listener = listeners[port] else { continue }
            if let process, listener.process !== process { continue }
            listeners[port] = nil
            listener.cut()
        }
    }

    private func isFree(_ port: Port) -> Bool {
        listeners[port] == nil && !foreign.contains(port)
    }

    private func freePort(_ transport: Transport) -> UInt16? {
        for _ in PortTable.firstFree...UInt16.max {
            let number = nextFree
            nextFree = number == .max ? PortTable.firstFree : number + 1
            let port = Port(number, transport)
            if isFree(port), !denied.contains(port) { return number }
        }
        return nil
    }
}
