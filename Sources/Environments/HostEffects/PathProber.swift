import Effects
import NIOCore
import NIOPosix
import SocketEnvironment
import Units

/// One measurement of a path: sends the trains of a plan, collects the answers.
final class PathProber: ChannelInboundHandler, @unchecked Sendable {
    // Confined to the channel's event loop.
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private struct Sent {
        var time: Int64
        var answer: Answer?
    }

    private struct Answer {
        var time: Int64
        /// By the other end's clock.
        var arrival: Int64
    }

    private let plan: ProbePlan
    private let target: SocketAddress
    private let session: UInt64
    private let done: EventLoopPromise<Void>
    /// By train and packet.
    private var sent: [[Sent]] = []
    private var received = 0
    private var isDone = false
    private var context: ChannelHandlerContext?

    private init(_ plan: ProbePlan, to target: SocketAddress, _ done: EventLoopPromise<Void>) {
        self.plan = plan
        self.target = target
        self.done = done
        var generator = SystemRandomNumberGenerator()
        session = generator.next()
    }

    static func measure(
        _ endpoint: SocketEndpoint,
        address: SocketAddress,
        _ plan: ProbePlan,
        on group: any EventLoopGroup
    ) async throws(NetworkError) -> PathMeasurement {
        precondition(
            (1...1000).contains(plan.trains) && (2...1000).contains(plan.packetsPerTrain),
            "\(plan.trains) trains of \(plan.packetsPerTrain) packets"
        )
        do {
            let loop = group.next()
            let prober = PathProber(plan, to: address, loop.makePromise())
            let channel = try await DatagramBootstrap(group: loop)
                .channelInitializer { $0.pipeline.addHandler(prober) }
                .connect(to: address).get()
            loop.execute { prober.start() }
            // Cancelled, it ends with what has come back so far.
            try? await withTaskCancellationHandler {
                try await prober.done.futureResult.get()
            } onCancel: {
                loop.execute { prober.finish() }
            }
            let measurement = try await loop.submit { prober.measurement }.get()
            try? await channel.close().get()
            guard measurement.received > 0 else { throw NetworkError(.unreachable, endpoint) }
            return measurement
        } catch let error as NetworkError {
            throw error
        } catch {
            throw NetworkError(error, endpoint)
        }
    }

    // MARK: On the event loop

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        finish()
    }

    private func start() {
        guard let loop = context?.eventLoop.assumeIsolated() else { return }
        for train in 0..<plan.trains {
            let wait = TimeAmount.nanoseconds(plan.spacing.nanoseconds * Int64(train))
            loop.scheduleTask(in: wait) { [self] in send(UInt16(train)) }
        }
    }

    private func send(_ train: UInt16) {
        guard let context, !isDone else { return }
        sent.append([])
        for packet in 0..<UInt16(plan.packetsPerTrain) {
            let message = ProbeMessage(
                kind: .request,
                session: session,
                train: train,
                packet: packet,
                arrival: 0
            )
            let bytes = message.bytes(size: plan.packetBytes)
            let buffer = context.channel.allocator.buffer(bytes: bytes)
            let envelope = AddressedEnvelope(remoteAddress: target, data: buffer)
            sent[Int(train)].append(Sent(time: MonotonicClock.nanoseconds, answer: nil))
            context.writeAndFlush(Self.wrapOutboundOut(envelope), promise: nil)
        }
        guard sent.count == plan.trains else { return }
        context.eventLoop.assumeIsolated()
            .scheduleTask(in: .nanoseconds(plan.timeout.nanoseconds)) { [self] in finish() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let now = MonotonicClock.nanoseconds
        let bytes = Array(Self.unwrapInboundIn(data).data.readableBytesView)
        guard let message = try? ProbeMessage(bytes), message.kind == .answer,
            message.session == session, Int(message.train) < sent.count,
            Int(message.packet) < sent[Int(message.train)].count
        else { return }
        let train = Int(message.train)
        let packet = Int(message.packet)
        // Packets that are not back in time are lost, and a copy tells nothing.
        guard sent[train][packet].answer == nil,
            now - sent[train][packet].time <= plan.timeout.nanoseconds
        else { return }
        sent[train][packet].answer = Answer(time: now, arrival: message.arrival)
        received += 1
        if received == plan.trains * plan.packetsPerTrain { finish() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The other end's host says that nobody listens: a lost packet, like any other.
    }

    private func finish() {
        guard !isDone else { return }
        isDone = true
        done.succeed()
    }

    private var measurement: PathMeasurement {
        var roundTrips: [Interval] = []
        var rates: [Int64] = []
        for train in sent {
            let answered = train.filter { $0.answer != nil }
            guard let first = answered.first, let answer = first.answer else { continue }
            roundTrips.append(.nanoseconds(max(0, answer.time - first.time)))
            if let rate = rate(of: answered.compactMap(\.answer)) { rates.append(rate) }
        }
        rates.sort()
        return PathMeasurement(
            sent: sent.reduce(0) { $0 + $1.count },
            roundTrips: roundTrips,
            received: received,
            rate: rates.isEmpty ? nil : BitRate(bitsPerSecond: rates[rates.count / 2])
        )
    }

    /// In bits per second: the bytes after the first packet by the time in which they arrived at the
    /// other end; `nil` when its clock did not tell them apart.
    private func rate(of answers: [Answer]) -> Int64? {
        let arrivals = answers.map(\.arrival)
        guard let first = arrivals.min(), let last = arrivals.max() else { return nil }
        // The other end's clock may show anything.
        let (spread, overflow) = last.subtractingReportingOverflow(first)
        guard answers.count > 1, !overflow, spread > 0 else { return nil }
        let size = max(plan.packetBytes, ProbeMessage.length)
        let bits = Double((answers.count - 1) * size * 8)
        return max(1, Int64(bits * 1e9 / Double(spread)))
    }
}
