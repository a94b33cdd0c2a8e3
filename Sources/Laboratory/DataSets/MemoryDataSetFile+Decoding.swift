import Crypto
public import Machines
import Units

extension MemoryDataSetFile {
    /// Rebuilds a data set from its file form, checking everything on the way.
    ///
    /// Allocates no more than the header's limits allow, and pages only as they are decompressed:
    /// each has to be new, so a small file cannot claim a large pool. Never traps, whatever the
    /// bytes are. `path` only names the file in errors.
    public static func decode(_ bytes: Bytes, path: String) throws(DataSetError) -> MemoryDataSet {
        do throws(FormatError) {
            return try decode(bytes)
        } catch {
            throw error.located(at: path)
        }
    }

    static func decodeHeader(_ bytes: Bytes, path: String) throws(DataSetError) -> Header {
        var reader = WireReader(bytes)
        do throws(FormatError) {
            return try decodeHeader(from: &reader)
        } catch {
            throw error.located(at: path)
        }
    }

    /// A rule of the format that bytes break.
    private enum FormatError: Error {
        case notADataSet
        case version(UInt32)
        case malformed(String)

        func located(at path: String) -> DataSetError {
            switch self {
            case .notADataSet: .notADataSet(path: path)
            case .version(let found):
                .unsupportedVersion(path: path, found: found, supported: MemoryDataSetFile.version)
            case .malformed(let problem): .damaged(path: path, problem: problem)
            }
        }
    }

    private static func decode(_ bytes: Bytes) throws(FormatError) -> MemoryDataSet {
        var reader = WireReader(bytes)
        let header = try decodeHeader(from: &reader)
        try verifySeal(of: bytes)
        let tables = try readSection(from: &reader)
        let pages = try readSection(from: &reader)
        guard reader.remaining == SHA256.byteCount else {
            throw .malformed("\(reader.remaining) bytes follow the last section")
        }
        let dataSet = MemoryDataSet(
            name: header.name,
            origin: header.origin,
            gaps: header.gaps,
            regions: header.regions,
            pool: try decodePages(pages, header),
            tables: try decodeTables(tables, header)
        )
        guard dataSet.digest == header.digest else {
            throw .malformed("its content does not have the digest that its header states")
        }
        return dataSet
    }

    private static func verifySeal(of bytes: Bytes) throws(FormatError) {
        let body = bytes.dropLast(SHA256.byteCount)
        guard SHA256.hash(data: body).elementsEqual(bytes.suffix(SHA256.byteCount)) else {
            throw .malformed("its checksum does not match: it was cut or changed")
        }
    }

    private static func readSection(from reader: inout WireReader) throws(FormatError) -> Bytes {
        do throws(WireError) {
            let length = try reader.read(UInt64.self)
            return try reader.read(count: Int(clamping: length))
        } catch {
            throw .malformed("a section does not fit (\(error))")
        }
    }

    private static func decodeTables(
        _ section: Bytes,
        _ header: Header
    ) throws(FormatError) -> [UInt32] {
        let count = header.pageCount * (header.gaps.count + 1)
        var decoder = TableDecoder(pageCount: header.pageCount, poolCount: header.uniquePageCount)
        let size = MemoryLayout<UInt32>.size
        let read = try forEachRecord(in: section, size: size, limit: count) { record in
            decoder.append(UInt32(littleEndian: record.loadUnaligned(as: UInt32.self)))
        }
        guard read == count, decoder.isComplete else {
            throw .malformed("its page tables do not fit its pages")
        }
        return decoder.tables
    }

    private static func decodePages(
        _ section: Bytes,
        _ header: Header
    ) throws(FormatError) -> PagePool {
        let count = header.uniquePageCount - 1
        var pool = PagePool()
        let read = try forEachRecord(in: section, size: MemoryDataSet.pageSize, limit: count) {
            page in
            let next = pool.count
            return Int(pool.intern(page)) == next
        }
        guard read == count, pool.count == header.uniquePageCount else {
            throw .malformed("its distinct pages are not distinct, or too few")
        }
        return pool
    }

    /// Decompresses a section in records of one size and gives each to `body` until that returns
    /// false; returns how many it accepted. More than `limit` records, or a part of one at the end,
    /// is an error.
    private static func forEachRecord(
        in section: Bytes,
        size: Int,
        limit: Int,
        _ body: (UnsafeRawBufferPointer) -> Bool
    ) throws(FormatError) -> Int {
        var reader = ByteReader(memory: section, .zstd(windowLog: windowLog))
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: min(limit + 1, (1 << 18) / size) * size,
            alignment: 16
        )
        defer { buffer.deallocate() }
        var records = 0
        while true {
            let filled: Int
            do throws(ByteReader.Failure) {
                filled = try reader.fill(buffer)
            } catch {
                throw .malformed("\(error)")
            }
            if filled == 0 { return records }
            guard filled % size == 0, records + filled / size <= limit else {
                throw .malformed("a section does not hold what the header states")
            }
            for start in stride(from: 0, to: filled, by: size) {
                let record = UnsafeRawBufferPointer(rebasing: buffer[start..<start + size])
                guard body(record) else { return records }
                records += 1
            }
        }
    }

    /// Turns table codes back into pool indices.
    private struct TableDecoder {
        let pageCount: Int
        let poolCount: Int
        private(set) var tables: [UInt32] = []
        private var next: UInt32 = 1

        /// False when the code breaks a rule.
        mutating func append(_ code: UInt32) -> Bool {
            let index: UInt32
            switch code {
            case TableCode.next:
                index = next
                next += 1
            case TableCode.unchanged:
                guard tables.count >= pageCount else { return false }
                index = tables[tables.count - pageCount]
            default:
                index = code - TableCode.firstReference
                guard index < next else { return false }
            }
            guard Int(index) < poolCount else { return false }
            tables.append(index)
            return true
        }

        /// Whether every page of the pool was named.
        var isComplete: Bool { Int(next) == poolCount }

        init(pageCount: Int, poolCount: Int) {
            self.pageCount = pageCount
            self.poolCount = poolCount
        }
    }
}

extension MemoryDataSetFile {
    private static func decodeHeader(from reader: inout WireReader) throws(FormatError) -> Header {
        guard let found = try? reader.read(count: magic.count), found.elementsEqual(magic) else {
            throw .notADataSet
        }
        let foundVersion = (try? reader.read(UInt32.self)) ?? 0
        guard foundVersion == version else { throw .version(foundVersion) }
        do throws(WireError) {
            return try header(from: reader.readLengthPrefixed(limit: Limit.headerSize))
        } catch {
            throw .malformed("its header is malformed (\(error))")
        }
    }

    private static func header(from bytes: Bytes) throws(WireError) -> Header {
        var reader = WireReader(bytes)
        let name = try reader.readText()
        let origin = try readOrigin(from: &reader)
        let pageCount = try reader.readCount(UInt64.self, in: 1...Limit.pages)
        let gaps = try readGaps(from: &reader)
        guard pageCount * (gaps.count + 1) <= Limit.tableEntries else {
            throw .tooLarge(length: pageCount * (gaps.count + 1), limit: Limit.tableEntries)
        }
        let regions = try readRegions(from: &reader, covering: pageCount)
        let most = pageCount * (gaps.count + 1) + 1
        let uniquePageCount = try reader.readCount(UInt32.self, in: 1...most)
        let digest = DataSetDigest(Array(try reader.read(count: SHA256.byteCount)))
        try reader.expectEnd()
        return Header(
            name: name,
            origin: origin,
            pageCount: pageCount,
            gaps: gaps,
            regions: regions,
            uniquePageCount: uniquePageCount,
            digest: digest
        )
    }

    private static func readOrigin(from reader: inout WireReader) throws(WireError) -> DataSetOrigin
    {
        let kind = try reader.readText()
        guard let kind = DataSetOrigin.Kind(rawValue: kind) else {
            throw .malformed("an origin of kind '\(kind)'")
        }
        let description = try reader.readText()
        let recordedAt = try reader.readText()
        return DataSetOrigin(
            kind: kind,
            description: description,
            recordedAt: recordedAt.isEmpty ? nil : recordedAt
        )
    }

    private static func readGaps(from reader: inout WireReader) throws(WireError) -> [Interval] {
        let count = try reader.readCount(UInt32.self, in: 0...Limit.snapshots - 1)
        var gaps: [Interval] = []
        for _ in 0..<count {
            let gap = Interval(nanoseconds: try reader.read(Int64.self))
            guard gap > .zero, gap <= Limit.gap else { throw .malformed("a gap of \(gap)") }
            gaps.append(gap)
        }
        return gaps
    }

    private static func readRegions(
        from reader: inout WireReader,
        covering pageCount: Int
    ) throws(WireError) -> [MemoryRegion] {
        let count = try reader.readCount(UInt32.self, in: 1...pageCount)
        var regions: [MemoryRegion] = []
        var covered = 0
        for _ in 0..<count {
            let address = try reader.read(UInt64.self)
            let pages = try reader.readCount(UInt64.self, in: 1...pageCount)
            regions.append(
                MemoryRegion(address: address, pageCount: pages, label: try reader.readText())
            )
            covered += pages
        }
        guard covered == pageCount else {
            throw .malformed("regions of \(covered) pages for \(pageCount) pages")
        }
        return regions
    }
}

extension WireReader {
    /// A 32-bit length, then that much UTF-8.
    fileprivate mutating func readText() throws(WireError) -> String {
        let bytes = try readLengthPrefixed(limit: MemoryDataSetFile.Limit.textLength)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .malformed("text that is not UTF-8")
        }
        return text
    }

    fileprivate mutating func readCount<Value: FixedWidthInteger>(
        _ type: Value.Type,
        in range: ClosedRange<Int>
    ) throws(WireError) -> Int {
        let value = Int(clamping: try read(type))
        guard range.contains(value) else {
            throw .malformed("a count of \(value) where \(range) is possible")
        }
        return value
    }
}
