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
                runCount == 0 || EventKey.precedes(heap.entries[0].key, nextOfRun.key)
            {
                entry = heap.entries[0]
                guard entry.time <= lastTick else { return nil }
                heap.removeFirst()
            } else if runCount > 0 {
                entry = nextOfRun
                guard entry.time <= lastTick else { return nil }
                runCount &-= 1
                if runCount == 0 { releaseRunChunks() }
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
            if bucket.count <= Int32(Self.runLimit), level <= Self.runLevelLimit {
                frontEnd = start &+ (1 &<< shift)
                frontLevel = level
                loadRun(bucket, from: start)
                if runCount > 0 { return true }
            } else {
                // One nanosecond cannot be spread further, and few events far apart need not be:
                // the heap orders them.
                let isHeaped = level == 0 || bucket.count <= Int32(Self.chunkSize)
                frontEnd = isHeaped ? start &+ (1 &<< shift) : start
                frontLevel = isHeaped ? level : 0
                spread(bucket)
                if heap.count > 0 {
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

    var nextOfRun: EventEntry<Payload> { entries[Int(run[runCount &- 1])] }

    /// Sorts the positions of a small bucket's entries, latest first, and makes them the run.
    ///
    /// By counting for each entry how many come before it: quadratic, but without a branch that
    /// depends on the times, and in vector instructions, so that 64 entries cost less than moving
    /// them down a level.
    private mutating func loadRun(_ bucket: EventBucket, from start: UInt64) {
        let keys = UnsafeMutableRawPointer(runKeys).assumingMemoryBound(to: Int32.self)
        var live: Int32 = 0
        var chunk = bucket.firstChunk
        var filled = (bucket.count &- 1) & Int32(Self.chunkSize &- 1) &+ 1
        while chunk >= 0 {
            let first = chunk &<< Int32(Self.chunkShift)
            for position in first..<first &+ filled {
                if dead > 0, !isLive(entries[Int(position)]) {
                    dead &-= 1
                    continue
                }
                let offset = Int32(truncatingIfNeeded: entries[Int(position)].time &- start)
                keys[Int(live)] = offset &<< 6 | live
                runPositions[Int(live)] = position
                live &+= 1
            }
            chunk = nextChunk[Int(chunk)]
            filled = Int32(Self.chunkSize)
        }
        runCount = Int(live)
        runChunk = bucket.firstChunk
        if live == 1 {
            run[0] = runPositions[0]
        } else if live == 0 {
            releaseRunChunks()
        } else {
            rankRun(keys)
            orderTies()
        }
    }

    @inline(__always)
    private func rankRun(_ keys: UnsafeMutablePointer<Int32>) {
        // Full vectors: the padding comes after everything.
        let vectors = (runCount &+ 3) &>> 2
        for index in runCount..<vectors &* 4 { keys[index] = .max }
        for index in 0..<runCount {
            let key = SIMD4<Int32>(repeating: keys[index])
            // A lane of a mask is −1 where the comparison holds.
            var ranks = SIMD4<Int32>.zero
            for vector in 0..<vectors {
                ranks &-= unsafeBitCast(runKeys[vector] .< key, to: SIMD4<Int32>.self)
            }
            let rank = ranks.x &+ ranks.y &+ ranks.z &+ ranks.w
            run[runCount &- 1 &- Int(rank)] = runPositions[index]
        }
    }

    /// Orders entries of equal times by insertion; there are few.
    private func orderTies() {
        for index in 1..<runCount {
            let position = run[index]
            let key = entries[Int(position)].key
            guard entries[Int(run[index &- 1])].time == key.time else { continue }
            var hole = index
            while hole > 0, EventKey.precedes(entries[Int(run[hole &- 1])].key, key) {
                run[hole] = run[hole &- 1]
                hole &-= 1
            }
            run[hole] = position
        }
    }

    @inline(__always)
    mutating func releaseRunChunks() {
        while runChunk >= 0 {
            let next = nextChunk[Int(runChunk)]
            releaseChunk(runChunk)
            runChunk = next
        }
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
        if runCount > 0 { anchor = max(base, min(anchor, nextOfRun.time)) }
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
        while late < runCount, entries[Int(run[late])].time >= frontEnd {
            let entry = entries[Int(run[late])]
            place(at: entry.time).initialize(to: entry)
            late &+= 1
        }
        guard late > 0 else { return }
        for index in late..<runCount {
            run[index &- late] = run[index]
        }
        runCount &-= late
        if runCount == 0 { releaseRunChunks() }
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
        for index in 0..<runCount where isLive(entries[Int(run[index])]) {
            earliest = min(earliest, entries[Int(run[index])].time)
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
