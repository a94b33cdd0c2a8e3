import Determinism
import Foundation
import RecordLog
import SocketEnvironment
import Testing
import Units

// Goal: records in real files survive what a process and its files can suffer, in the same format and
// with the same recovery as simulated disks, and what cannot be kept or read is a typed error.
// Method: folders of their own, whose files are written by the log, cut and damaged by the test.
@Suite("Record files")
struct RecordFilesTests {
    /// A folder that goes with the test.
    private final class Place {
        let path = FileManager.default.temporaryDirectory
            .appending(path: "record-files-\(UInt64.random(in: 0...UInt64.max))").path

        deinit { try? FileManager.default.removeItem(atPath: path) }

        var images: [SegmentImage] {
            get throws {
                try FileManager.default.contentsOfDirectory(atPath: path).sorted().map { name in
                    let number = UInt64(name.prefix(16), radix: 16)!
                    let content = try Data(contentsOf: URL(filePath: "\(path)/\(name)"))
                    return SegmentImage(firstSequence: number, bytes: Array(content))
                }
            }
        }

        func fill(with images: [SegmentImage]) throws {
            try? FileManager.default.removeItem(atPath: path)
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            for image in images {
                let file = RecordFiles.path(of: image.firstSequence, in: path)
                try Data(image.bytes).write(to: URL(filePath: file))
            }
        }

        func open(identity: UInt64 = 1) throws(StorageFailure) -> (RecordFiles, [[UInt8]]) {
            let (files, records) = try RecordFiles.open(path, identity: identity)
            return (files, records.map { Array($0) })
        }
    }

    static func batch(_ number: Int) -> [[UInt8]] {
        (0..<number % 4).map { Array(repeating: UInt8($0 + number), count: number * 37 % 700) }
    }

    // Goal: records come back after reopening, again and again, and a superseding batch leaves one file.
    @Test func reopening() throws {
        let place = Place()
        var expected: [[UInt8]] = []
        for round in 0..<6 {
            let (files, records) = try place.open()
            #expect(records == expected)
            for number in 0..<10 {
                let batch = RecordFilesTests.batch(number + round)
                let supersedes = round == 3 && number == 5
                try files.append(batch, supersedesEarlier: supersedes)
                expected = supersedes ? batch : expected + batch
            }
            #expect(try place.images.count == 1)
        }
        #expect(try place.images[0].firstSequence == 35)
    }

    // Goal: files are, byte by byte, what the format says, and damaged files recover as their bytes do
    // in simulation: the same records or the same refusal. Method: 400 seeded damages of a log's bytes.
    @Test func filesAndBytesRecoverAlike() throws {
        let place = Place()
        var writer = SegmentWriter(identity: 1)
        var bytes: [UInt8] = []
        do {
            let (files, _) = try place.open()
            for number in 0..<20 {
                try files.append(RecordFilesTests.batch(number))
                bytes += writer.append(RecordFilesTests.batch(number)).bytes
            }
        }
        #expect(try place.images.map(\.bytes) == [bytes])
        var random = SeededRandom(stateFrom: 3)
        var refused = 0
        var recovered = 0
        for _ in 0..<400 {
            var image = SegmentImage(firstSequence: 0, bytes: bytes)
            let spot = Int(random.below(UInt64(bytes.count)))
            switch random.below(4) {
            case 0: image.bytes[spot] ^= 1 << UInt8(random.below(8))
            case 1: image.bytes.removeLast(bytes.count - spot)
            case 2: for index in spot..<bytes.count { image.bytes[index] = 0 }
            default: image.bytes += repeatElement(0, count: spot)
            }
            try place.fill(with: [image])
            do {
                let log = try RecordRecovery.recover([image], identity: 1)
                let (files, records) = try place.open()
                #expect(records == log.records.map { Array($0) })
                // What was cut off is gone, and the log goes on in its place.
                try files.append([[9]])
                #expect(try place.open().1 == records + [[9]])
                recovered += 1
            } catch let failure as RecoveryFailure {
                #expect(throws: StorageFailure.refused(path: place.path, failure)) {
                    try place.open()
                }
                refused += 1
            }
        }
        #expect(refused > 50 && recovered > 50)
    }

    // Goal: a full disk and a failed sync are told apart and end the log for good: nothing is appended
    // behind a hole. Method: the next segment's name leads to devices that are full, or cannot sync.
    @Test(arguments: ["/dev/full", "/dev/null"])
    func failures(_ device: String) throws {
        let place = Place()
        let (files, _) = try place.open()
        try files.append([[1]])
        let next = RecordFiles.path(of: 1, in: place.path)
        try FileManager.default.createSymbolicLink(atPath: next, withDestinationPath: device)
        let expected: StorageFailure =
            device == "/dev/full"
            ? .full(path: next) : .system(operation: "sync", path: next, code: EINVAL)
        #expect(throws: expected) { try files.append([[2]], supersedesEarlier: true) }
        #expect(throws: StorageFailure.ended(path: place.path)) { try files.append([[3]]) }
        try FileManager.default.removeItem(atPath: next)
        #expect(try place.open().1 == [[1]])
    }

    // Goal: an earlier format, another node's folder and a newer format are refused with their reason.
    @Test func foreignFiles() throws {
        let place = Place()
        try Data([1, 2, 3]).write(to: URL(filePath: place.path))
        #expect(throws: StorageFailure.earlierFormat(path: place.path)) { try place.open() }
        try FileManager.default.removeItem(atPath: place.path)
        do {
            let (files, _) = try place.open()
            try files.append([[1]])
        }
        #expect(
            throws: StorageFailure.refused(
                path: place.path,
                .foreign(segment: 0, identity: 1)
            )
        ) { try place.open(identity: 2) }
        var image = try place.images[0]
        image.bytes[8] = 9
        try place.fill(with: [image])
        #expect(
            throws: StorageFailure.refused(
                path: place.path,
                .unsupportedVersion(segment: 0, found: 9)
            )
        ) { try place.open() }
    }
}
