import Machines
import NIOCore
import SocketEnvironment
import StreamLinks
import Units

/// One link to a peer: the queue pair, the connection that set it up, and its streams.
///
/// The connection stays open for as long as the link lives: a queue pair does not notice that the
/// peer's process has died while nothing is sent, a connection does. Confined to the event loop.
final class RDMALink: @unchecked Sendable {
    let number: Int
    let opener: NodeID
    private let loop: any EventLoop
    private(set) var link: StreamLink
    private var pair: QueuePair?
    private var connection: (any Channel)?
    private var streams: [UInt32: RDMAStream] = [:]
    private var isAdvancing = false
    private(set) var isOver = false
    /// A peer opened a stream.
    private let accept: (RDMAStream) -> Void
    /// The link is over.
    private let over: (RDMALink, StreamLink.Failure) -> Void

    /// Completions handed over before other work gets its turn.
    private static let batch = 128

    init(
        _ number: Int,
        role: StreamLink.Role,
        opener: NodeID,
        on loop: any EventLoop,
        accept: @escaping (RDMAStream) -> Void,
        over: @escaping (RDMALink, StreamLink.Failure) -> Void
    ) {
        self.number = number
        self.opener = opener
        self.loop = loop
        self.accept = accept
        self.over = over
        link = StreamLink(
            role: role,
            receiveLength: QueuePair.ringLength,
            receives: QueuePair.receives,
            postLimit: QueuePair.posts
        )
    }

    private var now: Instant { Instant(nanoseconds: MonotonicClock.nanoseconds) }

    // MARK: Set-up

    /// The connection to the peer stands.
    func hold(_ connection: any Channel) {
        self.connection = connection
    }

    /// The peer's queue pair is known and `pair` connected to it.
    func connect(_ pair: QueuePair, to offer: LinkOffer) {
        self.pair = pair
        link.connect(sendLength: offer.ringLength, peerReceives: offer.receives)
        advanceLater()
    }

    func fail(_ failure: StreamLink.Failure) {
        guard !isOver else { return }
        // What the device had received before counts.
        while takeCompleted() {}
        guard !isOver else { return }
        var actions: [StreamLink.Action] = []
        link.lose(failure, into: &actions)
        carryOut(actions)
    }

    func breakDown() { pair?.breakDown() }

    /// Whether its streams hear of its loss, or have heard.
    var isLost: Bool { isOver || link.isLost }

    /// Ends the link without a word to its streams.
    func close() {
        guard !isOver else { return }
        isOver = true
        streams = [:]
        pair = nil
        connection?.close(promise: nil)
        connection = nil
    }

    // MARK: Streams

    func open(
        _ id: StreamID,
        _ options: StreamOptions,
        tell: @escaping (any CarriedStream, StreamHappening) -> Void
    ) -> RDMAStream {
        let stream = RDMAStream(id, on: self, tell: tell)
        streams[id.number] = stream
        link.open(
            id.number,
            window: options.receiveCredit,
            priority: options.priority,
            at: now
        )
        advanceLater()
        return stream
    }

    /// Changes the link as a machine wishes and posts what follows, together with what else the
    /// machine does in the same step.
    func change(_ change: (inout StreamLink) -> Void) {
        guard !isOver else { return }
        change(&link)
        advanceLater()
    }

    func forget(_ stream: RDMAStream) {
        if streams[stream.name.number] === stream { streams[stream.name.number] = nil }
    }

    private func advanceLater() {
        guard !isAdvancing else { return }
        isAdvancing = true
        loop.execute { [self] in
            isAdvancing = false
            advance([])
        }
    }

    private func advance(_ before: [StreamLink.Action]) {
        guard !isOver else { return }
        var actions = before
        link.advance(at: now, into: &actions)
        carryOut(actions)
    }

    // MARK: The device

    /// Takes what has completed. Notice of the next completion is asked for first: one that comes
    /// while the queue is emptied is then either seen or told.
    func poll() {
        if takeCompleted() { loop.execute { [self] in poll() } }
    }

    /// Takes a batch; returns whether there may be more.
    private func takeCompleted() -> Bool {
        guard !isOver, let pair else { return false }
        pair.requestNotice()
        var actions: [StreamLink.Action] = []
        let time = now
        let count = pair.poll(limit: RDMALink.batch) { completion in
            switch completion {
            case .posted:
                link.completed(at: time, into: &actions)
            case .message(let bytes):
                link.receive(bytes, at: time, into: &actions)
            case .write(let stream, let count):
                link.arrive(count, for: stream, into: &actions) { pair.read($0) }
            case .failed(let text):
                link.lose(.broken(text), into: &actions)
            }
        }
        advance(actions)
        return count == RDMALink.batch
    }

    private func carryOut(_ actions: [StreamLink.Action]) {
        for action in actions where !isOver {
            do throws(RDMAFailure) {
                switch action {
                case .send(let message):
                    try pair?.send(message)
                case .place(let offset, let pieces, let stream):
                    try pair?.write(pieces, at: offset, stream: stream)
                case .tell(let stream, let happening):
                    tell(stream, happening)
                case .fail(let failure):
                    close()
                    over(self, failure)
                }
            } catch {
                loop.execute { [self] in fail(.broken(error.description)) }
                return
            }
        }
    }

    private func tell(_ number: UInt32, _ happening: StreamLink.Happening) {
        let isIncoming: Bool = if case .opened = happening { streams[number] == nil } else { false }
        if isIncoming {
            let stream = RDMAStream(StreamID(opener: opener, number: number), on: self)
            streams[number] = stream
            accept(stream)
            return
        }
        guard let stream = streams[number] else { return }
        stream.hear(happening)
        if stream.isOver { forget(stream) }
    }
}

/// One stream of a link, as its node handles it. Confined to the event loop.
final class RDMAStream: CarriedStream {
    let name: StreamID
    private let link: RDMALink
    private var isOpen: Bool
    private var isPeerFinished = false
    private var isFinishing = false
    private var hasEnded = false
    private let tell: ((any CarriedStream, StreamHappening) -> Void)?
    /// Told instead of `tell` when a peer opened the stream.
    var owner: CarrierOwner?

    /// A stream that we open when `tell` is given, else a stream of the peer.
    init(
        _ name: StreamID,
        on link: RDMALink,
        tell: ((any CarriedStream, StreamHappening) -> Void)? = nil
    ) {
        self.name = name
        self.link = link
        self.tell = tell
        isOpen = tell == nil
    }

    var id: StreamID? { name }
    var credit: Int { isOpen ? link.link.credit(of: name.number) : 0 }
    var isComplete: Bool { isFinishing && isPeerFinished }
    /// Nothing more is told.
    var isOver: Bool { isComplete || hasEnded }

    func write(_ bytes: Bytes) { link.change { $0.write(name.number, bytes) } }
    func grant(_ count: Int) { link.change { $0.grant(name.number, count) } }
    func finish() {
        isFinishing = true
        link.change { $0.finish(name.number) }
        if isComplete { link.forget(self) }
    }
    func reset() {
        link.forget(self)
        link.change { $0.reset(name.number) }
    }

    func hear(_ happening: StreamLink.Happening) {
        switch happening {
        case .opened:
            isOpen = true
            pass(.opened)
        case .writable: if !isFinishing { pass(.writable) }
        case .readable(let bytes): pass(.readable(bytes))
        case .finished:
            isPeerFinished = true
            pass(.finished)
        case .reset(let reason):
            hasEnded = true
            pass(.reset(reason))
        case .path(let sample): pass(.path(sample))
        case .notCarried(let granted, let isFinishing):
            hasEnded = true
            pass(.notCarried(granted: granted, isFinishing: isFinishing))
        }
    }

    private func pass(_ happening: StreamHappening) {
        if let tell { tell(self, happening) } else { owner?.tell(self, happening) }
    }
}
