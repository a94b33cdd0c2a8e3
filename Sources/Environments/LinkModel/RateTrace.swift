public import Determinism
public import Units

/// What a link can carry at each time since the start of a run.
///
/// Immutable and shared by the links that use it. Two forms: *steps*, a rate that is constant
/// between instants; and *opportunities*, the instants at which one full packet may leave, as the
/// traces of mahimahi (Netravali et al., USENIX ATC 2015) and of Winstein et al. (NSDI 2013) have
/// them.
public final class RateTrace: Sendable {
    /// What a trace is made of.
    public enum Form: Hashable, Sendable {
        /// From `starts[i]` nanoseconds on, `rates[i]` bits a second; zero is an outage. The first
        /// start is zero.
        case steps(starts: [Int64], rates: [Int64])
        /// Nanoseconds, in order, repeats allowed: several packets may leave at once.
        case opportunities([Int64])
    }

    /// What comes after the last instant.
    public enum Ending: String, Hashable, Sendable, CaseIterable {
        /// The last rate goes on for ever.
        case hold
        /// The trace starts again at its end.
        case `repeat`
    }

    /// Bytes on the wire that one opportunity carries: 1,500 of IP and 14 of framing. mahimahi counts
    /// 4 bytes beside IP's, so that small packets fill an opportunity sooner here; full ones do not.
    public static let opportunityBytes = 1514
    /// A longer trace is refused.
    public static let limit = 8_000_000
    /// The fastest step, in bits a second.
    public static let rateLimit: Int64 = 10_000_000_000_000
    /// The latest instant of a trace: 366 days.
    public static let lengthLimit = Interval.seconds(366 * 86_400)

    /// Starts of steps, or opportunities.
    let times: [Int64]
    /// One a step; empty for opportunities.
    let rates: [Int64]
    public let ending: Ending
    /// The length of one pass; with `hold`, when the last step begins.
    public let length: Interval
    /// Bits a second over one pass, rounded down and at least one; of a held trace, its last rate
    /// included for one second.
    public let mean: BitRate
    /// Identifies the trace's content.
    public let fingerprint: Fingerprint
    /// Capacity before each step, in bits; empty for opportunities.
    let before: [Double]
    /// Capacity of a pass, in bits.
    let passBits: Double

    /// - Parameter length: The length of one pass of a trace that repeats; beyond its last instant,
    ///   or with opportunities at it. `nil` for opportunities: the last one, as in mahimahi.
    public init(_ form: Form, ending: Ending, length: Interval? = nil) throws(RateTraceError) {
        let end: Int64
        switch form {
        case .steps(let starts, let rates):
            end = try RateTrace.check(starts, rates, ending: ending, length: length)
            var sums: [Double] = []
            var sum = 0.0
            for index in starts.indices {
                sums.append(sum)
                let next = index + 1 < starts.count ? starts[index + 1] : end
                sum += Double(rates[index]) * Double(next - starts[index]) / 1e9
            }
            before = sums
            passBits = sum
        case .opportunities(let times):
            end = try RateTrace.check(opportunities: times, length: length)
            guard ending == .repeat else { throw .opportunitiesHeld }
            before = []
            passBits = Double(times.count * RateTrace.opportunityBytes * 8)
        }
        switch form {
        case .steps(let starts, let rates): (times, self.rates) = (starts, rates)
        case .opportunities(let instants): (times, rates) = (instants, [])
        }
        self.ending = ending
        self.length = Interval(nanoseconds: end)
        mean = BitRate(
            bitsPerSecond: max(1, RateTrace.mean(form, ending, bits: passBits, end: end))
        )
        fingerprint = RateTrace.fingerprint(form, ending, end: end)
    }

    public var form: Form {
        isSteps ? .steps(starts: times, rates: rates) : .opportunities(times)
    }

    /// The fingerprint as text.
    public var digest: String { fingerprint.description }

    var isSteps: Bool { !rates.isEmpty }

    /// The highest rate in bits a second; infinite for opportunities.
    public var peak: Double { rates.max().map(Double.init) ?? .infinity }

    private static func mean(_ form: Form, _ ending: Ending, bits: Double, end: Int64) -> Int64 {
        guard ending == .hold, case .steps(_, let rates) = form else {
            return Int64(bits * 1e9 / Double(end))
        }
        return Int64((bits + Double(rates[rates.count - 1])) / (Double(end) / 1e9 + 1))
    }

    private static func fingerprint(_ form: Form, _ ending: Ending, end: Int64) -> Fingerprint {
        var chain = HashChain(key: ending == .hold ? 1 : 2)
        chain.combine(end)
        switch form {
        case .steps(let starts, let rates):
            chain.combine(1 as Int64)
            for index in starts.indices {
                chain.combine(starts[index])
                chain.combine(rates[index])
            }
        case .opportunities(let times):
            chain.combine(2 as Int64)
            for time in times { chain.combine(time) }
        }
        return chain.fingerprint
    }

    private static func check(
        _ starts: [Int64],
        _ rates: [Int64],
        ending: Ending,
        length: Interval?
    ) throws(RateTraceError) -> Int64 {
        guard !starts.isEmpty, starts.count == rates.count else { throw .empty }
        guard starts.count <= limit else { throw .tooMany(starts.count) }
        guard starts[0] == 0 else { throw .doesNotStartAtZero }
        for index in starts.indices {
            if index > 0, starts[index] <= starts[index - 1] { throw .outOfOrder(index) }
            if rates[index] < 0 || rates[index] > rateLimit { throw .rateOutOfRange(index) }
        }
        let last = starts[starts.count - 1]
        guard last <= lengthLimit.nanoseconds else { throw .tooLong }
        switch ending {
        case .hold:
            guard rates[rates.count - 1] > 0 else { throw .endsInSilence }
            return last
        case .repeat:
            guard let length, length.nanoseconds > last else { throw .endsTooEarly }
            guard length <= lengthLimit else { throw .tooLong }
            // One bit in a pass would let a packet take millennia; one packet is plenty of trace.
            let carries = zip(starts.indices, rates).contains { index, rate in
                let next = index + 1 < starts.count ? starts[index + 1] : length.nanoseconds
                return Double(rate) * Double(next - starts[index]) >= 8e9
            }
            guard carries else { throw .carriesNothing }
            return length.nanoseconds
        }
    }

    private static func check(
        opportunities times: [Int64],
        length: Interval?
    ) throws(RateTraceError) -> Int64 {
        guard let first = times.first, let last = times.last else { throw .empty }
        guard times.count <= limit else { throw .tooMany(times.count) }
        guard first >= 0 else { throw .outOfOrder(0) }
        for index in times.indices.dropFirst() where times[index] < times[index - 1] {
            throw .outOfOrder(index)
        }
        let end = length?.nanoseconds ?? last
        guard end >= last, end > 0 else { throw .endsTooEarly }
        guard end <= lengthLimit.nanoseconds else { throw .tooLong }
        return end
    }
}

extension RateTrace: Hashable {
    public static func == (left: RateTrace, right: RateTrace) -> Bool {
        left === right
            || (left.fingerprint == right.fingerprint && left.ending == right.ending
                && left.length == right.length && left.form == right.form)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(fingerprint)
    }
}

/// Why values make no trace. `index` counts the steps or opportunities from zero.
public enum RateTraceError: Error, Hashable, Sendable {
    case empty
    /// More entries than `RateTrace.limit`.
    case tooMany(Int)
    case doesNotStartAtZero
    /// An instant before its predecessor; for steps, also the same one.
    case outOfOrder(_ index: Int)
    /// A negative rate, or one beyond `RateTrace.rateLimit`.
    case rateOutOfRange(_ index: Int)
    /// An instant after `RateTrace.lengthLimit`.
    case tooLong
    /// A pass does not reach beyond its last instant.
    case endsTooEarly
    /// No step carries even one byte.
    case carriesNothing
    /// The rate that would hold for ever is zero.
    case endsInSilence
    /// Opportunities have no rate that could hold.
    case opportunitiesHeld
}

extension RateTraceError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .empty: "there is nothing in it"
        case .tooMany(let count): "\(count) entries are more than \(RateTrace.limit)"
        case .doesNotStartAtZero: "the first step does not start at zero"
        case .outOfOrder(let index): "entry \(index + 1) is not after the one before it"
        case .rateOutOfRange(let index):
            "the rate of entry \(index + 1) is not in 0..."
                + "\(BitRate(bitsPerSecond: RateTrace.rateLimit))"
        case .tooLong: "it is longer than \(RateTrace.lengthLimit)"
        case .endsTooEarly: "one pass does not reach beyond its last entry"
        case .carriesNothing: "no step carries even one byte"
        case .endsInSilence: "the last rate is zero and would hold for ever"
        case .opportunitiesHeld: "delivery opportunities can only repeat"
        }
    }
}

extension RateTrace {
    /// The bits that can leave between two instants; opportunities at `start` do not count, those at
    /// `end` do. Instants before zero carry nothing.
    public func bits(from start: Instant, to end: Instant) -> Double {
        guard end > start else { return 0 }
        return bits(until: end.nanoseconds) - bits(until: start.nanoseconds)
    }

    private func bits(until time: Int64) -> Double {
        guard time >= 0 else { return 0 }
        var time = time
        var passed = 0.0
        if ending == .repeat {
            passed = Double(time / length.nanoseconds) * passBits
            time %= length.nanoseconds
        }
        let index = RateTrace.last(in: times, notAfter: time)
        guard isSteps else {
            return passed + Double((index + 1) * RateTrace.opportunityBytes * 8)
        }
        return passed + before[index] + Double(rates[index]) * Double(time - times[index]) / 1e9
    }

    /// The last index whose value is not after `time`, or −1.
    static func last(in values: [Int64], notAfter time: Int64) -> Int {
        var low = 0
        var high = values.count
        while low < high {
            let middle = (low + high) / 2
            if values[middle] <= time { low = middle + 1 } else { high = middle }
        }
        return low - 1
    }
}
