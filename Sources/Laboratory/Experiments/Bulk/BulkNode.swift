public import Machines
public import Transport
public import Units

/// One end of an endless transfer: the sender keeps the transport's buffer full, the receiver
/// compares every chunk with what it must be. A sender may have several transfers, which share what it
/// gets across.
public struct BulkNode: Machine {
    public enum Timer: Hashable, Sendable {
        case sender(BulkSender.Timer)
        case receiver(BulkReceiver.Timer)
        /// The transfer's own time begins.
        case start
        /// Enough was sent.
        case end
        /// Of the transfers that share their sender, and by their place in its list the same two.
        case scheduler(TransferScheduler.Timer)
        case sharedStart(Int)
        case sharedEnd(Int)
    }

    public enum Event: Sendable, Hashable, Codable {
        /// Chunks of these numbers arrived in order, and held the bytes that were sent: so many.
        case delivered(chunks: Range<UInt64>, bytes: Int)
        /// A chunk arrived in order and held other bytes than were sent.
        case different(chunk: UInt64)
        case streamLost
        /// The sender goes on with so many streams of this congestion control.
        case tuned(streams: Int, congestion: CongestionControl)
        /// The sender takes the path for one of another kind, and follows it.
        case modeChanged(from: PathMode, to: PathMode)
        /// Round-trip times of the sender's streams, as their TCP smooths them.
        case roundTrips([Interval])
        /// So many bytes came to the receiver on its streams, and so many of chunks that were whole by then and
        /// new, in whatever order.
        case arrived(bytes: Int, whole: Int)
        /// At the end: chunks that wait for an older one, compared like those delivered.
        case held(chunks: Int, different: UInt64?)
        case failed(TransportError)
        /// What the sender tells of one of the transfers that share it, by its place in the sender's list.
        indirect case shared(Int, Event)
    }

    // Exactly one is set: a sender from its birth, a receiver from its first stream.
    private var sender: BulkSender?
    private var shared: SharedTransfers?
    private var receiver: BulkReceiver?
    private let configuration: TransportConfiguration
    private let content: BulkContent
    private let incarnation: UInt32
    private var untold = UntoldArrivals()
    /// Of the receiver's whole chunks, what was told.
    private var toldWhole: UInt64 = 0
    private var roundTrips = UntoldRoundTrips()
    private let start: Interval
    private let horizon: Interval?
    private var hasStarted = false
    private var isEnding = false
    private var sending = Actions<BulkSender>()
    private var receiving = Actions<BulkReceiver>()
    private var sent: [BulkSender.Event] = []
    private var arrived: [BulkReceiver.Event] = []

    /// A node that sends to `peer`, or one that waits for a sender when `peer` is `nil`.
    ///
    /// - Parameters:
    ///   - start: Nothing is sent earlier after the birth.
    ///   - horizon: Nothing new is sent later after the birth.
    public init(
        _ birth: Birth<BulkNode>,
        sendingTo peer: NodeID?,
        at start: Interval = .zero,
        until horizon: Interval? = nil,
        configuration: TransportConfiguration,
        content: BulkContent
    ) {
        self.configuration = configuration
        self.content = content
        incarnation = birth.incarnation
        self.start = start
        self.horizon = horizon
        if let peer {
            sender = BulkSender(
                session: SessionID(sender: birth.node, number: birth.incarnation),
                peer: peer,
                configuration: configuration
            )
        }
    }

    /// A node that sends `transfers`, at most `TransferScheduler.limit`, of which each has its own time
    /// and its part of what the node gets across.
    public init(_ birth: Birth<BulkNode>, sharing transfers: [BulkOrder], content: BulkContent) {
        self.init(
            birth,
            sendingTo: nil,
            configuration: transfers[0].configuration,
            content: content
        )
        shared = SharedTransfers(transfers, of: birth, content: content)
    }

    public mutating func step(
        _ input: Input<BulkNode>,
        at now: Instant,
        into actions: inout Actions<BulkNode>
    ) {
        if shared != nil {
            shared!.step(input, at: now, into: &actions)
            return
        }
        if case .streamOpened(let stream, _) = input, sender == nil, receiver == nil {
            receiver = BulkReceiver(
                session: SessionID(of: stream),
                epoch: UInt64(incarnation),
                configuration: configuration
            )
        }
        stepSender(input, at: now, into: &actions)
        stepReceiver(input, at: now, into: &actions)
    }

    public func checkInvariants() {
        sender?.checkInvariants()
        shared?.checkInvariants()
        receiver?.checkInvariants()
    }

    /// What was not told yet, and what nobody has compared so far.
    public var closingEvents: [Event] {
        if let shared { return shared.closingEvents }
        var events = roundTrips.rest
        guard let receiver else { return events }
        events += untold.events(whole: untoldWhole)
        let held = receiver.heldChunks
        let different = held.first { !content.matches($0.payload, chunk: $0.number) }
        events.append(.held(chunks: held.count, different: different?.number))
        return events
    }

    private var untoldWhole: Int {
        receiver.map { Int($0.statistics.acceptedBytes - toldWhole) } ?? 0
    }

    private mutating func stepSender(
        _ input: Input<BulkNode>,
        at now: Instant,
        into actions: inout Actions<BulkNode>
    ) {
        guard sender != nil else { return }
        if case .path(_, let sample) = input, let event = roundTrips.note(sample.rtt, at: now) {
            actions.emit(event)
        }
        if case .started = input {
            if let horizon { actions.setTimer(.end, at: now + horizon) }
            hasStarted = start == .zero
            if !hasStarted { actions.setTimer(.start, at: now + start) }
        }
        if case .fired(.end) = input { isEnding = true }
        if case .fired(.start) = input {
            hasStarted = true
            sender!.step(.started, at: now, into: &sending)
        }
        guard hasStarted else { return }
        if let forwarded = input.forwarded(to: BulkSender.self) {
            sender!.step(forwarded, at: now, into: &sending)
        } else if case .fired(.sender(let timer)) = input {
            sender!.step(.fired(timer), at: now, into: &sending)
        }
        // The content is endless: whatever room there is gets filled.
        while !isEnding, sender!.room >= sender!.chunkSize {
            let chunk = content.chunk(sender!.nextChunk, size: sender!.chunkSize)
            sender!.step(.requested(.enqueue(Payload(chunk))), at: now, into: &sending)
        }
        actions.absorb(&sending, events: &sent, timer: Timer.sender)
        for event in sent {
            if let told = Event(event) { actions.emit(told) }
        }
        sent.removeAll(keepingCapacity: true)
    }

    private mutating func tellArrivals(at now: Instant, into actions: inout Actions<BulkNode>) {
        for event in untold.events(whole: untoldWhole) { actions.emit(event) }
        untold = UntoldArrivals(since: now)
        toldWhole = receiver!.statistics.acceptedBytes
    }

    private mutating func stepReceiver(
        _ input: Input<BulkNode>,
        at now: Instant,
        into actions: inout Actions<BulkNode>
    ) {
        guard receiver != nil else { return }
        if case .readable(_, let bytes) = input { untold.bytes += bytes.count }
        if let forwarded = input.forwarded(to: BulkReceiver.self) {
            receiver!.step(forwarded, at: now, into: &receiving)
        } else if case .fired(.receiver(let timer)) = input {
            receiver!.step(.fired(timer), at: now, into: &receiving)
        }
        actions.absorb(&receiving, events: &arrived, timer: Timer.receiver)
        for event in arrived {
            switch event {
            case .delivered(let chunk, let payload):
                if content.matches(payload, chunk: chunk) {
                    untold.deliver(chunk, bytes: payload.count)
                } else {
                    tellArrivals(at: now, into: &actions)
                    actions.emit(.different(chunk: chunk))
                }
                receiver!.step(.requested(.consumed(payload.count)), at: now, into: &receiving)
            case .failed(let error):
                actions.emit(.failed(error))
            case .noted, .completed, .streamLost:
                break
            }
        }
        if !arrived.isEmpty {
            arrived.removeAll(keepingCapacity: true)
            actions.absorb(&receiving, events: &arrived, timer: Timer.receiver)
        }
        if untold.isWorthTelling(at: now, chunkSize: configuration.chunkSize) {
            tellArrivals(at: now, into: &actions)
        }
    }
}

extension BulkNode.Event {
    /// What an observer hears of a sender's event.
    init?(_ event: BulkSender.Event) {
        switch event {
        case .failed(let error): self = .failed(error)
        case .streamLost: self = .streamLost
        case .tuned(let setting):
            self = .tuned(streams: setting.streams, congestion: setting.congestion)
        case .modeChanged(let from, let to): self = .modeChanged(from: from, to: to)
        case .room, .acknowledged, .noted, .completed: return nil
        }
    }
}

/// Round-trip times that were measured and not told yet: they are told some at a time, because hundreds of
/// streams bring thousands in a second.
struct UntoldRoundTrips: Sendable {
    private var intervals: [Interval] = []
    private var since = Instant.zero

    private static let atOnce = 32

    /// What is to be told now.
    mutating func note(_ roundTrip: Interval, at now: Instant) -> BulkNode.Event? {
        if intervals.isEmpty { since = now }
        intervals.append(roundTrip)
        guard intervals.count >= UntoldRoundTrips.atOnce || now - since >= .milliseconds(100)
        else { return nil }
        defer { intervals.removeAll(keepingCapacity: true) }
        return .roundTrips(intervals)
    }

    /// What is left to tell at the end.
    var rest: [BulkNode.Event] { intervals.isEmpty ? [] : [.roundTrips(intervals)] }
}

/// What came to a receiver and was not told yet: telling each chunk to another process costs as much as
/// receiving it.
private struct UntoldArrivals: Sendable {
    /// Of all streams.
    var bytes = 0
    private var delivered: Range<UInt64>?
    private var deliveredBytes = 0
    private let since: Instant

    init(since: Instant = .zero) { self.since = since }

    /// Chunks come in the order of their numbers.
    mutating func deliver(_ chunk: UInt64, bytes: Int) {
        delivered = (delivered?.lowerBound ?? chunk)..<chunk + 1
        deliveredBytes += bytes
    }

    /// A chunk or more, and not many times in the interval that figures are made of.
    func isWorthTelling(at now: Instant, chunkSize: Int) -> Bool {
        bytes >= max(1 << 16, chunkSize) && now - since >= .milliseconds(5)
    }

    func events(whole: Int) -> [BulkNode.Event] {
        let arrival = BulkNode.Event.arrived(bytes: bytes, whole: whole)
        return [arrival]
            + (delivered.map { [.delivered(chunks: $0, bytes: deliveredBytes)] } ?? [])
    }
}
