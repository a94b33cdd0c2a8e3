public import Machines
public import Units

/// The receiving end of one transfer over parallel byte streams (AMST).
///
/// Every frame is checked before anything in it counts. A chunk that arrives whole is acknowledged on
/// the stream that brought it, held until all before it are there, and delivered in order; repeated
/// chunks are acknowledged again and dropped. The application says what it has consumed, and the
/// limit up to which the sender may send moves on by that: an application that stops, stops the
/// sender.
///
/// Whatever breaks the format, belongs to another session or exceeds the window costs the peer the
/// stream and never traps.
///
/// A stream that does not begin with a frame in time, or is silent for three keep-alives, is reset.
///
/// Bounds: `TransportConfiguration.window` payload bytes delivered or held and not consumed, as much
/// and a frame in partial frames, at most `streamLimit` streams at a time, 64 notes each way.
public struct BulkReceiver: Machine {
    public enum Request: Sendable {
        /// The application is done with so many bytes, of so many delivered chunks.
        case consumed(Int, chunks: Int = 1)
        /// Sends a note of at most `FrameHeader.noteLimit` bytes; 64 may be unacknowledged.
        case note(Bytes)
        /// Gives the transfer up.
        case abort
    }

    public enum Event: Sendable, Equatable {
        /// The next chunk, verified.
        case delivered(UInt64, Payload)
        /// A note from the sender.
        case noted(Bytes)
        /// All chunks have been delivered.
        case completed
        /// The transfer is over and incomplete. Final.
        case failed(TransportError)
        /// A stream was given up, by us for what came over it or by the medium.
        case streamLost(StreamID, TransportError)
    }

    public enum Timer: Hashable, Sendable {
        /// No stream for too long.
        case stalled
        /// Time to look after streams that say nothing.
        case sweep
    }

    /// Receiving → completed; receiving → failed.
    enum Phase: Sendable, Equatable {
        case receiving
        /// All chunks are delivered; repeated ones are still acknowledged.
        case completed
        case failed
    }

    public let session: SessionID
    public let configuration: TransportConfiguration
    /// Tells this receiver from others of the session, as of other incarnations, never zero; the sender fails when it
    /// changes.
    let epoch: UInt64
    public internal(set) var statistics = TransferStatistics()

    var phase = Phase.receiving
    var lanes: [ReceiverLane] = []
    /// The lane of each stream ordinal; `noLane` for unknown and dead ones.
    var laneOfOrdinal: [UInt16] = []
    var openLanes = 0
    /// Chunks that arrived before an older one.
    var held = SequenceWindow<HeldChunk>()
    var heldBytes = 0
    /// The position up to which chunks were delivered, and up to which the application consumed them;
    /// each chunk counts `FrameHeader.chunkCharge` more than its bytes.
    var delivered: UInt64 = 0
    var consumed: UInt64 = 0
    /// How far the sender was told it may send.
    var advertisedLimit: UInt64
    /// The lane that carries the newest limit, until an older one cannot matter any more.
    var limitLane: Int?
    var notes = NoteExchange()
    var isStalled = false
    var isSweeping = false
    /// Bytes of frames that are not complete, on all lanes.
    var partialBytes = 0

    /// Streams at a time: those of a sender, and as many that it has lost and we have not.
    public static let streamLimit = 2 * TransportConfiguration.streamLimit

    static let noLane = UInt16.max

    /// - Parameter epoch: another one for each receiver that the session has had, as in each incarnation of the
    ///   receiving node, below `UInt64.max`.
    public init(
        session: SessionID,
        epoch: UInt64,
        configuration: TransportConfiguration
    ) {
        self.session = session
        self.epoch = epoch + 1
        self.configuration = configuration
        advertisedLimit = UInt64(configuration.window)
    }

    /// Bytes delivered and not yet consumed, and `FrameHeader.chunkCharge` a chunk.
    public var unconsumedBytes: Int { Int(delivered - consumed) }

    /// Payload bytes held for reassembly, partial frames included.
    public var reassemblyBytes: Int {
        lanes.reduce(heldBytes) { $0 + ($1.isOpen ? $1.decoder.heldBytes : 0) }
    }

    /// Chunks that came before an older one and are not delivered yet, by number.
    public var heldChunks: [(number: UInt64, payload: Payload)] {
        held.elements.filter { !$0.element.isLast }.map { ($0.number, $0.element.payload) }
    }

    public var hasRoomForNote: Bool { notes.hasRoom }

    /// Whether all chunks have been delivered.
    public var isComplete: Bool { phase == .completed }
    public var isFailed: Bool { phase == .failed }
    /// Whether it is over and its streams are, too.
    public var isSettled: Bool { phase != .receiving && openLanes == 0 }

    public mutating func step(
        _ input: Input<BulkReceiver>,
        at now: Instant,
        into actions: inout Actions<BulkReceiver>
    ) {
        switch input {
        case .readable(let stream, let bytes):
            guard let index = lane(of: stream) else { return }
            read(bytes, from: index, at: now, into: &actions)
        case .writable(let stream, let credit):
            guard let index = lane(of: stream) else { return }
            lanes[index].credit = credit
            flush(index, into: &actions)
        case .streamOpened(let stream, _):
            opened(stream, at: now, into: &actions)
        case .finished(let stream):
            guard let index = lane(of: stream) else { return }
            finished(index, at: now, into: &actions)
        case .reset(let stream, _):
            guard let index = lane(of: stream) else { return }
            lost(index, .streamLost, at: now, into: &actions)
        case .requested(let request):
            perform(request, into: &actions)
        case .fired(.stalled):
            if isStalled, phase == .receiving { fail(.unreachable, into: &actions) }
        case .fired(.sweep):
            isSweeping = false
            sweep(at: now, into: &actions)
        case .started, .path, .received, .persisted, .computed:
            break
        }
    }

    private mutating func perform(
        _ request: Request,
        into actions: inout Actions<BulkReceiver>
    ) {
        // The application may still be at work when the transfer has failed under it.
        guard phase != .failed else { return }
        switch request {
        case .consumed(let bytes, let chunks):
            let count = bytes + chunks * FrameHeader.chunkCharge
            precondition(
                bytes >= 0 && chunks >= 0 && count <= unconsumedBytes,
                "consumed \(bytes) bytes in \(chunks) chunks of \(unconsumedBytes)"
            )
            consumed += UInt64(count)
            advertiseLimit(into: &actions)
        case .note(let bytes):
            notes.enqueue(bytes)
            sendNotes(into: &actions)
        case .abort:
            if phase == .receiving { fail(.aborted, into: &actions) }
        }
    }
}

/// A chunk that cannot be delivered yet.
struct HeldChunk: Sendable {
    let payload: Payload
    let position: UInt64
    let isLast: Bool

    /// What it takes of the window.
    var charge: Int { payload.count + FrameHeader.chunkCharge }
}

/// One of the streams of a transfer, at its receiver.
struct ReceiverLane: Sendable {
    var isOpen = true
    let stream: StreamID
    var greeting = Greeting.awaited
    /// The sender has said that it finishes this stream before the transfer is over.
    var isLeaving = false
    var credit = 0
    var backlog = Backlog()
    var decoder: FrameDecoder
    /// Bytes read and not yet granted again.
    var ungranted = 0
    /// When it last brought anything, or was opened.
    var heardAt: Instant

    enum Greeting: Sendable {
        /// The first frame has to be hello → welcomed, refused.
        case awaited
        case welcomed
        /// The sender has been told why; what it sends until it knows is dropped.
        case refused
    }

    /// Whether frames beyond the answer to hello may go this way.
    var canSpeak: Bool {
        guard isOpen, case .welcomed = greeting else { return false }
        return true
    }

    /// Writes what the credit admits; returns the bytes written.
    mutating func flush(into actions: inout Actions<BulkReceiver>) -> Int {
        backlog.flush(to: stream, credit: &credit, into: &actions)
    }
}
