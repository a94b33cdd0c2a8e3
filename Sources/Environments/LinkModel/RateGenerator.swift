import Determinism
public import Units

/// Makes traces of rates that vary as networks do, each from its seed and from nothing else.
///
/// A trace is drawn once for `length` and then repeats.
public enum RateGenerator: Hashable, Sendable {
    /// A Markov chain: each rate stays for an exponential time with mean `dwell`, then another one
    /// follows, each as likely.
    case markov(rates: [BitRate], dwell: Interval, length: Interval)
    /// A daily wave with a first-order autoregressive deviation on it, in steps of `step`:
    /// `mean · (1 + amplitude · sin(2π t/period) + x)`, `x ← correlation · x + ε`, where the
    /// standard deviation of `x` is `deviation`. Never below a hundredth of the mean.
    case diurnal(Diurnal, length: Interval)
    /// A link that carries `rate` or nothing, for exponential times with these means.
    case outages(rate: BitRate, up: Interval, down: Interval, length: Interval)

    public struct Diurnal: Hashable, Sendable {
        public var mean: BitRate
        public var amplitude: Ratio
        public var period: Interval
        public var deviation: Ratio
        /// Of one step with the next, in 0..<1.
        public var correlation: Ratio
        public var step: Interval

        public init(
            mean: BitRate,
            amplitude: Ratio,
            period: Interval,
            deviation: Ratio,
            correlation: Ratio,
            step: Interval
        ) {
            self.mean = mean
            self.amplitude = amplitude
            self.period = period
            self.deviation = deviation
            self.correlation = correlation
            self.step = step
        }
    }

    /// No trace is drawn with more steps; the expected number must be far below.
    public static let stepLimit = 1_000_000

    /// The steps that a trace has on average.
    public var expectedSteps: Double {
        switch self {
        case .markov(_, let dwell, let length): length.seconds / max(1e-9, dwell.seconds)
        case .diurnal(let wave, let length): length.seconds / max(1e-9, wave.step.seconds)
        case .outages(_, let up, let down, let length):
            2 * length.seconds / max(1e-9, up.seconds + down.seconds)
        }
    }

    /// The expected rate.
    public var mean: BitRate {
        switch self {
        case .markov(let rates, _, _):
            let sum = rates.reduce(0.0) { $0 + Double($1.bitsPerSecond) }
            return BitRate(bitsPerSecond: max(1, Int64(sum / Double(max(1, rates.count)))))
        case .diurnal(let wave, _): return wave.mean
        case .outages(let rate, let up, let down, _):
            let share = up.seconds / max(1e-9, up.seconds + down.seconds)
            return BitRate(bitsPerSecond: max(1, Int64(Double(rate.bitsPerSecond) * share)))
        }
    }

    /// Draws a trace. Where not even a byte would come through in `length`, one does.
    public func trace(seed: UInt64, entity: EntityID) -> RateTrace {
        var random = SeededRandom(seed: seed, entity: entity, purpose: "rate")
        var starts: [Int64] = []
        var rates: [Int64] = []
        let end: Int64
        switch self {
        case .markov(let levels, let dwell, let length):
            end = length.nanoseconds
            var level = Int(random.below(UInt64(levels.count)))
            RateGenerator.fill(end, &starts) {
                rates.append(levels[level].bitsPerSecond)
                if levels.count > 1 {
                    level = (level + 1 + Int(random.below(UInt64(levels.count - 1)))) % levels.count
                }
                return random.exponential(mean: Double(dwell.nanoseconds))
            }
        case .diurnal(let wave, let length):
            end = length.nanoseconds
            var noise = wave.deviation.value * random.normal()
            RateGenerator.fill(end, &starts) {
                rates.append(wave.rate(at: Double(rates.count) * wave.step.seconds, noise))
                noise = wave.next(noise, random.normal())
                return Double(wave.step.nanoseconds)
            }
        case .outages(let rate, let up, let down, let length):
            end = length.nanoseconds
            RateGenerator.fill(end, &starts) {
                let isUp = rates.count % 2 == 0
                rates.append(isUp ? rate.bitsPerSecond : 0)
                return random.exponential(mean: Double((isUp ? up : down).nanoseconds))
            }
        }
        let form = RateTrace.Form.steps(starts: starts, rates: rates)
        let whole = Interval(nanoseconds: max(1, end))
        if let trace = try? RateTrace(form, ending: .repeat, length: whole) { return trace }
        let least = BitRate(bitsPerSecond: 8_000_000_000 / whole.nanoseconds + 1)
        let flat = RateTrace.Form.steps(starts: [0], rates: [least.bitsPerSecond])
        guard let trace = try? RateTrace(flat, ending: .repeat, length: whole) else {
            preconditionFailure("a trace of \(whole) at \(least) is none")
        }
        return trace
    }

    /// Appends the starts of steps until `end`; `next` makes one and says how long it lasts.
    private static func fill(_ end: Int64, _ starts: inout [Int64], _ next: () -> Double) {
        var time: Int64 = 0
        while time < end, starts.count < stepLimit {
            starts.append(time)
            time += max(1, Int64(min(next(), Double(end))))
        }
    }
}

extension RateGenerator.Diurnal {
    fileprivate func rate(at seconds: Double, _ noise: Double) -> Int64 {
        let turns = seconds / period.seconds
        let wave = amplitude.value * sine(ofTurns: turns - turns.rounded(.down))
        let factor = max(0.01, 1 + wave + noise)
        return max(1, Int64(Double(mean.bitsPerSecond) * factor))
    }

    fileprivate func next(_ noise: Double, _ normal: Double) -> Double {
        let memory = correlation.value
        return memory * noise + deviation.value * (1 - memory * memory).squareRoot() * normal
    }

    /// sin(2π·turns) for turns in 0..<1, from plain IEEE operations so that every machine agrees:
    /// Bhāskara's approximation in one quadrant, within 0.0017.
    private func sine(ofTurns turns: Double) -> Double {
        let half = turns < 0.5 ? turns : turns - 0.5
        // 4x(π − x) of the half wave in units of π² is u = 4·2h(1 − 2h).
        let product = 2 * half * (1 - 2 * half)
        let value = 16 * product / (5 - 4 * product)
        return turns < 0.5 ? value : -value
    }
}
