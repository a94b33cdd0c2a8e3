import Determinism
import Machines
import Units

/// What a transfer's streams would measure on a path, without packets: one window in flight that fills
/// the path and a part of its queue (as CUBIC does), smoothed round trips with jitter, losses by
/// chance and by the queue.
struct ModelledPath {
    /// The kinds of path that the plans name, away from the borders between them.
    struct Properties {
        var base: Interval
        var rate: BitRate
        /// Mean of the exponential delay that is added to each round trip.
        var jitter: Interval
        var loss: Double
        /// The queue's length, in time at the path's rate.
        var queue: Interval
    }

    static let step = Interval.milliseconds(50)
    static let streams = 4

    var path: Properties
    private(set) var delivered: UInt64 = 0
    private var window = 100_000.0
    private var smoothed = [Double](repeating: 0, count: ModelledPath.streams)
    private var random: SeededRandom

    init(_ path: Properties, seed: UInt64) {
        self.path = path
        random = SeededRandom(stateFrom: seed)
    }

    private var bytesPerSecond: Double { Double(path.rate.bitsPerSecond) / 8 }

    /// What one step of time brings: a sample of each stream.
    mutating func advance() -> [PathSample] {
        let overflow = bytesPerSecond * (path.base + path.queue).seconds
        var overflown = 0.0
        // Once a round trip the window grows, or is cut where the queue overflows.
        let roundTrip = max(path.base.seconds, window / bytesPerSecond)
        let trips = ModelledPath.step.seconds / roundTrip
        for _ in 0..<Int(min(40, max(1, trips))) {
            if window > overflow {
                overflown += window - overflow
                window *= 0.7
            } else {
                window *= 1 + 0.02 * min(1, trips)
            }
        }
        window = max(window, 30_000)
        let queue = max(0, window / bytesPerSecond - path.base.seconds)
        let rate = min(bytesPerSecond, window / path.base.seconds)
        let bytes = rate * ModelledPath.step.seconds
        delivered += UInt64(bytes)
        let lossChance = Ratio(min(1, path.loss + overflown / bytes))
        let packets = max(1, Int(bytes / 1_448 / Double(ModelledPath.streams)))
        return (0..<ModelledPath.streams).map { stream in
            let acknowledgements = min(12, packets)
            for _ in 0..<acknowledgements {
                let jitter = random.exponential(mean: path.jitter.seconds)
                let found = path.base.seconds + queue + jitter
                smoothed[stream] =
                    smoothed[stream] == 0
                    ? found : smoothed[stream] + (found - smoothed[stream]) / 8
            }
            let lost = (0..<packets).count { _ in random.chance(lossChance) }
            return PathSample(
                rtt: Interval(seconds: smoothed[stream]),
                deliveryRate: BitRate(bitsPerSecond: Int64(rate)),
                loss: Ratio(Double(lost) / Double(packets)),
                inFlight: ByteCount(Int64(window) / Int64(ModelledPath.streams))
            )
        }
    }
}
