import ArgumentParser
import Foundation

/// The command line: parses, calls the laboratory, prints.
@main
struct NovaLab: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "novalab",
        abstract: "Runs real protocol code under modelled networks and says GO or NO-GO.",
        discussion: """
            A scenario file describes regions, links, a workload and targets. `run` executes it, \
            archives every replication and writes a report.

            Examples:
              novalab run scenarios/study/wan-migration.yaml
              novalab run scenarios/study/wan-migration.yaml --on sockets --json
              novalab check --resolved scenarios/smoke/echo.yaml
              novalab replay scenarios/smoke/echo.yaml --seed 42
              novalab chaos scenarios/chaos/boot-faults.yaml --seeds 1000

            Exit codes: 0 GO, 1 NO-GO, 2 INCONCLUSIVE, 10 safety violation, 11 liveness violation, \
            12 nondeterminism, 13 crash in code under test, 14 INVALID, 75 too few replications; \
            64 usage, 65 bad scenario, 66 bad data set, 69 something is missing on this machine, \
            70 a bug of the laboratory, 74 archive or disk error, 130 interrupted.
            """,
        version: "0.1",
        subcommands: [
            RunCommand.self, CheckCommand.self, ChaosCommand.self, ReplayCommand.self,
            ShrinkCommand.self, ReportCommand.self, RunsCommand.self, VerifyCommand.self,
            DatasetCommand.self, DoctorCommand.self, CalibrateCommand.self, BenchCommand.self,
            InitCommand.self, SchemaCommand.self, AgentCommand.self, EmulateCommand.self,
            SeedsCommand.self,
            WorkloadCommand.self,
        ]
    )

    static func main() async {
        // A closed pipe ends the output, not the campaign that is being archived.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let failure as CommandFailure {
            printError(failure.message)
            Foundation.exit(failure.code)
        } catch {
            // Code 1 is a verdict; an error that nobody foresaw must not look like one.
            if !(error is ExitCode), exitCode(for: error) == .failure {
                printError("a bug of the laboratory: \(error)")
                Foundation.exit(70)
            }
            exit(withError: error)
        }
    }
}

/// Why a command cannot do what it was asked; the code is one of those that `--help` lists.
struct CommandFailure: Error, CustomStringConvertible {
    let code: Int32
    let message: String

    var description: String { message }

    static func missing(_ message: String) -> CommandFailure {
        CommandFailure(code: 69, message: message)
    }
}

/// One line, or some, on standard error.
func printError(_ text: String) {
    FileHandle.standardError.write(Data((text + "\n").utf8))
}
