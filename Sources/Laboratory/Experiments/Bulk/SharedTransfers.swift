import Machines
public import Transport
public import Units

/// An endless transfer that a node sends beside others, or within a limit.
public struct BulkOrder: Sendable {
    public var peer: NodeID
    public var configuration: TransportConfiguration
    public var share: TransferShare
    /// Nothing is sent earlier after the node's birth.
    public var start: Interval
    /// Nothing new is sent later after the node's birth.
    public var horizon: Interval

    public init(
        to peer: NodeID,
        configuration: TransportConfiguration,
        share: TransferShare,
        from start: Interval,
        until horizon: Interval
    ) {
        self.peer = peer
        self.configuration = configuration
        self.share = share
        self.start = start
        self.horizon = horizon
    }
}

/// The sending end of several endless transfers, kept full, with one `TransferScheduler` that divides
/// what they get across.
struct SharedTransfers: Sendable {
    private struct Transfer: Sendable {
        let order: BulkOrder
        var isEnding = false
        var roundTrips = UntoldRoundTrips()
    }

    private var scheduler = TransferScheduler()
    private var transfers: [Transfer]
    private let content: BulkContent
    private let node: NodeID
    /// The number of the first transfer's session; the others' follow it.
    private let firstNumber: UInt32
    private var sending = Actions<TransferScheduler>()
    private var sent: [TransferScheduler.Event] = []

    /// - Parameter orders: at most `TransferScheduler.limit`.
    init(_ orders: [BulkOrder], of birth: Birth<BulkNode>, content: BulkContent) {
        precondition(
            (1...TransferScheduler.limit).contains(orders.count),
            "\(orders.count) transfers of \(birth.node)"
        )
        transfers = orders.map { Transfer(order: $0) }
        self.content = content
        node = birth.node
        // An incarnation has its own range, so that late bytes of older sessions find nobody.
        firstNumber = birth.incarnation * UInt32(orders.count)
    }

    mutating func step(
        _ input: Input<BulkNode>,
        at now: Instant,
        into actions: inout Actions<BulkNode>
    ) {
        switch input {
        case .started:
            for index in transfers.indices {
                let order = transfers[index].order
                actions.setTimer(.sharedEnd(index), at: now + order.horizon)
                if order.start == .zero {
                    begin(index, at: now)
                } else {
                    actions.setTimer(.sharedStart(index), at: now + order.start)
                }
            }
        case .fired(.sharedStart(let index)): begin(index, at: now)
        case .fired(.sharedEnd(let index)): transfers[index].isEnding = true
        case .fired(.scheduler(let timer)):
            scheduler.step(.fired(timer), at: now, into: &sending)
            if case .transfer(let session, _) = timer { fill(session, at: now) }
        case .path(let stream, let sample):
            let session = SessionID(of: stream)
            if let index = index(of: session),
                let event = transfers[index].roundTrips.note(sample.rtt, at: now)
            {
                actions.emit(.shared(index, event))
            }
            forward(input, of: session, at: now)
        case .streamOpened(let stream, _), .writable(let stream, _), .readable(let stream, _),
            .finished(let stream), .reset(let stream, _):
            forward(input, of: SessionID(of: stream), at: now)
        case .requested, .received, .persisted, .computed, .fired: break
        }
        actions.absorb(&sending, events: &sent, timer: BulkNode.Timer.scheduler)
        for case .transfer(let session, let event) in sent {
            if let index = index(of: session), let told = BulkNode.Event(event) {
                actions.emit(.shared(index, told))
            }
        }
        sent.removeAll(keepingCapacity: true)
    }

    /// What was not told yet.
    var closingEvents: [BulkNode.Event] {
        transfers.indices.flatMap { index in
            transfers[index].roundTrips.rest.map { .shared(index, $0) }
        }
    }

    func checkInvariants() { scheduler.checkInvariants() }

    private func session(_ index: Int) -> SessionID {
        SessionID(sender: node, number: firstNumber + UInt32(index))
    }

    private func index(of session: SessionID) -> Int? {
        guard session.sender == node, session.number >= firstNumber else { return nil }
        let index = Int(session.number - firstNumber)
        return index < transfers.count ? index : nil
    }

    private mutating func begin(_ index: Int, at now: Instant) {
        let order = transfers[index].order
        let request = TransferScheduler.Request.begin(
            session(index),
            peer: order.peer,
            configuration: order.configuration,
            share: order.share
        )
        scheduler.step(.requested(request), at: now, into: &sending)
        fill(session(index), at: now)
    }

    private mutating func forward(
        _ input: Input<BulkNode>,
        of session: SessionID,
        at now: Instant
    ) {
        guard let forwarded = input.forwarded(to: TransferScheduler.self) else { return }
        scheduler.step(forwarded, at: now, into: &sending)
        fill(session, at: now)
    }

    /// The content is endless: whatever room there is gets filled.
    private mutating func fill(_ session: SessionID, at now: Instant) {
        guard let index = index(of: session), !transfers[index].isEnding else { return }
        while let (number, size) = scheduler.nextChunk(of: session) {
            let chunk = Payload(content.chunk(number, size: size))
            let request = TransferScheduler.Request.transfer(session, .enqueue(chunk))
            scheduler.step(.requested(request), at: now, into: &sending)
        }
    }
}

extension TransferScheduler {
    /// The number and the length of the chunk that the transfer has room for; `nil` without room. The
    /// sender is gone before it steps: a copy that lived as long would have its buffers copied.
    fileprivate func nextChunk(of session: SessionID) -> (number: UInt64, size: Int)? {
        guard let sender = sender(session), sender.room >= sender.chunkSize else { return nil }
        return (sender.nextChunk, sender.chunkSize)
    }
}
