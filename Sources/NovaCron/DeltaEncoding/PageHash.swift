/// Checksums of page contents and of the pages of a batch.
enum PageHash {
    /// The checksum of a zero page.
    static let ofZeroPage = Page.zero.withUnsafeBytes { Checksum.of($0) }

    /// The checksum of a batch's pages: of their numbers and the checksums of their contents.
    static func combined(_ numbers: some Sequence<PageNumber>, _ hashes: [UInt64]) -> UInt64 {
        var checksum: UInt64 = UInt64(hashes.count) &+ 1
        for (number, hash) in zip(numbers, hashes) {
            Checksum.combine(UInt64(number.rawValue), into: &checksum)
            Checksum.combine(hash, into: &checksum)
        }
        return checksum
    }
}
