/// The word loops over pages.
package enum PageComparison {
    private typealias Block = SIMD8<UInt64>
    private static let blockSize = MemoryLayout<Block>.size

    /// Whether a page is all zeros; usually decided by its first block.
    package static func isZero(_ page: UnsafeRawBufferPointer) -> Bool {
        var offset = 0
        while offset < Page.size {
            let block = page.loadUnaligned(fromByteOffset: offset, as: Block.self)
            if block.union != 0 { return false }
            offset &+= blockSize
        }
        return true
    }

    package static func equal(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer)
        -> Bool
    {
        var offset = 0
        while offset < Page.size {
            if difference(left, right, offset) != 0 { return false }
            offset &+= blockSize
        }
        return true
    }

    /// Writes the mask of words in which `page` differs from `baseline` and those words of `page`;
    /// returns their number. `words` has room for a whole page.
    package static func delta(
        of page: UnsafeRawBufferPointer,
        against baseline: UnsafeRawBufferPointer,
        mask: UnsafeMutableRawPointer,
        words: UnsafeMutableRawPointer
    ) -> Int {
        var count = 0
        var offset = 0
        // Eight words make one byte of the mask.
        while offset < Page.size {
            var bits: UInt8 = 0
            if difference(page, baseline, offset) != 0 {
                for word in 0..<8 {
                    let place = offset &+ word &* 8
                    let new = page.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                    let old = baseline.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                    // Stored always and kept only when it differs: no branch to mispredict.
                    words.storeBytes(of: new, toByteOffset: count &* 8, as: UInt64.self)
                    let changed = new != old
                    count &+= changed ? 1 : 0
                    bits |= (changed ? 1 : 0) << UInt8(truncatingIfNeeded: word)
                }
            }
            mask.storeBytes(of: bits, toByteOffset: offset / blockSize, as: UInt8.self)
            offset &+= blockSize
        }
        return count
    }

    private static func difference(
        _ left: UnsafeRawBufferPointer,
        _ right: UnsafeRawBufferPointer,
        _ offset: Int
    ) -> UInt64 {
        let first = left.loadUnaligned(fromByteOffset: offset, as: Block.self)
        let second = right.loadUnaligned(fromByteOffset: offset, as: Block.self)
        return (first ^ second).union
    }
}

extension SIMD8<UInt64> {
    /// The bits set in any lane.
    fileprivate var union: UInt64 {
        let half = lowHalf | highHalf
        let quarter = half.lowHalf | half.highHalf
        return quarter.x | quarter.y
    }
}
