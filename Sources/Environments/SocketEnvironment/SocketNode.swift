public import Machines
public import NIOCore
import NIOPosix
import Synchronization
public import Units

/// One node on real sockets: the same machines as in simulation, on TCP and UDP, with jobs on worker
/// threads and durable records in a file.
///
/// Everything about the machine happens on one event loop. Whether the medium has a scenario's rate,
/// delay and loss is not decided here: over the loopback interface it has not, in the namespaces of
/// an emulator it has.
///
/// A step's facts are told before anybody else can meet its effects, with the time at which the step
/// began. Where processes share a clock, facts in the order of these times are therefore in an order
/// in which they can have happened, also when a process is killed between two of them.
public final class SocketNode<Program: Machine>: @unchecked Sendable {
    // Confined to `loop` once `bind` has returned.
    public let node: NodeID
    let loop: any EventLoop
    private let threads: NIOThreadPool
    private let diskThread: NIOThreadPool
    private let journal: RecordFiles?
    private let recovered: [Bytes]
    private let makeMachine: @Sendable (Birth<Program>) -> Program
    /// Called on the event loop with each fact the machine reports and when its step began.
    private let observe: @Sendable (Program.Event, Instant) -> Void
    private let fail: @Sendable (SocketFailure) -> Void

    private var host: Host<Program>
    private var peers: [NodeAddress] = []
    private var origin: Int64 = 0
    private var listener: (any Channel)?
    private var datagrams: (any Channel)?
    var streams: [StreamID: any CarriedStream] = [:] {
        didSet { openStreams.store(streams.count, ordering: .relaxed) }
    }
    private let openStreams = Atomic(0)
    /// Accepted connections whose opener has not yet said which stream they carry.
    /// By the order of their coming.
    private var unnamed: [UInt64: SocketStream] = [:]
    private var acceptedCount: UInt64 = 0
    /// Carries streams beside TCP to peers that have it, too.
    private let carrier: (any StreamCarrier)?
    /// TLS below streams on TCP.
    private let security: StreamSecurity?
    private var timers: [Program.Timer: Scheduled<Void>] = [:]
    private var inputs: [Input<Program>] = []
    private var isDelivering = false
    /// Whether the machine lives; `host` itself may not be asked while it is being stepped, and
    /// channels call back in the middle of a step.
    private var isRunning = false
    private var hasStopped = false
    /// Whether the system has refused a stream's congestion control, which is told once.
    private var wasRefusedControl = false
    /// From whom a partition keeps this node, and what waits for its end.
    var parting = Parting()
    var heldOpenings: [HeldOpening] = []
    /// Streams that are over for the machine and whose connections still have bytes or an end to send.
    var closing: [ObjectIdentifier: ClosingStream] = [:]
    let lingerLimit: Interval
    /// Streams that the machine has reset and whose peers cannot hear of it yet.
    private var heldResets: [SocketStream] = []
    /// Streams that nodes without an address in `peers` may have open; `nil` lets none of them in.
    private var strangersLimit: Int?

    /// Beyond these the one that has been silent for longest makes room: a peer says its stream's name at
    /// once, so that connections that never speak keep nobody out.
    private static var unnamedLimit: Int { 256 }

    /// - Parameters:
    ///   - journalPath: the folder for durable records, which is made when it is missing; machines
    ///     without records need none.
    ///   - security: puts TLS below streams; without it they are plain TCP.
    ///   - workers: threads for jobs.
    ///   - fail: hears of what makes it impossible to go on; at most a few times.
    public convenience init(
        node: NodeID,
        on group: any EventLoopGroup,
        security: StreamSecurity? = nil,
        journalPath: String?,
        workers: Int,
        machine: @escaping @Sendable (Birth<Program>) -> Program,
        observe: @escaping @Sendable (Program.Event, Instant) -> Void,
        fail: @escaping @Sendable (SocketFailure) -> Void
    ) throws(SocketFailure) {
        try self.init(
            node: node,
            on: group,
            carrier: nil,
            security: security,
            journalPath: journalPath,
            workers: workers,
            machine: machine,
            observe: observe,
            fail: fail
        )
    }

    /// The same with a carrier, which streams take where the peer has it, too.
    ///
    /// - Parameter lingerLimit: how long the peer of a stream that both machines have finished may take nothing of
    ///   what is still to be sent, as far as this side's buffers tell.
    package init(
        node: NodeID,
        on group: any EventLoopGroup,
        carrier: (any StreamCarrier)?,
        security: StreamSecurity? = nil,
        journalPath: String?,
        workers: Int,
        lingerLimit: Interval = .seconds(60),
        machine: @escaping @Sendable (Birth<Program>) -> Program,
        observe: @escaping @Sendable (Program.Event, Instant) -> Void,
        fail: @escaping @Sendable (SocketFailure) -> Void
    ) throws(SocketFailure) {
        self.node = node
        self.lingerLimit = lingerLimit
        self.carrier = carrier
        self.security = security
        loop = group.next()
        threads = NIOThreadPool(numberOfThreads: workers)
        threads.start()
        diskThread = NIOThreadPool(numberOfThreads: 1)
        diskThread.start()
        if let journalPath {
            do throws(StorageFailure) {
                (journal, recovered) = try RecordFiles.open(
                    journalPath,
                    identity: UInt64(node.rawValue)
                )
            } catch {
                throw SocketFailure(node, error)
            }
        } else {
            (journal, recovered) = (nil, [])
        }
        makeMachine = machine
        self.observe = observe
        self.fail = fail
        host = Host(node: node, checksInvariants: true, every: SocketNode.stepsBetweenChecks)
    }

    /// What a check costs grows with all that a machine holds: after each step it was half of what the event loop of
    /// a sender of 256 streams used of a processor, and counted as the machine's.
    private static var stepsBetweenChecks: Int { 64 }

    /// Listens on free ports of the interface with the IPv4 address `host`.
    public func bind(to host: String = NodeAddress.loopback) async throws -> NodeAddress {
        let streamListener = try await bindStreams(
            to: SocketAddress(ipAddress: host, port: 0)
        )
        let datagramChannel = try await DatagramBootstrap(group: loop)
            .channelOption(
                ChannelOptions.recvAllocator,
                value: FixedSizeRecvByteBufferAllocator(capacity: 1 << 16)
            )
            .channelInitializer { [self] channel in
                channel.pipeline.addHandler(DatagramReader { [self] bytes in receive(bytes) })
            }
            .bind(host: host, port: 0).get()
        guard let streamPort = streamListener.localAddress?.port,
            let datagramPort = datagramChannel.localAddress?.port
        else { throw SocketFailure("the system gave no port to listen on") }
        try await loop.submit { [self] in
            listener = streamListener
            datagrams = datagramChannel
        }.get()
        return NodeAddress(
            host: host,
            streamPort: streamPort,
            datagramPort: datagramPort,
            linkPort: try await carrier?.bind(for: carrierOwner)
        )
    }

    /// Listens at `address` for nodes of which no address is known: they may open streams, from any
    /// identity below 2^24. There are no datagrams: messages to and from them are lost. Gives the port.
    ///
    /// - Parameter limit: streams that may be open at a time; those beyond are reset.
    public func bindForStrangers(to address: SocketAddress, limit: Int) async throws -> Int {
        let streamListener = try await bindStreams(to: address)
        try await loop.submit { [self] in
            listener = streamListener
            strangersLimit = limit
        }.get()
        guard let port = streamListener.localAddress?.port else {
            throw SocketFailure("the system gave no port to listen on")
        }
        return port
    }

    /// Streams that are open or being opened. May be read from any thread.
    public var streamCount: Int { openStreams.load(ordering: .relaxed) }

    private func bindStreams(to address: SocketAddress) async throws -> any Channel {
        try await ServerBootstrap(group: loop)
            .serverChannelOption(ChannelOptions.backlog, value: 512)
            // Peers may be quicker than we are: their streams wait in the kernel until we start.
            .serverChannelOption(ChannelOptions.autoRead, value: false)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    // How answers leave on streams that peers open: their choice is not known here.
                    try? StreamSocketOptions.setCongestionControl(.cubic, on: channel)
                }
            }
            .childChannelOption(ChannelOptions.autoRead, value: false)
            .childChannelOption(ChannelOptions.allowRemoteHalfClosure, value: true)
            .childChannelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { [self] channel in
                if unnamed.count >= SocketNode.unnamedLimit, let oldest = unnamed.keys.min() {
                    unnamed.removeValue(forKey: oldest)?.reset()
                }
                let stream = accept()
                return channel.eventLoop.makeCompletedFuture {
                    if let security {
                        try security.accept(stream, on: channel)
                    } else {
                        try channel.pipeline.syncOperations.addHandler(stream)
                    }
                }
            }
            .bind(to: address).get()
    }

    /// Starts the machine once the shared clock shows `origin`, which becomes the run's time zero.
    public func start(peers: [NodeAddress], origin: Int64, incarnation: UInt32, seed: UInt64) {
        loop.execute { [self] in
            self.peers = peers
            self.origin = origin
            let wait = max(0, origin - MonotonicClock.nanoseconds)
            loop.scheduleTask(in: .nanoseconds(wait)) { [self] in
                begin(incarnation: incarnation, seed: seed)
            }
        }
    }

    /// Peers may come back elsewhere.
    public func update(peers: [NodeAddress]) {
        loop.execute { [self] in self.peers = peers }
    }

    /// Lets the machine, if it lives, tell what it has to say at the end of a run.
    public func tellClosingEvents() async {
        try? await loop.submit { [self] in
            guard isRunning, let machine = host.machine else { return }
            for event in machine.closingEvents { tell(event, at: now) }
        }.get()
    }

    /// Closes everything; nothing is observed afterwards.
    public func stop() async {
        try? await loop.submit { [self] in end() }.get()
        await carrier?.stop()
        try? await threads.shutdownGracefully()
        try? await diskThread.shutdownGracefully()
    }

    /// The machine and all that belongs to it is gone.
    private func end() {
        isRunning = false
        hasStopped = true
        if host.isRunning { host.crash() }
        parting = Parting()
        releaseResets()
        for stream in streams.values {
            stream.reset()
            if let stream = stream as? SocketStream { hold(stream) }
        }
        streams = [:]
        endClosing()
        for stream in unnamed.values { stream.reset() }
        unnamed = [:]
        for timer in timers.values { timer.cancel() }
        timers = [:]
        listener?.close(promise: nil)
        datagrams?.close(promise: nil)
    }

    private func begin(incarnation: UInt32, seed: UInt64) {
        guard !hasStopped else { return }
        var records: [Program.Write] = []
        records.reserveCapacity(recovered.count)
        for bytes in recovered {
            var reader = WireReader(bytes)
            guard let record = try? Program.Write(from: &reader) else {
                fail(SocketFailure(node, .undecodable(record: records.count)))
                return
            }
            records.append(record)
        }
        let birth = Birth<Program>(
            node: node,
            incarnation: incarnation,
            recovered: records,
            seed: seed
        )
        isRunning = true
        isDelivering = true
        var medium = SocketMedium(node: self)
        host.start(makeMachine(birth), at: now, in: &medium)
        medium.carryOut()
        isDelivering = false
        _ = listener?.setOption(ChannelOptions.autoRead, value: true)
        carrier?.start(peers: peers.count)
        drain()
    }

    private var now: Instant { Instant(nanoseconds: MonotonicClock.nanoseconds - origin) }

    // MARK: Inputs

    /// Inputs wait while another is being delivered: carrying out an action may cause the next.
    private func deliver(_ input: Input<Program>) {
        inputs.append(input)
        if !isDelivering { drain() }
    }

    private func drain() {
        isDelivering = true
        var medium = SocketMedium(node: self)
        var position = 0
        while position < inputs.count {
            let input = inputs[position]
            position += 1
            guard let input = refreshed(input) else { continue }
            host.deliver(input, at: now, in: &medium)
            medium.carryOut()
        }
        inputs.removeAll(keepingCapacity: true)
        isDelivering = false
    }

    /// A credit counts as it is when it is delivered: inputs before it may have used some, or ended
    /// the stream.
    private func refreshed(_ input: Input<Program>) -> Input<Program>? {
        guard case .writable(let id, _) = input else { return input }
        return streams[id].map { .writable(id, credit: $0.credit) }
    }

    private func accept() -> SocketStream {
        let number = acceptedCount
        acceptedCount += 1
        let stream = SocketStream { [self] (reader: inout WireReader) throws(WireError) in
            let known = strangersLimit == nil ? peers.count : 1 << 24
            return try StreamPreamble(from: &reader, to: node, peers: known)
        } tell: { [self] stream, happening in
            switch happening {
            case .named(let preamble):
                unnamed[number] = nil
                stream.open(sending: nil)
                take(stream, preamble.stream)
            case .abandoned:
                unnamed[number] = nil
            default:
                hear(stream, happening)
            }
        }
        unnamed[number] = stream
        return stream
    }

    private var carrierOwner: CarrierOwner {
        CarrierOwner(
            node: node,
            loop: loop,
            accept: { [weak self] stream, id in self?.take(stream, id) },
            tell: { [weak self] stream, happening in self?.hear(stream, happening) }
        )
    }

    private func hear(_ stream: any CarriedStream, _ happening: StreamHappening) {
        guard let id = stream.id, streams[id] === stream else { return }
        switch happening {
        case .readable(let bytes):
            deliver(.readable(id, bytes))
        case .writable:
            deliver(.writable(id, credit: stream.credit))
        case .finished:
            if stream.isComplete { close(id) }
            deliver(.finished(id))
        case .reset(let reason):
            streams[id] = nil
            deliver(.reset(id, reason))
        case .path(let sample):
            deliver(.path(id, sample))
        case .named, .abandoned, .opened, .notCarried:
            break
        }
    }

    /// A peer opened a stream to us.
    private func take(_ stream: any CarriedStream, _ id: StreamID) {
        guard isRunning, strangersLimit.map({ streams.count + closing.count < $0 }) ?? true
        else {
            stream.reset()
            return
        }
        // An opener that lost its memory may use a name again before we hear of its crash.
        if let old = streams.removeValue(forKey: id) {
            old.reset()
            deliver(.reset(id, .refused))
        }
        streams[id] = stream
        if !parting.isNone, let stream = stream as? SocketStream { hold(stream) }
        deliver(.streamOpened(id, peer: id.opener))
        deliver(.writable(id, credit: stream.credit))
    }

    private func receive(_ bytes: [UInt8]) {
        var reader = WireReader(bytes)
        // Whatever is not a message of a known peer is dropped, like any stray datagram.
        guard let from = try? reader.read(UInt32.self), Int(from) < peers.count,
            parting.hears(NodeID(from)), let message = try? Program.Message(from: &reader)
        else { return }
        deliver(.received(message, from: NodeID(from)))
    }

    // MARK: Actions

    fileprivate func tell(_ event: Program.Event, at time: Instant) { observe(event, time) }

    fileprivate func perform(_ action: Action<Program>) {
        switch action {
        case .send(let message, let peer): send(message, to: peer)
        case .setTimer(let timer, let due): setTimer(timer, at: due)
        case .cancelTimer(let timer): timers.removeValue(forKey: timer)?.cancel()
        case .openStream(let id, let peer, let options): open(id, to: peer, options)
        case .write(let id, let bytes): streams[id]?.write(bytes)
        case .grant(let id, let count): streams[id]?.grant(count)
        case .finish(let id):
            streams[id]?.finish()
            if streams[id]?.isComplete == true { close(id) }
        case .reset(let id): reset(id)
        case .persist(let records, let id): persist(records, id)
        case .compute(let job, let id): compute(job, id)
        case .emit: break
        }
    }

    private func send(_ message: Program.Message, to peer: NodeID) {
        guard let datagrams, Int(peer.rawValue) < peers.count, parting.reaches(peer) else { return }
        var writer = WireWriter()
        writer.write(node.rawValue)
        message.encode(into: &writer)
        let place = peers[Int(peer.rawValue)]
        guard
            let address = try? SocketAddress(ipAddress: place.host, port: place.datagramPort)
        else { return }
        let buffer = datagrams.allocator.buffer(bytes: writer.bytes)
        datagrams.writeAndFlush(
            AddressedEnvelope(remoteAddress: address, data: buffer),
            promise: nil
        )
    }

    private func setTimer(_ timer: Program.Timer, at due: Instant) {
        timers.removeValue(forKey: timer)?.cancel()
        let wait = max(0, (due - now).nanoseconds)
        timers[timer] = loop.scheduleTask(in: .nanoseconds(wait)) { [self] in
            timers[timer] = nil
            deliver(.fired(timer))
        }
    }

    private func open(_ id: StreamID, to peer: NodeID, _ options: StreamOptions) {
        precondition(id.opener == node, "\(node) opens a stream named by \(id.opener)")
        precondition(peer != node, "\(node) opens a stream to itself")
        precondition(streams[id] == nil, "\(node) opens stream \(id.number) twice")
        if let carrier, Int(peer.rawValue) < peers.count,
            let port = peers[Int(peer.rawValue)].linkPort,
            let stream = carrier.open(
                id,
                to: peer,
                at: port,
                options,
                tell: { [self] stream, happening in
                    hear(stream, happening, opening: id, to: peer, options)
                }
            )
        {
            streams[id] = stream
        } else {
            connect(id, to: peer, options)
        }
    }

    /// What happened to a stream that a carrier opens for us; TCP takes over what it cannot carry.
    private func hear(
        _ stream: any CarriedStream,
        _ happening: StreamHappening,
        opening id: StreamID,
        to peer: NodeID,
        _ options: StreamOptions
    ) {
        guard streams[id] === stream else { return }
        switch happening {
        case .opened:
            deliver(.streamOpened(id, peer: peer))
            deliver(.writable(id, credit: stream.credit))
        case .notCarried(let granted, let isFinishing):
            connect(id, to: peer, options)
            if granted > 0 { streams[id]?.grant(granted) }
            if isFinishing { streams[id]?.finish() }
        default:
            hear(stream, happening)
        }
    }

    /// Opens the stream on TCP.
    private func connect(_ id: StreamID, to peer: NodeID, _ options: StreamOptions) {
        let stream = SocketStream(
            opening: id,
            to: peer,
            receiveCredit: options.receiveCredit
        ) {
            [self] stream, happening in
            if case .opened = happening {
                establish(id, stream, to: peer, options)
            } else {
                hear(stream, happening)
            }
        }
        streams[id] = stream
        guard Int(peer.rawValue) < peers.count else {
            refuse(id, stream)
            return
        }
        guard parting.isWhole(with: peer) else {
            heldOpenings.removeAll { streams[$0.id] !== $0.stream }
            heldOpenings.append(HeldOpening(stream: stream, id: id, peer: peer, options: options))
            return
        }
        connect(stream, id, to: peer, options)
    }

    func connect(
        _ stream: SocketStream,
        _ id: StreamID,
        to peer: NodeID,
        _ options: StreamOptions
    ) {
        let place = peers[Int(peer.rawValue)]
        // Where nothing is shaped the network decides nothing, and the system's own control does as well.
        let isShaped = place.host != NodeAddress.loopback
        ClientBootstrap(group: loop)
            .channelOption(ChannelOptions.autoRead, value: false)
            .channelOption(ChannelOptions.allowRemoteHalfClosure, value: true)
            .channelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture {
                    do throws(SocketFailure) {
                        try StreamSocketOptions.setCongestionControl(
                            options.congestionControl,
                            on: channel
                        )
                    } catch {
                        if isShaped {
                            if !wasRefusedControl { fail(SocketFailure("\(node): \(error)")) }
                            wasRefusedControl = true
                            throw error
                        }
                    }
                    if let security {
                        try security.open(stream, to: peer, on: channel)
                    } else {
                        try channel.pipeline.syncOperations.addHandler(stream)
                    }
                }
            }
            .connect(host: place.host, port: place.streamPort)
            .whenComplete { [self] result in
                guard streams[id] === stream else {
                    // It was reset before there was anything to cut.
                    if case .success(let channel) = result { channel.close(promise: nil) }
                    return
                }
                switch result {
                case .failure:
                    refuse(id, stream)
                case .success(let channel):
                    if !parting.isNone { hold(stream) }
                    if let rate = options.pacing {
                        StreamSocketOptions.setPacing(rate, on: channel)
                    }
                    // Over TLS it opens once the handshake is done.
                    if security == nil { establish(id, stream, to: peer, options) }
                }
            }
    }

    /// Our own stream is there: its first bytes name it.
    private func establish(
        _ id: StreamID,
        _ stream: SocketStream,
        to peer: NodeID,
        _ options: StreamOptions
    ) {
        guard streams[id] === stream else { return }
        // Sending may make the stream writable at once: the machine first hears that it is open.
        let isNested = isDelivering
        isDelivering = true
        inputs.append(.streamOpened(id, peer: peer))
        stream.open(sending: StreamPreamble(id, receiveCredit: options.receiveCredit))
        inputs.append(.writable(id, credit: stream.credit))
        isDelivering = isNested
        if !isNested { drain() }
    }

    private func reset(_ id: StreamID) {
        guard let stream = streams.removeValue(forKey: id) else { return }
        stream.reset()
        guard let stream = stream as? SocketStream, stream.isHeld else { return }
        heldResets.append(stream)
    }

    // MARK: Partitions

    /// Lets go of what the partition does not hold any more.
    func releaseResets() {
        for stream in heldResets { hold(stream) }
        heldResets.removeAll { !$0.isHeld }
    }

    private func refuse(_ id: StreamID, _ stream: SocketStream) {
        guard streams[id] === stream else { return }
        streams[id] = nil
        deliver(.reset(id, .refused))
    }

    private func persist(_ records: [Program.Write], _ id: WriteID) {
        guard let journal else {
            fail(SocketFailure("\(node) has no journal for its durable records"))
            return
        }
        // What a record in the same batch supersedes is not written.
        let first = records.lastIndex { $0.supersedesEarlier }
        let encoded = records[(first ?? 0)...].map { record in
            var writer = WireWriter()
            record.encode(into: &writer)
            return writer.bytes
        }
        diskThread.runIfActive(eventLoop: loop) {
            try journal.append(encoded, supersedesEarlier: first != nil)
        }
        .whenComplete { [self] result in
            switch result {
            case .success: deliver(.persisted(id))
            case .failure(let error):
                // A node that has stopped drops what it had not yet written.
                guard isRunning else { return }
                end()
                let failure = (error as? StorageFailure).map { SocketFailure(node, $0) }
                fail(failure ?? SocketFailure("\(node): \(error)"))
            }
        }
    }

    private func compute(_ job: Program.Job, _ id: JobID) {
        threads.runIfActive(eventLoop: loop) { job.run() }
            .whenSuccess { [self] output in deliver(.computed(id, output)) }
    }
}

/// Lends a node to its host as an environment: tells facts at once, and has all else carried out
/// after them.
private struct SocketMedium<Program: Machine>: Environment {
    unowned let node: SocketNode<Program>
    private var actions: [Action<Program>] = []

    init(node: SocketNode<Program>) {
        self.node = node
    }

    mutating func perform(
        _ action: consuming Action<Program>,
        on node: NodeID,
        at now: Instant
    ) {
        let action = consume action
        if case .emit(let event) = action {
            self.node.tell(event, at: now)
        } else {
            actions.append(action)
        }
    }

    mutating func carryOut() {
        for action in actions { node.perform(action) }
        actions.removeAll(keepingCapacity: true)
    }
}

/// Hands over the content of each datagram.
private final class DatagramReader: ChannelInboundHandler, Sendable {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    private let receive: @Sendable ([UInt8]) -> Void

    init(receive: @escaping @Sendable ([UInt8]) -> Void) {
        self.receive = receive
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        receive(Array(Self.unwrapInboundIn(data).data.readableBytesView))
    }
}
