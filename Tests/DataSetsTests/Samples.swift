import DataSets
import Determinism
import Glibc
import Units

/// Small data sets and files for the tests.
enum Samples {
    static func random(_ seed: UInt64) -> SeededRandom {
        SeededRandom(seed: seed, entity: EntityID(.experiment, 0), purpose: "data set tests")
    }

    /// A page whose bytes all hold `value`, marked with it at the start.
    static func page(_ value: UInt64) -> [UInt8] {
        var bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: value), count: 4096)
        withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(0..<8, with: $0) }
        return bytes
    }

    /// Snapshots given as page contents by number; number 0 stands for the zero page.
    static func dataSet(
        _ snapshots: [[UInt64]],
        gaps: [Interval]? = nil,
        name: String = "sample"
    ) -> MemoryDataSet {
        var pool = PagePool()
        var tables: [UInt32] = []
        for snapshot in snapshots {
            for value in snapshot {
                tables.append(page(value).withUnsafeBytes { pool.intern($0) })
            }
        }
        return MemoryDataSet(
            name: name,
            origin: DataSetOrigin(kind: .generated, description: "a test"),
            gaps: gaps ?? [Interval](repeating: .seconds(1), count: snapshots.count - 1),
            regions: [
                MemoryRegion(address: 0x1000, pageCount: snapshots[0].count, label: "[heap]")
            ],
            pool: pool,
            tables: tables
        )
    }

    /// Snapshots in which each page changes with the given probability from one to the next.
    static func drifting(
        pages: Int,
        snapshots: Int,
        change: Ratio,
        seed: UInt64,
        gaps: [Interval]? = nil
    ) -> MemoryDataSet {
        var random = Samples.random(seed)
        var current = (0..<pages).map { _ in random.below(6) }
        var all = [current]
        for _ in 1..<snapshots {
            for page in current.indices where random.chance(change) {
                current[page] = random.below(40)
            }
            all.append(current)
        }
        return dataSet(all, gaps: gaps)
    }

    /// A folder of its own, removed with what is in it after the body.
    static func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
        var template = Array(
            ("/tmp/novalab-datasets-" + String(repeating: "X", count: 6)).utf8CString
        )
        guard mkdtemp(&template) != nil else { throw Failure(description: "no temporary folder") }
        let folder = String(decoding: template.dropLast().map(UInt8.init), as: UTF8.self)
        defer { remove(folder) }
        return try body(folder)
    }

    static func write(_ bytes: [UInt8], to path: String) throws {
        guard let file = fopen(path, "w") else { throw Failure(description: "cannot open \(path)") }
        defer { fclose(file) }
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else {
            throw Failure(description: "cannot write \(path)")
        }
    }

    static func read(_ path: String) -> [UInt8] {
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 {
            bytes += chunk[..<count]
        }
        return bytes
    }

    static func names(in folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    private static func remove(_ path: String) {
        for name in names(in: path) { remove("\(path)/\(name)") }
        if rmdir(path) != 0 { unlink(path) }
    }

    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// One to three changes of a byte string: bytes replaced, inserted, removed, or the end cut off.
    static func mutated(_ original: [UInt8], using random: inout SeededRandom) -> [UInt8] {
        var bytes = original
        for _ in 0...random.below(3) {
            guard !bytes.isEmpty else { return bytes }
            let place = Int(random.below(UInt64(bytes.count)))
            switch random.below(6) {
            case 0: bytes.removeSubrange(place...)
            case 1: bytes.remove(at: place)
            case 2: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
            case 3: bytes[place] = [0, 1, 0x7f, 0x80, 0xff][Int(random.below(5))]
            default: bytes[place] ^= 1 << UInt8(random.below(8))
            }
        }
        return bytes
    }
}

/// The repository that the tests run in.
enum Repository {
    private static let root = String(#filePath.prefix(#filePath.count - suffix.count))
    private static let suffix = "/Tests/DataSetsTests/Samples.swift"

    static let datasets = "\(root)/datasets"
    /// Dumps of virtual machines, which are not part of the repository.
    static let dumps = "\(root)/../shared/datasets/vm-memory"
}
