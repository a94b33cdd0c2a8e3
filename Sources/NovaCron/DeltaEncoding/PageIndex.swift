/// Where the receiver probably holds a page of given content: from content hash to page number.
///
/// It is a hint: an entry may be stale or belong to another content of the same slot, so every hit
/// is compared byte by byte with what the receiver is known to hold. That allows a bounded,
/// direct-mapped table in which the newest entry of a slot wins. 8 bytes a slot, twice as many slots
/// as pages, at most 2^20. A value like `PageTable`: changing a copied index copies the segments of
/// 256 slots that it touches.
struct PageIndex: Sendable {
    private var segments: [[UInt64]]
    private let slotMask: UInt64
    private static let segmentShift: UInt64 = 8

    init(pageCount: Int) {
        var slots = 1 << Int(PageIndex.segmentShift)
        while slots < pageCount * 2, slots < 1 << 20 { slots <<= 1 }
        slotMask = UInt64(slots - 1)
        let segment = [UInt64](repeating: 0, count: 1 << Int(PageIndex.segmentShift))
        segments = Array(repeating: segment, count: slots >> Int(PageIndex.segmentShift))
    }

    /// An index that holds nothing and never will.
    static let none = PageIndex(pageCount: 0)

    func candidate(for hash: UInt64) -> PageNumber? {
        let (segment, slot) = position(of: hash)
        let entry = segments[segment][slot]
        // The upper half of an entry is the upper half of its hash; zero marks a free slot.
        guard entry != 0, (entry ^ hash) >> 32 == 0 else { return nil }
        return PageNumber(UInt32(truncatingIfNeeded: entry))
    }

    mutating func insert(_ hash: UInt64, _ page: PageNumber) {
        let (segment, slot) = position(of: hash)
        segments[segment][slot] = (hash & ~0xffff_ffff) | UInt64(page.rawValue)
    }

    private func position(of hash: UInt64) -> (segment: Int, slot: Int) {
        let index = hash & slotMask
        return (
            Int(index >> PageIndex.segmentShift), Int(index & (1 << PageIndex.segmentShift - 1))
        )
    }
}
