public import Machines
public import Units

/// The transfers that one node sends at the same time, and how they share what it gets across.
///
/// It holds the `BulkSender`s, forwards what concerns each, and divides the rate by `RateShares` every
/// half second. Notes of a transfer go before its chunks, and no limit holds notes back. Transfers
/// that are over are dropped.
///
/// Bounds: `limit` transfers at a time, each with the bounds of a `BulkSender`.
public struct TransferScheduler: Machine {
    public enum Request: Sendable {
        /// Begins a transfer, with chunks no longer than `TransferShare.chunkSize(atMost:)`. Traps when the
        /// session is in use or `limit` are.
        case begin(
            SessionID,
            peer: NodeID,
            configuration: TransportConfiguration,
            share: TransferShare
        )
        /// Changes what a transfer is entitled to.
        case share(SessionID, TransferShare)
        /// A request to one transfer; nothing happens when it is over.
        case transfer(SessionID, BulkSender.Request)
    }

    public enum Event: Sendable, Equatable {
        case transfer(SessionID, BulkSender.Event)
    }

    public enum Timer: Hashable, Sendable {
        case transfer(SessionID, BulkSender.Timer)
        /// Time to divide the rate anew.
        case divide
    }

    /// Transfers at a time.
    public static let limit = 64
    /// Between two divisions.
    public static let period = Interval.milliseconds(500)

    private struct Entry: Sendable {
        var sender: BulkSender
        var share: TransferShare
        var countedBytes: UInt64 = 0
        var unusedPeriods = 0
    }

    /// In the order of their beginning.
    private var entries: [Entry] = []
    private var isDividing = false
    private var dividedAt = Instant.zero
    private var inner = Actions<BulkSender>()
    private var innerEvents: [BulkSender.Event] = []

    public init() {}

    /// The transfers that are not over, in the order of their beginning.
    public var sessions: [SessionID] { entries.map(\.sender.session) }

    /// A transfer that is not over.
    public func sender(_ session: SessionID) -> BulkSender? {
        index(of: session).map { entries[$0].sender }
    }

    public mutating func step(
        _ input: Input<TransferScheduler>,
        at now: Instant,
        into actions: inout Actions<TransferScheduler>
    ) {
        switch input {
        case .requested(let request): perform(request, at: now, into: &actions)
        case .fired(.transfer(let session, let timer)):
            step(session, .fired(timer), at: now, into: &actions)
        case .fired(.divide): divide(at: now, into: &actions)
        case .streamOpened(let stream, _), .writable(let stream, _), .readable(let stream, _),
            .finished(let stream), .reset(let stream, _), .path(let stream, _):
            guard let forwarded = input.forwarded(to: BulkSender.self) else { return }
            step(SessionID(of: stream), forwarded, at: now, into: &actions)
        case .started, .received, .persisted, .computed: break
        }
    }

    public func checkInvariants() {
        precondition(entries.count <= TransferScheduler.limit, "\(entries.count) transfers")
        for entry in entries { entry.sender.checkInvariants() }
    }

    private func index(of session: SessionID) -> Int? {
        entries.firstIndex { $0.sender.session == session }
    }

    private mutating func perform(
        _ request: Request,
        at now: Instant,
        into actions: inout Actions<TransferScheduler>
    ) {
        switch request {
        case .begin(let session, let peer, let configuration, let share):
            precondition(index(of: session) == nil, "\(session) is in use")
            precondition(entries.count < TransferScheduler.limit, "too many transfers")
            var configuration = configuration
            configuration.chunkSize = share.chunkSize(atMost: configuration.chunkSize)
            let sender = BulkSender(session: session, peer: peer, configuration: configuration)
            entries.append(Entry(sender: sender, share: share))
            entries[entries.count - 1].sender.rateLimit = share.most
            step(session, .started, at: now, into: &actions)
            startDividing(at: now, into: &actions)
        case .share(let session, let share):
            guard let index = index(of: session) else { return }
            entries[index].share = share
        case .transfer(let session, let request):
            step(session, .requested(request), at: now, into: &actions)
        }
    }

    private mutating func step(
        _ session: SessionID,
        _ input: Input<BulkSender>,
        at now: Instant,
        into actions: inout Actions<TransferScheduler>
    ) {
        guard let index = index(of: session) else { return }
        entries[index].sender.step(input, at: now, into: &inner)
        actions.absorb(&inner, events: &innerEvents) { .transfer(session, $0) }
        for event in innerEvents { actions.emit(.transfer(session, event)) }
        innerEvents.removeAll(keepingCapacity: true)
        if entries[index].sender.isSettled { entries.remove(at: index) }
    }

    private mutating func startDividing(
        at now: Instant,
        into actions: inout Actions<TransferScheduler>
    ) {
        guard !isDividing else { return }
        isDividing = true
        dividedAt = now
        actions.setTimer(.divide, at: now + TransferScheduler.period)
    }

    private mutating func divide(
        at now: Instant,
        into actions: inout Actions<TransferScheduler>
    ) {
        isDividing = false
        let elapsed = (now - dividedAt).seconds
        guard !entries.isEmpty else { return }
        startDividing(at: now, into: &actions)
        guard elapsed > 0 else { return }
        let usages = entries.indices.map { index in
            let bytes = entries[index].sender.statistics.payloadBytes
            let rate = Double(bytes - entries[index].countedBytes) * 8 / elapsed
            entries[index].countedBytes = bytes
            return RateShares.Usage(
                share: entries[index].share,
                rate: BitRate(bitsPerSecond: Int64(rate)),
                isHungry: entries[index].sender.unacknowledgedBytes > 0,
                unusedPeriods: entries[index].unusedPeriods
            )
        }
        for (index, limit) in RateShares.limits(for: usages).enumerated() {
            entries[index].sender.rateLimit = limit.rate
            entries[index].unusedPeriods = limit.unusedPeriods
        }
    }
}
