import DataSets
import Determinism
import Glibc
import Testing
import Units

@Suite struct DumpImportTests {
    /// Three snapshots of four pages as one dump.
    private let dump = [1, 2, 0, 3, 1, 4, 0, 3, 5, 4, 0, 3].flatMap { (value: UInt64) in
        value == 0 ? [UInt8](repeating: 0, count: 4096) : Samples.page(value)
    }

    private func importing(
        _ bytes: [UInt8],
        description: String? = nil,
        shape: DumpImport.Shape? = nil
    ) throws -> MemoryDataSet {
        try Samples.withFolder { folder in
            try Samples.write(bytes, to: "\(folder)/vm.raw")
            if let description {
                try Samples.write(Array(description.utf8), to: "\(folder)/vm.json")
            }
            return try DumpImport(path: "\(folder)/vm.raw", name: "vm", shape: shape).run()
        }
    }

    private func problem(
        _ bytes: [UInt8],
        description: String? = nil,
        shape: DumpImport.Shape? = nil
    ) -> String {
        do {
            _ = try importing(bytes, description: description, shape: shape)
            return "none"
        } catch let error as DataSetError {
            #expect(error.exitCode == 66 || error.exitCode == 64)
            return "\(error)"
        } catch {
            return "\(error)"
        }
    }

    /// Goal: a dump gives the same set raw or compressed, by number or by size of snapshots. Method:
    /// one dump in each way, compared with the set built directly.
    @Test func dumpsAreDivided() throws {
        let frame = MemoryDataSetFile.compressed(dump, level: 3)
        let half = dump.count / 2
        let twoFrames =
            MemoryDataSetFile.compressed(Array(dump[..<half]), level: 1)
            + MemoryDataSetFile.compressed(Array(dump[half...]), level: 1)
        let expected = Samples.dataSet([[1, 2, 0, 3], [1, 4, 0, 3], [5, 4, 0, 3]]).digest
        for bytes in [dump, frame, twoFrames] {
            #expect(try importing(bytes, shape: .snapshots(3)).digest == expected)
            #expect(
                try importing(bytes, shape: .snapshotSize(ByteCount(16_384))).digest == expected
            )
            #expect(try importing(bytes, description: #"{"each_bytes":16384}"#).digest == expected)
        }
        let timed = try importing(dump, description: #"{"each_bytes":16384,"t_s":[1,2.5,12]}"#)
        #expect(timed.gaps == [.milliseconds(1_500), .milliseconds(9_500)])
        #expect(timed.origin.kind == .imported)
    }

    /// Goal: a dump that is cut, corrupt or does not fit what is said about it is refused with what
    /// to do. Method: one example of each.
    @Test func badDumpsAreRefused() {
        let frame = MemoryDataSetFile.compressed(dump, level: 3)
        let three = DumpImport.Shape.snapshots(3)
        let size = DumpImport.Shape.snapshotSize(ByteCount(16_384))
        #expect(problem(Array(dump.dropLast(4096)), shape: size).contains("after 3 of 4 pages"))
        #expect(problem(Array(dump.dropLast(5)), shape: size).contains("inside a page"))
        #expect(problem(Array(dump.dropLast(4)), shape: three).contains("copy the file again"))
        #expect(
            problem(Array(frame.dropLast(3)), shape: size).contains("inside a compressed frame")
        )
        var corrupt = frame
        corrupt[frame.count / 2] ^= 0x55
        #expect(problem(corrupt, shape: size).contains("corrupt"))
        #expect(problem([], shape: size).contains("it is empty"))
        #expect(problem([], shape: three).contains("pages of 4096 bytes"))
        #expect(problem(dump).contains("--snapshots"))
        #expect(problem(dump, shape: .snapshots(5)).contains("not 5 snapshots"))
        #expect(problem(dump, shape: .snapshotSize(ByteCount(1_000))).contains("4096"))
        #expect(problem(dump, description: "{", shape: size).contains("not JSON"))
        #expect(
            problem(dump, description: #"{"each_bytes":8192}"#, shape: size).contains("8192 bytes")
        )
        let zeros = String(repeating: "0", count: 64)
        let digests = #"{"each_bytes":16384,"sha256":["\#(zeros)","\#(zeros)","\#(zeros)"]}"#
        #expect(problem(dump, description: digests).contains("SHA-256"))
        let times = #"{"each_bytes":16384,"t_s":[3,2,1]}"#
        #expect(problem(dump, description: times).contains("times"))
    }

    /// Goal: the real dumps of virtual machines are read, with every part's digest verified, and the
    /// changes between them are those measured before (gcc: 273 pages across the first gap). Method:
    /// all three imported where they exist; one kept as a file and read back.
    @Test(.enabled(if: access(Repository.dumps, F_OK) == 0, "no dumps beside the repository"))
    func realDumpsAreImported() throws {
        for workload in ["gcc", "idle", "redis"] {
            let path = "\(Repository.dumps)/\(workload).3x64MiB.raw.zst"
            let set = try DumpImport(path: path, name: "vm-\(workload)").run()
            #expect(set.memorySize == .mebibytes(64))
            #expect(set.snapshotCount == 3)
            #expect(set.origin.description == workload)
            guard workload == "gcc" else { continue }
            #expect(set.changedPages(acrossGap: 0).count == 273)
            #expect(set.gaps[0] == .nanoseconds(1_947_710_514))
            try Samples.withFolder { folder in
                let catalogue = DataSetCatalogue(folder: folder, workloadCommand: [])
                try catalogue.keep(set)
                #expect(try catalogue.resolve("vm-gcc").digest == set.digest)
            }
        }
    }
}
