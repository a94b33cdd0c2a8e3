import ArgumentParser
import Experiments
import Foundation
import Measurements
import Scenarios
import SocketEnvironment
import Units

/// The process of one node; started by the laboratory.
struct AgentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agent",
        abstract: "Is one node of a run on sockets.",
        shouldDisplay: false
    )

    func run() async throws {
        // Ctrl-C reaches the whole group; the laboratory decides when its nodes end.
        signal(SIGINT, SIG_IGN)
        do {
            try await AgentProgram.run { assignment in
                let preparation = try Preparation(
                    path: assignment.scenarioPath,
                    environment: assignment.environment,
                    seed: nil,
                    line: ProgressLine(),
                    isAgent: true
                )
                guard let variant = preparation.scenario.variant(named: assignment.variant) else {
                    throw SocketFailure("the scenario has no variant '\(assignment.variant)'")
                }
                return preparation.setting(variant, seed: assignment.seed)
            }
        } catch let failure as SocketFailure {
            throw CommandFailure(code: 70, message: failure.description)
        }
    }
}

/// Starts the processes of nodes: this program with its hidden verb.
struct AgentLauncher {
    static func launch() throws -> AgentHandle {
        do {
            return try AgentHandle(
                executable: DatasetCommand.ownExecutable,
                arguments: [AgentCommand.configuration.commandName!]
            )
        } catch {
            throw CommandFailure(code: 70, message: "cannot start a node's process: \(error)")
        }
    }
}
