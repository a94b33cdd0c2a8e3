import DataSets
import Determinism
import Foundation
import LinkModel
import Testing
import Units

/// Files of traces and of regions: what they mean, what they must not be, and that no bytes trap.
@Suite struct RateTraceFileTests {
    static func decode(
        _ text: String,
        _ format: RateTraceFile.Format = .automatic,
        ending: RateTrace.Ending = .repeat
    ) throws -> RateTrace {
        try RateTraceFile.decode(Array(text.utf8), format, ending: ending)
    }

    static func problem(_ text: String, _ format: RateTraceFile.Format = .automatic) -> Int? {
        do {
            _ = try RateTraceFile.decode(Array(text.utf8), format)
            return nil
        } catch {
            return error.line
        }
    }

    /// Goal: mahimahi's lists are opportunities. Method: comments, blanks and a carriage return
    /// between them.
    @Test func mahimahi() throws {
        let trace = try Self.decode("# from a phone\n0\r\n\n 1\n1\n12\n")
        #expect(trace.form == .opportunities([0, 1_000_000, 1_000_000, 12_000_000]))
        #expect(trace.length == .milliseconds(12))
        #expect(trace.mean == BitRate(bitsPerSecond: 4 * 1514 * 8 * 1000 / 12))
    }

    /// Goal: two columns are seconds and Mbit/s; times begin at zero; a pass ends a typical sample
    /// after the last one begins. Method: irregular samples, stamped at start and at end.
    @Test func columns() throws {
        let text = "10.0 1.5\n11.0\t2\n13.0 0.25\n"
        let second: Int64 = 1_000_000_000
        let starts = try Self.decode(text)
        #expect(
            starts.form
                == .steps(starts: [0, second, 3 * second], rates: [1_500_000, 2_000_000, 250_000])
        )
        #expect(starts.length == Interval(seconds: 4.5))
        let ends = try Self.decode(text, .columns(TimeRateColumns(stamp: .end)))
        #expect(
            ends.form
                == .steps(starts: [0, second, 2 * second], rates: [1_500_000, 2_000_000, 250_000])
        )
        #expect(try Self.decode(text, ending: .hold).ending == .hold)
    }

    /// Goal: CSV columns are found by name, lines by their text, units count. Method: two runs in one
    /// table.
    @Test func table() throws {
        let text = "run,t_ms,mbytes\n1,0,2\n2,0,9\n1,500,4\n"
        var columns = TimeRateColumns(
            rateUnit: .megabytes,
            timeUnit: .milliseconds,
            timeColumn: "t_ms",
            rateColumn: "mbytes",
            hasHeader: true,
            filters: [TimeRateColumns.Filter(column: "run", value: "1")]
        )
        let trace = try Self.decode(text, .columns(columns))
        #expect(trace.form == .steps(starts: [0, 500_000_000], rates: [16_000_000, 32_000_000]))
        columns.filters[0].column = "runs"
        #expect(Self.problem(text, .columns(columns)) == 1)
    }

    /// Goal: what is wrong is told with its line. Method: one file for each mistake.
    @Test(arguments: [
        ("", 0), ("# nothing\n", 0), ("0\n-1\n", 2), ("5\n4\n", 2), ("0\n", 0), ("1.5\n", 1),
        ("0 1\n1\n", 2), ("0 1\n0 1\n", 2), ("0 1\n1 x\n", 2), ("0 1\n1 -3\n", 2),
        ("0 1\n1 nan\n", 2), ("0 1\n1e300 1\n", 2), ("0 1e14\n", 1), ("0 0\n1 0\n", 0),
        ("99999999999999999999\n", 1),
    ])
    func mistakes(_ text: String, _ line: Int) {
        #expect(Self.problem(text) == line, "\(text)")
    }

    /// Goal: no bytes trap. Method: random bytes, and good files with random changes, through every
    /// decoder.
    @Test func fuzz() throws {
        var random = SeededRandom(seed: 11, entity: EntityID(.experiment, 0), purpose: "traces")
        let good = [
            "0\n1\n5\n", "0 1\n1.5 2e0\n7 3\n",
            "novalab-trace 1\nsource x\nform steps\nending repeat\nlength 20\n0 9000000000\n7 5\n",
            "novalab-trace 1\nsource x\nform opportunities\nending repeat\nlength 20\n0\n7\n",
            "src_region,src_tier,dst_region,dst_tier,avg_rtt\na,PREMIUM,b,PREMIUM,12.5\n",
        ]
        #expect(Self.problem(good[2]) == nil && Self.problem(good[3]) == nil)
        let formats: [RateTraceFile.Format] = [
            .automatic, .mahimahi, .columns(TimeRateColumns(stamp: .end)),
            .columns(TimeRateColumns(timeColumn: "avg_rtt", hasHeader: true)),
        ]
        let alphabet = Array("0123456789 .,-e\n#x".utf8)
        for _ in 0..<20_000 {
            var bytes = Array(good[Int(random.below(UInt64(good.count)))].utf8)
            for _ in 0..<(1 + random.below(6)) {
                let place = Int(random.below(UInt64(bytes.count + 1)))
                let byte =
                    random.below(4) == 0
                    ? UInt8(truncatingIfNeeded: random.next())
                    : alphabet[Int(random.below(UInt64(alphabet.count)))]
                switch random.below(3) {
                case 0: bytes.insert(byte, at: place)
                case 1 where place < bytes.count: bytes[place] = byte
                default: bytes.removeLast(min(bytes.count, Int(random.below(3))))
                }
            }
            for format in formats {
                for ending in RateTrace.Ending.allCases {
                    _ = try? RateTraceFile.decode(bytes, format, ending: ending)
                }
            }
            _ = try? RegionTable(bytes, .roundTrip)
            _ = try? RegionTable(bytes, .throughput)
        }
    }

    /// Goal: what is kept is what was imported, under its name, with its source. Method: keep, look
    /// up, compare; a name that is a path finds a file beside the scenario.
    @Test func keeping() throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("traces-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let catalogue = DataSetCatalogue(folder: folder.path, workloadCommand: [])
        let steps = try Self.decode("0 1\n1 2\n")
        let opportunities = try Self.decode("0\n3\n9\n")
        for (name, trace) in [("steps", steps), ("lte", opportunities)] {
            let path = try catalogue.keep(trace, named: name, source: "a\nphone")
            #expect(try String(contentsOfFile: path, encoding: .utf8).contains("source a phone\n"))
            let found = try catalogue.trace(name, from: "/nowhere", ending: .repeat)
            #expect(found == trace)
            #expect(found.digest == trace.digest)
        }
        #expect(catalogue.traceNames == ["lte", "steps"])
        try "0 4\n2 8\n".write(
            to: folder.appendingPathComponent("mine.txt"),
            atomically: true,
            encoding: .utf8
        )
        let beside = try catalogue.trace("mine.txt", from: folder.path, ending: .hold)
        #expect(beside.ending == .hold)
        #expect(throws: DataSetError.notFound(name: "none", known: ["lte", "steps"])) {
            try catalogue.trace("none", from: folder.path, ending: .repeat)
        }
    }

    /// Goal: a table of regions becomes a topology: medians, the wanted tier, both directions apart.
    /// Method: three regions, one pair without a value.
    @Test func regions() throws {
        let head = "src_region,src_tier,dst_region,dst_tier,"
        let roundTrips = try RegionTable(
            Array(
                (head + "avg_rtt\na:x,PREMIUM,b:y,PREMIUM,80\nb:y,PREMIUM,a:x,PREMIUM,82\n").utf8
            ),
            .roundTrip
        )
        let rows = [
            "a:x,PREMIUM,b:y,PREMIUM,4000000", "a:x,PREMIUM,b:y,PREMIUM,8000000",
            "a:x,STANDARD,b:y,PREMIUM,1", "a:x,PREMIUM,b:y,PREMIUM,5000000",
            "b:y,PREMIUM,a:x,PREMIUM,6000000", "b:y,PREMIUM,a:x,PREMIUM,",
        ]
        let throughputs = try RegionTable(
            Array((head + "throughput_recieved\n" + rows.joined(separator: "\n")).utf8),
            .throughput
        )
        #expect(throughputs.value(from: "a:x", to: "b:y") == 5e6)
        #expect(throughputs.regions == ["a:x", "b:y"])
        let (text, missing) = RegionTable.topology(
            of: ["a:x", "b:y", "c"],
            roundTrips: roundTrips,
            throughputs: throughputs,
            source: "hand"
        )
        #expect(text.contains("- {from: a-x, to: b-y, delay: 40 ms, rate: 5000 kbit/s}"))
        #expect(text.contains("- {from: b-y, to: a-x, delay: 41 ms, rate: 6000 kbit/s}"))
        #expect(missing.count == 4)
    }

    /// Goal: published series can be read as they are. Method: the collections beside the project,
    /// where they are; without them the test says so and checks nothing.
    @Test func published() throws {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("shared/datasets").path
        guard FileManager.default.fileExists(atPath: root) else {
            print("skipped: no published series beside the project")
            return
        }
        var read = 0
        for collection in ["mahimahi", "fcc_broadband_2016", "hsdpa_norway", "oboe"] {
            let files = try FileManager.default.contentsOfDirectory(atPath: "\(root)/\(collection)")
            for file in files.sorted().filter({ $0 != "README.md" }).prefix(4) {
                let trace = try RateTraceFile.read("\(root)/\(collection)/\(file)")
                #expect(trace.mean > BitRate(bitsPerSecond: 1000), "\(file)")
                read += 1
            }
        }
        #expect(read >= 12)
        let grid = "\(root)/skyplane_grid"
        let rtt = try RegionTable.read("\(grid)/rtt_2022-04.csv", .roundTrip)
        let rate = try RegionTable.read("\(grid)/throughput_2022-01-24.csv", .throughput)
        #expect(rtt.entries.count > 100 && rate.entries.count > 100)
    }
}
