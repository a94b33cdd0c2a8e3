import DataSets
import Determinism
import Testing
import Units

@Suite struct ParsingTests {
    private let maps = """
        55d6c03ea000-55d6c040b000 rw-p 00000000 00:00 0                          [heap]
        7f9fac6a5000-7f9fac6fc000 r--p 00000000 fe:00 323409                     /usr/lib/locale/x
        7f9fac8db000-7f9fac8dd000 rw-p 001d3000 fe:00 333151                     /usr/lib/libc.so.6
        7f9fac8dd000-7f9fac8ea000 rw-p 00000000 00:00 0 
        7f9fac900000-7f9fac904000 rw-s 00000000 00:01 1024                       /dev/zero (deleted)
        7f9fac910000-7f9fac914000 rw-s 00000000 00:05 77                         /dev/dri/card0
        7f9fac914000-7f9fac918000 ---p 00000000 00:00 0 
        7ffc8d82f000-7ffc8d850000 rw-p 00000000 00:00 0                          [stack]

        """

    /// Goal: the writable mappings of proc(5) are found, devices are not. Method: a real listing.
    @Test func mapsAreRead() throws {
        let mappings = try #require(ProcessMaps.writable(in: maps))
        #expect(
            mappings.map(\.label) == [
                "[heap]", "/usr/lib/libc.so.6", "", "/dev/zero (deleted)", "[stack]",
            ]
        )
        #expect(mappings.map(\.pageCount) == [33, 2, 13, 4, 33])
        #expect(mappings.map(\.isPrivate) == [true, true, true, false, true])
        #expect(mappings.map(\.isAnonymous) == [true, false, true, false, true])
        #expect(ProcessMaps.writable(in: "") == [])
        for line in [
            "nonsense", "1000-800 rw-p 0 0 0", "1001-2000 rw-p 0 0 0", "1000-2000 rw 0 0 0",
        ] {
            #expect(ProcessMaps.writable(in: line) == nil, "\(line)")
        }
    }

    /// Goal: state and start time are found whatever the command is called. Method: names with
    /// parentheses and spaces, and lines that are too short.
    @Test func statusIsRead() throws {
        let rest = " T 1 2 3 0 -1 4194304 1 0 0 0 3 4 0 0 20 0 1 0 8817 1000 200"
        let status = try #require(ProcessStatus("42 (a) (b c)) \(rest.dropFirst())"))
        #expect(status.state == "T")
        #expect(status.isStopped)
        #expect(status.startTime == 8817)
        #expect(ProcessStatus("42 (a) S 1 2") == nil)
        #expect(ProcessStatus("") == nil)
        #expect(ProcessStatus(path: "/proc/self/stat")?.isDead == false)
    }

    /// Goal: descriptions of dumps are read field by field. Method: a real one, a bare one, garbage.
    @Test func descriptionsAreRead() {
        let text =
            #"{"workload":"gcc","dumps":[2],"t_s":[1.5,3],"each_bytes":8192,"sha256":["ab"]}"#
        let description = DumpDescription.parse(Array(text.utf8))
        #expect(description?.workload == "gcc")
        #expect(description?.t_s == [1.5, 3])
        #expect(description?.each_bytes == 8192)
        #expect(DumpDescription.parse(Array("{}".utf8)) != nil)
        #expect(DumpDescription.parse(Array(#"{"each_bytes":"many"}"#.utf8)) == nil)
    }

    /// Goal: commands are split as they are meant. Method: quoting rules one by one.
    @Test func commandsAreSplit() throws {
        #expect(
            try CommandWords.split("  a  'b c' \"d \\\" e\" f\\ g ''") == [
                "a", "b c", "d \" e", "f g", "",
            ]
        )
        #expect(try CommandWords.split("sh -c 'x && y; \"z\"'") == ["sh", "-c", "x && y; \"z\""])
        for open in ["a 'b", "a \"b", "a\\", "", "   "] {
            #expect(throws: DataSetError.self) { try CommandWords.split(open) }
        }
    }

    /// Goal: no text from `/proc`, no description and no command makes a parser crash or hang.
    /// Method: 100,000 seeded mutations of valid text for each, every result used.
    @Test func parsersSurviveAnything() {
        var random = Samples.random(21)
        let description = Array(#"{"workload":"gcc","t_s":[1.5,3],"each_bytes":8192}"#.utf8)
        let line = Array("42 (a b) S 1 2 3 0 -1 4194304 1 0 0 0 3 4 0 0 20 0 1 0 8817 1".utf8)
        let listing = Array(maps.utf8.prefix(200))
        var total = 0
        for _ in 0..<100_000 {
            let text = String(
                decoding: Samples.mutated(listing, using: &random),
                as: UTF8.self
            )
            total += ProcessMaps.writable(in: text)?.reduce(0) { $0 + $1.pageCount & 1 } ?? 0
            let status = String(decoding: Samples.mutated(line, using: &random), as: UTF8.self)
            if ProcessStatus(status)?.isDead == true { total += 1 }
            let words = try? CommandWords.split(status)
            total += words?.count ?? 0
            let parsed = DumpDescription.parse(Samples.mutated(description, using: &random))
            total += parsed?.t_s?.count ?? 0
        }
        #expect(total > 0)
    }

    /// Goal: compressed bytes of any kind are read to their end or refused, never past a bound.
    /// Method: 100,000 mutations of one and of two frames.
    @Test func decompressionSurvivesAnything() throws {
        var random = Samples.random(22)
        let page = Samples.page(77)
        let frame = MemoryDataSetFile.compressed(page, level: 3)
        let output = UnsafeMutableRawBufferPointer.allocate(byteCount: 3 * 4096, alignment: 16)
        defer { output.deallocate() }

        var reader = ByteReader(memory: (frame + frame)[...], .zstd(windowLog: 27))
        let filled = try reader.fill(output)
        #expect(filled == 2 * 4096)
        #expect(output[..<filled].elementsEqual(page + page))

        var refused = 0
        for round in 0..<100_000 {
            let original = round % 2 == 0 ? frame : frame + frame
            let bytes = Samples.mutated(original, using: &random)
            var reader = ByteReader(memory: bytes[...], .zstd(windowLog: 20))
            do {
                let filled = try reader.fill(output)
                #expect(filled <= output.count)
            } catch {
                refused += 1
            }
        }
        #expect(refused > 50_000)
    }
}
