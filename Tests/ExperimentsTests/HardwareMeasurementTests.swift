import Experiments
import Foundation
import HardwareModel
import Machines
import Testing
import Units

// Goal: a measured profile can be committed as a file, and a failed measurement says why.
// Method: the exact text for a known profile; a real disk measurement in a fresh folder; a folder
// that does not exist. Speeds are not measured here: that takes ten seconds of one core.
@Suite struct HardwareMeasurementTests {
    @Test func profilesAreWrittenAsScenarioFiles() {
        let profile = HardwareProfile(
            name: "desk",
            measured: HardwareProfile.Provenance(
                machine: "a \"quoted\" machine",
                date: "2026-01-02",
                method: "by hand"
            ),
            cores: 4,
            speeds: HardwareProfile.Speeds { $0 == .zstd9Compress ? 52.8 : 1000 },
            disk: HardwareProfile.Disk(write: 370, fsync: .microseconds(1244))
        )
        let expected = """
            # What simulations charge for computation and durable writes. Written by
            # `novalab doctor --measure`; speeds are MB/s (10^6 bytes a second) of one core.
            name: "desk"
            measured:
              machine: "a \\"quoted\\" machine"
              date: "2026-01-02"
              method: "by hand"
            cores: 4
            mbPerSecond:
              copy: 1000
              checksum: 1000
              compare: 1000
              delta: 1000
              zstd-1-compress: 1000
              zstd-3-compress: 1000
              zstd-9-compress: 52.8
              zstd-decompress: 1000
              apply: 1000
            disk:
              write: 370 MB/s
              fsync: 1.244 ms

            """
        #expect(profile.yaml == expected)
    }

    @Test func disksAreMeasuredAndLeftAsTheyWere() throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "novalab-disk-\(ProcessInfo.processInfo.processIdentifier)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let disk = try DiskMeasurement(directory: folder.path).run()
        #expect(disk.write > 0)
        #expect(disk.fsync > .zero)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }

    @Test func aMissingFolderIsNamed() {
        let error = #expect(throws: HardwareMeasurementError.self) {
            try HardwareMeasurement.profile(name: "none", directory: "/no/such/folder")
        }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.hasPrefix("cannot create /no/such/folder/"))
        #expect(text.hasSuffix("No such file or directory"))
    }
}
