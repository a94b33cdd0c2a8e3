/// What every simulation's event queue carries: a network event, or whatever the world around the
/// network schedules for itself.
///
/// Trivial and small, so that the queue moves it without reference counting.
public enum SimulationEvent: Sendable, BitwiseCopyable {
    case network(NetworkEvent)
    case local(LocalEvent)
}

/// Something due inside the network. Only the network makes these and only it reads them.
public enum NetworkEvent: Sendable, BitwiseCopyable {
    /// The oldest packet on a link reaches the other end.
    case arrival(link: LinkID)
    /// The next tick of a link whose connections are fluids.
    case tick(link: LinkID)
    /// A flow of others is to be opened.
    case cross(flow: UInt32)
    /// A timer of one side of a connection may have come due.
    case timer(ConnectionID, ConnectionSide, ConnectionTimer)
}

/// Something due outside the network: node timers, jobs, disks, faults. The world gives the four
/// words their meaning.
public struct LocalEvent: Hashable, Sendable, BitwiseCopyable {
    public var kind: UInt32
    public var node: UInt32
    public var first: UInt32
    public var second: UInt32

    public init(kind: UInt32, node: UInt32, first: UInt32 = 0, second: UInt32 = 0) {
        self.kind = kind
        self.node = node
        self.first = first
        self.second = second
    }
}

/// The timers that each side of a connection keeps.
public enum ConnectionTimer: UInt8, Sendable, BitwiseCopyable, CaseIterable {
    /// Retransmission, tail loss probe, reordering or zero-window probe; a side runs one at a time.
    case retransmission
    /// An acknowledgement that was held back.
    case delayedAcknowledgement
    /// The next segment of a paced sender.
    case pacing
    /// Nothing was heard from the peer for long.
    case keepAlive
}

/// One connection; a slot is used again under another generation once both sides have ended.
public struct ConnectionID: Hashable, Sendable, BitwiseCopyable {
    /// Small and dense: fit to index an array.
    public let slot: UInt32
    public let generation: UInt32

    public init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }
}

/// The two ends of a connection.
public enum ConnectionSide: UInt8, Sendable, BitwiseCopyable, CaseIterable {
    case opener
    case acceptor

    public var other: ConnectionSide { self == .opener ? .acceptor : .opener }
}

/// One directed link: those the topology declares, in its order, then one inside each region.
public struct LinkID: Hashable, Comparable, Sendable, Codable, BitwiseCopyable {
    public let rawValue: UInt32

    public init(_ rawValue: UInt32) {
        self.rawValue = rawValue
    }

    public static func < (left: LinkID, right: LinkID) -> Bool { left.rawValue < right.rawValue }
}
