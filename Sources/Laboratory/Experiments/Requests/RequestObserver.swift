public import Checkers
import FaultInjection
public import Machines
import Measurements
public import Raft
import ReplicatedStore
import Scenarios
public import Units

/// Follows a run of replicated groups: what clients met, what replicas say about their logs, and
/// whether both keep what was promised.
public struct RequestObserver<Rules: RaftRules>: ExperimentObserver {
    public typealias Program = RequestNode<Rules>

    let scenario: Scenario
    let plan: RequestPlan
    /// Takes the picture of a history that fails; nobody wants one without it.
    let recorder: TraceRecorder?
    let invariants: Set<Scenario.Invariant>
    private let group: [Int?]
    private var finishedNodes: Set<NodeID> = []
    /// The instants at which faults struck or were repaired are told apart by group with its help.
    let faults: FaultPlan
    /// By group.
    private(set) var accounts: [ClientAccount]
    /// Milliseconds from sending to the answer of updates, of all groups.
    private(set) var commits = LogHistogram()
    private(set) var histories: [ClientHistory]
    private(set) var logs: [GroupLogs]
    private(set) var silences: [AnswerSilences]
    /// Of steps and memory, which are the same on every machine; never of time.
    public var historyLimits = LinearizabilityLimits()
    private var open: [UInt64: OpenRequest] = [:]
    private(set) var attempts: UInt64 = 0
    private(set) var orders = OrderTally()

    private struct OpenRequest {
        var due: Instant
        var sent: Instant
        var isUpdate: Bool
        /// The operation's number in the history; `nil` where none is kept.
        var operation: Int?
    }

    init(_ scenario: Scenario, _ plan: RequestPlan, faults: FaultPlan, _ recorder: TraceRecorder?) {
        guard case .requests(let workload) = scenario.workload else {
            preconditionFailure("requests of kind \(scenario.workload.kind)")
        }
        self.scenario = scenario
        self.plan = plan
        self.faults = faults
        self.recorder = recorder
        invariants = Set(scenario.invariants)
        group = (0..<scenario.topology.nodeCount).map { node in
            plan.groups.firstIndex { $0.contains(NodeID(UInt32(node))) }
        }
        let from: Instant
        switch workload.duration.warmUp {
        case .fixed(let warmUp): from = .zero + warmUp
        // Half of what is recorded is the most that a warm-up may take.
        case .automatic: from = .zero + workload.duration.measure
        }
        let window = (timeout: plan.load.timeout, end: Instant.zero + plan.until)
        accounts = plan.groups.map { _ in
            ClientAccount(timeout: window.timeout, from: from, to: window.end)
        }
        let patience = RequestObserver.recoveryBound(scenario, plan)
        silences = plan.groups.map { _ in AnswerSilences(longerThan: patience) }
        histories = plan.groups.map { _ in ClientHistory() }
        let checks = (
            raft: invariants.contains(.raftSafety),
            once: invariants.contains(.commandsAppliedOnce)
        )
        logs = plan.groups.map {
            GroupLogs(
                replicas: $0,
                checksRaft: checks.raft,
                checksOnce: checks.once,
                grace: max(window.timeout, plan.heartbeat * 3),
                zones: plan.zones
            )
        }
        if plan.membership != nil {
            for place in logs.indices { logs[place].followMemberships() }
        }
    }

    public var isFinished: Bool { finishedNodes.count == plan.clientNodes.count }

    public mutating func observe(
        _ event: consuming RequestEvent,
        on node: NodeID,
        at time: Instant
    ) {
        switch consume event {
        case .replica(let event):
            guard let group = group[Int(node.rawValue)] else { return }
            logs[group].take(event, of: node, at: time)
        case .began(let request, let session, let group, let due, let command):
            began(request, Int(group), due, command, process(node, session), at: time)
        case .ended(let request, let group, let outcome, let attempts):
            self.attempts += UInt64(attempts)
            ended(request, Int(group), outcome, at: time)
        case .missed(let group, let due):
            accounts[Int(group)].failed(due: due, at: time)
        case .finished:
            finishedNodes.insert(node)
        case .ordered: orders.given += 1
        case .carriedOut(_, let order, let outcome): orders.take(order, outcome)
        }
    }

    public mutating func observe(incident: NodeIncident, on node: NodeID, at time: Instant) {
        guard let group = group[Int(node.rawValue)] else { return }
        logs[group].take(incident, of: node, at: time)
    }

    /// A session is one line of requests, whichever node it is on.
    // Inlined: the whole observer would be copied for a call.
    @inline(__always)
    private func process(_ node: NodeID, _ session: UInt32) -> Int32 {
        let place = plan.clientNodes.firstIndex(of: node) ?? 0
        return Int32(place) * Int32(UInt16.max) + Int32(session)
    }

    private mutating func began(
        _ request: UInt64,
        _ group: Int,
        _ due: Instant,
        _ command: StoreCommand,
        _ process: Int32,
        at time: Instant
    ) {
        var operation: Int?
        if invariants.contains(.linearizable) {
            // A session asks anew when its node died and lives again: what it waited for then is
            // unknown, and no failure of the group.
            if let lost = histories[group].openOperation(of: process) {
                histories[group].giveUp(lost, at: time)
            }
            operation = histories[group].invoke(
                process: process,
                ClientHistory.Call(command),
                intended: due,
                at: time
            )
        }
        open[request] = OpenRequest(
            due: due,
            sent: time,
            isUpdate: !command.isRead,
            operation: operation
        )
    }

    private mutating func ended(
        _ request: UInt64,
        _ group: Int,
        _ outcome: StoreOutcome,
        at time: Instant
    ) {
        guard let known = open.removeValue(forKey: request) else { return }
        switch outcome {
        case .result(let result):
            accounts[group].answered(due: known.due, at: time)
            silences[group].answered(at: time)
            if known.isUpdate, known.sent >= accounts[group].start {
                commits.record((time - known.sent).milliseconds)
            }
            guard let operation = known.operation else { return }
            if let answer = ClientHistory.Answer(result) {
                histories[group].answer(operation, answer, at: time)
            } else {
                histories[group].fail(operation, at: time)
            }
        case .accepted, .members, .failed:
            accounts[group].failed(due: known.due, at: time)
            if let operation = known.operation { histories[group].fail(operation, at: time) }
        case .unknown:
            accounts[group].failed(due: known.due, at: time)
            if let operation = known.operation { histories[group].giveUp(operation, at: time) }
        }
    }
}

extension ClientHistory.Call {
    init(_ command: StoreCommand) {
        func text(_ bytes: Bytes) -> String { String(historyBytes: bytes) }
        self =
            switch command {
            case .get(let key): .get(key: text(key))
            case .put(let key, let value): .put(key: text(key), value: text(value))
            case .compareAndSet(let key, let expected, let value):
                .compareAndSwap(
                    key: text(key),
                    expected: expected.map(text),
                    value: text(value)
                )
            case .append(let key, let value): .append(key: text(key), value: text(value))
            case .delete(let key): .delete(key: text(key))
            case .scan(let start, let limit):
                .scan(first: text(start), end: nil, limit: Int(limit))
            }
    }
}

extension ClientHistory.Answer {
    /// `nil` when the store was full and did nothing.
    init?(_ result: StoreResult) {
        func text(_ bytes: Bytes) -> String { String(historyBytes: bytes) }
        switch result {
        case .value(let value): self = .value(value.map(text))
        case .done: self = .done
        case .compared(let wasSet): self = .swapped(wasSet)
        case .deleted(let found): self = .deleted(found)
        case .entries(let entries):
            self = .entries(
                entries.map { ClientHistory.Entry(key: text($0.key), value: text($0.value)) }
            )
        case .full: return nil
        }
    }
}
