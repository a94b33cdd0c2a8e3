public import Units

extension Scenario {
    /// What faults may do so that the system can recover, and by when it must.
    ///
    /// A run has two phases: safety under faults until `healAt`, then everything heals in a
    /// connected core, and progress must come within a bound (the liveness mode of TigerBeetle's
    /// simulator).
    public struct Recovery: Hashable, Sendable {
        /// When faults heal; `nil` for no second phase.
        public var healAt: Interval?
        /// How soon after `healAt` the core must have made progress.
        public var progressWithin: Interval
        public var core: Core
        public var dataLoss: DataLoss
        /// The role of the nodes that hold copies of the data; `nil` for all nodes.
        public var replicas: String?

        /// Which nodes are well in the second phase.
        public enum Core: String, Hashable, Sendable, CaseIterable {
            case all
            /// A majority of the replicas, drawn from the seed. The others keep what they have: no
            /// new fault begins, but those that last may go on.
            case majority
        }

        /// On how many replicas faults may lose or spoil what was durable.
        public enum DataLoss: String, Hashable, Sendable, CaseIterable {
            case none
            /// Fewer than half of them in a whole run, whichever the seed draws.
            case minority
            case any
        }

        public init(
            healAt: Interval?,
            progressWithin: Interval,
            core: Core,
            dataLoss: DataLoss,
            replicas: String?
        ) {
            self.healAt = healAt
            self.progressWithin = progressWithin
            self.core = core
            self.dataLoss = dataLoss
            self.replicas = replicas
        }
    }

    /// The nodes that hold copies of the data, ascending.
    public var replicaNodes: [NodeID] {
        nodeCandidates(
            for: FaultRule.Selection(
                region: nil,
                link: nil,
                role: recovery?.replicas,
                label: nil,
                pick: .all
            )
        )
    }
}
