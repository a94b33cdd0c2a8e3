public import Determinism
public import Units

/// How long a server works on one request.
public enum ServiceTime: Hashable, Sendable {
    /// Always the same.
    case constant(Interval)
    /// Exponentially distributed.
    case exponential(mean: Interval)
    /// Lognormal: its logarithm is normally distributed with standard deviation `sigma`.
    case lognormal(median: Interval, sigma: Double)

    /// The expected time.
    public var mean: Interval {
        switch self {
        case .constant(let time): time
        case .exponential(let mean): mean
        case .lognormal(let median, let sigma):
            median.scaled(by: DeterministicMath.exp(sigma * sigma / 2))
        }
    }

    /// One draw; not negative, and at most a day, so that sums stay in range.
    public func draw(_ random: inout SeededRandom) -> Interval {
        let seconds =
            switch self {
            case .constant(let time): time.seconds
            case .exponential(let mean): random.exponential(mean: mean.seconds)
            case .lognormal(let median, let sigma):
                median.seconds * DeterministicMath.exp(sigma * random.normal())
            }
        return Interval(seconds: min(max(0, seconds), 86_400))
    }
}

extension Interval {
    /// So many times longer, and at most a day, however large the factor: sums stay in range. For work
    /// that a fault slows down. Traps for negative intervals.
    public func slowed(by factor: Double) -> Interval {
        precondition(self >= .zero, "work of \(self)")
        let limit = Interval.seconds(86_400)
        // Nothing stays nothing, also when the factors of many faults are infinite together.
        guard self > .zero else { return self }
        return Double(nanoseconds) * factor < Double(limit.nanoseconds) ? scaled(by: factor) : limit
    }
}
