import Determinism
public import Machines
public import Transport
public import Units

/// One end of an endless transfer: the sender keeps the transport's buffer full, the receiver
/// compares every chunk with what it must be.
public struct BulkNode: Machine {
    public enum Timer: Hashable, Sendable {
        case sender(BulkSender.Timer)
        case receiver(BulkReceiver.Timer)
        /// The transfer's own time begins.
        case start
        /// Enough was sent.
        case end
    }

    public enum Event: Sendable, Hashable, Codable {
        /// A chunk arrived in order; `isIdentical` tells whether it held the bytes that were sent.
        case delivered(chunk: UInt64, bytes: Int, isIdentical: Bool)
        case streamLost
        /// The sender goes on with so many streams of this congestion control.
        case tuned(streams: Int, congestion: CongestionControl)
        /// The sender takes the path for one of another kind, and follows it.
        case modeChanged(from: PathMode, to: PathMode)
        /// The round-trip time of one of the sender's streams, as its TCP smooths it.
        case roundTrip(Interval)
        /// So many bytes came to the receiver on its streams, in whatever order their chunks are.
        case arrived(bytes: Int)
        case failed(TransportError)
    }

    // Exactly one is set: a sender from its birth, a receiver from its first stream.
    private var sender: BulkSender?
    private var receiver: BulkReceiver?
    private let configuration: TransportConfiguration
    private let content: BulkContent
    private let incarnation: UInt32
    /// What came to the receiver and was not told yet.
    private var arrivedBytes = 0
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

    public mutating func step(
        _ input: Input<BulkNode>,
        at now: Instant,
        into actions: inout Actions<BulkNode>
    ) {
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
        receiver?.checkInvariants()
    }

    private mutating func stepSender(
        _ input: Input<BulkNode>,
        at now: Instant,
        into actions: inout Actions<BulkNode>
    ) {
        guard sender != nil else { return }
        if case .path(_, let sample) = input { actions.emit(.roundTrip(sample.rtt)) }
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
            switch event {
            case .failed(let error): actions.emit(.failed(error))
            case .streamLost: actions.emit(.streamLost)
            case .tuned(let setting):
                actions.emit(
                    .tuned(streams: setting.streams, congestion: setting.congestion)
                )
            case .modeChanged(let from, let to): actions.emit(.modeChanged(from: from, to: to))
            case .room, .acknowledged, .noted, .completed: break
            }
        }
        sent.removeAll(keepingCapacity: true)
    }

    /// Tells what arrives in pieces of about a chunk, so that telling costs no more than delivering.
    private mutating func countArrival(
        _ input: Input<BulkNode>,
        into actions: inout Actions<BulkNode>
    ) {
        guard case .readable(_, let bytes) = input else { return }
        arrivedBytes += bytes.count
        guard arrivedBytes >= configuration.chunkSize else { return }
        actions.emit(.arrived(bytes: arrivedBytes))
        arrivedBytes = 0
    }

    private mutating func stepReceiver(
        _ input: Input<BulkNode>,
        at now: Instant,
        into actions: inout Actions<BulkNode>
    ) {
        guard receiver != nil else { return }
        countArrival(input, into: &actions)
        if let forwarded = input.forwarded(to: BulkReceiver.self) {
            receiver!.step(forwarded, at: now, into: &receiving)
        } else if case .fired(.receiver(let timer)) = input {
            receiver!.step(.fired(timer), at: now, into: &receiving)
        }
        actions.absorb(&receiving, events: &arrived, timer: Timer.receiver)
        guard !arrived.isEmpty else { return }
        for event in arrived {
            switch event {
            case .delivered(let chunk, let payload):
                let isIdentical = content.matches(payload, chunk: chunk)
                actions.emit(
                    .delivered(chunk: chunk, bytes: payload.count, isIdentical: isIdentical)
                )
                receiver!.step(.requested(.consumed(payload.count)), at: now, into: &receiving)
            case .failed(let error):
                actions.emit(.failed(error))
            case .noted, .completed, .streamLost:
                break
            }
        }
        arrived.removeAll(keepingCapacity: true)
        actions.absorb(&receiving, events: &arrived, timer: Timer.receiver)
    }
}

/// The bytes of an endless transfer: seeded noise of which each chunk shows another part, so that a
/// chunk that is lost, repeated, cut or misplaced differs from the one that belongs there.
///
/// Noise, because a steady transfer measures the network; no coder may gain on it.
public struct BulkContent: Sendable {
    private static let size = 4 << 20
    private let block: [UInt8]

    public init(seed: UInt64) {
        var random = SeededRandom(
            seed: seed,
            entity: EntityID(.experiment, 0),
            purpose: "bulk content"
        )
        block = [UInt8](unsafeUninitializedCapacity: BulkContent.size) { buffer, count in
            let words = UnsafeMutableRawBufferPointer(buffer)
            for offset in stride(from: 0, to: BulkContent.size, by: 8) {
                words.storeBytes(
                    of: random.next().littleEndian,
                    toByteOffset: offset,
                    as: UInt64.self
                )
            }
            count = BulkContent.size
        }
    }

    /// The bytes of one chunk: a slice, nothing is copied. `size` is at most 1 MiB.
    public func chunk(_ number: UInt64, size: Int) -> Bytes {
        let places = UInt64(BulkContent.size - (1 << 20))
        let offset = Int((number &* 40_503) % places)
        return block[offset..<offset + size]
    }

    /// Whether a payload holds exactly the chunk's bytes.
    public func matches(_ payload: Payload, chunk number: UInt64) -> Bool {
        payload.holdsSameBytes(as: Payload(chunk(number, size: payload.count)))
    }
}
