import Machines
import NIOCore
import SocketEnvironment
import Testing
import Units

/// Goal: what a stream's kernel tells becomes its rate and its losses, however seldom something is
/// acknowledged. Method: connections as numbers, looked at when the meter wants to.
@Suite struct PathMeterTests {
    /// What the kernel would tell; counters only grow.
    private struct Connection {
        var roundTripMicroseconds: UInt32 = 0
        var acknowledged: UInt64 = 0
        var sent: UInt32 = 0
        var again: UInt32 = 0

        var information: TCPInformation {
            var words = InlineArray<20, UInt64>(repeating: 0)
            withUnsafeMutableBytes(of: &words) { bytes in
                bytes.storeBytes(of: 1448, toByteOffset: 16, as: UInt32.self)
                bytes.storeBytes(of: roundTripMicroseconds, toByteOffset: 68, as: UInt32.self)
                bytes.storeBytes(of: again, toByteOffset: 100, as: UInt32.self)
                bytes.storeBytes(of: acknowledged, toByteOffset: 120, as: UInt64.self)
                bytes.storeBytes(of: sent, toByteOffset: 156, as: UInt32.self)
            }
            return TCPInformation(words: words)
        }

        /// A flight of segments is acknowledged at once, so many of them had to be sent again.
        mutating func fly(_ segments: UInt32, again: UInt32) {
            acknowledged += UInt64(segments) * 1448
            sent += segments + again
            self.again += again
        }
    }

    @Test func aFlightOfSegmentsIsARoundTripsWorth() throws {
        var meter = PathMeter()
        var connection = Connection(roundTripMicroseconds: 900_000)
        var now: Int64 = 5_000_000_000
        meter.begin(at: now)
        var samples: [PathSample] = []
        var next = now + 900_000_000
        // A flight of ten in 0.9 s, of which one segment is sent twice.
        for _ in 0..<40 {
            now += meter.pause.nanoseconds
            while next <= now {
                connection.fly(10, again: 1)
                next += 900_000_000
            }
            if let sample = meter.sample(connection.information, at: now) { samples.append(sample) }
        }
        #expect(samples.count >= 30)
        let settled = samples.dropFirst(2)
        for sample in settled {
            #expect(abs(Double(sample.deliveryRate.bitsPerSecond) / 128_711 - 1) < 0.01)
            #expect(abs(sample.loss.value - 1 / 11.0) < 0.001)
        }
    }

    // What is not acknowledged for a while makes the rate lower, and losses meanwhile are counted.
    @Test func silenceCounts() throws {
        var meter = PathMeter()
        var connection = Connection(roundTripMicroseconds: 50_000)
        meter.begin(at: 1_000_000_000)
        connection.sent = 5
        #expect(meter.sample(connection.information, at: 1_100_000_000) == nil)
        connection.again = 1
        connection.sent = 6
        #expect(meter.sample(connection.information, at: 1_200_000_000) == nil)
        connection.acknowledged = 5 * 1448
        let answer = meter.sample(connection.information, at: 1_400_000_000)
        let sample = try #require(answer)
        #expect(sample.deliveryRate.bitsPerSecond == 5 * 1448 * 8 * 10 / 4)
        #expect(sample.loss == Ratio(1 / 6.0))
        #expect(sample.rtt == .milliseconds(50))
    }

    // A time in which nothing was to be sent belongs to no sample.
    @Test func restsDoNotCount() throws {
        var meter = PathMeter()
        var connection = Connection(roundTripMicroseconds: 20_000)
        meter.begin(at: 1_000_000_000)
        connection.fly(100, again: 0)
        let first = meter.sample(connection.information, at: 1_100_000_000)
        meter.begin(at: 61_000_000_000)
        connection.fly(100, again: 0)
        let second = meter.sample(connection.information, at: 61_100_000_000)
        let rate = try #require(first).deliveryRate
        #expect(rate == second?.deliveryRate)
    }

    @Test func looksComeOnceARoundTripWithinBounds() {
        var meter = PathMeter()
        #expect(meter.pause == .milliseconds(100))
        for (microseconds, pause) in [(20_000, 100), (900_000, 900), (60_000_000, 5_000)] {
            let connection = Connection(roundTripMicroseconds: UInt32(microseconds))
            _ = meter.sample(connection.information, at: 1)
            #expect(meter.pause == .milliseconds(Int64(pause)))
        }
    }
}
