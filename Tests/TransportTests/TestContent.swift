import Determinism
import Machines
import Transport
import Units

/// Chunks of pseudo-random bytes whose length and pieces differ from chunk to chunk.
struct TestContent: BulkContent {
    private let pool: [UInt8]
    private let cuts: Bool

    init(seed: UInt64, cuts: Bool = true) {
        var random = SeededRandom(stateFrom: seed)
        pool = (0..<65_536).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        self.cuts = cuts
    }

    func chunk(_ number: UInt64, size: Int) -> Payload {
        guard cuts else { return Payload(pool[..<size]) }
        var random = SeededRandom(stateFrom: number)
        var left = Int(random.below(UInt64(size))) + 1
        var payload = Payload()
        while left > 0 {
            let count = min(left, Int(random.below(4_096)) + 1)
            let start = Int(random.below(UInt64(pool.count - count)))
            payload.append(pool[start..<start + count])
            left -= count
        }
        return payload
    }
}

/// A configuration whose numbers are small enough for a test to reach every bound.
func smallConfiguration(
    streams: Int = 4,
    chunk: Int = 8_192,
    window: Int = 65_536
) -> TransportConfiguration {
    var configuration = TransportConfiguration(
        link: LinkEstimate(rate: .megabits(100), rtt: .milliseconds(10)),
        streams: .fixed(streams)
    )
    configuration.chunkSize = chunk
    configuration.window = window
    configuration.sendBuffer = window
    configuration.retryPause = .milliseconds(20)
    configuration.retryPauseLimit = .milliseconds(200)
    configuration.stallLimit = .seconds(5)
    return configuration
}
