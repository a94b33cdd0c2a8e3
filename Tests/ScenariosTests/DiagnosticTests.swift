import Scenarios
import Testing

/// Goal: every kind of mistake is reported at its exact place, in words, with the nearest known name.
/// Method: replace one part of a correct scenario by a wrong one, whose first character is marked in
/// the replacement by `@`, and compare the only diagnostic with what is wanted.
@Suite struct DiagnosticTests {
    struct Mistake: Sendable, CustomTestStringConvertible {
        var original: String
        var replacement: String
        var category: ScenarioDiagnostic.Category
        /// Part of the message.
        var message: String
        var suggestion: String?

        init(
            _ original: String,
            _ replacement: String,
            _ category: ScenarioDiagnostic.Category,
            _ message: String,
            _ suggestion: String? = nil
        ) {
            self.original = original
            self.replacement = replacement
            self.category = category
            self.message = message
            self.suggestion = suggestion
        }

        var testDescription: String { replacement }
    }

    static let mistakes = [
        // Keys.
        Mistake("hardware:", "@hardwear:", .unknownKey, "unknown key 'hardwear'", "hardware"),
        Mistake("rtt: 76 ms", "@rrt: 76 ms\n      delay: 1 ms", .unknownKey, "'rrt'", "rtt"),
        Mistake("streams: 1}", "@stream: 1}", .unknownKey, "unknown key 'stream'", "streams"),
        Mistake("wall: 10 min", "@wal: 10 min", .unknownKey, "unknown key 'wal'", "wall"),
        Mistake("burst: 8", "@brst: 8, burst: 8", .unknownKey, "unknown key 'brst'", "burst"),
        Mistake("{model: bernoulli, rate: 2 %}", "@{model: bernoulli}", .missingKey, "no 'rate'"),
        Mistake("{distribution: uniform, scale: 1 ms}", "@uniform", .missingKey, "no 'scale'"),
        Mistake("{dataset: sqlite-workload}", "@{}", .missingKey, "the memory has no 'dataset'"),
        Mistake(
            "{model: bernoulli, rate: 2 %}",
            "@{modl: bernoulli}",
            .missingKey,
            "'model'",
            "model"
        ),
        Mistake("seed: 0x9A3F", "seed: 1\n@seed: 2", .duplicateKey, "'seed' is already a key"),
        Mistake(
            "{kind: node.restart,",
            "{kind: node.restart, @kind: net.down,",
            .duplicateKey,
            "kind"
        ),
        Mistake("      rtt: 76 ms", "      rtt: 76 ms\n      @rtt: 1 ms", .duplicateKey, "'rtt'"),
        // Kinds of values.
        Mistake("seed: 0x9A3F", "seed: @[1]", .wrongType, "found a list"),
        Mistake("hardware: lab-vm", "hardware: @{a: b}", .wrongType, "found a mapping"),
        Mistake("invariants: [", "invariants: @true #[", .wrongType, "found 'true'"),
        Mistake("labels: [rack-2]", "labels: @rack-2", .wrongType, "found 'rack-2'"),
        Mistake("local: {", "local: @fast #{", .wrongType, "found 'fast'"),
        Mistake("<<: *path", "<<: @7", .wrongType, "'<<' merges '7'"),
        Mistake("name: complete", "name:@ ", .wrongType, "found nothing"),
        // Units and numbers.
        Mistake("rtt: 76 ms", "rtt: @76", .badValue, "'76' has no unit"),
        Mistake("rtt: 76 ms", "rtt: @76 msec", .badValue, "unknown unit 'msec'", "ms"),
        Mistake("rtt: 76 ms", "rtt: @fast", .badValue, "'fast' is not a duration"),
        Mistake("rtt: 76 ms", "rtt: @0 ms", .outOfRange, "the duration is 0 ms"),
        Mistake("rtt: 76 ms", "rtt: @9999999999 d", .outOfRange, "too large"),
        Mistake("rate: 200 Mbit/s", "rate: @200 Mbits/s", .badValue, "'Mbits/s'", "Mbit/s"),
        Mistake("rate: 200 Mbit/s", "rate: @200 Mb/s", .badValue, "'Mb/s'", "Mbit/s"),
        Mistake("rate: 200 Mbit/s", "rate: @200 mbit/s", .badValue, "'mbit/s'", "Mbit/s"),
        Mistake("rate: 200 Mbit/s", "rate: @0 bit/s", .outOfRange, "the rate is 0 bit/s"),
        Mistake("chunk: 128 KiB", "chunk: @128 KB", .badValue, "unknown unit 'KB'", "kB"),
        Mistake("chunk: 128 KiB", "chunk: @1 B", .outOfRange, "the size is 1 B"),
        Mistake("chunk: 128 KiB", "chunk: @1 MiB", .outOfRange, "the size is 1 MiB"),
        Mistake("chunk: 128 KiB", "chunk: @aut", .badValue, "'aut'", "auto"),
        Mistake("window: 16 MiB", "window: @1 MiB", .outOfRange, "the size is 1 MiB"),
        Mistake("batch-pages: 128", "batch-pages: @241", .outOfRange, "the number is 241"),
        Mistake("rate: 0.1 %", "rate: @0.001", .badValue, "'0.001' has no unit"),
        Mistake("rate: 0.1 %", "rate: @100 %", .outOfRange, "the share is 100 %"),
        Mistake("background: 30 %", "background: @-3 %", .outOfRange, "the share is -3 %"),
        Mistake("limit: 1.5 BDP", "limit: @1.5 DBP", .badValue, "unknown unit 'DBP'", "BDP"),
        Mistake("limit: 64 KiB", "limit: @64 B", .outOfRange, "the queue holds 64 B"),
        Mistake("sigma: 0.1, re", "sigma: @0.1 ms, re", .badValue, "'0.1 ms' is not a number"),
        Mistake("burst: 8", "burst: @0.5", .outOfRange, "the number is 0.5"),
        Mistake("nodes: 3", "nodes: @three", .badValue, "'three' is not a whole number"),
        Mistake("nodes: 3", "nodes: @0", .outOfRange, "the number is 0"),
        Mistake("seed: 0x9A3F", "seed: @-1", .badValue, "'-1' is not a seed"),
        Mistake("streams: 1}", "streams: @257}", .outOfRange, "the number is 257"),
        Mistake("streams: 1}", "streams: @aut}", .badValue, "'aut'", "auto"),
        Mistake("for: 10..20 s", "for: @20..10 s", .outOfRange, "ends before it starts"),
        Mistake("for: 10..20 s", "for: @10.. s", .badValue, "'10.. s' is not a range"),
        Mistake("name: complete", "name: @two words", .badValue, "'two words' is not a name"),
        Mistake("reorder: true", "reorder: @yes", .badValue, "unknown word 'yes'"),
        Mistake("version: 1", "version: @2", .outOfRange, "the number is 2"),
        // Words.
        Mistake("environment: sockets", "environment: @socket", .badValue, "'socket'", "sockets"),
        Mistake("kind: migration", "kind: @migrate", .badValue, "'migrate'"),
        Mistake("kind: node.pause", "kind: @node.puase", .badValue, "'node.puase'", "node.pause"),
        Mistake("congestion: newreno", "congestion: @new-reno", .badValue, "'new-reno'", "newreno"),
        Mistake("level: 9", "level: @4", .badValue, "unknown word '4'"),
        Mistake("[memory-identical", "[@memory-identicl", .badValue, "unknown word"),
        Mistake("pick: 30 %", "pick: @some", .badValue, "'some' does not say how many"),
        // Names that refer to something.
        Mistake(
            "to: eu-west\n",
            "to: @eu-wst\n",
            .unknownName,
            "unknown region 'eu-wst'",
            "eu-west"
        ),
        Mistake("[us-east, eu-west]", "[@us-est, eu-west]", .unknownName, "'us-est'", "us-east"),
        Mistake("{region: eu-west, pick: one}", "{region: @eu, pick: one}", .unknownName, "'eu'"),
        Mistake("role: source", "role: @sorce", .unknownName, "unknown role 'sorce'", "source"),
        Mistake("label: rack-1", "label: @rack-9", .unknownName, "unknown label", "rack-1"),
        Mistake("{link: atlantic}", "{link: @atlantik}", .unknownName, "'atlantik'", "atlantic"),
        Mistake("variant: dwcp", "variant: @dwpc", .unknownName, "unknown variant 'dwpc'", "dwcp"),
        Mistake(
            "[dwcp, baseline], expect: \"s",
            "[dwcp, @base], expect: \"s",
            .unknownName,
            "'base'"
        ),
        Mistake(
            "metric: utilisation",
            "metric: @utilization",
            .unknownName,
            "metric",
            "utilisation"
        ),
        // Keys and values that exclude or need one another.
        Mistake(
            "rtt: 76 ms",
            "rtt: 76 ms\n      delay: 1 ms\n",
            .conflict,
            "both 'rtt' and 'delay'"
        ),
        Mistake("concurrency: 2", "concurrency: @20", .conflict, "20 migrations at a time"),
        Mistake("max: 100", "max: @5", .conflict, "minimum of 10 replications exceeds"),
        Mistake(", link-rate-respected]", ", @transfer-identical]", .conflict, "does not apply"),
        Mistake("metric: goodput", "metric: @peak-memory", .conflict, "never gated"),
        Mistake(
            "metric: goodput, expect: \"min > 50 MB/s\"",
            "metric: @ratio-full, expect: mean > 3",
            .conflict,
            "'ratio-full' alone decides nothing"
        ),
        Mistake("mode: one-way, direction: i", "mode: halves, direction: @i", .conflict, "one-way"),
        Mistake(
            "at: 5 s, direction",
            "at: @3 h, direction",
            .outOfRange,
            "a run ends after 7200 s"
        ),
        Mistake(
            "probability: 0.1 %",
            "every: 1 s, probability: 0.1 %",
            .conflict,
            "'every' and 'p"
        ),
        Mistake("probability: 0.1 %, ", "", .missingKey, "does not say when"),
        Mistake("every: 15 min", "every: @1 us", .limit, "about 7200000000 times"),
        Mistake("select: {pick: 2}", "select: {pick: @9}", .outOfRange, "9 nodes are picked"),
        Mistake("min > 50 MB/s", "speedup > 50", .conflict, "'speedup' compares two variants"),
        Mistake("speedup > 3x", "mean > 3 s", .conflict, "'mean' says nothing about two"),
        // Expressions: the place is inside the text.
        Mistake("p(99.5) < 500 ms", "@p99 < 500 ms", .badValue, "unknown statistic 'p99'", "p(99)"),
        Mistake("p(99.5) < 500 ms", "@p(100) < 500 ms", .outOfRange, "no percentile p(100)"),
        Mistake("p(99.5) < 500 ms", "p(99) @=< 500 ms", .badValue, "unknown operator '=<'", "<="),
        Mistake("p(99.5) < 500 ms", "p(99) < @500", .badValue, "'500' has no unit"),
        Mistake("p(99.5) < 500 ms", "p(99) < @500 %", .badValue, "unknown unit '%'"),
        Mistake("p(99.5) < 500 ms", "p(99) <@", .badValue, "'' is not a duration"),
        Mistake("\"p(99.5) < 500 ms\"", "@\"\"", .badValue, "is not one line of text"),
        Mistake("mean >= 85 %", "@maen >= 85 %", .badValue, "unknown statistic 'maen'", "mean"),
        Mistake("mean >= 85 %", "mean @85 %", .badValue, "no operator follows"),
        // YAML itself.
        Mistake("invariants: [", "invariants: [@[", .syntax, "not valid YAML"),
        Mistake("<<: *path", "<<: @*paths", .syntax, "undefined alias"),
    ]

    @Test(arguments: mistakes)
    func aMistakeIsReportedAtItsPlace(_ mistake: Mistake) throws {
        let range = try #require(
            Samples.complete.firstRange(of: mistake.original),
            "the sample lacks '\(mistake.original)'"
        )
        var marked = Samples.complete
        marked.replaceSubrange(range, with: mistake.replacement)
        let text = marked.replacing("@", with: "")
        let diagnostics = Samples.diagnostics(text)
        let found = try #require(
            diagnostics.first {
                $0.category == mistake.category && $0.message.contains(mistake.message)
            },
            "\(diagnostics)"
        )
        if mistake.suggestion != nil { #expect(found.suggestion == mistake.suggestion) }
        if let mark = marked.firstIndex(of: "@"), mistake.category != .syntax {
            let before = marked[..<mark]
            let line = before.filter { $0 == "\n" }.count + 1
            let column = before.reversed().prefix { $0 != "\n" }.count + 1
            #expect(found.location == SourceLocation(line: line, column: column))
            #expect(diagnostics.count == 1, "\(diagnostics)")
        }
    }

    @Test func manyMistakesComeTogetherInFileOrder() {
        // Goal: one reading finds every mistake. Method: a file with five of them.
        let text = """
            version: 1
            nam: many
            seed: first
            topology:
              regions: {a: {nodes: -1}, b: {}}
              links: [{between: [a, b], rtt: 5, rate: 1 Gbit/s}]
            workload: {kind: bulk, duration: {measure: 1 s}}
            targets: [{metric: goodputt, expect: mean > 1 Mbit/s}]
            """
        let diagnostics = Samples.diagnostics(text)
        let places = diagnostics.map { "\($0.location.line):\($0.location.column) \($0.category)" }
        #expect(
            places == [
                "1:1 missingKey", "2:1 unknownKey", "3:7 badValue", "5:24 outOfRange",
                "6:34 badValue", "8:20 unknownName",
            ]
        )
    }

    @Test func aDiagnosticReadsLikeACompilersMessage() throws {
        // Goal: the text leads straight to the place. Method: compare one whole message.
        let text = Samples.minimal.replacing("rtt: 80 ms", with: "rtt: 80 mz")
        let diagnostic = try #require(Samples.diagnostics(text).first)
        #expect(
            diagnostic.description == """
                test.yaml:7:12: error: unknown unit 'mz' in 'topology.links[0].rtt'; expected a \
                duration in ns, us, ms, s, min, h, d; did you mean 'ms'?
                          rtt: 80 mz
                               ^
                """
        )
    }

    @Test func aVariantRepeatsNoMistakeOfTheBase() {
        // Goal: what is wrong in `system` is told once, however many variants inherit it.
        let text = Samples.complete.replacing("chunk: 128 KiB", with: "chunk: 128")
        let chunk = Samples.diagnostics(text).filter { $0.message == "'128' has no unit" }
        #expect(Set(chunk.map(\.location)).count == 1)
        #expect(chunk.count == 1)
    }

    @Test func onlyAnUnsupportedPartGivesItsOwnExitCode() {
        // Goal: 69 says that the file is right and the machine is not; 65 that the file is wrong.
        func code(_ text: String) -> Int32? {
            do {
                _ = try ScenarioFile.parse(text, file: "test.yaml")
                return nil
            } catch {
                return error.exitCode
            }
        }
        #expect(code(Samples.minimal + "environment: rdma\n") == nil)
        #expect(code(Samples.minimal + "environment: rdma\nseed: x\n") == 65)
        #expect(code("") == 65)
        func diagnostic(_ category: ScenarioDiagnostic.Category) -> ScenarioDiagnostic {
            ScenarioDiagnostic(
                category: category,
                file: "test.yaml",
                location: SourceLocation(line: 1, column: 1),
                path: "",
                message: "a message",
                expected: nil,
                suggestion: nil,
                sourceLine: ""
            )
        }
        let lacking = diagnostic(.unsupported)
        #expect(ScenarioError(diagnostics: [lacking]).exitCode == 69)
        #expect(ScenarioError(diagnostics: [lacking, diagnostic(.conflict)]).exitCode == 65)
    }
}
