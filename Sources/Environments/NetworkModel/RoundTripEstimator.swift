import Units

/// Smoothed round-trip time and the retransmission time-out as in Linux (`tcp_rtt_estimator`).
///
/// It differs from RFC 6298 in the variation term: that is the largest deviation of a round trip's samples, at once, and
/// falls by a quarter of the difference once a round trip, never below the smallest time-out; so many samples a round
/// trip do not forget it at once (Ludwig, Sklower, "The Eifel Retransmission Timer", CCR 30(3), 2000).
/// Round trips that get shorter count an eighth.
struct RoundTripEstimator {
    private(set) var smoothed = Interval.zero
    private(set) var smallest = Interval(nanoseconds: .max)
    /// Four times the mean deviation (`mdev_us`), the largest of the present round trip, and what the time-out is
    /// above the round trip (`rttvar_us`).
    private var deviation: Int64 = 0
    private var largestDeviation: Int64 = 0
    private var variation = Interval.zero
    /// What was sent when the present round trip began.
    private var roundEnd: Int64 = 0
    private(set) var sum = Interval.zero
    private(set) var samples: UInt64 = 0

    /// The smallest sample so far; zero before the first.
    var smallestOrZero: Interval { samples == 0 ? .zero : smallest }

    /// - Parameters:
    ///   - una: what is acknowledged, this acknowledgement included.
    ///   - next: what was sent.
    mutating func add(_ sample: Interval, una: Int64, next: Int64, floor: Interval) {
        let value = max(sample, .microseconds(1))
        if samples == 0 {
            smoothed = value
            deviation = 2 * value.nanoseconds
            variation = max(value * 2, floor)
            largestDeviation = variation.nanoseconds
            roundEnd = next
        } else {
            let error = value.nanoseconds - smoothed.nanoseconds
            smoothed = Interval(nanoseconds: smoothed.nanoseconds + (error >> 3))
            var change = abs(error) - (deviation >> 2)
            if error < 0, change > 0 { change >>= 3 }
            deviation += change
            largestDeviation = max(largestDeviation, deviation)
            variation = max(variation, Interval(nanoseconds: largestDeviation))
            if una > roundEnd {
                let excess = variation.nanoseconds - largestDeviation
                variation = Interval(nanoseconds: variation.nanoseconds - (excess >> 2))
                roundEnd = next
                largestDeviation = floor.nanoseconds
            }
        }
        smallest = min(smallest, value)
        sum += value
        samples += 1
    }

    func timeout(_ parameters: TCPParameters) -> Interval {
        if samples == 0 { return parameters.initialTimeout }
        return min(smoothed + variation, parameters.largestTimeout)
    }
}
