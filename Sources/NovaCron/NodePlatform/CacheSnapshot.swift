import Crypto
public import Effects

/// A cache's content as it is kept in a file between two lives of a node.
///
/// Format, version 1, numbers little-endian: the letters `NCCACHE` and the version as one byte; the
/// number of entries (4 bytes); for each entry, the longest unused first, the length of its key (2
/// bytes) and of its value (4 bytes), its end in nanoseconds since 1970 (8 bytes), key (UTF-8) and
/// value; then SHA-256 over everything before. Ends are told by the calendar, because the monotonic
/// clock begins anew with every process.
public struct CacheSnapshot: Hashable, Sendable {
    public var entries: [Entry]

    public struct Entry: Hashable, Sendable {
        public var key: String
        public var value: [UInt8]
        public var end: WallTime

        public init(key: String, value: [UInt8], end: WallTime) {
            self.key = key
            self.value = value
            self.end = end
        }
    }

    private static let mark = Array("NCCACHE".utf8) + [1]
    private static let headSize = 12
    private static let entryHeadSize = 14
    private static let digestSize = 32

    public init(entries: [Entry]) {
        self.entries = entries
    }

    /// The longest file for a cache of that many entries and bytes.
    public static func sizeLimit(entries: Int, bytes: Int) -> Int {
        headSize + entries * entryHeadSize + bytes + digestSize
    }

    /// Entries whose key or value is too long for the format are left out.
    public var encoded: [UInt8] {
        let kept = entries.filter { entry in
            entry.key.utf8.count <= Int(UInt16.max) && entry.value.count <= Int(Int32.max)
        }.suffix(Int(UInt32.max))
        var bytes = CacheSnapshot.mark
        CacheSnapshot.append(UInt32(kept.count), to: &bytes)
        for entry in kept {
            CacheSnapshot.append(UInt16(entry.key.utf8.count), to: &bytes)
            CacheSnapshot.append(UInt32(entry.value.count), to: &bytes)
            CacheSnapshot.append(UInt64(bitPattern: entry.end.nanoseconds), to: &bytes)
            bytes += entry.key.utf8
            bytes += entry.value
        }
        return bytes + SHA256.hash(data: bytes)
    }

    /// Reads what `encoded` wrote; memory is bounded by the bytes that are there.
    public init(reading bytes: [UInt8]) throws(CacheSnapshotError) {
        guard bytes.count >= CacheSnapshot.headSize + CacheSnapshot.digestSize else {
            throw .truncated
        }
        guard bytes.prefix(7) == CacheSnapshot.mark.prefix(7) else { throw .noSnapshot }
        guard bytes[7] == CacheSnapshot.mark[7] else { throw .unknownVersion(bytes[7]) }
        let content = bytes.dropLast(CacheSnapshot.digestSize)
        guard SHA256.hash(data: content).elementsEqual(bytes[content.endIndex...]) else {
            throw .wrongDigest
        }
        try self.init(content: content)
    }

    /// Reads everything but the digest.
    package init(content: ArraySlice<UInt8>) throws(CacheSnapshotError) {
        var rest = content.dropFirst(CacheSnapshot.mark.count)
        let count = try CacheSnapshot.number(UInt32.self, from: &rest)
        guard Int(count) <= rest.count / CacheSnapshot.entryHeadSize else { throw .truncated }
        entries = []
        entries.reserveCapacity(Int(count))
        for _ in 0..<count {
            let keyLength = try CacheSnapshot.number(UInt16.self, from: &rest)
            let valueLength = try CacheSnapshot.number(UInt32.self, from: &rest)
            let end = try CacheSnapshot.number(UInt64.self, from: &rest)
            let keyBytes = try CacheSnapshot.bytes(Int(keyLength), from: &rest)
            let value = try CacheSnapshot.bytes(Int(valueLength), from: &rest)
            guard let key = String(validating: keyBytes, as: UTF8.self) else { throw .badKey }
            let wall = WallTime(nanoseconds: Int64(bitPattern: end))
            entries.append(Entry(key: key, value: Array(value), end: wall))
        }
        guard rest.isEmpty else { throw .trailingBytes(rest.count) }
    }

    private static func append<Number: FixedWidthInteger>(
        _ number: Number,
        to bytes: inout [UInt8]
    ) {
        withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
    }

    private static func number<Number: FixedWidthInteger & UnsignedInteger>(
        _ type: Number.Type,
        from rest: inout ArraySlice<UInt8>
    ) throws(CacheSnapshotError) -> Number {
        try bytes(MemoryLayout<Number>.size, from: &rest).reversed().reduce(0) {
            $0 << 8 | Number($1)
        }
    }

    private static func bytes(
        _ count: Int,
        from rest: inout ArraySlice<UInt8>
    ) throws(CacheSnapshotError) -> ArraySlice<UInt8> {
        guard count <= rest.count else { throw .truncated }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }
}

/// Why a file is no snapshot of a cache.
public enum CacheSnapshotError: Error, Hashable, Sendable, CustomStringConvertible {
    case truncated
    case noSnapshot
    case unknownVersion(UInt8)
    case wrongDigest
    case badKey
    case trailingBytes(Int)

    public var description: String {
        switch self {
        case .truncated: "the cache's snapshot is cut off"
        case .noSnapshot: "the file is no snapshot of a cache"
        case .unknownVersion(let version): "the cache's snapshot has the version \(version), not 1"
        case .wrongDigest: "the cache's snapshot is damaged: its digest does not match"
        case .badKey: "the cache's snapshot has a key that is no text"
        case .trailingBytes(let count): "the cache's snapshot has \(count) bytes too many"
        }
    }
}
