import Determinism
public import Machines
public import Units

/// What the world between the machines does to them.
public struct WorldConditions: Sendable {
    /// One-way delay of each piece, drawn anew; bytes of one stream keep their order, streams do not.
    public var delay: ClosedRange<Interval> = .milliseconds(1)...(.milliseconds(10))
    /// What each node may send.
    public var rate: BitRate = .megabits(800)
    /// Pieces are cut at random, at most this long.
    public var sliceLimit = 4_000
    /// Bytes that a stream takes before they have arrived.
    public var sendBuffer = 100_000
    /// Bytes that a stream carries on average before it dies; zero for never.
    public var streamLife = ByteCount.zero
    /// Bytes on average between two flipped bits; zero for never.
    public var flipDistance = ByteCount.zero
    /// Chance that a datagram is lost.
    public var messageLoss = Ratio.zero
    /// Pieces are not cut, and longer ones never arrive: what is behind them does not either. As on a
    /// path that drops large packets and says nothing.
    public var blackHole: Int?
    /// Chance that the arrival of a piece tells its writer of the path: figures that mean nothing, for
    /// machines that must be right whatever is measured.
    public var sampleChance = Ratio.zero
    /// What such figures are drawn from; losses from zero on.
    public var sampleRoundTrip: ClosedRange<Interval> = .milliseconds(1)...(.milliseconds(40))
    public var sampleLoss = Ratio.percent(10)
    public var jobDelay: ClosedRange<Interval> = .zero...(.milliseconds(5))

    public init() {}
}

/// A small world in memory for property tests: streams that cut, delay and die at random, all drawn
/// from one seed.
///
/// It checks what an environment demands: no write beyond the credit, no write to a stream that the
/// machine knows to be gone, no stream number used twice.
public struct StreamWorld<Program: Machine> {
    public private(set) var hosts: [Host<Program>]
    public var medium: Medium<Program>
    public private(set) var steps = 0

    public init(
        nodes: Int,
        seed: UInt64,
        conditions: WorldConditions,
        checksInvariants: Bool = true
    ) {
        hosts = (0..<nodes).map {
            Host(node: NodeID(UInt32($0)), checksInvariants: checksInvariants)
        }
        medium = Medium(nodes: nodes, seed: seed, conditions: conditions)
    }

    public var now: Instant { medium.now }
    public var events: [(at: Instant, node: NodeID, event: Program.Event)] { medium.events }

    public mutating func start(_ node: NodeID, _ machine: Program) {
        medium.started(node)
        hosts[Int(node.rawValue)].start(machine, at: now, in: &medium)
    }

    public mutating func crash(_ node: NodeID) {
        hosts[Int(node.rawValue)].crash()
        medium.crashed(node)
    }

    /// Lets the node's clock jump.
    public mutating func moveClock(of node: NodeID, by jump: Interval) {
        hosts[Int(node.rawValue)].clockOffset = hosts[Int(node.rawValue)].clockOffset + jump
    }

    public mutating func request(_ node: NodeID, _ request: Program.Request) {
        hosts[Int(node.rawValue)].deliver(.requested(request), at: now, in: &medium)
    }

    /// Runs until nothing is left to happen, the time is reached or so many steps were made; `true`
    /// when nothing is left.
    @discardableResult
    public mutating func run(until end: Instant, stepLimit: Int = 2_000_000) -> Bool {
        while let time = medium.nextTime, time <= end {
            steps += 1
            guard steps <= stepLimit else { return false }
            guard let (node, input) = medium.popNext() else { continue }
            hosts[Int(node.rawValue)].deliver(input, at: medium.now, in: &medium)
        }
        if medium.nextTime != nil { medium.now = max(medium.now, end) }
        return medium.nextTime == nil
    }
}

/// The environment of a `StreamWorld`.
public struct Medium<Program: Machine>: Environment {
    public var conditions: WorldConditions
    public internal(set) var now = Instant.zero
    public private(set) var events: [(at: Instant, node: NodeID, event: Program.Event)] = []
    /// Streams that died by chance.
    public private(set) var deaths = 0
    public private(set) var openedStreams = 0

    private var random: SeededRandom
    private var queue = Agenda<Entry>()
    private var incarnations: [UInt32]
    private var isDown: [Bool]
    private var linkFree: [Instant]
    private var timers: [Program.Timer: [NodeID: UInt64]] = [:]
    private var timerCount: UInt64 = 0
    private var streams: [StreamID: Pipe] = [:]

    private enum Entry {
        case input(NodeID, UInt32, Input<Program>)
        case timer(NodeID, UInt32, Program.Timer, UInt64)
        /// A stream end becomes usable.
        case opened(StreamID, NodeID)
        /// Tells a writer its credit as it is when told, so that no write in between is counted twice.
        case credit(StreamID, NodeID)
        /// Time to put the next piece of that side's bytes on the way.
        case cut(StreamID, from: NodeID)
        case arrival(StreamID, from: NodeID, Bytes)
        case sample(StreamID, NodeID, PathSample)
        case ended(StreamID, from: NodeID)
        case gone(StreamID, at: NodeID, StreamResetReason)
    }

    init(
        nodes: Int,
        seed: UInt64,
        conditions: WorldConditions,
        checksInvariants: Bool = true
    ) {
        self.conditions = conditions
        random = SeededRandom(
            seed: seed,
            entity: EntityID(.experiment, 0),
            purpose: "stream world"
        )
        incarnations = Array(repeating: 0, count: nodes)
        isDown = Array(repeating: true, count: nodes)
        linkFree = Array(repeating: .zero, count: nodes)
    }

    var nextTime: Instant? { queue.nextTime }

    public mutating func perform(_ action: Action<Program>, on node: NodeID, at clock: Instant) {
        switch action {
        case .send(let message, let peer):
            let isLost = random.chance(conditions.messageLoss)
            if !isLost { later(.input(peer, incarnation(peer), .received(message, from: node))) }
        case .setTimer(let timer, let time):
            timerCount += 1
            timers[timer, default: [:]][node] = timerCount
            let entry = Entry.timer(node, incarnation(node), timer, timerCount)
            // The machine speaks of its own clock.
            queue.add(entry, at: now + max(.zero, time - clock))
        case .cancelTimer(let timer):
            timers[timer]?[node] = nil
        case .openStream(let id, let peer, let options):
            open(id, to: peer, options)
        case .write(let id, let bytes):
            write(id, bytes, from: node)
        case .grant(let id, let bytes):
            grant(id, bytes, to: node)
        case .finish(let id):
            finish(id, from: node)
        case .reset(let id):
            kill(id, from: node)
        case .persist(_, let id):
            later(.input(node, incarnation(node), .persisted(id)))
        case .compute(let job, let id):
            let delay = random.interval(in: conditions.jobDelay)
            queue.add(
                .input(node, incarnation(node), .computed(id, job.run())),
                at: now + delay
            )
        case .emit(let event):
            events.append((now, node, event))
        }
    }

    /// Takes the next entry; `nil` when it concerned only the world itself.
    mutating func popNext() -> (NodeID, Input<Program>)? {
        guard let (time, entry) = queue.pop() else { return nil }
        now = time
        switch entry {
        case .input(let node, let life, let input):
            return life == incarnation(node) ? (node, input) : nil
        case .timer(let node, let life, let timer, let count):
            guard life == incarnation(node), timers[timer]?[node] == count else { return nil }
            timers[timer]?[node] = nil
            return (node, .fired(timer))
        case .opened(let id, let node):
            guard streams[id]!.end(node).isUsable else { return nil }
            guard !isDown[Int(node.rawValue)] else {
                kill(id, from: node, reason: .refused)
                return nil
            }
            queue.add(.credit(id, node), at: now)
            return (node, .streamOpened(id, peer: streams[id]!.other(node)))
        case .credit(let id, let node):
            let end = streams[id]!.end(node)
            guard end.isUsable, !end.isFinished else { return nil }
            return (node, .writable(id, credit: conditions.sendBuffer - end.unarrived))
        case .cut(let id, let node):
            cut(id, from: node)
            return nil
        case .arrival(let id, let node, let bytes):
            return arrive(id, bytes, from: node)
        case .sample(let id, let node, let sample):
            return streams[id]!.end(node).isUsable ? (node, .path(id, sample)) : nil
        case .ended(let id, let node):
            let peer = streams[id]!.other(node)
            return streams[id]!.end(peer).isUsable ? (peer, .finished(id)) : nil
        case .gone(let id, let node, let reason):
            guard streams[id]!.end(node).isUsable else { return nil }
            streams[id]!.change(node) { $0.isUsable = false }
            return (node, .reset(id, reason))
        }
    }

    mutating func started(_ node: NodeID) { isDown[Int(node.rawValue)] = false }

    mutating func crashed(_ node: NodeID) {
        isDown[Int(node.rawValue)] = true
        incarnations[Int(node.rawValue)] += 1
        for id in streams.keys.sorted() where streams[id]!.touches(node) {
            kill(id, from: node, reason: .refused)
        }
    }

    /// Resets a stream as a failing network does.
    public mutating func breakStream(_ id: StreamID) {
        guard let pipe = streams[id], !pipe.isBroken else { return }
        deaths += 1
        streams[id]!.isBroken = true
        for node in [pipe.opener, pipe.accepter] {
            queue.add(.gone(id, at: node, .failed), at: now + random.interval(in: conditions.delay))
        }
    }

    public var liveStreams: [StreamID] {
        streams.keys.sorted().filter {
            !streams[$0]!.isBroken && streams[$0]!.ends.0.isUsable && streams[$0]!.ends.1.isUsable
        }
    }

    private func incarnation(_ node: NodeID) -> UInt32 { incarnations[Int(node.rawValue)] }

    private mutating func later(_ entry: Entry) {
        queue.add(entry, at: now + random.interval(in: conditions.delay))
    }
}

extension Medium {
    private mutating func open(_ id: StreamID, to peer: NodeID, _ options: StreamOptions) {
        precondition(streams[id] == nil, "stream \(id) is opened twice")
        openedStreams += 1
        streams[id] = Pipe(opener: id.opener, accepter: peer, credit: options.receiveCredit)
        let there = now + random.interval(in: conditions.delay)
        queue.add(.opened(id, peer), at: there)
        queue.add(.opened(id, id.opener), at: there + random.interval(in: conditions.delay))
    }

    private mutating func write(_ id: StreamID, _ bytes: Bytes, from node: NodeID) {
        guard let pipe = streams[id] else { preconditionFailure("unknown stream \(id)") }
        let end = pipe.end(node)
        precondition(end.isUsable, "\(node) writes to \(id), which it knows to be gone")
        precondition(!end.isFinished, "\(node) writes to \(id) after finishing it")
        precondition(!bytes.isEmpty, "an empty write")
        precondition(
            end.unarrived + bytes.count <= conditions.sendBuffer,
            "\(node) writes \(bytes.count) beyond the credit of \(id)"
        )
        streams[id]!.change(node) {
            $0.queued.append(bytes)
            $0.unarrived += bytes.count
        }
        wake(id, node)
    }

    private mutating func grant(_ id: StreamID, _ bytes: Int, to node: NodeID) {
        guard let pipe = streams[id], pipe.end(node).isUsable else {
            preconditionFailure("\(node) grants on \(id), which it knows to be gone")
        }
        let peer = pipe.other(node)
        streams[id]!.change(peer) { $0.sendCredit += bytes }
        wake(id, peer)
    }

    private mutating func finish(_ id: StreamID, from node: NodeID) {
        precondition(streams[id]?.end(node).isUsable == true, "\(node) finishes a gone \(id)")
        streams[id]!.change(node) { $0.isFinished = true }
        wake(id, node)
    }

    private mutating func kill(
        _ id: StreamID,
        from node: NodeID,
        reason: StreamResetReason = .byPeer
    ) {
        guard let pipe = streams[id] else { preconditionFailure("unknown stream \(id)") }
        streams[id]!.change(node) { $0.isUsable = false }
        streams[id]!.isBroken = true
        queue.add(
            .gone(id, at: pipe.other(node), reason),
            at: now + random.interval(in: conditions.delay)
        )
    }

    private mutating func wake(_ id: StreamID, _ node: NodeID) {
        guard !streams[id]!.end(node).isCutting else { return }
        streams[id]!.change(node) { $0.isCutting = true }
        queue.add(.cut(id, from: node), at: now)
    }

    /// Puts one piece on the way, and comes back when the link is free again.
    private mutating func cut(_ id: StreamID, from node: NodeID) {
        streams[id]!.change(node) { $0.isCutting = false }
        let pipe = streams[id]!
        let end = pipe.end(node)
        guard !pipe.isBroken else { return }
        guard let first = end.queued.first else {
            if end.isFinished, !end.isEndSent {
                streams[id]!.change(node) { $0.isEndSent = true }
                queue.add(.ended(id, from: node), at: max(now, end.lastArrival))
            }
            return
        }
        if let hole = conditions.blackHole, first.count > hole { return }
        let limit = min(conditions.sliceLimit, first.count, end.sendCredit)
        guard limit > 0 else { return }
        let count = Int(random.below(UInt64(limit))) + 1
        var piece = first.prefix(count)
        if happens(to: count, every: conditions.flipDistance) {
            var copy = [UInt8](piece)
            copy[Int(random.below(UInt64(count)))] ^= 1 << UInt8(random.below(8))
            piece = copy[...]
        }
        let index = Int(node.rawValue)
        linkFree[index] =
            max(now, linkFree[index]) + conditions.rate.serializationTime(of: ByteCount(count))
        let arrival = max(end.lastArrival, linkFree[index] + random.interval(in: conditions.delay))
        streams[id]!.change(node) {
            $0.sendCredit -= count
            $0.lastArrival = arrival
            $0.isCutting = true
            if count == first.count {
                $0.queued.removeFirst()
            } else {
                $0.queued[0] = first.dropFirst(count)
            }
        }
        queue.add(.arrival(id, from: node, piece), at: arrival)
        queue.add(.cut(id, from: node), at: linkFree[index])
    }

    private mutating func happens(to bytes: Int, every mean: ByteCount) -> Bool {
        guard mean > .zero else { return false }
        return random.chance(Ratio(Double(bytes) / Double(mean.bytes)))
    }

    private mutating func sample(_ id: StreamID, _ node: NodeID) {
        let sample = PathSample(
            rtt: random.interval(in: conditions.sampleRoundTrip),
            deliveryRate: BitRate(bitsPerSecond: Int64(random.below(100_000_000)) + 1),
            loss: Ratio(Double(random.below(100)) / 100 * conditions.sampleLoss.value),
            inFlight: .zero
        )
        queue.add(.sample(id, node, sample), at: now)
    }

    private mutating func arrive(
        _ id: StreamID,
        _ bytes: Bytes,
        from node: NodeID
    ) -> (NodeID, Input<Program>)? {
        let pipe = streams[id]!
        guard !pipe.isBroken else { return nil }
        streams[id]!.change(node) { $0.unarrived -= bytes.count }
        queue.add(.credit(id, node), at: now)
        if random.chance(conditions.sampleChance) { sample(id, node) }
        if happens(to: bytes.count, every: conditions.streamLife) { breakStream(id) }
        let peer = pipe.other(node)
        return pipe.end(peer).isUsable ? (peer, .readable(id, bytes)) : nil
    }
}

/// One byte stream of the world.
private struct Pipe {
    let opener: NodeID
    let accepter: NodeID
    var ends: (End, End)
    var isBroken = false

    struct End {
        /// Whether the machine there may use the stream.
        var isUsable = true
        var queued: [Bytes] = []
        /// Bytes written and not arrived.
        var unarrived = 0
        /// What the reader lets this end send.
        var sendCredit: Int
        var lastArrival = Instant.zero
        var isCutting = false
        var isFinished = false
        var isEndSent = false
    }

    init(opener: NodeID, accepter: NodeID, credit: Int) {
        self.opener = opener
        self.accepter = accepter
        ends = (End(sendCredit: credit), End(sendCredit: credit))
    }

    func touches(_ node: NodeID) -> Bool { node == opener || node == accepter }
    func other(_ node: NodeID) -> NodeID { node == opener ? accepter : opener }
    func end(_ node: NodeID) -> End { node == opener ? ends.0 : ends.1 }

    mutating func change(_ node: NodeID, _ body: (inout End) -> Void) {
        if node == opener { body(&ends.0) } else { body(&ends.1) }
    }
}
