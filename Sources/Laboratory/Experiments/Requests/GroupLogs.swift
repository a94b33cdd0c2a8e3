import Checkers
import Machines
import Measurements
import Raft
import ReplicatedStore
import Units

/// What the replicas of one group say about their logs, held against what was promised.
struct GroupLogs: Sendable {
    let replicas: [NodeID]
    /// Costs memory with the log; `nil` where nobody asks.
    private(set) var raft: RaftInvariants?
    private(set) var once: ExactlyOnceChecker?
    private(set) var executions: UInt64 = 0
    private(set) var contradictions: [Violation] = []
    // For coverage.
    private(set) var elections: UInt64 = 0
    private(set) var recognised: UInt64 = 0
    private(set) var snapshotsInstalled: UInt64 = 0
    private(set) var truncations: UInt64 = 0
    /// Where administrators change the membership.
    private(set) var changes: MembershipLedger?
    /// When somebody was elected; the first `electionLimit` times.
    private(set) var electionTimes: [Instant] = []
    private(set) var transfers: UInt64 = 0
    /// Holds digests of states against each other, those of snapshots and those at the end.
    private(set) var states = ConvergenceChecker()
    /// How far replicas were at the end that told it, because they lived.
    private var closed: [NodeID: LogIndex] = [:]
    /// The last index that each replica applied, by the node's number.
    private var applied: [LogIndex] = []
    /// What others must have come to by the end.
    private var furthest: FurthestIndex

    /// - Parameters:
    ///   - grace: how long a replica may take to come to where another one is.
    ///   - zones: see `RaftConfiguration.zones`.
    init(
        replicas: [NodeID],
        checksRaft: Bool,
        checksOnce: Bool,
        grace: Interval,
        zones: [NodeID: UInt32]
    ) {
        self.replicas = replicas
        furthest = FurthestIndex(grace: grace)
        raft = checksRaft ? RaftInvariants(zones: zones) : nil
        once = checksOnce ? ExactlyOnceChecker() : nil
    }

    static let electionLimit = 100_000

    mutating func followMemberships() { changes = MembershipLedger() }

    /// Who has to hold the same in the end: the members of the last membership that was committed.
    var members: [NodeID] {
        guard let last = changes?.last, !last.members.isEmpty else { return replicas }
        return last.members
    }

    mutating func take(_ event: StoreEvent, of node: NodeID, at time: Instant) {
        switch event {
        case .raft(let fact):
            take(fact, of: node, at: time)
        case .executed(let session, let sequence, let index):
            executions += 1
            let name = RequestName(session: session, number: sequence)
            once?.applied(name, index: index, at: node, time: time)
        case .recognised: recognised += 1
        case .unreadableSnapshot(let index):
            contradict("\(node) cannot read its snapshot up to index \(index)", at: time)
        case .stateDigest(let index, let digest):
            states.observe(node, index: index, digest: digest, time: time)
        case .closingState(let index, let digest):
            closed[node] = index
            if let digest { states.observe(node, index: index, digest: digest, time: time) }
        case .refused, .sessionOpened, .completed: break
        }
    }

    mutating func take(_ incident: NodeIncident, of node: NodeID, at time: Instant) {
        switch incident {
        case .crashed: raft?.observe(.crashed, at: node, time: time)
        case .lostDurable: raft?.observe(.lostDurable, at: node, time: time)
        }
    }

    /// How far the members that lived at the end had come by then. Where nobody told, how
    /// far all of them had applied.
    var closingIndices: [LogIndex] {
        let told = members.compactMap { closed[$0] }
        guard told.isEmpty else { return told }
        return members.map { member in
            let place = Int(member.rawValue)
            return place < applied.count ? applied[place] : 0
        }
    }

    /// Where every member must be at `end`: some replica was there in time for the others to follow.
    func commonIndex(at end: Instant) -> LogIndex { furthest.index(dueAt: end) }

    private mutating func contradict(_ message: String, at time: Instant) {
        guard contradictions.count < InvariantOutcome.violationLimit else { return }
        contradictions.append(Violation(time: time, message: message))
    }

    private mutating func note(_ node: NodeID, applied index: LogIndex) {
        let place = Int(node.rawValue)
        while applied.count <= place { applied.append(0) }
        applied[place] = index
    }

    private mutating func take(_ fact: RaftFact, of node: NodeID, at time: Instant) {
        switch fact {
        case .becameLeader:
            elections += 1
            if electionTimes.count < GroupLogs.electionLimit { electionTimes.append(time) }
        case .applied(let index, _, _):
            note(node, applied: index)
            furthest.applied(index, at: time)
        case .snapshotInstalled(let index, _):
            snapshotsInstalled += 1
            note(node, applied: index)
        case .restarted(_, _, let snapshot, _, _): note(node, applied: snapshot)
        case .truncated: truncations += 1
        case .transferStarted: transfers += 1
        case .contradiction(let contradiction):
            contradict("\(node) met a contradiction: \(contradiction)", at: time)
        case .enteredTerm, .becameFollower, .becamePreCandidate, .becameCandidate, .steppedDown,
            .voted, .appended, .durable, .committed, .snapshotTaken, .readServed, .membership,
            .transferEnded:
            break
        }
        changes?.take(fact, of: node, at: time)
        guard raft != nil, let observation = RaftObservation(fact) else { return }
        raft!.observe(observation, at: node, time: time)
    }
}

extension RaftObservation {
    /// The fact in the checker's words; `nil` for what no promise speaks about.
    init?(_ fact: RaftFact) {
        switch fact {
        case .restarted(let term, _, let snapshot, let last, let lastTerm):
            self = .recovered(
                term: term,
                snapshot: snapshot,
                snapshotTerm: nil,
                last: last,
                lastTerm: lastTerm
            )
        case .enteredTerm(let term): self = .enteredTerm(term)
        case .becameLeader(let term, _): self = .becameLeader(term: term)
        case .becameFollower, .steppedDown: self = .ceasedToLead
        case .voted(let term, let candidate): self = .voted(term: term, candidate: candidate)
        case .appended(let index, let term, let digest):
            self = .appended(index: index, term: term, digest: digest)
        case .truncated(let index): self = .truncated(from: index)
        case .durable(let index, let term): self = .persisted(index: index, term: term)
        case .committed(let index): self = .committed(index: index)
        case .applied(let index, let term, let digest):
            self = .applied(index: index, term: term, digest: digest)
        case .membership(let index, let membership):
            self = .configuration(
                index: index,
                voters: membership.voters,
                outgoing: membership.outgoing,
                learners: membership.learners,
                witnesses: membership.witnesses
            )
        case .snapshotTaken(let index, let term): self = .snapshotTaken(index: index, term: term)
        case .snapshotInstalled(let index, let term):
            self = .snapshotInstalled(index: index, term: term)
        case .becamePreCandidate, .becameCandidate, .readServed, .transferStarted, .transferEnded,
            .contradiction:
            return nil
        }
    }
}
