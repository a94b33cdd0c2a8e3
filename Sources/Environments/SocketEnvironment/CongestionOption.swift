import Glibc
import Machines
import NIOCore

/// The congestion control of a TCP connection, by name (Linux, `TCP_CONGESTION`).
enum CongestionOption {
    /// Asks for it; a kernel that lacks it keeps its own, which no judged figure depends on.
    static func set(_ control: CongestionControl, on channel: any Channel) {
        guard let provider = channel as? any SocketOptionProvider else { return }
        let name =
            switch control {
            case .newReno: "reno"
            case .cubic: "cubic"
            }
        var value: CongestionName = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        withUnsafeMutableBytes(of: &value) { buffer in
            for (index, byte) in name.utf8.prefix(15).enumerated() { buffer[index] = byte }
        }
        _ = provider.unsafeSetSocketOption(
            level: .tcp,
            name: .init(rawValue: TCP_CONGESTION),
            value: value
        )
    }

    private typealias CongestionName = (
        UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8,
        UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8
    )
}
