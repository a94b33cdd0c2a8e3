import ArgumentParser
import Foundation
import Scenarios

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Checks scenario files without running them.",
        discussion: """
            Every error names file, line and column, what was found and what was expected.

            Examples:
              novalab check scenarios/study/*.yaml
              novalab check --resolved scenarios/study/wan-migration.yaml
              novalab check --resolved scenarios/chaos/swarm.yaml --seed 42
              novalab check --json scenarios/study/*.yaml
            """
    )

    @Argument(help: "Scenario files.", completion: .file(extensions: ["yaml"]))
    var files: [String]

    @Flag(help: "Print what will run, every default filled in.")
    var resolved = false

    @Option(
        help: "With a swarm: print what this seed draws, decimal or hexadecimal; needs --resolved."
    )
    var seed: String?

    @Flag(help: "Print JSON; docs/json-output.md has the fields.")
    var json = false

    func validate() throws {
        guard let seed else { return }
        guard resolved else { throw ValidationError("--seed needs --resolved") }
        guard CheckCommand.number(seed) != nil else {
            throw ValidationError("'\(seed)' is not a seed; write a number such as 42 or 0x9A3F")
        }
    }

    private static func number(_ text: String) -> UInt64? {
        text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
    }

    func run() throws {
        var failure: Int32 = 0
        var checked: [CheckedFile] = []
        for file in files {
            do {
                var scenario = try ScenarioFile.load(path: file)
                if let problem = Preparation.traceProblem(&scenario, path: file) {
                    printError(problem.message)
                    failure = max(failure, problem.code)
                }
                if let seed = seed.flatMap(CheckCommand.number) {
                    scenario = scenario.drawn(seed: seed)
                }
                checked.append(CheckedFile(file, scenario, isResolved: resolved))
                if json { continue }
                if resolved {
                    print(scenario.resolvedText, terminator: "")
                } else {
                    print("\(file): ok, \(scenario.summary)")
                }
            } catch {
                checked.append(CheckedFile(file, error))
                if !json { printError(error.description) }
                failure = max(failure, error.exitCode)
            }
        }
        if json { try JSONOutput.print(checked) }
        if failure != 0 { throw ExitCode(failure) }
    }
}

extension Scenario {
    /// `migration, 2 variants, 3 targets`.
    var summary: String {
        "\(workload.kind.rawValue), \(counted(variants.count, "variant")), "
            + counted(targets.count, "target")
    }
}

/// `1 variant`, `2 variants`.
func counted(_ count: Int, _ noun: String) -> String {
    count == 1 ? "1 \(noun)" : "\(count) \(noun)s"
}
