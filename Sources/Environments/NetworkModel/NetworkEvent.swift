public import Units

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
    /// Something due on links whose streams go over RDMA.
    case rdma(RDMAEvent)
}

/// Something due where streams go over RDMA. Only the network makes these and only it reads them.
public enum RDMAEvent: Sendable, BitwiseCopyable {
    /// A link's sender has sent a packet and may begin the next.
    case sent(LinkID)
    /// The oldest packet on a link reaches the queue at its end.
    case arrival(LinkID)
    /// The oldest packet in the queue of a region reaches its node.
    case passage(RegionID)
    /// A request of the queue at the link's end to stop (or to go on) reaches the sender.
    case pause(LinkID, Bool)
    /// A side's streams have changed, and something may be posted.
    case advance(PairID, ConnectionSide)
    /// A queue pair's time-out may have come.
    case timer(PairID, ConnectionSide)
    /// A step of setting a queue pair up.
    case setUp(PairID, PairStep)
    /// A side learns that its peer's queue pair is gone; how often it has tried to be told.
    case ended(PairID, ConnectionSide, attempt: UInt8)
}

/// A reliable connection; its slot is used again under another generation once both sides are gone.
public struct PairID: Hashable, Sendable, BitwiseCopyable {
    let slot: UInt32
    let generation: UInt32
}

/// What travels when a queue pair is set up, over a TCP connection, by where it arrives.
public enum PairStep: UInt8, Sendable, BitwiseCopyable {
    /// The first segment of the connection, at the acceptor.
    case request
    /// Its answer, at the opener: the connection stands, or nobody listens.
    case confirmation
    case refusal
    /// The opener's queue pair and ring, at the acceptor.
    case offer
    /// The acceptor's, at the opener.
    case answer
    /// The time within which a hello must have come, on either side.
    case openerDeadline
    case acceptorDeadline
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
