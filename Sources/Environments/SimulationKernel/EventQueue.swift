public import Units

/// The pending events of a simulation, delivered in the exact order of
/// (time, origin, the origin's own sequence).
///
/// Two parts. The *front* holds all events before `frontEnd` in exact order: a sorted run, taken
/// from the wheel at once, and a heap for events scheduled since. Later events wait unordered in a
/// *hierarchical timing wheel* (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", SOSP
/// 1987): 11 levels of 64 buckets, one nanosecond wide at level 0 and 64 times wider per level, so
/// that every instant from zero to `distantFuture` has a bucket. When the front is empty, the
/// earliest bucket becomes the front if it is small, and is spread over the level below if not.
///
/// Deviations from the paper: no ticking; buckets are chains of contiguous chunks instead of linked
/// lists, because with a million pending events following links costs a cache miss per step; and
/// cancelling only marks an event, so that it touches one word. Cancelled events vanish when their
/// bucket is next moved, or all at once when they outnumber the others.
///
/// Scheduling and (amortized) cancelling take constant time; taking an event costs at most one move
/// per level, usually one or two, and a step in a sort of few events. Memory is allocated only when
/// more is needed than ever before.
public struct EventQueue<Payload: BitwiseCopyable>: ~Copyable {
    /// The time of the event last taken; zero before the first.
    public internal(set) var now: Instant
    /// Events scheduled and neither taken nor cancelled.
    public internal(set) var count: Int

    // Slots, which tokens refer to.
    var slots: UnsafeMutablePointer<EventSlot>
    var slotCapacity: Int
    var firstFreeSlot: Int32 = -1
    /// Slots from here on were never used and are not on the free list.
    var unusedSlot: Int32 = 0
    /// Entries still stored whose event was cancelled.
    var dead = 0

    // Chunks of `chunkSize` entries, and for each the next one of its chain.
    var entries: UnsafeMutablePointer<EventEntry<Payload>>
    var nextChunk: UnsafeMutablePointer<Int32>
    var chunkCapacity: Int
    var firstFreeChunk: Int32 = -1
    var unusedChunk: Int32 = 0

    // The wheel.
    let buckets: UnsafeMutablePointer<EventBucket>
    let occupied: UnsafeMutablePointer<UInt64>
    /// Bit n is set while level n holds an entry.
    var levels: UInt64 = 0
    /// The wheel's origin: an event's level is its highest base-64 digit that differs from this.
    var base: UInt64 = 0

    // The front.
    /// Positions of the run's entries, latest first; they lie in the chain from `runChunk` on.
    let run: UnsafeMutablePointer<Int32>
    var runCount = 0
    /// Where the run is sorted.
    let runKeys: UnsafeMutablePointer<SIMD4<Int32>>
    let runPositions: UnsafeMutablePointer<Int32>
    var runChunk: Int32 = -1
    var heap: EventHeap<Payload>
    /// All events before this are in the front, all others in the wheel.
    var frontEnd: UInt64 = 0
    /// The front is one bucket of this level wide, counted from its latest possible start.
    var frontLevel = 0

    static var chunkShift: Int { 4 }
    static var chunkSize: Int { 1 << chunkShift }
    /// A bucket of at most this many entries becomes a run; 6 bits number them.
    static var runLimit: Int { 64 }
    /// Up to this level, a time inside a bucket and a number fit a sort key of 31 bits.
    static var runLevelLimit: Int { 4 }
    /// A heap that grew beyond this gives its later part back to the wheel.
    static var heapLimit: Int { 64 }
    /// Cancelled entries are tolerated up to the number of others and this.
    static var deadLimit: Int { 1024 }
    static var levelCount: Int { 11 }

    /// An empty queue at time zero with room for `capacity` events; it grows by doubling.
    public init(capacity: Int) {
        precondition(
            capacity >= 0 && capacity <= 1 << 29,
            "a queue cannot hold \(capacity) events"
        )
        now = .zero
        count = 0
        slotCapacity = max(capacity, 64)
        slots = .allocate(capacity: slotCapacity)
        chunkCapacity = slotCapacity / Self.chunkSize + 64
        entries = .allocate(capacity: chunkCapacity << Self.chunkShift)
        nextChunk = .allocate(capacity: chunkCapacity)
        buckets = .allocate(capacity: Self.levelCount * 64)
        buckets.initialize(repeating: .empty, count: Self.levelCount * 64)
        occupied = .allocate(capacity: Self.levelCount)
        occupied.initialize(repeating: 0, count: Self.levelCount)
        run = .allocate(capacity: Self.runLimit)
        runKeys = .allocate(capacity: Self.runLimit / 4)
        runPositions = .allocate(capacity: Self.runLimit)
        heap = EventHeap(capacity: 256)
    }

    deinit {
        slots.deallocate()
        entries.deallocate()
        nextChunk.deallocate()
        buckets.deallocate()
        occupied.deallocate()
        run.deallocate()
        runKeys.deallocate()
        runPositions.deallocate()
    }

    public var isEmpty: Bool { count == 0 }

    /// The size of one pending event; 64 for payloads of 25 to 32 bytes.
    public static var bytesPerEvent: Int { MemoryLayout<EventEntry<Payload>>.stride }

    /// Entries held in memory: the pending events and those cancelled ones not yet swept out.
    public var storedEntries: Int { count + dead }

    /// Schedules one event; traps when `time` is already past.
    @discardableResult
    public mutating func schedule(
        _ payload: Payload,
        at time: Instant,
        from origin: inout EventOrigin
    ) -> EventToken {
        precondition(time >= now, "an event at \(time) cannot be scheduled at \(now)")
        if firstFreeSlot < 0 { addFreeSlot() }
        let slot = firstFreeSlot
        let generation = slots[Int(slot)].generation
        firstFreeSlot = slots[Int(slot)].nextFree
        count &+= 1
        let ticks = UInt64(bitPattern: time.nanoseconds)
        let entry = EventEntry(
            time: ticks,
            sequence: origin.takeSequence(),
            origin: origin.entity,
            slot: slot,
            generation: generation,
            payload: payload
        )
        if ticks >= frontEnd {
            place(at: ticks).initialize(to: entry)
        } else {
            insertIntoFront(entry)
        }
        return EventToken(slot: UInt32(bitPattern: slot), generation: generation)
    }

    /// Takes back an event that was not delivered yet; `false`, and no effect, for any other token.
    @discardableResult
    public mutating func cancel(_ token: EventToken) -> Bool {
        let slot = Int32(bitPattern: token.slot)
        guard token.slot < UInt32(bitPattern: unusedSlot),
            slots[Int(slot)].generation == token.generation
        else { return false }
        release(slot)
        dead &+= 1
        if dead > count &+ Self.deadLimit { removeDead() }
        return true
    }

    /// Takes the earliest event, unless it is later than `limit`; `nil` when nothing is due.
    @inline(__always)
    public mutating func next(notAfter limit: Instant) -> QueuedEvent<Payload>? {
        // Nearly every event comes from the run while the heap is empty.
        if heap.count == 0, runCount > 0 {
            let entry = entries + Int(run[runCount &- 1])
            let time = Instant(nanoseconds: Int64(bitPattern: entry.pointee.time))
            if time <= limit, isLive(entry.pointee) {
                let event = QueuedEvent(
                    time: time,
                    origin: entry.pointee.origin,
                    sequence: entry.pointee.sequence,
                    payload: entry.pointee.payload
                )
                now = time
                runCount &-= 1
                release(entry.pointee.slot)
                if runCount == 0 { releaseRunChunks() }
                return event
            }
        }
        return nextFromFront(notAfter: limit)
    }
}

extension EventQueue: @unchecked Sendable where Payload: Sendable {}
