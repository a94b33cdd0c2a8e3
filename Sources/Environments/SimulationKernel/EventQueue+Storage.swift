import Units

extension EventQueue {
    // MARK: - Slots

    /// Whether the entry's event is still to be delivered.
    @inline(__always)
    func isLive(_ entry: EventEntry<Payload>) -> Bool {
        slots[Int(entry.slot)].generation == entry.generation
    }

    /// Ends a slot's event, whatever entry of it may still be stored.
    @inline(__always)
    mutating func release(_ slot: Int32) {
        slots[Int(slot)].generation &+= 1
        slots[Int(slot)].nextFree = firstFreeSlot
        firstFreeSlot = slot
        count &-= 1
    }

    /// Puts a slot that was never used on the empty free list.
    @inline(never)
    mutating func addFreeSlot() {
        if Int(unusedSlot) == slotCapacity {
            precondition(slotCapacity <= 1 << 29, "a queue cannot grow beyond 2³⁰ events")
            slots = grown(slots, from: slotCapacity, to: slotCapacity * 2)
            slotCapacity *= 2
        }
        slots[Int(unusedSlot)] = EventSlot(generation: 0, nextFree: -1)
        firstFreeSlot = unusedSlot
        unusedSlot += 1
    }

    // MARK: - Chunks

    @inline(__always)
    mutating func takeChunk() -> Int32 {
        if firstFreeChunk < 0 { addFreeChunk() }
        let chunk = firstFreeChunk
        firstFreeChunk = nextChunk[Int(chunk)]
        return chunk
    }

    @inline(__always)
    mutating func releaseChunk(_ chunk: Int32) {
        nextChunk[Int(chunk)] = firstFreeChunk
        firstFreeChunk = chunk
    }

    @inline(never)
    private mutating func addFreeChunk() {
        if Int(unusedChunk) == chunkCapacity {
            precondition(chunkCapacity <= 1 << 25, "a queue cannot grow beyond 2³⁰ entries")
            let size = Self.chunkSize
            entries = grown(entries, from: chunkCapacity * size, to: chunkCapacity * 2 * size)
            nextChunk = grown(nextChunk, from: chunkCapacity, to: chunkCapacity * 2)
            chunkCapacity *= 2
        }
        nextChunk[Int(unusedChunk)] = -1
        firstFreeChunk = unusedChunk
        unusedChunk += 1
    }

    private func grown<Element: BitwiseCopyable>(
        _ old: UnsafeMutablePointer<Element>,
        from count: Int,
        to newCapacity: Int
    ) -> UnsafeMutablePointer<Element> {
        let new = UnsafeMutablePointer<Element>.allocate(capacity: newCapacity)
        new.update(from: old, count: count)
        old.deallocate()
        return new
    }
}
