public import Machines
public import Units

/// The sending end of one transfer over parallel byte streams (AMST).
///
/// Chunks are numbered in the order in which they are enqueued, written whole to the stream on which
/// they are expected to be done first, and kept until the receiver acknowledges them. When a stream dies
/// its unacknowledged chunks go to the others at once, ahead of new ones, and it is opened again after a
/// pause that doubles. What a stream is late with is also sent by another (work stealing). Notes
/// are small messages beside the chunks: reliable, in order, and ahead of any chunk that is not on a
/// stream yet.
///
/// With `TransportConfiguration.tuning` a `StreamTuner` chooses the number of streams and their
/// congestion control while the transfer runs, and `chunkSize` follows; streams that are not wanted
/// any more carry their chunks to the end and leave. With `TransportConfiguration.mode` the kind of
/// path decides where the tuner begins; when it changes, the streams follow in the same way.
///
/// Back-pressure: a chunk leaves only up to the *limit* that the receiver moves on as its application
/// consumes; the queue holds at most `TransportConfiguration.sendBuffer` bytes, and `room` tells the
/// producer how many it may enqueue.
///
/// Bounds: `sendBuffer` payload bytes, 4,096 chunks and 64 notes held; 256 streams at a time,
/// `SessionID.streamLimit` in all. The checksums of chunks are computed in the step that writes them.
public struct BulkSender: Machine {
    public enum Request: Sendable {
        /// Sends a chunk of 1...`room` bytes, at most
        /// `TransportConfiguration.chunkLimit`.
        case enqueue(Payload)
        /// Sends a note of at most `FrameHeader.noteLimit` bytes; 64 may be unacknowledged.
        case note(Bytes)
        /// No more chunks follow; the transfer completes once all are acknowledged.
        case finish
        /// Gives the transfer up.
        case abort
    }

    public enum Event: Sendable, Equatable {
        /// The producer may now enqueue this many bytes in all.
        case room(Int)
        /// The receiver holds the chunk, verified.
        case acknowledged(UInt64)
        /// A note from the receiver.
        case noted(Bytes)
        /// All chunks are acknowledged and the streams are being closed. Final.
        case completed
        /// The transfer is over and incomplete. Final.
        case failed(TransportError)
        /// The stream in this slot is gone; the transfer goes on.
        case streamLost(slot: Int, TransportError)
        /// The tuner has chosen other streams; they follow by and by.
        case tuned(StreamTuner.Setting)
        /// The path is one of another kind now, and the transfer follows.
        case modeChanged(from: PathMode, to: PathMode)
    }

    public enum Timer: Hashable, Sendable {
        /// The pause before opening the slot's stream again is over.
        case reopen(slot: Int)
        /// No stream for too long.
        case stalled
        /// Time to look after late chunks, silent streams and the measurement of the path.
        case watch
        /// The transfer's time is over.
        case deadline
    }

    /// Transferring → finishing → completed; each may lead to failed.
    enum Phase: Sendable, Equatable {
        case transferring
        /// The last chunk is known; waiting for acknowledgements.
        case finishing
        case completed
        case failed
    }

    public let session: SessionID
    public let peer: NodeID
    public let configuration: TransportConfiguration
    public internal(set) var statistics = TransferStatistics()

    var phase = Phase.transferring
    var lanes: [SenderLane]
    /// The lane of each stream opened so far, by ordinal.
    var laneOfOrdinal: [UInt16] = []
    /// Chunks not acknowledged, by number.
    var chunks = SequenceWindow<OutgoingChunk>()
    /// The next chunk to be enqueued.
    public internal(set) var nextChunk: UInt64 = 0
    /// The next chunk that was never sent.
    var nextUnsent: UInt64 = 0
    /// Chunks whose stream died, ascending: they leave before new ones.
    var again: [UInt64] = []
    var bufferedBytes = 0
    /// The position of the next chunk in the transfer.
    var nextPosition: UInt64 = 0
    /// How far the receiver lets us send.
    var limit: UInt64
    var notes = NoteExchange()
    /// The receiver's epoch, once it has welcomed us.
    var epoch: UInt64?
    var isStalled = false
    /// The time of this step.
    var now = Instant.zero
    /// What shall be served by how many streams; moved by the tuner.
    var target: StreamTuner.Setting
    var tuner: StreamTuner?
    var measured = TuningEpoch()
    /// What kind of path the transfer is on, as far as the configuration makes that matter.
    public internal(set) var mode: PathMode?
    /// Judges the path; `nil` where the mode is fixed, or there is none.
    public internal(set) var detector: PathModeDetector?
    var lastRoundTrip: Interval?
    /// Whether streams of the setting are still to be opened, and when the next of them may be.
    var isGathering = false
    var gatherAt = Instant.zero
    /// Payload bytes that producers should put in one chunk now.
    public internal(set) var chunkSize: Int
    /// What this transfer may send; `nil` for no limit. A burst of an eighth of a second is let through.
    public var rateLimit: BitRate?
    /// Payload bytes that the limit lets go now, and when that was counted; negative after a chunk
    /// that was longer.
    var allowance = 0.0
    var allowanceAt = Instant.zero
    /// How long all lanes together need for a window.
    var windowTime = Interval.seconds(1_000_000)
    var isWatching = false
    /// When the watch was to look next.
    var watchDue = Instant.zero
    /// The last acknowledgement of a chunk, or the time when there was none to wait for.
    var progressAt = Instant.zero
    /// Chunks that are late, ascending, to be sent by another lane as well.
    var late: [UInt64] = []
    /// Payload bytes sent twice because the first carrier was late.
    var copiedBytes = 0

    /// A sender that opens its streams when it is started.
    public init(
        session: SessionID,
        peer: NodeID,
        configuration: TransportConfiguration
    ) {
        precondition(
            (1...TransportConfiguration.streamLimit).contains(configuration.streams),
            "\(configuration.streams) streams"
        )
        self.session = session
        self.peer = peer
        self.configuration = configuration
        limit = UInt64(configuration.window)
        mode = configuration.startingMode
        if configuration.mode == .automatic { detector = mode.map { PathModeDetector(start: $0) } }
        target = configuration.startingSetting
        if let rules = configuration.tuning(in: mode) {
            let tuner = StreamTuner(
                start: target,
                rules: rules,
                roundTrip: configuration.link.rtt
            )
            target = tuner.setting
            self.tuner = tuner
        }
        chunkSize = configuration.startingChunkSize
        let lane = SenderLane(session: session, congestion: target.congestion)
        lanes = Array(repeating: lane, count: target.streams)
    }

    /// Bytes that the producer may enqueue now.
    public var room: Int {
        // One number is kept for the empty chunk that ends the transfer.
        guard phase == .transferring, chunks.admits(nextChunk + 1) else { return 0 }
        return max(0, configuration.sendBuffer - bufferedBytes)
    }

    /// Chunks that may be enqueued now, whatever their length.
    public var roomForChunks: Int {
        guard phase == .transferring else { return 0 }
        let used = nextChunk - chunks.base
        return Int(SequenceWindow<OutgoingChunk>.limit - used) - 1
    }

    /// Bytes enqueued and not acknowledged.
    public var unacknowledgedBytes: Int { bufferedBytes }

    /// Whether a further note may be sent now.
    public var hasRoomForNote: Bool { notes.hasRoom }

    /// Streams that carry the transfer now.
    public var openStreams: Int { lanes.reduce(0) { $0 + ($1.state == .open ? 1 : 0) } }

    /// How the transfer is carried now: the tuner's choice, or the configuration's.
    public var setting: StreamTuner.Setting { target }

    /// How often the tuner has changed the setting.
    public var tuningChanges: Int { tuner?.changes ?? 0 }

    /// Whether it is over and all its streams are gone, too.
    public var isSettled: Bool { isOver && lanes.allSatisfy { $0.state == .closed } }

    /// Whether nothing can happen any more.
    public var isOver: Bool { phase == .completed || phase == .failed }

    public mutating func step(
        _ input: Input<BulkSender>,
        at now: Instant,
        into actions: inout Actions<BulkSender>
    ) {
        self.now = now
        switch input {
        case .writable(let stream, let credit):
            guard let index = lane(of: stream) else { return }
            lanes[index].credit = credit
            flush(index, into: &actions)
            // What is queued waits for a lane that can take it, and only this one has changed.
            if lanes[index].canTake(chunkSize, limit: laneLimit(index)) { pump(into: &actions) }
            settleRetirement(of: index, into: &actions)
        case .readable(let stream, let bytes):
            guard let index = lane(of: stream) else { return }
            read(bytes, from: index, at: now, into: &actions)
        case .streamOpened(let stream, _):
            guard let index = lane(of: stream), lanes[index].state == .opening else { return }
            opened(index, at: now, into: &actions)
        case .finished(let stream):
            guard let index = lane(of: stream) else { return }
            if isOver || lanes[index].state == .leaving {
                left(index, into: &actions)
            } else {
                giveUp(index, .truncatedFrame, at: now, into: &actions)
            }
        case .reset(let stream, _):
            guard let index = lane(of: stream) else { return }
            if lanes[index].state == .leaving {
                left(index, into: &actions)
            } else {
                lost(index, .streamLost, at: now, into: &actions)
            }
        case .requested(let request):
            perform(request, into: &actions)
        case .fired(.reopen(let slot)):
            guard lanes[slot].state == .waiting else { return }
            open(slot, into: &actions)
        case .fired(.stalled):
            stalled(into: &actions)
        case .started:
            // A transfer may begin long after its node did.
            progressAt = now
            measured.restart(at: now)
            for slot in lanes.indices { open(slot, into: &actions) }
            startStall(at: now, into: &actions)
            if let limit = configuration.deadline {
                actions.setTimer(.deadline, at: now + limit)
            }
        case .path(let stream, let sample):
            guard let index = lane(of: stream) else { return }
            take(sample, of: index)
        case .fired(.watch):
            isWatching = false
            watch(into: &actions)
        case .fired(.deadline):
            fail(.deadlineExceeded, into: &actions)
        case .received, .persisted, .computed:
            break
        }
    }

    private mutating func perform(_ request: Request, into actions: inout Actions<BulkSender>) {
        // A producer may still be at work when the transfer has failed under it.
        guard phase != .failed else { return }
        switch request {
        case .enqueue(let payload):
            precondition(phase == .transferring, "a chunk after the last one")
            precondition(
                payload.count > 0 && payload.count <= min(room, configuration.chunkLimit),
                "a chunk of \(payload.count) bytes with room for \(room)"
            )
            append(payload, isLast: false)
            pump(into: &actions)
        case .note(let bytes):
            notes.enqueue(bytes)
            sendNotes(into: &actions)
        case .finish:
            precondition(phase == .transferring, "the transfer is finished already")
            phase = .finishing
            append(Payload(), isLast: true)
            pump(into: &actions)
        case .abort:
            guard phase != .completed else { return }
            fail(.aborted, into: &actions)
        }
    }

    private mutating func append(_ payload: Payload, isLast: Bool) {
        chunks[nextChunk] = OutgoingChunk(
            payload: payload,
            position: nextPosition,
            isLast: isLast,
            lane: nil
        )
        nextChunk += 1
        nextPosition += UInt64(payload.count + FrameHeader.chunkCharge)
        bufferedBytes += payload.count
    }
}
