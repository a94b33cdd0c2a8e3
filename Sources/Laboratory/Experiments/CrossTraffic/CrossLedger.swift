import Foundation
import NetworkModel
import Scenarios
import Units

/// What the receivers of others' flows told in a run on sockets; heard on the threads of their
/// processes.
final class CrossLedger: @unchecked Sendable {
    private struct Arrival {
        let time: Instant
        let flow: Int
        let bytes: Int
    }

    /// The number of each entry's first flow.
    private let offsets: [Int]
    private let ends: CrossEnds
    // Guarded by `lock`.
    private var arrivals: [Arrival] = []
    private var broken = 0
    private let lock = NSLock()

    init(_ ends: CrossEnds) {
        self.ends = ends
        var next = 0
        offsets = ends.traffic.map { entry in
            defer { next += entry.flows }
            return next
        }
    }

    /// - Parameter index: Which of the ends it comes from.
    func note(_ event: CrossNode.Event, from index: Int, at time: Instant) {
        lock.withLock {
            switch event {
            case .arrived(let flow, let bytes):
                guard Int(flow) < ends.traffic[index / 2].flows else { return }
                arrivals.append(
                    Arrival(time: time, flow: offsets[index / 2] + Int(flow), bytes: bytes)
                )
            case .broken:
                broken += 1
            }
        }
    }

    /// Connections that broke and were opened again.
    var brokenFlows: Int { lock.withLock { broken } }

    /// What links carried of the flows is taken from the bytes that they brought and the headers of
    /// full packets; what was sent twice is not known here.
    func figures(until end: Instant, _ topology: NetworkModel.Topology) -> CrossFigures {
        let flows = ends.traffic.flatMap { Array(repeating: $0, count: $0.flows) }
        let links = topology.links.map { LinkEnds(from: $0.from, to: $0.to) }
        let sorted = lock.withLock { arrivals }.sorted { $0.time < $1.time }
        var sums = [UInt64](repeating: 0, count: flows.count)
        var times: [Instant] = []
        var received: [[UInt64]] = []
        var next = 0
        let step = max(.milliseconds(100), (end - .zero) / 2_000)
        var time = Instant.zero
        while time <= end {
            while next < sorted.count, sorted[next].time <= time {
                sums[sorted[next].flow] += UInt64(sorted[next].bytes)
                next += 1
            }
            times.append(time)
            received.append(sums)
            time = time + step
        }
        let carried = received.map { row in
            links.map { ends in
                zip(flows, row).reduce(UInt64(0)) { sum, flow in
                    let isOwn = flow.0.from == ends.from && flow.0.to == ends.to
                    return isOwn ? sum + flow.1 * 1514 / 1448 : sum
                }
            }
        }
        return CrossFigures(
            flows: flows,
            times: times,
            received: received,
            links: links,
            carried: carried
        )
    }
}
