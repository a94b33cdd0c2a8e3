public import Units

/// The file form of a data set, `.novamem`, version 1.
///
/// ```
/// magic "NOVAMEM\0" · version u32 · header length u32 · header
/// tables length u64 · tables · pages length u64 · pages · SHA-256 of all that precedes
/// ```
/// Integers are little-endian; lengths count bytes. `tables` and `pages` are one zstd frame each,
/// with a window of at most 128 MiB. `tables` holds a u32 for every page of every snapshot: 0, the
/// next page of the pool that no entry has named yet; 1, the same as in the snapshot before; n + 2,
/// page n of the pool. `pages` holds the pool without its first page, the zero page.
public enum MemoryDataSetFile {
    public static let fileExtension = "novamem"
    static let magic = Array("NOVAMEM\0".utf8)
    static let version: UInt32 = 1
    static let windowLog: Int32 = 27

    /// The most that a header may ask for; a decoder never allocates more than these allow.
    enum Limit {
        static let headerSize = 1 << 24
        static let textLength = 4096
        static let snapshots = 4096
        /// 64 GiB of memory.
        static let pages = 1 << 24
        /// 512 MiB of tables.
        static let tableEntries = 1 << 27
        static let gap = Interval.seconds(86_400)
        static let fileSize = 1 << 36
    }

    enum TableCode {
        static let next: UInt32 = 0
        static let unchanged: UInt32 = 1
        static let firstReference: UInt32 = 2
    }

    /// What a file says about itself; cheap to read without the memory.
    public struct Header: Hashable, Sendable {
        public var name: String
        public var origin: DataSetOrigin
        public var pageCount: Int
        public var gaps: [Interval]
        public var regions: [MemoryRegion]
        public var uniquePageCount: Int
        public var digest: DataSetDigest
    }

    /// Reads and verifies a whole file.
    public static func read(_ path: String) throws(DataSetError) -> MemoryDataSet {
        let size = try FileAccess.size(path)
        guard size <= Limit.fileSize else {
            throw .tooLarge(what: "\(path) (\(size) bytes)", limit: "\(Limit.fileSize) bytes")
        }
        return try decode(FileAccess.read(path, limit: size)[...], path: path)
    }

    /// Reads the header only. It is not verified beyond its own form.
    public static func readHeader(_ path: String) throws(DataSetError) -> Header {
        let start = try FileAccess.read(path, limit: Limit.headerSize + 16)
        return try decodeHeader(start[...], path: path)
    }

    /// Writes a file under its name at once or not at all.
    ///
    /// - Parameter level: zstd's level, 1...19; higher is smaller and slower.
    public static func write(
        _ dataSet: MemoryDataSet,
        to path: String,
        level: Int = 3
    ) throws(DataSetError) {
        try FileAccess.writeAtomically(encode(dataSet, level: level), to: path)
    }
}
