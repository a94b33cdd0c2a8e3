import Determinism
import Experiments
import Glibc
import Machines
import NIOCore
import NIOPosix
import RDMAEnvironment
import SocketEnvironment
import Testing
import Transport
import Units

/// What only RDMA has. The other suites run on it, too, where there is a device.
@Suite(
    "RDMA links",
    .serialized,
    .enabled(if: RDMASupport.current.isUsable, "no RDMA device; scripts/softroce-vm brings two")
)
struct RDMATests {
    /// A transfer of 12 MiB over four streams, with what happens to it on the way; gives the number
    /// of streams that went over RDMA.
    private static func transfer(
        _ incidents: [Incident<BulkNode.Event>]
    ) async throws -> Int {
        var configuration = TransportConfiguration(
            link: LinkEstimate(rate: .megabits(800), rtt: .milliseconds(10)),
            streams: .fixed(4)
        )
        configuration.window = 1 << 20
        configuration.sendBuffer = 1 << 20
        let content = BulkContent(seed: 4)
        let play = Play<BulkNode>(incidents: incidents, limit: .seconds(60)) {
            [configuration] birth in
            BulkNode(
                birth,
                sendingTo: birth.node == NodeID(0) ? NodeID(1) : nil,
                configuration: configuration,
                content: content
            )
        } until: { story in
            story.delivered >= 12 << 20
        }
        var next: UInt64 = 0
        let (story, carried) = try await play.performance(on: .rdma)
        for entry in story {
            if case .different(let chunk) = entry.event { Issue.record("chunk \(chunk) differs") }
            guard case .delivered(let chunks, _) = entry.event else { continue }
            #expect(chunks.lowerBound == next)
            next = chunks.upperBound
        }
        return carried
    }

    // Goal: a transfer survives the error of its queue pairs, on either side, without a lost or
    // changed chunk. Method: the pairs of the sender, later those of the receiver, are put into their
    // error state while chunks are under way.
    @Test func brokenPairs() async throws {
        let carried = try await RDMATests.transfer([
            Incident(change: .breakLinks(NodeID(0))) { $0.delivered >= 2 << 20 },
            Incident(change: .breakLinks(NodeID(1))) { $0.delivered >= 6 << 20 },
        ])
        #expect(carried > 4, "streams after an error go over RDMA again")
    }

    // Goal: streams really go over RDMA where both nodes have a device. Method: a whole transfer, its
    // streams counted by their opener.
    @Test func streamsAreCarried() async throws {
        #expect(try await RDMATests.transfer([]) == 4)
    }

    // Goal: when a device is gone for good, the transfer goes on over TCP. Method: the sender's fails
    // in the middle of a transfer; in a second one the receiver's.
    @Test(arguments: [0, 1] as [UInt32])
    func failedDevice(of node: UInt32) async throws {
        let carried = try await RDMATests.transfer([
            Incident(change: .failDevice(NodeID(node))) { $0.delivered >= 3 << 20 }
        ])
        #expect(carried >= 4)
    }

    // Goal: connections that never speak, that stop half-way and that talk nonsense are all ended,
    // and peers get through afterwards. Method: 300 of them at once; then a stream is opened.
    @Test func strangersAreSentAway() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let carriers = try (0..<2).map { try RDMACarrier(for: NodeID($0)) }
        var ports: [Int] = []
        for (node, carrier) in carriers.enumerated() {
            let owner = CarrierOwner(node: NodeID(UInt32(node)), loop: loop) { _, _ in
            } tell: { _, _ in
            }
            ports.append(try await carrier.bind(for: owner))
            try await loop.submit { carrier.start(peers: 2) }.get()
        }
        let port = ports[0]
        try await NIOThreadPool.singleton.runIfActive { RDMATests.annoy(port) }
        let opened = loop.makePromise(of: Void.self)
        try await loop.submit {
            let stream = carriers[1].open(
                StreamID(opener: NodeID(1), number: 1),
                to: NodeID(0),
                at: port,
                StreamOptions()
            ) { _, happening in
                if case .opened = happening {
                    opened.succeed()
                } else {
                    opened.fail(SocketFailure("\(happening)"))
                }
            }
            #expect(stream != nil)
        }.get()
        try await opened.futureResult.get()
        #expect(carriers[1].streamCount == 1)
        for carrier in carriers { await carrier.stop() }
        try await group.shutdownGracefully()
    }

    /// Makes 300 connections that say nothing, too little, or noise; returns when all were ended.
    private static func annoy(_ port: Int) {
        var random = SeededRandom(stateFrom: 5)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        var sockets: [Int32] = []
        for number in 0..<300 {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            let isConnected = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, size) == 0
                }
            }
            #expect(isConnected)
            var noise: [UInt8] = []
            for _ in 0..<64 { noise.append(UInt8(truncatingIfNeeded: random.next())) }
            let count = number % 3 == 0 ? 0 : number % 3 == 1 ? 10 : 64
            if count > 0 { _ = send(descriptor, noise, count, Int32(MSG_NOSIGNAL)) }
            sockets.append(descriptor)
        }
        for descriptor in sockets {
            var byte: UInt8 = 0
            #expect(recv(descriptor, &byte, 1, 0) <= 0)
            close(descriptor)
        }
    }
}
