import Experiments
import Machines
import RDMAEnvironment
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
            delivered(story) >= 12 << 20
        }
        var next: UInt64 = 0
        let (story, carried) = try await play.performance(on: .rdma)
        for entry in story {
            guard case .delivered(let chunk, _, let isIdentical) = entry.event else { continue }
            #expect(chunk == next && isIdentical)
            next += 1
        }
        return carried
    }

    private static func delivered(_ story: [Entry<BulkNode.Event>]) -> Int {
        story.reduce(0) { sum, entry in
            if case .delivered(_, let bytes, _) = entry.event { sum + bytes } else { sum }
        }
    }

    // Goal: a transfer survives the error of its queue pairs, on either side, without a lost or
    // changed chunk. Method: the pairs of the sender, later those of the receiver, are put into their
    // error state while chunks are under way.
    @Test func brokenPairs() async throws {
        let carried = try await RDMATests.transfer([
            Incident(change: .breakLinks(NodeID(0))) { RDMATests.delivered($0) >= 2 << 20 },
            Incident(change: .breakLinks(NodeID(1))) { RDMATests.delivered($0) >= 6 << 20 },
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
            Incident(change: .failDevice(NodeID(node))) { RDMATests.delivered($0) >= 3 << 20 }
        ])
        #expect(carried >= 4)
    }
}
