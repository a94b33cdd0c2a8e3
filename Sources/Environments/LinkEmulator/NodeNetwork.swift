import CLinuxNetwork
import Glibc
import Synchronization
import Units

/// The network namespace of one node with the one interface that leads out of it.
///
/// The namespace has no name: it lives as long as a process is inside it or a descriptor refers to
/// it, so that whatever ends this process, also SIGKILL, leaves nothing behind.
final class NodeNetwork: Sendable {
    let node: NodeID
    let namespace: Descriptor
    /// What the node sends is read here, what it is to receive is written here.
    let tunnel: Descriptor

    private static let interface = "wan0"
    /// Packets that wait for the emulator to read them; the kernel's own default of 500 overflows
    /// when several flows send at once.
    private static let queueLength: Int32 = 10_000

    private init(
        _ node: NodeID,
        namespace: consuming Descriptor,
        tunnel: consuming Descriptor
    ) {
        self.node = node
        self.namespace = namespace
        self.tunnel = tunnel
    }

    /// Makes a namespace for each node, on a thread of its own that ends afterwards: only the thread
    /// that makes a namespace is in it, and the process stays where it was.
    static func make(
        _ nodes: [NodeID],
        usingCongestionNotification marked: (NodeID) -> Bool
    ) throws(EmulatorFailure) -> [NodeNetwork] {
        let wishes = nodes.map { (node: $0, isMarked: marked($0)) }
        let result = Mutex<Result<[NodeNetwork], EmulatorFailure>>(.success([]))
        RelayThread.run {
            do throws(EmulatorFailure) {
                var made: [NodeNetwork] = []
                for wish in wishes { made.append(try makeHere(wish.node, wish.isMarked)) }
                result.withLock { [made] in $0 = .success(made) }
            } catch {
                result.withLock { $0 = .failure(error) }
            }
        }.join()
        return try result.withLock { $0 }.get()
    }

    private static func makeHere(
        _ node: NodeID,
        _ usesCongestionNotification: Bool
    ) throws(EmulatorFailure) -> NodeNetwork {
        guard unshare(Linux.networkNamespace) == 0 else {
            throw .system("cannot make a network namespace")
        }
        let namespace = try Descriptor(
            opening: "/proc/thread-self/ns/net",
            O_RDONLY,
            "the new namespace"
        )
        let tunnel = try Descriptor(
            opening: "/dev/net/tun",
            O_RDWR | O_NONBLOCK,
            "packets of emulated links"
        )
        var request = InterfaceRequest(interface)
        request.set(Linux.tunnelWithoutHeader)
        guard request.perform(Linux.setTunnelInterface, on: tunnel.rawValue) else {
            throw .system("cannot make the interface \(interface)")
        }
        try tune(usesCongestionNotification)
        try bringUp("lo", nil)
        try bringUp(interface, IPv4Address(of: node))
        return NodeNetwork(node, namespace: namespace, tunnel: tunnel)
    }

    /// Buffers that no link of the envelope outgrows; nothing is remembered from one connection to
    /// the next; no packets of protocols that nobody uses here.
    private static func tune(_ usesCongestionNotification: Bool) throws(EmulatorFailure) {
        // Both ask and answer, or neither: by default Linux answers who asks.
        try write(usesCongestionNotification ? "1" : "0", to: "ipv4/tcp_ecn")
        try write("4096 131072 33554432", to: "ipv4/tcp_rmem")
        try write("4096 131072 33554432", to: "ipv4/tcp_wmem")
        try write("1", to: "ipv4/tcp_no_metrics_save")
        // A kernel without IPv6 has nothing to switch off.
        try? write("1", to: "ipv6/conf/all/disable_ipv6")
    }

    private static func write(_ text: String, to name: String) throws(EmulatorFailure) {
        let path = "/proc/sys/net/\(name)"
        let file = try Descriptor(opening: path, O_WRONLY, "a setting of the namespace")
        let bytes = Array(text.utf8)
        guard Glibc.write(file.rawValue, bytes, bytes.count) == bytes.count else {
            throw .system("cannot set \(path)")
        }
    }

    private static func bringUp(
        _ name: String,
        _ address: IPv4Address?
    ) throws(EmulatorFailure) {
        let control = Descriptor(
            owning: socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | O_CLOEXEC, 0)
        )
        guard control.rawValue >= 0 else { throw .system("cannot open a control socket") }
        func set(
            _ request: UInt,
            _ prepare: (inout InterfaceRequest) -> Void
        ) throws(EmulatorFailure) {
            var form = InterfaceRequest(name)
            prepare(&form)
            guard form.perform(request, on: control.rawValue) else {
                throw .system("cannot set up the interface \(name)")
            }
        }
        if let address {
            try set(Linux.setAddress) { $0.set(address: address) }
            try set(Linux.setMask) { $0.set(address: .networkMask) }
            try set(Linux.setTransferUnit) { $0.set(Int32(FrameSlots.frameLimit)) }
            try set(Linux.setQueueLength) { $0.set(queueLength) }
        }
        try set(Linux.setFlags) { $0.set(Linux.interfaceUp) }
    }

    /// Packets that nodes sent and the emulator never saw, because they came faster than it read.
    static func packetsMissed(by networks: [NodeNetwork]) -> UInt64 {
        let sum = Atomic<UInt64>(0)
        RelayThread.run {
            for network in networks {
                guard setns(network.namespace.rawValue, Linux.networkNamespace) == 0 else { return }
                sum.add(transmitDrops(), ordering: .relaxed)
            }
        }.join()
        return sum.load(ordering: .relaxed)
    }

    /// The drops column of the interface's line in /proc/net/dev (proc(5)): the fourth of the eight
    /// that count what was sent.
    private static func transmitDrops() -> UInt64 {
        guard let file = try? Descriptor(opening: "/proc/thread-self/net/dev", O_RDONLY, "")
        else { return 0 }
        var bytes = [UInt8](repeating: 0, count: 1 << 14)
        let count = read(file.rawValue, &bytes, bytes.count)
        guard count > 0 else { return 0 }
        for line in String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n") {
            let words = line.split(whereSeparator: { $0 == " " || $0 == ":" })
            guard words.first == Substring(interface), words.count >= 13 else { continue }
            return UInt64(words[12]) ?? 0
        }
        return 0
    }
}
