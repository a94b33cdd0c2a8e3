public import Units

extension EventQueue {
    /// The general form of `next`: fills the front, merges run and heap, skips what was cancelled.
    @inline(never)
    mutating func nextFromFront(notAfter limit: Instant) -> QueuedEvent<Payload>? {
        guard limit >= .zero else { return nil }
        let lastTick = UInt64(bitPattern: limit.nanoseconds)
        while true {
            let entry: EventEntry<Payload>
            if heap.count > 0,
                runCount == 0 || EventKey.precedes(heap.entries[0].key, run[runCount &- 1])
            {
                entry = heap.entries[0]
                guard entry.time <= lastTick else { return nil }
                heap.removeFirst()
            } else if runCount > 0 {
                entry = entries[Int(run[runCount &- 1].index)]
                guard entry.time <= lastTick else { return nil }
                runCount &-= 1
                if runCount == 0 { releaseRunChunk() }
            } else if fillFront(notAfter: lastTick) {
                continue
            } else {
                return nil
            }
            guard isLive(entry) else {
                dead &-= 1
                continue
            }
            release(entry.slot)
            now = Instant(nanoseconds: Int64(bitPattern: entry.time))
            return QueuedEvent(
                time: now,
                origin: entry.origin,
                sequence: entry.sequence,
                payload: entry.payload
            )
        }
    }

    /// Puts an entry that belongs before the front's end into the heap.
    @inline(never)
    mutating func insertIntoFront(_ entry: EventEntry<Payload>) {
        heap.insert(entry)
        if heap.count > Self.heapLimit, frontLevel > 0 { narrowFront() }
    }

    /// A new place in the bucket for a time that is not before the base.
    @inline(__always)
    mutating func place(at ticks: UInt64) -> UnsafeMutablePointer<EventEntry<Payload>> {
        let distance = (ticks ^ base) | 1
        let level = (63 &- distance.leadingZeroBitCount) / 6
        let digit = Int(truncatingIfNeeded: (ticks &>> UInt64(level &* 6)) & 63)
        let bucket = buckets + (level &* 64 &+ digit)
        let position = Int(bucket.pointee.count) & (Self.chunkSize &- 1)
        if position == 0 { addChunk(level: level, digit: digit) }
        bucket.pointee.count &+= 1
        return entries + (Int(bucket.pointee.firstChunk) &<< Self.chunkShift &+ position)
    }

    @inline(__always)
    private mutating func addChunk(level: Int, digit: Int) {
        let bucket = buckets + (level &* 64 &+ digit)
        let chunk = takeChunk()
        nextChunk[Int(chunk)] = bucket.pointee.firstChunk
        bucket.pointee.firstChunk = chunk
        occupied[level] |= 1 &<< UInt64(digit)
        levels |= 1 &<< UInt64(level)
    }

    /// Makes the earliest bucket the front, spreading large ones over lower levels first. Answers
    /// `false` when nothing is stored, or when the earliest bucket starts after `limit`: the base
    /// must not pass `limit`, or events scheduled before it later on would crowd the front.
    ///
    /// Bounded by the number of levels, and by one bucket for each run of cancelled events.
    @inline(never)
    mutating func fillFront(notAfter limit: UInt64) -> Bool {
        while levels != 0 {
            let level = levels.trailingZeroBitCount
            let digit = occupied[level].trailingZeroBitCount
            let shift = UInt64(level &* 6)
            let start = ((base &>> shift) & ~63 | UInt64(digit)) &<< shift
            if start > limit { return false }
            let bucket = takeBucket(level: level, digit: digit)
            base = start
            if bucket.count <= Int32(Self.chunkSize) {
                frontEnd = start &+ (1 &<< shift)
                frontLevel = level
                loadRun(bucket)
                if runCount > 0 { return true }
            } else {
                // One nanosecond cannot be spread further; the heap orders what happens in it.
                frontEnd = level == 0 ? start &+ 1 : start
                frontLevel = 0
                spread(bucket)
                if level == 0, heap.count > 0 {
                    heap.order()
                    return true
                }
            }
        }
        return false
    }

    private mutating func takeBucket(level: Int, digit: Int) -> EventBucket {
        let bucket = buckets[level &* 64 &+ digit]
        buckets[level &* 64 &+ digit] = .empty
        occupied[level] &= ~(1 &<< UInt64(digit))
        if occupied[level] == 0 { levels &= ~(1 &<< UInt64(level)) }
        return bucket
    }

    /// Sorts the keys of a bucket of one chunk, latest first, by insertion.
    @inline(__always)
    private mutating func loadRun(_ bucket: EventBucket) {
        let first = Int(bucket.firstChunk) &<< Self.chunkShift
        var sorted = 0
        for index in first..<first &+ Int(bucket.count) {
            if dead > 0, !isLive(entries[index]) {
                dead &-= 1
                continue
            }
            var key = entries[index].key
            key.index = UInt32(truncatingIfNeeded: index)
            var hole = sorted
            while hole > 0, EventKey.precedes(run[hole &- 1], key) {
                run[hole] = run[hole &- 1]
                hole &-= 1
            }
            run[hole] = key
            sorted &+= 1
        }
        runCount = sorted
        runChunk = bucket.firstChunk
        if sorted == 0 { releaseRunChunk() }
    }

    @inline(__always)
    mutating func releaseRunChunk() {
        releaseChunk(runChunk)
        runChunk = -1
    }

    /// Moves a bucket's live entries to where they belong now: lower levels, or the unordered heap.
    private mutating func spread(_ bucket: EventBucket) {
        var chunk = bucket.firstChunk
        var filled = Int(bucket.count &- 1) & (Self.chunkSize &- 1) &+ 1
        while chunk >= 0 {
            let first = Int(chunk) &<< Self.chunkShift
            for index in first..<first &+ filled {
                if dead > 0, !isLive(entries[index]) {
                    dead &-= 1
                } else if entries[index].time < frontEnd {
                    heap.appendUnordered(entries[index])
                } else {
                    // A place may move the storage: the source is looked up after it.
                    let place = place(at: entries[index].time)
                    place.update(from: entries + index, count: 1)
                }
            }
            let next = nextChunk[Int(chunk)]
            releaseChunk(chunk)
            chunk = next
            filled = Self.chunkSize
        }
    }

    /// Moves the front's end closer until the heap is small again or the front is one nanosecond
    /// wide, and gives the events behind it back to the wheel.
    @inline(never)
    private mutating func narrowFront() {
        // The wheel holds nothing below the front's level, so its base may move inside the front.
        var anchor = max(base, heap.entries[0].time)
        if runCount > 0 { anchor = max(base, min(anchor, run[runCount &- 1].time)) }
        while heap.count > Self.heapLimit, frontLevel > 0 {
            frontLevel &-= 1
            let shift = UInt64(frontLevel &* 6)
            base = (anchor &>> shift) &<< shift
            frontEnd = base &+ (1 &<< shift)
            var kept = 0
            for index in 0..<heap.count {
                let entry = heap.entries[index]
                if entry.time < frontEnd {
                    heap.entries[kept] = entry
                    kept &+= 1
                } else {
                    place(at: entry.time).initialize(to: entry)
                }
            }
            heap.truncate(to: kept)
            heap.order()
            shortenRun()
        }
    }

    /// Gives the run's events behind the front's end back to the wheel.
    private mutating func shortenRun() {
        var late = 0
        while late < runCount, run[late].time >= frontEnd {
            let entry = entries[Int(run[late].index)]
            place(at: entry.time).initialize(to: entry)
            late &+= 1
        }
        guard late > 0 else { return }
        for index in late..<runCount {
            run[index &- late] = run[index]
        }
        runCount &-= late
        if runCount == 0 { releaseRunChunk() }
    }

    /// Drops all cancelled entries. Costs a pass over everything stored, which as many cancellations
    /// as there are events left have paid for.
    @inline(never)
    mutating func removeDead() {
        var remaining = levels
        while remaining != 0 {
            let level = remaining.trailingZeroBitCount
            remaining &= remaining &- 1
            var digits = occupied[level]
            while digits != 0 {
                let digit = digits.trailingZeroBitCount
                digits &= digits &- 1
                // Stored again, entries land in the same, now empty bucket: the base is unchanged.
                spread(takeBucket(level: level, digit: digit))
            }
        }
        var kept = 0
        for index in 0..<heap.count where isLive(heap.entries[index]) {
            heap.entries[kept] = heap.entries[index]
            kept &+= 1
        }
        dead &-= heap.count &- kept
        heap.truncate(to: kept)
        heap.order()
    }

    /// The time of the earliest event. Costs a walk over one bucket when the front is empty.
    public var nextTime: Instant? {
        guard count > 0 else { return nil }
        var earliest = UInt64.max
        for index in 0..<heap.count where isLive(heap.entries[index]) {
            earliest = min(earliest, heap.entries[index].time)
        }
        for index in 0..<runCount where isLive(entries[Int(run[index].index)]) {
            earliest = min(earliest, run[index].time)
        }
        var remaining = levels
        while earliest == .max, remaining != 0 {
            let level = remaining.trailingZeroBitCount
            remaining &= remaining &- 1
            var digits = occupied[level]
            while earliest == .max, digits != 0 {
                let digit = digits.trailingZeroBitCount
                digits &= digits &- 1
                earliest = earliestLive(in: buckets[level &* 64 &+ digit])
            }
        }
        return Instant(nanoseconds: Int64(bitPattern: earliest))
    }

    /// The least time of a bucket's live entries; `UInt64.max` if it has none.
    private func earliestLive(in bucket: EventBucket) -> UInt64 {
        var earliest = UInt64.max
        var chunk = bucket.firstChunk
        var filled = Int(bucket.count &- 1) & (Self.chunkSize &- 1) &+ 1
        while chunk >= 0 {
            let first = Int(chunk) &<< Self.chunkShift
            for index in first..<first &+ filled where isLive(entries[index]) {
                earliest = min(earliest, entries[index].time)
            }
            chunk = nextChunk[Int(chunk)]
            filled = Self.chunkSize
        }
        return earliest
    }
}
