public import Units

/// The pending events of a simulation, delivered in the exact order of
/// (time, origin, the origin's own sequence).
///
/// Two parts. The *front* is a small heap of all events before `frontEnd`; it gives the exact order,
/// also inside one nanosecond and for events scheduled for the current time while that time is being
/// delivered. Later events wait unordered in a *hierarchical timing wheel* (Varghese and Lauck,
/// "Hashed and Hierarchical Timing Wheels", SOSP 1987): 11 levels of 64 buckets, one nanosecond
/// wide at level 0 and 64 times wider per level, so that every instant from zero to `distantFuture`
/// has a bucket. When the front is empty the earliest bucket becomes the front if it is small, and
/// is spread over the level below if it is not. That differs from the paper, whose wheels tick.
///
/// Scheduling and cancelling take constant time; taking an event costs at most one move per level,
/// usually one or two, and a heap step among few events. Memory is allocated only when more events
/// are pending than ever before.
public struct EventQueue<Payload: BitwiseCopyable>: ~Copyable {
    /// The time of the event last taken; zero before the first.
    public internal(set) var now: Instant
    /// Events scheduled and neither taken nor cancelled.
    public internal(set) var count: Int

    var links: UnsafeMutablePointer<EventLink>
    var bodies: UnsafeMutablePointer<EventBody<Payload>>
    var capacity: Int
    var firstFree: Int32
    /// Slots never used so far start here; they are not on the free list.
    var unused: Int32

    let buckets: UnsafeMutablePointer<EventBucket>
    let occupied: UnsafeMutablePointer<UInt64>
    /// Bit n is set while level n holds an event.
    var levels: UInt64 = 0
    /// The wheel's origin: an event's level is its highest base-64 digit that differs from this.
    var base: UInt64 = 0

    var front: EventFront
    /// All events before this are in the front, all others in the wheel.
    var frontEnd: UInt64 = 0
    /// The width of the bucket that became the front is 64 to this power.
    var frontLevel = 0

    /// A bucket with at most this many events becomes the front as it is.
    static var bucketLimit: Int32 { 16 }
    /// A front that grew beyond this gives its later part back to the wheel.
    static var frontLimit: Int { 64 }
    static var levelCount: Int { 11 }

    /// An empty queue at time zero with room for `capacity` events; it grows by doubling.
    public init(capacity: Int) {
        precondition(
            capacity >= 0 && capacity < 1 << 30,
            "a queue cannot hold \(capacity) events"
        )
        now = .zero
        count = 0
        self.capacity = max(capacity, 64)
        links = .allocate(capacity: self.capacity)
        bodies = .allocate(capacity: self.capacity)
        firstFree = -1
        unused = 0
        buckets = .allocate(capacity: Self.levelCount * 64)
        buckets.initialize(repeating: EventBucket(head: -1, count: 0), count: Self.levelCount * 64)
        occupied = .allocate(capacity: Self.levelCount)
        occupied.initialize(repeating: 0, count: Self.levelCount)
        front = EventFront(capacity: 256)
    }

    deinit {
        links.deallocate()
        bodies.deallocate()
        buckets.deallocate()
        occupied.deallocate()
    }

    public var isEmpty: Bool { count == 0 }

    /// Bytes of memory that one pending event takes, the front's copy of its key left out.
    public static var bytesPerEvent: Int {
        MemoryLayout<EventLink>.stride + MemoryLayout<EventBody<Payload>>.stride
    }

    /// The time of the earliest event. Costs a walk over one bucket when the front is empty.
    public var nextTime: Instant? {
        if front.count > 0 {
            return Instant(nanoseconds: Int64(front.entries[0].time))
        }
        guard levels != 0 else { return nil }
        let level = levels.trailingZeroBitCount
        let bucket = level &* 64 &+ occupied[level].trailingZeroBitCount
        var slot = buckets[bucket].head
        var earliest = UInt64.max
        while slot >= 0 {
            let link = links[Int(slot)]
            earliest = min(earliest, link.time)
            slot = link.next
        }
        return Instant(nanoseconds: Int64(earliest))
    }

    /// Schedules one event; traps when `time` is already past.
    @discardableResult
    public mutating func schedule(
        _ payload: Payload,
        at time: Instant,
        from origin: inout EventOrigin
    ) -> EventToken {
        precondition(time >= now, "an event at \(time) cannot be scheduled at \(now)")
        if firstFree < 0 { addFreeSlot() }
        let slot = firstFree
        let index = Int(slot)
        firstFree = links[index].next
        let ticks = UInt64(bitPattern: time.nanoseconds)
        let sequence = origin.takeSequence()
        let body = bodies + index
        body.pointee.sequence = sequence
        body.pointee.origin = origin.entity
        body.pointee.payload = payload
        count &+= 1
        if ticks < frontEnd {
            links[index] = EventLink(time: ticks, next: -1, previous: EventLink.inFront)
            front.insert(
                EventFront.Entry(
                    time: ticks,
                    sequence: sequence,
                    origin: origin.entity.rawValue,
                    slot: UInt32(bitPattern: slot)
                )
            )
            if front.count > Self.frontLimit, frontLevel > 0 { narrowFront() }
        } else {
            link(slot, at: ticks)
        }
        return EventToken(slot: UInt32(bitPattern: slot), generation: body.pointee.generation)
    }

    /// Takes back an event that was not delivered yet; `false`, and no effect, for any other token.
    @discardableResult
    public mutating func cancel(_ token: EventToken) -> Bool {
        let slot = Int32(bitPattern: token.slot)
        let index = Int(slot)
        guard token.slot < UInt32(bitPattern: unused), bodies[index].generation == token.generation
        else { return false }
        count &-= 1
        if links[index].time < frontEnd {
            // The heap entry stays until it surfaces; the slot stays taken as long.
            bodies[index].generation &+= 1
            links[index].previous = EventLink.cancelledInFront
            dropCancelledFront()
        } else {
            unlink(slot)
            release(slot)
        }
        return true
    }

    /// Takes the earliest event, unless it is later than `limit`; `nil` when nothing is due.
    public mutating func next(notAfter limit: Instant) -> QueuedEvent<Payload>? {
        if front.count == 0 {
            guard limit >= .zero, fillFront(notAfter: UInt64(bitPattern: limit.nanoseconds)) else {
                return nil
            }
        }
        let entry = front.entries[0]
        let time = Instant(nanoseconds: Int64(bitPattern: entry.time))
        guard time <= limit else { return nil }
        front.removeFirst()
        let slot = Int32(bitPattern: entry.slot)
        let body = bodies + Int(slot)
        let event = QueuedEvent(
            time: time,
            origin: body.pointee.origin,
            sequence: entry.sequence,
            payload: body.pointee.payload
        )
        release(slot)
        count &-= 1
        now = time
        dropCancelledFront()
        return event
    }
}

extension EventQueue: @unchecked Sendable where Payload: Sendable {}
