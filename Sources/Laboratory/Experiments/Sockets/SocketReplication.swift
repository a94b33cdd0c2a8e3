import FaultInjection
import Foundation
import Machines
import Measurements
import Scenarios
import SimulationKernel
import SocketEnvironment
import Units

/// Runs one replication of an experiment on real sockets: one process a node, each in a network
/// namespace of its own behind the emulator's links. Where these cannot be made, the processes share
/// the loopback interface, and the run is unshaped.
///
/// Faults of nodes happen for real (SIGKILL and a new process, SIGSTOP and SIGCONT), and so do faults of
/// the network where an emulator shapes it; without one they stay unfired, and the judge warns of them.
struct SocketReplication<Kind: Experiment> {
    typealias Message = AgentMessage<Kind.Program.Event>
    let setting: ReplicationSetting
    let environment: EnvironmentKind
    let commit: String
    let processes: ProcessLauncher
    let scenarioPath: String

    /// No replication takes longer in real time, whatever deadline its scenario sets.
    private static var longest: Interval { .seconds(300) }

    func run(isCancelled: @escaping () -> Bool) throws -> RunRecord {
        let began = ContinuousClock.now
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "novalab-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let links = try startLinks()
        defer { links.emulator?.end() }
        var stage = SocketStage<Kind>(self, folder: folder.path, emulator: links.emulator)
        defer { stage.end() }
        try stage.begin()
        let observer = Kind(setting).makeObserver()
        let limit = min(setting.scenario.horizon, SocketReplication.longest)
        let outcome = try stage.play(observer, until: limit, isCancelled: isCancelled)

        var record = RunRecord(key: key, commit: commit)
        record.outcome = outcome.outcome
        record.simulatedSeconds = outcome.time.seconds
        record.faults = stage.faultRecords
        var ending = ReplicationEnding(time: outcome.time, reason: outcome.reason, links: [])
        if let emulator = links.emulator {
            let (report, time) = try emulator.report()
            ending.links = report.figures(of: setting.scenario, seed: setting.seed)
            ending.linksUntil = time
            record.invariants.append(ending.linkRates)
            report.measure(into: &record)
        } else {
            record.facts.append(Fact(Fact.links, "unshaped: \(links.obstacle)"))
        }
        outcome.observer.measure(ending, into: &record)
        stage.end()
        if environment == .rdma {
            record.facts.append(
                Fact("rdma-streams", "\(stage.carriedStreams)")
            )
        }
        record.peakMemoryBytes = max(peakMemory(), stage.peakMemory)
        record.realSeconds = (ContinuousClock.now - began) / .seconds(1)
        return record
    }

    /// The emulator, or why there is none.
    private func startLinks() throws -> (emulator: EmulatorSession?, obstacle: String) {
        guard setting.scenario.workload.usesLinks else { return (nil, "no node uses a link") }
        guard environment == .sockets else { return (nil, "devices have links of their own") }
        let start = try EmulatorSession.start(setting, scenarioPath: scenarioPath) {
            try processes.emulator()
        }
        return switch start {
        case .shaped(let session): (session, "")
        case .unshaped(let reason): (nil, reason)
        }
    }

    private var key: RunKey {
        RunKey(
            scenario: setting.scenario.name,
            scenarioDigest: setting.scenario.digest,
            variant: setting.variant.name,
            seed: setting.seed,
            environment: environment
        )
    }
}

/// Starts the processes that a replication on sockets consists of.
public struct ProcessLauncher: Sendable {
    /// A process that runs `AgentProgram`, in the network namespace of that path if there is one.
    public let agent: @Sendable (_ namespace: String?) throws -> AgentHandle
    /// A process that runs `EmulatorProgram`.
    public let emulator: @Sendable () throws -> AgentHandle

    public init(
        agent: @escaping @Sendable (_ namespace: String?) throws -> AgentHandle,
        emulator: @escaping @Sendable () throws -> AgentHandle
    ) {
        self.agent = agent
        self.emulator = emulator
    }
}

/// How a replication on sockets ended.
struct SocketOutcome<Observer: ExperimentObserver> {
    var observer: Observer
    var time: Instant
    var outcome: RunOutcome
    var reason: RunEnd?
}

/// The processes of one replication and what they say.
struct SocketStage<Kind: Experiment> {
    typealias Message = AgentMessage<Kind.Program.Event>

    private let replication: SocketReplication<Kind>
    private let folder: String
    private let emulator: EmulatorSession?
    private let mailbox = Mailbox<Message>()
    private var agents: [AgentHandle?]
    private var incarnations: [UInt32]
    private var addresses: [NodeAddress?]
    private let plan: FaultPlan
    private var changes: ArraySlice<FaultPlan.Change>
    private var log: FaultLog
    private var origin: Int64 = 0
    private(set) var peakMemory: UInt64 = 0
    /// Streams that went over RDMA, as nodes that said goodbye counted them.
    private(set) var carriedStreams = 0
    private var isOver = false

    init(
        _ replication: SocketReplication<Kind>,
        folder: String,
        emulator: EmulatorSession?
    ) {
        self.replication = replication
        self.folder = folder
        self.emulator = emulator
        let scenario = replication.setting.scenario
        let count = scenario.topology.nodeCount
        agents = Array(repeating: nil, count: count)
        incarnations = Array(repeating: 0, count: count)
        addresses = Array(repeating: nil, count: count)
        plan = FaultPlan(scenario, seed: replication.setting.seed)
        changes = plan.timeline[...]
        log = FaultLog(plan)
    }

    var faultRecords: [FaultRecord] { log.records(in: replication.setting.scenario.topology) }

    /// Starts all processes and their common time zero.
    mutating func begin() throws {
        for node in agents.indices { try launch(node) }
        let deadline = MonotonicClock.nanoseconds + 30_000_000_000
        while addresses.contains(where: { $0 == nil }) {
            guard let letter = mailbox.take(before: deadline) else {
                throw SocketFailure("the node processes were not ready within 30 s")
            }
            try take(readiness: letter)
        }
        origin = MonotonicClock.nanoseconds + 50_000_000
        emulator?.begin(origin: origin)
        let peers = addresses.compactMap { $0 }
        for agent in agents { agent?.send(.start(peers: peers, origin: origin)) }
    }

    /// Feeds the observer until it is content or the time is over.
    mutating func play(
        _ initial: Kind.Observer,
        until limit: Interval,
        isCancelled: () -> Bool
    ) throws -> SocketOutcome<Kind.Observer> {
        var outcome = SocketOutcome(observer: initial, time: .zero, outcome: .completed)
        while !outcome.observer.isFinished {
            if isCancelled() {
                outcome.outcome = .interrupted
                outcome.reason = .cancelled
                break
            }
            let now = Instant(nanoseconds: MonotonicClock.nanoseconds - origin)
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
        if outcome.observer.isFinished { try settle(&outcome) }
        return outcome
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
        while !waiting.isEmpty, let letter = mailbox.take(before: deadline) {
            guard letter.incarnation == incarnations[letter.node] else { continue }
            switch letter.message {
            case .heard?, nil: waiting.remove(letter.node)
            case .event?: _ = try take(letter, into: &outcome)
            case .ready?, .failed?, .stopped?, .carried?: break
            }
        }
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
        case .event, .heard, .stopped, .carried: break
        }
    }

    /// Returns why the run failed, if the letter says so.
    private mutating func take(
        _ letter: Mailbox<Message>.Letter,
        into outcome: inout SocketOutcome<Kind.Observer>
    ) throws -> String? {
        guard letter.incarnation == incarnations[letter.node] else { return nil }
        let node = NodeID(UInt32(letter.node))
        switch letter.message {
        case .event(let event, let nanoseconds)?:
            let time = Instant(nanoseconds: nanoseconds)
            outcome.time = max(outcome.time, time)
            outcome.observer.observe(event, on: node, at: time)
        case .ready(let address)?:
            addresses[letter.node] = address
            let peers = addresses.compactMap { $0 }
            agents[letter.node]?.send(.start(peers: peers, origin: origin))
            for (other, agent) in agents.enumerated() where other != letter.node {
                agent?.send(.peers(peers))
            }
        case .failed(let reason)?:
            return "\(node): \(reason)"
        case nil:
            return "the process of \(node) ended by itself"
        case .stopped(let memory)?:
            peakMemory = max(peakMemory, memory)
        case .carried(let streams)?:
            carriedStreams += streams
        case .heard?:
            break
        }
        return nil
    }

    private mutating func launch(_ node: Int) throws {
        let agent = try replication.processes.agent(emulator?.namespaces[node])
        let incarnation = incarnations[node]
        agents[node] = agent
        agent.listen(as: Message.self) { [mailbox] message in
            mailbox.put(.init(node: node, incarnation: incarnation, message: message))
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
                    host: emulator?.addresses[node]
                )
            )
        )
    }

    // MARK: Faults

    private mutating func carryOutFaults(at now: Instant) throws {
        while let change = changes.first, change.time <= now {
            let position = changes.startIndex
            changes.removeFirst()
            let fault = plan.faults[change.fault]
            switch (fault.effect, change.kind) {
            case (.crash(let nodes), .fire):
                for node in nodes { crash(Int(node.rawValue)) }
                log.fire(fault.id, at: now)
            case (.crash(let nodes), .heal):
                for node in nodes { try launch(Int(node.rawValue)) }
                log.heal(fault.id, at: now)
            case (.pause(let nodes), .fire):
                for node in nodes { agents[Int(node.rawValue)]?.pause() }
                log.fire(fault.id, at: now)
            case (.pause(let nodes), .heal):
                for node in nodes { agents[Int(node.rawValue)]?.resume() }
                log.heal(fault.id, at: now)
            case (.down, let kind), (.delay, let kind), (.loss, let kind),
                (.blackHole, let kind), (.cut, let kind):
                guard let emulator else { break }
                emulator.change(position)
                switch kind {
                case .fire: log.fire(fault.id, at: now)
                case .heal: log.heal(fault.id, at: now)
                }
            case (.boot, _):
                break
            }
        }
    }

    private mutating func crash(_ node: Int) {
        incarnations[node] += 1
        agents[node]?.kill()
        agents[node] = nil
    }
}

/// Messages of all processes in the order of their arrival.
final class Mailbox<Message: Sendable>: @unchecked Sendable {
    struct Letter: Sendable {
        let node: Int
        let incarnation: UInt32
        /// `nil` once a process has ended.
        let message: Message?
    }

    // Guarded by `condition`.
    private var letters: [Letter] = []
    private var position = 0
    private let condition = NSCondition()

    func put(_ letter: Letter) {
        condition.withLock {
            letters.append(letter)
            condition.signal()
        }
    }

    /// The next letter; `nil` when none came before the monotonic clock showed `deadline`.
    func take(before deadline: Int64) -> Letter? {
        condition.withLock {
            while position == letters.count {
                let wait = deadline - MonotonicClock.nanoseconds
                guard wait > 0 else { return nil }
                _ = condition.wait(until: Date().addingTimeInterval(Double(wait) / 1e9))
            }
            defer {
                position += 1
                if position == letters.count {
                    letters.removeAll(keepingCapacity: true)
                    position = 0
                }
            }
            return letters[position]
        }
    }
}
