import Determinism
import Machines
import Raft
import ReplicatedStore
import Scenarios
import Units

/// The administrators on one node of clients: each asks the leader of its group who takes part, draws an
/// order that applies, and sends it.
///
/// They know only what a leader told them, so that two of them may order different changes of two nodes
/// that both believe to lead. An order that is due while the one before is open is left out. What is drawn
/// follows from the seed, the node, the administrator and the answers so far.
struct GroupAdministrators: Sendable {
    /// What the store's client believes to be its program; clients send datagrams and set a timer.
    typealias Inner = StoreReplica<StandardRules>

    private let firstLine: Int
    private let until: Interval
    private var administrators: [Administrator] = []
    private var inner = Actions<Inner>()
    private var nextOperation: UInt64 = 0

    private struct Administrator: Sendable {
        let group: UInt32
        var client: StoreClient
        var orders: MembershipOrders
        var open: Open?
    }

    private enum Open: Sendable {
        case asking
        case ordering(StoreAdministration)
    }

    /// - Parameter firstLine: where the lines of administrators begin; sessions have those before.
    init<Rules: RaftRules>(
        _ birth: Birth<RequestNode<Rules>>,
        _ plan: RequestPlan,
        firstLine: Int
    ) {
        self.firstLine = firstLine
        until = plan.ordersUntil
        guard let membership = plan.membership else { return }
        let place = plan.clientNodes.firstIndex(of: birth.node) ?? 0
        for (number, replicas) in plan.groups.enumerated() {
            // Administrators are dealt to the nodes of clients in turn, as sessions are.
            for _ in stride(
                from: place,
                to: membership.administrators,
                by: plan.clientNodes.count
            ) {
                let line = firstLine + administrators.count
                var configuration = StoreClientConfiguration(replicas: replicas)
                configuration.deadline = plan.load.timeout
                configuration.attemptTimeout = plan.attemptTimeout
                administrators.append(
                    Administrator(
                        group: UInt32(number),
                        client: StoreClient(
                            birth,
                            configuration: configuration,
                            line: UInt16(line)
                        ),
                        orders: MembershipOrders(
                            membership,
                            replicas: replicas,
                            witnesses: plan.witnesses,
                            random: SeededRandom(
                                seed: birth.seed,
                                entity: EntityID(birth.node),
                                purpose: "membership",
                                incarnation: birth.incarnation | UInt32(line) << 16
                            )
                        )
                    )
                )
            }
        }
    }

    func has(line: Int) -> Bool {
        line >= firstLine && line < firstLine + administrators.count
    }

    // MARK: Inputs

    mutating func start<Rules: RaftRules>(
        at now: Instant,
        into actions: inout Actions<RequestNode<Rules>>
    ) {
        for place in administrators.indices { setOrder(place, at: now, into: &actions) }
    }

    /// The next order of an administrator is due.
    mutating func order<Rules: RaftRules>(
        _ place: Int,
        at now: Instant,
        into actions: inout Actions<RequestNode<Rules>>
    ) {
        setOrder(place, at: now, into: &actions)
        guard administrators[place].open == nil else { return }
        administrators[place].open = .asking
        nextOperation += 1
        administrators[place].client.askMembers(as: nextOperation, at: now, into: &inner)
        carryOut(place, at: now, into: &actions)
    }

    mutating func fired<Rules: RaftRules>(
        line: Int,
        at now: Instant,
        into actions: inout Actions<RequestNode<Rules>>
    ) {
        administrators[line - firstLine].client.fired(.client, at: now, into: &inner)
        carryOut(line - firstLine, at: now, into: &actions)
    }

    mutating func received<Rules: RaftRules>(
        _ message: StoreMessage,
        line: Int,
        from replica: NodeID,
        at now: Instant,
        into actions: inout Actions<RequestNode<Rules>>
    ) {
        let place = line - firstLine
        administrators[place].client.received(message, from: replica, at: now, into: &inner)
        carryOut(place, at: now, into: &actions)
    }

    // MARK: Orders

    private mutating func setOrder<Rules: RaftRules>(
        _ place: Int,
        at now: Instant,
        into actions: inout Actions<RequestNode<Rules>>
    ) {
        let due = now + administrators[place].orders.pause()
        guard due < .zero + until else { return }
        actions.setTimer(.order(UInt32(place)), at: due)
    }

    /// Hands on what a client of an administrator wants done, and goes on with what it was told.
    private mutating func carryOut<Rules: RaftRules>(
        _ place: Int,
        at now: Instant,
        into actions: inout Actions<RequestNode<Rules>>
    ) {
        let line = UInt32(firstLine + place)
        var outcome: StoreOutcome?
        while let action = inner.popFirst() {
            switch consume action {
            case .send(let message, let replica): actions.send(message, to: replica)
            case .setTimer(_, let time): actions.setTimer(.session(line), at: time)
            case .emit(.completed(_, let end, _)): outcome = end
            case .emit: break
            case .cancelTimer, .openStream, .write, .grant, .finish, .reset, .persist, .compute:
                preconditionFailure("a client of the store sends datagrams and sets a timer")
            }
        }
        guard let outcome, let open = administrators[place].open else { return }
        administrators[place].open = nil
        let group = administrators[place].group
        switch open {
        case .asking:
            guard case .members(let membership) = outcome,
                let order = administrators[place].orders.next(for: membership)
            else { return }
            administrators[place].open = .ordering(order)
            nextOperation += 1
            actions.emit(.ordered(group: group, order))
            administrators[place].client
                .administer(order, as: nextOperation, at: now, into: &inner)
            carryOut(place, at: now, into: &actions)
        case .ordering(let order):
            actions.emit(.carriedOut(group: group, order, outcome))
        }
    }
}

/// Draws what an administrator orders, out of what applies to a membership.
struct MembershipOrders: Sendable {
    private let settings: Scenario.RequestWorkload.Membership
    /// Those that hold commands, and those that never do: a node that was a witness stays one.
    private let replicas: [NodeID]
    private let witnesses: [NodeID]
    private var random: SeededRandom

    init(
        _ settings: Scenario.RequestWorkload.Membership,
        replicas: [NodeID],
        witnesses: Set<NodeID>,
        random: SeededRandom
    ) {
        self.settings = settings
        self.replicas = replicas.filter { !witnesses.contains($0) }
        self.witnesses = replicas.filter(witnesses.contains)
        self.random = random
    }

    /// How long until the next order.
    mutating func pause() -> Interval {
        random.interval(in: settings.every / 2...settings.every / 2 * 3)
    }

    /// `nil` when nothing was drawn that applies: a joint phase ends by itself.
    mutating func next(for membership: Membership) -> StoreAdministration? {
        if random.chance(settings.transfers) {
            return .transferLeadership(to: pick(membership.voters))
        }
        guard !membership.isJoint else { return nil }
        let isJoint =
            switch settings.style {
            case .single: false
            case .joint: true
            case .mixed: random.chance(Ratio(0.5))
            }
        return (isJoint ? joint(membership) : single(membership)).map { .change($0) }
    }

    /// One node more, less or promoted: first what is done, then to whom.
    private mutating func single(_ membership: Membership) -> MembershipChange? {
        let outside = replicas.filter { !membership.contains($0) }
        var kinds: [(nodes: [NodeID], change: (NodeID) -> MembershipChange)] = []
        if !outside.isEmpty {
            kinds.append((outside, { .addVoter($0) }))
            kinds.append((outside, { .addLearner($0) }))
        }
        let watching = witnesses.filter { !membership.contains($0) }
        if !watching.isEmpty { kinds.append((watching, { .addWitness($0) })) }
        if !membership.learners.isEmpty {
            kinds.append((membership.learners, { .addVoter($0) }))
            kinds.append((membership.learners, { .remove($0) }))
        }
        if membership.voters.count > settings.least {
            // As often as nodes come in, on average.
            kinds.append((membership.voters, { .remove($0) }))
            kinds.append((membership.voters, { .remove($0) }))
        }
        guard !kinds.isEmpty else { return nil }
        let kind = kinds[Int(random.below(UInt64(kinds.count)))]
        return kind.change(pick(kind.nodes))
    }

    /// Any number of voters of the group, and some of the others as learners.
    private mutating func joint(_ membership: Membership) -> MembershipChange? {
        let sizes = UInt64(max(0, replicas.count - settings.least) + 1)
        let count = min(settings.least, replicas.count) + Int(random.below(sizes))
        let drawn = replicas.shuffled(using: &random)
        let staying = membership.witnesses.filter { _ in random.chance(Ratio(0.5)) }
        let voters = (drawn.prefix(count) + staying).sorted()
        let learners = drawn.dropFirst(count).filter { _ in random.chance(Ratio(0.25)) }.sorted()
        guard voters != membership.voters || learners != membership.learners else { return nil }
        return .joint(voters: voters, learners: learners, witnesses: staying)
    }

    private mutating func pick(_ nodes: [NodeID]) -> NodeID {
        nodes[Int(random.below(UInt64(nodes.count)))]
    }
}
