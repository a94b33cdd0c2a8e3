public import DeltaEncoding
public import Machines
public import Transport
public import Units

/// One guest to be moved.
public struct MigrationOrder<Memory: GuestMemory>: Sendable {
    public var memory: Memory
    public var destination: NodeID

    public init(memory: Memory, to destination: NodeID) {
        self.memory = memory
        self.destination = destination
    }
}

/// A node that sends guests to other nodes and takes guests from them, by iterative pre-copy.
///
/// Each migration is a session of its own: a transfer over parallel streams, rounds of encoded pages,
/// a stop-and-copy, and the comparison of whole memories before the guest runs at the destination.
/// `MigrationSource` and `MigrationDestination` hold a session's two ends; the node routes inputs to
/// them, by stream number or job number, and starts waiting orders.
///
/// Safety: a guest never runs at both ends. It runs at the destination only after the source has sent
/// everything, paused; once that is sent, a source that hears nothing more leaves it paused.
///
/// Bounds: `MigrationConfiguration.sessionLimit` sessions sent in a life, and as many received at a time;
/// those beyond are refused. A received one that is over, and leaves no guest here, makes room when another
/// needs it; guests together have `MigrationConfiguration.hostedPageLimit` pages at most, from their offers on.
/// Nothing survives a crash: the sessions of a node that restarts fail at their other ends.
public struct MigrationNode<Memory: GuestMemory>: Machine {
    public typealias Event = MigrationEvent
    public typealias Job = MigrationJob<Memory>

    public enum Request: Sendable {
        case migrate(MigrationOrder<Memory>)
    }

    public enum Timer: Hashable, Sendable {
        /// Of the session's sender; sessions are numbered from zero in each life.
        case sender(session: UInt32, BulkSender.Timer)
        /// Of the receiver with that number; see `MigrationDestination.place`.
        case receiver(place: UInt32, BulkReceiver.Timer)
    }

    public let node: NodeID
    public let configuration: MigrationConfiguration
    private let incarnation: UInt32
    /// Orders that wait for others to end, oldest first.
    private var waiting: [MigrationOrder<Memory>]
    /// Sessions that we send, by number; those that are over and whose streams are closed are `nil`.
    private var sources: [MigrationSource<Memory>?] = []
    private var activeSources = 0
    /// Sessions that we receive; those that are over make room when no other is left.
    private var destinations: [MigrationDestination<Memory>] = []
    private var placeOfSession: [SessionID: Int] = [:]
    /// Destinations made in this life.
    private var admitted: UInt32 = 0
    /// Pages of all guests that are received or kept.
    private var hostedPages = 0
    /// The last answer of that table: inputs come in runs.
    private var lastPlace: (session: SessionID, place: Int)?

    /// - Parameter orders: carried out from the start, as if requested one after the other.
    public init(
        _ birth: Birth<MigrationNode>,
        configuration: MigrationConfiguration,
        orders: [MigrationOrder<Memory>] = []
    ) {
        configuration.checkBounds()
        node = birth.node
        incarnation = birth.incarnation
        self.configuration = configuration
        waiting = orders
    }

    /// Orders that are not over.
    public var openOrders: Int { waiting.count + activeSources }

    /// The memory of a guest that arrived here, once it runs; `nil` also when the configuration does
    /// not keep it.
    public func memory(of session: SessionID) -> PageTable? {
        guard let place = placeOfSession[session] else { return nil }
        return destinations[place].runningMemory
    }

    public mutating func step(
        _ input: Input<MigrationNode>,
        at now: Instant,
        into actions: inout Actions<MigrationNode>
    ) {
        switch input {
        case .readable(let stream, let bytes):
            if let place = place(of: stream) {
                stepDestination(place, .readable(stream, bytes), now, &actions)
            } else {
                stepSource(of: stream, .readable(stream, bytes), now, &actions)
            }
        case .writable(let stream, let credit):
            if let place = place(of: stream) {
                stepDestination(place, .writable(stream, credit: credit), now, &actions)
            } else {
                stepSource(of: stream, .writable(stream, credit: credit), now, &actions)
            }
        case .streamOpened(let stream, let peer):
            if stream.opener != node { admit(stream, from: peer, &actions) }
            if let place = place(of: stream) {
                stepDestination(place, .streamOpened(stream, peer: peer), now, &actions)
            } else {
                stepSource(of: stream, .streamOpened(stream, peer: peer), now, &actions)
            }
        case .finished(let stream):
            if let place = place(of: stream) {
                stepDestination(place, .finished(stream), now, &actions)
            } else {
                stepSource(of: stream, .finished(stream), now, &actions)
            }
        case .reset(let stream, let reason):
            if let place = place(of: stream) {
                stepDestination(place, .reset(stream, reason), now, &actions)
            } else {
                stepSource(of: stream, .reset(stream, reason), now, &actions)
            }
        case .computed(let job, let output):
            computed(job, output, now, &actions)
        case .fired(.sender(let session, let timer)):
            stepSource(Int(session), .fired(timer), now, &actions)
        case .fired(.receiver(let place, let timer)):
            guard let place = index(ofPlace: place) else { return }
            stepDestination(place, .fired(timer), now, &actions)
        case .requested(.migrate(let order)):
            waiting.append(order)
            startWaiting(at: now, into: &actions)
        case .started:
            startWaiting(at: now, into: &actions)
        case .path(let stream, let sample):
            stepSource(of: stream, .path(stream, sample), now, &actions)
        case .received, .persisted:
            break
        }
    }

    public func checkInvariants() {
        precondition(activeSources <= configuration.concurrency, "\(activeSources) at once")
        precondition(
            sources.reduce(0) { $0 + ($1 == nil ? 0 : 1) } >= activeSources,
            "\(activeSources) active sources"
        )
        for source in sources { source?.checkInvariants() }
        for destination in destinations { destination.checkInvariants() }
        let pages = destinations.reduce(0) { $0 + $1.pages }
        precondition(pages == hostedPages, "\(pages) pages, counted \(hostedPages)")
        precondition(pages <= configuration.hostedPageLimit, "\(pages) pages of guests")
    }

    /// Where the session of a peer's stream is received; `nil` for our own and unknown streams.
    private mutating func place(of stream: StreamID) -> Int? {
        guard stream.opener != node else { return nil }
        let session = SessionID(of: stream)
        if let last = lastPlace, last.session == session { return last.place }
        guard let place = placeOfSession[session] else { return nil }
        lastPlace = (session, place)
        return place
    }

    /// The destination that a timer or a job is for; `nil` when another has its place.
    private func index(ofPlace place: UInt32) -> Int? {
        let index = Int(place & MigrationNode.localMask)
        guard index < destinations.count, destinations[index].place == place else { return nil }
        return index
    }

    private mutating func stepDestination(
        _ index: Int,
        _ input: Input<BulkReceiver>,
        _ now: Instant,
        _ actions: inout Actions<MigrationNode>
    ) {
        change(index) { $0.step(input, at: now, into: &actions) }
    }

    private mutating func change(
        _ index: Int,
        _ body: (inout MigrationDestination<Memory>) -> Void
    ) {
        let before = destinations[index].pages
        destinations[index].pageRoom = configuration.hostedPageLimit - hostedPages
        body(&destinations[index])
        hostedPages += destinations[index].pages - before
    }

    private mutating func stepSource(
        of stream: StreamID,
        _ input: Input<BulkSender>,
        _ now: Instant,
        _ actions: inout Actions<MigrationNode>
    ) {
        guard stream.opener == node else { return }
        let index = Int(SessionID(of: stream).number & MigrationNode.localMask)
        stepSource(index, input, now, &actions)
    }

    private mutating func stepSource(
        _ index: Int,
        _ input: Input<BulkSender>,
        _ now: Instant,
        _ actions: inout Actions<MigrationNode>
    ) {
        guard index < sources.count, sources[index] != nil else { return }
        sources[index]!.step(input, at: now, into: &actions)
        retire(index, now, &actions)
    }

    private mutating func computed(
        _ job: JobID,
        _ output: MigrationJob<Memory>.Output,
        _ now: Instant,
        _ actions: inout Actions<MigrationNode>
    ) {
        let number = UInt32(job.rawValue >> 32 & 0x7fff_ffff)
        let index = Int(number)
        if job.rawValue >> 63 == 1 {
            guard let index = self.index(ofPlace: number) else { return }
            change(index) { $0.computed(output, at: now, into: &actions) }
        } else if sources[index] != nil {
            sources[index]!.computed(output, at: now, into: &actions)
            retire(index, now, &actions)
        }
    }

    /// Begins the next session when one is over, and forgets it when its streams are closed, too.
    private mutating func retire(
        _ index: Int,
        _ now: Instant,
        _ actions: inout Actions<MigrationNode>
    ) {
        guard sources[index]!.isOver else { return }
        let isNews = !sources[index]!.hasRetired
        sources[index]!.hasRetired = true
        if sources[index]!.isSettled { sources[index] = nil }
        guard isNews else { return }
        activeSources -= 1
        startWaiting(at: now, into: &actions)
    }

    private mutating func startWaiting(
        at now: Instant,
        into actions: inout Actions<MigrationNode>
    ) {
        while activeSources < configuration.concurrency, !waiting.isEmpty {
            let order = waiting.removeFirst()
            let index = sources.count
            guard index < MigrationConfiguration.sessionLimit else {
                actions.emit(.orderRefused(destination: order.destination))
                continue
            }
            // An incarnation has its own range, so that late bytes of older sessions find nobody.
            let number = (incarnation & 0xff) << 12 | UInt32(index)
            let session = SessionID(sender: node, number: number)
            sources.append(
                MigrationSource(
                    session: session,
                    index: UInt32(index),
                    order: order,
                    configuration: configuration,
                    at: now
                )
            )
            activeSources += 1
            sources[index]!.start(at: now, into: &actions)
        }
    }

    /// Makes a place for the session of a peer's stream, if it is a new one.
    private mutating func admit(
        _ stream: StreamID,
        from peer: NodeID,
        _ actions: inout Actions<MigrationNode>
    ) {
        let session = SessionID(of: stream)
        guard placeOfSession[session] == nil else { return }
        guard stream.opener == peer, let index = freeIndex() else {
            actions.reset(stream)
            return
        }
        let newborn = MigrationDestination<Memory>(
            session: session,
            // Another number for each that has the index, until 2^19 were made.
            place: admitted << 12 & 0x7fff_ffff | UInt32(index),
            epoch: UInt64(incarnation) << 31 | UInt64(admitted & 0x7fff_ffff),
            configuration: configuration
        )
        admitted &+= 1
        placeOfSession[session] = index
        if index == destinations.count {
            destinations.append(newborn)
        } else {
            placeOfSession[destinations[index].session] = nil
            lastPlace = nil
            destinations[index] = newborn
        }
    }

    /// Where another session may be received: of those that are over the oldest makes room
    /// (until numbers come again).
    private func freeIndex() -> Int? {
        guard destinations.count == MigrationConfiguration.sessionLimit else {
            return destinations.count
        }
        return destinations.indices.lazy.filter { [destinations] in destinations[$0].isOver }
            .min { [destinations] in destinations[$0].place < destinations[$1].place }
    }

    /// The part of a session's number that counts within a life.
    static var localMask: UInt32 { UInt32(MigrationConfiguration.sessionLimit) - 1 }
}
