import Determinism
import HardwareModel
import LinkModel
import Machines
import NetworkModel
import Raft
import RaftDefects
import ReplicatedStore
import SimulatedEnvironment
import SimulationKernel
import Units

/// A node of the store's tests: a replica, or a client that appends to a key of its own, one operation
/// after the other, and reads it now and then.
struct StoreNode: StoreProgram {
    typealias Message = StoreMessage
    typealias Write = RaftRecord
    typealias Event = StoreEvent

    enum Timer: Hashable, Sendable {
        case store(StoreTimer)
        case next
    }

    static func wrap(_ timer: StoreTimer) -> Timer { .store(timer) }
    static func wrap(_ event: StoreEvent) -> StoreEvent { event }

    let node: NodeID
    var replica: StoreReplica<DefectiveRules>?
    var client: StoreClient?
    var operations: UInt64 = 0
    let spacing: Interval

    mutating func step(
        _ input: Input<StoreNode>,
        at now: Instant,
        into actions: inout Actions<StoreNode>
    ) {
        switch input {
        case .fired(.store(let timer)):
            replica?.fired(timer, at: now, into: &actions)
            client?.fired(timer, at: now, into: &actions)
        case .fired(.next):
            act(at: now, into: &actions)
        case .received(let message, let peer):
            replica?.take(input, at: now, into: &actions)
            client?.received(message, from: peer, at: now, into: &actions)
        case .started:
            replica?.take(input, at: now, into: &actions)
            if client != nil { actions.setTimer(.next, at: now + spacing) }
        case .requested, .persisted, .computed, .streamOpened, .writable, .readable, .finished,
            .reset, .path:
            replica?.take(input, at: now, into: &actions)
        }
    }

    func checkInvariants() {
        replica?.checkInvariants()
        client?.checkInvariants()
    }

    private mutating func act(at now: Instant, into actions: inout Actions<StoreNode>) {
        actions.setTimer(.next, at: now + spacing)
        guard client!.openOperations == 0 else { return }
        operations += 1
        let key = Array("client \(node.rawValue)".utf8)[...]
        if operations % 5 == 0 {
            client!.submit(.get(key: key), as: operations, at: now, into: &actions)
        } else {
            let value = StoreNode.mark(operations)
            client!.submit(
                .append(key: key, value: value),
                as: operations,
                at: now,
                into: &actions
            )
        }
    }

    /// What the operation appends.
    static func mark(_ operation: UInt64) -> Bytes { Array("\(operation);".utf8)[...] }
}

/// Watches what clients are told: their own appends come in order, acknowledged ones exactly once.
struct StoreWatcher: RunObserver {
    typealias Program = StoreNode
    let isFinished = false
    /// Of each client, by node: the operations whose outcome is known to be done.
    private(set) var done: [NodeID: [UInt64]] = [:]
    private(set) var unknown: [NodeID: [UInt64]] = [:]
    private(set) var violations: [String] = []
    private(set) var reads = 0
    private(set) var counts: [String: Int] = [:]
    private(set) var lastCompletion = Instant.zero
    private var leaders: [Term: NodeID] = [:]
    private var digests: [LogIndex: UInt64] = [:]
    private var applied: [LogIndex: UInt64] = [:]

    mutating func observe(_ event: StoreEvent, on node: NodeID, at time: Instant) {
        switch event {
        case .completed(let operation, let outcome, _):
            lastCompletion = time
            completed(operation, outcome, on: node)
        case .raft(.becameLeader(let term, _)):
            if let other = leaders[term], other != node { violations.append("two in \(term)") }
            leaders[term] = node
            counts["leader", default: 0] += 1
        case .raft(.contradiction(let what)): violations.append("\(what)")
        case .raft(.snapshotInstalled): counts["install", default: 0] += 1
        case .raft(.applied(let index, _, let digest)):
            if let known = applied[index], known != digest { violations.append("at \(index)") }
            applied[index] = digest
        case .stateDigest(let index, let digest), .closingState(let index, let digest?):
            counts["snapshot", default: 0] += 1
            if let known = digests[index], known != digest {
                violations.append("states differ at \(index)")
            }
            digests[index] = digest
        case .recognised: counts["recognised", default: 0] += 1
        case .unreadableSnapshot(let index): violations.append("unreadable at \(index)")
        case .raft, .executed, .refused, .sessionOpened, .closingState(_, nil): break
        }
    }

    private mutating func completed(
        _ operation: UInt64,
        _ outcome: StoreOutcome,
        on node: NodeID
    ) {
        switch outcome {
        case .result(.value(let value)):
            reads += 1
            check(value ?? [], of: node)
        case .result(.done): done[node, default: []].append(operation)
        case .result(let other): violations.append("\(node): \(other)")
        case .unknown: unknown[node, default: []].append(operation)
        case .failed: counts["failed", default: 0] += 1
        case .accepted, .members: break
        }
    }

    /// Everything done before the read is there once, in order; what is unknown may be.
    private mutating func check(_ value: Bytes, of node: NodeID) {
        let found = value.split(separator: UInt8(ascii: ";"))
            .map { UInt64(String(decoding: $0, as: UTF8.self)) ?? 0 }
        let doubtful = unknown[node] ?? []
        let certain = found.filter { !doubtful.contains($0) }
        if certain != done[node] ?? [] {
            violations.append("\(node) reads \(found), done \(done[node] ?? [])")
        }
        for mark in doubtful where found.count(where: { $0 == mark }) > 1 {
            violations.append("\(node): \(mark) happened twice")
        }
    }
}

/// Five replicas in three regions and two clients.
struct StoreWorld {
    var seed: UInt64
    var carrier = StoreConfiguration.Carrier.datagrams
    var loss = Ratio.zero
    var defect: RaftDefect?
    var until = Instant.zero + .seconds(30)
    var faults: [SimulationPlan.ScheduledFault] = []
    var readsFromFollower = false
    var leaseReads = false
    static let regions: [UInt32] = [0, 0, 1, 1, 2, 0, 2]

    func simulation() -> Simulation<StoreWatcher> {
        let link = LinkParameters(
            rate: .megabits(100),
            propagation: .milliseconds(10),
            jitter: Jitter(.uniform, scale: .milliseconds(1)),
            loss: loss.value == 0 ? .none : .bernoulli(loss),
            queueLimit: .mebibytes(1)
        )
        var links: [Topology.DirectedLink] = []
        for from in 0..<3 as Range<UInt32> {
            for to in 0..<3 as Range<UInt32> where from != to {
                links.append(.init(from: RegionID(from), to: RegionID(to), link))
            }
        }
        let plan = SimulationPlan(
            topology: Topology(
                regionCount: 3,
                nodes: StoreWorld.regions.map { RegionID($0) },
                links: links
            ),
            profile: HardwareProfile(
                name: "tests",
                measured: .init(machine: "none", date: "2026-11-22", method: "chosen"),
                cores: 2,
                speeds: .init { _ in 1_000 },
                disk: .init(write: 1_000, fsync: .milliseconds(2))
            ),
            seed: seed,
            limits: RunLimits(time: until),
            checksInvariants: true,
            faults: faults
        )
        var configuration = StoreConfiguration()
        configuration.carrier = carrier
        configuration.raft.snapshotInterval = 100
        configuration.raft.trailingEntries = 20
        configuration.raft.leaseReads = leaseReads
        var clients = StoreClientConfiguration(replicas: (0..<5).map { NodeID($0) })
        clients.readsFromFollower = readsFromFollower
        let members = try! Membership(voters: clients.replicas)
        let settings = (configuration, clients, DefectiveRules(defect))
        return Simulation(plan, observer: StoreWatcher()) { birth in
            StoreNode(
                node: birth.node,
                replica: birth.node.rawValue >= 5
                    ? nil
                    : StoreReplica(
                        birth,
                        configuration: settings.0,
                        bootstrap: members,
                        rules: settings.2
                    ),
                client: birth.node.rawValue < 5
                    ? nil : StoreClient(birth, configuration: settings.1),
                spacing: .milliseconds(20)
            )
        }
    }

    /// Crashes each replica in turn, two seconds down, one every four seconds.
    static var crashes: [SimulationPlan.ScheduledFault] {
        (0..<5).flatMap { round in
            let node = NodeID(UInt32(round))
            let start = Instant.zero + .seconds(4 + 4 * Int64(round))
            return [
                SimulationPlan.ScheduledFault(
                    number: round,
                    at: start,
                    phase: .fired,
                    change: .crash([node])
                ),
                SimulationPlan.ScheduledFault(
                    number: round,
                    at: start + .seconds(2),
                    phase: .healed,
                    change: .restart([node])
                ),
            ]
        }
    }
}
