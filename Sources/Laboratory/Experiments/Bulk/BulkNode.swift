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
        /// Round-trip times of the sender's streams, as their TCP smooths them.
        case roundTrips([Interval])
        /// So many bytes came to the receiver on its streams, and so many of chunks that were whole by then and
        /// new, in whatever order.
        case arrived(bytes: Int, whole: Int)
        /// At the end: chunks that wait for an older one, compared like those delivered.
        case held(chunks: Int, different: UInt64?)
        case failed(TransportError)
    }

    // Exactly one is set: a sender from its birth, a receiver from its first stream.
    private var sender: BulkSender?
    private var receiver: BulkReceiver?
    private let configuration: TransportConfiguration
    private let content: BulkContent
    private let incarnation: UInt32
    /// What came to the receiver and was not told yet, and what of its whole chunks was.
    private var arrivedBytes = 0
    private var toldWhole: UInt64 = 0
    /// What was measured and not told yet, and since when.
    private var roundTrips: [Interval] = []
    private var roundTripsSince = Instant.zero
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

    /// What was not told yet, and what nobody has compared so far.
    public var closingEvents: [Event] {
        var events: [Event] = roundTrips.isEmpty ? [] : [.roundTrips(roundTrips)]
        guard let receiver else { return events }
        events.append(.arrived(bytes: arrivedBytes, whole: untoldWhole))
        let held = receiver.heldChunks
        let different = held.first { !content.matches($0.payload, chunk: $0.number) }
        events.append(.held(chunks: held.count, different: different?.number))
        return events
    }

    private var untoldWhole: Int {
        receiver.map { Int($0.statistics.acceptedBytes - toldWhole) } ?? 0
    }

    /// Tells round-trip times some at a time: hundreds of streams bring thousands in a second.
    private mutating func note(
        _ roundTrip: Interval,
        at now: Instant,
        into actions: inout Actions<BulkNode>
    ) {
        if roundTrips.isEmpty { roundTripsSince = now }
        roundTrips.append(roundTrip)
        guard
            roundTrips.count >= BulkNode.roundTripsAtOnce
                || now - roundTripsSince >= .milliseconds(100)
        else { return }
        actions.emit(.roundTrips(roundTrips))
        roundTrips.removeAll(keepingCapacity: true)
    }

    private static let roundTripsAtOnce = 32

    private mutating func stepSender(
        _ input: Input<BulkNode>,
        at now: Instant,
        into actions: inout Actions<BulkNode>
    ) {
        guard sender != nil else { return }
        if case .path(_, let sample) = input { note(sample.rtt, at: now, into: &actions) }
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

    /// Tells what arrives in pieces of a chunk or more, so that telling costs no more than delivering.
    private mutating func tellArrival(into actions: inout Actions<BulkNode>) {
        guard arrivedBytes >= max(1 << 16, configuration.chunkSize) else { return }
        actions.emit(.arrived(bytes: arrivedBytes, whole: untoldWhole))
        arrivedBytes = 0
        toldWhole = receiver!.statistics.acceptedBytes
    }

    private mutating func stepReceiver(
        _ input: Input<BulkNode>,
        at now: Instant,
        into actions: inout Actions<BulkNode>
    ) {
        guard receiver != nil else { return }
        if case .readable(_, let bytes) = input { arrivedBytes += bytes.count }
        if let forwarded = input.forwarded(to: BulkReceiver.self) {
            receiver!.step(forwarded, at: now, into: &receiving)
        } else if case .fired(.receiver(let timer)) = input {
            receiver!.step(.fired(timer), at: now, into: &receiving)
        }
        actions.absorb(&receiving, events: &arrived, timer: Timer.receiver)
        tellArrival(into: &actions)
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
