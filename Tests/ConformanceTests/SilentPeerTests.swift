import Glibc
import Machines
import NIOCore
import NIOPosix
import SocketEnvironment
import Synchronization
import Testing
import Units

// Goal: connections that never say whose stream they carry cost a bounded number of places, and keep
// no peer out. Method: a thousand of them to a node, which stay open; then a peer opens a stream.
@Suite struct SilentPeerTests {
    @Test func aThousandConnectionsThatNeverSpeak() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let opened = group.next().makePromise(of: Void.self)
        let isOpen = Atomic(false)
        func node(_ number: UInt32) throws -> SocketNode<Probe> {
            try SocketNode<Probe>(
                node: NodeID(number),
                on: group,
                journalPath: nil,
                workers: 1,
                machine: { birth in
                    Probe(birth) { memory, input, _, actions in
                        guard case .started = input, memory.node == NodeID(1) else { return }
                        let stream = StreamID(opener: NodeID(1), number: 0)
                        actions.openStream(stream, to: NodeID(0), StreamOptions())
                    }
                },
                observe: { fact, _ in
                    guard number == 0, case .opened = fact else { return }
                    if !isOpen.exchange(true, ordering: .relaxed) { opened.succeed() }
                },
                fail: { Issue.record("\($0)") }
            )
        }
        let nodes = try [node(0), node(1)]
        let addresses = [try await nodes[0].bind(), try await nodes[1].bind()]
        let origin = MonotonicClock.nanoseconds
        nodes[0].start(peers: addresses, origin: origin, incarnation: 0, seed: 1)
        let port = addresses[0].streamPort
        let silent = try await NIOThreadPool.singleton.runIfActive { connections(1_000, to: port) }
        #expect(silent.count == 1_000)
        nodes[1].start(peers: addresses, origin: origin, incarnation: 0, seed: 1)
        let limit = group.next().scheduleTask(in: .seconds(60)) {
            opened.fail(SocketFailure("no stream was opened"))
        }
        try await opened.futureResult.get()
        limit.cancel()
        #expect(nodes[0].streamCount == 1)
        // Those that had to make room were ended, by a reset or an end.
        let ended = silent.count { descriptor in
            var byte: UInt8 = 0
            let count = recv(descriptor, &byte, 1, Int32(MSG_DONTWAIT))
            return count == 0 || (count < 0 && errno != EAGAIN)
        }
        #expect(ended >= 1_000 - 256)
        for descriptor in silent { close(descriptor) }
        for node in nodes { await node.stop() }
        try await group.shutdownGracefully()
    }
}

private func connections(_ count: Int, to port: Int) -> [Int32] {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    limit.rlim_cur = min(limit.rlim_max, max(limit.rlim_cur, 4_096))
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    return (0..<count).compactMap { _ in
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, size) == 0
            }
        }
        return isConnected ? descriptor : nil
    }
}
