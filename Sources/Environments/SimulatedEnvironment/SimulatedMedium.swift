import Determinism
import HardwareModel
public import Machines
public import NetworkModel
import SimulationKernel
public import Units

/// The simulated world around the machines: carries out their actions on the event queue, the
/// network model and the hardware model.
///
/// It never calls a machine; what an action leads to arrives later as an event or as a network
/// output, which `Simulation` delivers.
public struct SimulatedMedium<Program: Machine>: Environment, ~Copyable {
    var queue: EventQueue<SimulationEvent>
    public internal(set) var network: Network
    let profile: HardwareProfile
    var nodes: [NodeState<Program>]
    /// Datagrams on their way, by network token.
    var datagrams = DatagramTable<Program.Message>()
    /// The stream that each connection carries, by connection slot.
    var carried: [Carried] = []
    /// Streams whose slot went to a new connection before all outputs of the old one were delivered;
    /// empty whenever no outputs wait.
    var replaced: [Carried] = []
    /// Facts that machines reported in the current step, for the run's observer.
    var emitted = MoveQueue<(event: Program.Event, node: NodeID)>()
    /// By link: the rate that faults have given it.
    var faultyRates: [FaultyRate?]
    var work = Stopwatch()
    /// The run's own time; `perform` hears the node's clock, which faults may shift.
    var now = Instant.zero

    /// A connection and the stream it carries. Kept here and not asked of the network, which forgets
    /// a connection when its second side ends, while the machines have yet to hear of it.
    struct Carried {
        let connection: ConnectionID
        let stream: StreamID
        let acceptor: NodeID

        /// What no connection is equal to.
        static var nothing: Carried {
            Carried(
                connection: ConnectionID(slot: .max, generation: .max),
                stream: StreamID(opener: NodeID(0), number: 0),
                acceptor: NodeID(0)
            )
        }

        func node(_ side: ConnectionSide) -> NodeID {
            switch side {
            case .opener: stream.opener
            case .acceptor: acceptor
            }
        }
    }

    init(
        topology: NetworkModel.Topology,
        parameters: TCPParameters,
        profile: HardwareProfile,
        seed: UInt64
    ) {
        queue = EventQueue(capacity: 4096)
        network = Network(topology: topology, seed: seed, parameters: parameters)
        faultyRates = Array(repeating: nil, count: network.linkCount)
        self.profile = profile
        nodes = topology.nodes.indices.map {
            NodeState(node: NodeID(UInt32($0)), profile: profile, seed: seed)
        }
    }

    public mutating func perform(
        _ action: consuming Action<Program>,
        on node: NodeID,
        at local: Instant
    ) {
        let index = Int(node.rawValue)
        switch consume action {
        case .send(let message, let peer):
            send(message, from: node, to: peer)
        case .setTimer(let timer, let due):
            setTimer(timer, on: index, due: due)
        case .cancelTimer(let timer):
            cancelTimer(timer, on: index)
        case .openStream(let stream, let peer, let options):
            open(stream, from: node, to: peer, options)
        case .write(let stream, let bytes):
            guard let connection = nodes[index].connections[stream] else { return }
            network.write(connection.id, connection.side, bytes, at: now, queue: &queue)
        case .grant(let stream, let count):
            guard let connection = nodes[index].connections[stream] else { return }
            network.grant(connection.id, connection.side, bytes: count, at: now, queue: &queue)
        case .finish(let stream):
            guard var connection = nodes[index].connections[stream] else { return }
            connection.hasFinished = true
            nodes[index].connections[stream] = connection.isOver ? nil : connection
            network.finish(connection.id, connection.side, at: now, queue: &queue)
        case .reset(let stream):
            guard let connection = nodes[index].connections.removeValue(forKey: stream) else {
                return
            }
            network.reset(connection.id, connection.side, at: now, queue: &queue)
        case .persist(let records, let id):
            let durable = persist(records, id, on: index)
            if !nodes[index].armed.isEmpty { noteWrite(durableAt: durable, on: index) }
        case .compute(let job, let id):
            compute(job, id, on: index)
        case .emit(let event):
            emitted.append((event, node))
        }
    }

    // MARK: Messages

    private mutating func send(
        _ message: consuming Program.Message,
        from node: NodeID,
        to peer: NodeID
    ) {
        let (token, size) = datagrams.insert(message, from: node)
        guard peer != node else {
            let event = LocalEvent(
                kind: LocalKind.loopback.rawValue,
                node: node.rawValue,
                first: token,
                second: nodes[Int(node.rawValue)].incarnation
            )
            schedule(event, at: now, on: Int(node.rawValue))
            return
        }
        network.sendDatagram(
            from: node,
            to: peer,
            size: ByteCount(size),
            token: token,
            at: now,
            queue: &queue
        )
    }

    // MARK: Timers

    private mutating func setTimer(_ timer: Program.Timer, on index: Int, due: Instant) {
        if let slot = nodes[index].timers.slot(of: timer) {
            queue.cancel(nodes[index].timers[slot].token)
            nodes[index].timers[slot].due = due
            scheduleTimer(slot, on: index)
            return
        }
        let slot = nodes[index].timers.insert(timer, due: due)
        scheduleTimer(slot, on: index)
    }

    /// Schedules a timer for when the node's own clock will show that it is due.
    mutating func scheduleTimer(_ slot: UInt32, on index: Int) {
        let due = nodes[index].timers[slot].due
        // Apart: a node's state would be copied.
        let clock = nodes[index].clock
        guard let time = clock.time(of: due, from: now) else {
            nodes[index].timers[slot].token = .none
            return
        }
        let event = timerEvent(slot, on: index)
        nodes[index].timers[slot].token = schedule(event, at: time, on: index)
    }

    private func timerEvent(_ slot: UInt32, on index: Int) -> LocalEvent {
        LocalEvent(
            kind: LocalKind.timer.rawValue,
            node: UInt32(index),
            first: slot,
            second: nodes[index].incarnation
        )
    }

    private mutating func cancelTimer(_ timer: Program.Timer, on index: Int) {
        guard let slot = nodes[index].timers.slot(of: timer) else { return }
        queue.cancel(nodes[index].timers.take(slot).token)
    }

    // MARK: Durability and work

    private mutating func compute(_ job: Program.Job, _ id: JobID, on index: Int) {
        work.start()
        let output = job.run()
        work.stop()
        var duration = profile.duration(of: job.cost(of: output))
        if !nodes[index].slowBy.isEmpty { duration = slowed(duration, on: index) }
        let slot = nodes[index].cores.schedule(ready: now, duration: duration)
        let entry = nodes[index].jobs.insert((id, output, .none))
        let event = LocalEvent(
            kind: LocalKind.job.rawValue,
            node: UInt32(index),
            first: entry,
            second: nodes[index].incarnation
        )
        nodes[index].jobs[entry].token = schedule(event, at: slot.finish, on: index)
    }

    // MARK: Streams

    private mutating func open(
        _ stream: StreamID,
        from node: NodeID,
        to peer: NodeID,
        _ options: StreamOptions
    ) {
        precondition(stream.opener == node, "\(node) opens a stream named by \(stream.opener)")
        precondition(peer != node, "\(node) opens a stream to itself")
        precondition(
            nodes[Int(node.rawValue)].connections[stream] == nil,
            "\(node) opens stream \(stream.number) twice"
        )
        let connection = network.open(from: node, to: peer, options, at: now, queue: &queue)
        let entry = Carried(connection: connection, stream: stream, acceptor: peer)
        let slot = Int(connection.slot)
        if slot < carried.count {
            if !network.outputs.isEmpty { replaced.append(carried[slot]) }
            carried[slot] = entry
        } else {
            // Slots in between are those of others' flows.
            while carried.count < slot { carried.append(.nothing) }
            carried.append(entry)
        }
        nodes[Int(node.rawValue)].connections[stream] = NodeState.Connection(
            id: connection,
            side: .opener
        )
    }

    /// What a connection carries, also when it has just ended.
    func carried(_ connection: ConnectionID) -> Carried {
        let current = carried[Int(connection.slot)]
        if current.connection == connection { return current }
        guard let old = replaced.last(where: { $0.connection == connection }) else {
            preconditionFailure("connection \(connection) carries no stream")
        }
        return old
    }

    /// The stream and node that a fact about a connection concerns; `nil` once the machine there has
    /// reset the stream, or both sides have finished it.
    func place(
        of connection: ConnectionID,
        _ side: ConnectionSide
    ) -> (stream: StreamID, node: Int)? {
        let entry = carried(connection)
        let index = Int(entry.node(side).rawValue)
        let isLiving = nodes[index].connections[entry.stream]?.id == connection
        return isLiving ? (entry.stream, index) : nil
    }

    /// The peer sends nothing more; with our own side finished too, the stream is over.
    mutating func notePeerFinished(_ stream: StreamID, on index: Int) {
        guard var connection = nodes[index].connections[stream] else { return }
        connection.hasPeerFinished = true
        nodes[index].connections[stream] = connection.isOver ? nil : connection
    }

    /// Ends a stream whose name its opener uses again; `false` when there is none.
    mutating func abandon(_ stream: StreamID, on index: Int) -> Bool {
        guard let connection = nodes[index].connections.removeValue(forKey: stream) else {
            return false
        }
        network.reset(connection.id, connection.side, at: now, queue: &queue)
        return true
    }

    /// What a node that goes on is to hear; `nil` for a timer that is no longer due.
    mutating func input(for held: NodeState<Program>.Held, on index: Int) -> Input<Program>? {
        switch held {
        case .input(.writable(let stream, let credit)):
            // What came before it may have been answered with writes: only what is left is told.
            guard let connection = nodes[index].connections[stream] else {
                return .writable(stream, credit: credit)
            }
            let left = network.credit(connection.id, connection.side)
            return .writable(stream, credit: left)
        case .input(let input):
            return input
        case .timer(let slot, let token):
            guard nodes[index].timers.value(at: slot)?.token == token else { return nil }
            return .fired(nodes[index].timers.take(slot).timer)
        }
    }

    // MARK: Events

    @discardableResult
    mutating func schedule(_ event: LocalEvent, at time: Instant, on index: Int) -> EventToken {
        queue.schedule(.local(event), at: time, from: &nodes[index].origin)
    }

    /// Forgets everything that dies with a node's process.
    ///
    /// - Parameters:
    ///   - silently: nobody is told.
    ///   - tearing: a part of what is being written may be kept, as when writing has just failed.
    mutating func crash(_ node: NodeID, silently: Bool = false, tearing: Bool = false) {
        let index = Int(node.rawValue)
        nodes[index].loseUnsynced(tearing: tearing)
        for slot in nodes[index].timers.occupied {
            queue.cancel(nodes[index].timers.take(slot).token)
        }
        for slot in nodes[index].jobs.occupied {
            queue.cancel(nodes[index].jobs.take(slot).token)
        }
        for slot in nodes[index].writing.occupied {
            queue.cancel(nodes[index].writing.take(slot).token)
        }
        nodes[index].cores.drop(at: now)
        nodes[index].disk.drop(at: now)
        nodes[index].connections = [:]
        nodes[index].held = []
        nodes[index].pausedBy = []
        nodes[index].isBusy = false
        nodes[index].incarnation += 1
        network.dropNode(node, silently: silently, at: now, queue: &queue)
    }
}
