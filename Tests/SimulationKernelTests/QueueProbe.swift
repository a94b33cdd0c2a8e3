import SimulationKernel
import Units

/// A queue behind a reference, because `#expect` cannot take a noncopyable value apart.
final class QueueProbe<Payload: BitwiseCopyable> {
    var queue: EventQueue<Payload>

    init(capacity: Int) { queue = EventQueue(capacity: capacity) }

    var now: Instant { queue.now }
    var count: Int { queue.count }
    var isEmpty: Bool { queue.isEmpty }
    var nextTime: Instant? { queue.nextTime }
    var storedEntries: Int { queue.storedEntries }

    @discardableResult
    func schedule(
        _ payload: Payload,
        at time: Instant,
        from origin: inout EventOrigin
    ) -> EventToken {
        queue.schedule(payload, at: time, from: &origin)
    }

    @discardableResult
    func cancel(_ token: EventToken) -> Bool { queue.cancel(token) }

    func next(notAfter limit: Instant) -> QueuedEvent<Payload>? { queue.next(notAfter: limit) }

    /// Takes everything and returns the payloads.
    func drained() -> [Payload] {
        var payloads: [Payload] = []
        while let event = queue.next(notAfter: .distantFuture) { payloads.append(event.payload) }
        return payloads
    }
}
