import Crypto
public import Units

/// Brings memory dumps that somebody else took into a data set.
///
/// A dump is the snapshots one after the other, raw or as one or more zstd frames with a window of up
/// to 256 MiB (`zstd --long=28`). A description beside it, `<name up to the first dot>.json` with the
/// fields `t_s` (seconds), `each_bytes` and `sha256` (of each snapshot), gives sizes and gaps, and its
/// digests are verified. Memory is bounded by the distinct pages.
public struct DumpImport: Sendable {
    public enum Shape: Hashable, Sendable {
        case snapshots(Int)
        case snapshotSize(ByteCount)
    }

    public var path: String
    public var name: String
    /// How the dump is divided; may be absent when its description tells.
    public var shape: Shape?
    /// The gap between snapshots when no description gives times.
    public var every: Interval

    static let windowLog: Int32 = 28

    public init(path: String, name: String, shape: Shape? = nil, every: Interval = .seconds(1)) {
        self.path = path
        self.name = name
        self.shape = shape
        self.every = every
    }

    /// Reads the whole dump.
    ///
    /// - Parameters:
    ///   - progress: called with the number of each snapshot that is complete.
    ///   - isCancelled: asked for every MiB; true ends it with `.interrupted`.
    public func run(
        progress: (Int) -> Void = { _ in },
        isCancelled: () -> Bool = { false }
    ) throws(DataSetError) -> MemoryDataSet {
        try DataSetCatalogue.check(name: name)
        guard MemoryCapture.intervalRange.contains(every) else {
            throw .badRequest("a gap of \(every); 10 ms to 3600 s are possible")
        }
        let description = try DumpDescription.beside(path)
        let size = try snapshotSize(description, isCancelled)
        var parts = Parts(dump: self, size: size, digests: description?.sha256 ?? [])
        try parts.read(progress: progress, isCancelled: isCancelled)
        let snapshots = parts.tables.count / (size / MemoryDataSet.pageSize)
        return MemoryDataSet(
            name: name,
            origin: DataSetOrigin(
                kind: .imported,
                description: description?.workload ?? "memory dump",
                recordedAt: MonotonicTime.dateAndTime
            ),
            gaps: try gaps(description, snapshots),
            regions: [
                MemoryRegion(
                    address: 0,
                    pageCount: size / MemoryDataSet.pageSize,
                    label: "memory dump"
                )
            ],
            pool: parts.pool,
            tables: parts.tables
        )
    }

    private func snapshotSize(
        _ description: DumpDescription?,
        _ isCancelled: () -> Bool
    ) throws(DataSetError) -> Int {
        let described = description?.each_bytes
        let size: Int
        switch shape {
        case .snapshotSize(let bytes):
            size = Int(bytes.bytes)
        case .snapshots(let count):
            guard MemoryCapture.snapshotRange.contains(count) else {
                throw .badRequest(
                    "\(count) snapshots; \(MemoryCapture.snapshotRange) are possible"
                )
            }
            let total = try totalSize(isCancelled)
            guard total % count == 0 else {
                throw bad(
                    "its \(total) bytes are not \(count) snapshots of equal size",
                    "check the number of snapshots, or copy the file again if it was cut"
                )
            }
            size = total / count
        case nil:
            guard let described else {
                throw .badRequest(
                    "\(path) has no description beside it: say --snapshots or --snapshot-size"
                )
            }
            size = described
        }
        if let described, described != size {
            throw bad(
                "its description says \(described) bytes a snapshot, not \(size)",
                "leave --snapshots and --snapshot-size out, or correct the description"
            )
        }
        guard size > 0, size % MemoryDataSet.pageSize == 0 else {
            throw bad(
                "a snapshot of \(size) bytes is not made of pages of 4096 bytes",
                "check the size or number of snapshots, or copy the file again if it was cut"
            )
        }
        guard size / MemoryDataSet.pageSize <= MemoryDataSetFile.Limit.pages else {
            throw .tooLarge(what: "a snapshot of \(size) bytes", limit: "64 GiB")
        }
        return size
    }

    /// The bytes in the dump once decompressed.
    private func totalSize(_ isCancelled: () -> Bool) throws(DataSetError) -> Int {
        if try !isCompressed() { return try FileAccess.size(path) }
        var total = 0
        try forEachMebibyte(isCancelled) { chunk in total += chunk.count }
        return total
    }

    private func gaps(
        _ description: DumpDescription?,
        _ snapshots: Int
    ) throws(DataSetError) -> [Interval] {
        guard let times = description?.t_s else {
            return [Interval](repeating: every, count: snapshots - 1)
        }
        let inOrder = zip(times, times.dropFirst()).allSatisfy {
            $1 - $0 >= 0.001 && $1 - $0 <= MemoryDataSetFile.Limit.gap.seconds
        }
        guard times.count == snapshots, inOrder else {
            throw bad(
                "its description has times \(times) for \(snapshots) snapshots",
                "correct the description, or remove it and say --every"
            )
        }
        return zip(times, times.dropFirst()).map { Interval(seconds: $1 - $0) }
    }

    fileprivate func isCompressed() throws(DataSetError) -> Bool {
        try FileAccess.read(path, limit: 4) == [0x28, 0xB5, 0x2F, 0xFD]
    }

    /// Gives the decompressed bytes away by the MiB; only the last piece is shorter.
    fileprivate func forEachMebibyte(
        _ isCancelled: () -> Bool,
        _ body: (UnsafeRawBufferPointer) throws(DataSetError) -> Void
    ) throws(DataSetError) {
        let compression: ByteReader.Compression =
            try isCompressed() ? .zstd(windowLog: DumpImport.windowLog) : .none
        var reader = ByteReader(descriptor: try FileAccess.open(path), compression)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        var filled = buffer.count
        while filled == buffer.count {
            if isCancelled() { throw .interrupted }
            do throws(ByteReader.Failure) {
                filled = try reader.fill(buffer)
            } catch {
                throw bad("\(error)", "copy the file again")
            }
            if filled > 0 { try body(UnsafeRawBufferPointer(rebasing: buffer[..<filled])) }
        }
    }

    fileprivate func bad(_ problem: String, _ remedy: String) -> DataSetError {
        .badDump(path: path, problem: problem, remedy: remedy)
    }
}

/// The snapshots of a dump as they are read.
private struct Parts {
    let dump: DumpImport
    /// Bytes in a snapshot.
    let size: Int
    /// What each snapshot must hash to; none when nothing is known.
    let digests: [String]
    var pool = PagePool()
    var tables: [UInt32] = []
    private var hash = SHA256()

    init(dump: DumpImport, size: Int, digests: [String]) {
        self.dump = dump
        self.size = size
        self.digests = digests
    }

    private var pagesInSnapshot: Int { size / MemoryDataSet.pageSize }

    mutating func read(
        progress: (Int) -> Void,
        isCancelled: () -> Bool
    ) throws(DataSetError) {
        try dump.forEachMebibyte(isCancelled) { chunk throws(DataSetError) in
            guard chunk.count % MemoryDataSet.pageSize == 0 else {
                throw dump.bad("it ends inside a page of 4096 bytes", "copy the file again")
            }
            for start in stride(from: 0, to: chunk.count, by: MemoryDataSet.pageSize) {
                let end = start + MemoryDataSet.pageSize
                try append(UnsafeRawBufferPointer(rebasing: chunk[start..<end]), progress)
            }
        }
        let missing = tables.count % pagesInSnapshot
        guard missing == 0, !tables.isEmpty else {
            throw dump.bad(
                tables.isEmpty
                    ? "it is empty"
                    : "it ends after \(missing) of \(pagesInSnapshot) pages of snapshot "
                        + "\(tables.count / pagesInSnapshot + 1)",
                "copy the file again, or correct the size of a snapshot"
            )
        }
        let snapshots = tables.count / pagesInSnapshot
        guard digests.isEmpty || snapshots == digests.count else {
            throw dump.bad(
                "it holds \(snapshots) snapshots and its description \(digests.count) digests",
                "copy the file again, or correct the description"
            )
        }
    }

    private mutating func append(
        _ page: UnsafeRawBufferPointer,
        _ progress: (Int) -> Void
    ) throws(DataSetError) {
        guard tables.count < MemoryDataSetFile.Limit.tableEntries,
            tables.count < pagesInSnapshot * MemoryCapture.snapshotRange.upperBound
        else {
            throw .tooLarge(
                what: "\(dump.path)",
                limit: "\(MemoryCapture.snapshotRange.upperBound) snapshots and "
                    + "\(MemoryDataSetFile.Limit.tableEntries) pages in all"
            )
        }
        if !digests.isEmpty { hash.update(bufferPointer: page) }
        tables.append(pool.intern(page))
        guard tables.count % pagesInSnapshot == 0 else { return }
        let snapshot = tables.count / pagesInSnapshot
        if !digests.isEmpty {
            let found = DataSetDigest(Array(hash.finalize()))
            hash = SHA256()
            guard snapshot <= digests.count, DataSetDigest(digests[snapshot - 1]) == found else {
                throw dump.bad(
                    "snapshot \(snapshot) does not have the SHA-256 that its description states",
                    "copy the file again, or remove the description to import it unchecked"
                )
            }
        }
        progress(snapshot)
    }
}
