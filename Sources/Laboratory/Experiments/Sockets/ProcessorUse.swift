import CoreFoundation
import Foundation
import Machines
import Measurements
package import Units

/// How much processor time the processes of nodes had used when, as they told while they ran.
package struct ProcessorUse: Sendable {
    /// User and system time of a process, all threads, since its start.
    package struct Sample: Sendable {
        package var time: Instant
        package var used: Interval

        package init(time: Instant, used: Interval) {
            self.time = time
            self.used = used
        }
    }

    /// A process tells it this often, and at the end.
    package static let interval = Interval.milliseconds(100)

    private var samples: [[Sample]]
    /// Nodes whose process died: what it had used at last is not known.
    private var isBroken: [Bool]
    /// Of the machine that all processes share.
    package let cores: Int

    package init(nodes: Int, cores: Int) {
        samples = Array(repeating: [], count: nodes)
        isBroken = Array(repeating: false, count: nodes)
        self.cores = cores
    }

    package mutating func add(_ sample: Sample, of node: Int) { samples[node].append(sample) }

    package mutating func interrupt(_ node: Int) { isBroken[node] = true }

    /// What these nodes used between two times; `nil` where a process was not watched all the while.
    /// Between two samples use is taken as even, so each end is exact to the use of an interval.
    package func used(by nodes: [NodeID], from start: Instant, to end: Instant) -> Interval? {
        var sum = Interval.zero
        for node in nodes.map({ Int($0.rawValue) }) {
            guard !isBroken[node], let first = used(by: node, at: start),
                let last = used(by: node, at: end)
            else { return nil }
            sum = sum + (last - first)
        }
        return sum
    }

    private func used(by node: Int, at time: Instant) -> Interval? {
        let own = samples[node]
        guard let after = own.firstIndex(where: { $0.time >= time }) else { return nil }
        let next = own[after]
        guard next.time > time else { return next.used }
        guard after > 0 else { return nil }
        let before = own[after - 1]
        let share = (time - before.time).seconds / (next.time - before.time).seconds
        return before.used + Interval(seconds: (next.used - before.used).seconds * share)
    }

    /// What this process has used by now.
    package static func ofThisProcess() -> Interval {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
    }
}

/// The nodes at one end of a transfer.
struct TransferEnd: Sendable {
    let region: String
    let nodes: [NodeID]
}

extension ReplicationEnding {
    /// What both ends of a transfer used of the processor for each gigabyte (10⁹ bytes) it delivered, and
    /// each end where they are in different regions; nothing where no process was watched.
    func processorCosts(
        of bytes: Int64,
        _ ends: [TransferEnd],
        from start: Instant,
        to end: Instant,
        labels: [Label] = []
    ) -> [MetricValue] {
        guard let processors, bytes > 0 else { return [] }
        let gigabytes = Double(bytes) / 1e9
        // Both ends of the window are exact to an interval.
        let most =
            (end - start + ProcessorUse.interval * 2).seconds * Double(processors.cores) / gigabytes
        func cost(_ nodes: [NodeID], _ labels: [Label]) -> MetricValue? {
            processors.used(by: nodes, from: start, to: end).map { used in
                MetricValue(
                    "cpu-per-gb",
                    used.seconds / gigabytes,
                    labels: labels,
                    bound: PhysicalBound(
                        .upper,
                        most,
                        derivation:
                            "\(processors.cores) cores for all of the time / bytes delivered"
                    )
                )
            }
        }
        let regions = Set(ends.map(\.region))
        let each =
            regions.count == ends.count && ends.count > 1
            ? ends.compactMap { cost($0.nodes, labels + [Label("region", $0.region)]) } : []
        return [cost(ends.flatMap(\.nodes), labels)].compactMap { $0 } + each
    }
}
