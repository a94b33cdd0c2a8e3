public import Determinism
public import HardwareModel
import LinkModel
public import Machines
public import NetworkModel
public import SimulationKernel
public import Units

/// What a simulation is made of.
public struct SimulationPlan: Sendable {
    public var topology: NetworkModel.Topology
    /// How the nodes' TCP behaves.
    public var tcp = TCPParameters.linux
    public var profile: HardwareProfile
    public var seed: UInt64
    public var limits: RunLimits
    /// Whether machines check their invariants after every step.
    public var checksInvariants: Bool
    /// The distance of samples and of fingerprint checkpoints to begin with; it doubles as needed.
    public var sampling: Interval
    public var faults: [ScheduledFault]
    /// How machines' biased points strike; `nil` for not at all.
    public var biasedPoints: BiasedPoints.Chances?

    /// A change to the world at a time. `number` names the fault, whose beginning and end are two
    /// changes, and comes back in the log.
    public struct ScheduledFault: Sendable {
        public var number: Int
        public var at: Instant
        public var phase: FaultPhase
        public var change: WorldFault

        public init(number: Int, at: Instant, phase: FaultPhase, change: WorldFault) {
            self.number = number
            self.at = at
            self.phase = phase
            self.change = change
        }
    }

    public enum FaultPhase: Hashable, Sendable {
        case fired
        case healed
        /// The fault goes on in another way; not logged.
        case changed
    }

    public init(
        topology: NetworkModel.Topology,
        profile: HardwareProfile,
        seed: UInt64,
        limits: RunLimits,
        checksInvariants: Bool = false,
        sampling: Interval = .milliseconds(100),
        faults: [ScheduledFault] = []
    ) {
        self.topology = topology
        self.profile = profile
        self.seed = seed
        self.limits = limits
        self.checksInvariants = checksInvariants
        self.sampling = sampling
        self.faults = faults
    }
}

/// One run of machines under virtual time.
///
/// Machines, network and hardware advance on one event queue; the same plan gives the same
/// fingerprint in every process. Use: make it, `run`, read the results.
public struct Simulation<Observer: RunObserver>: ~Copyable {
    public typealias Program = Observer.Program

    /// Sees every fact that the machines report.
    public internal(set) var observer: Observer
    public internal(set) var medium: SimulatedMedium<Program>
    public private(set) var samples: LinkSampler
    /// What flows of others brought and took; empty where there are none.
    public private(set) var crossSamples = CrossSampler()
    /// The run's fingerprint at sampling times.
    public private(set) var checkpoints: [(time: Instant, fingerprint: Fingerprint)] = []
    /// The changes that faults made, in order.
    public internal(set) var faultLog: [FaultLogEntry] = []
    /// What disk faults did to durable records, in order.
    public internal(set) var storageFacts: [StorageFact] = []
    /// How often a node was born again from what its disk held, and how often that kept it down.
    public internal(set) var recoveries: UInt64 = 0
    /// Processor seconds of the event loop without jobs, and of the jobs.
    public private(set) var kernelSeconds = 0.0
    public private(set) var workSeconds = 0.0

    let plan: SimulationPlan
    private let makeMachine: @Sendable (Birth<Program>) -> Program
    var hosts: [Host<Program>]
    var inputs: UInt64 = 0
    private var experiment = EventOrigin(EntityID(.experiment, 0))
    private var faultOrigin = EventOrigin(EntityID(.fault, 0))
    var linkFaults = LinkFaults()
    /// Whom faults that are aimed at an office found in it, by the fault's number.
    var struck: [Int: NodeID] = [:]
    /// What machines that died did with their biased points.
    var coverageOfPast: [BiasedPoints.Coverage] = []

    public init(
        _ plan: SimulationPlan,
        observer: Observer,
        machine: @escaping @Sendable (Birth<Program>) -> Program
    ) {
        self.plan = plan
        self.observer = observer
        makeMachine = machine
        medium = SimulatedMedium(
            topology: plan.topology,
            parameters: plan.tcp,
            profile: plan.profile,
            seed: plan.seed
        )
        samples = LinkSampler(interval: plan.sampling)
        hosts = plan.topology.nodes.indices.map {
            Host(node: NodeID(UInt32($0)), checksInvariants: plan.checksInvariants)
        }
    }

    /// The run's time: that of the latest event.
    public var now: Instant { medium.now }

    /// Inputs delivered to machines plus packets that left or arrived.
    public var events: UInt64 { inputs + medium.network.events }

    /// The digest of everything that happened so far: nodes in order, then the network.
    public var fingerprint: Fingerprint {
        var chain = HashChain()
        // By index: a copy of a node's state copies references to all that it holds.
        for index in medium.nodes.indices {
            chain.combine(medium.nodes[index].chain.fingerprint)
        }
        medium.network.combineFingerprint(into: &chain)
        return chain.fingerprint
    }

    /// Runs until the observer is content, nothing is left to happen, or a limit is reached.
    ///
    /// - Returns: Why it ended; `nil` when the observer said that the experiment is finished.
    public mutating func run(isCancelled: @escaping () -> Bool = { false }) -> RunEnd? {
        var control = RunControl(plan.limits, isCancelled: isCancelled)
        var loop = Stopwatch()
        loop.start()
        defer {
            loop.stop()
            workSeconds = medium.work.elapsed
            kernelSeconds = max(0, loop.elapsed - workSeconds)
        }
        start()
        while !observer.isFinished {
            guard let event = control.next(of: &medium.queue) else {
                if control.end == .reachedTime { medium.now = plan.limits.time }
                return control.end
            }
            medium.now = event.time
            observer.advance(to: event.time)
            switch event.payload {
            case .network(let happening):
                medium.network.handle(happening, at: event.time, queue: &medium.queue)
            case .local(let happening):
                handle(happening)
            }
            if !medium.network.outputs.isEmpty { drainNetwork() }
        }
        return nil
    }

    /// Lets every machine that lives tell what it has to say at the end; the fingerprint stays.
    public mutating func hearClosingEvents() {
        for index in hosts.indices {
            guard let machine = hosts[index].machine else { continue }
            for event in machine.closingEvents {
                observer.observe(event, on: NodeID(UInt32(index)), at: medium.now)
            }
        }
    }

    // MARK: Beginning

    private mutating func start() {
        for fault in plan.faults.indices {
            let event = LocalEvent(
                kind: LocalKind.fault.rawValue,
                node: 0,
                first: UInt32(fault)
            )
            medium.queue.schedule(.local(event), at: plan.faults[fault].at, from: &faultOrigin)
        }
        scheduleSample(at: .zero)
        medium.network.startCrossTraffic(queue: &medium.queue)
        for index in hosts.indices { boot(index, recovered: []) }
        drainNetwork()
    }

    mutating func boot(_ index: Int, recovered: [Program.Write]) {
        let birth = Birth<Program>(
            node: NodeID(UInt32(index)),
            incarnation: medium.nodes[index].incarnation,
            recovered: recovered,
            seed: plan.seed,
            points: .simulated(
                seed: plan.seed,
                node: NodeID(UInt32(index)),
                incarnation: medium.nodes[index].incarnation,
                chances: plan.biasedPoints
            )
        )
        inputs += 1
        medium.nodes[index].chain.combine(medium.now.nanoseconds)
        medium.nodes[index].chain.combine(InputKind.started.rawValue)
        if !medium.nodes[index].clock.isTrue { setClock(of: index) }
        hosts[index].start(makeMachine(birth), at: medium.now, in: &medium)
        drainEmitted()
    }

    // MARK: Local events

    private mutating func handle(_ event: LocalEvent) {
        let index = Int(event.node)
        switch LocalKind(rawValue: event.kind)! {
        case .timer:
            fire(event.first, on: index)
        case .job:
            let entry = medium.nodes[index].jobs.take(event.first)
            var chain = HashChain()
            Program.Job.digest(of: entry.output, into: &chain)
            deliver(
                .computed(entry.id, entry.output),
                .computed,
                digest: chain.fingerprint.low,
                to: index
            )
        case .write:
            finishWrite(event.first, on: index)
        case .loopback:
            guard event.second == medium.nodes[index].incarnation else {
                medium.datagrams.free(event.first)
                return
            }
            deliver(datagram: event.first, isLast: true, to: index)
        case .fault:
            carryOut(plan.faults[Int(event.first)])
        case .sample:
            sample()
        case .strike:
            strike(number: Int(event.first), on: index, incarnation: event.second)
        case .recovery:
            recover(index, number: Int(event.first))
        case .idle:
            if event.second == medium.nodes[index].incarnation { becomeIdle(index) }
        }
    }

    // MARK: Network outputs

    private mutating func drainNetwork() {
        var position = 0
        while position < medium.network.outputs.count {
            // Looked at in place first: most outputs are datagrams, and to copy one costs more than to see
            // what it is.
            if case .datagram(let token, let node) = medium.network.outputs[position] {
                position += 1
                deliver(datagram: token, isLast: true, to: Int(node.rawValue))
                continue
            }
            let output = medium.network.outputs[position]
            position += 1
            let isCross = medium.network.serveCrossTraffic(
                output,
                at: medium.now,
                queue: &medium.queue
            )
            if !isCross { handle(output) }
        }
        // One by one: as a rule there is one.
        while medium.network.outputs.popLast() != nil {}
        if !medium.replaced.isEmpty { medium.replaced.removeAll() }
    }

    private mutating func handle(_ output: NetworkOutput) {
        switch output {
        case .readable(let connection, let side, let bytes):
            guard let (stream, index) = medium.place(of: connection, side) else { return }
            medium.nodes[index].streamBytesReceived += UInt64(bytes.count)
            var chain = HashChain()
            if medium.network.isFluid(connection) {
                // Of the many bytes that a fluid brings at a time, its ends and their number.
                chain.combine(Int64(bytes.count))
                chain.combine(bytes: bytes.prefix(64))
                chain.combine(bytes: bytes.suffix(64))
            } else {
                chain.combine(bytes: bytes)
            }
            let digest = chain.fingerprint.low
            deliver(.readable(stream, bytes), .readable, digest: digest, to: index)
        case .writable(let connection, let side, _):
            deliverCredit(of: connection, side)
        case .path(let connection, let side, let sample):
            guard let (stream, index) = medium.place(of: connection, side) else { return }
            let digest = UInt64(bitPattern: sample.rtt.nanoseconds)
            deliver(.path(stream, sample), .path, digest: digest, to: index)
        case .opened(let connection, let side, _):
            opened(connection, side)
        case .finished(let connection, let side):
            guard let (stream, index) = medium.place(of: connection, side) else { return }
            medium.notePeerFinished(stream, on: index)
            deliver(.finished(stream), .finished, digest: UInt64(stream.number), to: index)
        case .reset(let connection, let side, let reason):
            guard let (stream, index) = medium.place(of: connection, side) else { return }
            medium.nodes[index].connections[stream] = nil
            deliver(.reset(stream, reason), .reset, digest: UInt64(stream.number), to: index)
        case .datagram:
            preconditionFailure("delivered by the caller")
        case .datagramCopied(let token, let node):
            deliver(datagram: token, isLast: false, to: Int(node.rawValue))
        case .datagramLost(let token):
            medium.datagrams.free(token)
        }
    }

    private mutating func opened(_ connection: ConnectionID, _ side: ConnectionSide) {
        let carried = medium.carried(connection)
        let stream = carried.stream
        let index = Int(carried.node(side).rawValue)
        let digest = UInt64(stream.number)
        switch side {
        case .opener:
            guard medium.place(of: connection, side) != nil else { return }
        case .acceptor:
            // An opener that lost its memory may use a name again before we hear of its crash.
            if medium.abandon(stream, on: index) {
                deliver(.reset(stream, .refused), .reset, digest: digest, to: index)
            }
            medium.nodes[index].connections[stream] = NodeState.Connection(
                id: connection,
                side: side
            )
        }
        let peer = carried.node(side.other)
        deliver(.streamOpened(stream, peer: peer), .streamOpened, digest: digest, to: index)
        deliverCredit(of: connection, side)
    }

    /// Tells a machine its credit as it is now: what it did with an input in between has changed
    /// what the network had put out.
    private mutating func deliverCredit(of connection: ConnectionID, _ side: ConnectionSide) {
        guard let (stream, index) = medium.place(of: connection, side) else { return }
        let credit = medium.network.credit(connection, side)
        deliver(.writable(stream, credit: credit), .writable, digest: UInt64(credit), to: index)
    }

    // MARK: Delivery

    /// Delivers the message that a datagram brought, decoded from the bytes that crossed the network.
    ///
    /// - Parameter isLast: whether no copy of it is still on its way.
    private mutating func deliver(datagram token: UInt32, isLast: Bool, to index: Int) {
        let sender = medium.datagrams.sender(of: token)
        let (message, digest) = medium.datagrams.opened(token)
        if isLast { medium.datagrams.free(token) }
        deliver(
            .received(consume message, from: sender),
            .received,
            digest: digest,
            to: index
        )
    }

    mutating func deliver(
        _ input: consuming Input<Program>,
        _ kind: InputKind,
        digest: UInt64,
        to index: Int
    ) {
        guard hosts[index].isRunning else { return }
        mix(kind, digest: digest, into: index)
        if medium.nodes[index].isPaused {
            medium.nodes[index].held.append(.input(input))
            return
        }
        step(input, on: index)
    }

    /// Gives a node that can take it one input.
    @inline(__always)
    mutating func step(_ input: consuming Input<Program>, on index: Int) {
        inputs += 1
        if medium.nodes[index].isAffected { prepareStep(on: index) }
        hosts[index].deliver(input, at: medium.now, in: &medium)
        if !medium.emitted.isEmpty { drainEmitted() }
    }

    private mutating func mix(_ kind: InputKind, digest: UInt64, into index: Int) {
        medium.nodes[index].chain.combine(medium.now.nanoseconds)
        medium.nodes[index].chain.combine(kind.rawValue ^ digest << 8)
    }

    /// A timer came due. On a paused node it stays set until the node goes on, so that it can still
    /// be cancelled or moved by what is delivered before it.
    private mutating func fire(_ slot: UInt32, on index: Int) {
        guard !medium.nodes[index].isPaused else {
            mix(.fired, digest: UInt64(slot), into: index)
            let token = medium.nodes[index].timers[slot].token
            medium.nodes[index].held.append(.timer(slot: slot, token: token))
            return
        }
        let entry = medium.nodes[index].timers.take(slot)
        deliver(.fired(entry.timer), .fired, digest: UInt64(slot), to: index)
    }

    mutating func drainEmitted() {
        while let (event, node) = medium.emitted.popFirst() {
            observer.observe(event, on: node, at: medium.now)
        }
    }

    // MARK: Sampling

    private mutating func scheduleSample(at time: Instant) {
        let event = LocalEvent(kind: LocalKind.sample.rawValue, node: 0)
        medium.queue.schedule(.local(event), at: time, from: &experiment)
    }

    private mutating func sample() {
        // Nothing but samples is left: the run is over, and sampling must not keep it alive.
        let isLast = medium.queue.isEmpty
        let row = (0..<medium.network.linkCount).map { index in
            let totals = medium.network.totals(LinkID(UInt32(index)), at: medium.now)
            return LinkSample(
                departedBytes: totals.departedBytes,
                droppedPackets: totals.dropped,
                queue: totals.queue
            )
        }
        var received: [UInt64] = []
        received.reserveCapacity(medium.nodes.count)
        for index in medium.nodes.indices {
            received.append(medium.nodes[index].streamBytesReceived)
        }
        samples.append(at: medium.now, links: row, received: received)
        let flows = medium.network.crossFlows
        if !flows.isEmpty {
            let carried = row.indices.map { medium.network.crossBytes(LinkID(UInt32($0))) }
            crossSamples.append(
                at: medium.now,
                received: flows.map { UInt64($0.received) },
                carried: carried
            )
        }
        checkpoint()
        if !isLast { scheduleSample(at: medium.now + samples.interval) }
    }

    private mutating func checkpoint() {
        checkpoints.append((medium.now, fingerprint))
        guard checkpoints.count > LinkSampler.limit else { return }
        checkpoints = stride(from: 0, to: checkpoints.count, by: 2).map { checkpoints[$0] }
    }
}

/// When a fault began or ended.
public struct FaultLogEntry: Hashable, Sendable {
    public let number: Int
    public let phase: SimulationPlan.FaultPhase
    public let time: Instant
    /// Whom it found leading, where it was aimed at the leader.
    public var victim: NodeID?
}

/// The kind of an input as it enters a node's fingerprint; the values never change.
enum InputKind: UInt64 {
    case started = 1
    case received = 2
    case fired = 3
    case persisted = 4
    case computed = 5
    case streamOpened = 6
    case writable = 7
    case readable = 8
    case finished = 9
    case reset = 10
    case path = 11
}
