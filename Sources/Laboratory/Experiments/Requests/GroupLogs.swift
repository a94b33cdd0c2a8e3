import Checkers
import Machines
import Measurements
import Raft
import ReplicatedStore
import Units

/// What the replicas of one group say about their logs, held against what Raft promises.
struct GroupLogs: Sendable {
    let replicas: [NodeID]
    /// Who executed which update first, and where: a second place would be a second execution.
    private var executed: [SessionSequence: LogIndex] = [:]
    private(set) var executions: UInt64 = 0
    private(set) var doubled: [Violation] = []
    /// Facts about elections and memberships, for coverage.
    private(set) var elections: UInt64 = 0
    private(set) var recognised: UInt64 = 0
    private(set) var snapshotsInstalled: UInt64 = 0
    /// The last index that each replica applied.
    private(set) var applied: [NodeID: LogIndex] = [:]

    private struct SessionSequence: Hashable, Sendable {
        let session: UInt64
        let sequence: UInt64
    }

    init(replicas: [NodeID]) {
        self.replicas = replicas
    }

    mutating func take(_ event: StoreEvent, of node: NodeID, at time: Instant) {
        switch event {
        case .raft(let fact):
            take(fact, of: node, at: time)
        case .executed(let session, let sequence, let index):
            executions += 1
            let update = SessionSequence(session: session, sequence: sequence)
            if let first = executed[update], first != index {
                doubled.append(
                    Violation(
                        time: time,
                        message: "\(node) executes update \(sequence) of session \(session) at index "
                            + "\(index); it was executed at index \(first)"
                    )
                )
            } else {
                executed[update] = index
            }
        case .recognised: recognised += 1
        case .stateDigest, .refused, .sessionOpened, .completed, .unreadableSnapshot: break
        }
    }

    private mutating func take(_ fact: RaftFact, of node: NodeID, at time: Instant) {
        switch fact {
        case .becameLeader: elections += 1
        case .applied(let index, _, _): applied[node] = index
        case .snapshotInstalled(let index, _):
            snapshotsInstalled += 1
            applied[node] = index
        case .restarted(_, _, let snapshot, _, _): applied[node] = snapshot
        default: break
        }
    }
}
