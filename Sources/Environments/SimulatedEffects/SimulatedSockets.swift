import Determinism
import Effects
import Machines
import SimulationKernel
import Units

/// The network as one process uses it.
struct SimulatedSockets: NetworkAccess {
    private let process: SimulatedProcess

    init(_ process: SimulatedProcess) {
        self.process = process
    }

    func serveHTTP(
        at endpoint: SocketEndpoint,
        identity: TLSIdentity?,
        limits: ListenerLimits,
        respond: @escaping @Sendable (HTTPRequest) async -> HTTPResponse
    ) async throws(NetworkError) -> any NetworkListener {
        try identity?.checkMarks(endpoint)
        return try listen(
            at: endpoint,
            .tcp,
            .http(.init(identity: identity, limits: limits, respond: respond))
        )
    }

    func answerProbes(
        at endpoint: SocketEndpoint
    ) async throws(NetworkError) -> any NetworkListener {
        try listen(at: endpoint, .udp, .probes)
    }

    func probe(
        _ endpoint: SocketEndpoint,
        _ plan: ProbePlan
    ) async throws(NetworkError) -> PathMeasurement {
        let host = process.host
        guard process.isAlive else { throw NetworkError(.crashed, endpoint) }
        guard plan.trains >= 1, plan.packetsPerTrain >= 2, plan.packetBytes >= 1,
            plan.trains <= 10_000, plan.packetsPerTrain <= 10_000
        else { throw NetworkError(.failed("a probe plan without packets"), endpoint) }
        guard host.network.isKnown(endpoint) else { throw NetworkError(.unknownHost, endpoint) }
        var path = host.network.path(from: host.node, to: endpoint.host)
        if !host.network.answersProbes(endpoint) { path.loss = Ratio(1) }
        let (measurement, duration) = path.measure(plan, &process.probeRandom)
        do {
            try await host.executor.sleep(until: host.executor.now.advanced(by: duration))
        } catch {
            throw NetworkError(process.isAlive ? .failed("cancelled") : .crashed, endpoint)
        }
        guard process.isAlive else { throw NetworkError(.crashed, endpoint) }
        guard measurement.received > 0 else { throw NetworkError(.unreachable, endpoint) }
        return measurement
    }

    /// The port is taken and the machine exists, but nobody connects to it in this world, and it is
    /// never stepped.
    func host<Program: Machine>(
        _ program: Program.Type,
        node: NodeID,
        at endpoint: SocketEndpoint,
        identity: TLSIdentity?,
        machine: @escaping @Sendable (Birth<Program>) -> Program,
        observe: @escaping @Sendable (Program.Event) -> Void
    ) async throws(NetworkError) -> any NetworkListener {
        try identity?.checkMarks(endpoint)
        let birth = Birth<Program>(
            node: node,
            incarnation: process.incarnation,
            recovered: [],
            seed: process.host.seed
        )
        return try listen(at: endpoint, .tcp, .program(machine(birth)))
    }

    private func listen(
        at endpoint: SocketEndpoint,
        _ transport: PortTable.Transport,
        _ service: SimulatedListener.Service
    ) throws(NetworkError) -> SimulatedListener {
        guard process.isAlive else { throw NetworkError(.crashed, endpoint) }
        let settings = process.host.settings
        let own = [
            settings.name, settings.address, "localhost", "127.0.0.1", "::1", "0.0.0.0", "::",
        ]
        guard own.contains(endpoint.host) else { throw NetworkError(.unknownHost, endpoint) }
        return try process.host.ports.take(endpoint, transport) { taken in
            SimulatedListener(taken, transport, process, service)
        }
    }
}

extension TLSIdentity {
    /// Nothing is encrypted here; what is no PEM at all would fail on a host, too.
    func checkMarks(_ endpoint: SocketEndpoint) throws(NetworkError) {
        let marks = [(certificateChain, "the certificate"), (privateKey, "the key")]
        for (text, name) in marks where !text.contains("-----BEGIN ") {
            throw NetworkError(.badIdentity("\(name) is not PEM"), endpoint)
        }
    }
}
