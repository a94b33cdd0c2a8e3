import Determinism
import Machines
import Raft
import Units

/// Carries messages between replicas over one byte stream in each direction.
///
/// A message is a frame: its length (4 bytes), a checksum of its bytes (4 bytes), the bytes. A stream whose
/// frames are foreign, cut or longer than the limit is reset: nothing behind a broken frame has a known
/// beginning. The stream that we opened is opened anew after a growing pause, or when its peer was not
/// heard for long: a connection that lost its path would wait for its retransmission timer. Messages that
/// find no room are dropped, as datagrams would be.
///
/// Bounds: one stream each way and peer, `streamBuffer` bytes that wait for a peer, one partial frame from
/// it, and at most `Membership.limit` peers at a time.
struct PeerStreams: Sendable {
    /// The longest frame's bytes: an append of the largest command and its siblings.
    static let frameLimit = 4 << 20
    static let headerSize = 8

    private let node: NodeID
    private let configuration: StoreConfiguration
    private var nextNumber: UInt32
    private var outgoing: [Outgoing] = []
    private var incoming: [Incoming] = []
    private var scratch = WireWriter()

    private struct Outgoing: Sendable {
        let peer: NodeID
        var state = State.idle
        /// Frames that wait for credit; the first `written` bytes are gone.
        var buffer: [UInt8] = []
        var written = 0
        var credit = 0
        var delay: Interval
        /// When the stream was last opened.
        var opened = Instant.zero
        /// When the peer last sent anything.
        var heard = Instant.zero
    }

    /// *idle* → *opening* with the first message → *open* → *waiting* when it broke → *idle* after a pause.
    private enum State: Hashable, Sendable {
        case idle
        case opening(StreamID)
        case open(StreamID)
        case waiting
    }

    struct Incoming: Sendable {
        let peer: NodeID
        let stream: StreamID
        var bytes: [UInt8] = []
        var taken = 0
    }

    init(node: NodeID, incarnation: UInt32, configuration: StoreConfiguration) {
        self.node = node
        self.configuration = configuration
        // Each life has its own range of names.
        nextNumber = (incarnation & 0xfff) << 20
    }

    func checkInvariants() {
        precondition(outgoing.count <= Membership.limit && incoming.count <= Membership.limit)
        for stream in outgoing {
            let waiting = stream.buffer.count - stream.written
            precondition(waiting <= Int(configuration.streamBuffer.bytes), "\(waiting) bytes")
        }
    }

    // MARK: Sending

    mutating func send<Program: StoreProgram>(
        _ message: RaftMessage,
        to peer: NodeID,
        at now: Instant,
        into actions: inout Actions<Program>
    ) {
        guard let place = outgoingPlace(of: peer, at: now) else { return }
        // A clock that was set back must not make silence look short.
        outgoing[place].opened = min(outgoing[place].opened, now)
        outgoing[place].heard = min(outgoing[place].heard, now)
        if isSilent(place, at: now) { abandon(place, into: &actions) }
        encode(message, for: place)
        switch outgoing[place].state {
        case .idle: open(place, at: now, into: &actions)
        case .open: pump(place, into: &actions)
        case .opening, .waiting: break
        }
    }

    private mutating func encode(_ message: RaftMessage, for place: Int) {
        scratch.removeAll()
        StoreMessage.raft(message).encode(into: &scratch)
        let size = scratch.count
        let waiting = outgoing[place].buffer.count - outgoing[place].written
        guard size <= PeerStreams.frameLimit,
            waiting + size + PeerStreams.headerSize <= Int(configuration.streamBuffer.bytes)
        else { return }
        let checksum = PeerStreams.checksum(of: scratch.slice)
        withUnsafeBytes(of: UInt32(size).littleEndian) {
            outgoing[place].buffer.append(contentsOf: $0)
        }
        withUnsafeBytes(of: checksum.littleEndian) {
            outgoing[place].buffer.append(contentsOf: $0)
        }
        outgoing[place].buffer.append(contentsOf: scratch.slice)
    }

    private mutating func outgoingPlace(of peer: NodeID, at now: Instant) -> Int? {
        if let place = outgoing.firstIndex(where: { $0.peer == peer }) { return place }
        if outgoing.count >= Membership.limit {
            guard let idle = outgoing.firstIndex(where: { $0.state == .idle }) else { return nil }
            outgoing.remove(at: idle)
        }
        outgoing.append(Outgoing(peer: peer, delay: configuration.reopenDelay, heard: now))
        return outgoing.count - 1
    }

    private func isSilent(_ place: Int, at now: Instant) -> Bool {
        switch outgoing[place].state {
        case .opening, .open:
            let limit = configuration.streamSilence
            return now - outgoing[place].opened >= limit && now - outgoing[place].heard >= limit
        case .idle, .waiting: return false
        }
    }

    private mutating func abandon<Program: StoreProgram>(
        _ place: Int,
        into actions: inout Actions<Program>
    ) {
        switch outgoing[place].state {
        case .opening(let stream), .open(let stream): actions.reset(stream)
        case .idle, .waiting: break
        }
        clear(place, to: .idle)
    }

    private mutating func clear(_ place: Int, to state: State) {
        outgoing[place].state = state
        outgoing[place].buffer.removeAll(keepingCapacity: true)
        outgoing[place].written = 0
        outgoing[place].credit = 0
    }

    private mutating func open<Program: StoreProgram>(
        _ place: Int,
        at now: Instant,
        into actions: inout Actions<Program>
    ) {
        let stream = StreamID(opener: node, number: nextNumber)
        nextNumber &+= 1
        outgoing[place].state = .opening(stream)
        outgoing[place].opened = now
        actions.openStream(stream, to: outgoing[place].peer, StreamOptions(priority: 0))
    }

    private mutating func pump<Program: StoreProgram>(
        _ place: Int,
        into actions: inout Actions<Program>
    ) {
        guard case .open(let stream) = outgoing[place].state else { return }
        let waiting = outgoing[place].buffer.count - outgoing[place].written
        let count = min(waiting, outgoing[place].credit)
        guard count > 0 else { return }
        let start = outgoing[place].written
        actions.write(stream, Array(outgoing[place].buffer[start..<start + count])[...])
        outgoing[place].credit -= count
        outgoing[place].written += count
        if outgoing[place].written == outgoing[place].buffer.count {
            outgoing[place].buffer.removeAll(keepingCapacity: true)
            outgoing[place].written = 0
        } else if outgoing[place].written > outgoing[place].buffer.count / 2 {
            outgoing[place].buffer.removeFirst(outgoing[place].written)
            outgoing[place].written = 0
        }
    }

    // MARK: Life of streams

    mutating func opened<Program: StoreProgram>(
        _ stream: StreamID,
        _ peer: NodeID,
        into actions: inout Actions<Program>
    ) {
        if stream.opener == node {
            guard let place = outgoing.firstIndex(where: { $0.state == .opening(stream) }) else {
                actions.reset(stream)
                return
            }
            outgoing[place].state = .open(stream)
            outgoing[place].delay = configuration.reopenDelay
            pump(place, into: &actions)
            return
        }
        if let place = incoming.firstIndex(where: { $0.peer == peer }) {
            // A peer opens a new one when it has given the old one up.
            actions.reset(incoming[place].stream)
            incoming.remove(at: place)
        }
        guard incoming.count < Membership.limit else {
            actions.reset(stream)
            return
        }
        incoming.append(Incoming(peer: peer, stream: stream))
        // The peer lives, so our own stream to it need not wait any longer.
        if let place = outgoing.firstIndex(where: { $0.peer == peer && $0.state == .waiting }) {
            outgoing[place].state = .idle
            outgoing[place].delay = configuration.reopenDelay
        }
    }

    mutating func writable<Program: StoreProgram>(
        _ stream: StreamID,
        _ credit: Int,
        into actions: inout Actions<Program>
    ) {
        guard
            let place = outgoing.firstIndex(where: {
                $0.state == .open(stream) || $0.state == .opening(stream)
            })
        else { return }
        outgoing[place].credit = credit
        pump(place, into: &actions)
    }

    mutating func finished<Program: StoreProgram>(
        _ stream: StreamID,
        at now: Instant,
        into actions: inout Actions<Program>
    ) {
        // Neither side finishes a stream between replicas.
        actions.reset(stream)
        broken(stream, at: now, into: &actions)
    }

    mutating func broken<Program: StoreProgram>(
        _ stream: StreamID,
        at now: Instant,
        into actions: inout Actions<Program>
    ) {
        incoming.removeAll { $0.stream == stream }
        guard
            let place = outgoing.firstIndex(where: {
                $0.state == .open(stream) || $0.state == .opening(stream)
            })
        else { return }
        clear(place, to: .waiting)
        let delay = outgoing[place].delay
        outgoing[place].delay = min(delay * 2, configuration.reopenDelayLimit)
        actions.setTimer(Program.wrap(.reopen(outgoing[place].peer)), at: now + delay)
    }

    mutating func reopen<Program: StoreProgram>(
        _ peer: NodeID,
        at now: Instant,
        into actions: inout Actions<Program>
    ) {
        guard let place = outgoing.firstIndex(where: { $0.peer == peer && $0.state == .waiting })
        else { return }
        outgoing[place].state = .idle
        if !outgoing[place].buffer.isEmpty { open(place, at: now, into: &actions) }
    }

    // MARK: Receiving

    /// Takes bytes of an incoming stream; returns its peer, whose messages can be taken then.
    mutating func take<Program: StoreProgram>(
        _ bytes: Bytes,
        from stream: StreamID,
        at now: Instant,
        into actions: inout Actions<Program>
    ) -> NodeID? {
        guard let place = incoming.firstIndex(where: { $0.stream == stream }) else {
            // Peers say nothing on the streams that we open.
            if stream.opener == node {
                actions.reset(stream)
                broken(stream, at: now, into: &actions)
            }
            return nil
        }
        incoming[place].bytes.append(contentsOf: bytes)
        actions.grant(stream, bytes: bytes.count)
        let peer = incoming[place].peer
        if let out = outgoing.firstIndex(where: { $0.peer == peer }) { outgoing[out].heard = now }
        return peer
    }

    /// The next whole message; `nil` when more bytes are needed, or the stream had to be reset.
    mutating func nextMessage<Program: StoreProgram>(
        from peer: NodeID,
        into actions: inout Actions<Program>
    ) -> RaftMessage? {
        guard let place = incoming.firstIndex(where: { $0.peer == peer }) else { return nil }
        do throws(WireError) {
            if let message = try incoming[place].nextMessage() { return message }
            incoming[place].compact()
        } catch {
            actions.reset(incoming[place].stream)
            incoming.remove(at: place)
        }
        return nil
    }

    static func checksum(of bytes: Bytes) -> UInt32 {
        var chain = HashChain()
        chain.combine(bytes: bytes)
        return UInt32(truncatingIfNeeded: chain.fingerprint.low)
    }
}

extension PeerStreams.Incoming {
    mutating func nextMessage() throws(WireError) -> RaftMessage? {
        let available = bytes.count - taken
        guard available >= PeerStreams.headerSize else { return nil }
        var header = WireReader(bytes[taken..<taken + PeerStreams.headerSize])
        let size = Int(try header.read(UInt32.self))
        let expected = try header.read(UInt32.self)
        guard size <= PeerStreams.frameLimit else {
            throw .tooLarge(length: size, limit: PeerStreams.frameLimit)
        }
        guard available >= PeerStreams.headerSize + size else { return nil }
        let start = taken + PeerStreams.headerSize
        // A copy of its own: what the message keeps must not keep the whole buffer.
        let frame = Array(bytes[start..<start + size])
        taken = start + size
        let found = PeerStreams.checksum(of: frame[...])
        guard found == expected else {
            throw .checksumMismatch(expected: UInt64(expected), found: UInt64(found))
        }
        var reader = WireReader(frame)
        guard case .raft(let message) = try StoreMessage(from: &reader) else {
            throw .malformed("a message between client and replica on a replica's stream")
        }
        return message
    }

    mutating func compact() {
        bytes.removeFirst(taken)
        taken = 0
    }
}
