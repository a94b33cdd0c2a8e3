public import Machines

/// The unit of memory that delta encoding (HDE) works on: 4 KiB, 512 words of 8 bytes.
public enum Page {
    /// Bytes in a page.
    public static let size = 4096
    /// Bytes in a word, the grain of a delta.
    public static let wordSize = 8
    /// Words in a page.
    public static let wordCount = size / wordSize
    /// Bytes of a word mask: one bit a word.
    public static let maskSize = wordCount / 8

    /// A page of zeros; every zero page that is decoded shares its storage.
    public static let zero = Bytes([UInt8](repeating: 0, count: size))
}

/// The position of a page in a machine's memory, from zero.
public struct PageNumber: Hashable, Comparable, Sendable, BitwiseCopyable {
    public let rawValue: UInt32

    public init(_ rawValue: UInt32) {
        self.rawValue = rawValue
    }

    public static func < (left: PageNumber, right: PageNumber) -> Bool {
        left.rawValue < right.rawValue
    }
}

extension PageNumber: CustomStringConvertible {
    public var description: String { "page \(rawValue)" }
}

/// One page and the content it has, or is to have: 4096 bytes, usually a slice of a shared pool.
public struct PageVersion: Hashable, Sendable {
    public let number: PageNumber
    public let bytes: Bytes

    /// Traps unless `bytes` is one page.
    public init(_ number: PageNumber, _ bytes: Bytes) {
        precondition(bytes.count == Page.size, "\(number) has \(bytes.count) bytes")
        self.number = number
        self.bytes = bytes
    }
}

/// The pages that one encoded batch represents, in ascending order of their numbers.
public struct PageBatch: Sendable {
    /// The most pages a batch may hold; bounds what a decoder allocates for one.
    public static let maximumPages = 4096

    public let pages: [PageVersion]

    /// Traps unless the numbers ascend strictly and there are 1...4096 pages.
    public init(_ pages: [PageVersion]) {
        precondition(
            (1...PageBatch.maximumPages).contains(pages.count),
            "a batch of \(pages.count) pages"
        )
        for position in 1..<max(1, pages.count) {
            precondition(
                pages[position - 1].number < pages[position].number,
                "\(pages[position].number) follows \(pages[position - 1].number)"
            )
        }
        self.pages = pages
    }
}
