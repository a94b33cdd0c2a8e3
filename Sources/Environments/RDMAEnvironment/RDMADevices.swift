import CVerbs
import Glibc

/// What this machine has for RDMA.
public enum RDMASupport: Hashable, Sendable {
    /// libibverbs is not installed.
    case noLibrary
    /// The library works and finds no device.
    case noDevice
    /// Devices in the order in which the library lists them; at least one.
    case devices([RDMAPort])

    /// Asks the library, when there is one.
    public static var current: RDMASupport {
        guard let library = VerbsLibrary.shared else { return .noLibrary }
        let ports = library.deviceNames.map { name in
            RDMADevice(named: name, library)?.port ?? RDMAPort(device: name)
        }
        return ports.isEmpty ? .noDevice : .devices(ports)
    }

    /// Whether at least one device can carry bytes now.
    public var isUsable: Bool {
        if case .devices(let ports) = self { ports.contains { $0.isActive } } else { false }
    }

    /// One line for people.
    public var text: String {
        switch self {
        case .noLibrary:
            "no RDMA device: libibverbs is not installed (package libibverbs1)"
        case .noDevice:
            "no RDMA device"
        case .devices(let ports):
            ports.map(\.text).joined(separator: ", ")
        }
    }
}

/// The first port of a device.
public struct RDMAPort: Hashable, Sendable {
    public let device: String
    /// `nil` when the device cannot be opened.
    public let state: State?

    public struct State: Hashable, Sendable {
        public let isActive: Bool
        public let linkLayer: LinkLayer
        /// Bytes of the largest packet.
        public let mtu: Int

        package init(isActive: Bool, linkLayer: LinkLayer, mtu: Int) {
            self.isActive = isActive
            self.linkLayer = linkLayer
            self.mtu = mtu
        }
    }

    /// What the port stands on.
    public enum LinkLayer: String, Hashable, Sendable {
        case infiniBand = "InfiniBand"
        /// RoCE: RDMA over converged Ethernet.
        case ethernet = "Ethernet"
        case unknown
    }

    package init(device: String, state: State? = nil) {
        self.device = device
        self.state = state
    }

    var isActive: Bool { state?.isActive == true }

    var text: String {
        guard let state else { return "\(device) (cannot be opened)" }
        let condition = state.isActive ? "active" : "not active"
        return "\(device) (\(state.linkLayer.rawValue), \(condition), MTU \(state.mtu))"
    }
}

extension VerbsLibrary {
    /// Names of all devices, in the library's order.
    var deviceNames: [String] {
        withDevices { $0.compactMap { getDeviceName($0).map { String(cString: $0) } } }
    }

    fileprivate func open(_ name: String) -> Context? {
        withDevices { devices in
            devices.first { getDeviceName($0).map { String(cString: $0) } == name }
                .flatMap { openDevice($0) }
        }
    }

    private func withDevices<Result>(_ body: ([Device]) -> Result) -> Result {
        var count: Int32 = 0
        guard let list = getDeviceList(&count) else { return body([]) }
        defer { freeDeviceList(list) }
        return body((0..<Int(count)).compactMap { list[$0] })
    }
}

/// An open device; closed with its last user.
final class RDMADevice: @unchecked Sendable {
    // The handle never changes, and the library allows its use from any thread.
    let library: VerbsLibrary
    let context: VerbsLibrary.Context
    let name: String

    /// `nil` when there is no such device, or it cannot be opened.
    init?(named name: String, _ library: VerbsLibrary) {
        guard let context = library.open(name) else { return nil }
        self.library = library
        self.context = context
        self.name = name
    }

    deinit { _ = library.closeDevice(context) }

    var attributes: ibv_port_attr? {
        var attributes = ibv_port_attr()
        return library.queryPort(context, 1, &attributes) == 0 ? attributes : nil
    }

    var port: RDMAPort {
        guard let attributes else { return RDMAPort(device: name) }
        let layer: RDMAPort.LinkLayer =
            switch Int(attributes.link_layer) {
            case IBV_LINK_LAYER_ETHERNET: .ethernet
            case IBV_LINK_LAYER_INFINIBAND, IBV_LINK_LAYER_UNSPECIFIED: .infiniBand
            default: .unknown
            }
        let state = RDMAPort.State(
            isActive: attributes.state == IBV_PORT_ACTIVE,
            linkLayer: layer,
            mtu: 128 << Int(attributes.active_mtu.rawValue)
        )
        return RDMAPort(device: name, state: state)
    }

    /// The address by which peers reach the port: on Ethernet the first that maps an IPv4 address,
    /// else the first of the table.
    var address: (index: UInt8, gid: [UInt8])? {
        let count = min(attributes?.gid_tbl_len ?? 0, 256)
        var first: (UInt8, [UInt8])?
        for index in 0..<count {
            var gid = ibv_gid()
            guard library.queryGID(context, 1, index, &gid) == 0 else { continue }
            let bytes = withUnsafeBytes(of: gid) { Array($0) }
            let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10...11] == [0xFF, 0xFF]
            if isMapped { return (UInt8(index), bytes) }
            if first == nil, bytes.contains(where: { $0 != 0 }) { first = (UInt8(index), bytes) }
        }
        return first
    }
}
