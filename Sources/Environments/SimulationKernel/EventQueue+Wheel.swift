import Units

extension EventQueue {
    // MARK: - Slots

    @inline(__always)
    mutating func release(_ slot: Int32) {
        let index = Int(slot)
        bodies[index].generation &+= 1
        links[index].next = firstFree
        firstFree = slot
    }

    /// Puts a slot that was never used on the empty free list, growing the storage when none is left.
    @inline(never)
    mutating func addFreeSlot() {
        if Int(unused) == capacity { grow() }
        let index = Int(unused)
        // The body is trivial and its other fields are written before they are read.
        bodies[index].generation = 0
        links[index] = EventLink(time: 0, next: -1, previous: -1)
        firstFree = unused
        unused += 1
    }

    private mutating func grow() {
        precondition(capacity < 1 << 30, "a queue cannot hold more than 2³¹ events")
        let moreLinks = UnsafeMutablePointer<EventLink>.allocate(capacity: capacity * 2)
        moreLinks.update(from: links, count: capacity)
        links.deallocate()
        links = moreLinks
        let moreBodies = UnsafeMutablePointer<EventBody<Payload>>.allocate(capacity: capacity * 2)
        moreBodies.update(from: bodies, count: capacity)
        bodies.deallocate()
        bodies = moreBodies
        capacity *= 2
    }

    // MARK: - Wheel

    /// The level of a time: the position of its highest base-64 digit that differs from the base.
    @inline(__always)
    func level(of ticks: UInt64) -> Int {
        let distance = (ticks ^ base) | 1
        return (63 &- distance.leadingZeroBitCount) / 6
    }

    /// Puts an event into its bucket; its time is not before the base.
    @inline(__always)
    mutating func link(_ slot: Int32, at ticks: UInt64) {
        let level = level(of: ticks)
        let digit = Int(truncatingIfNeeded: (ticks &>> UInt64(level &* 6)) & 63)
        let bucket = buckets + (level &* 64 &+ digit)
        let head = bucket.pointee.head
        links[Int(slot)] = EventLink(time: ticks, next: head, previous: -1)
        if head >= 0 {
            links[Int(head)].previous = slot
        } else {
            occupied[level] |= 1 &<< UInt64(digit)
            levels |= 1 &<< UInt64(level)
        }
        bucket.pointee.head = slot
        bucket.pointee.count &+= 1
    }

    /// Takes an event out of its bucket.
    mutating func unlink(_ slot: Int32) {
        let old = links[Int(slot)]
        let level = level(of: old.time)
        let digit = Int(truncatingIfNeeded: (old.time &>> UInt64(level &* 6)) & 63)
        let bucket = buckets + (level &* 64 &+ digit)
        if old.next >= 0 { links[Int(old.next)].previous = old.previous }
        if old.previous >= 0 {
            links[Int(old.previous)].next = old.next
        } else {
            bucket.pointee.head = old.next
        }
        bucket.pointee.count &-= 1
        if bucket.pointee.count == 0 { markEmpty(level: level, digit: digit) }
    }

    @inline(__always)
    private mutating func markEmpty(level: Int, digit: Int) {
        occupied[level] &= ~(1 &<< UInt64(digit))
        if occupied[level] == 0 { levels &= ~(1 &<< UInt64(level)) }
    }

    // MARK: - Front

    /// Makes the earliest bucket the front, spreading large ones over lower levels first. Leaves the
    /// wheel's base alone and answers `false` when that bucket starts after `limit`, so that events
    /// scheduled before it later on still find the wheel ahead of them.
    ///
    /// Bounded by the number of levels: each round but the last moves down by at least one.
    @inline(never)
    mutating func fillFront(notAfter limit: UInt64) -> Bool {
        while levels != 0 {
            let level = levels.trailingZeroBitCount
            let digit = occupied[level].trailingZeroBitCount
            let bucket = buckets + (level &* 64 &+ digit)
            let shift = UInt64(level &* 6)
            let head = bucket.pointee.head
            let start = (links[Int(head)].time &>> shift) &<< shift
            if start > limit { return false }
            let size = bucket.pointee.count
            bucket.pointee = EventBucket(head: -1, count: 0)
            markEmpty(level: level, digit: digit)
            base = start
            frontEnd = start
            frontLevel = 0
            if level == 0 || size <= Self.bucketLimit {
                frontEnd = start &+ (1 &<< shift)
                frontLevel = level
                loadFront(from: head)
                return true
            }
            var slot = head
            while slot >= 0 {
                let moved = links[Int(slot)]
                link(slot, at: moved.time)
                slot = moved.next
            }
        }
        return false
    }

    private mutating func loadFront(from head: Int32) {
        var slot = head
        while slot >= 0 {
            let index = Int(slot)
            let next = links[index].next
            links[index].previous = EventLink.inFront
            front.appendUnordered(
                EventFront.Entry(
                    time: links[index].time,
                    sequence: bodies[index].sequence,
                    origin: bodies[index].origin.rawValue,
                    slot: UInt32(bitPattern: slot)
                )
            )
            slot = next
        }
        front.order()
    }

    /// Keeps the front's first entry a live event, which `next` and `nextTime` rely on.
    @inline(__always)
    mutating func dropCancelledFront() {
        while front.count > 0 {
            let slot = Int32(bitPattern: front.entries[0].slot)
            guard links[Int(slot)].previous == EventLink.cancelledInFront else { return }
            front.removeFirst()
            release(slot)
        }
    }

    /// Moves the front's end closer until it is small again or one nanosecond wide, and gives the
    /// events behind it back to the wheel.
    @inline(never)
    mutating func narrowFront() {
        // The wheel holds nothing below the front's level, so its base may move inside the front.
        let anchor = max(base, front.entries[0].time)
        while front.count > Self.frontLimit, frontLevel > 0 {
            frontLevel -= 1
            let shift = UInt64(frontLevel * 6)
            base = (anchor &>> shift) &<< shift
            frontEnd = base &+ (1 &<< shift)
            var kept = 0
            for index in 0..<front.count {
                let entry = front.entries[index]
                let slot = Int32(bitPattern: entry.slot)
                if entry.time < frontEnd {
                    front.entries[kept] = entry
                    kept += 1
                } else if links[Int(slot)].previous == EventLink.cancelledInFront {
                    release(slot)
                } else {
                    link(slot, at: entry.time)
                }
            }
            front.truncate(to: kept)
            front.order()
        }
    }
}
