/// Finds earlier pages of one batch by content hash: open addressing, at most half full.
struct DuplicateFinder {
    /// Positions plus one; zero is free.
    private var slots: [UInt32]

    init(pageCount: Int) {
        var size = 4
        while size < pageCount * 2 { size <<= 1 }
        slots = Array(repeating: 0, count: size)
    }

    /// The earliest position with this hash; inserts `position` when there is none.
    mutating func findOrInsert(_ hash: UInt64, _ position: Int, _ hashes: [UInt64]) -> Int? {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash >> 20) & mask
        while slots[slot] != 0 {
            let candidate = Int(slots[slot]) - 1
            if hashes[candidate] == hash { return candidate }
            slot = (slot + 1) & mask
        }
        slots[slot] = UInt32(position + 1)
        return nil
    }
}
