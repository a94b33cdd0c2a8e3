import CZstd
import Crypto
import Machines
import Units

extension MemoryDataSetFile {
    /// The bytes of the file form.
    public static func encode(_ dataSet: MemoryDataSet, level: Int = 3) -> [UInt8] {
        var writer = WireWriter()
        writer.write(bytes: magic)
        writer.write(version)
        writer.write(lengthPrefixed: encodedHeader(of: dataSet))
        let tables = compressed(encodedTables(of: dataSet), level: level)
        writer.write(UInt64(tables.count))
        writer.write(bytes: tables)
        let pages = dataSet.pool.bytes.withUnsafeBytes {
            compressed(
                UnsafeRawBufferPointer(rebasing: $0.dropFirst(MemoryDataSet.pageSize)),
                level: level
            )
        }
        writer.write(UInt64(pages.count))
        writer.write(bytes: pages)
        return sealed(writer.finished())
    }

    /// The bytes with the checksum that belongs to them at their end.
    package static func sealed(_ bytes: [UInt8]) -> [UInt8] {
        bytes + Array(SHA256.hash(data: bytes))
    }

    private static func encodedHeader(of dataSet: MemoryDataSet) -> [UInt8] {
        var writer = WireWriter()
        writer.write(text: dataSet.name)
        writer.write(text: dataSet.origin.kind.rawValue)
        writer.write(text: dataSet.origin.description)
        writer.write(text: dataSet.origin.recordedAt ?? "")
        writer.write(UInt64(dataSet.pageCount))
        writer.write(UInt32(dataSet.gaps.count))
        for gap in dataSet.gaps { writer.write(gap.nanoseconds) }
        writer.write(UInt32(dataSet.regions.count))
        for region in dataSet.regions {
            writer.write(region.address)
            writer.write(UInt64(region.pageCount))
            writer.write(text: region.label)
        }
        writer.write(UInt32(dataSet.uniquePageCount))
        writer.write(bytes: dataSet.digest.bytes)
        return writer.finished()
    }

    private static func encodedTables(of dataSet: MemoryDataSet) -> [UInt8] {
        var writer = WireWriter(reserving: dataSet.tables.count * 4)
        var next: UInt32 = 1
        for (position, index) in dataSet.tables.enumerated() {
            if index == next {
                writer.write(TableCode.next)
                next += 1
            } else if position >= dataSet.pageCount,
                dataSet.tables[position - dataSet.pageCount] == index
            {
                writer.write(TableCode.unchanged)
            } else {
                writer.write(index + TableCode.firstReference)
            }
        }
        return writer.finished()
    }

    /// One zstd frame with a checksum.
    package static func compressed(_ bytes: [UInt8], level: Int) -> [UInt8] {
        bytes.withUnsafeBytes { compressed($0, level: level) }
    }

    private static func compressed(_ bytes: UnsafeRawBufferPointer, level: Int) -> [UInt8] {
        precondition((1...19).contains(level), "zstd level \(level)")
        guard let encoder = ZSTD_createCCtx() else {
            preconditionFailure("out of memory for a compressor")
        }
        defer { ZSTD_freeCCtx(encoder) }
        ZSTD_CCtx_setParameter(encoder, ZSTD_c_compressionLevel, Int32(level))
        ZSTD_CCtx_setParameter(encoder, ZSTD_c_checksumFlag, 1)
        // Later versions of a page stand far behind earlier ones: look for matches that far back.
        if bytes.count > 1 << 20 {
            ZSTD_CCtx_setParameter(encoder, ZSTD_c_windowLog, windowLog)
            ZSTD_CCtx_setParameter(encoder, ZSTD_c_enableLongDistanceMatching, 1)
        }
        return [UInt8](unsafeUninitializedCapacity: ZSTD_compressBound(bytes.count)) {
            space,
            used in
            used = ZSTD_compress2(
                encoder,
                space.baseAddress,
                space.count,
                bytes.baseAddress,
                bytes.count
            )
            precondition(
                ZSTD_isError(used) == 0,
                "zstd refused a buffer of its own bound: \(String(cString: ZSTD_getErrorName(used)))"
            )
        }
    }
}

extension WireWriter {
    /// A 32-bit length, then UTF-8, cut to the format's limit.
    fileprivate mutating func write(text: String) {
        write(lengthPrefixed: Array(text.utf8.prefix(MemoryDataSetFile.Limit.textLength)))
    }
}
