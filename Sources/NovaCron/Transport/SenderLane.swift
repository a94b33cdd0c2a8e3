import Machines
import Units

/// A chunk that the receiver has not acknowledged.
struct OutgoingChunk: Sendable {
    let payload: Payload
    /// Where it begins in the transfer.
    let position: UInt64
    let isLast: Bool
    var end: UInt64 { position + UInt64(payload.count + FrameHeader.chunkCharge) }
    /// The lane that carries it; `nil` while it waits for one.
    var lane: Int?
    /// A second lane that carries it, because the first was late.
    var copy: Int?
    /// When a lane took it last, and when its acknowledgement was to be expected then.
    var sentAt = Instant.zero
    var due = Instant.zero
}

/// One of a sender's parallel streams, through all its lives.
struct SenderLane: Sendable {
    enum State: Sendable, Equatable {
        /// Not opened yet, or over for good.
        case closed
        /// Asked for → open, waiting.
        case opening
        /// Carries frames → leaving, waiting, closed.
        case open
        /// Finished from our side, after a farewell → closed.
        case leaving
        /// Lost; its timer leads to opening.
        case waiting
    }

    var state = State.closed
    /// The stream of the current life; meaningless while waiting or closed.
    var stream: StreamID
    var congestion: CongestionControl
    /// It takes no more chunks, and leaves once it carries none.
    var isRetiring = false
    var hasSaidFarewell = false
    /// It was lost too often; its slot is not used again.
    var isGivenUp = false
    var credit = 0
    var backlog = Backlog()
    /// Payload bytes of the chunks below.
    var outstanding = 0
    /// Chunks it carries that are not acknowledged, in the order of writing.
    var carried: [UInt64] = []
    /// Lives since the last progress.
    var attempts = 0
    var openedAt = Instant.zero
    /// When we finished it; meaningless unless it is leaving.
    var finishedAt = Instant.zero
    /// The last sign of life: something that its peer wrote, or an acknowledgement of the medium.
    var heardAt = Instant.zero
    /// When a question whether the peer lives was asked that is not answered yet.
    var probedAt: Instant?
    var path = LanePath()
    var decoder: FrameDecoder
    /// Bytes read and not yet granted again.
    var ungranted = 0

    init(session: SessionID, congestion: CongestionControl) {
        stream = session.stream(0)
        decoder = FrameDecoder(session: session)
        self.congestion = congestion
    }

    /// Whether it counts as one of the transfer's streams.
    var isServing: Bool {
        switch state {
        case .opening, .open, .waiting: !isRetiring
        case .closed, .leaving: false
        }
    }

    /// Whether frames may be put on it.
    var mayWrite: Bool { state == .open && !hasSaidFarewell }

    /// Whether a chunk of that size may be put on it.
    func canTake(_ size: Int, limit: Int) -> Bool {
        state == .open && !isRetiring && credit > 0 && backlog.isEmpty
            && (outstanding == 0 || outstanding + size <= limit)
    }

    /// Writes what the credit admits; returns the bytes written.
    mutating func flush(into actions: inout Actions<BulkSender>) -> Int {
        backlog.flush(to: stream, credit: &credit, into: &actions)
    }

    mutating func close() {
        state = .closed
        isRetiring = false
        hasSaidFarewell = false
        credit = 0
        backlog.removeAll()
        carried.removeAll(keepingCapacity: true)
        outstanding = 0
        ungranted = 0
        probedAt = nil
        path = LanePath()
    }
}

/// What the medium has measured about one lane's path.
struct LanePath: Sendable {
    /// The last smoothed round-trip time.
    private(set) var roundTrip: Interval?
    /// Bytes a second, smoothed over about four samples.
    private(set) var bytesPerSecond: Double?
    /// What the next sample tells of began then: at the last one, or when something was to be sent again.
    private var sampleStart: Instant?

    /// Something is to be sent, for the first time or after a rest.
    mutating func begin(at time: Instant) { sampleStart = time }

    /// Returns the bytes that the path has carried since the last sample.
    mutating func take(_ sample: PathSample, at time: Instant) -> Double {
        roundTrip = sample.rtt
        let rate = Double(sample.deliveryRate.bitsPerSecond) / 8
        bytesPerSecond = bytesPerSecond.map { $0 + (rate - $0) / 4 } ?? rate
        defer { sampleStart = time }
        return sampleStart.map { rate * max(.zero, time - $0).seconds } ?? 0
    }
}
