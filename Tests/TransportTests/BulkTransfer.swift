import Machines
import Transport
import Units

/// What a bulk transfer carries: a pure function, the same at both ends, so that the receiver can
/// compare every byte.
protocol BulkContent: Sendable {
    /// The content of the chunk: 1...`size` bytes, as slices of shared storage.
    func chunk(_ number: UInt64, size: Int) -> Payload
}

/// Who sends how much to whom.
struct BulkPlan: Sendable {
    var source: NodeID
    var destination: NodeID
    var configuration: TransportConfiguration
    var amount: Amount

    enum Amount: Hashable, Sendable {
        /// Chunks are produced until that long after the start.
        case duration(Interval)
        /// So many chunks.
        case chunks(UInt64)
    }

    /// The size asked of the content.
    var chunkSize: Int { min(configuration.chunkSize, configuration.chunkLimit) }

    init(
        source: NodeID,
        destination: NodeID,
        configuration: TransportConfiguration,
        amount: Amount
    ) {
        self.source = source
        self.destination = destination
        self.configuration = configuration
        self.amount = amount
    }
}

/// One transfer from one node to another as a program of its own: the source never runs dry, the
/// destination compares what arrives with what was to arrive and consumes it at once.
///
/// The smallest parent of `BulkSender` and `BulkReceiver`, for property runs.
struct BulkTransfer<Content: BulkContent>: Machine {
    typealias Request = Never

    enum Event: Sendable, Equatable, Codable {
        /// At the destination: that many further bytes, compared with the content.
        case delivered(bytes: Int)
        /// At the destination: a chunk whose bytes are not those that the source has.
        case corrupted(chunk: UInt64)
        /// Final at both ends.
        case completed(TransferStatistics)
        /// Final at both ends.
        case failed(TransportError)
        /// A stream died and its chunks were or will be sent again.
        case streamLost(TransportError)
        /// At the source: other streams were chosen.
        case tuned
        /// At the source: the path is taken for one of another kind.
        case modeChanged(PathMode)
    }

    enum Timer: Hashable, Sendable {
        case sender(BulkSender.Timer)
        case receiver(BulkReceiver.Timer)
        /// The source's time is up.
        case end
    }

    /// What the node does; fixed by its place in the plan.
    private enum Role: Sendable {
        case source
        case destination
        case bystander
    }

    private let plan: BulkPlan
    private let content: Content
    private let role: Role
    private let incarnation: UInt32
    private var sender: BulkSender
    private var receiver: BulkReceiver
    private var senderActions = Actions<BulkSender>()
    private var receiverActions = Actions<BulkReceiver>()
    private var senderEvents: [BulkSender.Event] = []
    private var receiverEvents: [BulkReceiver.Event] = []
    private var isEnding = false

    init(_ birth: Birth<BulkTransfer>, plan: BulkPlan, content: Content) {
        self.plan = plan
        self.content = content
        incarnation = birth.incarnation
        role =
            birth.node == plan.source
            ? .source : birth.node == plan.destination ? .destination : .bystander
        let session = SessionID(
            sender: plan.source,
            number: birth.node == plan.source ? birth.incarnation & 0xfffff : 0
        )
        sender = BulkSender(
            session: session,
            peer: plan.destination,
            configuration: plan.configuration
        )
        receiver = BulkReceiver(
            session: session,
            epoch: UInt64(birth.incarnation),
            configuration: plan.configuration
        )
    }

    mutating func step(
        _ input: Input<BulkTransfer>,
        at now: Instant,
        into actions: inout Actions<BulkTransfer>
    ) {
        switch role {
        case .source: stepSource(input, at: now, into: &actions)
        case .destination: stepDestination(input, at: now, into: &actions)
        case .bystander: break
        }
    }

    func checkInvariants() {
        switch role {
        case .source: sender.checkInvariants()
        case .destination: receiver.checkInvariants()
        case .bystander: break
        }
    }

    private mutating func stepSource(
        _ input: Input<BulkTransfer>,
        at now: Instant,
        into actions: inout Actions<BulkTransfer>
    ) {
        switch input {
        case .started:
            if case .duration(let length) = plan.amount {
                actions.setTimer(.end, at: now + length)
            }
            sender.step(.started, at: now, into: &senderActions)
            produce(at: now)
        case .fired(.sender(let timer)):
            sender.step(.fired(timer), at: now, into: &senderActions)
        case .fired(.end):
            end(at: now)
        case .streamOpened(let stream, let peer):
            sender.step(.streamOpened(stream, peer: peer), at: now, into: &senderActions)
        case .writable(let stream, let credit):
            sender.step(.writable(stream, credit: credit), at: now, into: &senderActions)
        case .readable(let stream, let bytes):
            sender.step(.readable(stream, bytes), at: now, into: &senderActions)
        case .finished(let stream):
            sender.step(.finished(stream), at: now, into: &senderActions)
        case .reset(let stream, let reason):
            sender.step(.reset(stream, reason), at: now, into: &senderActions)
        case .path(let stream, let sample):
            sender.step(.path(stream, sample), at: now, into: &senderActions)
        case .fired(.receiver), .received, .persisted, .computed:
            break
        }
        drainSender(at: now, into: &actions)
    }

    private mutating func drainSender(
        at now: Instant,
        into actions: inout Actions<BulkTransfer>
    ) {
        // Handling an event may step the sender again; what follows from that is drained by the
        // next turn. Producing ends when the room does, so a few turns suffice.
        while !senderActions.isEmpty {
            actions.absorb(&senderActions, events: &senderEvents) { .sender($0) }
            let events = senderEvents
            senderEvents.removeAll(keepingCapacity: true)
            for event in events {
                switch event {
                case .room: produce(at: now)
                case .acknowledged, .noted: break
                case .tuned: actions.emit(.tuned)
                case .modeChanged(_, let mode): actions.emit(.modeChanged(mode))
                case .streamLost(_, let error): actions.emit(.streamLost(error))
                case .completed: actions.emit(.completed(sender.statistics))
                case .failed(let error): actions.emit(.failed(error))
                }
            }
        }
    }

    private mutating func produce(at now: Instant) {
        let size = plan.chunkSize
        // Bounded by the chunks that a session may hold.
        while !isEnding, sender.room >= size {
            if case .chunks(let count) = plan.amount, sender.nextChunk == count {
                end(at: now)
                return
            }
            let chunk = content.chunk(sender.nextChunk, size: size)
            sender.step(.requested(.enqueue(chunk)), at: now, into: &senderActions)
        }
    }

    private mutating func end(at now: Instant) {
        guard !isEnding else { return }
        isEnding = true
        sender.step(.requested(.finish), at: now, into: &senderActions)
    }

    private mutating func stepDestination(
        _ input: Input<BulkTransfer>,
        at now: Instant,
        into actions: inout Actions<BulkTransfer>
    ) {
        switch input {
        case .readable(let stream, let bytes):
            receiver.step(.readable(stream, bytes), at: now, into: &receiverActions)
        case .writable(let stream, let credit):
            receiver.step(.writable(stream, credit: credit), at: now, into: &receiverActions)
        case .streamOpened(let stream, let peer):
            welcomeRestartedSource(stream)
            receiver.step(.streamOpened(stream, peer: peer), at: now, into: &receiverActions)
        case .finished(let stream):
            receiver.step(.finished(stream), at: now, into: &receiverActions)
        case .reset(let stream, let reason):
            receiver.step(.reset(stream, reason), at: now, into: &receiverActions)
        case .fired(.receiver(let timer)):
            receiver.step(.fired(timer), at: now, into: &receiverActions)
        case .started, .path, .fired(.sender), .fired(.end), .received, .persisted, .computed:
            break
        }
        while !receiverActions.isEmpty {
            actions.absorb(&receiverActions, events: &receiverEvents) { .receiver($0) }
            let events = receiverEvents
            receiverEvents.removeAll(keepingCapacity: true)
            for event in events {
                switch event {
                case .delivered(let number, let payload):
                    take(payload, number, at: now, into: &actions)
                case .noted: break
                case .completed: actions.emit(.completed(receiver.statistics))
                case .failed(let error): actions.emit(.failed(error))
                case .streamLost(_, let error): actions.emit(.streamLost(error))
                }
            }
        }
    }

    /// A source that was started anew begins a new transfer; the old one cannot go on.
    private mutating func welcomeRestartedSource(_ stream: StreamID) {
        guard stream.opener == plan.source else { return }
        let session = SessionID(of: stream)
        guard session > receiver.session else { return }
        receiver = BulkReceiver(
            session: session,
            epoch: UInt64(incarnation),
            configuration: plan.configuration
        )
    }

    private mutating func take(
        _ payload: Payload,
        _ number: UInt64,
        at now: Instant,
        into actions: inout Actions<BulkTransfer>
    ) {
        if payload.holdsSameBytes(as: content.chunk(number, size: plan.chunkSize)) {
            actions.emit(.delivered(bytes: payload.count))
        } else {
            actions.emit(.corrupted(chunk: number))
        }
        receiver.step(.requested(.consumed(payload.count)), at: now, into: &receiverActions)
    }
}
