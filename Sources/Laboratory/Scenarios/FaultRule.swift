public import HardwareModel
public import Units

/// One entry of `faults`: what breaks, when, for how long and where.
public struct FaultRule: Hashable, Sendable {
    public var action: Action
    public var schedule: Schedule
    /// How long each occurrence lasts; `nil` lasts to the end of the run.
    public var duration: Duration?
    public var selection: Selection
    /// Nothing begins at this time or later, and what lasts heals; `nil` for no such end.
    public var until: Interval?

    /// What happens to the selected nodes (`node.*`, `net.partition`, `init.*`) or to the selected links
    /// between regions (the other `net.*`).
    public enum Action: Hashable, Sendable {
        /// The process is gone until the fault heals; unsynced writes and running work are lost.
        case nodeCrash
        /// A crash that heals by itself.
        case nodeRestart
        /// The process stands still and queues its inputs.
        case nodePause
        /// Nothing passes: what waits in the queue and what is offered is lost.
        case netDown(Direction)
        /// Everything takes longer by this much, one way.
        case netDelay(Direction, extra: Interval)
        /// Additional loss.
        case netLoss(Direction, Scenario.LossModel)
        /// Packets beyond a length, IP header included, are dropped and nobody is told.
        case netBlackHole(Direction, limit: ByteCount)
        case netPartition(PartitionMode, flapping: Flapping? = nil)
        case link(LinkFault, Direction)
        /// What the selected nodes send, or are sent, waits until it heals.
        case netClog(Direction)
        /// The selected nodes are clogged one after another, and freed in another order.
        case netSwizzle
        /// Every stream of the selected nodes breaks.
        case netResetPeer
        case node(NodeFault)
        case clock(ClockRule)
        case disk(DiskFault)
        /// Something in the boot of a node.
        case boot(BootFault)
    }

    /// Which traffic of the selected nodes or regions is meant.
    public enum Direction: String, Hashable, Sendable, CaseIterable {
        case both
        case outbound
        case inbound
    }

    public enum PartitionMode: Hashable, Sendable {
        /// All nodes in two groups: the selected ones, and the others.
        case halves
        /// Each selected node loses every other node.
        case isolate
        /// As `halves`, but only in one direction of the selected nodes' traffic.
        case oneWay(Direction)
        /// The selected nodes part into a majority and the largest minority. From here on nodes that
        /// are not selected reach all others.
        case majorityMinority
        /// Two halves that both reach one node between them, and not each other.
        case bridge
        /// Each node reaches a majority, and no two the same.
        case ring
        /// Each node reaches its two neighbours in a line.
        case chained
        /// All nodes reach one of them, and nobody else.
        case quorumLoss
        /// As `quorumLoss`, and one of the others reaches nobody.
        case constrainedElection
        /// Two nodes lose each other.
        case singleLink

        /// The word of the scenario language.
        public var word: String {
            switch self {
            case .halves: "halves"
            case .isolate: "isolate"
            case .oneWay: "one-way"
            case .majorityMinority: "majority-minority"
            case .bridge: "bridge"
            case .ring: "ring"
            case .chained: "chained"
            case .quorumLoss: "quorum-loss"
            case .constrainedElection: "constrained-election"
            case .singleLink: "single-link"
            }
        }

        /// How many nodes it needs to part any; the selected ones are parted from one another.
        public var leastNodes: Int {
            switch self {
            case .halves, .isolate, .oneWay: 1
            case .singleLink: 2
            case .majorityMinority, .bridge, .chained, .quorumLoss, .constrainedElection: 3
            case .ring: 4
            }
        }

        /// Whether the selected nodes lose one another, instead of all others.
        public var partsSelected: Bool {
            switch self {
            case .halves, .isolate, .oneWay: false
            default: true
            }
        }
    }

    public enum Schedule: Hashable, Sendable {
        /// Once, at a time drawn uniformly from the range.
        case at(ClosedRange<Interval>)
        /// At each multiple of the period.
        case every(Interval)
        /// At each full second of the run with this probability.
        case probability(Ratio)
        /// Everything that the selection may pick fails by itself, again and again: the time until it
        /// does, from the beginning or from when it was whole again, is exponential with this mean
        /// (mean time between failures less the time of repair).
        case failures(mean: Interval)
    }

    /// How long an occurrence lasts.
    public enum Duration: Hashable, Sendable {
        /// Drawn uniformly.
        case range(ClosedRange<Interval>)
        /// Exponential with this mean: the mean time to repair.
        case exponential(mean: Interval)
    }

    /// Which nodes or links: all conditions that are given must hold.
    public struct Selection: Hashable, Sendable {
        /// For links: one of its ends, as the direction says.
        public var region: RegionID?
        /// Only links of this name; for faults of links.
        public var link: String?
        public var role: String?
        public var label: String?
        public var pick: Pick
        /// What is picked together.
        public var unit: Unit

        public enum Unit: String, Hashable, Sendable, CaseIterable {
            case node
            /// All matching nodes of a region.
            case region
            /// All matching nodes of regions with the same label.
            case label
        }

        public init(
            region: RegionID?,
            link: String?,
            role: String?,
            label: String?,
            pick: Pick,
            unit: Unit = .node
        ) {
            self.region = region
            self.link = link
            self.role = role
            self.label = label
            self.pick = pick
            self.unit = unit
        }
    }

    /// How many of the nodes or links that match; drawn anew for each occurrence.
    public enum Pick: Hashable, Sendable {
        case one
        /// The replica that leads its group when the fault strikes.
        case leader
        case all
        case count(Int)
        /// Rounded to the nearest node, at least one.
        case percent(Ratio)
    }

    public init(
        action: Action,
        schedule: Schedule,
        duration: Duration?,
        selection: Selection,
        until: Interval? = nil
    ) {
        self.action = action
        self.schedule = schedule
        self.duration = duration
        self.selection = selection
        self.until = until
    }
}

extension FaultRule.Action {
    /// The word that `kind` holds, as in the fault catalogue.
    public var kind: String {
        switch self {
        case .nodeCrash: "node.crash"
        case .nodeRestart: "node.restart"
        case .nodePause: "node.pause"
        case .netDown: "net.down"
        case .netDelay: "net.delay"
        case .netLoss: "net.loss"
        case .netBlackHole: "net.mtu-black-hole"
        case .netPartition: "net.partition"
        case .link(let fault, _): fault.kind
        case .netClog: "net.clog"
        case .netSwizzle: "net.swizzle"
        case .netResetPeer: "net.reset-peer"
        case .node(let fault): fault.kind
        case .clock(let rule): rule.kind
        case .disk(let fault): fault.kind
        case .boot(let fault): fault.kind
        }
    }
}

extension FaultRule {
    /// Whether each node, or each link, fails by itself without any condition.
    var selectsEverything: Bool {
        schedule.isFailures && selection.region == nil && selection.link == nil
            && selection.role == nil && selection.label == nil && selection.unit == .node
    }
}

extension FaultRule.Schedule {
    /// Whether everything that is selected fails by itself.
    public var isFailures: Bool {
        guard case .failures = self else { return false }
        return true
    }
}

extension FaultRule.Pick {
    /// How many of `candidates` are meant; may exceed them for `count`.
    public func count(of candidates: Int) -> Int {
        switch self {
        case .one, .leader: 1
        case .all: candidates
        case .count(let count): count
        case .percent(let share): max(1, Int((share.value * Double(candidates)).rounded()))
        }
    }
}

extension FaultRule {
    /// The direction of the traffic, for the faults that act on links; `nil` for faults of nodes.
    public var linkDirection: Direction? {
        switch action {
        case .netDown(let direction), .netDelay(let direction, _), .netLoss(let direction, _),
            .netBlackHole(let direction, _), .link(_, let direction):
            direction
        case .nodeCrash, .nodeRestart, .nodePause, .netPartition, .netClog, .netSwizzle,
            .netResetPeer, .node, .clock, .disk, .boot:
            nil
        }
    }
}

extension Scenario {
    /// The most occurrences of one rule that a run may expect.
    public static let maximumFaultOccurrences = 10_000

    /// The roles of a node, in the order of the workload kind's role list.
    public func roles(of node: NodeID) -> [String] {
        let names = workload.kind.roles
        let region = topology.region(of: node)
        switch workload {
        case .echo(let echo):
            if node == topology.nodes(of: echo.to)[0] { return [names[1]] }
            return region == echo.from ? [names[0]] : []
        case .bulk(let bulk):
            return (bulk.transfers.contains { $0.from == region } ? [names[0]] : [])
                + (bulk.transfers.contains { $0.to == region } ? [names[1]] : [])
        case .transfer, .migration:
            let ends = workload.ends
            return (region == ends.first ? [names[0]] : [])
                + (region == ends.second ? [names[1]] : [])
        case .boot(let boot):
            return boot.region == nil || boot.region == region ? names : []
        case .requests:
            return [clientNodes.contains(node) ? names[0] : names[1]]
        }
    }

    /// The nodes that a selection may pick from, ascending. Nodes of clients are the laboratory's own:
    /// only a selection that names their role strikes them.
    public func nodeCandidates(for selection: FaultRule.Selection) -> [NodeID] {
        let clients = clientNodes
        return (0..<topology.nodeCount).map { NodeID(UInt32($0)) }.filter { node in
            let region = topology.region(of: node)
            return (selection.region.map { $0 == region } ?? true)
                && (selection.role.map(roles(of: node).contains) ?? !clients.contains(node))
                && (selection.label.map(topology.regions[Int(region.rawValue)].labels.contains)
                    ?? true)
        }
    }

    /// The groups of nodes that a selection picks from: each node alone, unless it picks regions or
    /// labels.
    public func nodeGroups(for selection: FaultRule.Selection) -> [[NodeID]] {
        let nodes = nodeCandidates(for: selection)
        switch selection.unit {
        case .node: return nodes.map { [$0] }
        case .region:
            return topology.regions.indices
                .map { index in
                    nodes.filter { topology.region(of: $0) == RegionID(UInt32(index)) }
                }
                .filter { !$0.isEmpty }
        case .label:
            var labels: [String] = []
            for label in topology.regions.flatMap(\.labels) where !labels.contains(label) {
                labels.append(label)
            }
            return
                labels
                .map { label in
                    nodes.filter { node in
                        let region = Int(topology.region(of: node).rawValue)
                        return topology.regions[region].labels.contains(label)
                    }
                }
                .filter { !$0.isEmpty }
        }
    }

    /// The groups of directed links (from, to) that a fault of links may pick from. With `both` a
    /// group is a link and its way back; otherwise it is one link. A topology without links between
    /// regions offers the regions' own links instead.
    public func linkCandidates(
        for selection: FaultRule.Selection,
        direction: FaultRule.Direction
    ) -> [[LinkEnds]] {
        let regions = Set(nodeCandidates(for: selection).map { topology.region(of: $0) })
        guard !topology.links.isEmpty else {
            guard selection.link == nil else { return [] }
            return (0..<topology.regions.count).map { RegionID(UInt32($0)) }
                .filter(regions.contains).map { [LinkEnds(from: $0, to: $0)] }
        }
        let named = topology.links.filter { selection.link == nil || $0.name == selection.link }
        var groups: [[LinkEnds]] = []
        for link in named {
            let ends = LinkEnds(from: link.from, to: link.to)
            switch direction {
            case .outbound:
                if regions.contains(link.from) { groups.append([ends]) }
            case .inbound:
                if regions.contains(link.to) { groups.append([ends]) }
            case .both:
                guard regions.contains(link.from) || regions.contains(link.to) else { continue }
                let back = LinkEnds(from: link.to, to: link.from)
                if let index = groups.firstIndex(of: [back]) {
                    groups[index].append(ends)
                } else {
                    groups.append([ends])
                }
            }
        }
        return groups
    }
}

/// The two ends of one directed link.
public struct LinkEnds: Hashable, Sendable {
    public var from: RegionID
    public var to: RegionID

    public init(from: RegionID, to: RegionID) {
        self.from = from
        self.to = to
    }
}
