public import Units

/// Says when a packet has left a link, at a fixed rate or along a trace.
///
/// Exact: a departure is the first nanosecond at which the rate's integral since the packet's turn
/// has reached the packet's bits. Costs a division a packet, and a step of the trace now and then.
public struct RateClock: Sendable {
    /// What background load leaves of the fixed rate.
    public private(set) var rate: BitRate
    private var serialization = SerializationTimes()

    private(set) var trace: RateTrace?
    /// When the trace began.
    private var origin: Int64 = 0
    /// What background load leaves of the trace.
    private let share: Double
    /// The trace's present pass began at `base`; `index` is its present step or opportunity.
    private var base: Int64 = 0
    private var index = 0
    /// Bytes left of the present opportunity, and of a whole one.
    private var left = 0
    private let whole: Int
    /// What steps carry in one pass, in bits × 10⁹.
    private var pass: UInt128 = 0

    /// Later than any run: for packets whose turn lies beyond the range of `Instant`.
    private static let never = Instant(nanoseconds: .max / 2)

    public init(_ parameters: LinkParameters) {
        share = max(0, 1 - parameters.backgroundLoad.value)
        rate = RateClock.available(parameters.rate, share)
        trace = parameters.trace
        whole = max(1, Int(Double(RateTrace.opportunityBytes) * share))
        left = whole
        sumPass()
    }

    private mutating func sumPass() {
        pass = 0
        guard let trace, trace.isSteps, trace.ending == .repeat else { return }
        for index in trace.times.indices {
            let next =
                index + 1 < trace.times.count
                ? trace.times[index + 1] : trace.length.nanoseconds
            pass += UInt128(scaled(trace.rates[index])) * UInt128(next - trace.times[index])
        }
        pass = max(1, pass)
    }

    var isTraced: Bool { trace != nil }

    /// What 1,500 bytes of IP and 14 of framing take at the fixed or mean rate.
    var fullPacketTime: Interval {
        rate.serializationTime(of: ByteCount(RateTrace.opportunityBytes))
    }

    /// When a packet is through.
    ///
    /// - Parameters:
    ///   - start: when its turn comes, not before earlier packets are through.
    ///   - offered: when it was offered; an opportunity serves only who came before it.
    @inline(__always)
    mutating func departure(of wireBytes: Int, from start: Instant, offered: Instant) -> Instant {
        guard trace != nil else { return start + serialization.time(of: wireBytes, at: rate) }
        return traced(wireBytes, from: start, offered: offered)
    }

    @inline(never)
    private mutating func traced(
        _ wireBytes: Int,
        from start: Instant,
        offered: Instant
    ) -> Instant {
        guard let trace else { return start }
        let own =
            trace.isSteps
            ? along(
                trace,
                UInt128(wireBytes) * 8_000_000_000,
                from: max(0, start.nanoseconds - origin)
            )
            : opportunity(trace, wireBytes, after: offered.nanoseconds - origin)
        return own + Interval(nanoseconds: origin)
    }

    // MARK: - Steps

    private mutating func along(_ trace: RateTrace, _ bits: UInt128, from start: Int64) -> Instant {
        var time = start
        var need = bits
        if trace.ending == .repeat, need > pass {
            let passes = (need - 1) / pass
            need -= passes * pass
            let limit = UInt128((Int64.max / 2 - time) / trace.length.nanoseconds)
            guard passes < limit else { return RateClock.never }
            time += Int64(passes) * trace.length.nanoseconds
        }
        seek(trace, time)
        while need > 0 {
            guard time < RateClock.never.nanoseconds else { return RateClock.never }
            let rate = UInt64(scaled(trace.rates[index]))
            let end = endOfStep(trace)
            let capacity = UInt128(rate) * UInt128(end - time)
            if capacity >= need {
                let wanted = (need + UInt128(rate) - 1) / UInt128(rate)
                return Instant(nanoseconds: time + Int64(wanted))
            }
            need -= capacity
            time = end
            nextStep(trace)
        }
        return Instant(nanoseconds: time)
    }

    private func endOfStep(_ trace: RateTrace) -> Int64 {
        if index + 1 < trace.times.count { return base + trace.times[index + 1] }
        return trace.ending == .repeat ? base + trace.length.nanoseconds : .max
    }

    private mutating func nextStep(_ trace: RateTrace) {
        index += 1
        if index == trace.times.count {
            index = 0
            base += trace.length.nanoseconds
        }
    }

    /// Makes the step at `time` the present one; nearly always it is, or its successor.
    private mutating func seek(_ trace: RateTrace, _ time: Int64) {
        if time >= base + trace.times[index] {
            if time < endOfStep(trace) { return }
            nextStep(trace)
            if time < endOfStep(trace) { return }
        }
        if trace.ending == .repeat {
            base = time / trace.length.nanoseconds * trace.length.nanoseconds
        }
        index = RateTrace.last(in: trace.times, notAfter: time - base)
    }

    private func scaled(_ rate: Int64) -> Int64 {
        share == 1 ? rate : Int64(Double(rate) * share)
    }

    // MARK: - Opportunities

    private mutating func opportunity(
        _ trace: RateTrace,
        _ wireBytes: Int,
        after offered: Int64
    ) -> Instant {
        if base + trace.times[index] <= offered { skip(trace, past: offered) }
        var need = wireBytes
        while need > left {
            need -= left
            nextStep(trace)
            left = whole
        }
        left -= need
        return Instant(nanoseconds: base + trace.times[index])
    }

    /// Makes the first opportunity after `time` the present one.
    private mutating func skip(_ trace: RateTrace, past time: Int64) {
        left = whole
        let time = max(-1, time)
        base = max(0, time) / trace.length.nanoseconds * trace.length.nanoseconds
        index = RateTrace.last(in: trace.times, notAfter: time - base) + 1
        if index == trace.times.count {
            index = 0
            base += trace.length.nanoseconds
        }
    }

    // MARK: - Changes

    /// Forgets what was planned after `now`.
    mutating func rewind(to now: Instant) {
        guard let trace, !trace.isSteps else { return }
        skip(trace, past: now.nanoseconds - origin)
    }

    /// The bits that can leave until `end`.
    func bits(from now: Instant, to end: Instant) -> Double {
        if let trace {
            let since = Interval(nanoseconds: origin)
            return trace.bits(from: now - since, to: end - since) * share
        }
        return Double(rate.bitsPerSecond) * (end - now).seconds
    }

    /// A trace from now on, whose beginning is at `start`.
    mutating func follow(_ newTrace: RateTrace, since start: Instant) {
        trace = newTrace
        origin = start.nanoseconds
        rate = RateClock.available(newTrace.mean, share)
        serialization = SerializationTimes()
        base = 0
        index = 0
        left = whole
        sumPass()
    }

    /// A fixed rate from now on, less the background load.
    mutating func set(_ newRate: BitRate) {
        trace = nil
        rate = RateClock.available(newRate, share)
        serialization = SerializationTimes()
    }

    private static func available(_ rate: BitRate, _ share: Double) -> BitRate {
        BitRate(bitsPerSecond: max(1, Int64(Double(rate.bitsPerSecond) * share)))
    }
}

/// The time to send a packet, remembering the sizes seen last: nearly all packets are full segments
/// or bare acknowledgements, and a 128-bit division for each would cost more than the rest.
struct SerializationTimes: Sendable {
    private var sizes = (-1, -1)
    private var times = (Interval.zero, Interval.zero)

    @inline(__always)
    mutating func time(of wireBytes: Int, at rate: BitRate) -> Interval {
        if wireBytes == sizes.0 { return times.0 }
        if wireBytes == sizes.1 { return times.1 }
        sizes.1 = sizes.0
        times.1 = times.0
        sizes.0 = wireBytes
        times.0 = rate.serializationTime(of: ByteCount(wireBytes))
        return times.0
    }
}

/// An account of what the rate allowed, kept apart from the departures it judges.
struct RateBudget: Sendable {
    private var rate: BitRate
    private var trace: RateTrace?
    private var origin = Interval.zero
    private let share: Double
    private var since = Instant.zero
    private var bits = 0.0
    private var largest = 0

    init(_ parameters: LinkParameters, rate: BitRate) {
        self.rate = rate
        trace = parameters.trace
        share = max(0, 1 - parameters.backgroundLoad.value)
    }

    mutating func note(_ wireBytes: Int) { largest = max(largest, wireBytes) }

    mutating func change(to newRate: BitRate, at now: Instant) {
        bits += allowed(until: now)
        since = now
        rate = newRate
        trace = nil
    }

    mutating func change(to newTrace: RateTrace, since start: Instant, at now: Instant) {
        bits += allowed(until: now)
        since = now
        trace = newTrace
        origin = start - .zero
    }

    private func allowed(until now: Instant) -> Double {
        if let trace { return trace.bits(from: since - origin, to: now - origin) * share }
        return Double(rate.bitsPerSecond) * (now - since).seconds
    }

    /// Traps when more has departed than the rate allowed, one packet aside.
    func check(departed: UInt64, at now: Instant) {
        let allowed = bits + allowed(until: now)
        precondition(
            Double(departed) * 8 <= allowed * (1 + 1e-9) + Double(8 * largest),
            "a link carried \(departed) bytes where \(allowed / 8) were possible"
        )
    }
}
