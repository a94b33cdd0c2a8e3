public import Units

/// What clients got from a service: latency, errors, availability and outages, from their history.
///
/// Load is open-loop: every request has an intended time, and everything counts from there. A
/// request is *served* when its answer came within the time-out of its intended time. A refused
/// compare-and-swap or a key without a value is an answer; a failed or given-up request, and one
/// answered later, is an error and counts with the time-out as its latency.
public struct ClientAccount: Sendable {
    public let timeout: Interval
    /// The window: requests intended from `start` on, before `end`.
    public let start: Instant
    public let end: Instant
    /// Requests whose time was due in the window.
    public private(set) var sent = 0
    public private(set) var served = 0
    /// In the order of intended times, as the request latencies of reports.
    public private(set) var latencies: [Interval] = []
    /// Maximal runs of requests, in the order of their intended times, that were not served.
    public private(set) var outages: [Outage] = []
    /// Seconds of the window in which requests were due, and those in which one of them failed.
    public private(set) var seconds = 0
    public private(set) var failingSeconds = 0

    /// A time in which the service did not answer.
    public struct Outage: Hashable, Sendable {
        /// When the first request that failed was due.
        public var start: Instant
        /// When the first request that was served after that was answered; `nil` when none was.
        public var end: Instant?
        public var requests: Int
    }

    /// What became of a fault.
    public struct Recovery: Hashable, Sendable {
        public var fault: Instant
        /// From the fault to the answer that ended the last outage it caused; `nil` when the
        /// service was still out at the end.
        public var interval: Interval?
    }

    /// - Parameter timeout: at least a nanosecond.
    public init(_ history: ClientHistory, timeout: Interval, from start: Instant, to end: Instant) {
        precondition(timeout > .zero, "a time-out of \(timeout) leaves no time to answer")
        self.timeout = timeout
        self.start = start
        self.end = end
        let order = (0..<history.count)
            .filter { history.intended(of: $0) >= start && history.intended(of: $0) < end }
            .sorted { (history.intended(of: $0), $0) < (history.intended(of: $1), $1) }
        var open: Outage?
        var second = Int64.min
        var isSecondFailing = false
        for operation in order {
            let intended = history.intended(of: operation)
            let latency = ClientAccount.latency(operation, history, timeout)
            sent += 1
            latencies.append(latency ?? timeout)
            let bucket = (intended - start).nanoseconds / 1_000_000_000
            if bucket != second {
                seconds += 1
                second = bucket
                isSecondFailing = false
            }
            if let latency {
                served += 1
                if var outage = open {
                    outage.end = intended + latency
                    outages.append(outage)
                    open = nil
                }
            } else {
                if !isSecondFailing { failingSeconds += 1 }
                isSecondFailing = true
                open = Outage(
                    start: open?.start ?? intended,
                    end: nil,
                    requests: (open?.requests ?? 0) + 1
                )
            }
        }
        if let open { outages.append(open) }
    }

    /// `nil` for a request that was not served in time.
    private static func latency(
        _ operation: Int,
        _ history: ClientHistory,
        _ timeout: Interval
    ) -> Interval? {
        guard history.outcome(of: operation) == .answered, let ended = history.ended(operation)
        else { return nil }
        let latency = ended - history.intended(of: operation)
        return latency <= timeout ? latency : nil
    }

    public var errors: Int { sent - served }
    /// Errors among the requests sent; `nil` when there were none to judge by.
    public var errorRate: Ratio? { sent == 0 ? nil : Ratio(Double(errors) / Double(sent)) }
    /// Requests served among those sent: the availability that probes see.
    public var availability: Ratio? { sent == 0 ? nil : Ratio(Double(served) / Double(sent)) }
    /// Seconds without a failing request among the seconds in which requests were due.
    public var availabilityInSeconds: Ratio? {
        seconds == 0 ? nil : Ratio(1 - Double(failingSeconds) / Double(seconds))
    }

    /// The latency that `share` of the requests did not exceed, errors at the time-out.
    public func latency(quantile share: Ratio) -> Interval? {
        guard !latencies.isEmpty else { return nil }
        let sorted = latencies.sorted()
        let rank = (share.value * Double(sorted.count)).rounded(.up)
        return sorted[min(sorted.count - 1, max(0, Int(rank) - 1))]
    }

    /// For the faults that broke the service, how long it took to answer again.
    ///
    /// An outage belongs to the latest fault that fired before its first failing request was given
    /// up; outages before any fault belong to none. A fault without an outage broke nothing and is
    /// left out.
    public func recoveries(after faults: [Instant]) -> [Recovery] {
        let faults = faults.sorted()
        var last: [Int: Outage] = [:]
        for outage in outages {
            let givenUp = outage.start.advanced(by: timeout)
            guard let index = faults.lastIndex(where: { $0 <= givenUp }) else { continue }
            // Outages come in order, so the last one that a fault caused decides.
            last[index] = outage
        }
        return faults.indices.compactMap { index in
            guard let outage = last[index] else { return nil }
            let interval = outage.end.map { max(.zero, $0 - faults[index]) }
            return Recovery(fault: faults[index], interval: interval)
        }
    }

    /// The mean time to recovery; `nil` when no fault broke the service, or one was not recovered
    /// from.
    public static func meanTimeToRecovery(_ recoveries: [Recovery]) -> Interval? {
        let known = recoveries.compactMap(\.interval)
        guard !known.isEmpty, known.count == recoveries.count else { return nil }
        let sum = known.reduce(into: Interval.zero) { $0 += $1 }
        return sum / Int64(known.count)
    }
}
