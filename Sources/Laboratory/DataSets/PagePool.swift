import Determinism
import Glibc

/// The distinct pages of a data set in one contiguous buffer; equal content has equal indices.
///
/// Index 0 is always the zero page, whether or not it occurs. Candidates are found by a 64-bit hash
/// and compared byte by byte, so that a hash collision can never merge two pages. Memory is bounded
/// by the distinct content: 4,096 bytes plus at most 24 bytes of index for each distinct page.
package struct PagePool: Sendable {
    /// Page `i` occupies the bytes `i * 4096 ..< (i + 1) * 4096`.
    package private(set) var bytes: [UInt8]
    package private(set) var count: Int
    private var hashes: [UInt64]
    /// Open addressing with linear probing; a slot holds a page index, or `emptySlot`.
    private var slots: [UInt32]

    package static let zeroPage: UInt32 = 0
    private static let emptySlot = UInt32.max

    package init() {
        bytes = [UInt8](repeating: 0, count: MemoryDataSet.pageSize)
        count = 1
        hashes = [0]
        slots = [UInt32](repeating: PagePool.emptySlot, count: 1 << 12)
    }

    /// The index of the page with this content, added if it is new.
    package mutating func intern(_ page: UnsafeRawBufferPointer) -> UInt32 {
        precondition(page.count == MemoryDataSet.pageSize, "a page of \(page.count) bytes")
        if PagePool.isZero(page) { return PagePool.zeroPage }
        let hash = PagePool.hash(page)
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] != PagePool.emptySlot {
            let candidate = slots[slot]
            if hashes[Int(candidate)] == hash, isEqual(candidate, page) { return candidate }
            slot = (slot + 1) & (slots.count - 1)
        }
        let index = UInt32(count)
        precondition(index < PagePool.emptySlot, "more than 2^32 - 1 distinct pages")
        bytes.append(contentsOf: page)
        hashes.append(hash)
        slots[slot] = index
        count += 1
        if count * 2 > slots.count { growTable() }
        return index
    }

    /// Gives the search index back once nothing will be added any more.
    mutating func seal() {
        hashes = []
        slots = []
    }

    /// The same pages with page `order[i]` at index `i`; `order` starts with the zero page.
    func reordered(_ order: [UInt32]) -> PagePool {
        precondition(order.first == PagePool.zeroPage, "the zero page must stay first")
        var result = PagePool()
        result.seal()
        result.bytes.reserveCapacity(order.count * MemoryDataSet.pageSize)
        for index in order.dropFirst() {
            let start = Int(index) * MemoryDataSet.pageSize
            result.bytes.append(contentsOf: bytes[start..<start + MemoryDataSet.pageSize])
        }
        result.count = order.count
        return result
    }

    static func isZero(_ page: UnsafeRawBufferPointer) -> Bool {
        var offset = 0
        while offset < page.count {
            var bits: UInt64 = 0
            for word in 0..<8 {
                bits |= page.loadUnaligned(fromByteOffset: offset &+ word &* 8, as: UInt64.self)
            }
            if bits != 0 { return false }
            offset &+= 64
        }
        return true
    }

    private static func hash(_ page: UnsafeRawBufferPointer) -> UInt64 {
        var chain = HashChain()
        chain.combine(bytes: page)
        return chain.fingerprint.low
    }

    private func isEqual(_ index: UInt32, _ page: UnsafeRawBufferPointer) -> Bool {
        bytes.withUnsafeBytes {
            let start = $0.baseAddress! + Int(index) * MemoryDataSet.pageSize
            return memcmp(start, page.baseAddress!, MemoryDataSet.pageSize) == 0
        }
    }

    private mutating func growTable() {
        slots = [UInt32](repeating: PagePool.emptySlot, count: slots.count * 2)
        for index in 1..<count {
            var slot = Int(truncatingIfNeeded: hashes[index]) & (slots.count - 1)
            while slots[slot] != PagePool.emptySlot { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = UInt32(index)
        }
    }
}
