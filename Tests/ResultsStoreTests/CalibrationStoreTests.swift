import Measurements
import ResultsStore
import Testing

/// Goal: an interrupted calibration goes on with what it has; only a finished full one counts.
/// Method: cells recorded one by one, the archive opened again in between.
@Suite struct CalibrationStoreTests {
    private static func cell(flows: Int) -> CalibrationCell {
        CalibrationCell(
            profile: LinkProfile(
                bitsPerSecond: 1e8,
                roundTripSeconds: 0.08,
                loss: 0.001,
                queueBytes: 1e6,
                flows: flows,
                congestion: "cubic"
            ),
            simulated: .init(throughput: 5e7, roundTripMilliseconds: 88, replications: 3),
            real: .init(throughput: 5.1e7, roundTripMilliseconds: 86, replications: 1),
            delayErrorMilliseconds: 0.25
        )
    }

    private static func open(
        _ archive: ResultsArchive,
        commit: String = "abc",
        isQuick: Bool = false
    ) throws -> OpenCalibration {
        try archive.openCalibration(
            commit: commit,
            kernel: "6.18",
            isQuick: isQuick,
            cellsPlanned: 2
        )
    }

    @Test func aCalibrationIsResumedUntilItIsComplete() throws {
        let folder = try Folder()
        let path = folder.file("results.sqlite")
        do {
            let archive = try ResultsArchive(path: path)
            try archive.record(Self.cell(flows: 1), in: Self.open(archive))
            #expect(try archive.newestCalibration() == nil)
        }
        let archive = try ResultsArchive(path: path)
        let resumed = try Self.open(archive)
        #expect(resumed.cells == [Self.cell(flows: 1)])
        #expect(try Self.open(archive, commit: "other").cells.isEmpty)
        #expect(throws: StoreError.self) { try archive.record(Self.cell(flows: 1), in: resumed) }
        try archive.record(Self.cell(flows: 8), in: resumed)
        let newest = try #require(try archive.newestCalibration())
        #expect(Set(newest.cells) == [Self.cell(flows: 1), Self.cell(flows: 8)])
        #expect(newest.commit == "abc" && newest.kernel == "6.18" && !newest.isQuick)
        #expect(try Self.open(archive).cells.isEmpty)
    }

    @Test func aShortCalibrationCountsOnlyWhereItIsWanted() throws {
        let folder = try Folder()
        let archive = try ResultsArchive(path: folder.file("results.sqlite"))
        let open = try Self.open(archive, isQuick: true)
        for flows in [1, 8] { try archive.record(Self.cell(flows: flows), in: open) }
        #expect(try archive.newestCalibration() == nil)
        #expect(try archive.newestCalibration(includingQuick: true)?.isQuick == true)
    }

    @Test func anOlderArchiveThatIsOnlyReadHasNone() throws {
        let folder = try Folder()
        let path = folder.file("results.sqlite")
        _ = try ResultsArchive(
            path: path,
            migrations: ResultsArchive.migrations(first: 3),
            busySeconds: 1
        )
        #expect(try ResultsArchive(reading: path).newestCalibration() == nil)
    }
}
