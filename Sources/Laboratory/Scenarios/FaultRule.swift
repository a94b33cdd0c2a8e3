public import Units

/// One entry of `faults`: what breaks, when, for how long and where.
public struct FaultRule: Hashable, Sendable {
    public var action: Action
    public var schedule: Schedule
    /// How long each occurrence lasts, drawn uniformly; `nil` lasts to the end of the run.
    public var duration: ClosedRange<Interval>?
    public var selection: Selection

    /// What happens to the selected nodes, or to the traffic between them and the others.
    public enum Action: Hashable, Sendable {
        /// The process is gone until the fault heals; unsynced writes and running work are lost.
        case nodeCrash
        /// A crash that heals by itself.
        case nodeRestart
        /// The process stands still and queues its inputs.
        case nodePause
        /// Nothing passes.
        case netDown(Direction)
        /// Everything takes longer by this much, one way.
        case netDelay(Direction, extra: Interval)
        /// Additional loss.
        case netLoss(Direction, LossModel)
        case netPartition(PartitionMode)
    }

    /// Which traffic of the selected nodes is meant.
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
    }

    public enum Schedule: Hashable, Sendable {
        /// Once, at a time drawn uniformly from the range.
        case at(ClosedRange<Interval>)
        /// At each multiple of the period.
        case every(Interval)
        /// At each full second of the run with this probability.
        case probability(Ratio)
    }

    /// Which nodes: all conditions that are given must hold.
    public struct Selection: Hashable, Sendable {
        public var region: RegionID?
        public var role: String?
        public var label: String?
        public var pick: Pick

        public init(region: RegionID?, role: String?, label: String?, pick: Pick) {
            self.region = region
            self.role = role
            self.label = label
            self.pick = pick
        }
    }

    /// How many of the nodes that match; drawn anew for each occurrence.
    public enum Pick: Hashable, Sendable {
        case one
        case all
        case count(Int)
        /// Rounded to the nearest node, at least one.
        case percent(Ratio)
    }

    public init(
        action: Action,
        schedule: Schedule,
        duration: ClosedRange<Interval>?,
        selection: Selection
    ) {
        self.action = action
        self.schedule = schedule
        self.duration = duration
        self.selection = selection
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
        case .netPartition: "net.partition"
        }
    }
}

extension Scenario {
    /// The roles of a node, in the order of the workload kind's role list.
    public func roles(of node: NodeID) -> [String] {
        let ends = workload.ends
        let names = workload.kind.roles
        let region = topology.region(of: node)
        if ends.first == ends.second, region == ends.first {
            // Inside one region the first node serves and the others ask.
            return [node == topology.nodes(of: region)[0] ? names[1] : names[0]]
        }
        return (region == ends.first ? [names[0]] : []) + (region == ends.second ? [names[1]] : [])
    }

    /// The nodes that a selection may pick from, ascending.
    public func candidates(for selection: FaultRule.Selection) -> [NodeID] {
        (0..<topology.nodeCount).map { NodeID(UInt32($0)) }.filter { node in
            let region = topology.region(of: node)
            return (selection.region.map { $0 == region } ?? true)
                && (selection.role.map(roles(of: node).contains) ?? true)
                && (selection.label.map(topology.regions[Int(region.rawValue)].labels.contains)
                    ?? true)
        }
    }
}
