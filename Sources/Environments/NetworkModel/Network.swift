public import Determinism
public import Machines
public import SimulationKernel
public import Units

/// The network of a simulated world, packet by packet: links with queues, TCP connections,
/// datagrams, partitions.
///
/// The world owns it and the event queue, passes it every `.network` event, and drains `outputs`
/// after each call. All calls of one world must come in order of time.
public struct Network: ~Copyable {
    /// Facts since the world last emptied this buffer.
    public var outputs: [NetworkOutput] = []
    /// Packets that left plus packets that arrived.
    public private(set) var events: UInt64 = 0

    public init(topology: Topology, seed: UInt64, parameters: TCPParameters = .linux) {}

    /// Carries out what the queue says is due now.
    public mutating func handle(
        _ event: NetworkEvent,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {}

    // Streams. Calls on a side that has ended do nothing.

    /// Starts a handshake; `opened` or `reset` follows. Both sides use the same options.
    public mutating func open(
        from opener: NodeID,
        to acceptor: NodeID,
        _ options: StreamOptions,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) -> ConnectionID { ConnectionID(slot: 0, generation: 0) }

    /// Queues bytes for sending; traps when they exceed the credit last given.
    public mutating func write(
        _ connection: ConnectionID,
        _ side: ConnectionSide,
        _ bytes: Bytes,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {}

    /// Lets the peer send `count` bytes more.
    public mutating func grant(
        _ connection: ConnectionID,
        _ side: ConnectionSide,
        bytes count: Int,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {}

    /// Ends this side's sending after everything written.
    public mutating func finish(
        _ connection: ConnectionID,
        _ side: ConnectionSide,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {}

    /// Ends both directions at once. This side gets no output for it.
    public mutating func reset(
        _ connection: ConnectionID,
        _ side: ConnectionSide,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {}

    /// The node that lives on a side.
    public func node(_ connection: ConnectionID, _ side: ConnectionSide) -> NodeID? { nil }

    public func statistics(
        _ connection: ConnectionID,
        _ side: ConnectionSide
    ) -> ConnectionStatistics? { nil }

    // Datagrams.

    /// Sends `size` bytes in one or more IP fragments; lost when any fragment is. Exactly one of
    /// `datagram` and `datagramLost` follows, with this token.
    public mutating func sendDatagram(
        from sender: NodeID,
        to receiver: NodeID,
        size: ByteCount,
        token: UInt32,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {}

    // Nodes.

    /// The node's process dies, and its connections without any output to itself. Loud: peers get
    /// resets, and new connections are refused. Silent (power loss): nothing is sent or answered.
    public mutating func dropNode(
        _ node: NodeID,
        silently: Bool,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {}

    /// The node takes datagrams and connections again; packets of its earlier connections are
    /// answered by resets.
    public mutating func restoreNode(_ node: NodeID) {}

    // Links and faults; all reversible.

    public var linkCount: Int { 0 }
    /// `nil` where no link is declared; a region has a link to itself.
    public func link(from: RegionID, to: RegionID) -> LinkID? { nil }
    public func counters(_ link: LinkID, at now: Instant) -> LinkCounters { LinkCounters() }
    /// Bytes waiting or being sent.
    public func queueOccupancy(_ link: LinkID, at now: Instant) -> ByteCount { .zero }

    /// Down: what waits in the queue and what is offered is lost; what has left the queue arrives.
    public mutating func setLink(
        _ link: LinkID,
        isUp: Bool,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {}

    /// Waiting packets leave at the new rate from now on.
    public mutating func setRate(
        _ link: LinkID,
        _ rate: BitRate,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {}

    /// Adds to the propagation delay of packets offered from now on; zero takes it back.
    public mutating func setExtraDelay(_ link: LinkID, _ delay: Interval) {}
    /// Loses packets offered from now on, besides the link's own loss; `.none` takes it back.
    public mutating func setExtraLoss(_ link: LinkID, _ loss: LossModel) {}
    /// Rules are consulted in the order in which they were added.
    public mutating func addRule(_ rule: NetworkRule) -> RuleID { RuleID(rawValue: 0) }
    public mutating func removeRule(_ id: RuleID) {}

    /// Mixes in every link's and node's chain, in entity order.
    public func combineFingerprint(into chain: inout HashChain) {}
}
