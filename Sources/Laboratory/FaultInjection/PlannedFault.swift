public import HardwareModel
public import Scenarios
public import Units

/// One occurrence of a fault rule with everything drawn: what happens to whom, and from when to when.
public struct PlannedFault: Hashable, Sendable {
    /// The position in `FaultPlan.faults`.
    public var id: Int
    /// The position of the rule in `Scenario.faults`.
    public var rule: Int
    /// Counts the occurrences of the rule from zero.
    public var occurrence: UInt32
    /// Counts the parts of an occurrence that has several, such as the nodes of a rolling upgrade.
    public var part: UInt32 = 0
    /// As in the fault catalogue, for example `net.partition`.
    public var kind: String
    public var fireAt: Instant
    /// Later than `fireAt`; `nil` when the fault lasts to the end of the run.
    public var healAt: Instant?
    public var effect: Effect
    /// The fault comes and goes while it lasts; `nil` for one that stays.
    public var flapping: FaultRule.Flapping?

    /// What the world has to do when the fault fires, and to take back when it heals.
    public enum Effect: Hashable, Sendable {
        /// The processes die; healing starts new incarnations.
        case crash([NodeID])
        /// The processes stand still; healing lets them go on.
        case pause([NodeID])
        /// The links carry nothing.
        case down([LinkEnds])
        /// The links take longer by this much.
        case delay([LinkEnds], extra: Interval)
        /// The links lose packets besides their own loss.
        case loss([LinkEnds], Scenario.LossModel)
        /// The links drop packets longer than this, IP header included.
        case blackHole([LinkEnds], limit: ByteCount)
        /// Packets are dropped as they are sent.
        case cut([Cut])
        /// Packets wait as they are sent, until it heals.
        case clog([Cut])
        /// Other faults of links, with nothing left to draw.
        case link([LinkEnds], FaultRule.LinkFault)
        /// All streams of the nodes break.
        case resetStreams([NodeID])
        /// Power fails; healing starts new incarnations.
        case reboot([NodeID], losingDisk: Bool)
        /// The process dies during the `write`th batch, when the disk has `progress` of it, and starts
        /// again `downtime` later.
        case crashAtWrite(NodeID, write: Int, progress: Double, downtime: Interval?)
        /// Jobs take longer, and each input takes `step`.
        case slow([NodeID], factor: Double, step: Interval)
        /// Each input waits with this chance, for a time of the range.
        case stalls([NodeID], chance: Ratio, ClosedRange<Interval>)
        case clock([NodeID], ClockStrike)
        case disk([NodeID], DiskFault)
        /// Something goes wrong in the boots of the nodes, or at a service that they share; then there
        /// are no nodes.
        case boot(BootFault, [NodeID])
        /// What happens to the one of these replicas that leads when the fault strikes; nothing where none
        /// does. All that is drawn is the same for each of them.
        indirect case leader([Aim])
    }

    /// What a fault does to its victim, should that be the one.
    public struct Aim: Hashable, Sendable {
        public var node: NodeID
        /// Never aimed itself.
        public var effect: Effect

        public init(_ node: NodeID, _ effect: Effect) {
            self.node = node
            self.effect = effect
        }
    }

    /// One direction of a partition: from every node of one group to every node of another.
    public struct Cut: Hashable, Sendable {
        /// Ascending, never empty.
        public var from: [NodeID]
        /// Ascending, never empty.
        public var to: [NodeID]

        public init(from: [NodeID], to: [NodeID]) {
            self.from = from
            self.to = to
        }
    }
}

/// What befalls a node's own clock, with nothing left to draw.
public enum ClockStrike: Hashable, Sendable {
    /// More, or less, for as long as it lasts.
    case offset(Interval)
    case jump(Interval)
    case drift(nanosecondsPerSecond: Int64)
    case freeze
}

extension PlannedFault.Effect {
    /// The nodes that it strikes; none for faults of links, services and ways between nodes.
    public var nodes: [NodeID] {
        switch self {
        case .crash(let nodes), .pause(let nodes), .resetStreams(let nodes), .reboot(let nodes, _),
            .slow(let nodes, _, _), .stalls(let nodes, _, _), .clock(let nodes, _),
            .disk(let nodes, _), .boot(_, let nodes):
            nodes
        case .crashAtWrite(let node, _, _, _): [node]
        case .leader(let aims): aims.map(\.node)
        case .down, .delay, .loss, .blackHole, .cut, .clog, .link: []
        }
    }

    /// What is struck, in the words of the scenario; for logs and reports.
    public func target(in topology: Scenario.Topology) -> String {
        switch self {
        case .crash, .pause, .resetStreams, .reboot, .crashAtWrite, .slow, .stalls, .clock, .disk:
            PlannedFault.Effect.listed(nodes)
        case .down(let links), .delay(let links, _), .loss(let links, _),
            .blackHole(let links, _), .link(let links, _):
            links.map { ends in
                let from = topology.regions[Int(ends.from.rawValue)].name
                let to = topology.regions[Int(ends.to.rawValue)].name
                return from == to ? from : "\(from)->\(to)"
            }.joined(separator: ", ")
        case .cut(let cuts), .clog(let cuts):
            cuts.map {
                "\(PlannedFault.Effect.listed($0.from)) -> \(PlannedFault.Effect.listed($0.to))"
            }.joined(separator: ", ")
        case .boot(let fault, let nodes):
            fault.service ?? PlannedFault.Effect.listed(nodes)
        case .leader: "the leader of \(PlannedFault.Effect.listed(nodes))"
        }
    }

    private static func listed(_ nodes: [NodeID]) -> String {
        nodes.map(\.description).joined(separator: ", ")
    }
}
