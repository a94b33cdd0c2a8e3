public import Machines

/// What one side knows about the pages of a memory: for each page its newest content, or nothing.
///
/// It is a value whose copies share storage: a job takes a copy as its read-only view, and the owner
/// goes on changing its own. A change copies at most one chunk of 256 references and the list of
/// chunks, never page contents. Memory: 32 bytes a page beside the contents themselves.
public struct PageTable: Sendable {
    /// Pages in the memory that the table describes.
    public let pageCount: Int
    /// Pages whose content is known.
    public private(set) var heldCount = 0

    private var chunks: [[Bytes?]]
    private static let chunkShift = 8
    private static let chunkMask = (1 << chunkShift) - 1

    /// A table that knows no page.
    public init(pageCount: Int) {
        precondition(pageCount >= 0 && pageCount < 1 << 32, "a memory of \(pageCount) pages")
        self.pageCount = pageCount
        let empty = [Bytes?](repeating: nil, count: PageTable.chunkMask + 1)
        let count = (pageCount + PageTable.chunkMask) >> PageTable.chunkShift
        chunks = Array(repeating: empty, count: count)
    }

    /// The pages of a whole image, sharing its storage. Traps unless it is made of whole pages.
    public init(image: Bytes) {
        precondition(image.count % Page.size == 0, "an image of \(image.count) bytes")
        self.init(pageCount: image.count / Page.size)
        for index in 0..<pageCount {
            let start = image.startIndex + index * Page.size
            set(PageNumber(UInt32(index)), to: image[start..<start + Page.size])
        }
    }

    public func contains(_ page: PageNumber) -> Bool {
        Int(page.rawValue) < pageCount
    }

    /// The content of a page, `nil` when it is not known. Traps outside the memory.
    public subscript(page: PageNumber) -> Bytes? {
        let index = Int(page.rawValue)
        precondition(index < pageCount, "\(page) of \(pageCount)")
        return chunks[index >> PageTable.chunkShift][index & PageTable.chunkMask]
    }

    /// Traps outside the memory or unless `bytes` is one page.
    public mutating func set(_ page: PageNumber, to bytes: Bytes) {
        let index = Int(page.rawValue)
        precondition(index < pageCount, "\(page) of \(pageCount)")
        precondition(bytes.count == Page.size, "\(page) has \(bytes.count) bytes")
        let (chunk, slot) = (index >> PageTable.chunkShift, index & PageTable.chunkMask)
        if chunks[chunk][slot] == nil { heldCount += 1 }
        chunks[chunk][slot] = bytes
    }

    public mutating func set(_ version: PageVersion) {
        set(version.number, to: version.bytes)
    }
}
