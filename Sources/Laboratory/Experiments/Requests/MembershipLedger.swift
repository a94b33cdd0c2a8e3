import Machines
import Raft
import ReplicatedStore
import Units

/// What became of a group's membership, out of what its replicas tell.
struct MembershipLedger: Sendable {
    /// The last membership that some replica knows to be committed; `nil` before the first.
    private(set) var last: Membership?
    private var lastIndex: LogIndex = 0
    /// Changes that were committed; both parts of a joint one count.
    private(set) var committed: UInt64 = 0
    /// When a leader had a joint membership in effect: from its entry to the one that ends it.
    private(set) var jointPhases: [(begin: Instant, end: Instant?)] = []
    /// Replicas that were spares and had a snapshot installed.
    private(set) var filledSpares: UInt64 = 0
    private(set) var transfersStarted: UInt64 = 0
    private(set) var transfersEnded: UInt64 = 0
    private(set) var removedLeaders: UInt64 = 0
    private(set) var electionsDuringTransfer: UInt64 = 0
    /// By the node's number; nodes of one group are few.
    private var replicas: [(node: NodeID, replica: Replica)] = []
    private var openTransfers: [(node: NodeID, target: NodeID)] = []

    /// More joint phases than this are not told apart.
    static let phaseLimit = 10_000

    private struct Replica: Sendable {
        /// What it told, by ascending index; what is committed is left out.
        var memberships: [(index: LogIndex, membership: Membership)] = []
        var committed: LogIndex = 0
        var isSpare = true
        var leads = false
    }

    mutating func take(_ fact: RaftFact, of node: NodeID, at time: Instant) {
        let place = place(of: node)
        switch fact {
        case .restarted(_, _, let snapshot, _, _):
            endTransfer(of: node)
            replicas[place].replica = Replica()
            replicas[place].replica.committed = snapshot
        case .membership(let index, let membership):
            replicas[place].replica.memberships.removeAll { $0.index >= index }
            replicas[place].replica.memberships.append((index, membership))
            if replicas[place].replica.leads { noteJoint(membership, at: time) }
            noteCommitted(place)
            if membership.contains(node) { replicas[place].replica.isSpare = false }
        case .committed(let index):
            replicas[place].replica.committed = index
            noteCommitted(place)
        case .snapshotInstalled(let index, _):
            if replicas[place].replica.isSpare { filledSpares += 1 }
            replicas[place].replica.memberships = []
            replicas[place].replica.committed = index
        case .becameLeader:
            replicas[place].replica.leads = true
            if openTransfers.contains(where: { $0.node != node }) { electionsDuringTransfer += 1 }
        case .steppedDown(_, let reason):
            replicas[place].replica.leads = false
            if reason == .removed { removedLeaders += 1 }
        case .transferStarted(let target, _):
            transfersStarted += 1
            openTransfers.append((node, target))
        case .transferEnded(_, _, let succeeded):
            if succeeded { transfersEnded += 1 }
            endTransfer(of: node)
        case .enteredTerm, .becameFollower, .becamePreCandidate, .becameCandidate, .voted,
            .appended, .truncated, .durable, .applied, .snapshotTaken, .readServed,
            .contradiction:
            return
        }
    }

    private mutating func endTransfer(of node: NodeID) {
        openTransfers.removeAll { $0.node == node }
    }

    private mutating func place(of node: NodeID) -> Int {
        if let place = replicas.firstIndex(where: { $0.node == node }) { return place }
        replicas.append((node, Replica()))
        return replicas.count - 1
    }

    private mutating func noteCommitted(_ place: Int) {
        let committed = replicas[place].replica.committed
        for (index, membership) in replicas[place].replica.memberships
        where index <= committed && !membership.voters.isEmpty {
            if last == nil {
                last = membership
                lastIndex = index
            } else if index > lastIndex {
                if membership != last { self.committed += 1 }
                last = membership
                lastIndex = index
            }
        }
        replicas[place].replica.memberships.removeAll { $0.index <= committed }
    }

    private mutating func noteJoint(_ membership: Membership, at time: Instant) {
        let isOpen = jointPhases.last.map { $0.end == nil } ?? false
        if membership.isJoint, !isOpen, jointPhases.count < MembershipLedger.phaseLimit {
            jointPhases.append((time, nil))
        } else if !membership.isJoint, isOpen {
            jointPhases[jointPhases.count - 1].end = time
        }
    }
}

/// What administrators ordered, and what came of it.
struct OrderTally: Sendable {
    var given: UInt64 = 0
    private(set) var changes: UInt64 = 0
    private(set) var transfers: UInt64 = 0
    private(set) var refused: UInt64 = 0
    private(set) var unknown: UInt64 = 0

    mutating func take(_ order: StoreAdministration, _ outcome: StoreOutcome) {
        switch (outcome, order) {
        case (.accepted, .change): changes += 1
        case (.accepted, .transferLeadership): transfers += 1
        case (.unknown, _): unknown += 1
        case (.failed, _), (.members, _), (.result, _): refused += 1
        }
    }
}
