import Glibc
package import Machines
package import NIOCore
import Units

/// Measures a stream's path by what the kernel knows of its connection (Linux, `TCP_INFO`), while
/// data are on their way: about once a round trip, as the model of TCP does.
///
/// A look that comes sooner finds nothing acknowledged, or a whole flight at once. The rate of those that
/// found something alone is more than the stream's, and what was sent again in between is in none.
package struct PathMeter {
    /// Between two looks, in nanoseconds.
    private static let bounds: ClosedRange<Int64> = 100_000_000...5_000_000_000

    private var last: (time: Int64, information: TCPInformation)
    private var roundTripMicroseconds: UInt32 = 0

    /// With nothing sent.
    package init() { last = (0, TCPInformation()) }

    /// How long to wait for the next look.
    package var pause: TimeAmount {
        let roundTrip = Int64(roundTripMicroseconds) * 1000
        let bounds = PathMeter.bounds
        return .nanoseconds(min(bounds.upperBound, max(bounds.lowerBound, roundTrip)))
    }

    /// Sending begins, for the first time or again, at `nanoseconds` on the monotonic clock.
    package mutating func begin(at nanoseconds: Int64) { last.time = nanoseconds }

    /// What has changed since the last sample; `nil` as long as nothing was acknowledged since then.
    package mutating func sample(
        _ information: TCPInformation,
        at nanoseconds: Int64
    ) -> PathSample? {
        roundTripMicroseconds = information.roundTripMicroseconds
        let before = last
        let bytes = information.bytesAcknowledged &- before.information.bytesAcknowledged
        guard bytes > 0, bytes < 1 << 50, nanoseconds > before.time else { return nil }
        last = (nanoseconds, information)
        let seconds = Double(nanoseconds - before.time) / 1e9
        let sent = information.segmentsSent &- before.information.segmentsSent
        let again = information.segmentsSentAgain &- before.information.segmentsSentAgain
        return PathSample(
            rtt: .microseconds(Int64(information.roundTripMicroseconds)),
            deliveryRate: BitRate(bitsPerSecond: max(1, Int64(Double(bytes) * 8 / seconds))),
            loss: Ratio(sent == 0 ? 0 : min(1, Double(again) / Double(sent))),
            inFlight: ByteCount(
                Int64(information.segmentsInFlight) * Int64(information.segmentBytes)
            )
        )
    }
}

/// The front of the kernel's `struct tcp_info` (linux/tcp.h), of which the C library's header knows
/// only a part. A kernel that knows less leaves the rest zero.
package struct TCPInformation: Sendable, BitwiseCopyable {
    private var words: InlineArray<20, UInt64>

    package init(words: InlineArray<20, UInt64> = InlineArray(repeating: 0)) { self.words = words }

    var segmentBytes: UInt32 { value(at: 16) }
    var segmentsInFlight: UInt32 { value(at: 24) }
    var roundTripMicroseconds: UInt32 { value(at: 68) }
    var segmentsSentAgain: UInt32 { value(at: 100) }
    var bytesAcknowledged: UInt64 { value(at: 120) }
    var bytesNotSent: UInt32 { value(at: 144) }
    var segmentsSent: UInt32 { value(at: 156) }

    /// Whether anything is still to be acknowledged.
    var isBusy: Bool { segmentsInFlight > 0 || bytesNotSent > 0 }

    private func value<Value: FixedWidthInteger>(at offset: Int) -> Value {
        withUnsafeBytes(of: words) { $0.load(fromByteOffset: offset, as: Value.self) }
    }

    /// Asks the kernel; the answer comes at once on the channel's event loop.
    static func read(from channel: any Channel, _ then: @escaping (TCPInformation) -> Void) {
        guard let provider = channel as? any SocketOptionProvider else { return }
        let answer: EventLoopFuture<TCPInformation> = provider.unsafeGetSocketOption(
            level: .tcp,
            name: .init(rawValue: TCP_INFO)
        )
        answer.assumeIsolated().whenSuccess(then)
    }
}
