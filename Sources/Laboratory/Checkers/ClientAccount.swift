public import Measurements
public import Units

/// What clients of one service met: latency, errors, availability, times without service, and how soon
/// service came back. The one definition of these figures.
///
/// Load is open-loop: every request has a time at which it is due, and everything counts from there. A
/// request is *served* when its answer came within the time-out of when it was due. A refused
/// compare-and-swap or a key without a value is an answer; a failed or given-up request, and one
/// answered later, is an error and counts with the time-out as its latency.
///
/// Requests are told as their outcome becomes known and counted in the order in which they were due: an
/// outcome waits until ``reordering`` has passed, so that one slow failure among quick answers is one
/// failure and not a long time without service. Memory does not grow with the run: at most
/// ``waitingLimit`` outcomes wait, and ``outageLimit`` outages are kept; further ones are counted.
public struct ClientAccount: Sendable {
    public let timeout: Interval
    /// The window: requests due from `start` on, before `end`. What comes before is warm-up.
    public let start: Instant
    public let end: Instant
    /// How long after it was due an outcome may become known and still be counted in order: once the
    /// time-out for waiting to be sent, once for the answer.
    public let reordering: Interval
    /// Requests whose time was due in the window.
    public private(set) var sent: UInt64 = 0
    public private(set) var served: UInt64 = 0
    /// In milliseconds.
    public private(set) var latencies = LogHistogram()
    /// Maximal runs of requests, in the order in which they were due, that were not served. The last one
    /// may be without an end once the account is finished. Those of the warm-up are among them.
    public private(set) var outages: [Outage] = []
    /// Outages that reach into the window.
    public private(set) var outageCount: UInt64 = 0
    /// The time of the window that outages cover, and the longest that one of them covers.
    public private(set) var downtime = Interval.zero
    public private(set) var longestOutage = Interval.zero
    /// Seconds of the window in which requests were due, and those in which one of them failed.
    public private(set) var seconds: UInt64 = 0
    public private(set) var failingSeconds: UInt64 = 0

    private var waiting = DecidedRequests()
    private var open: Outage?
    /// In the order in which requests were due.
    private var lastServedDue: Instant?
    private var second = Int64.min
    private var isSecondFailing = false

    public static let waitingLimit = 1 << 16
    public static let outageLimit = 1 << 16

    /// A time in which the service did not answer.
    public struct Outage: Hashable, Sendable {
        /// When the last request that was served before was due; `nil` when none was.
        public var after: Instant?
        /// When the first request that failed was due.
        public var start: Instant
        /// When the first request that was served after that was answered; `nil` when none was.
        public var end: Instant?
        public var requests: UInt64
    }

    /// - Parameter timeout: at least a nanosecond.
    public init(timeout: Interval, from start: Instant, to end: Instant) {
        precondition(timeout > .zero, "a time-out of \(timeout) leaves no time to answer")
        self.timeout = timeout
        self.start = start
        self.end = end
        reordering = timeout + timeout
    }

    public var errors: UInt64 { sent - served }
    /// Errors among the requests sent; `nil` when there were none to judge by.
    public var errorRate: Ratio? { sent == 0 ? nil : Ratio(Double(errors) / Double(sent)) }
    /// Requests served among those sent: the availability that probes see.
    public var availability: Ratio? { sent == 0 ? nil : Ratio(Double(served) / Double(sent)) }
    /// Seconds without a failing request among the seconds in which requests were due.
    public var availabilityInSeconds: Ratio? {
        seconds == 0 ? nil : Ratio(1 - Double(failingSeconds) / Double(seconds))
    }

    // MARK: Outcomes

    /// A request that was due at `due` is answered now.
    public mutating func answered(due: Instant, at now: Instant) {
        // By a clock that was set forward, requests are due later than they are answered.
        let latency = max(.zero, now - due)
        guard latency <= timeout else { return failed(due: due, at: now) }
        count(due, latency, isServed: true)
        waiting.insert(DecidedRequests.Request(due: due, answered: now))
        release(at: now)
    }

    /// A request that was due at `due` has failed or was given up, as is known now.
    public mutating func failed(due: Instant, at now: Instant) {
        count(due, timeout, isServed: false)
        waiting.insert(DecidedRequests.Request(due: due, answered: nil))
        release(at: now)
    }

    /// The run is over: whatever waits is counted, and an outage that lasts is one without an end.
    public mutating func finish(at now: Instant) {
        while let request = waiting.popFirst() { settle(request) }
        guard let outage = open else { return }
        close(outage, at: now)
        open = nil
    }

    private mutating func count(_ due: Instant, _ latency: Interval, isServed: Bool) {
        guard due >= start, due < end else { return }
        sent += 1
        served += isServed ? 1 : 0
        latencies.record(latency.milliseconds)
    }

    private mutating func release(at now: Instant) {
        while let first = waiting.first,
            first.due + reordering <= now || waiting.count > ClientAccount.waitingLimit
        {
            waiting.removeFirst()
            settle(first)
        }
    }

    /// Counts a request in the order in which requests were due.
    private mutating func settle(_ request: DecidedRequests.Request) {
        noteSecond(request)
        guard let answered = request.answered else {
            open = open ?? Outage(after: lastServedDue, start: request.due, requests: 0)
            open?.requests += 1
            return
        }
        lastServedDue = request.due
        guard var outage = open else { return }
        // An answer may have come while an older request was still waiting in vain.
        outage.end = max(answered, outage.start)
        close(outage, at: answered)
        open = nil
    }

    private mutating func noteSecond(_ request: DecidedRequests.Request) {
        guard request.due >= start, request.due < end else { return }
        let current = (request.due - start).nanoseconds / 1_000_000_000
        // What comes out of order belongs to the second that is being counted.
        if current > second {
            seconds += 1
            second = current
            isSecondFailing = false
        }
        guard request.answered == nil, !isSecondFailing else { return }
        isSecondFailing = true
        failingSeconds += 1
    }

    private mutating func close(_ outage: Outage, at now: Instant) {
        if outages.count < ClientAccount.outageLimit { outages.append(outage) }
        let covered = min(outage.end ?? now, end) - max(outage.start, start)
        guard covered > .zero else { return }
        outageCount += 1
        downtime += covered
        longestOutage = max(longestOutage, covered)
    }
}
