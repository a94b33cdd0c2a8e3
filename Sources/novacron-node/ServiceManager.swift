import Glibc

/// Tells systemd how the node is (sd_notify(3), service type `notify`): datagrams to the socket that
/// `NOTIFY_SOCKET` names. Without one, nothing is told.
struct ServiceManager: Sendable {
    private let address: String?

    init(environment: [(name: String, value: String)]) {
        address = environment.first { $0.name == "NOTIFY_SOCKET" }?.value
    }

    func ready(_ status: String) { tell("READY=1\nSTATUS=\(status)") }
    func status(_ status: String) { tell("STATUS=\(status)") }
    func stopping() { tell("STOPPING=1\nSTATUS=stopping") }

    private func tell(_ text: String) {
        guard let address, address.hasPrefix("/") || address.hasPrefix("@") else { return }
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        var path = Array(address.utf8)
        guard path.count < MemoryLayout.size(ofValue: name.sun_path) else { return }
        // A name in Linux's abstract space begins with a zero byte.
        if path[0] == UInt8(ascii: "@") { path[0] = 0 }
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path) }
        let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let channel = socket(AF_UNIX, type, 0)
        guard channel >= 0 else { return }
        defer { close(channel) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + path.count)
        let bytes = Array(text.utf8)
        withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                _ = sendto(
                    channel,
                    bytes,
                    bytes.count,
                    Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT),
                    pointer,
                    length
                )
            }
        }
    }
}
