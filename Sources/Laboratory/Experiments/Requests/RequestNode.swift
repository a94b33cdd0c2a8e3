public import Machines
public import Raft
public import ReplicatedStore
import Scenarios
public import Units

/// A node of the workload kind `requests`: a replica of one group, or clients of all.
public struct RequestNode<Rules: RaftRules>: StoreProgram {
    public typealias Message = StoreMessage
    public typealias Write = RaftRecord
    public typealias Timer = RequestTimer
    public typealias Event = RequestEvent

    // Exactly one is set.
    private var replica: StoreReplica<Rules>?
    private var clients: RequestClients?

    init(_ birth: Birth<RequestNode>, _ plan: RequestPlan, rules: Rules) {
        guard let group = plan.groups.firstIndex(where: { $0.contains(birth.node) }) else {
            clients = RequestClients(birth, plan)
            return
        }
        let founders = plan.founders[group]
        let witnesses = founders.filter(plan.witnesses.contains)
        guard let membership = try? Membership(voters: founders, witnesses: witnesses) else {
            preconditionFailure("a group of \(founders.count) founders that was not checked")
        }
        replica = StoreReplica(
            birth,
            configuration: plan.configuration(of: birth.node),
            // A spare learns of the group from its leader.
            bootstrap: founders.contains(birth.node) ? membership : .none,
            rules: rules
        )
    }

    public static func wrap(_ timer: StoreTimer) -> RequestTimer { .replica(timer) }
    public static func wrap(_ event: StoreEvent) -> RequestEvent { .replica(event) }

    public mutating func step(
        _ input: consuming Input<RequestNode>,
        at now: Instant,
        into actions: inout Actions<RequestNode>
    ) {
        if clients != nil {
            clients!.step(input, at: now, into: &actions)
            return
        }
        switch consume input {
        case .fired(.replica(let timer)): replica!.fired(timer, at: now, into: &actions)
        case let input: replica!.take(input, at: now, into: &actions)
        }
    }

    public func checkInvariants() { replica?.checkInvariants() }

    public var biasedPoints: BiasedPoints { replica?.biasedPoints ?? .off }
    public var leadership: UInt64? { replica?.leadership }
    public var closingEvents: [RequestEvent] {
        (replica?.closingEvents ?? []).map { .replica($0) }
    }
}

/// Timers of replicas and clients.
public enum RequestTimer: Hashable, Sendable {
    case replica(StoreTimer)
    /// A session's next attempt or deadline.
    case session(UInt32)
    /// The next request to a group is due.
    case arrival(UInt32)
    /// Requests and their answers are over.
    case end
    /// An administrator's next order.
    case order(UInt32)
}

/// What replicas and clients report.
public enum RequestEvent: Hashable, Sendable, Codable {
    case replica(StoreEvent)
    /// A session sent a request that was due at `due`, on the clients' clock.
    // Out of line, so that what replicas report, which is most, is small to move.
    indirect case began(request: UInt64, session: UInt32, group: UInt32, due: Instant, StoreCommand)
    indirect case ended(request: UInt64, group: UInt32, StoreOutcome, attempts: UInt32)
    /// A request was due and no session was free until it was too late.
    case missed(group: UInt32, due: Instant)
    /// Nothing more comes from this node's clients.
    case finished
    /// An administrator ordered a change of its group.
    indirect case ordered(group: UInt32, StoreAdministration)
    /// What came of it; a change that was accepted has begun and may still come to nothing.
    indirect case carriedOut(group: UInt32, StoreAdministration, StoreOutcome)
}
