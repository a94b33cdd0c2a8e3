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
              novalab check --json scenarios/study/*.yaml
            """
    )

    @Argument(help: "Scenario files.", completion: .file(extensions: ["yaml"]))
    var files: [String]

    @Flag(help: "Print what will run, every default filled in.")
    var resolved = false

    @Flag(help: "Print JSON; docs/json-output.md has the fields.")
    var json = false

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
