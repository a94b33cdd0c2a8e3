import Machines
import Units

/// One side of a reliable connection (RC): sends messages as numbered packets and repeats them from
/// the first that is missing; takes the peer's packets in order and nothing else.
///
/// Follows the InfiniBand Architecture, release 1.4, volume 1, section 9.7, with these deviations:
/// numbers do not wrap; the responder acknowledges the last packet of each message, and repeated
/// ones; the time-out is the least that the architecture allows, not up to four times that; a receiver
/// is never unready, for `StreamLink` sends no message without a posted receive.
///
/// Its memory is bounded by what `StreamLink` posts: the ring and 256 messages.
struct ReliableQueuePair {
    enum Content {
        /// Bytes for the peer's next receive.
        case message([UInt8])
        /// Bytes for the next place of the peer's ring, and the stream they are for.
        case write([Bytes], stream: UInt32)
    }

    struct Message {
        let content: Content
        let bytes: Int
        let first: Int64
        let packets: Int64
        var end: Int64 { first + packets }
        var isWrite: Bool { if case .write = content { true } else { false } }
    }

    /// What a packet of the peer is.
    enum Receipt {
        case next
        case repeated
        /// Something before it is missing, and the peer has not been told.
        case gap
        /// Something before it is missing, and the peer knows.
        case awaited
    }

    enum Wake {
        case nothing
        case later(Instant)
        case repeats
        case exhausted
    }

    /// 4.096 µs × 2^16, as the real environment asks for.
    static let timeout = Interval.nanoseconds(4_096 << 16)
    /// How often in a row packets are repeated without any progress.
    static let retries = 7

    let mtu: Int
    private var messages: [Message] = []
    private var head = 0
    /// The message of the next packet, as an index of `messages`.
    private var cursor = 0
    /// Messages before `messages[0]`.
    private var removed = 0
    /// Number of the next packet, of the first not acknowledged, of the first never posted.
    private var next: Int64 = 0
    private var una: Int64 = 0
    private var end: Int64 = 0
    private var failures = 0
    private var timer = LazyTimer()
    /// Number of the peer's next packet.
    private var expected: Int64 = 0
    private var hasComplained = false
    /// Messages taken from the peer.
    private(set) var taken = 0
    private(set) var isBroken = false
    private(set) var statistics = ConnectionStatistics()
    private var highest: Int64 = 0

    init(mtu: Int) { self.mtu = mtu }

    // MARK: Sending

    var wantsToSend: Bool { next < end && !isBroken }

    mutating func post(_ content: Content) {
        let bytes =
            switch content {
            case .message(let bytes): bytes.count
            case .write(let pieces, _): pieces.reduce(0) { $0 + $1.count }
            }
        let packets = Int64(max(1, (bytes + mtu - 1) / mtu))
        messages.append(Message(content: content, bytes: bytes, first: end, packets: packets))
        end += packets
    }

    /// The next packet; `wake` is when an event for the time-out is wanted.
    mutating func takePacket(at now: Instant) -> (packet: RDMAPacket, wake: Instant?) {
        precondition(wantsToSend, "nothing to send")
        while messages[cursor].end <= next { cursor += 1 }
        let message = messages[cursor]
        let begins = next == message.first
        let ends = next + 1 == message.end
        let before = Int(next - message.first) * mtu
        let payload = min(mtu, message.bytes - before)
        var packet = RDMAPacket()
        packet.number = next
        packet.endsMessage = ends
        packet.wireBytes = UInt16(
            RDMAPacket.wireBytes(
                payload: payload,
                begins: begins,
                ends: ends,
                isWrite: message.isWrite
            )
        )
        statistics.segmentsSent += 1
        if next < highest { statistics.segmentsRetransmitted += 1 }
        next += 1
        highest = max(highest, next)
        guard !timer.isSet else { return (packet, nil) }
        let deadline = now + ReliableQueuePair.timeout
        return (packet, timer.set(deadline) ? deadline : nil)
    }

    /// Everything before `number` has arrived at the peer.
    ///
    /// - Returns: How many messages that completes, and when an event for the time-out is wanted.
    mutating func acknowledge(before number: Int64, at now: Instant) -> (done: Int, wake: Instant?)
    {
        guard number > una, number <= highest, !isBroken else { return (0, nil) }
        una = number
        next = max(next, una)
        failures = 0
        var done = 0
        while head < messages.count, messages[head].end <= una {
            statistics.bytesAcknowledged += Int64(messages[head].bytes)
            head += 1
            done += 1
        }
        cursor = max(cursor, head)
        compact()
        guard una < next else {
            timer.clear()
            return (done, nil)
        }
        let deadline = now + ReliableQueuePair.timeout
        return (done, timer.set(deadline) ? deadline : nil)
    }

    /// The peer misses `number`; everything before it has arrived.
    ///
    /// - Returns: As `acknowledge`; breaks the pair when that was once too often.
    mutating func goBack(to number: Int64, at now: Instant) -> (done: Int, wake: Instant?) {
        guard number >= una, number < next, !isBroken else { return (0, nil) }
        let result = acknowledge(before: number, at: now)
        statistics.recoveries += 1
        repeatAll()
        return result
    }

    private mutating func repeatAll() {
        failures += 1
        if failures > ReliableQueuePair.retries {
            isBroken = true
            timer.clear()
            return
        }
        next = una
        cursor = head
        timer.clear()
    }

    /// An event of the time-out came.
    mutating func wake(at now: Instant) -> Wake {
        switch timer.wake(at: now) {
        case .nothing: return .nothing
        case .scheduleAgain: return .later(timer.deadline)
        case .due:
            statistics.timeouts += 1
            repeatAll()
            return isBroken ? .exhausted : .repeats
        }
    }

    /// The pair sends nothing more; what it has sent may still arrive.
    mutating func breakDown() {
        isBroken = true
        timer.clear()
    }

    private mutating func compact() {
        guard head >= 64, head * 2 >= messages.count else { return }
        messages.removeFirst(head)
        removed += head
        cursor -= head
        head = 0
    }

    // MARK: Receiving

    mutating func receive(_ number: Int64, endsMessage: Bool) -> Receipt {
        if number < expected { return .repeated }
        if number > expected {
            defer { hasComplained = true }
            return hasComplained ? .awaited : .gap
        }
        expected += 1
        hasComplained = false
        if endsMessage { taken += 1 }
        return .next
    }

    /// The peer's next packet.
    var awaited: Int64 { expected }

    /// The message of that place among all that were posted; it is here until it is acknowledged.
    func message(_ place: Int) -> Message { messages[place - removed] }
}
