import Effects
import Foundation
import HardwareModel
import HostEffects
import LinkModel
import Machines
import NIOCore
import NIOPosix
import NetworkModel
import NodePlatform
import RDMAEnvironment
import SimulatedEnvironment
import SimulationKernel
import SocketEnvironment
import Synchronization
import Testing
import Units

/// Where a play runs.
enum Arm: String, CaseIterable, Sendable {
    case simulated
    /// Simulated, with streams over modelled RDMA links.
    case simulatedRDMA = "simulated RDMA"
    case sockets
    /// Sockets whose streams go over TLS.
    case tls
    /// Sockets whose streams go over RDMA.
    case rdma

    /// Those of this machine: RDMA needs a device, which `scripts/softroce-vm` brings along.
    static let allCases: [Arm] =
        [.simulated, .simulatedRDMA, .sockets, .tls]
        + (RDMASupport.current.isUsable ? [.rdma] : [])
}

/// A fact that happened in a play.
struct Entry<Event: Sendable>: Sendable {
    let event: Event
    let node: NodeID
    let time: Instant
}

/// Something done to the nodes of a play as soon as its story says so; a restart follows the crash
/// of its node.
struct Incident<Event: Sendable>: Sendable {
    enum Change: Sendable {
        case crash(NodeID)
        case restart(NodeID)
        /// On RDMA alone: queue pairs of the node go to their error state.
        case breakLinks(NodeID)
        /// On RDMA alone: the node's device fails for good.
        case failDevice(NodeID)
        /// On sockets alone: the node is kept from others, or from nobody any more.
        case part(NodeID, Parting)
    }

    let change: Change
    let condition: @Sendable ([Entry<Event>]) -> Bool

    static func crash(
        _ node: UInt32,
        when condition: @escaping @Sendable ([Entry<Event>]) -> Bool
    ) -> Incident {
        Incident(change: .crash(NodeID(node)), condition: condition)
    }

    static func restart(
        _ node: UInt32,
        when condition: @escaping @Sendable ([Entry<Event>]) -> Bool
    ) -> Incident {
        Incident(change: .restart(NodeID(node)), condition: condition)
    }
}

/// Machines on a few nodes, what is done to them, and what they must come to.
struct Play<Program: Machine>: Sendable {
    typealias Story = [Entry<Program.Event>]

    var nodes = 2
    var incidents: [Incident<Program.Event>] = []
    /// Longest duration: virtual time; at least a minute of real time on sockets.
    var limit = Interval.seconds(8)
    var machine: @Sendable (Birth<Program>) -> Program
    var until: @Sendable (Story) -> Bool

    /// Plays it; records an issue when its end is not reached in time.
    func run(on arm: Arm, location: SourceLocation = #_sourceLocation) async throws -> Story {
        try await performance(on: arm, location: location).story
    }

    /// The same, with the number of streams that went over RDMA, counted by their openers.
    func performance(
        on arm: Arm,
        location: SourceLocation = #_sourceLocation
    ) async throws -> (story: Story, carried: Int) {
        var carried = 0
        let (story, isComplete): (Story, Bool)
        switch arm {
        case .simulated: (story, isComplete) = simulated()
        case .simulatedRDMA: (story, isComplete) = simulated(local: .overRDMA)
        case .sockets, .tls, .rdma:
            let theatre = try SocketTheatre(self, on: arm)
            (story, isComplete) = try await theatre.run()
            carried = await theatre.carried
        }
        let tail = story.suffix(12).map { "\($0.time) \($0.node): \($0.event)" }
        #expect(
            isComplete,
            "not finished on \(arm), last: \(tail.joined(separator: "\n"))",
            sourceLocation: location
        )
        return (story, carried)
    }

    // MARK: Simulated

    /// Finds out when each incident is due by playing up to it, then plays on with it.
    private func simulated(local: LinkParameters = .datacenter) -> (Story, Bool) {
        var faults: [SimulationPlan.ScheduledFault] = []
        var past: Story = []
        for (index, incident) in incidents.enumerated() {
            var due = (faults.last?.at ?? .zero) + .milliseconds(1)
            if index == 0 || !incident.condition(past) {
                let prefix = simulate(faults, local: local, until: incident.condition)
                guard prefix.isComplete else { return (prefix.story, false) }
                past = prefix.story
                due = prefix.end + .nanoseconds(1)
            }
            let (number, phase, change): (Int, SimulationPlan.FaultPhase, WorldFault) =
                switch incident.change {
                case .crash(let node): (index, .fired, .crash([node]))
                case .restart(let node): (index - 1, .healed, .restart([node]))
                case .breakLinks, .failDevice: preconditionFailure("there is no device here")
                case .part: preconditionFailure("simulated networks are parted themselves")
                }
            faults.append(
                SimulationPlan.ScheduledFault(number: number, at: due, phase: phase, change: change)
            )
        }
        let whole = simulate(faults, local: local, until: until)
        return (whole.story, whole.isComplete)
    }

    private func simulate(
        _ faults: [SimulationPlan.ScheduledFault],
        local: LinkParameters,
        until condition: @escaping @Sendable (Story) -> Bool
    ) -> (story: Story, isComplete: Bool, end: Instant) {
        let plan = SimulationPlan(
            topology: Topology(
                regionCount: 1,
                nodes: Array(repeating: RegionID(0), count: nodes),
                links: [],
                local: local
            ),
            profile: .forTests,
            seed: 5,
            limits: RunLimits(time: .zero + limit),
            checksInvariants: true,
            faults: faults
        )
        let observer = StoryObserver<Program>(condition: condition)
        var simulation = Simulation(plan, observer: observer, machine: machine)
        let end = simulation.run()
        return (simulation.observer.story, end == nil, simulation.now)
    }
}

extension LinkParameters {
    /// A site whose streams go over RDMA, with a lossless queue.
    static let overRDMA: LinkParameters = {
        var parameters = LinkParameters.datacenter
        let pause = PriorityPause(stop: .kibibytes(256), resume: .kibibytes(128))
        parameters.rdma = RDMAParameters(pause: pause)
        return parameters
    }()
}

extension HardwareProfile {
    /// Round figures.
    static let forTests = HardwareProfile(
        name: "tests",
        measured: Provenance(machine: "none", date: "2026-11-22", method: "chosen"),
        cores: 2,
        speeds: Speeds { _ in 1_000 },
        disk: Disk(write: 500, fsync: .milliseconds(1))
    )
}

private struct StoryObserver<Program: Machine>: RunObserver {
    let condition: @Sendable ([Entry<Program.Event>]) -> Bool
    var story: [Entry<Program.Event>] = []
    private(set) var isFinished = false

    init(condition: @escaping @Sendable ([Entry<Program.Event>]) -> Bool) {
        self.condition = condition
    }

    mutating func observe(_ event: Program.Event, on node: NodeID, at time: Instant) {
        story.append(Entry(event: event, node: node, time: time))
        if !isFinished { isFinished = condition(story) }
    }
}

/// The nodes of a play on real sockets, all in this process.
private actor SocketTheatre<Program: Machine> {
    private let play: Play<Program>
    private let arm: Arm
    private var carriers: [RDMACarrier?] = []
    private var earlierCarriers: [RDMACarrier] = []
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
    private let folder: URL
    private let chronicle = Chronicle<Program.Event>()
    private var nodes: [SocketNode<Program>?] = []
    private var addresses: [NodeAddress] = []
    private var incarnations: [UInt32]
    private let origin = MonotonicClock.nanoseconds + 20_000_000
    private let authority: EphemeralAuthority?

    init(_ play: Play<Program>, on arm: Arm) throws {
        self.play = play
        self.arm = arm
        carriers = Array(repeating: nil, count: play.nodes)
        incarnations = Array(repeating: 0, count: play.nodes)
        let now = WallTime(unixSeconds: Int64(Date.now.timeIntervalSince1970))
        authority =
            arm == .tls
            ? try EphemeralAuthority(HostSecrets(), from: now, lifetime: .seconds(3600)) : nil
        folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    /// Streams that went over RDMA.
    var carried: Int {
        (carriers.compactMap { $0 } + earlierCarriers).reduce(0) { $0 + $1.streamCount }
    }

    func run() async throws -> ([Entry<Program.Event>], Bool) {
        defer { try? FileManager.default.removeItem(at: folder) }
        for index in 0..<play.nodes {
            let node = try make(index)
            nodes.append(node)
            addresses.append(try await node.bind())
        }
        for index in nodes.indices { start(index) }
        // Only against hangs: an interpreted machine takes many times as long.
        let limit = TimeAmount.nanoseconds(max(play.limit, .seconds(60)).nanoseconds)
        let timeout = group.next().scheduleTask(in: limit) { [chronicle] in chronicle.close() }
        var isComplete = true
        for incident in play.incidents where isComplete {
            isComplete = await chronicle.wait(until: incident.condition)
            switch incident.change {
            case .crash(let node): await crash(Int(node.rawValue))
            case .restart(let node): try await restart(Int(node.rawValue))
            case .breakLinks(let node): await carriers[Int(node.rawValue)]?.breakLinks()
            case .failDevice(let node): await carriers[Int(node.rawValue)]?.failDevice()
            case .part(let node, let parting): nodes[Int(node.rawValue)]?.part(parting)
            }
        }
        if isComplete { isComplete = await chronicle.wait(until: play.until) }
        timeout.cancel()
        chronicle.close()
        for node in nodes { await node?.stop() }
        try await group.shutdownGracefully()
        return (chronicle.story, isComplete)
    }

    private func make(_ index: Int) throws -> SocketNode<Program> {
        let id = NodeID(UInt32(index))
        if let earlier = carriers[index] { earlierCarriers.append(earlier) }
        carriers[index] = arm == .rdma ? try RDMACarrier(for: id) : nil
        return try SocketNode<Program>(
            node: id,
            on: group,
            carrier: carriers[index],
            security: authority.map {
                try StreamSecurity(
                    $0.identity(named: StreamSecurity.name(of: id)),
                    names: .numbered
                )
            },
            journalPath: folder.appending(path: "\(index).journal").path,
            workers: 1,
            machine: play.machine,
            observe: { [chronicle] event, time in
                chronicle.append(Entry(event: event, node: id, time: time))
            },
            fail: { Issue.record("\($0)") }
        )
    }

    private func start(_ index: Int) {
        nodes[index]?.start(
            peers: addresses,
            origin: origin,
            incarnation: incarnations[index],
            seed: 5
        )
    }

    private func crash(_ index: Int) async {
        await nodes[index]?.stop()
        nodes[index] = nil
        incarnations[index] += 1
    }

    private func restart(_ index: Int) async throws {
        let node = try make(index)
        nodes[index] = node
        addresses[index] = try await node.bind()
        for other in nodes { other?.update(peers: addresses) }
        start(index)
    }
}

/// What happened on all nodes of a socket play, in the order in which it was told.
private final class Chronicle<Event: Sendable>: Sendable {
    private struct State {
        var story: [Entry<Event>] = []
        var isClosed = false
        var waiting: (condition: @Sendable ([Entry<Event>]) -> Bool, promise: Continuation)?
    }
    private typealias Continuation = CheckedContinuation<Bool, Never>

    private let state = Mutex(State())

    var story: [Entry<Event>] { state.withLock { $0.story } }

    func append(_ entry: Entry<Event>) {
        state.withLock { state in
            guard !state.isClosed else { return }
            state.story.append(entry)
            guard let waiting = state.waiting, waiting.condition(state.story) else { return }
            state.waiting = nil
            waiting.promise.resume(returning: true)
        }
    }

    /// Whether the condition came true before the chronicle was closed.
    func wait(until condition: @escaping @Sendable ([Entry<Event>]) -> Bool) async -> Bool {
        await withCheckedContinuation { continuation in
            state.withLock { state in
                if condition(state.story) || state.isClosed {
                    continuation.resume(returning: condition(state.story))
                } else {
                    state.waiting = (condition, continuation)
                }
            }
        }
    }

    func close() {
        state.withLock { state in
            state.isClosed = true
            state.waiting?.promise.resume(returning: false)
            state.waiting = nil
        }
    }
}
