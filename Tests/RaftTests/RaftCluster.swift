import Determinism
import Machines
import Raft
import Units

/// A hostile little world for replicas: messages are lost, repeated and overtaken, links are cut, nodes
/// crash and lose what was not durable, memberships change; everything follows from one seed.
///
/// It watches what Raft promises: one leader a term, equal logs, committed entries that stay, equal states,
/// reads that are not older than what was committed when they were asked.
struct RaftCluster<Rules: RaftRules> {
    struct Plan {
        var nodes = 5
        /// The first members; the others join later.
        var founders = 3
        /// Nodes that take part as witnesses, if at all.
        var witnesses: Set<Int> = []
        var seed: UInt64
        var faultsUntil = Instant.zero + .seconds(4)
        var until = Instant.zero + .seconds(8)
        var loss = Ratio(0.1)
        var repetition = Ratio(0.1)
        var delay = Interval.milliseconds(1)...Interval.milliseconds(20)
        var write = Interval.milliseconds(1)...Interval.milliseconds(8)
        var changesMembership = true
        var crashes = true
        var partitions = true
        var configuration = RaftCluster.configuration
    }

    static var configuration: RaftConfiguration {
        var result = RaftConfiguration()
        result.electionTimeout = .milliseconds(150)
        result.electionTimeoutLimit = .milliseconds(300)
        result.heartbeat = .milliseconds(30)
        result.appendEntries = 4
        result.inFlightMessages = 4
        result.snapshotInterval = 25
        result.trailingEntries = 5
        result.snapshotChunk = ByteCount(24 as Int64)
        return result
    }

    /// What goes on with one node.
    struct Node {
        var core: RaftCore<Rules>?
        var incarnation: UInt32 = 0
        var disk: [RaftRecord] = []
        var diskFreeAt = Instant.zero
        var timers: [RaftTimer: UInt64] = [:]
        /// The state machine: a chain over everything applied.
        var index: LogIndex = 0
        var chain: UInt64 = 0
        /// Reads under way: what was committed anywhere when they were asked.
        var reads: [UInt64: LogIndex] = [:]
    }

    private enum Event {
        case message([UInt8], from: Int, to: Int, incarnation: UInt32)
        case timer(RaftTimer, node: Int, token: UInt64)
        case written([RaftRecord], WriteID, node: Int, incarnation: UInt32)
        case restart(Int)
        case client
        case fault
    }

    let plan: Plan
    let rules: Rules
    private(set) var nodes: [Node]
    private(set) var now = Instant.zero
    /// What went wrong, in order; empty for a sound protocol.
    private(set) var violations: [String] = []
    private(set) var proposals = 0
    private(set) var readsServed = 0
    /// How often things happened that a run should have seen.
    private(set) var counts: [String: Int] = [:]
    private var random: SeededRandom
    private var queue = EventHeap<Event>()
    private var effects = RaftEffects()
    private var nextToken: UInt64 = 0
    private var cut: Set<Int> = []
    private var leaders: [Term: Int] = [:]
    private var digests: [LogIndex: [Term: UInt64]] = [:]
    /// The committed entry of each index, from one.
    private(set) var committed: [(term: Term, digest: UInt64)] = []
    private var states: [LogIndex: UInt64] = [:]
    /// Committed memberships, in order.
    private var memberships: [(index: LogIndex, membership: Membership)] = []

    init(_ plan: Plan, rules: Rules) {
        self.plan = plan
        self.rules = rules
        random = SeededRandom(seed: plan.seed, entity: EntityID(.experiment, 0), purpose: "cluster")
        nodes = (0..<plan.nodes).map { _ in Node() }
    }

    /// Runs to the end, or to the first violation.
    mutating func run() {
        for node in nodes.indices { start(node) }
        queue.push(.client, at: now + .milliseconds(5))
        queue.push(.fault, at: now + .milliseconds(50))
        var steps = 0
        while let (time, event) = queue.pop(), time <= plan.until, violations.isEmpty {
            now = time
            handle(event)
            steps += 1
            precondition(steps < 2_000_000, "an endless exchange")
        }
        if violations.isEmpty { checkProgress() }
    }

    // MARK: Events

    private mutating func handle(_ event: Event) {
        switch event {
        case .message(let bytes, let from, let to, let incarnation):
            guard nodes[to].core != nil, nodes[to].incarnation == incarnation else { return }
            guard !cut.contains(from * plan.nodes + to) else { return }
            var reader = WireReader(bytes)
            guard let message = try? RaftMessage(from: &reader) else {
                violations.append("a message does not decode: \(bytes)")
                return
            }
            step(to) { core, now, effects in
                core.received(message, from: NodeID(UInt32(from)), at: now, into: &effects)
            }
        case .timer(let timer, let node, let token):
            guard nodes[node].core != nil, nodes[node].timers[timer] == token else { return }
            nodes[node].timers[timer] = nil
            step(node) { core, now, effects in core.fired(timer, at: now, into: &effects) }
        case .written(let records, let id, let node, let incarnation):
            guard nodes[node].core != nil, nodes[node].incarnation == incarnation else { return }
            if let last = records.lastIndex(where: { $0.supersedesEarlier }) {
                nodes[node].disk = Array(records[last...])
            } else {
                nodes[node].disk += records
            }
            step(node) { core, now, effects in core.persisted(id, at: now, into: &effects) }
        case .restart(let node):
            if nodes[node].core == nil { start(node) }
        case .client:
            actAsClient()
            queue.push(.client, at: now + .milliseconds(5 + Int64(random.below(15))))
        case .fault:
            if now < plan.faultsUntil {
                causeFault()
                let pause = Int64(40 + random.below(200))
                queue.push(.fault, at: now + .milliseconds(pause))
            } else {
                cut.removeAll()
                for node in nodes.indices where nodes[node].core == nil { start(node) }
            }
        }
    }

    private mutating func start(_ node: Int) {
        let founders = (0..<plan.founders).map { NodeID(UInt32($0)) }
        let witnesses = founders.filter { plan.witnesses.contains(Int($0.rawValue)) }
        // Both come from bytes, as on a real disk.
        let records = nodes[node].disk.map { record in
            var writer = WireWriter()
            record.encode(into: &writer)
            var reader = WireReader(writer.bytes)
            return try! RaftRecord(from: &reader)
        }
        let core = RaftCore(
            node: NodeID(UInt32(node)),
            seed: plan.seed,
            incarnation: nodes[node].incarnation,
            configuration: plan.configuration,
            rules: rules,
            bootstrap: node < plan.founders
                ? try! Membership(voters: founders, witnesses: witnesses) : .none,
            recovered: records
        )
        nodes[node].index = 0
        nodes[node].chain = 0
        if let (point, state) = core.recoveredSnapshot { restore(node, point, state) }
        nodes[node].core = core
        step(node) { core, now, effects in core.start(at: now, into: &effects) }
    }

    private mutating func crash(_ node: Int) {
        guard nodes[node].core != nil else { return }
        nodes[node].core = nil
        nodes[node].incarnation += 1
        nodes[node].timers = [:]
        nodes[node].reads = [:]
        nodes[node].diskFreeAt = now
        counts["crash", default: 0] += 1
        queue.push(.restart(node), at: now + .milliseconds(Int64(20 + random.below(400))))
    }

    private mutating func step(
        _ node: Int,
        _ body: (inout RaftCore<Rules>, Instant, inout RaftEffects) -> Void
    ) {
        body(&nodes[node].core!, now, &effects)
        while let effect = effects.popFirst() {
            carryOut(effect, of: node)
            guard effects.isEmpty, nodes[node].core!.wantsSnapshot else { continue }
            var writer = WireWriter()
            for _ in 0..<8 { writer.write(nodes[node].chain) }
            nodes[node].core!.snapshotTaken(writer.bytes[...], at: now, into: &effects)
        }
        nodes[node].core!.checkInvariants()
    }

    // MARK: Effects

    private mutating func carryOut(_ effect: RaftEffect, of node: Int) {
        switch effect {
        case .send(let message, let peer): send(message, from: node, to: Int(peer.rawValue))
        case .setTimer(let timer, let time):
            nextToken += 1
            nodes[node].timers[timer] = nextToken
            queue.push(.timer(timer, node: node, token: nextToken), at: max(now, time))
        case .cancelTimer(let timer): nodes[node].timers[timer] = nil
        case .persist(let records, let id):
            let done = max(now, nodes[node].diskFreeAt) + random.interval(in: plan.write)
            nodes[node].diskFreeAt = done
            let incarnation = nodes[node].incarnation
            queue.push(.written(records, id, node: node, incarnation: incarnation), at: done)
        case .apply(let entry, let index): apply(entry, at: index, on: node)
        case .restore(let point, let state):
            restore(node, point, state)
            check(state: nodes[node].chain, at: point.index, on: node)
        case .readReady(let read):
            readsServed += 1
            guard let needed = nodes[node].reads.removeValue(forKey: read) else { return }
            if nodes[node].index < needed {
                violations.append("node \(node) read at \(nodes[node].index), not \(needed)")
            }
        case .readFailed(let read): nodes[node].reads[read] = nil
        case .leadership: break
        case .report(let fact): take(fact, of: node)
        }
    }

    private mutating func send(_ message: RaftMessage, from: Int, to: Int) {
        guard to < nodes.count, !cut.contains(from * plan.nodes + to) else { return }
        let isFaulty = now < plan.faultsUntil
        if isFaulty, random.chance(plan.loss) { return }
        var writer = WireWriter()
        message.encode(into: &writer)
        let copies = isFaulty && random.chance(plan.repetition) ? 2 : 1
        for copy in 0..<copies {
            var delay = random.interval(in: plan.delay)
            // Now and then a copy is very late.
            if copy == 1, random.chance(Ratio(0.3)) { delay = delay * 20 }
            queue.push(
                .message(writer.bytes, from: from, to: to, incarnation: nodes[to].incarnation),
                at: now + delay
            )
        }
    }

    private mutating func apply(_ entry: LogEntry, at index: LogIndex, on node: Int) {
        if index != nodes[node].index + 1 {
            violations.append("node \(node) applied \(index) after \(nodes[node].index)")
        }
        var chain = HashChain(key: nodes[node].chain)
        chain.combine(entry.digest)
        nodes[node].index = index
        nodes[node].chain = chain.fingerprint.low
        if case .command = entry.content, plan.witnesses.contains(node) {
            violations.append("witness \(node) was given a command")
        }
        if case .membership(let membership) = entry.content,
            index > memberships.last?.index ?? 0
        {
            memberships.append((index, membership))
        }
        check(state: nodes[node].chain, at: index, on: node)
    }

    private mutating func restore(_ node: Int, _ point: SnapshotPoint, _ state: Bytes) {
        var reader = WireReader(state)
        nodes[node].index = point.index
        nodes[node].chain = (try? reader.read()) ?? 0
    }

    private mutating func check(state: UInt64, at index: LogIndex, on node: Int) {
        if let known = states[index], known != state {
            violations.append("node \(node) has another state at \(index)")
        }
        states[index] = state
    }

    // MARK: What is promised

    private mutating func take(_ fact: RaftFact, of node: Int) {
        switch fact {
        case .becameLeader(let term, _):
            counts["leader", default: 0] += 1
            if plan.witnesses.contains(node) { violations.append("witness \(node) leads") }
            if let other = leaders[term], other != node {
                violations.append("nodes \(other) and \(node) lead in term \(term)")
            }
            leaders[term] = node
            checkCompleteness(of: node)
        case .appended(let index, let term, let digest):
            if let known = digests[index]?[term], known != digest {
                violations.append("two entries at \(index) in term \(term)")
            }
            digests[index, default: [:]][term] = digest
        case .applied(let index, let term, let digest):
            let place = Int(index) - 1
            if place < committed.count {
                if committed[place].term != term || committed[place].digest != digest {
                    violations.append("node \(node) applied another entry at \(index)")
                }
            } else if place == committed.count {
                committed.append((term, digest))
            }
        case .contradiction(let what):
            violations.append("node \(node): \(what)")
        case .snapshotInstalled(let index, _):
            counts["install", default: 0] += 1
            if let known = memberships.last(where: { $0.index <= index }),
                nodes[node].core!.membershipIndex <= index,
                nodes[node].core!.membership != known.membership
            {
                violations.append("node \(node) has another membership than at \(known.index)")
            }
        case .truncated: counts["truncate", default: 0] += 1
        case .membership(_, let membership):
            if membership.isJoint { counts["joint", default: 0] += 1 }
        case .transferEnded(_, _, let succeeded):
            if succeeded { counts["transfer", default: 0] += 1 }
        case .steppedDown(_, .quorumLost): counts["quorumLost", default: 0] += 1
        case .steppedDown(_, .removed): counts["removed", default: 0] += 1
        case .readServed(_, true): counts["lease", default: 0] += 1
        case .restarted, .enteredTerm, .becameFollower, .becamePreCandidate, .becameCandidate,
            .steppedDown, .voted, .durable, .committed, .snapshotTaken, .readServed,
            .transferStarted:
            break
        }
    }

    /// A leader has every committed entry.
    private mutating func checkCompleteness(of node: Int) {
        for (place, entry) in committed.enumerated() {
            let index = LogIndex(place) + 1
            guard index > nodes[node].core!.commit else { continue }
            if nodes[node].core!.entryTerm(at: index) != entry.term {
                violations.append("leader \(node) lacks the committed entry \(index)")
                return
            }
        }
    }

    /// Once the faults are over everybody who is a member agrees within the time that is left.
    private mutating func checkProgress() {
        guard let leader = nodes.first(where: { $0.core?.isLeader == true })?.core else {
            let states = nodes.indices.map { node -> String in
                guard let core = nodes[node].core else { return "\(node) down" }
                return "\(node) \(core.role) in term \(core.term), log to \(core.lastIndex) of "
                    + "term \(core.entryTerm(at: core.lastIndex) ?? 0), \(core.membership)"
            }
            violations.append("no leader at the end: \(states)")
            return
        }
        guard proposals > 0, committed.count > 0 else {
            violations.append("nothing was committed")
            return
        }
        for member in leader.membership.members {
            let node = Int(member.rawValue)
            let isWitness = plan.witnesses.contains(node)
            // A witness has no state that could lag.
            let index = isWitness ? nodes[node].core?.applied ?? 0 : nodes[node].index
            if isWitness { counts["witness", default: 0] += 1 }
            if index + 30 < leader.commit {
                let state = nodes[node].core.map {
                    "\($0.role) in term \($0.term), log to \($0.lastIndex), applied \($0.applied), "
                        + "whole \($0.holdsState), \($0.membership)"
                }
                violations.append(
                    "\(member) is at \(index), the leader at \(leader.commit) of term \(leader.term): "
                        + "\(state ?? "down")"
                )
            }
        }
    }

    // MARK: Clients and faults

    private mutating func actAsClient() {
        let node = Int(random.below(UInt64(nodes.count)))
        guard nodes[node].core != nil else { return }
        let choice = random.below(10)
        if choice < 6 {
            for leader in nodes.indices where nodes[leader].core?.isLeader == true {
                proposals += 1
                var writer = WireWriter()
                writer.write(UInt64(proposals))
                let command = writer.bytes[...]
                step(leader) { core, now, effects in
                    _ = try? core.propose(command, at: now, into: &effects)
                }
            }
        } else if choice < 9 {
            nextToken += 1
            let read = nextToken
            nodes[node].reads[read] = LogIndex(committed.count)
            step(node) { core, now, effects in
                try? core.read(read, at: now, into: &effects)
            }
        } else if now < plan.faultsUntil {
            administer()
        }
    }

    private mutating func administer() {
        guard let leader = nodes.indices.first(where: { nodes[$0].core?.isLeader == true }) else {
            return
        }
        let one = NodeID(UInt32(random.below(UInt64(nodes.count))))
        let two = NodeID(UInt32(random.below(UInt64(nodes.count))))
        let choice = random.below(7)
        let changesMembership = plan.changesMembership
        let witnesses = plan.witnesses
        step(leader) { core, now, effects in
            if choice < 2 || !changesMembership {
                try? core.transferLeadership(to: one, at: now, into: &effects)
                return
            }
            let members = core.membership.voters
            let watching = core.membership.witnesses
            let change: MembershipChange
            switch choice {
            case 2, 3:
                if witnesses.contains(Int(one.rawValue)) {
                    change = .addWitness(one)
                } else {
                    change = choice == 2 ? .addVoter(one) : .addLearner(one)
                }
            case 4:
                guard members.count > 3 else { return }
                change = .remove(one)
            default:
                let added = [one, two].filter { !witnesses.contains(Int($0.rawValue)) }
                let next = members.filter { $0 != one } + added.filter { $0 == two }
                change = .joint(
                    voters: next.count < 3 ? members + added : next,
                    learners: [],
                    witnesses: watching.filter { next.count < 3 || $0 != one }
                )
            }
            try? core.change(change, at: now, into: &effects)
        }
    }

    private mutating func causeFault() {
        let node = Int(random.below(UInt64(nodes.count)))
        switch random.below(5) {
        case 0, 1:
            guard plan.crashes else { return }
            let down = nodes.count { $0.core == nil }
            if down < (plan.founders - 1) / 2 { crash(node) }
        case 2:
            guard plan.partitions else { return }
            // One node alone.
            for other in nodes.indices where other != node {
                cut.insert(node * plan.nodes + other)
                cut.insert(other * plan.nodes + node)
            }
        case 3:
            guard plan.partitions else { return }
            // One direction.
            cut.insert(node * plan.nodes + Int(random.below(UInt64(nodes.count))))
        default:
            cut.removeAll()
        }
    }
}

/// A heap of events in order of time, then of insertion.
struct EventHeap<Element> {
    private var items: [(time: Instant, order: UInt64, element: Element)] = []
    private var next: UInt64 = 0

    mutating func push(_ element: Element, at time: Instant) {
        items.append((time, next, element))
        next += 1
        var child = items.count - 1
        while child > 0, precedes(child, (child - 1) / 2) {
            items.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func pop() -> (Instant, Element)? {
        guard !items.isEmpty else { return nil }
        items.swapAt(0, items.count - 1)
        let last = items.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < items.count && precedes(child, least) {
                least = child
            }
            if least == parent { break }
            items.swapAt(parent, least)
            parent = least
        }
        return (last.time, last.element)
    }

    private func precedes(_ left: Int, _ right: Int) -> Bool {
        (items[left].time, items[left].order) < (items[right].time, items[right].order)
    }
}
