package import Machines
package import Units

/// Ordered byte streams on one queue pair between two nodes: the protocol, as a value without a
/// device.
///
/// Bulk bytes are placed into a ring in the peer's memory by RDMA writes whose immediate names the
/// stream; everything else is a `ControlMessage`. Both arrive in the order in which they were posted
/// (InfiniBand Architecture 1.4, volume 1, section 9.5: reliable connections keep order).
///
/// Three credits bound what is under way. A stream's receive credit holds bytes back at their
/// sender, so that whatever lies in the ring can be handed over at once and no stream blocks
/// another. The ring's free part bounds bytes (`RingAccount`), posted receives bound messages
/// (`MessageAccount`); both are returned as running totals, which a later message repeats.
///
/// States: *connecting* until the peer's offer is known (`connect`), *greeting* until its hello has
/// come, then *up*, and from each of them *lost*, for good. A stream that was not yet told to the peer
/// when the link is lost was never carried.
package struct StreamLink: Sendable {
    /// What the medium must do, or a stream must hear, in this order.
    package enum Action: Sendable, Equatable {
        /// Send these bytes into the peer's next receive.
        case send([UInt8])
        /// Copy the pieces to `offset` of our ring and write them to the same place of the peer's,
        /// with the stream's number as the immediate.
        case place(offset: Int, pieces: [Bytes], stream: UInt32)
        case tell(UInt32, Happening)
        /// The link cannot be used any more; the last action.
        case fail(Failure)
    }

    package enum Happening: Sendable, Equatable {
        case opened
        case writable
        case readable(Bytes)
        case finished
        case reset(StreamResetReason)
        case path(PathSample)
        /// The link ended before the peer could hear of the stream.
        case notCarried(granted: Int, isFinishing: Bool)
    }

    /// What a peer did that no link does, or what became of the queue pair.
    package enum Failure: Error, Hashable, Sendable {
        case malformed(WireError)
        case unexpected(String)
        /// The connection that set the link up has ended: the peer's process is gone.
        case peerGone
        /// Nobody listens where the link should lead.
        case refused
        /// The device, or the path to the peer's, does not work.
        case broken(String)

        var reason: StreamResetReason {
            switch self {
            case .peerGone: .byPeer
            case .refused: .refused
            case .malformed, .unexpected, .broken: .failed
            }
        }
    }

    package enum Role: Hashable, Sendable {
        /// Opens all streams of the link.
        case opener
        case acceptor
    }

    private enum Phase: Hashable { case connecting, greeting, up, lost }

    /// The largest write; a message each.
    package static let chunk = 64 << 10
    /// Streams that a peer may have open on one link.
    package static let streamLimit = 4_096
    /// How often a stream hears of its path while its bytes arrive.
    package static let measuringInterval = Interval.milliseconds(100)

    private let role: Role
    private var phase = Phase.connecting
    private var isHelloSent = false
    private var ring: RingAccount
    private var messages: MessageAccount
    private let receiveLength: Int
    private let receives: Int
    /// Bytes and messages of the peer that were taken, and how many of them it knows of.
    private var bytesTaken = 0
    private var messagesTaken = 0
    private var toldBytes = 0
    private var toldMessages = 0

    private var streams: [UInt32: LinkStream] = [:]
    /// Keys of `streams` in the order of their opening.
    private var order: [UInt32] = []
    /// Where in `order` the next turn begins.
    private var turn = 0
    /// Streams that ended here and whose end the peer must hear.
    private var resets: [UInt32] = []

    /// What was posted and has not completed; it completes in this order.
    private struct Posted { let bytes: Int; let stream: UInt32; let time: Instant }
    private var posted: [Posted] = []
    private var firstPosted = 0
    private let postLimit: Int
    private var roundTrip: Interval?

    /// - Parameters:
    ///   - receiveLength: bytes of our ring.
    ///   - receives: receives that we keep posted.
    ///   - postLimit: sends and writes that may be posted at a time, besides
    ///     `MessageAccount.reserve` that return credit.
    package init(role: Role, receiveLength: Int, receives: Int, postLimit: Int) {
        precondition(postLimit > 0, "a link that may post nothing")
        self.role = role
        self.receiveLength = receiveLength
        self.receives = receives
        self.postLimit = postLimit
        // Until the peer's are known nothing is sent.
        ring = RingAccount(length: 1)
        messages = MessageAccount(limit: MessageAccount.reserve + 1)
    }

    /// The queue pair is connected: the peer's ring has `sendLength` bytes, and it keeps
    /// `peerReceives` receives posted.
    package mutating func connect(sendLength: Int, peerReceives: Int) {
        guard phase == .connecting else { return }
        phase = .greeting
        ring = RingAccount(length: sendLength)
        messages = MessageAccount(limit: peerReceives)
    }

    package var isUp: Bool { phase == .up }
    package var isLost: Bool { phase == .lost }
    /// Whether it has ever been up.
    package private(set) var wasUp = false
    /// Streams that are open or being opened.
    package var streamCount: Int { order.count }
    package func credit(of stream: UInt32) -> Int { streams[stream]?.credit ?? 0 }
    package func isOpen(_ stream: UInt32) -> Bool { streams[stream] != nil }
    private var postedCount: Int { posted.count - firstPosted }

    // MARK: The machine's actions

    package mutating func open(_ stream: UInt32, window: Int, priority: UInt8, at now: Instant) {
        precondition(role == .opener, "a stream opened on the peer's link")
        precondition(streams[stream] == nil, "stream \(stream) is opened twice")
        streams[stream] = LinkStream(
            window: window,
            priority: priority,
            isAnnounced: false,
            at: now
        )
        order.append(stream)
    }

    package mutating func write(_ stream: UInt32, _ bytes: Bytes) { streams[stream]?.write(bytes) }

    package mutating func grant(_ stream: UInt32, _ count: Int) { streams[stream]?.grant(count) }

    package mutating func finish(_ stream: UInt32) { streams[stream]?.isFinishing = true }

    package mutating func reset(_ stream: UInt32) {
        guard let state = remove(stream) else { return }
        if state.isAnnounced, phase == .up { resets.append(stream) }
    }

    /// Whether both sides have finished, as far as our own is concerned: nothing more is told.
    package func isComplete(_ stream: UInt32) -> Bool {
        streams[stream].map { $0.isFinishing && $0.isPeerFinished } ?? true
    }

    // MARK: What the medium tells

    /// A control message of the peer arrived.
    package mutating func receive(
        _ bytes: Bytes,
        at now: Instant,
        into actions: inout [Action]
    ) {
        guard phase != .lost else { return }
        messagesTaken += 1
        do throws(WireError) {
            take(try ControlMessage(from: bytes), at: now, into: &actions)
        } catch {
            lose(.malformed(error), into: &actions)
        }
    }

    /// A write of `count` bytes for `stream` arrived in our ring; `read` copies out of it.
    package mutating func arrive(
        _ count: Int,
        for stream: UInt32,
        into actions: inout [Action],
        read: (Range<Int>) -> Bytes
    ) {
        guard phase != .lost else { return }
        let offset = bytesTaken % receiveLength
        guard phase == .up, count > 0, count <= receiveLength - offset else {
            return lose(.unexpected("a write of \(count) bytes at \(offset)"), into: &actions)
        }
        messagesTaken += 1
        bytesTaken += count
        // Bytes for a stream that we have reset were under way when we did.
        guard streams[stream] != nil else { return }
        guard streams[stream]!.receive(count) else {
            return lose(.unexpected("bytes beyond the credit of \(stream)"), into: &actions)
        }
        actions.append(.tell(stream, .readable(read(offset..<offset + count))))
    }

    /// The oldest send or write that was posted has completed.
    package mutating func completed(at now: Instant, into actions: inout [Action]) {
        guard phase != .lost else { return }
        guard postedCount > 0 else {
            return lose(.unexpected("a completion of nothing"), into: &actions)
        }
        let oldest = posted[firstPosted]
        firstPosted += 1
        if firstPosted == posted.count || firstPosted > 1_024 {
            posted.removeSubrange(..<firstPosted)
            firstPosted = 0
        }
        measureRoundTrip(now - oldest.time)
        guard oldest.bytes > 0 else { return }
        ring.complete(oldest.bytes)
        guard streams[oldest.stream] != nil else { return }
        streams[oldest.stream]!.measured.bytes += oldest.bytes
        measure(oldest.stream, at: now, into: &actions)
    }

    /// The link is lost: streams that the peer knows of are reset, others were never carried.
    package mutating func lose(_ failure: Failure, into actions: inout [Action]) {
        guard phase != .lost else { return }
        phase = .lost
        for stream in order {
            guard let state = streams[stream] else { continue }
            if state.isAnnounced || failure == .refused {
                actions.append(.tell(stream, .reset(failure.reason)))
            } else {
                let fate = Happening.notCarried(
                    granted: state.granted - state.window,
                    isFinishing: state.isFinishing
                )
                actions.append(.tell(stream, fate))
            }
        }
        streams = [:]
        order = []
        resets = []
        posted = []
        firstPosted = 0
        actions.append(.fail(failure))
    }

    // MARK: Inside

    private mutating func remove(_ stream: UInt32) -> LinkStream? {
        guard let state = streams.removeValue(forKey: stream) else { return nil }
        if let index = order.firstIndex(of: stream) {
            order.remove(at: index)
            if turn > index { turn -= 1 }
        }
        return state
    }

    private mutating func take(
        _ message: ControlMessage,
        at now: Instant,
        into actions: inout [Action]
    ) {
        guard ring.take(upTo: message.bytesTaken), messages.take(upTo: message.messagesTaken) else {
            return lose(.unexpected("credit for what was never sent"), into: &actions)
        }
        guard phase == (message.kind == .hello ? .greeting : .up) else {
            return lose(.unexpected("\(message.kind) while \(phase)"), into: &actions)
        }
        switch message.kind {
        case .hello:
            phase = .up
            wasUp = true
        case .credit: break
        case .open: accept(message, at: now, into: &actions)
        case .grant: streams[message.stream]?.extend(to: message.value)
        case .finish: endInput(of: message.stream, into: &actions)
        case .reset:
            if remove(message.stream) != nil {
                actions.append(.tell(message.stream, .reset(.byPeer)))
            }
        }
    }

    private mutating func accept(
        _ message: ControlMessage,
        at now: Instant,
        into actions: inout [Action]
    ) {
        guard role == .acceptor, streams[message.stream] == nil,
            order.count < StreamLink.streamLimit
        else { return lose(.unexpected("a stream \(message.stream)"), into: &actions) }
        streams[message.stream] = LinkStream(
            window: Int(message.value),
            priority: message.priority,
            isAnnounced: true,
            at: now
        )
        order.append(message.stream)
        actions.append(.tell(message.stream, .opened))
    }

    private mutating func endInput(of stream: UInt32, into actions: inout [Action]) {
        guard streams[stream] != nil else { return }
        guard !streams[stream]!.isPeerFinished else {
            return lose(.unexpected("stream \(stream) ends twice"), into: &actions)
        }
        streams[stream]!.isPeerFinished = true
        actions.append(.tell(stream, .finished))
        if streams[stream]!.isComplete { _ = remove(stream) }
    }

    private mutating func measureRoundTrip(_ sample: Interval) {
        guard let before = roundTrip else {
            roundTrip = sample
            return
        }
        roundTrip = .nanoseconds((before.nanoseconds * 7 + sample.nanoseconds) / 8)
    }

    /// What was posted until its completion is the round trip; retransmissions are the device's own
    /// and not seen, so that the loss is told as none.
    private mutating func measure(
        _ stream: UInt32,
        at now: Instant,
        into actions: inout [Action]
    ) {
        let (since, bytes) = streams[stream]!.measured
        let elapsed = now - since
        guard elapsed >= StreamLink.measuringInterval, let roundTrip else { return }
        streams[stream]!.measured = (now, 0)
        let underWay = posted[firstPosted...].reduce(0) { sum, item in
            item.stream == stream ? sum + item.bytes : sum
        }
        let sample = PathSample(
            rtt: max(roundTrip, .nanoseconds(1)),
            deliveryRate: BitRate(
                bitsPerSecond: max(1, Int64(Double(bytes) * 8 / elapsed.seconds))
            ),
            loss: Ratio(0),
            inFlight: ByteCount(Int64(underWay))
        )
        actions.append(.tell(stream, .path(sample)))
    }
}

// MARK: Sending

extension StreamLink {
    /// Appends everything that may be posted now. Call it after each change.
    package mutating func advance(at now: Instant, into actions: inout [Action]) {
        let mayGreet = phase == .up || (phase == .greeting && role == .opener)
        if mayGreet, !isHelloSent {
            isHelloSent = true
            post(.hello, at: now, into: &actions)
        }
        guard phase == .up else { return }
        sendControl(at: now, into: &actions)
        sendData(at: now, into: &actions)
        returnCredit(at: now, into: &actions)
    }

    private var mayPost: Bool { messages.maySend && postedCount < postLimit }

    private mutating func sendControl(at now: Instant, into actions: inout [Action]) {
        while mayPost, !resets.isEmpty {
            post(.reset, stream: resets.removeFirst(), at: now, into: &actions)
        }
        for stream in order where mayPost {
            guard let state = streams[stream] else { continue }
            if !state.isAnnounced {
                streams[stream]!.isAnnounced = true
                streams[stream]!.measured = (now, 0)
                let window = UInt64(state.window)
                post(
                    .open,
                    stream: stream,
                    value: window,
                    priority: state.priority,
                    at: now,
                    into: &actions
                )
                actions.append(.tell(stream, .opened))
            }
            if mayPost, streams[stream]!.wantsGrant {
                let total = streams[stream]!.announceGrant()
                post(.grant, stream: stream, value: total, at: now, into: &actions)
            }
        }
    }

    /// Chunks of all streams in turn, those of more urgent streams before others.
    private mutating func sendData(at now: Instant, into actions: inout [Action]) {
        var hasRoom: [UInt32] = []
        while mayPost, let stream = nextSpeaker() {
            let (offset, contiguous) = ring.next
            let count = min(streams[stream]!.placeable, contiguous, StreamLink.chunk)
            if count > 0 {
                let pieces = streams[stream]!.next(count)
                ring.place(count)
                messages.send()
                posted.append(Posted(bytes: count, stream: stream, time: now))
                actions.append(.place(offset: offset, pieces: pieces, stream: stream))
                if !streams[stream]!.isFinishing, !hasRoom.contains(stream) {
                    hasRoom.append(stream)
                }
            } else {
                streams[stream]!.isFinishSent = true
                post(.finish, stream: stream, at: now, into: &actions)
                if streams[stream]!.isComplete { _ = remove(stream) }
            }
        }
        for stream in hasRoom { actions.append(.tell(stream, .writable)) }
    }

    /// The stream whose turn it is: the most urgent of those that can send something.
    private mutating func nextSpeaker() -> UInt32? {
        let isFull = ring.free == 0
        var best: (index: Int, priority: UInt8)?
        for step in 0..<order.count {
            let index = (turn + step) % order.count
            guard let state = streams[order[index]] else { continue }
            guard state.wantsFinish || (state.placeable > 0 && !isFull) else { continue }
            if best.map({ state.priority < $0.priority }) ?? true {
                best = (index, state.priority)
            }
        }
        guard let best else { return nil }
        turn = (best.index + 1) % order.count
        return order[best.index]
    }

    /// Tells what was taken once it is a quarter of what the peer may have under way.
    private mutating func returnCredit(at now: Instant, into actions: inout [Action]) {
        let isDue =
            messagesTaken - toldMessages >= receives / 4
            || bytesTaken - toldBytes >= receiveLength / 4
        guard isDue, messages.mayReturnCredit, postedCount < postLimit + MessageAccount.reserve
        else { return }
        post(.credit, at: now, into: &actions)
    }

    private mutating func post(
        _ kind: ControlMessage.Kind,
        stream: UInt32 = 0,
        value: UInt64 = 0,
        priority: UInt8 = 0,
        at now: Instant,
        into actions: inout [Action]
    ) {
        let message = ControlMessage(
            kind,
            stream: stream,
            value: value,
            priority: priority,
            bytesTaken: UInt64(bytesTaken),
            messagesTaken: UInt64(messagesTaken)
        )
        (toldBytes, toldMessages) = (bytesTaken, messagesTaken)
        messages.send()
        posted.append(Posted(bytes: 0, stream: stream, time: now))
        actions.append(.send(message.bytes))
    }
}
