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
        /// Of the thread that takes the node's steps; `nil` where the kernel does not tell.
        package var steps: StepTime?
        fileprivate var waited: Interval? { steps?.waited }
        fileprivate var needed: Interval? { steps.map { $0.ran + $0.waited } }

        package init(time: Instant, used: Interval, steps: StepTime? = nil) {
            self.time = time
            self.used = used
            self.steps = steps
        }
    }

    /// What a thread has had of a processor since its start.
    package struct StepTime: Hashable, Sendable {
        /// It ran.
        package var ran: Interval
        /// It could have run and had no processor.
        package var waited: Interval

        package init(ran: Interval, waited: Interval) {
            self.ran = ran
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

    /// The parts of the time between two in which the steps of the busiest of these nodes waited for a
    /// processor, and in which they ran or waited; `nil` as for `used`.
    package func busiest(
        of nodes: [NodeID],
        from start: Instant,
        to end: Instant
    ) -> (wait: Ratio, need: Ratio)? {
        guard end > start, !nodes.isEmpty else { return nil }
        var most = (wait: Interval.zero, need: Interval.zero)
        for node in nodes {
            guard let wait = growth(of: \.waited, node, from: start, to: end),
                let need = growth(of: \.needed, node, from: start, to: end)
            else { return nil }
            if need >= most.need { most = (wait, need) }
        }
        func part(_ time: Interval) -> Ratio {
            Ratio(min(1, time.seconds / (end - start).seconds))
        }
        return (part(most.wait), part(most.need))
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

    /// What this thread has had of a processor by now: the first numbers of its `schedstat`
    /// (Documentation/scheduler/sched-stats.rst); `nil` where the kernel keeps none.
    package static func stepsOfThisThread() -> StepTime? {
        guard let text = try? String(contentsOfFile: "/proc/thread-self/schedstat", encoding: .utf8)
        else { return nil }
        let numbers = text.split(whereSeparator: \.isWhitespace)
        guard numbers.count >= 2, let ran = Int64(numbers[0]), let waited = Int64(numbers[1])
        else { return nil }
        return StepTime(ran: Interval(nanoseconds: ran), waited: Interval(nanoseconds: waited))
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
        let shares = processors.busiest(of: nodes, from: start, to: end).map { busiest in
            [("processor-wait", busiest.wait), ("processor-need", busiest.need)].map {
                MetricValue($0, $1.value * 100, labels: labels, bound: nil)
            }
        }
        return [cost(nodes, labels)].compactMap { $0 } + (shares ?? []) + each
    }
}
