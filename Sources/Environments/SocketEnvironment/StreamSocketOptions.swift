import Glibc
import Machines
import NIOCore
import Units

/// What a stream asks of its TCP socket. A kernel that lacks an option keeps its own way, which no
/// judged figure depends on.
enum StreamSocketOptions {
    /// By name (Linux, `TCP_CONGESTION`).
    static func setCongestionControl(_ control: CongestionControl, on channel: any Channel) {
        guard let provider = channel as? any SocketOptionProvider else { return }
        let name =
            switch control {
            case .newReno: "reno"
            case .cubic: "cubic"
            case .bbr: "bbr"
            }
        var value = InlineArray<16, UInt8>(repeating: 0)
        for (index, byte) in name.utf8.prefix(15).enumerated() { value[index] = byte }
        _ = provider.unsafeSetSocketOption(
            level: .tcp,
            name: .init(rawValue: TCP_CONGESTION),
            value: value
        )
    }

    /// Spreads sending at this rate (Linux, `SO_MAX_PACING_RATE`).
    static func setPacing(_ rate: BitRate, on channel: any Channel) {
        guard let provider = channel as? any SocketOptionProvider else { return }
        _ = provider.unsafeSetSocketOption(
            level: .socket,
            name: .init(rawValue: SO_MAX_PACING_RATE),
            value: UInt64(max(1, rate.bitsPerSecond / 8))
        )
    }

    /// Whether the end of the socket, also by the death of its process, is a reset that forgets
    /// unsent bytes, or leaves them to the kernel.
    static func setEndsInReset(_ endsInReset: Bool, on channel: any Channel) {
        guard let provider = channel as? any SocketOptionProvider else { return }
        let onOff: Int32 = endsInReset ? 1 : 0
        _ = provider.setSoLinger(linger(l_onoff: onOff, l_linger: 0))
    }
}
