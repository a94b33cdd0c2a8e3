import Foundation
import Scenarios
import Testing

/// Goal: no file crashes the reader or keeps it busy.
@Suite struct HostileInputTests {
    /// The category of the only diagnostic.
    private func category(_ text: String) -> ScenarioDiagnostic.Category? {
        let diagnostics = Samples.diagnostics(text)
        #expect(diagnostics.count == 1, "\(diagnostics.prefix(3))")
        return diagnostics.first?.category
    }

    @Test func aliasesThatExpandWithoutEndAreRefused() {
        // Method: ten anchors, each ten times the one before, stand for 10^10 values.
        var text = "x-0: &a0 [x]\n"
        for level in 1...10 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "x-\(level): &a\(level) [\(aliases)]\n"
        }
        #expect(category(text) == .limit)
    }

    @Test(arguments: [
        "? *a10\n: 1\n", "{*a10 : 1}\n", "[*a10]: 1\n", "{[*a10]: 1}\n", "? [*a10]\n",
    ])
    func aliasesInsideKeysAreRefused(_ key: String) {
        // The YAML library hashes keys, and would walk the whole tree to do so.
        var text = "x-0: &a0 [x]\n"
        for level in 1...10 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "x-\(level): &a\(level) [\(aliases)]\n"
        }
        #expect(category(text + "x-key:\n  " + key) == .limit)
    }

    @Test func deepNestingIsRefused() {
        for depth in [33, 500, 5_000, 100_000] {
            let brackets = String(repeating: "[", count: depth)
            let text = "x: \(brackets)\(String(repeating: "]", count: depth))"
            #expect(category(text) == .limit)
            let dashes = "x:\n  " + String(repeating: "- ", count: depth) + "1\n"
            #expect(category(dashes) == .limit)
        }
    }

    @Test func largeFilesAreRefused() {
        #expect(category(String(repeating: "# comment\n", count: 30_000)) == .limit)
        #expect(category("x-a: [\(String(repeating: "1, ", count: 30_000))]") == .limit)
        #expect(category("x-a: [\(String(repeating: "*a, ", count: 2_000))]") == .limit)
    }

    @Test func controlCharactersDoNotReachTheTerminal() throws {
        // Method: a line with an escape sequence in a comment, which YAML refuses.
        let diagnostic = try #require(Samples.diagnostics("a: 1 # \u{1b}[2J\n").first)
        #expect(diagnostic.category == .syntax)
        #expect(!diagnostic.description.contains("\u{1b}"))
        // A name may smuggle one in as an escape of YAML.
        let name = Samples.minimal.replacing("{nodes: 2}, b", with: "{nodes: 2}, \"b\\e[2J\"")
        let diagnostics = Samples.diagnostics(name)
        #expect(!diagnostics.isEmpty)
        #expect(!diagnostics.contains { $0.description.contains("\u{1b}") })
    }

    @Test func manyMistakesAreBounded() {
        let text = (0..<5_000).map { "k\($0): 1\n" }.joined()
        #expect(Samples.diagnostics(text).count == ScenarioFile.maximumDiagnostics)
    }

    @Test(arguments: [
        "", "\n", "---\n", "--- a\n--- b\n", "[]", "x", "~", "\u{0}", "a: \u{7}", "%",
    ])
    func emptyAndForeignFilesAreExplained(_ text: String) {
        #expect(!Samples.diagnostics(text).isEmpty)
    }

    @Test(.timeLimit(.minutes(15)))
    func noMutationCrashesTheReader() throws {
        // Method: 100,000 seeded inputs: sections of the shipped files and samples with bytes
        // changed, inserted, removed, repeated and swapped between files, and random bytes. What is
        // read without an error must also survive being written and read again.
        var seeds = [Samples.minimal, Samples.complete, Samples.boot, Samples.nodeBoot]
        for file in Samples.shipped {
            let text = try String(contentsOf: file, encoding: .utf8)
            // Comments only cost time.
            let lines = text.split(separator: "\n").filter { !$0.drop { $0 == " " }.hasPrefix("#") }
            seeds.append(lines.joined(separator: "\n") + "\n")
        }
        var fuzzer = Fuzzer(seeds: seeds.map { Array($0.utf8) }, random: Xorshift(state: 0x5EED))
        var accepted = 0
        for round in 0..<100_000 {
            let bytes = fuzzer.input()
            do throws(ScenarioError) {
                let scenario = try ScenarioFile.parse(bytes: bytes, file: "fuzz.yaml")
                accepted += 1
                guard accepted % 20 == 0 else { continue }
                let again = try ScenarioFile.parse(scenario.resolvedText, file: "again.yaml")
                #expect(again == scenario, "round \(round)")
            } catch {
                #expect(error.diagnostics[0].file == "fuzz.yaml", "\(error)")
                if round % 50 == 0 { #expect(!error.description.isEmpty) }
            }
        }
        // Otherwise the mutations are too wild to reach the later checks.
        #expect(accepted > 200, "\(accepted) inputs were scenarios")
    }
}

/// Makes inputs from seeds.
private struct Fuzzer {
    let seeds: [[UInt8]]
    var random: Xorshift
    private static let words = [
        "&a ", "*a", "<<: ", "{", "}", "[", "]", "- ", ": ", "\n", "  ", "\"", "'", "|", ">", "#",
        "!!str ", "? ", "..", " %", " ms", "1e999", "-1", "0x", "99999999999999999999", "auto", "~",
        "\u{2028}", "\u{fffd}", "é", "x-", "null", "0 s", "kind", "%TAG", "---\n",
    ].map { Array($0.utf8) }

    mutating func input() -> [UInt8] {
        if below(20) == 0 {
            return (0..<below(200)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        }
        // Mostly the smallest samples, which mutations leave readable more often.
        let sample = below(8)
        var bytes = seeds[sample == 0 ? below(seeds.count) : sample == 1 ? 3 : 0]
        for _ in 0...below(3) { mutate(&bytes) }
        return bytes
    }

    private mutating func mutate(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        let place = below(bytes.count)
        switch below(7) {
        case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
        case 1: bytes[place] ^= 1 << UInt8(below(8))
        case 2: bytes.removeSubrange(place..<min(bytes.count, place + 1 + below(12)))
        case 3: bytes.insert(contentsOf: Fuzzer.words[below(Fuzzer.words.count)], at: place)
        case 4:
            let end = min(bytes.count, place + 1 + below(60))
            bytes.insert(contentsOf: bytes[place..<end], at: below(bytes.count))
        case 5:
            let donor = seeds[below(seeds.count)]
            let start = below(donor.count)
            bytes.insert(
                contentsOf: donor[start..<min(donor.count, start + 1 + below(60))],
                at: place
            )
        default:
            if (48...57).contains(bytes[place]) { bytes[place] = 48 + UInt8(below(10)) }
        }
    }

    private mutating func below(_ bound: Int) -> Int {
        Int(random.next() % UInt64(max(1, bound)))
    }
}
