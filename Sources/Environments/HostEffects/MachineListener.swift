import Effects
import Glibc
import Machines
import NIOCore
import SocketEnvironment
import Units

/// A protocol machine that peers connect to.
final class MachineListener<Program: Machine>: NetworkListener {
    let endpoint: SocketEndpoint
    private let node: SocketNode<Program>

    /// Strangers get a quarter of the files that this process may open, so that they never keep it from
    /// its own, and no more than sixteen of the largest transfers.
    private static var streamLimit: Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return 256
        }
        return min(4096, max(1, Int(clamping: limit.rlim_cur) / 4))
    }

    private init(endpoint: SocketEndpoint, node: SocketNode<Program>) {
        self.endpoint = endpoint
        self.node = node
    }

    var connectionCount: Int { node.streamCount }

    static func listen(
        node: NodeID,
        at endpoint: SocketEndpoint,
        address: SocketAddress,
        security: StreamSecurity?,
        on group: any EventLoopGroup,
        machine: @escaping @Sendable (Birth<Program>) -> Program,
        observe: @escaping @Sendable (Program.Event) -> Void
    ) async throws(NetworkError) -> MachineListener {
        var generator = SystemRandomNumberGenerator()
        let seed: UInt64 = generator.next()
        do {
            let socketNode = try SocketNode<Program>(
                node: node,
                on: group,
                security: security,
                journalPath: nil,
                workers: 1,
                machine: machine,
                observe: { event, _ in observe(event) },
                fail: { failure in preconditionFailure("\(failure)") }
            )
            do {
                let port = try await socketNode.bindForStrangers(
                    to: address,
                    limit: MachineListener.streamLimit
                )
                socketNode.start(
                    peers: [],
                    origin: MonotonicClock.nanoseconds,
                    // No life is to be taken for the one before it, and none is counted here.
                    incarnation: generator.next(),
                    seed: seed
                )
                let taken = SocketEndpoint(host: endpoint.host, port: UInt16(port))
                return MachineListener(endpoint: taken, node: socketNode)
            } catch {
                await socketNode.stop()
                throw error
            }
        } catch {
            throw NetworkError(error, endpoint)
        }
    }

    func close() async {
        await node.stop()
    }
}
