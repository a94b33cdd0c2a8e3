public import HardwareModel
public import LinkModel
public import NetworkModel
public import Units

/// One change that a fault makes to the world; healing is a change of its own.
public enum WorldFault: Sendable {
    /// The processes die: machines, timers, unsynced writes and running work are gone; peers see
    /// resets. A node that is down already stays down until this fault has ended too.
    case crash([NodeID])
    /// Ends the crash or power failure of the same number: new incarnations start with what was
    /// durable, unless another fault keeps the node down.
    case restart([NodeID])
    /// As a crash, but of the whole host: peers hear nothing. Where `losingDisk`, nothing was durable.
    case powerFailure([NodeID], losingDisk: Bool)
    /// The node will crash while it makes something durable, see ``WriteCrash``. The log says `fired`
    /// when it does, which may be never.
    case crashAtWrite(NodeID, WriteCrash)
    /// Ends a ``crashAtWrite(_:_:)`` of the same number, also one that has not struck.
    case disarm(NodeID)
    /// Inputs queue up, in order, until the nodes go on. Nothing happens to a node that is down.
    case pause([NodeID])
    /// Ends the pause of the same number; a node goes on once no other fault holds it.
    case resume([NodeID])
    /// Computation takes longer.
    case slow([NodeID], Slowness)
    /// The nodes' own clocks go wrong.
    case clock([NodeID], ClockFault)
    /// All streams of the nodes break; both sides hear of it.
    case resetStreams([NodeID])
    /// What waits on these links, and what is offered to them, is lost.
    case down([LinkID])
    /// On top of the links' own delay; delays of several faults add up.
    case delay([LinkID], Interval)
    /// Besides the links' own loss; of several such faults the latest counts.
    case loss([LinkID], LinkModel.LossModel)
    /// Packets longer than this, IP header included, are dropped; of several such limits the smallest
    /// counts.
    case blackHole([LinkID], ByteCount)
    /// On top of the links' own jitter; of several such faults the latest counts.
    case jitter([LinkID], LinkModel.Jitter)
    /// Copies, wrong bits and late packets; of several such faults the latest counts for each kind.
    case trouble([LinkID], PacketTrouble)
    /// Another rate; of several such faults the latest counts.
    case rate([LinkID], RateLimit)
    /// Queues are so many times as long; factors of several faults multiply.
    case queue([LinkID], factor: Double)
    /// Packets that match a rule are dropped, or kept until it heals.
    case block([NetworkRule])
    /// The nodes' disks misbehave; `heal` of the same number ends it and starts nodes that it had
    /// stopped. What it has done to stored bytes stays.
    case disk([NodeID], DiskFault)
    /// Takes back whatever the fault of the same number did to links, rules, clocks, processors and
    /// disks.
    case heal
    /// What happens to the one of these nodes that leads when the fault fires: of several that believe to
    /// lead, the one with the highest term. Where nobody leads, nothing happens and nothing is logged.
    /// Healing and turns befall the same node.
    indirect case aimed([AimedFault])
    /// The same fault goes on in another way: what it did is taken back, and this done. Not logged.
    indirect case turn(into: WorldFault)
}

/// What a fault does if it finds its victim in office, see ``WorldFault/aimed(_:)``.
public struct AimedFault: Sendable {
    public var node: NodeID
    public var change: WorldFault

    public init(_ node: NodeID, _ change: WorldFault) {
        self.node = node
        self.change = change
    }
}

/// What slow processors, or a want of memory, do to a node.
public struct Slowness: Hashable, Sendable {
    /// Jobs take so many times longer; at least one.
    public var factor: Double
    /// The node takes one input in this time and lets the others wait. Machines' steps cost nothing
    /// otherwise.
    public var step: Interval
    /// Some inputs take a time of this range besides, while a page comes back from the disk.
    public var stalls: Stalls?

    public struct Stalls: Hashable, Sendable {
        public var chance: Ratio
        public var range: ClosedRange<Interval>
    }

    public init(factor: Double, step: Interval) {
        precondition(factor >= 1 && step >= .zero, "slowed by \(factor), \(step) a step")
        self.factor = factor
        self.step = step
    }

    public init(stalls chance: Ratio, of range: ClosedRange<Interval>) {
        precondition(range.lowerBound > .zero, "stalls of \(range)")
        factor = 1
        step = .zero
        stalls = Stalls(chance: chance, range: range)
    }
}

/// When a node crashes while it writes.
public struct WriteCrash: Hashable, Sendable {
    /// Counted from now on; 1 is the next batch.
    public var write: Int
    /// How far the disk is with the batch, from zero to one: at one it has just become durable.
    public var progress: Double
    /// The node starts again so long after; `nil` for never.
    public var downtime: Interval?

    public init(write: Int, progress: Double, downtime: Interval?) {
        precondition(write >= 1 && (0...1).contains(progress), "write \(write) at \(progress)")
        self.write = write
        self.progress = progress
        self.downtime = downtime
    }
}

/// The rate that a fault leaves to a link.
public enum RateLimit: Hashable, Sendable {
    case absolute(BitRate)
    /// Along a trace from its beginning; for links of packets with a fixed rate.
    case trace(FollowedTrace)
    /// Of the link's own rate.
    case share(Double)

    /// What becomes of the rate of a link, whatever an earlier fault made of it.
    func put(into condition: inout LinkCondition, of own: LinkParameters) {
        condition.trace = nil
        condition.rate = nil
        switch self {
        case .absolute(let rate): condition.rate = rate
        case .share(let share):
            let bits = Int64(Double(own.rate.bitsPerSecond) * share)
            condition.rate = BitRate(bitsPerSecond: max(1, bits))
        case .trace(let trace): condition.trace = trace
        }
    }
}

extension WorldFault {
    /// Every link that the change touches.
    var links: [LinkID] {
        switch self {
        case .down(let links), .delay(let links, _), .loss(let links, _),
            .blackHole(let links, _), .jitter(let links, _), .trouble(let links, _),
            .rate(let links, _), .queue(let links, _):
            links
        default: []
        }
    }
}
