import Determinism
import Scenarios
import Testing
import Units

/// Goal: a failure that was made small survives as a file, and hostile files end in diagnostics.
/// Method: round trips, files with mistakes, and seeded mutations of a good file.
@Suite struct ReproduceFileTests {
    private let file = ReproduceFile(
        scenario: "../../scenarios/chaos/it's \"here\".yaml",
        digest: String(repeating: "ab", count: 32),
        variant: "default",
        seed: .max,
        kind: "safety",
        rule: "linearizability",
        shape: "key # read '#' after \"#\"",
        faults: [
            ReproduceFile.Fault(name: "2.0", comment: "net.partition node 1 -> node 2 at 3 s"),
            ReproduceFile.Fault(name: "11.4", comment: "node.crash node 0 at 3.1 s"),
        ],
        regions: [ReproduceFile.Region(name: "us-east", nodes: 2)],
        operations: 12,
        until: .zero + .milliseconds(3_121),
        defect: "longer-log-wins"
    )

    @Test func aFileComesBackAsItWas() throws {
        var expected = file
        for index in expected.faults.indices { expected.faults[index].comment = "" }
        #expect(ReproduceFile.isMeant(by: "# made small\n" + file.text))
        #expect(try ReproduceFile.parse(file.text, file: "f.yaml") == expected)
        var least = expected
        least.faults = []
        least.regions = []
        least.operations = nil
        least.until = nil
        least.defect = nil
        #expect(try ReproduceFile.parse(least.text, file: "f.yaml") == least)
    }

    @Test func mistakesAreToldWithTheirPlace() throws {
        let text = file.text
        for (old, new, words) in [
            ("seed:", "sead:", "seed"), ("kind: safety", "kind: safe", "safety"),
            ("reproduce: 1", "reproduce: 2", "1"), ("until: 3.121 s", "until: 3.121", "until"),
        ] {
            let error = #expect(throws: ScenarioError.self) {
                _ = try ReproduceFile.parse(text.replacing(old, with: new), file: "f.yaml")
            }
            #expect(error?.description.contains(words) == true)
            #expect(error?.description.contains("f.yaml:") == true)
        }
        #expect(!ReproduceFile.isMeant(by: "version: 1\nname: reproduce\n"))
    }

    @Test func hostileFilesNeverTrap() {
        var random = SeededRandom(stateFrom: 37)
        let bytes = Array(file.text.utf8)
        for _ in 0..<2_000 {
            var mutated = bytes
            for _ in 0...random.below(4) {
                let place = Int(random.below(UInt64(mutated.count)))
                switch random.below(3) {
                case 0: mutated[place] = UInt8(random.below(128))
                case 1: mutated.remove(at: place)
                default: mutated.insert(UInt8(random.below(128)), at: place)
                }
            }
            _ = try? ReproduceFile.parse(String(decoding: mutated, as: UTF8.self), file: "f.yaml")
        }
    }

    @Test func sometimesIsPartOfAScenarioOnlyWhereItIsWritten() throws {
        let text = """
            version: 1
            name: s
            topology:
              regions: {a: {nodes: 1}, b: {nodes: 1}}
              links: [{between: [a, b], rtt: 10 ms, rate: 100 Mbit/s}]
            workload: {kind: echo}

            """
        let plain = try ScenarioFile.parse(text, file: "s.yaml")
        #expect(plain.sometimes.isEmpty && !plain.resolvedText.contains("sometimes"))
        let asking = try ScenarioFile.parse(
            text + "sometimes: [raft.elected, \"snapshot: during transfer\"]\n",
            file: "s.yaml"
        )
        #expect(asking.sometimes == ["raft.elected", "snapshot: during transfer"])
        #expect(try ScenarioFile.parse(asking.resolvedText, file: "s.yaml") == asking)
        #expect(asking.digest != plain.digest)
        #expect(throws: ScenarioError.self) {
            _ = try ScenarioFile.parse(text + "sometimes: [a, a]\n", file: "s.yaml")
        }
    }
}
