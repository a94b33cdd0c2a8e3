import DeltaEncoding
import Machines
import Transport
import Units

/// The sending end of one migration.
///
/// Copying (rounds of pre-copy while the guest runs) → stopping (the guest stands still, the last
/// pages leave) → confirming (everything is sent, the destination verifies) → finishing (the guest
/// runs there) → over. Copying and stopping may fail, and then the guest runs on here; confirming may
/// fail without knowing, and then it stays paused.
///
/// Pages are read at the moment their batch is given to an encode job. Batches are encoded side by
/// side and sent in order.
struct MigrationSource<Memory: GuestMemory>: Sendable {
    typealias Node = MigrationNode<Memory>

    enum Phase: Sendable, Equatable {
        case copying
        case stopping
        case confirming
        case finishing
        case over
    }

    let session: SessionID
    let index: UInt32
    let order: MigrationOrder<Memory>
    let configuration: MigrationConfiguration

    var phase = Phase.copying
    var sender: BulkSender
    var senderActions = Actions<BulkSender>()
    var senderEvents: [BulkSender.Event] = []

    var encoder: BatchEncoder
    /// Encode jobs that have not ended.
    var runningJobs = 0
    var nextJob: UInt64 = 0
    /// Encoded batches that wait for an older one, by sequence.
    var encoded: [UInt64: EncodedBatch] = [:]
    /// The next batch to send.
    var nextBatch: UInt64 = 0
    /// Prepared batches not yet given to the transport.
    var preparedBatches: Int { Int(encoder.nextSequence - nextBatch) }

    /// The version of each page that was last read for sending.
    var sentVersions: [UInt64]
    var round: RoundProgress
    /// The pages of this round, and how many were looked at.
    var pending: [Int]
    var cursor = 0
    var previousDirty: Int
    var stagnation = 0
    var statistics = EncodingStatistics()
    var rate = RateMeter()
    /// In-flight bytes below which the end of a round is looked at again.
    var nextCheck = Int.max

    let createdAt: Instant
    var pausedAt: Instant?
    var stopReason = StopReason.converged
    var digest: MemoryDigest?
    /// How long nothing has been acknowledged since the guest stopped, in looks no more than a second apart: a clock
    /// that jumps is no wait.
    private var waited = Interval.zero
    private var lookedAt: Instant
    private var acknowledgedBytes: UInt64 = 0
    /// Whether the node counts it among those that are over.
    var hasRetired = false

    init(
        session: SessionID,
        index: UInt32,
        order: MigrationOrder<Memory>,
        configuration: MigrationConfiguration,
        at now: Instant
    ) {
        self.session = session
        self.index = index
        self.order = order
        self.configuration = configuration
        let pageCount = order.memory.pageCount
        precondition(pageCount >= 1, "a guest without memory")
        sender = BulkSender(
            session: session,
            peer: order.destination,
            configuration: configuration.transport
        )
        encoder = BatchEncoder(
            session: session.rawValue,
            configuration: configuration.encoding,
            receiver: PageTable(pageCount: pageCount)
        )
        sentVersions = Array(repeating: 0, count: pageCount)
        pending = Array(0..<pageCount)
        previousDirty = pageCount
        round = RoundProgress(index: 0, start: now, guestStart: now, wireAtStart: 0)
        createdAt = now
        lookedAt = now
    }

    var isOver: Bool { phase == .over }
    /// Whether its streams are gone, too.
    var isSettled: Bool { isOver && sender.isSettled }

    /// The guest's clock: it stands still while the guest does.
    func guestTime(at now: Instant) -> Instant { pausedAt ?? now }

    mutating func start(at now: Instant, into actions: inout Actions<Node>) {
        actions.emit(
            .started(session, destination: order.destination, pages: order.memory.pageCount)
        )
        sender.step(.started, at: now, into: &senderActions)
        let offer = MigrationChunk.offer(pageCount: UInt32(order.memory.pageCount))
        sender.step(.requested(.enqueue(Payload(offer.bytes))), at: now, into: &senderActions)
        advance(at: now, into: &actions)
        drain(at: now, into: &actions)
    }

    mutating func step(
        _ input: Input<BulkSender>,
        at now: Instant,
        into actions: inout Actions<Node>
    ) {
        sender.step(input, at: now, into: &senderActions)
        drain(at: now, into: &actions)
        checkPause(at: now, into: &actions)
    }

    /// The sender's watch brings it here several times a second: a destination whose transport lives, but which gets
    /// nothing done, must not keep a guest from running for ever.
    private mutating func checkPause(at now: Instant, into actions: inout Actions<Node>) {
        let bytes = sender.statistics.payloadBytes
        let hasMoved = bytes != acknowledgedBytes
        let elapsed = min(.seconds(1), max(.zero, now - lookedAt))
        acknowledgedBytes = bytes
        lookedAt = now
        guard phase == .stopping || phase == .confirming, !hasMoved else {
            waited = .zero
            return
        }
        waited += elapsed
        guard waited >= configuration.pauseLimit else { return }
        transportFailed(.noProgress, at: now, into: &actions)
        sender.step(.requested(.abort), at: now, into: &senderActions)
        drain(at: now, into: &actions)
    }

    mutating func computed(
        _ output: MigrationJob<Memory>.Output,
        at now: Instant,
        into actions: inout Actions<Node>
    ) {
        guard phase == .copying || phase == .stopping else { return }
        switch output {
        case .encoded(let batch):
            runningJobs -= 1
            encoder.integrate(batch)
            statistics += batch.statistics
            encoded[batch.sequence] = batch
            sendReady(at: now)
        case .digest(let found):
            digest = found
        case .decoded:
            preconditionFailure("a source decodes nothing")
        }
        advance(at: now, into: &actions)
        drain(at: now, into: &actions)
    }

    /// Takes over what the sender wants done, and reacts to what it reports until it is silent.
    mutating func drain(at now: Instant, into actions: inout Actions<Node>) {
        while !senderActions.isEmpty {
            let number = index
            actions.absorb(&senderActions, events: &senderEvents) {
                .sender(session: number, $0)
            }
            guard !senderEvents.isEmpty else { return }
            let events = senderEvents
            senderEvents.removeAll(keepingCapacity: true)
            for event in events { react(to: event, at: now, into: &actions) }
            advance(at: now, into: &actions)
        }
    }

    private mutating func react(
        to event: BulkSender.Event,
        at now: Instant,
        into actions: inout Actions<Node>
    ) {
        switch event {
        case .room, .tuned, .modeChanged: break
        case .acknowledged:
            rate.acknowledged(total: sender.statistics.payloadBytes, at: now)
        case .noted(let bytes):
            heard(bytes, at: now, into: &actions)
        case .streamLost(_, let error):
            actions.emit(.streamLost(session, error))
        case .completed:
            phase = .over
        case .failed(let error):
            transportFailed(error, at: now, into: &actions)
        }
    }

    private mutating func heard(
        _ bytes: Bytes,
        at now: Instant,
        into actions: inout Actions<Node>
    ) {
        let note: MigrationNote
        do {
            note = try MigrationNote(bytes)
        } catch {
            fail(.malformed("\(error)"), at: now, into: &actions)
            return
        }
        switch note {
        case .running:
            guard phase == .confirming else {
                fail(.malformed("running before everything was sent"), at: now, into: &actions)
                return
            }
            complete(at: now, into: &actions)
        case .failed(let reason):
            let failure: MigrationFailure =
                switch reason {
                case .decoding: .decoding("at the destination")
                case .memoryMismatch: .memoryMismatch
                case .refused: .refused
                case .malformed: .malformed("at the destination")
                }
            fail(failure, at: now, into: &actions)
        }
    }

    private mutating func complete(at now: Instant, into actions: inout Actions<Node>) {
        guard let pausedAt else { preconditionFailure("complete without a pause") }
        actions.emit(.round(session, finishedRound(at: now)))
        phase = .finishing
        actions.emit(.completed(session, summary(pausedAt: pausedAt, at: now)))
        sender.step(.requested(.finish), at: now, into: &senderActions)
    }

    private func summary(pausedAt: Instant, at now: Instant) -> MigrationSummary {
        var pages = MigrationSummary.Pages()
        pages.zero = statistics[.zero]
        pages.unchanged = statistics[.unchanged]
        pages.duplicate = statistics[.duplicateInBatch] + statistics[.duplicateInMemory]
        pages.delta = statistics[.delta]
        pages.literal = statistics[.literal]
        return MigrationSummary(
            totalTime: now - createdAt,
            downtime: now - pausedAt,
            stopReason: stopReason,
            rounds: round.index + 1,
            memoryBytes: order.memory.pageCount * Memory.pageSize,
            stateBytes: statistics.stateBytes,
            encodedBytes: statistics.sentBytes,
            wireBytes: wireBytes,
            pages: pages,
            transport: sender.statistics
        )
    }

    /// Bytes handed to streams and read from them.
    var wireBytes: Int {
        Int(sender.statistics.writtenBytes + sender.statistics.readBytes)
    }

    private mutating func transportFailed(
        _ error: TransportError,
        at now: Instant,
        into actions: inout Actions<Node>
    ) {
        switch phase {
        case .copying, .stopping:
            fail(.transport(error), at: now, into: &actions)
        case .confirming:
            // The destination may have verified and started: two running copies would be worse
            // than none, so the guest stays paused until someone who knows decides.
            phase = .over
            actions.emit(.failed(session, .outcomeUnknown(error)))
        case .finishing:
            phase = .over
        case .over:
            break
        }
    }

    /// Ends the migration with the guest running here.
    private mutating func fail(
        _ failure: MigrationFailure,
        at now: Instant,
        into actions: inout Actions<Node>
    ) {
        guard phase != .over, phase != .finishing else { return }
        phase = .over
        if let pausedAt { actions.emit(.resumedAtSource(session, paused: now - pausedAt)) }
        actions.emit(.failed(session, failure))
        sender.step(.requested(.abort), at: now, into: &senderActions)
    }

    func checkInvariants() {
        sender.checkInvariants()
        guard phase != .over else { return }
        precondition(cursor <= pending.count, "looked at \(cursor) of \(pending.count) pages")
        precondition(
            runningJobs + encoded.count == preparedBatches,
            "\(runningJobs) jobs and \(encoded.count) results for \(preparedBatches) batches"
        )
        precondition(runningJobs <= configuration.encodeJobs, "\(runningJobs) jobs run")
        precondition(
            (phase == .copying) == (pausedAt == nil),
            "\(phase) with a pause at \(String(describing: pausedAt))"
        )
    }
}

/// What has happened in the round that is under way.
struct RoundProgress: Sendable {
    let index: Int
    let start: Instant
    /// On the guest's clock.
    let guestStart: Instant
    let wireAtStart: Int
    var pages = 0
    var encodedBytes = 0

    /// Bytes on the wire per page, as far as known.
    var bytesPerPage: Double? {
        pages > 0 && encodedBytes > 0 ? Double(encodedBytes) / Double(pages) : nil
    }
}

/// The rate at which payload is acknowledged, from at least four acknowledgements of one round.
struct RateMeter: Sendable {
    private(set) var rate: BitRate?
    private var origin: (total: UInt64, at: Instant)?
    private var samples = 0

    mutating func beginRound() {
        origin = nil
        samples = 0
    }

    mutating func acknowledged(total: UInt64, at now: Instant) {
        guard let origin else {
            origin = (total, now)
            return
        }
        samples += 1
        let elapsed = (now - origin.at).seconds
        guard samples >= 4, elapsed > 0, total > origin.total else { return }
        let perSecond = Double(total - origin.total) * 8 / elapsed
        rate = BitRate(bitsPerSecond: Int64(min(perSecond, 1e15)))
    }
}
