import Glibc
import Units

/// Where a node listens: on the loopback interface, or in a network namespace of its own.
public struct NodeAddress: Hashable, Sendable, Codable {
    /// An IPv4 address.
    public let host: String
    /// Byte streams.
    public let streamPort: Int
    /// Datagrams.
    public let datagramPort: Int
    /// Set-up of RDMA links; `nil` when the node has no device.
    public let linkPort: Int?

    public init(
        host: String = NodeAddress.loopback,
        streamPort: Int,
        datagramPort: Int,
        linkPort: Int? = nil
    ) {
        self.host = host
        self.streamPort = streamPort
        self.datagramPort = datagramPort
        self.linkPort = linkPort
    }

    public static let loopback = "127.0.0.1"
}

/// The host's monotonic clock, which all processes of one host share.
public enum MonotonicClock {
    /// Nanoseconds since an arbitrary origin.
    public static var nanoseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

/// Why a node on sockets cannot begin or go on; caused from outside.
public struct SocketFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String
    /// What went wrong with the durable records, when it was that.
    public let storage: StorageFailure?

    public init(_ description: String) {
        self.description = description
        storage = nil
    }

    init(_ node: NodeID, _ storage: StorageFailure) {
        description = "\(node): \(storage)"
        self.storage = storage
    }
}
