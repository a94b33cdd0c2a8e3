import Glibc
import Machines
import NIOCore
import Units

/// Measures a stream's path by what the kernel knows of its connection (Linux, `TCP_INFO`), while
/// data are acknowledged and once an interval.
struct PathMeter {
    static let interval = TimeAmount.milliseconds(100)

    private var last: (time: Int64, information: TCPInformation)

    /// Begins at `nanoseconds` on the monotonic clock, with nothing sent.
    init(at nanoseconds: Int64) {
        last = (nanoseconds, TCPInformation())
    }

    /// What changed since the last sample; `nil` when nothing was acknowledged in between.
    mutating func sample(_ information: TCPInformation, at nanoseconds: Int64) -> PathSample? {
        let before = last
        last = (nanoseconds, information)
        let bytes = information.bytesAcknowledged &- before.information.bytesAcknowledged
        guard bytes > 0, bytes < 1 << 50, nanoseconds > before.time else { return nil }
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
struct TCPInformation: Sendable, BitwiseCopyable {
    private var words = InlineArray<20, UInt64>(repeating: 0)

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
