import DeltaEncoding
import Machines
import Transport
import Units

/// The receiving end of one migration.
///
/// Receiving (chunks are decoded one after the other) → verifying (the digest of the whole memory is
/// computed) → running; receiving and verifying may lead to failed. What has arrived and is not
/// decoded counts against the transport's window, so a slow decoder slows the source down.
struct MigrationDestination<Memory: GuestMemory>: Sendable {
    typealias Node = MigrationNode<Memory>

    enum Phase: Sendable, Equatable {
        case receiving
        case verifying(expected: MemoryDigest)
        case running
        case failed
    }

    let session: SessionID
    /// Names it in timers and jobs, below 2^31: where the node keeps it (12 bits), and which one it is there.
    let place: UInt32
    let configuration: MigrationConfiguration

    private var phase = Phase.receiving
    private var receiver: BulkReceiver
    private var receiverActions = Actions<BulkReceiver>()
    private var receiverEvents: [BulkReceiver.Event] = []
    /// The guest's memory so far; `nil` before the offer and when it is given up.
    private var decoder: BatchDecoder?
    /// Chunks that were delivered and not taken up; those before `head` are done.
    private var chunks: [Payload] = []
    private var head = 0
    private var isDecoding = false
    /// Pages of the guest that was offered.
    private var offeredPages = 0
    /// Jobs that have not answered.
    private var openJobs = 0
    private var nextJob: UInt64 = 0
    /// Pages that a guest may have beside all others of the node; set before each step.
    var pageRoom = 0

    /// - Parameter epoch: another one for each destination of a node, over all its lives.
    init(
        session: SessionID,
        place: UInt32,
        epoch: UInt64,
        configuration: MigrationConfiguration
    ) {
        self.session = session
        self.place = place
        self.configuration = configuration
        receiver = BulkReceiver(
            session: session,
            epoch: epoch,
            configuration: configuration.transport
        )
    }

    /// Pages of the guest whose memory is held here, if only by jobs that go on.
    var pages: Int { decoder == nil && openJobs == 0 ? 0 : offeredPages }

    /// Whether nothing can come of it any more and no guest's memory is here: another may have its place.
    var isOver: Bool {
        decoder == nil && openJobs == 0 && (phase == .failed || phase == .running)
            && receiver.isSettled
    }

    /// The memory of the guest that runs here.
    var runningMemory: PageTable? { phase == .running ? decoder?.memory : nil }

    mutating func step(
        _ input: Input<BulkReceiver>,
        at now: Instant,
        into actions: inout Actions<Node>
    ) {
        receiver.step(input, at: now, into: &receiverActions)
        drain(at: now, into: &actions)
    }

    mutating func computed(
        _ output: MigrationJob<Memory>.Output,
        at now: Instant,
        into actions: inout Actions<Node>
    ) {
        openJobs -= 1
        switch output {
        case .decoded(let result):
            isDecoding = false
            decoded(result, at: now, into: &actions)
        case .digest(let digest):
            compare(digest, at: now, into: &actions)
        case .encoded:
            preconditionFailure("a destination encodes nothing")
        }
        takeUp(at: now, into: &actions)
        drain(at: now, into: &actions)
    }

    private mutating func drain(at now: Instant, into actions: inout Actions<Node>) {
        while !receiverActions.isEmpty {
            let number = place
            actions.absorb(&receiverActions, events: &receiverEvents) {
                .receiver(place: number, $0)
            }
            guard !receiverEvents.isEmpty else { return }
            let events = receiverEvents
            receiverEvents.removeAll(keepingCapacity: true)
            for event in events { react(to: event, at: now, into: &actions) }
            takeUp(at: now, into: &actions)
        }
    }

    private mutating func react(
        to event: BulkReceiver.Event,
        at now: Instant,
        into actions: inout Actions<Node>
    ) {
        switch event {
        case .delivered(_, let payload):
            if phase == .receiving {
                chunks.append(payload)
            } else {
                consume(payload, at: now)
                if case .verifying = phase {
                    reject(.malformed, "a chunk after the end", now, &actions)
                }
            }
        case .noted:
            reject(.malformed, "a source has nothing to note", now, &actions)
        case .streamLost(_, let error):
            actions.emit(.streamLost(session, error))
        case .completed:
            // A source completes only after it was told that the guest runs.
            if phase != .running { reject(.malformed, "complete before running", now, &actions) }
        case .failed:
            giveUp(.abandoned, into: &actions)
        }
    }

    /// Takes up delivered chunks in order until one needs a job.
    private mutating func takeUp(at now: Instant, into actions: inout Actions<Node>) {
        while phase == .receiving, !isDecoding, head < chunks.count {
            let chunk = chunks[head]
            switch kind(of: chunk) {
            case .failure(let error):
                reject(.malformed, "\(error)", now, &actions)
            case .success(.offer(let pageCount)):
                finishFirst(at: now)
                accept(pageCount, at: now, into: &actions)
            case .success(.batch):
                guard let decoder else {
                    reject(.malformed, "a batch before the offer", now, &actions)
                    return
                }
                isDecoding = true
                actions.compute(.decode(decoder, chunk), id: newJob())
            case .success(.end(let batches, let digest)):
                finishFirst(at: now)
                verify(digest, batches: batches, at: now, into: &actions)
            }
        }
    }

    private func kind(of chunk: Payload) -> Result<MigrationChunk, WireError> {
        do throws(WireError) {
            // Only batches are long, and of those only the first byte is looked at.
            let isBatch = chunk.pieces.first?.first == 2
            return .success(try MigrationChunk(isBatch ? chunk.pieces[0] : chunk.joined()))
        } catch {
            return .failure(error)
        }
    }

    private mutating func accept(
        _ pageCount: UInt32,
        at now: Instant,
        into actions: inout Actions<Node>
    ) {
        guard decoder == nil else {
            reject(.malformed, "a second offer", now, &actions)
            return
        }
        guard pageCount > 0, pageCount <= min(configuration.pageLimit, pageRoom) else {
            reject(.refused, "\(pageCount) pages", now, &actions)
            return
        }
        offeredPages = Int(pageCount)
        decoder = BatchDecoder(
            session: session.rawValue,
            memory: PageTable(pageCount: Int(pageCount))
        )
    }

    private mutating func decoded(
        _ result: Result<DecodedBatch, DecodingFailure>,
        at now: Instant,
        into actions: inout Actions<Node>
    ) {
        guard phase == .receiving else { return }
        finishFirst(at: now)
        do throws(DecodingFailure) {
            try decoder?.integrate(try result.get())
        } catch {
            reject(.decoding, "\(error)", now, &actions)
        }
    }

    private mutating func verify(
        _ digest: MemoryDigest,
        batches: UInt64,
        at now: Instant,
        into actions: inout Actions<Node>
    ) {
        guard let decoder, decoder.nextSequence == batches else {
            reject(.malformed, "the end does not match the batches", now, &actions)
            return
        }
        phase = .verifying(expected: digest)
        actions.compute(.digest(decoder.memory), id: newJob())
    }

    private mutating func compare(
        _ digest: MemoryDigest,
        at now: Instant,
        into actions: inout Actions<Node>
    ) {
        guard case .verifying(let expected) = phase else { return }
        guard digest == expected, digest.heldPages == digest.pageCount else {
            reject(.memoryMismatch, "the memories differ", now, &actions)
            return
        }
        phase = .running
        actions.emit(
            .verified(session, pages: Int(digest.pageCount), checksum: digest.checksum)
        )
        actions.emit(.running(session))
        if !configuration.keepsMemory { decoder = nil }
        receiver.step(
            .requested(.note(MigrationNote.running.bytes)),
            at: now,
            into: &receiverActions
        )
    }

    private mutating func newJob() -> JobID {
        nextJob += 1
        openJobs += 1
        return JobID(1 << 63 | UInt64(place) << 32 | nextJob)
    }

    private mutating func finishFirst(at now: Instant) {
        consume(chunks[head], at: now)
        chunks[head] = Payload()
        head += 1
        // Moving the rest down now and then keeps the array as long as the window, not the transfer.
        if head == chunks.count || head >= 1_024 {
            chunks.removeFirst(head)
            head = 0
        }
    }

    private mutating func consume(_ chunk: Payload, at now: Instant) {
        receiver.step(.requested(.consumed(chunk.count)), at: now, into: &receiverActions)
    }

    /// Refuses to run the guest and tells the source, which lets it run on there.
    private mutating func reject(
        _ reason: MigrationNote.Reason,
        _ text: String,
        _ now: Instant,
        _ actions: inout Actions<Node>
    ) {
        guard phase != .failed, phase != .running else { return }
        let failure: MigrationFailure =
            switch reason {
            case .decoding: .decoding(text)
            case .memoryMismatch: .memoryMismatch
            case .refused: .refused
            case .malformed: .malformed(text)
            }
        for index in head..<chunks.count { consume(chunks[index], at: now) }
        giveUp(failure, into: &actions)
        if receiver.hasRoomForNote {
            let note = MigrationNote.failed(reason)
            receiver.step(.requested(.note(note.bytes)), at: now, into: &receiverActions)
        }
    }

    private mutating func giveUp(_ failure: MigrationFailure, into actions: inout Actions<Node>) {
        guard phase != .failed, phase != .running else { return }
        phase = .failed
        decoder = nil
        chunks = []
        head = 0
        actions.emit(.failed(session, failure))
    }

    func checkInvariants() {
        receiver.checkInvariants()
        precondition(head <= chunks.count, "\(head) of \(chunks.count) chunks")
        if case .failed = phase {
            precondition(decoder == nil && chunks.isEmpty, "a failed migration holds memory")
        }
        if case .receiving = phase, !receiver.isFailed {
            let waiting = chunks[head...].reduce(0) { $0 + $1.count + FrameHeader.chunkCharge }
            precondition(waiting == receiver.unconsumedBytes, "\(waiting) bytes wait")
        }
    }
}
