import DataSets
import Determinism
import Machines
import Testing
import Units

@Suite struct MemoryDataSetFileTests {
    private let sample = Samples.drifting(
        pages: 40,
        snapshots: 3,
        change: Ratio(0.3),
        seed: 11,
        gaps: [.milliseconds(950), .milliseconds(1_050)]
    )

    private func error(_ bytes: [UInt8]) -> DataSetError? {
        do throws(DataSetError) {
            _ = try MemoryDataSetFile.decode(bytes[...], path: "file")
            return nil
        } catch {
            return error
        }
    }

    /// Goal: what is written is read back. Method: every field and page of a set, through a file,
    /// and the header alone.
    @Test func filesRoundTrip() throws {
        try Samples.withFolder { folder in
            let path = "\(folder)/sample.novamem"
            try MemoryDataSetFile.write(sample, to: path)
            let read = try MemoryDataSetFile.read(path)
            #expect(read.name == sample.name)
            #expect(read.origin == sample.origin)
            #expect(read.gaps == sample.gaps)
            #expect(read.regions == sample.regions)
            #expect(read.digest == sample.digest)
            for snapshot in 0..<3 {
                for page in 0..<40 {
                    let original = sample.page(snapshot: snapshot, number: page)
                    #expect(read.page(snapshot: snapshot, number: page) == original)
                }
            }
            let header = try MemoryDataSetFile.readHeader(path)
            #expect(header.digest == sample.digest)
            #expect(header.uniquePageCount == sample.uniquePageCount)
            #expect(Samples.names(in: folder) == ["sample.novamem"])
        }
    }

    /// Goal: sets without a single non-zero page, or of one snapshot, are sets too. Method: both.
    @Test func extremesRoundTrip() throws {
        for set in [Samples.dataSet([[0, 0], [0, 0]]), Samples.dataSet([[9]])] {
            let read = try MemoryDataSetFile.decode(
                MemoryDataSetFile.encode(set)[...],
                path: "file"
            )
            #expect(read.digest == set.digest)
        }
    }

    /// Goal: each way of being wrong has its own error and exit code. Method: one example each.
    @Test func errorsAreTold() {
        let bytes = MemoryDataSetFile.encode(sample)
        #expect(error([]) == .notADataSet(path: "file"))
        #expect(error(Array("SQLite format 3\0".utf8)) == .notADataSet(path: "file"))
        var newer = bytes
        newer[8] = 2
        #expect(error(newer) == .unsupportedVersion(path: "file", found: 2, supported: 1))
        #expect(error(newer)?.exitCode == 66)
        var flipped = bytes
        flipped[bytes.count / 2] ^= 1
        guard case .damaged(_, let problem) = error(flipped) else {
            Issue.record("\(String(describing: error(flipped)))")
            return
        }
        #expect(problem.contains("checksum"))
    }

    /// Goal: a file that was cut anywhere is refused. Method: every possible length.
    @Test func cutFilesAreRefused() {
        let bytes = MemoryDataSetFile.encode(Samples.dataSet([[1, 0, 2], [1, 3, 2]]))
        for length in 0..<bytes.count {
            #expect(error(Array(bytes[..<length])) != nil, "cut at \(length)")
        }
    }

    /// Goal: a failed write leaves neither a part nor a changed file. Method: a folder in the file's
    /// place, and a folder that is missing.
    @Test func failedWritesLeaveNothing() throws {
        try Samples.withFolder { folder in
            try Samples.withFolder { other in
                try Samples.write([1], to: "\(other)/content")
                let missing = DataSetError.cannotWrite(
                    path: "\(folder)/none/x.novamem",
                    reason: "No such file or directory"
                )
                #expect(throws: missing) {
                    try MemoryDataSetFile.write(sample, to: "\(folder)/none/x.novamem")
                }
                #expect(throws: DataSetError.self) {
                    try MemoryDataSetFile.write(sample, to: other)
                }
                #expect(Samples.names(in: folder).isEmpty)
                #expect(Samples.names(in: other) == ["content"])
                #expect(missing.exitCode == 74)
            }
        }
    }

    /// Goal: no bytes make the decoder crash, hang or return something else than what was written.
    /// Method: 120,000 seeded mutations of valid files, half with their seal made right again so that
    /// they reach the inner rules, and 20,000 strings of random bytes.
    @Test func decoderSurvivesAnything() {
        var random = Samples.random(12)
        let sets = [
            Samples.dataSet([[1, 0, 2], [1, 3, 2], [1, 3, 1]]),
            Samples.dataSet([[5, 5, 5, 0]]),
        ]
        let files = sets.map { MemoryDataSetFile.encode($0) }
        var accepted = 0
        for round in 0..<120_000 {
            let file = files[round % files.count]
            var bytes = Samples.mutated(file, using: &random)
            if round % 4 < 2 {
                bytes = MemoryDataSetFile.sealed(Samples.mutated(file.dropLast(32), using: &random))
            }
            guard bytes != file,
                let set = try? MemoryDataSetFile.decode(bytes[...], path: "file")
            else { continue }
            // Only what is not part of the content may differ.
            accepted += 1
            #expect(set.digest == sets[round % files.count].digest)
        }
        for _ in 0..<20_000 {
            let magic = random.chance(Ratio(0.5)) ? Array(files[0].prefix(16)) : []
            let bytes = magic + (0..<random.below(200)).map { _ in UInt8(random.below(256)) }
            #expect(error(bytes) != nil)
        }
        #expect(accepted > 0, "no mutation of a name was accepted: the seal was never right")
    }
}

extension Samples {
    fileprivate static func mutated(
        _ original: ArraySlice<UInt8>,
        using random: inout SeededRandom
    ) -> [UInt8] {
        mutated(Array(original), using: &random)
    }
}
