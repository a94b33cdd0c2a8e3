import Foundation
import Testing

// Goal: the rules that keep the house in order are kept by every file.
// Method: read the sources as text; each rule names the offending line and what to do instead.
@Suite struct TidyTests {
    /// Wings whose code must behave the same in every process.
    static let deterministicWings = ["Core", "NovaCron", "Environments"]
    /// The rooms that talk to the real world on purpose.
    static let realRooms = [
        "HostEffects", "LinkEmulator", "RDMAEnvironment", "SocketEnvironment",
    ]

    static let replacements: [(pattern: String, instead: String)] = [
        (#"\bimport Foundation\b"#, "Foundation stays in Laboratory and the commands"),
        (#"\bDate\("#, "`now` is an argument"),
        (#"\bUUID\("#, "identifiers come from SeededRandom or are counted"),
        (#"\bContinuousClock\b|\bSuspendingClock\b"#, "`now` is an argument"),
        (#"\bTask \{|\bTask\.detached"#, "a machine appends actions; async code uses child tasks"),
        (#"\.random\(in: [^)]*\)$|\.random\(\)"#, "SeededRandom"),
        (#"\.shuffled\(\)|\.shuffle\(\)|\.randomElement\(\)"#, "pass `using: &random`"),
        (#"SystemRandomNumberGenerator"#, "SeededRandom"),
        // Calls of the C library, not functions of that name, such as swift-log's.
        (#"(?<![.\w])(?<!func )(log|exp|pow|cbrt|tanh|log2|log10)\("#, "DeterministicMath"),
        (#"\.hashValue\b|\bHasher\(\)"#, "HashChain; Swift's hashes differ in each process"),
    ]

    @Test func deterministicCodeUsesOnlyDeterministicMeans() throws {
        for file in try SourceTree.load(["Sources"]).files
        where Self.deterministicWings.contains(file.wing) && !Self.realRooms.contains(file.room)
            && !file.path.hasSuffix("DeterministicMath.swift")
        {
            for (number, text) in file.code {
                for rule in Self.replacements {
                    let found = text.range(of: rule.pattern, options: .regularExpression) != nil
                    #expect(!found, "\(file.path):\(number): \(rule.instead)")
                }
            }
        }
    }

    @Test func biasedPointsStrikeInSimulationsOnly() throws {
        for file in try SourceTree.load(["Sources"]).files
        where file.room != "SimulatedEnvironment" && !file.path.hasSuffix("BiasedPoints.swift") {
            for (number, text) in file.code {
                #expect(
                    !text.contains(".simulated(") || text.contains("Replication.simulated("),
                    "\(file.path):\(number): only a simulation may make points that strike"
                )
            }
        }
    }

    @Test func nothingIteratesOverADictionaryOrSet() throws {
        let declaration = try Regex(
            #"(?:var|let) (\w+)(?:: (?:\[\w+: |Set<)| = Set[<(]| = \[\w+: \w+\]\(\))"#
        )
        for file in try SourceTree.load(["Sources"]).files
        where Self.deterministicWings.contains(file.wing) && !Self.realRooms.contains(file.room) {
            let code = file.code
            let names = code.flatMap { line in
                line.text.matches(of: declaration).compactMap {
                    $0.output[1].substring.map(String.init)
                }
            }
            for name in Set(names) {
                let loop = #"\bin (self\.)?NAME\b(\.(keys|values|enumerated\(\)))?\s*(\{|where|$)"#
                    .replacingOccurrences(of: "NAME", with: name)
                let walk =
                    #"\bNAME(\.keys|\.values)?\.(map|forEach|filter|reduce|first \{|flatMap|compactMap)\b"#
                    .replacingOccurrences(of: "NAME", with: name)
                for (number, text) in code {
                    let found =
                        text.range(of: loop, options: .regularExpression) != nil
                        || text.range(of: walk, options: .regularExpression) != nil
                    #expect(
                        !found,
                        "\(file.path):\(number): the order of '\(name)' differs in each process; keep a sorted array"
                    )
                }
            }
        }
    }

    @Test func wingsImportOnlyWhatStandsBelowThem() throws {
        let tree = try SourceTree.load(["Sources"])
        let wingOfRoom = Dictionary(
            tree.files.map { ($0.room, $0.wing) },
            uniquingKeysWith: { first, _ in first }
        )
        let allowed: [String: Set<String>] = [
            "Core": ["Core"],
            "NovaCron": ["Core", "NovaCron"],
            "Environments": ["Core", "Environments"],
            "Laboratory": ["Core", "NovaCron", "Environments", "Laboratory"],
        ]
        for file in tree.files {
            guard let mayImport = allowed[file.wing] else { continue }
            for (number, text) in file.code {
                guard
                    let match = text.firstMatch(of: /^\s*(?:public |package |@\w+ )*import (\w+)/),
                    let wing = wingOfRoom[String(match.1)]
                else { continue }
                #expect(
                    mayImport.contains(wing),
                    "\(file.path):\(number): \(file.wing) does not stand on \(wing)"
                )
            }
        }
    }

    @Test func filesAreShortAndLinesFit() throws {
        let tree = try SourceTree.load(
            ["Sources", "Tests", "Benchmarks"],
            extensions: ["swift", "cpp", "h"]
        )
        for file in tree.files {
            #expect(
                file.lines.count <= 800,
                "\(file.path) has \(file.lines.count) lines; split it by aspect"
            )
        }
    }

    @Test func nothingIsMarkedUnfinished() throws {
        let marks = [
            "TO" + "DO", "FIX" + "ME", "X" + "XX", "not " + "implemented", "-Oun" + "checked",
        ]
        let tree = try SourceTree.load(
            ["Sources", "Tests", "Benchmarks", "scenarios", "docs"],
            extensions: ["swift", "cpp", "h", "yaml", "md", "sh"]
        )
        for file in tree.files {
            for (index, line) in file.lines.enumerated() {
                for mark in marks {
                    #expect(
                        !line.contains(mark),
                        "\(file.path):\(index + 1): finish it or leave it out"
                    )
                }
            }
        }
    }

    @Test func noModuleSharesItsNameWithAType() throws {
        let tree = try SourceTree.load(["Sources"])
        let rooms = Set(tree.files.map(\.room))
        for file in tree.files {
            for (number, text) in file.code {
                guard
                    let match = text.firstMatch(
                        of:
                            /^(?:public |final )*(?:struct|class|enum|protocol|actor|typealias) (\w+)/
                    )
                else { continue }
                #expect(
                    !rooms.contains(String(match.1)),
                    "\(file.path):\(number): '\(match.1)' is also a module"
                )
            }
        }
    }

    @Test func everyTestFileSaysItsGoal() throws {
        for file in try SourceTree.load(["Tests"]).files where file.path.hasSuffix("Tests.swift") {
            #expect(
                file.lines.contains { $0.contains("Goal") },
                "\(file.path) opens with its goal and method"
            )
        }
    }

    @Test func formattingIsClean() throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "swift", "format", "lint", "--strict", "--recursive", "Sources", "Tests",
            "Package.swift",
        ]
        process.currentDirectoryURL = SourceTree.root
        let pipe = Pipe()
        process.standardError = pipe
        process.standardOutput = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(
            process.terminationStatus == 0,
            "\(String(decoding: output.prefix(4000), as: UTF8.self))"
        )
    }
}
