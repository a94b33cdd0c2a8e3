internal import CZstd

/// A column of 64-bit words as the archive keeps it: the words' bytes are sorted into eight planes
/// (all lowest bytes, then all second lowest, …), because neighbours of a series differ mostly in
/// their low bytes, and the planes are compressed with Zstandard (RFC 8878).
///
/// Bytes from a file never trap: a blob that does not unpack to exactly the expected number of words
/// is refused.
package enum PackedColumn {
    /// No blob unpacks to more words than this, whatever its frame header claims.
    package static let wordLimit = 1 << 24

    private static let level: Int32 = 3

    package static func pack(_ words: [UInt64]) -> [UInt8] {
        precondition(words.count <= wordLimit, "a column of \(words.count) words")
        var planes = [UInt8](repeating: 0, count: words.count * 8)
        for (index, word) in words.enumerated() {
            for plane in 0..<8 {
                planes[plane * words.count + index] = UInt8(truncatingIfNeeded: word >> (8 * plane))
            }
        }
        let capacity = ZSTD_compressBound(planes.count)
        return [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            let size = ZSTD_compress(
                buffer.baseAddress,
                capacity,
                planes,
                planes.count,
                level
            )
            // The only failure is a buffer below the bound that the library itself gave.
            precondition(ZSTD_isError(size) == 0, "Zstandard failed on \(planes.count) bytes")
            count = size
        }
    }

    package static func pack(_ values: [Double]) -> [UInt8] {
        pack(values.map(\.bitPattern))
    }

    /// The `count` words that `blob` holds, or `nil` when it does not hold exactly these.
    package static func unpack(_ blob: [UInt8], count: Int) -> [UInt64]? {
        guard count >= 0, count <= wordLimit else { return nil }
        let size = count * 8
        guard ZSTD_getFrameContentSize(blob, blob.count) == UInt64(size) else { return nil }
        var complete = false
        let planes = [UInt8](unsafeUninitializedCapacity: max(1, size)) { buffer, filled in
            let written = ZSTD_decompress(buffer.baseAddress, size, blob, blob.count)
            complete = ZSTD_isError(written) == 0 && written == size
            filled = complete ? size : 0
        }
        guard complete else { return nil }
        return (0..<count).map { index in
            (0..<8).reduce(UInt64(0)) { word, plane in
                word | UInt64(planes[plane * count + index]) << UInt64(8 * plane)
            }
        }
    }

    package static func unpackDoubles(_ blob: [UInt8], count: Int) -> [Double]? {
        unpack(blob, count: count)?.map { Double(bitPattern: $0) }
    }
}
