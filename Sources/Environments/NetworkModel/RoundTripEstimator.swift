import Units

/// Smoothed round-trip time and the retransmission time-out (RFC 6298), with Linux's floor: the
/// variation term is never below the smallest time-out of 200 ms, so that the time-out stays that
/// far above the round trip.
struct RoundTripEstimator {
    private(set) var smoothed = Interval.zero
    private(set) var smallest = Interval(nanoseconds: .max)
    private var variation = Interval.zero
    private(set) var sum = Interval.zero
    private(set) var samples: UInt64 = 0

    /// The smallest sample so far; zero before the first.
    var smallestOrZero: Interval { samples == 0 ? .zero : smallest }

    mutating func add(_ sample: Interval) {
        let value = max(sample, .microseconds(1))
        if samples == 0 {
            smoothed = value
            variation = value / 2
        } else {
            let deviation = Interval(
                nanoseconds: Int64((smoothed.nanoseconds - value.nanoseconds).magnitude)
            )
            variation = Interval(
                nanoseconds: (3 * variation.nanoseconds + deviation.nanoseconds) / 4
            )
            smoothed = Interval(nanoseconds: (7 * smoothed.nanoseconds + value.nanoseconds) / 8)
        }
        smallest = min(smallest, value)
        sum += value
        samples += 1
    }

    func timeout(_ parameters: TCPParameters) -> Interval {
        if samples == 0 { return parameters.initialTimeout }
        let rest = max(variation * 4, parameters.smallestTimeout)
        return min(smoothed + rest, parameters.largestTimeout)
    }
}
