import ArgumentParser
import Experiments
import Foundation
import Measurements
import Scenarios

/// The process that runs seeds of a campaign, one after the other; started by the laboratory.
struct SeedsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "seeds",
        abstract: "Runs seeds of a chaos campaign.",
        shouldDisplay: false
    )

    @Argument(help: "The scenario file.")
    var file: String

    @Option(help: "The digest that the scenario must have.")
    var digest: String

    @Option(help: "What the runs are built from.")
    var commit: String

    func run() throws {
        // Ctrl-C reaches the whole group; the laboratory decides when its processes end.
        signal(SIGINT, SIG_IGN)
        CrashPlace.install()
        let preparation = try Preparation(
            path: file,
            environment: .simulated,
            seed: nil,
            line: ProgressLine(),
            isAgent: true
        )
        guard preparation.scenario.digest == digest else {
            throw CommandFailure(
                code: 65,
                message: "\(file) has changed since the campaign began; start it again"
            )
        }
        SeedWorkerProgram.run(commit: commit) { name, seed in
            preparation.scenario.variant(named: name).map {
                preparation.setting($0, seed: seed, digest: digest)
            }
        }
    }
}

extension SeedWorkers {
    /// Processes of this program for one scenario.
    ///
    /// - Parameter limitSeconds: Of real time for one seed.
    static func ownProgram(_ preparation: Preparation, limitSeconds: Double) -> SeedWorkers {
        let arguments = [
            SeedsCommand.configuration.commandName!, preparation.path, "--digest",
            preparation.scenario.digest, "--commit", preparation.commit,
        ]
        return SeedWorkers(limitSeconds: limitSeconds) {
            try SeedWorker(
                executable: DatasetCommand.ownExecutable,
                arguments: arguments,
                // A backtrace takes seconds and tells nothing that the place of the crash does not.
                environment: ["SWIFT_BACKTRACE": "enable=no"],
                describe: CrashPlace.describe
            )
        }
    }
}

/// Runs `body`, with what a campaign's process says as this command's failure.
func withWorkers<Value>(_ body: () throws -> Value) throws -> Value {
    do {
        return try body()
    } catch let failure as SeedWorker.Failure {
        throw CommandFailure(code: failure.code, message: failure.description)
    }
}
