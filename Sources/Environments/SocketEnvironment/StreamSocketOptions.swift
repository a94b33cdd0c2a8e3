import Glibc
import Machines
import NIOCore
import Units

/// What a stream asks of its TCP socket.
enum StreamSocketOptions {
    /// By name (Linux, `TCP_CONGESTION`), before the connection is made: what the system begins it with leaves its
    /// traces. BBR switches the socket's pacing on, and CUBIC after it is a paced CUBIC.
    ///
    /// Throws where the system has no such control, or keeps it from this process
    /// (`net.ipv4.tcp_allowed_congestion_control`).
    static func setCongestionControl(
        _ control: CongestionControl,
        on channel: any Channel
    ) throws(SocketFailure) {
        guard let provider = channel as? any SocketOptionProvider else { return }
        let name = SystemCongestionControl.name(of: control)
        var refused = false
        let value = SystemCongestionControl.option(name)
        let set = provider.unsafeSetSocketOption(
            level: .tcp,
            name: .init(rawValue: TCP_CONGESTION),
            value: value
        )
        // On the channel's own event loop it is done by now.
        set.assumeIsolated().whenFailure { _ in refused = true }
        guard !refused else {
            throw SocketFailure(
                """
                the system gives streams no congestion control '\(name)': load tcp_\(name), and run as root or add it \
                to net.ipv4.tcp_allowed_congestion_control
                """
            )
        }
    }

    /// Spreads sending at this rate (Linux, `SO_MAX_PACING_RATE`); a system that lacks the option keeps its own way.
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

/// Congestion controls by Linux's names.
public enum SystemCongestionControl {
    /// Whether a connection of this process may have it: asked of a socket, which also loads a module where that is
    /// allowed.
    public static func isGiven(_ name: String) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var value = option(name)
        let size = socklen_t(MemoryLayout.size(ofValue: value))
        return setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_CONGESTION, &value, size) == 0
    }

    static func name(of control: CongestionControl) -> String {
        switch control {
        case .newReno: "reno"
        case .cubic: "cubic"
        case .bbr: "bbr"
        }
    }

    /// The name as a socket's option.
    static func option(_ name: String) -> InlineArray<16, UInt8> {
        var value = InlineArray<16, UInt8>(repeating: 0)
        for (index, byte) in name.utf8.prefix(15).enumerated() { value[index] = byte }
        return value
    }
}
