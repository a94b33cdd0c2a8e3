public import Units

extension Scenario.SystemConfiguration {
    /// How replicas of a group agree (Raft).
    public struct Consensus: Hashable, Sendable {
        public var carrier: Carrier
        public var heartbeat: Interval
        /// Each time without a leader is drawn from this range.
        public var election: ClosedRange<Interval>
        public var reads: Reads
        /// Entries between two snapshots; at least one.
        public var snapshotEntries: Int
        /// Names of the regions whose replicas lead while one of them can: the others wait one
        /// longest election more before they stand. Empty when nobody is preferred.
        public var leaderRegions: [String]
        /// Entries are committed only once replicas of two regions hold them.
        public var groupCommit: Bool

        /// What messages between replicas travel on.
        public enum Carrier: String, Hashable, Sendable, CaseIterable {
            case streams
            case datagrams
        }

        /// How a read sees every write that was acknowledged before it.
        public enum Reads: String, Hashable, Sendable, CaseIterable {
            /// A quorum confirms the leader (ReadIndex).
            case index
            /// The leader relies on its lease.
            case lease
            /// Any replica asks the leader for an index and answers from its own state.
            case follower
        }

        public init(
            carrier: Carrier,
            heartbeat: Interval,
            election: ClosedRange<Interval>,
            reads: Reads,
            snapshotEntries: Int,
            leaderRegions: [String] = [],
            groupCommit: Bool = false
        ) {
            self.carrier = carrier
            self.heartbeat = heartbeat
            self.election = election
            self.reads = reads
            self.snapshotEntries = snapshotEntries
            self.leaderRegions = leaderRegions
            self.groupCommit = groupCommit
        }

        /// What a file means that says nothing about consensus; such a file's digest does not hold it.
        public static let usual = Consensus(
            carrier: .streams,
            heartbeat: .milliseconds(100),
            election: .milliseconds(1_000) ... .milliseconds(2_000),
            reads: .index,
            snapshotEntries: 10_000
        )
    }
}
