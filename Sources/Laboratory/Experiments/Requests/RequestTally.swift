import Measurements
import Units

/// What clients of one group met: counted while the run goes, so that a month costs no more memory
/// than an hour.
struct RequestTally: Sendable {
    /// Requests due before this are warm-up.
    let from: Instant
    let timeout: Interval
    private(set) var answered: UInt64 = 0
    private(set) var failed: UInt64 = 0
    /// Times without service: from when the first failed request was due to the first answer to a
    /// later one; the last may be open.
    private(set) var outages: [Outage] = []
    /// In milliseconds; a failed request counts with the time-out.
    private(set) var latencies = LogHistogram()
    /// From sending to the answer of updates that needed one attempt.
    private(set) var commits = LogHistogram()
    private(set) var lastAnswered: Instant?

    struct Outage: Hashable, Sendable {
        var start: Instant
        var end: Instant?
    }

    /// More outages than this are counted, not kept.
    static let outageLimit = 1_000_000

    init(from: Instant, timeout: Interval) {
        self.from = from
        self.timeout = timeout
    }

    var sent: UInt64 { answered + failed }

    mutating func answer(due: Instant, at now: Instant) {
        guard now - due <= timeout else { return fail(due: due) }
        if let open = outages.indices.last, outages[open].end == nil, due >= outages[open].start {
            outages[open].end = now
        }
        lastAnswered = now
        guard due >= from else { return }
        answered += 1
        latencies.record((now - due).milliseconds)
    }

    mutating func commit(sent: Instant, at now: Instant) {
        guard sent >= from else { return }
        commits.record((now - sent).milliseconds)
    }

    mutating func fail(due: Instant) {
        if outages.last.map({ $0.end != nil }) ?? true, outages.count < RequestTally.outageLimit {
            outages.append(Outage(start: due, end: nil))
        }
        guard due >= from else { return }
        failed += 1
        latencies.record(timeout.milliseconds)
    }

    /// Seconds in which a request that became due failed, from `from` to `until`.
    func unavailable(until: Instant) -> Double {
        outages.reduce(0) { sum, outage in
            let start = max(outage.start, from)
            let end = min(outage.end ?? until, until)
            return end > start ? sum + (end - start).seconds : sum
        }
    }
}
