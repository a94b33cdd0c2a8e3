import CLinuxNetwork
import Glibc

/// Why links cannot be emulated on this machine, or no longer.
public struct EmulatorFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) {
        self.description = description
    }

    /// A failed call with what the system says about it.
    static func system(_ what: String) -> EmulatorFailure {
        EmulatorFailure("\(what): \(String(cString: strerror(errno)))")
    }
}

/// Numbers of Linux's interface that are macros in its headers, which Swift does not import.
enum Linux {
    /// linux/sched.h: SCHED_IDLE
    static let idleScheduling: Int32 = 5
    /// linux/sched.h
    static let networkNamespace: Int32 = 0x4000_0000
    /// linux/if_tun.h: `_IOW('T', 202, int)`.
    static let setTunnelInterface: UInt = 0x4004_54CA
    /// linux/if_tun.h: packets without framing and without a header of the driver's own.
    static let tunnelWithoutHeader: Int16 = 0x0001 | 0x1000
    /// linux/sockios.h
    static let setFlags: UInt = 0x8914
    static let setAddress: UInt = 0x8916
    static let setMask: UInt = 0x891C
    static let setTransferUnit: UInt = 0x8922
    static let setQueueLength: UInt = 0x8943
    /// linux/if.h: up and running.
    static let interfaceUp: Int16 = 0x1 | 0x40
}

/// `struct ifreq` of linux/if.h: 16 bytes of name and a union of 24, whose members start together.
struct InterfaceRequest {
    private var words = InlineArray<5, UInt64>(repeating: 0)

    init(_ name: String) {
        withUnsafeMutableBytes(of: &words) { bytes in
            for (index, byte) in name.utf8.prefix(15).enumerated() { bytes[index] = byte }
        }
    }

    mutating func set<Value: BitwiseCopyable>(_ value: Value) {
        withUnsafeMutableBytes(of: &words) {
            $0.storeBytes(of: value, toByteOffset: 16, as: Value.self)
        }
    }

    /// The union as an IPv4 socket address.
    mutating func set(address: IPv4Address) {
        var socketAddress = sockaddr_in()
        socketAddress.sin_family = sa_family_t(AF_INET)
        socketAddress.sin_addr.s_addr = address.rawValue.bigEndian
        set(socketAddress)
    }

    mutating func perform(_ request: UInt, on descriptor: Int32) -> Bool {
        withUnsafeMutableBytes(of: &words) { ioctl(descriptor, request, $0.baseAddress!) == 0 }
    }
}

/// An open file that is closed with its owner.
struct Descriptor: ~Copyable {
    let rawValue: Int32

    /// - Parameter what: What the file is for, said when it cannot be opened.
    init(opening path: String, _ flags: Int32, _ what: String) throws(EmulatorFailure) {
        rawValue = open(path, flags | O_CLOEXEC)
        guard rawValue >= 0 else { throw .system("cannot open \(path) (\(what))") }
    }

    init(owning rawValue: Int32) { self.rawValue = rawValue }

    deinit { close(rawValue) }
}

/// Processes that are to live in another network namespace.
public enum NetworkNamespace {
    /// Moves the calling thread into the namespace that `path` names, such as `/proc/1/ns/net`.
    /// Threads that it starts follow it, and so does a program that it becomes.
    public static func enter(_ path: String) throws(EmulatorFailure) {
        let descriptor = try Descriptor(opening: path, O_RDONLY, "a network namespace")
        guard setns(descriptor.rawValue, Linux.networkNamespace) == 0 else {
            throw .system("cannot enter the network namespace \(path)")
        }
    }
}
