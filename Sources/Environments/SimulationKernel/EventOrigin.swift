public import Units

/// Whoever schedules events, with its own count of them.
///
/// Each entity numbers its events itself, so that their order never depends on who happened to
/// schedule first. An entity keeps exactly one origin for its whole life; two origins of one entity
/// in one queue would give two events the same name.
public struct EventOrigin: Sendable, BitwiseCopyable {
    public let entity: EntityID
    /// The number of the entity's next event; also how many it has scheduled so far.
    public private(set) var nextSequence: UInt64

    public init(_ entity: EntityID) {
        self.entity = entity
        nextSequence = 0
    }

    /// Uses up one number.
    public mutating func takeSequence() -> UInt64 {
        let sequence = nextSequence
        nextSequence &+= 1
        return sequence
    }
}

/// Names one scheduled event, so that it can be cancelled.
///
/// A token stays harmless after its event was delivered or cancelled: the queue recognises it by its
/// generation (which would repeat after 2³² events in one slot) and refuses it.
public struct EventToken: Hashable, Sendable, BitwiseCopyable {
    let slot: UInt32
    let generation: UInt32

    init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }

    /// Names no event; cancelling it does nothing.
    public static let none = EventToken(slot: .max, generation: .max)
}

/// One event, as it leaves the queue.
public struct QueuedEvent<Payload: BitwiseCopyable>: BitwiseCopyable {
    public let time: Instant
    /// The entity that scheduled the event.
    public let origin: EntityID
    /// The event's number among those of its origin.
    public let sequence: UInt64
    public let payload: Payload

    public init(time: Instant, origin: EntityID, sequence: UInt64, payload: Payload) {
        self.time = time
        self.origin = origin
        self.sequence = sequence
        self.payload = payload
    }
}

extension QueuedEvent: Sendable where Payload: Sendable {}
