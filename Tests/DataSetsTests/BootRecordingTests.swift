import DataSets
import Determinism
import Testing
import Units

/// Goal: recordings of real boots read back as they were written, and damaged ones never pass.
/// Method: round trips through bytes and files, one wrong field at a time, seeded mutations.
@Suite struct BootRecordingTests {
    private typealias Times = BootRecording.Times

    private let sample = BootRecording(
        name: "lab",
        machine: "2 cores",
        commit: "abc",
        recordedAt: "2026-11-22T12:00:00Z",
        boots: 100,
        components: [
            BootRecording.Component(
                name: "configuration",
                phase: "pre",
                boots: 100,
                cpu: Times(median: 0.001, p95: 0.002),
                wait: Times(median: 0, p95: 0.0005)
            ),
            BootRecording.Component(
                name: "cache",
                phase: "core",
                boots: 98,
                cpu: Times(median: 0.004, p95: 0.004),
                wait: Times(median: 0.01, p95: 0.05)
            ),
        ]
    )

    private func error(_ text: String) -> DataSetError? {
        do throws(DataSetError) {
            _ = try BootRecording.parse(Array(text.utf8), path: "file")
            return nil
        } catch {
            return error
        }
    }

    private var text: String { String(decoding: sample.bytes, as: UTF8.self) }

    @Test func recordingsReadBack() throws {
        let read = try BootRecording.parse(sample.bytes, path: "file")
        #expect(read.components == sample.components)
        #expect(read.name == "lab" && read.boots == 100 && read.commit == "abc")
        #expect(read.digest.count == 64)
        #expect(read.bytes == sample.bytes)
    }

    @Test func theCatalogueKeepsAndFindsThem() throws {
        try Samples.withFolder { folder in
            let catalogue = DataSetCatalogue(folder: folder, workloadCommand: [])
            _ = try catalogue.keep(sample)
            #expect(catalogue.bootRecordings == ["lab"])
            #expect(try catalogue.bootRecording("lab").components == sample.components)
            do throws(DataSetError) {
                _ = try catalogue.bootRecording("other")
                Issue.record("there is no recording 'other'")
            } catch {
                #expect(error == .notFound(name: "other", known: ["lab"]))
            }
        }
    }

    @Test func wrongFieldsAreRefused() {
        #expect(error("") == .notADataSet(path: "file"))
        #expect(error("[]") == .notADataSet(path: "file"))
        #expect(
            error(text.replacing("novacron-boots", with: "boots")) == .notADataSet(path: "file")
        )
        #expect(
            error(text.replacing("\"version\" : 1", with: "\"version\" : 2"))
                == .unsupportedVersion(path: "file", found: 2, supported: 1)
        )
        for (part, wrong) in [
            ("\"boots\" : 100,\n  \"commit\"", "\"boots\" : 0,\n  \"commit\""),
            ("\"boots\" : 98", "\"boots\" : 101"), ("\"boots\" : 98", "\"boots\" : 0"),
            ("\"name\" : \"cache\"", "\"name\" : \"configuration\""),
            ("\"median\" : 0.001", "\"median\" : -0.001"),
            ("\"median\" : 0.001", "\"median\" : 0.01"), ("\"p95\" : 0.05", "\"p95\" : 1e9"),
            ("\"p95\" : 0.05", "\"p95\" : \"0.05\""), ("\"phase\" : \"pre\",", ""),
        ] {
            #expect(text.contains(part), "\(part)")
            guard case .damaged? = error(text.replacing(part, with: wrong)) else {
                Issue.record("accepted \(wrong)")
                continue
            }
        }
        let large = String(repeating: " ", count: BootRecording.sizeLimit + 1)
        #expect(error(large) == .tooLarge(what: "file", limit: "\(BootRecording.sizeLimit) bytes"))
    }

    @Test func aQuantileGivesTheSpread() {
        // A lognormal value with sigma 0.5 has its 95 % quantile at exp(0.5 · 1.645) = 2.276 medians.
        #expect(abs(Times(median: 2, p95: 4.552).sigma - 0.5) < 1e-3)
        #expect(Times(median: 0, p95: 1).sigma == 0)
        #expect(Times(median: 1, p95: 1).sigma == 0)
    }

    @Test func noMutationIsMisread() {
        // Method: 100,000 inputs with up to four bytes changed, removed or repeated. What is read must
        // be possible and survive being written again.
        let original = Array(text.utf8)
        var random = SeededRandom(seed: 77, entity: EntityID(.experiment, 0), purpose: "fuzz")
        var accepted = 0
        for _ in 0..<100_000 {
            var bytes = original
            for _ in 0...random.below(4) {
                let place = Int(random.below(UInt64(bytes.count)))
                switch random.below(4) {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(bytes[place], at: place)
                default: bytes[place] = 48 + UInt8(random.below(10))
                }
            }
            guard let read = try? BootRecording.parse(bytes, path: "fuzz") else { continue }
            accepted += 1
            #expect(read.boots >= 1 && !read.components.isEmpty)
            guard accepted % 50 == 0 else { continue }
            #expect((try? BootRecording.parse(read.bytes, path: "again"))?.bytes == read.bytes)
        }
        #expect(accepted > 1_000)
    }
}
