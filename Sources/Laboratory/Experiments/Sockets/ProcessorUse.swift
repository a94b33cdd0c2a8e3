import CoreFoundation
import Foundation
import Machines
import Measurements
package import Units

/// How much processor time the processes of nodes had used when, and how long they had waited for it, as
/// they told while they ran.
package struct ProcessorUse: Sendable {
    package struct Sample: Sendable {
        package var time: Instant
        /// User and system time of a process, all threads, since its start.
        package var used: Interval
        fileprivate var total: Interval? { used }
        /// The time in which the thread that takes the node's steps could have run and had no processor;
        /// `nil` where the kernel does not tell.
        package var waited: Interval?

        package init(time: Instant, used: Interval, waited: Interval? = nil) {
            self.time = time
            self.used = used
            self.waited = waited
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
        for node in nodes {
            guard let used = growth(of: \.total, node, from: start, to: end) else { return nil }
            sum = sum + used
        }
        return sum
    }

    /// The largest part of the time between two that one of these nodes waited for a processor; `nil` as for
    /// `used`.
    package func longestWait(
        of nodes: [NodeID],
        from start: Instant,
        to end: Instant
    ) -> Ratio? {
        guard end > start, !nodes.isEmpty else { return nil }
        var longest = Interval.zero
        for node in nodes {
            guard let wait = growth(of: \.waited, node, from: start, to: end) else { return nil }
            longest = max(longest, wait)
        }
        return Ratio(min(1, longest.seconds / (end - start).seconds))
    }

    private func growth(
        of total: KeyPath<Sample, Interval?>,
        _ node: NodeID,
        from start: Instant,
        to end: Instant
    ) -> Interval? {
        let index = Int(node.rawValue)
        guard !isBroken[index], let first = value(of: total, index, at: start),
            let last = value(of: total, index, at: end)
        else { return nil }
        return last - first
    }

    private func value(
        of total: KeyPath<Sample, Interval?>,
        _ node: Int,
        at time: Instant
    ) -> Interval? {
        let own = samples[node]
        guard let after = own.firstIndex(where: { $0.time >= time }) else { return nil }
        let next = own[after]
        guard next.time > time else { return next[keyPath: total] }
        guard after > 0, let end = next[keyPath: total],
            let begin = own[after - 1][keyPath: total]
        else { return nil }
        let before = own[after - 1].time
        let share = (time - before).seconds / (next.time - before).seconds
        return begin + Interval(seconds: (end - begin).seconds * share)
    }

    /// What this process has used by now.
    package static func ofThisProcess() -> Interval {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
    }

    /// How long this thread has waited for a processor by now: the second number of its `schedstat`
    /// (Documentation/scheduler/sched-stats.rst); `nil` where the kernel keeps none.
    package static func waitOfThisThread() -> Interval? {
        guard let text = try? String(contentsOfFile: "/proc/thread-self/schedstat", encoding: .utf8)
        else { return nil }
        let numbers = text.split(whereSeparator: \.isWhitespace)
        guard numbers.count >= 2, let waited = Int64(numbers[1]) else { return nil }
        return Interval(nanoseconds: waited)
    }
}

/// The nodes at one end of a transfer.
struct TransferEnd: Sendable {
    let region: String
    let nodes: [NodeID]
}

extension ReplicationEnding {
    /// What both ends of a transfer used of the processor for each gigabyte (10⁹ bytes) it delivered, and
    /// each end where they are in different regions; and how long they waited for one. Nothing where no process
    /// was watched.
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
        let nodes = ends.flatMap(\.nodes)
        let wait = processors.longestWait(of: nodes, from: start, to: end).map {
            MetricValue("processor-wait", $0.value * 100, labels: labels, bound: nil)
        }
        return [cost(nodes, labels), wait].compactMap { $0 } + each
    }
}
