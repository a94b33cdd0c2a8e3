import FaultInjection
import Foundation
import Machines
import Measurements
import NetworkModel
import RaftDefects
import Scenarios
import SimulationKernel
import SocketEnvironment
import Units

/// How a replication on sockets ended.
struct SocketOutcome<Observer: ExperimentObserver> {
    var observer: Observer
    var time: Instant
    var outcome: RunOutcome
    var reason: RunEnd?

    mutating func take(_ fact: FactOrder<Observer.Program.Event>.Fact) {
        if reason != .reachedTime { time = max(time, fact.time) }
        observer.observe(fact.event, on: NodeID(UInt32(fact.node)), at: fact.time)
    }
}

/// One process of a node.
struct Life: Hashable {
    let node: Int
    let incarnation: UInt32

    init(_ node: Int, _ incarnation: UInt32) {
        self.node = node
        self.incarnation = incarnation
    }
}

/// A node whose process was killed by somebody who is not the laboratory.
struct OutsideKill {
    let node: NodeID
    let time: Instant

    /// More kills of a run are no accident any more.
    static let limit = 100

    /// As a fault that is over at once, because the next process is started at once.
    var record: FaultRecord {
        FaultRecord(
            kind: "node.crash",
            target: "\(node), from outside",
            planned: time,
            fired: time,
            healed: time
        )
    }
}

/// The processes of one replication and what they say.
///
/// A process that is killed has told all that anybody can have met of it; what it told counts.
struct SocketStage<Kind: Experiment> {
    typealias Message = AgentMessage<Kind.Program.Event>

    let replication: SocketReplication<Kind>
    private let folder: String
    let emulator: EmulatorSession?
    let cross: CrossEnds
    /// The nodes that run: all, or the ends of others' flows alone.
    private let living: Range<Int>
    /// What the flows of others brought.
    let ledger: CrossLedger
    private let mailbox = Mailbox<Message>()
    var agents: [AgentHandle?]
    private var incarnations: [UInt32]
    private var addresses: [NodeAddress?]
    private var order: FactOrder<Kind.Program.Event>
    /// Processes that were killed and whose last words have not come.
    private var dying: Set<Life> = []
    /// Nodes that somebody else killed.
    private(set) var kills: [OutsideKill] = []
    let plan: FaultPlan
    var changes: ArraySlice<FaultPlan.Change>
    var log: FaultLog
    /// By node: the faults that keep it down, and that let it stand still.
    var downBy: [Set<Int>]
    var pausedBy: [Set<Int>]
    /// By fault: what is cut now where no link is emulated; and what that means for each node.
    var cuts: [Int: [PlannedFault.Cut]] = [:]
    var partings: [Parting]
    private var origin: Int64 = 0
    private(set) var peakMemory: UInt64 = 0
    /// Streams that went over RDMA, as nodes that said goodbye counted them.
    private(set) var carriedStreams = 0
    /// What TLS did, as nodes that said goodbye counted it.
    private(set) var secured: [StreamSecurity.Counts] = []
    private(set) var processors: ProcessorUse
    /// By node; empty without TLS.
    private let credentials: [StreamCredentials]
    private var isOver = false

    init(
        _ replication: SocketReplication<Kind>,
        folder: String,
        emulator: EmulatorSession?,
        credentials: [StreamCredentials],
        cross: CrossEnds,
        isIdle: Bool = false
    ) {
        self.cross = cross
        living = (isIdle ? cross.first : 0)..<cross.first + cross.count
        ledger = CrossLedger(cross)
        self.replication = replication
        self.folder = folder
        self.emulator = emulator
        self.credentials = credentials
        let scenario = replication.setting.scenario
        let nodes = scenario.topology.nodeCount
        let count = nodes + cross.count
        processors = ProcessorUse(
            nodes: count,
            cores: ProcessInfo.processInfo.activeProcessorCount
        )
        agents = Array(repeating: nil, count: count)
        incarnations = Array(repeating: 0, count: count)
        addresses = Array(repeating: nil, count: count)
        order = FactOrder(nodes: count, patience: Kind.factPatience)
        plan = FaultPlan(scenario, seed: replication.setting.seed)
        changes = plan.timeline[...]
        log = FaultLog(plan)
        downBy = Array(repeating: [], count: count)
        pausedBy = downBy
        partings = Array(repeating: Parting(), count: count)
    }

    /// Those of the plan, and what somebody else did.
    var faultRecords: [FaultRecord] {
        log.records(in: replication.setting.scenario.topology) + kills.map(\.record)
    }

    /// What a reader of the run's figures has to know of how it came about.
    var facts: [Fact] {
        var facts = ChaosFacts(
            plan: plan,
            scenario: replication.setting.scenario,
            coverage: []
        ).facts
        if order.patience > .zero {
            facts.append(
                Fact(
                    "order of facts",
                    "by the clock that all processes share; \(order.lateCount) facts came late, of "
                        + "steps during which a process stood still"
                )
            )
        }
        return facts + partitionFacts
    }

    /// By node; nobody asks for those of nodes that do not run.
    private var knownAddresses: [NodeAddress] {
        addresses.map { $0 ?? NodeAddress(streamPort: 0, datagramPort: 0) }
    }

    /// Starts all processes and their common time zero.
    mutating func begin() throws {
        for node in living { try launch(node) }
        let deadline = MonotonicClock.nanoseconds + 30_000_000_000
        while addresses[living].contains(where: { $0 == nil }) {
            guard let letter = mailbox.take(before: deadline) else {
                throw SocketFailure("the node processes were not ready within 30 s")
            }
            try take(readiness: letter)
        }
        origin = MonotonicClock.nanoseconds + 50_000_000
        emulator?.begin(origin: origin)
        let peers = knownAddresses
        for agent in agents { agent?.send(.start(peers: peers, origin: origin)) }
    }

    /// Feeds the observer until it is content or the time is over.
    mutating func play(
        _ initial: Kind.Observer,
        until limit: Interval,
        isCancelled: () -> Bool
    ) throws -> SocketOutcome<Kind.Observer> {
        var outcome = SocketOutcome(observer: initial, time: .zero, outcome: .completed)
        while true {
            let now = Instant(nanoseconds: MonotonicClock.nanoseconds - origin)
            while let fact = order.next(at: now) { outcome.take(fact) }
            if outcome.observer.isFinished || isBroken(&outcome) { break }
            if isCancelled() {
                outcome.outcome = .interrupted
                outcome.reason = .cancelled
                break
            }
            try carryOutFaults(at: now)
            guard now < .zero + limit else {
                outcome.outcome = .truncated(reason: "not finished after \(limit)")
                outcome.reason = .reachedTime
                outcome.time = .zero + limit
                break
            }
            let wake = min(
                MonotonicClock.nanoseconds + 50_000_000,
                origin + limit.nanoseconds,
                changes.first.map { origin + $0.time.nanoseconds } ?? .max
            )
            guard let letter = mailbox.take(before: wake) else { continue }
            if let failure = try take(letter, into: &outcome) {
                outcome.outcome = .failed(message: failure)
                break
            }
        }
        if outcome.observer.isFinished || outcome.reason == .reachedTime { try settle(&outcome) }
        while order.breach == nil, let fact = order.next(upTo: .distantFuture) {
            outcome.take(fact)
        }
        return outcome
    }

    /// Whether nobody knows any more what happened before what; then the run ends with what is known.
    private func isBroken(_ outcome: inout SocketOutcome<Kind.Observer>) -> Bool {
        guard let breach = order.breach else { return false }
        outcome.outcome = .truncated(
            reason: "facts of node \(breach.node) were held up for more than \(order.patience), so "
                + "what came after \(breach.time) has no certain order"
        )
        outcome.reason = .cancelled
        return true
    }

    /// Hears what other processes told before the last message: each has a pipe of its own, so what
    /// happened first may arrive second.
    private mutating func settle(_ outcome: inout SocketOutcome<Kind.Observer>) throws {
        var waiting = Set<Int>()
        for (node, agent) in agents.enumerated() {
            guard let agent else { continue }
            agent.resume()
            agent.send(.sync)
            waiting.insert(node)
        }
        let deadline = MonotonicClock.nanoseconds + 2_000_000_000
        while !waiting.isEmpty || !dying.isEmpty, let letter = mailbox.take(before: deadline) {
            let isCurrent = letter.incarnation == incarnations[letter.node]
            switch letter.message {
            case .heard? where isCurrent, nil where isCurrent: waiting.remove(letter.node)
            // What comes after the end of a run that has reached its time is not part of it.
            case .event(_, let nanoseconds)?
            where outcome.reason == .reachedTime
                && nanoseconds > outcome.time.nanoseconds:
                break
            case .event?, .processor?, nil: _ = try take(letter, into: &outcome)
            case .heard?, .ready?, .failed?, .stopped?, .carried?, .secured?: break
            }
        }
        while !isBroken(&outcome), let fact = order.next(upTo: .distantFuture) {
            outcome.take(fact)
        }
        // The last facts have waited beyond the time.
        guard outcome.reason == .reachedTime, outcome.observer.isFinished else { return }
        outcome.outcome = .completed
        outcome.reason = nil
    }

    /// Tells everybody to stop and waits until they have.
    mutating func end() {
        guard !isOver else { return }
        isOver = true
        for agent in agents {
            agent?.resume()
            agent?.send(.stop)
        }
        for agent in agents { agent?.finish() }
        while let letter = mailbox.take(before: 0) {
            switch letter.message {
            case .stopped(let memory)?: peakMemory = max(peakMemory, memory)
            case .carried(let streams)?: carriedStreams += streams
            case .secured(let counts)?: secured.append(counts)
            default: break
            }
        }
    }

    // MARK: Messages

    private mutating func take(readiness letter: Mailbox<Message>.Letter) throws {
        guard letter.incarnation == incarnations[letter.node] else { return }
        switch letter.message {
        case .ready(let address)?: addresses[letter.node] = address
        case .failed(let reason)?: throw SocketFailure("node \(letter.node): \(reason)")
        case nil: throw SocketFailure("the process of node \(letter.node) ended at its start")
        case .event, .heard, .stopped, .carried, .secured, .processor: break
        }
    }

    /// Returns why the run failed, if the letter says so.
    private mutating func take(
        _ letter: Mailbox<Message>.Letter,
        into outcome: inout SocketOutcome<Kind.Observer>
    ) throws -> String? {
        let node = NodeID(UInt32(letter.node))
        if case .event(let event, let nanoseconds)? = letter.message {
            order.add(event, of: letter.node, at: Instant(nanoseconds: nanoseconds))
            return nil
        }
        guard letter.incarnation == incarnations[letter.node] else {
            if letter.message == nil { dying.remove(Life(letter.node, letter.incarnation)) }
            return nil
        }
        switch letter.message {
        case .ready(let address)?:
            addresses[letter.node] = address
            let peers = knownAddresses
            agents[letter.node]?.send(.part(partings[letter.node]))
            agents[letter.node]?.send(.start(peers: peers, origin: origin))
            for (other, agent) in agents.enumerated() where other != letter.node {
                agent?.send(.peers(peers))
            }
        case .failed(let reason)?:
            return "\(node): \(reason)"
        case nil:
            return try replaceKilled(letter.node)
        case .stopped(let memory)?:
            peakMemory = max(peakMemory, memory)
        case .carried(let streams)?:
            carriedStreams += streams
        case .secured(let counts)?:
            secured.append(counts)
        case .processor(let used, let ran, let waited, let nanoseconds)?:
            let steps = ran.flatMap { ran in
                waited.map {
                    ProcessorUse.StepTime(ran: .nanoseconds(ran), waited: .nanoseconds($0))
                }
            }
            processors.add(
                ProcessorUse.Sample(
                    time: Instant(nanoseconds: nanoseconds),
                    used: Interval(nanoseconds: used),
                    steps: steps
                ),
                of: letter.node
            )
        case .heard?, .event?:
            break
        }
        return nil
    }

    /// A process has ended and nobody here wanted it to. One that somebody else killed is a crash like
    /// those of the scenario, where replicas are made for crashes: the node goes on in a new process.
    ///
    /// - Returns: Why the run failed, if it did.
    private mutating func replaceKilled(_ node: Int) throws -> String? {
        guard Kind.outlivesKills, kills.count < OutsideKill.limit,
            agents[node]?.wasKilled == true
        else { return "the process of \(NodeID(UInt32(node))) ended by itself" }
        let time = Instant(nanoseconds: MonotonicClock.nanoseconds - origin)
        kills.append(OutsideKill(node: NodeID(UInt32(node)), time: time))
        crash(node)
        dying.remove(Life(node, incarnations[node] - 1))
        if downBy[node].isEmpty { try launch(node) }
        return nil
    }

    /// The node's process is gone, and so are its faults of standing still.
    mutating func crash(_ node: Int) {
        pausedBy[node] = []
        guard let agent = agents[node] else { return }
        dying.insert(Life(node, incarnations[node]))
        incarnations[node] += 1
        processors.interrupt(node)
        agent.kill()
        agents[node] = nil
    }

    mutating func launch(_ node: Int) throws {
        guard living.contains(node) else { return }
        let agent = try replication.processes.agent(emulator?.namespaces[node])
        let incarnation = incarnations[node]
        agents[node] = agent
        let other = node - cross.first
        if other < 0 {
            agent.listen(as: Message.self) { [mailbox] message in
                mailbox.put(.init(node: node, incarnation: incarnation, message: message))
            }
        } else {
            agent.listen(as: AgentMessage<CrossNode.Event>.self) { [mailbox, ledger] message in
                let letter = SocketStage.letter(message, from: other, ledger)
                guard let letter else { return }
                mailbox.put(.init(node: node, incarnation: incarnation, message: letter))
            }
        }
        agent.send(
            .configure(
                AgentAssignment(
                    scenarioPath: replication.scenarioPath,
                    variant: replication.setting.variant.name,
                    seed: replication.setting.seed,
                    environment: replication.environment,
                    node: UInt32(node),
                    incarnation: incarnation,
                    journalPath: "\(folder)/node-\(node).journal",
                    host: emulator?.addresses[node],
                    credentials: node < credentials.count ? credentials[node] : nil,
                    cross: other < 0 ? nil : cross.plans[other],
                    defect: replication.setting.defect?.rawValue
                )
            )
        )
    }

    /// What an end of others' flows tells, in the words of the scenario's nodes: `.some(nil)` for the
    /// end of its process, `nil` for what the ledger took.
    private static func letter(
        _ message: AgentMessage<CrossNode.Event>?,
        from index: Int,
        _ ledger: CrossLedger
    ) -> Message?? {
        switch message {
        case nil: return .some(nil)
        case .ready(let address)?: return Message.ready(address)
        case .event(let event, let nanoseconds)?:
            ledger.note(event, from: index, at: Instant(nanoseconds: nanoseconds))
            return nil
        case .failed(let reason)?: return Message.failed(reason)
        case .heard?: return Message.heard
        case .processor(let used, let ran, let waited, let nanoseconds)?:
            return Message.processor(
                usedNanoseconds: used,
                ranNanoseconds: ran,
                waitedNanoseconds: waited,
                nanoseconds: nanoseconds
            )
        case .secured(let counts)?: return Message.secured(counts)
        case .carried(let streams)?: return Message.carried(streams: streams)
        case .stopped(let memory)?: return Message.stopped(peakMemory: memory)
        }
    }
}
