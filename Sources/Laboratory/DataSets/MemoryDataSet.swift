import Crypto
public import Machines
public import Units

/// Successive images of one memory, in pages of 4 KiB: what a virtual machine or process really
/// held at known moments.
///
/// Distinct pages are kept once in a pool, and every snapshot is a table of pool indices. Two pages
/// are equal exactly when their indices are equal, so comparing snapshots costs four bytes a page.
/// Instances are immutable and shared by reference between the worker threads of a campaign.
public final class MemoryDataSet: Sendable {
    public static let pageSize = 4096

    /// The name under which a scenario finds it; not part of its identity.
    public let name: String
    /// Where the memory came from; not part of its identity.
    public let origin: DataSetOrigin
    /// The time the captured program ran between two snapshots; one fewer than snapshots.
    public let gaps: [Interval]
    /// Which addresses the pages came from, in page order, covering every page.
    public let regions: [MemoryRegion]
    /// Pages in each snapshot.
    public let pageCount: Int
    /// The identity: SHA-256 over page size, counts, gaps, page tables and distinct pages in order
    /// of first appearance. Equal memory has equal digests, whatever it is called.
    public let digest: DataSetDigest

    let pool: PagePool
    /// Snapshot `s`, page `n` is at `s * pageCount + n`.
    let tables: [UInt32]
    /// For each gap, the numbers of the pages that differ across it, ascending.
    let changes: [[UInt32]]

    /// Brings the pool into order of first appearance and computes the digest.
    ///
    /// Bad shapes are a bug of the caller: decoders check what they read before they come here.
    package init(
        name: String,
        origin: DataSetOrigin,
        gaps: [Interval],
        regions: [MemoryRegion],
        pool: PagePool,
        tables: [UInt32]
    ) {
        let snapshots = gaps.count + 1
        let pages = tables.count / snapshots
        precondition(
            pages > 0 && pages * snapshots == tables.count,
            "\(tables.count) table entries"
        )
        precondition(gaps.allSatisfy { $0 > .zero }, "gaps must be positive: \(gaps)")
        let covered = regions.reduce(0) { $0 + $1.pageCount }
        precondition(covered == pages, "regions cover \(covered) of \(pages) pages")
        self.name = name
        self.origin = origin
        self.gaps = gaps
        self.regions = regions
        pageCount = pages
        (self.pool, self.tables) = MemoryDataSet.ordered(pool, tables)
        changes = MemoryDataSet.changes(in: self.tables, pageCount: pages, gaps: gaps.count)
        digest = MemoryDataSet.digest(
            pageCount: pages,
            gaps: gaps,
            tables: self.tables,
            pool: self.pool
        )
    }

    public var snapshotCount: Int { gaps.count + 1 }

    /// The size of one snapshot.
    public var memorySize: ByteCount { ByteCount(pageCount * MemoryDataSet.pageSize) }

    /// Distinct pages over all snapshots, the zero page included.
    public var uniquePageCount: Int { pool.count }

    /// The sum of all gaps: how long a walk from the first snapshot to the last takes.
    public var duration: Interval { gaps.reduce(.zero, +) }

    /// The content of a page, shared with the pool, not copied.
    public func page(snapshot: Int, number: Int) -> Bytes {
        poolPage(poolIndex(snapshot: snapshot, page: number))
    }

    /// Which distinct page a snapshot holds at a page number; equal content means equal indices.
    public func poolIndex(snapshot: Int, page: Int) -> UInt32 {
        precondition(page >= 0 && page < pageCount, "page \(page) of \(pageCount)")
        return tables[snapshot * pageCount + page]
    }

    /// The content behind a pool index; index 0 is the zero page.
    public func poolPage(_ index: UInt32) -> Bytes {
        let start = Int(index) * MemoryDataSet.pageSize
        return pool.bytes[start..<start + MemoryDataSet.pageSize]
    }

    /// The numbers of the pages that differ between snapshot `gap` and the one after it, ascending.
    public func changedPages(acrossGap gap: Int) -> [UInt32] {
        changes[gap]
    }

    /// How many pages of a snapshot hold only zeros.
    public func zeroPageCount(snapshot: Int) -> Int {
        tables[snapshot * pageCount..<(snapshot + 1) * pageCount]
            .reduce(0) { $0 + ($1 == PagePool.zeroPage ? 1 : 0) }
    }

    private static func changes(in tables: [UInt32], pageCount: Int, gaps: Int) -> [[UInt32]] {
        (0..<gaps).map { gap in
            let before = gap * pageCount
            return (0..<pageCount).compactMap { page in
                tables[before + page] == tables[before + pageCount + page] ? nil : UInt32(page)
            }
        }
    }

    /// Renumbers pages by first appearance, so that equal memory gives equal tables however it was
    /// read. Pages that no snapshot uses are dropped.
    private static func ordered(_ pool: PagePool, _ tables: [UInt32]) -> (PagePool, [UInt32]) {
        var numbers = [UInt32?](repeating: nil, count: pool.count)
        var order: [UInt32] = [PagePool.zeroPage]
        numbers[Int(PagePool.zeroPage)] = PagePool.zeroPage
        for index in tables where numbers[Int(index)] == nil {
            numbers[Int(index)] = UInt32(order.count)
            order.append(index)
        }
        var sealed = pool
        sealed.seal()
        let unchanged = order.count == pool.count && order.indices.allSatisfy { order[$0] == $0 }
        if unchanged { return (sealed, tables) }
        return (pool.reordered(order), tables.map { numbers[Int($0)]! })
    }

    private static func digest(
        pageCount: Int,
        gaps: [Interval],
        tables: [UInt32],
        pool: PagePool
    ) -> DataSetDigest {
        var writer = WireWriter()
        writer.write(bytes: "novamem content 1".utf8)
        writer.write(UInt64(pageSize))
        writer.write(UInt64(pageCount))
        writer.write(UInt64(gaps.count))
        for gap in gaps { writer.write(gap.nanoseconds) }
        var hash = SHA256()
        hash.update(data: writer.bytes)
        // The tables are hashed in pieces: little-endian whatever the machine, without a full copy.
        for start in stride(from: 0, to: tables.count, by: 1 << 16) {
            writer.removeAll()
            for index in tables[start..<min(start + 1 << 16, tables.count)] { writer.write(index) }
            hash.update(data: writer.bytes)
        }
        pool.bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
        return DataSetDigest(Array(hash.finalize()))
    }
}

/// SHA-256 of a data set's content: its identity in reports, stores and replays.
public struct DataSetDigest: Hashable, Sendable {
    /// 32 bytes.
    public let bytes: [UInt8]

    init(_ bytes: [UInt8]) {
        precondition(bytes.count == 32, "a SHA-256 of \(bytes.count) bytes")
        self.bytes = bytes
    }

    /// Reads 64 hexadecimal digits; `nil` for anything else.
    public init?(_ text: String) {
        let digits = text.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count == 64, text.utf8.count == 64 else { return nil }
        bytes = (0..<32).map { UInt8(digits[2 * $0] << 4 | digits[2 * $0 + 1]) }
    }

    /// The first 12 digits: enough for a line of a report.
    public var short: String { String(description.prefix(12)) }
}

extension DataSetDigest: CustomStringConvertible {
    /// 64 lower-case hexadecimal digits.
    public var description: String {
        let digits = Array("0123456789abcdef")
        return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}

/// Where a data set came from, for reports.
public struct DataSetOrigin: Hashable, Sendable, Codable {
    public enum Kind: String, Hashable, Sendable, Codable {
        /// Snapshots of a running process.
        case captured
        /// Dumps that somebody else took.
        case imported
        /// A seeded program of ours that can produce it again bit for bit.
        case generated
    }

    public var kind: Kind
    /// What was running, in a sentence.
    public var description: String
    /// When it was made, as an ISO 8601 date and time in UTC; absent for generated sets.
    public var recordedAt: String?

    public init(kind: Kind, description: String, recordedAt: String? = nil) {
        self.kind = kind
        self.description = description
        self.recordedAt = recordedAt
    }
}

/// A run of consecutive pages that came from consecutive addresses.
public struct MemoryRegion: Hashable, Sendable, Codable {
    /// The address of the first page in the captured process; zero-based offset for dumps.
    public var address: UInt64
    public var pageCount: Int
    /// What the system calls it: `[heap]`, a file's path, or empty for anonymous memory.
    public var label: String

    public init(address: UInt64, pageCount: Int, label: String) {
        self.address = address
        self.pageCount = pageCount
        self.label = label
    }
}
