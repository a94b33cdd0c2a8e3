import FoundationEssentials

/// The JSON that may lie beside a dump; every field is optional, others are ignored.
package struct DumpDescription: Decodable, Hashable {
    package var workload: String?
    /// When each snapshot was taken, in seconds.
    package var t_s: [Double]?
    /// Bytes in one snapshot.
    package var each_bytes: Int?
    /// The SHA-256 of each snapshot, 64 hexadecimal digits.
    package var sha256: [String]?

    private static let largestFile = 1 << 20

    /// The description of a dump: its name up to the first dot, with `.json`; `nil` when there is
    /// none.
    static func beside(_ path: String) throws(DataSetError) -> DumpDescription? {
        let slash = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
        let stem = path[slash...].prefix { $0 != "." }
        let description = "\(path[..<slash])\(stem).json"
        guard !stem.isEmpty, description != path, FileAccess.exists(description) else { return nil }
        let bytes = try FileAccess.read(description, limit: largestFile)
        guard let parsed = parse(bytes) else {
            throw .badDump(
                path: path,
                problem: "its description \(description) is not JSON of the known form",
                remedy: "correct it, or remove it and say --snapshots and --every"
            )
        }
        return parsed
    }

    package static func parse(_ bytes: [UInt8]) -> DumpDescription? {
        try? JSONDecoder().decode(DumpDescription.self, from: Data(bytes))
    }
}
