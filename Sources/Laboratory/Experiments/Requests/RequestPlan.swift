import Raft
import ReplicatedStore
import Scenarios
import Units

/// What every node of a request workload knows of it.
struct RequestPlan: Sendable {
    let groups: [[NodeID]]
    let clientNodes: [NodeID]
    let load: Scenario.RequestWorkload.Load
    /// When requests end, from the start.
    let until: Interval
    private let store: StoreConfiguration
    /// Nodes that others let lead while they can.
    private let preferred: Set<NodeID>
    /// How long a client waits for one replica.
    let attemptTimeout: Interval
    let readsFromFollower: Bool
    /// How administrators change each group; `nil` when nobody does.
    let membership: Scenario.RequestWorkload.Membership?
    /// The voters that each group begins with, among its replicas.
    let founders: [[NodeID]]
    /// Replicas that take part without commands and state.
    let witnesses: Set<NodeID>
    /// The region of each replica, where an entry has to be in two before it is committed; else empty.
    let zones: [NodeID: UInt32]
    /// The fewest voters that a group ever has.
    let leastVoters: Int
    /// No order of an administrator begins later, from the start.
    let ordersUntil: Interval

    /// - Parameter isTraced: whether somebody reads what replicas report.
    init(
        _ scenario: Scenario,
        _ system: Scenario.SystemConfiguration,
        isTraced: Bool
    ) {
        guard case .requests(let workload) = scenario.workload else {
            preconditionFailure("requests of kind \(scenario.workload.kind)")
        }
        groups = scenario.replicaGroups
        clientNodes = scenario.clientNodes
        load = workload.load
        until = workload.duration.horizon
        let topology = scenario.topology
        var zones: [NodeID: UInt32] = [:]
        if system.consensus.groupCommit {
            for node in groups.joined() { zones[node] = topology.region(of: node).rawValue }
        }
        self.zones = zones
        var store = StoreConfiguration(system.consensus)
        store.raft.zones = zones
        // A ledger of memberships asks which are committed.
        store.raft.reportsEntries =
            isTraced || workload.membership != nil || scenario.invariants.contains(.raftSafety)
        store.reportsExecutions = isTraced || scenario.invariants.contains(.commandsAppliedOnce)
        self.store = store
        preferred = Set(
            groups.joined().filter {
                let region = topology.regions[Int(topology.region(of: $0).rawValue)].name
                return system.consensus.leaderRegions.contains(region)
            }
        )
        // A client that asks a dead replica should ask the next one while its request still counts.
        attemptTimeout = max(.milliseconds(200), workload.load.timeout / 4)
        readsFromFollower = system.consensus.reads == .follower
        membership = workload.membership
        founders = groups.map { workload.founders(of: $0) }
        witnesses = Set(groups.flatMap { workload.witnesses(of: $0) })
        leastVoters = workload.leastVoters
        ordersUntil = min(until, scenario.recovery?.healAt ?? until)
    }

    var heartbeat: Interval { store.raft.heartbeat }

    /// How a replica behaves.
    func configuration(of node: NodeID) -> StoreConfiguration {
        guard !preferred.isEmpty else { return store }
        var own = store
        own.raft.priorityLimit = 2
        own.raft.priority = preferred.contains(node) ? 2 : 1
        // Whoever is not preferred stands when those who are had their time.
        own.raft.priorityDelay = store.raft.electionTimeoutLimit
        return own
    }

    /// The longest that a group may take until it answers again: a few elections that may be split,
    /// and until a stream is opened anew.
    var recoveryBound: Interval {
        let election = store.raft.electionTimeoutLimit * (preferred.isEmpty ? 1 : 2)
        return election * 10 + store.reopenDelayLimit * 2
    }
}

extension StoreConfiguration {
    init(_ consensus: Scenario.SystemConfiguration.Consensus) {
        self.init()
        raft.heartbeat = consensus.heartbeat
        raft.electionTimeout = consensus.election.lowerBound
        raft.electionTimeoutLimit = consensus.election.upperBound
        raft.leaseReads = consensus.reads == .lease
        raft.snapshotInterval = UInt64(consensus.snapshotEntries)
        raft.trailingEntries = min(raft.trailingEntries, UInt64(consensus.snapshotEntries))
        carrier = consensus.carrier == .streams ? .streams : .datagrams
    }
}
