import FaultInjection
import Foundation
import Machines
import Measurements
import NetworkModel
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

    /// No replication takes longer in real time, whatever deadline its scenario sets: half an hour.
    private static var longest: Interval { .seconds(1800) }

    func run(isCancelled: @escaping () -> Bool) throws -> RunRecord {
        let began = ContinuousClock.now
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "novalab-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let cross = CrossEnds(
            traffic: setting.scenario.crossTraffic,
            first: setting.scenario.topology.nodeCount
        )
        let links = try startLinks(cross)
        defer { links.emulator?.end() }
        let nodes = setting.scenario.topology.nodeCount
        if cross.count > 0, links.emulator == nil {
            throw CrossTrafficFailure(
                description: "cross-traffic needs emulated links: \(links.obstacle)"
            )
        }
        var stage = SocketStage<Kind>(
            self,
            folder: folder.path,
            emulator: links.emulator,
            credentials: setting.variant.system.transport.tls
                ? try StreamCredentials.forRun(of: nodes) : [],
            cross: cross
        )
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
        ending.processors = stage.processors
        var isWhole = true
        if let emulator = links.emulator {
            let (report, time) = try emulator.report()
            ending.links = report.figures(of: setting.scenario, seed: setting.seed)
            ending.linksUntil = time
            record.invariants.append(ending.linkRates)
            record.facts += ending.markFacts
            if cross.count > 0 {
                emulator.end()
                stage.end()
                isWhole = try addCross(stage, folder.path, to: &ending, &record, isCancelled)
            }
            report.measure(into: &record)
        } else {
            record.facts.append(Fact(Fact.links, "unshaped: \(links.obstacle)"))
            if setting.variant.system.transport.usesCongestionNotification {
                record.facts.append(Fact("ecn", "as the host has it: the links are unshaped"))
            }
        }
        outcome.observer.measure(ending, into: &record)
        if !isWhole { record.outcome = .interrupted }
        stage.end()
        if setting.variant.system.transport.tls {
            record.facts.append(Fact("tls", stage.secured.fact))
        }
        if environment == .rdma {
            record.facts.append(
                Fact("rdma-streams", "\(stage.carriedStreams)")
            )
        }
        record.peakMemoryBytes = max(peakMemory(), stage.peakMemory)
        record.realSeconds = (ContinuousClock.now - began) / .seconds(1)
        return record
    }

    /// What flows of others did, and the runs that their harm is measured against, which come after
    /// the run itself and take as long.
    ///
    /// - Returns: `false` when it was cancelled.
    private func addCross(
        _ stage: SocketStage<Kind>,
        _ folder: String,
        to ending: inout ReplicationEnding,
        _ record: inout RunRecord,
        _ isCancelled: () -> Bool
    ) throws -> Bool {
        let topology = NetworkModel.Topology(setting.scenario, seed: setting.seed)
        ending.cross = stage.ledger.figures(until: ending.time, topology)
        record.series += ending.cross?.series(in: setting.scenario) ?? []
        record.facts.append(
            Fact("flows of others that broke", "\(stage.ledger.brokenFlows)")
        )
        guard ending.reason == .reachedTime else { return true }
        for replacements in setting.scenario.harmReplacements {
            let ends = CrossEnds(
                traffic: setting.scenario.crossTraffic + replacements,
                first: setting.scenario.topology.nodeCount
            )
            guard let emulator = try startLinks(ends).emulator else { return true }
            defer { emulator.end() }
            var stage = SocketStage<Kind>(
                self,
                folder: folder,
                emulator: emulator,
                credentials: [],
                cross: ends,
                isIdle: true
            )
            defer { stage.end() }
            try stage.begin()
            let observer = Kind(setting).makeObserver()
            let limit: Interval = ending.time - Instant.zero
            let outcome = try stage.play(observer, until: limit, isCancelled: isCancelled)
            guard outcome.reason == .reachedTime else { return outcome.reason != .cancelled }
            let (report, _) = try emulator.report()
            guard report.isExact else {
                record.facts.append(Fact("harm", "not measured: the second run's links were late"))
                return true
            }
            let figures = stage.ledger.figures(until: outcome.time, topology)
            ending.baselines.append(HarmBaseline(replacements: replacements, figures: figures))
        }
        return true
    }

    /// The emulator, or why there is none.
    private func startLinks(
        _ cross: CrossEnds
    ) throws -> (emulator: EmulatorSession?, obstacle: String) {
        guard setting.scenario.workload.usesLinks else { return (nil, "no node uses a link") }
        guard environment == .sockets else { return (nil, "devices have links of their own") }
        let start = try EmulatorSession.start(
            setting,
            scenarioPath: scenarioPath,
            cross: cross
        ) { try processes.emulator() }
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

/// Flows of others were asked for where there are no links for them.
public struct CrossTrafficFailure: Error, CustomStringConvertible {
    public let description: String
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
    private let cross: CrossEnds
    /// The nodes that run: all, or the ends of others' flows alone.
    private let living: Range<Int>
    /// What the flows of others brought.
    let ledger: CrossLedger
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
        plan = FaultPlan(scenario, seed: replication.setting.seed)
        changes = plan.timeline[...]
        log = FaultLog(plan)
    }

    var faultRecords: [FaultRecord] { log.records(in: replication.setting.scenario.topology) }

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
        if outcome.observer.isFinished || outcome.reason == .reachedTime { try settle(&outcome) }
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
            // What comes after the end of a run that has reached its time is not part of it.
            case .event(_, let nanoseconds)?
            where outcome.reason == .reachedTime
                && nanoseconds > outcome.time.nanoseconds:
                break
            case .event?, .processor?: _ = try take(letter, into: &outcome)
            case .ready?, .failed?, .stopped?, .carried?, .secured?: break
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
        guard letter.incarnation == incarnations[letter.node] else { return nil }
        let node = NodeID(UInt32(letter.node))
        switch letter.message {
        case .event(let event, let nanoseconds)?:
            let time = Instant(nanoseconds: nanoseconds)
            outcome.time = max(outcome.time, time)
            outcome.observer.observe(event, on: node, at: time)
        case .ready(let address)?:
            addresses[letter.node] = address
            let peers = knownAddresses
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
        case .secured(let counts)?:
            secured.append(counts)
        case .processor(let used, let nanoseconds)?:
            processors.add(
                ProcessorUse.Sample(
                    time: Instant(nanoseconds: nanoseconds),
                    used: Interval(nanoseconds: used)
                ),
                of: letter.node
            )
        case .heard?:
            break
        }
        return nil
    }

    private mutating func launch(_ node: Int) throws {
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
                    cross: other < 0 ? nil : cross.plans[other]
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
        case .processor(let used, let nanoseconds)?:
            return Message.processor(usedNanoseconds: used, nanoseconds: nanoseconds)
        case .secured(let counts)?: return Message.secured(counts)
        case .carried(let streams)?: return Message.carried(streams: streams)
        case .stopped(let memory)?: return Message.stopped(peakMemory: memory)
        }
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
                (.blackHole, let kind), (.cut, let kind), (.link, let kind):
                guard let emulator else { break }
                emulator.change(position)
                switch kind {
                case .fire: log.fire(fault.id, at: now)
                case .heal: log.heal(fault.id, at: now)
                case .turn: break
                }
            // Only simulations can do these; a scenario that asks for them here was refused.
            case (.clog, _), (.resetStreams, _), (.reboot, _), (.crashAtWrite, _), (.slow, _),
                (.clock, _), (.disk, _), (.leader, _):
                break
            case (.crash, .turn), (.pause, .turn), (.boot, _):
                break
            }
        }
    }

    private mutating func crash(_ node: Int) {
        incarnations[node] += 1
        processors.interrupt(node)
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
