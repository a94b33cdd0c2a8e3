import Machines
import Raft
import ReplicatedStore
import Scenarios
import Units

/// The clients of one node: sessions of every group, and the open load that is dealt to them.
///
/// A request is due when it is due. A free session takes it, or it waits for one; what waits longer than
/// the time-out was never sent and has failed. Bounds: `waitingLimit` requests of a group wait.
struct RequestClients: Sendable {
    /// What the store's client believes to be its program; clients send datagrams and set a timer.
    typealias Inner = StoreReplica<StandardRules>

    private let load: Scenario.RequestWorkload.Load
    /// Nothing is due from here on.
    private let until: Interval
    private var groups: [Group]
    private var sessions: [Session] = []
    private var inner = Actions<Inner>()
    private var ended: [(request: UInt64, outcome: StoreOutcome, attempts: UInt32)] = []
    private var nextRequest: UInt64
    private var isOver = false
    private var administrators: GroupAdministrators

    static let waitingLimit = 100_000

    private struct Group: Sendable {
        let number: UInt32
        let replicas: [NodeID]
        var load: RequestLoad
        /// Sessions without a request, the longest free one first.
        var free: [Int] = []
        var waiting: [Instant] = []
        var firstWaiting = 0
    }

    private struct Session: Sendable {
        let group: Int
        var client: StoreClient
        /// The request that it waits for, with its key's place.
        var open: (request: UInt64, key: Int, command: StoreCommand)?
        /// What it last knew of keys.
        var known: [Int: Bytes] = [:]
    }

    init<Rules: RaftRules>(
        _ birth: Birth<RequestNode<Rules>>,
        _ plan: RequestPlan
    ) {
        load = plan.load
        until = plan.until
        // Lives of a node name their requests apart; a 65th one begins anew.
        nextRequest =
            UInt64(birth.node.rawValue) << 40 | UInt64(birth.incarnation % 64) << 34
        groups = []
        let place = plan.clientNodes.firstIndex(of: birth.node) ?? 0
        for (number, replicas) in plan.groups.enumerated() {
            // Sessions are dealt to the nodes of clients in turn.
            let mine = stride(from: place, to: plan.load.clients, by: plan.clientNodes.count)
            let share = Double(Array(mine).count) / Double(plan.load.clients)
            var group = Group(
                number: UInt32(number),
                replicas: replicas,
                load: RequestLoad(
                    plan.load,
                    share: share,
                    seed: birth.seed,
                    node: birth.node,
                    group: UInt32(number),
                    incarnation: birth.incarnation
                )
            )
            for _ in mine {
                var configuration = StoreClientConfiguration(replicas: replicas)
                configuration.deadline = plan.load.timeout
                configuration.attemptTimeout = min(plan.attemptTimeout, plan.load.timeout)
                configuration.readsFromFollower = plan.readsFromFollower
                group.free.append(sessions.count)
                sessions.append(
                    Session(
                        group: number,
                        client: StoreClient(
                            birth,
                            configuration: configuration,
                            line: UInt16(sessions.count)
                        )
                    )
                )
            }
            groups.append(group)
        }
        administrators = GroupAdministrators(birth, plan, firstLine: sessions.count)
    }

    mutating func step<Rules: RaftRules>(
        _ input: consuming Input<RequestNode<Rules>>,
        at now: Instant,
        into actions: inout Actions<RequestNode<Rules>>
    ) {
        switch consume input {
        case .started:
            for place in groups.indices {
                groups[place].load.begin(at: now)
                groups[place].load.advance()
                setArrival(place, into: &actions)
            }
            administrators.start(at: now, into: &actions)
            // The last answers, or their time-outs, follow the last request, in whichever life.
            actions.setTimer(.end, at: max(now, .zero + until + load.timeout))
        case .fired(.arrival(let place)):
            arrived(Int(place), at: now, into: &actions)
        case .fired(.order(let place)):
            administrators.order(Int(place), at: now, into: &actions)
        case .fired(.session(let place)) where administrators.has(line: Int(place)):
            administrators.fired(line: Int(place), at: now, into: &actions)
        case .fired(.session(let place)):
            sessions[Int(place)].client.fired(.client, at: now, into: &inner)
            carryOut(Int(place), at: now, into: &actions)
        case .fired(.end):
            isOver = true
            actions.emit(.finished)
        case .received(let message, let replica):
            received(message, from: replica, at: now, into: &actions)
        case .fired, .requested, .persisted, .computed, .streamOpened, .writable,
            .readable, .finished, .reset, .path:
            return
        }
    }

    private mutating func received<Rules: RaftRules>(
        _ message: StoreMessage,
        from replica: NodeID,
        at now: Instant,
        into actions: inout Actions<RequestNode<Rules>>
    ) {
        guard case .answer(let attempt, _) = message else { return }
        let place = Int(StoreClient.line(of: attempt))
        if administrators.has(line: place) {
            administrators.received(
                message,
                line: place,
                from: replica,
                at: now,
                into: &actions
            )
        } else if place < sessions.count {
            sessions[place].client.received(message, from: replica, at: now, into: &inner)
            carryOut(place, at: now, into: &actions)
        }
    }

    private func setArrival<Rules: RaftRules>(
        _ place: Int,
        into actions: inout Actions<RequestNode<Rules>>
    ) {
        let due = groups[place].load.due
        guard due < .zero + until else { return }
        actions.setTimer(.arrival(UInt32(place)), at: due)
    }

    private mutating func arrived<Rules: RaftRules>(
        _ place: Int,
        at now: Instant,
        into actions: inout Actions<RequestNode<Rules>>
    ) {
        let due = groups[place].load.due
        groups[place].load.advance()
        setArrival(place, into: &actions)
        if groups[place].waiting.count - groups[place].firstWaiting < RequestClients.waitingLimit {
            groups[place].waiting.append(due)
        } else {
            actions.emit(.missed(group: groups[place].number, due: due))
        }
        deal(place, at: now, into: &actions)
    }

    /// Gives what waits to the sessions that are free.
    private mutating func deal<Rules: RaftRules>(
        _ place: Int,
        at now: Instant,
        into actions: inout Actions<RequestNode<Rules>>
    ) {
        while groups[place].firstWaiting < groups[place].waiting.count {
            let due = groups[place].waiting[groups[place].firstWaiting]
            let isLate = due + load.timeout <= now
            guard isLate || !groups[place].free.isEmpty else { break }
            groups[place].firstWaiting += 1
            guard !isLate else {
                actions.emit(.missed(group: groups[place].number, due: due))
                continue
            }
            begin(groups[place].free.removeFirst(), due: due, at: now, into: &actions)
        }
        if groups[place].firstWaiting > 1_024
            || groups[place].firstWaiting == groups[place].waiting.count
        {
            groups[place].waiting.removeFirst(groups[place].firstWaiting)
            groups[place].firstWaiting = 0
        }
    }

    private mutating func begin<Rules: RaftRules>(
        _ place: Int,
        due: Instant,
        at now: Instant,
        into actions: inout Actions<RequestNode<Rules>>
    ) {
        let group = sessions[place].group
        let known = sessions[place].known
        let (key, command) = groups[group].load.command { known[$0] }
        nextRequest += 1
        sessions[place].open = (nextRequest, key, command)
        actions.emit(
            .began(
                request: nextRequest,
                session: UInt32(place),
                group: groups[group].number,
                due: due,
                command
            )
        )
        sessions[place].client.submit(command, as: nextRequest, at: now, into: &inner)
        carryOut(place, at: now, into: &actions)
    }

    /// Hands on what a session wants done; sessions that became free take what waits.
    private mutating func carryOut<Rules: RaftRules>(
        _ place: Int,
        at now: Instant,
        into actions: inout Actions<RequestNode<Rules>>
    ) {
        while let action = inner.popFirst() {
            switch consume action {
            case .send(let message, let replica): actions.send(message, to: replica)
            case .setTimer(_, let time): actions.setTimer(.session(UInt32(place)), at: time)
            case .emit(.completed(let request, let outcome, let attempts)):
                ended.append((request, outcome, attempts))
            case .emit: break
            case .cancelTimer, .openStream, .write, .grant, .finish, .reset, .persist, .compute:
                preconditionFailure("a client of the store sends datagrams and sets a timer")
            }
        }
        guard let end = ended.popLast() else { return }
        precondition(ended.isEmpty, "a session has one request at a time")
        guard let open = sessions[place].open.take(), open.request == end.request else {
            preconditionFailure("session \(place) ends a request that it does not have")
        }
        learn(open.key, open.command, end.outcome, session: place)
        let group = sessions[place].group
        groups[group].free.append(place)
        if !isOver {
            actions.emit(
                .ended(
                    request: end.request,
                    group: groups[group].number,
                    end.outcome,
                    attempts: end.attempts
                )
            )
        }
        deal(group, at: now, into: &actions)
    }

    private mutating func learn(
        _ key: Int,
        _ command: StoreCommand,
        _ outcome: StoreOutcome,
        session place: Int
    ) {
        switch (command, outcome) {
        case (.get, .result(.value(let value))): sessions[place].known[key] = value
        case (.put(_, let value), .result(.done)): sessions[place].known[key] = value
        case (.compareAndSet(_, _, let value), .result(.compared(wasSet: true))):
            sessions[place].known[key] = value
        case (.delete, .result): sessions[place].known[key] = nil
        default: break
        }
    }
}
