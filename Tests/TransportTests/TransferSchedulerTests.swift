import Machines
import StreamWorld
import Testing
import Transport
import Units

/// A node that sends without end to one or two others, or takes what comes and counts it.
private struct SharingNode: Machine {
    enum Event: Sendable, Equatable {
        case delivered(SessionID, Int)
        case failed(TransportError)
    }
    enum Timer: Hashable, Sendable {
        case scheduler(TransferScheduler.Timer)
        case receiver(SessionID, BulkReceiver.Timer)
    }

    let configuration: TransportConfiguration
    let shares: [TransferShare]
    var scheduler = TransferScheduler()
    var receivers: [BulkReceiver] = []
    private var sending = Actions<TransferScheduler>()
    private var sent: [TransferScheduler.Event] = []
    private var receiving = Actions<BulkReceiver>()
    private var arrived: [BulkReceiver.Event] = []

    init(configuration: TransportConfiguration, shares: [TransferShare]) {
        self.configuration = configuration
        self.shares = shares
    }

    mutating func step(
        _ input: Input<SharingNode>,
        at now: Instant,
        into actions: inout Actions<SharingNode>
    ) {
        switch input {
        case .started:
            for (number, share) in shares.enumerated() {
                let begin = TransferScheduler.Request.begin(
                    SessionID(sender: NodeID(0), number: UInt32(number)),
                    peer: NodeID(1),
                    configuration: configuration,
                    share: share
                )
                scheduler.step(.requested(begin), at: now, into: &sending)
            }
        case .fired(.scheduler(let timer)): scheduler.step(.fired(timer), at: now, into: &sending)
        case .fired(.receiver(let session, let timer)):
            stepReceiver(session, .fired(timer), at: now, into: &actions)
        case .streamOpened(let stream, let peer) where shares.isEmpty:
            let session = SessionID(of: stream)
            if !receivers.contains(where: { $0.session == session }) {
                receivers.append(
                    BulkReceiver(session: session, epoch: 0, configuration: configuration)
                )
            }
            stepReceiver(session, .streamOpened(stream, peer: peer), at: now, into: &actions)
        case .streamOpened(let stream, _), .writable(let stream, _), .readable(let stream, _),
            .finished(let stream), .reset(let stream, _), .path(let stream, _):
            if shares.isEmpty, let forwarded = input.forwarded(to: BulkReceiver.self) {
                stepReceiver(SessionID(of: stream), forwarded, at: now, into: &actions)
            } else if let forwarded = input.forwarded(to: TransferScheduler.self) {
                scheduler.step(forwarded, at: now, into: &sending)
            }
        default: break
        }
        produce(at: now, into: &actions)
    }

    func checkInvariants() {
        scheduler.checkInvariants()
        for receiver in receivers { receiver.checkInvariants() }
    }

    private mutating func produce(at now: Instant, into actions: inout Actions<SharingNode>) {
        for session in scheduler.sessions {
            while let sender = scheduler.sender(session), sender.room >= 4_000 {
                let chunk = Payload([UInt8](repeating: 7, count: 4_000))
                let request = TransferScheduler.Request.transfer(session, .enqueue(chunk))
                scheduler.step(.requested(request), at: now, into: &sending)
            }
        }
        actions.absorb(&sending, events: &sent) { .scheduler($0) }
        for case .transfer(_, .failed(let error)) in sent { actions.emit(.failed(error)) }
        sent.removeAll()
    }

    private mutating func stepReceiver(
        _ session: SessionID,
        _ input: Input<BulkReceiver>,
        at now: Instant,
        into actions: inout Actions<SharingNode>
    ) {
        guard let index = receivers.firstIndex(where: { $0.session == session }) else { return }
        receivers[index].step(input, at: now, into: &receiving)
        actions.absorb(&receiving, events: &arrived) { .receiver(session, $0) }
        for case .delivered(_, let payload) in arrived {
            actions.emit(.delivered(session, payload.count))
            let consumed = BulkReceiver.Request.consumed(payload.count)
            receivers[index].step(.requested(consumed), at: now, into: &receiving)
        }
        arrived.removeAll()
        actions.absorb(&receiving, events: &arrived) { .receiver(session, $0) }
    }
}

/// The bits per second that each of the transfers got in the last six of twelve seconds.
private func rates(_ shares: [TransferShare]) -> [Double] {
    var conditions = WorldConditions()
    conditions.rate = .megabits(8)
    conditions.sendBuffer = 20_000
    var world = StreamWorld<SharingNode>(nodes: 2, seed: 3, conditions: conditions)
    let configuration = smallConfiguration(streams: 2, chunk: 4_000, window: 262_144)
    world.start(NodeID(1), SharingNode(configuration: configuration, shares: []))
    world.start(NodeID(0), SharingNode(configuration: configuration, shares: shares))
    world.run(until: .zero + .seconds(12))
    return shares.indices.map { number in
        let bytes = world.events.reduce(0) { sum, entry in
            guard case .delivered(let session, let count) = entry.event,
                session.number == UInt32(number), entry.at > .zero + .seconds(6)
            else { return sum }
            return sum + count
        }
        return Double(bytes) * 8 / 6
    }
}

// Goal: transfers of one node share a link by their weights and within their bounds, and what one
// cannot use the others get.
// Method: the division itself as a table; whole transfers over one link of a small world.
@Suite struct TransferSchedulerTests {
    @Test func chunksAreNoLongerThanALimitLetsGoAtOnce() {
        #expect(TransferShare(weight: 3).chunkSize(atMost: 256 << 10) == 256 << 10)
        let slow = TransferShare(most: BitRate(bitsPerSecond: 10_000_000))
        #expect(slow.chunkSize(atMost: 256 << 10) == 156_250)
        #expect(slow.chunkSize(atMost: 4096) == 4096)
        let slowest = TransferShare(most: BitRate(bitsPerSecond: 8000))
        #expect(slowest.chunkSize(atMost: 1 << 18) == 1024)
        let fast = TransferShare(most: BitRate(bitsPerSecond: .max))
        #expect(fast.chunkSize(atMost: 1 << 18) == 1 << 18)
    }

    private func limits(_ usages: [(weight: Int, megabits: Int64, isHungry: Bool, Int)])
        -> [Double?]
    {
        RateShares.limits(
            for: usages.map {
                RateShares.Usage(
                    share: TransferShare(weight: $0.weight),
                    rate: .megabits($0.megabits),
                    isHungry: $0.isHungry,
                    unusedPeriods: $0.3
                )
            }
        ).map { $0.rate.map { (Double($0.bitsPerSecond) / 1e5).rounded() / 10 } }
    }

    @Test func division() {
        // Alone nobody is limited.
        #expect(limits([(1, 50, true, 0)]) == [nil])
        // What exceeds its part is held to it; who is behind may grow.
        #expect(limits([(1, 50, true, 0), (3, 50, true, 0)]) == [27.5, 112.5])
        // What a transfer does not want goes to the others.
        #expect(limits([(1, 10, false, 0), (1, 90, true, 0)]) == [11, 99])
        // So does what it could not use for long.
        #expect(limits([(1, 10, true, 6), (1, 90, true, 0)]) == [11, 99])
    }

    @Test func equalWeightsShareEqually() {
        let found = rates([TransferShare(), TransferShare()])
        #expect(found[0] + found[1] > 7e6, "\(found)")
        #expect((0.8...1.25).contains(found[0] / found[1]), "\(found)")
    }

    @Test func weightsAreKept() {
        let found = rates([TransferShare(weight: 3), TransferShare(weight: 1)])
        #expect(found[0] + found[1] > 6.5e6, "\(found)")
        #expect((2.2...4).contains(found[0] / found[1]), "\(found)")
    }

    @Test func aLimitIsKeptAndTheRestGoesToOthers() {
        let found = rates([TransferShare(most: .megabits(1)), TransferShare()])
        #expect(found[0] < 1.05e6 && found[0] > 0.8e6, "\(found)")
        #expect(found[1] > 5.5e6, "\(found)")
    }
}
