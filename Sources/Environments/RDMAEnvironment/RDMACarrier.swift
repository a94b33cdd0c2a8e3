package import Machines
import NIOCore
import NIOPosix
import Synchronization
package import SocketEnvironment
import StreamLinks
package import Units

/// Carries the streams of one node over RDMA: reliable-connected queue pairs, one for each peer that
/// we open streams to, one for each that opens streams to us.
///
/// A link that breaks resets its streams, so that whoever needs them opens new ones; the next one
/// opened sets a new link up. A peer to which no link comes up, and a device that fails, are left to
/// TCP: the peer for `respite`, the device for good.
package final class RDMACarrier: StreamCarrier, @unchecked Sendable {
    // Confined to the owner's event loop once `bind` has returned.
    private let channel: CompletionChannel
    private var owner: CarrierOwner?
    private var listener: (any Channel)?
    private var peers = 0
    /// Links by the number with which their completion queue was made.
    private var links: [Int: RDMALink] = [:]
    private var nextNumber = 1
    /// Links that we opened, and where their peer listens.
    private var outgoing: [NodeID: (link: RDMALink, port: Int)] = [:]
    /// Until when nothing is tried with a peer, on the monotonic clock.
    private var avoided: [NodeID: Int64] = [:]
    private var failure: String?
    private var isStopped = false
    private var unspoken = 0
    private let carriedStreams = Atomic(0)

    /// Streams opened here that peers have heard of. May be read from any thread.
    package var streamCount: Int { carriedStreams.load(ordering: .relaxed) }

    /// How long a peer is left to TCP after a link to it did not come up.
    static let respite: Int64 = 10_000_000_000
    /// How long a link may take to come up.
    static let patience = TimeAmount.seconds(5)
    /// Connections without an offer, and links that peers have opened.
    static let unspokenLimit = 64
    static let linkLimit = 64

    /// Opens the device for `node`: active devices serve the nodes of a machine in turn.
    package init(for node: NodeID) throws(RDMAFailure) {
        guard let library = VerbsLibrary.shared else {
            throw RDMAFailure(RDMASupport.noLibrary.text)
        }
        let devices = library.deviceNames
            .compactMap { RDMADevice(named: $0, library) }
            .filter { $0.port.isActive && $0.address != nil }
        guard !devices.isEmpty else { throw RDMAFailure("no RDMA device") }
        channel = try CompletionChannel(devices[Int(node.rawValue) % devices.count])
    }

    package func bind(for owner: CarrierOwner) async throws -> Int {
        let listener = try await ServerBootstrap(group: owner.loop)
            .serverChannelOption(ChannelOptions.autoRead, value: false)
            .childChannelInitializer { [self] connection in welcome(connection) }
            .bind(host: "127.0.0.1", port: 0).get()
        try await owner.loop.submit { [self] in
            self.owner = owner
            self.listener = listener
        }.get()
        let loop = owner.loop
        channel.start(
            completion: { [weak self] number in
                guard let self else { return }
                loop.execute { self.links[number]?.poll() }
            },
            failure: { [weak self] text in
                guard let self else { return }
                loop.execute { self.fail(text) }
            }
        )
        guard let port = listener.localAddress?.port else {
            throw RDMAFailure("the system gave no port to listen on")
        }
        return port
    }

    package func start(peers: Int) {
        self.peers = peers
        _ = listener?.setOption(ChannelOptions.autoRead, value: true)
    }

    package func stop() async {
        try? await owner?.loop.submit { [self] in
            isStopped = true
            for link in links.values { link.close() }
            links = [:]
            outgoing = [:]
            listener?.close(promise: nil)
        }.get()
        await channel.stop()
    }

    /// The device does not work any more: its streams are reset, later ones take TCP.
    private func fail(_ text: String) {
        guard failure == nil, !isStopped else { return }
        failure = text
        for number in links.keys.sorted() { links[number]?.fail(.broken(text)) }
    }

    /// Puts all queue pairs into their error state, as a failed request does. For tests.
    package func breakLinks() async {
        try? await owner?.loop.submit { [self] in
            for number in links.keys.sorted() { links[number]?.breakDown() }
        }.get()
    }

    /// Lets the device fail as its own event would. For tests.
    package func failDevice() async {
        try? await owner?.loop.submit { [self] in fail("the device was made to fail") }.get()
    }

    // MARK: Links that we open

    package func open(
        _ stream: StreamID,
        to peer: NodeID,
        at port: Int,
        _ options: StreamOptions,
        tell: @escaping (any CarriedStream, StreamHappening) -> Void
    ) -> (any CarriedStream)? {
        guard let owner, failure == nil, !isStopped else { return nil }
        // One that is telling its streams of its loss takes no more of them.
        if let existing = outgoing[peer], !existing.link.isLost {
            if existing.port == port {
                return existing.link.open(stream, options, tell: counted(tell))
            }
            existing.link.fail(.peerGone)
        }
        if let until = avoided[peer] {
            guard MonotonicClock.nanoseconds >= until else { return nil }
            avoided[peer] = nil
        }
        let link = makeLink(role: .opener, opener: owner.node, owner)
        guard let pair = try? QueuePair(on: channel, number: link.number),
            let offer = try? pair.offer(from: owner.node, packetNumber: packetNumber(link))
        else {
            links[link.number] = nil
            avoid(peer)
            return nil
        }
        outgoing[peer] = (link, port)
        let opened = link.open(stream, options, tell: counted(tell))
        connect(link, pair, offer, port: port, owner)
        return opened
    }

    private func counted(
        _ tell: @escaping (any CarriedStream, StreamHappening) -> Void
    ) -> (any CarriedStream, StreamHappening) -> Void {
        { [self] stream, happening in
            if case .opened = happening { carriedStreams.add(1, ordering: .relaxed) }
            tell(stream, happening)
        }
    }

    private func connect(
        _ link: RDMALink,
        _ pair: QueuePair,
        _ offer: LinkOffer,
        port: Int,
        _ owner: CarrierOwner
    ) {
        let held = NIOLoopBound(pair, eventLoop: owner.loop)
        let exchange = LinkExchange { [self] _, bytes in
            do {
                let answer = try LinkOffer(from: bytes, to: owner.node, peers: peers)
                try held.value.connect(offer, to: answer)
                link.connect(held.value, to: answer)
            } catch {
                link.fail(.broken("\(error)"))
            }
        } ended: { _ in
            link.fail(.peerGone)
        }
        ClientBootstrap(group: owner.loop)
            .channelInitializer { $0.pipeline.addHandler(exchange) }
            .connect(host: "127.0.0.1", port: port)
            .whenComplete { result in
                switch result {
                case .success(let connection):
                    link.hold(connection)
                    let bytes = connection.allocator.buffer(bytes: offer.bytes)
                    connection.writeAndFlush(bytes, promise: nil)
                case .failure:
                    link.fail(.refused)
                }
            }
    }

    private func avoid(_ peer: NodeID) {
        avoided[peer] = MonotonicClock.nanoseconds + RDMACarrier.respite
    }

    // MARK: Links that peers open

    private func welcome(_ connection: any Channel) -> EventLoopFuture<Void> {
        guard failure == nil, unspoken < RDMACarrier.unspokenLimit,
            links.count < RDMACarrier.linkLimit, let owner
        else { return connection.close() }
        unspoken += 1
        let accepted = Accepted()
        let exchange = LinkExchange { [self] connection, bytes in
            unspoken -= 1
            accepted.isOffered = true
            accepted.link = accept(bytes, connection, owner)
            if accepted.link == nil { connection.close(promise: nil) }
        } ended: { [self] _ in
            if !accepted.isOffered { unspoken -= 1 }
            accepted.link?.fail(.peerGone)
        }
        return connection.pipeline.addHandler(exchange)
    }

    /// What became of an accepted connection. Confined to the event loop.
    private final class Accepted: @unchecked Sendable {
        var isOffered = false
        var link: RDMALink?
    }

    private func accept(
        _ bytes: [UInt8],
        _ connection: any Channel,
        _ owner: CarrierOwner
    ) -> RDMALink? {
        guard failure == nil, !isStopped,
            let offer = try? LinkOffer(from: bytes, to: owner.node, peers: peers)
        else { return nil }
        let link = makeLink(role: .acceptor, opener: offer.node, owner)
        do {
            let pair = try QueuePair(on: channel, number: link.number)
            let answer = try pair.offer(from: owner.node, packetNumber: packetNumber(link))
            try pair.connect(answer, to: offer)
            link.hold(connection)
            link.connect(pair, to: offer)
            connection.writeAndFlush(
                connection.allocator.buffer(bytes: answer.bytes),
                promise: nil
            )
            return link
        } catch {
            links[link.number] = nil
            return nil
        }
    }

    // MARK: Inside

    private func makeLink(
        role: StreamLink.Role,
        opener: NodeID,
        _ owner: CarrierOwner
    ) -> RDMALink {
        let number = nextNumber
        nextNumber += 1
        let link = RDMALink(number, role: role, opener: opener, on: owner.loop) { stream in
            stream.owner = owner
            owner.accept(stream, stream.name)
        } over: { [self] link, failure in
            end(link, failure)
        }
        links[number] = link
        owner.loop.assumeIsolated().scheduleTask(in: RDMACarrier.patience) {
            if !link.link.isUp { link.fail(.broken("no hello from the peer")) }
        }
        return link
    }

    /// A link is over. One that never came up, although somebody listens there, is not tried again
    /// at once.
    private func end(_ link: RDMALink, _ failure: StreamLink.Failure) {
        links[link.number] = nil
        for (peer, entry) in outgoing where entry.link === link {
            outgoing[peer] = nil
            if failure != .refused, !link.link.wasUp { avoid(peer) }
        }
    }

    /// Differs between the links of a node, as old packets of one must not be taken for those of
    /// another.
    private func packetNumber(_ link: RDMALink) -> UInt32 {
        UInt32(truncatingIfNeeded: link.number &* 0x9E37_79B1) & 0xFF_FFFF
    }
}
