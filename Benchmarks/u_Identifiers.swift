/// A node of the system under test, numbered from zero in scenario order.
public struct NodeID: Hashable, Comparable, Sendable, BitwiseCopyable {
    public let rawValue: UInt32

    public init(_ rawValue: UInt32) {
        self.rawValue = rawValue
    }

    public static func < (left: NodeID, right: NodeID) -> Bool { left.rawValue < right.rawValue }
}

extension NodeID: CustomStringConvertible {
    public var description: String { "node \(rawValue)" }
}

/// A region of the topology, numbered from zero in scenario order.
public struct RegionID: Hashable, Comparable, Sendable, BitwiseCopyable {
    public let rawValue: UInt32

    public init(_ rawValue: UInt32) {
        self.rawValue = rawValue
    }

    public static func < (left: RegionID, right: RegionID) -> Bool {
        left.rawValue < right.rawValue
    }
}

extension RegionID: CustomStringConvertible {
    public var description: String { "region \(rawValue)" }
}

/// Whatever can cause an event: a node, a link, a fault, an executor.
///
/// The kind fills the top byte, so that the order of entities of one kind does not depend on how
/// many entities of another kind exist, and adding a node reorders nothing else.
public struct EntityID: Hashable, Comparable, Sendable, BitwiseCopyable {
    public let rawValue: UInt32

    public enum Kind: UInt8, Sendable, CaseIterable {
        case experiment = 0
        case fault = 1
        case link = 2
        case node = 3
        case executor = 4
        /// The network stack of a node: its connections' timers and the packets it sends.
        case stack = 5
    }

    /// Traps when `index` needs more than 24 bits.
    public init(_ kind: Kind, _ index: UInt32) {
        precondition(index < 1 << 24, "entity index \(index) does not fit 24 bits")
        rawValue = UInt32(kind.rawValue) << 24 | index
    }

    public init(_ node: NodeID) {
        self.init(.node, node.rawValue)
    }

    public var kind: Kind { Kind(rawValue: UInt8(rawValue >> 24))! }
    public var index: UInt32 { rawValue & 0xff_ffff }

    public static func < (left: EntityID, right: EntityID) -> Bool {
        left.rawValue < right.rawValue
    }
}

extension EntityID: CustomStringConvertible {
    public var description: String { "\(kind) \(index)" }
}
