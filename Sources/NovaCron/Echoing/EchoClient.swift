import Determinism
import Machines
import Units

/// The asking side of `Echo`.
struct EchoClient {
    private let node: NodeID
    private let plan: EchoPlan
    private var random: SeededRandom
    private var started = Instant.zero
    private var nextSequence: UInt64 = 0
    /// What is added to a ping's place in the schedule to name it: the server remembers the names of
    /// earlier incarnations, so a new one must not use them again.
    private let firstName: UInt64
    private var outstanding: [UInt64: Ping] = [:]
    private var highestClaim: UInt64 = 0
    private var stream = StreamState.idle
    private var streamsLeft: UInt32
    private var nextStream: UInt32
    private var isDone = false

    private struct Ping {
        let intended: Instant
        /// The most durable numbers the server had claimed before this ping was first sent. This
        /// ping is one more, so an answer that claims no more means that the server forgot some.
        let floor: UInt64
        let payload: Bytes
        var attempts: UInt32
    }

    /// The one stream: idle → opening → (writing, reading) → idle; a reset leads to waiting.
    private enum StreamState {
        case idle
        case opening(StreamID)
        case open(StreamID, Exchange)
        /// The retry timer is set.
        case waiting
    }

    private struct Exchange {
        let sent: [UInt8]
        var written = 0
        var received: [UInt8] = []
    }

    init(_ birth: Birth<Echo>, plan: EchoPlan) {
        node = birth.node
        self.plan = plan
        random = SeededRandom(
            seed: birth.seed,
            entity: EntityID(birth.node),
            purpose: "echo payload",
            incarnation: birth.incarnation
        )
        streamsLeft = plan.streamBytes > 0 ? plan.streams : 0
        firstName = UInt64(birth.incarnation) << 32
        // Streams of an earlier incarnation may still be dying; their names are not used again.
        nextStream = birth.incarnation << 20
    }

    mutating func step(
        _ input: Input<Echo>,
        at now: Instant,
        into actions: inout Actions<Echo>
    ) {
        switch input {
        case .started:
            started = now
            sendDue(at: now, into: &actions)
            openStream(into: &actions)
        case .fired(.next):
            sendDue(at: now, into: &actions)
        case .fired(.overdue(let sequence)):
            overdue(sequence, at: now, into: &actions)
        case .fired(.retryStream):
            stream = .idle
            openStream(into: &actions)
        case .received(.pong(let sequence, let served, let payload), _):
            answered(sequence, served: served, payload, at: now, into: &actions)
        case .streamOpened(let id, _):
            opened(id)
        case .writable(let id, let credit):
            write(id, credit: credit, into: &actions)
        case .readable(let id, let bytes):
            read(id, bytes, into: &actions)
        case .finished(let id):
            finished(id, into: &actions)
        case .reset(let id, _):
            broken(id, at: now, into: &actions)
        case .received(.ping, _), .requested, .persisted, .computed, .path:
            break
        }
        finishIfDone(into: &actions)
    }

    func checkInvariants() {
        precondition(
            UInt64(outstanding.count) <= nextSequence && nextSequence <= plan.pings,
            "\(outstanding.count) pings outstanding of \(nextSequence) sent"
        )
    }

    /// Sends every ping whose time has come; the schedule is fixed, whatever the answers do.
    private mutating func sendDue(at now: Instant, into actions: inout Actions<Echo>) {
        while nextSequence < plan.pings {
            let intended = started + plan.spacing * Int64(nextSequence)
            guard intended <= now else {
                actions.setTimer(.next, at: intended)
                return
            }
            let payload = randomBytes(plan.payloadBytes)
            let name = firstName + nextSequence
            outstanding[name] = Ping(
                intended: intended,
                floor: highestClaim,
                payload: payload,
                attempts: 1
            )
            actions.send(.ping(sequence: name, payload: payload), to: plan.server)
            actions.setTimer(.overdue(name), at: now + plan.timeout)
            nextSequence += 1
        }
    }

    private mutating func overdue(
        _ sequence: UInt64,
        at now: Instant,
        into actions: inout Actions<Echo>
    ) {
        guard var ping = outstanding[sequence] else { return }
        guard ping.attempts < plan.attempts else {
            outstanding[sequence] = nil
            let waited = (now - ping.intended).nanoseconds
            actions.emit(.unanswered(sequence: sequence, waitedNanoseconds: waited))
            return
        }
        ping.attempts += 1
        outstanding[sequence] = ping
        actions.send(.ping(sequence: sequence, payload: ping.payload), to: plan.server)
        actions.setTimer(.overdue(sequence), at: now + plan.timeout)
    }

    private mutating func answered(
        _ sequence: UInt64,
        served: UInt64,
        _ payload: Bytes,
        at now: Instant,
        into actions: inout Actions<Echo>
    ) {
        guard let ping = outstanding.removeValue(forKey: sequence) else { return }
        actions.cancelTimer(.overdue(sequence))
        if served <= ping.floor {
            actions.emit(.forgot(claimed: served, before: ping.floor))
        }
        highestClaim = max(highestClaim, served)
        actions.emit(
            .answered(
                sequence: sequence,
                latencyNanoseconds: (now - ping.intended).nanoseconds,
                attempts: ping.attempts,
                equal: payload == ping.payload
            )
        )
    }

    private mutating func randomBytes(_ count: Int) -> Bytes {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        for _ in 0..<count { bytes.append(UInt8(truncatingIfNeeded: random.next())) }
        return bytes[...]
    }

    private mutating func openStream(into actions: inout Actions<Echo>) {
        guard case .idle = stream, streamsLeft > 0 else { return }
        let id = StreamID(opener: node, number: nextStream)
        nextStream += 1
        stream = .opening(id)
        actions.openStream(id, to: plan.server)
    }

    private mutating func opened(_ id: StreamID) {
        guard case .opening(id) = stream else { return }
        stream = .open(id, Exchange(sent: Array(randomBytes(plan.streamBytes))))
    }

    private mutating func write(_ id: StreamID, credit: Int, into actions: inout Actions<Echo>) {
        guard case .open(id, var exchange) = stream else { return }
        let rest = exchange.sent.count - exchange.written
        guard rest > 0, credit > 0 else { return }
        let count = min(rest, credit)
        actions.write(id, exchange.sent[exchange.written..<exchange.written + count])
        exchange.written += count
        if exchange.written == exchange.sent.count { actions.finish(id) }
        stream = .open(id, exchange)
    }

    private mutating func read(
        _ id: StreamID,
        _ bytes: Bytes,
        into actions: inout Actions<Echo>
    ) {
        guard case .open(id, var exchange) = stream else { return }
        exchange.received.append(contentsOf: bytes)
        stream = .open(id, exchange)
        actions.grant(id, bytes: bytes.count)
    }

    private mutating func finished(_ id: StreamID, into actions: inout Actions<Echo>) {
        guard case .open(id, let exchange) = stream else { return }
        var expected = WireWriter(reserving: exchange.sent.count + 8)
        expected.write(bytes: exchange.sent)
        expected.write(EchoJob.checksum(exchange.sent))
        let equal = exchange.received == expected.bytes
        actions.emit(.echoed(bytes: exchange.sent.count, equal: equal))
        stream = .idle
        streamsLeft -= 1
        openStream(into: &actions)
    }

    private mutating func broken(
        _ id: StreamID,
        at now: Instant,
        into actions: inout Actions<Echo>
    ) {
        switch stream {
        case .opening(id), .open(id, _):
            stream = .waiting
            actions.setTimer(.retryStream, at: now + plan.timeout)
        case .idle, .opening, .open, .waiting:
            break
        }
    }

    private mutating func finishIfDone(into actions: inout Actions<Echo>) {
        guard !isDone, nextSequence == plan.pings, outstanding.isEmpty, streamsLeft == 0 else {
            return
        }
        isDone = true
        actions.emit(.done)
    }
}
