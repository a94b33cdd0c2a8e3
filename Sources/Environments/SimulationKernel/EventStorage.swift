import Units

/// An event's place: in a bucket's list, in the front, or free.
struct EventLink: BitwiseCopyable {
    /// Instants are never negative here, so their order as unsigned words is the same.
    var time: UInt64
    /// The next slot of the bucket or of the free list; −1 ends it.
    var next: Int32
    /// The previous slot of the bucket, −1 for its first, or one of the states below.
    var previous: Int32

    static var inFront: Int32 { -2 }
    /// Cancelled, but its heap entry has not surfaced yet.
    static var cancelledInFront: Int32 { -3 }
}

/// What an event carries; apart from `EventLink`, so that moving events between buckets touches a
/// quarter of a cache line for each.
struct EventBody<Payload: BitwiseCopyable>: BitwiseCopyable {
    var sequence: UInt64
    var origin: EntityID
    /// One more whenever the slot's event is over, so that old tokens do not match.
    var generation: UInt32
    var payload: Payload
}

/// An unordered list of events whose times share all base-64 digits down to the bucket's level.
struct EventBucket: BitwiseCopyable {
    var head: Int32
    var count: Int32
}
