public import Units

/// Bounds of one run; every run has them, so that none goes on for ever.
public struct RunLimits: Sendable {
    /// Virtual time: events later than this stay in the queue.
    public var time: Instant
    /// Number of events delivered.
    public var events: UInt64
    /// How many events pass between two looks at the cancellation source, which may read a clock or
    /// a flag that another thread sets.
    public var cancellationStride: UInt64

    public init(
        time: Instant = .distantFuture,
        events: UInt64 = .max,
        cancellationStride: UInt64 = 4096
    ) {
        precondition(cancellationStride > 0, "the cancellation stride must be positive")
        self.time = time
        self.events = events
        self.cancellationStride = cancellationStride
    }
}

/// Why a run ended.
public enum RunEnd: String, Hashable, Sendable, CaseIterable {
    /// Nothing was left to happen.
    case drained
    /// Everything left to happen is later than the limit.
    case reachedTime
    /// The limit of events was delivered.
    case eventLimit
    /// The cancellation source said so: a real-time budget was spent, or a person interrupted.
    case cancelled
}

/// Counts a run's events against its limits.
///
/// The cancellation source is asked before the first event and then once a stride; a run that it
/// ends is a prefix of the run that it would not have ended, since nothing else depends on it.
public struct RunControl {
    public let limits: RunLimits
    /// Events delivered so far.
    public private(set) var delivered: UInt64 = 0
    /// Why the last `next` gave no event; `nil` while there was one.
    public private(set) var end: RunEnd?
    private var pauseAt: UInt64 = 0
    private let isCancelled: () -> Bool

    public init(_ limits: RunLimits, isCancelled: @escaping () -> Bool = { false }) {
        self.limits = limits
        self.isCancelled = isCancelled
    }

    /// Takes the next event of `queue`; `nil` when the run has ended, and then `end` says why.
    @inline(__always)
    public mutating func next<Payload>(
        of queue: inout EventQueue<Payload>
    ) -> QueuedEvent<Payload>? {
        if delivered >= pauseAt, !continues() { return nil }
        guard let event = queue.next(notAfter: limits.time) else {
            end = queue.isEmpty ? .drained : .reachedTime
            return nil
        }
        delivered &+= 1
        return event
    }

    @inline(never)
    private mutating func continues() -> Bool {
        end = nil
        if delivered >= limits.events {
            end = .eventLimit
        } else if isCancelled() {
            end = .cancelled
        }
        let stride = limits.events - delivered
        pauseAt = delivered + min(stride, limits.cancellationStride)
        return end == nil
    }
}
