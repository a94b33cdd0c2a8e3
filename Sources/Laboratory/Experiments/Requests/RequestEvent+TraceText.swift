public import Machines
public import Raft
public import ReplicatedStore
import Units

extension RequestEvent: TraceText {
    public var traceText: String {
        switch self {
        case .replica(let event): event.traceText
        case .began(let request, _, _, _, let command): "asks \(request): \(TraceWords.of(command))"
        case .ended(let request, _, let outcome, _): "ended \(request): \(TraceWords.of(outcome))"
        case .missed: "missed a request"
        case .finished: "finished"
        case .ordered(_, let order): "orders \(order.words)"
        case .carriedOut(_, let order, let outcome): "\(TraceWords.of(outcome)): \(order.words)"
        }
    }
}

extension RequestTimer: TraceText {
    public var traceText: String {
        switch self {
        case .replica(.raft(let timer)): TraceWords.of(timer)
        case .replica(.reopen(let peer)): "reopen \(peer)"
        case .replica(.client), .session: "retry"
        case .arrival: "request due"
        case .order: "order due"
        case .end: "end"
        }
    }
}

extension StoreEvent: TraceText {
    public var traceText: String {
        switch self {
        case .raft(let fact): fact.traceText
        case .executed(let session, let sequence, let index):
            "executes \(session)/\(sequence) at \(index)"
        case .recognised(let session, let sequence, _): "recognises \(session)/\(sequence)"
        case .stateDigest(let index, _): "state at \(index)"
        case .closingState(let index, _): "closing state at \(index)"
        case .unreadableSnapshot(let index): "unreadable snapshot \(index)"
        case .refused(let refusal): "refused: \(TraceWords.of(refusal))"
        case .sessionOpened(let session): "session \(session)"
        case .completed(let operation, let outcome, _):
            "completed \(operation): \(TraceWords.of(outcome))"
        }
    }
}

extension RaftFact: TraceText {
    public var traceText: String {
        switch self {
        case .restarted(let term, _, let snapshot, let last, let lastTerm):
            "begins term \(term) log \(last)/\(lastTerm) snapshot \(snapshot)"
        case .enteredTerm(let term): "term \(term)"
        case .becameFollower(let term, let leader):
            "follows \(leader.map(\.description) ?? "nobody") term \(term)"
        case .becamePreCandidate(let term): "pre-candidate term \(term)"
        case .becameCandidate(let term): "candidate term \(term)"
        case .becameLeader(let term, let last): "LEADS term \(term) log \(last)"
        case .steppedDown(let term, let reason): "steps down term \(term): \(reason)"
        case .voted(let term, let candidate): "votes for \(candidate) term \(term)"
        case .appended(let index, let term, _): "entry \(index)/\(term)"
        case .truncated(let index): "truncates from \(index)"
        case .durable(let index, let term): "durable \(index)/\(term)"
        case .committed(let index): "commits \(index)"
        case .applied(let index, _, _): "applies \(index)"
        case .membership(let index, let membership): "members \(index): \(membership.words)"
        case .snapshotTaken(let index, _): "snapshot \(index)"
        case .snapshotInstalled(let index, _): "installs snapshot \(index)"
        case .readServed(let index, let isLease): "\(isLease ? "lease read" : "read") at \(index)"
        case .transferStarted(let target, _): "hands over to \(target)"
        case .transferEnded(let target, _, let succeeded):
            "handed over to \(target): \(succeeded ? "yes" : "no")"
        case .contradiction(let contradiction): "CONTRADICTION \(TraceWords.of(contradiction))"
        }
    }
}

extension StoreAdministration {
    fileprivate var words: String {
        switch self {
        case .transferLeadership(let target): "handover to \(target)"
        case .change(.addVoter(let node)): "voter \(node)"
        case .change(.addLearner(let node)): "learner \(node)"
        case .change(.addWitness(let node)): "witness \(node)"
        case .change(.remove(let node)): "no \(node)"
        case .change(.joint(let voters, let learners, let witnesses)):
            "voters \(numbers(voters))" + (learners.isEmpty ? "" : " learners \(numbers(learners))")
                + (witnesses.isEmpty ? "" : " witnesses \(numbers(witnesses))")
        }
    }
}

extension Membership {
    fileprivate var words: String {
        numbers(voters) + (outgoing.isEmpty ? "" : " and \(numbers(outgoing))")
            + (learners.isEmpty ? "" : " learners \(numbers(learners))")
            + (witnesses.isEmpty ? "" : " witnesses \(numbers(witnesses))")
    }
}

/// Nodes as in the heads of columns.
private func numbers(_ nodes: [NodeID]) -> String {
    nodes.map { "\($0.rawValue)" }.joined(separator: " ")
}
