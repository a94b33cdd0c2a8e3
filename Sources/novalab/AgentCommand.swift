import ArgumentParser
import Experiments
import Foundation
import LinkEmulator
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

    @Option(help: "Move into the network namespace of this path first.")
    var enter: String?

    func run() async throws {
        AgentProgram.endWithLaboratory()
        if let enter {
            do throws(EmulatorFailure) {
                try NetworkNamespace.enter(enter)
            } catch {
                throw CommandFailure(code: 70, message: error.description)
            }
            // A namespace belongs to a thread and to what it becomes; started anew, all threads of
            // the process are inside.
            try becomeAgent()
        }
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

extension AgentCommand {
    /// Replaces this process by an agent without options; returns only to say why it could not.
    private func becomeAgent() throws {
        let path = DatasetCommand.ownExecutable
        var words: [UnsafeMutablePointer<CChar>?] = [
            strdup(path), strdup(AgentCommand.configuration.commandName!), nil,
        ]
        execv(path, &words)
        throw CommandFailure(
            code: 70,
            message: "cannot start \(path) again: \(String(cString: strerror(errno)))"
        )
    }
}

extension ProcessLauncher {
    /// This program with its hidden verbs.
    static let ownProgram = ProcessLauncher(
        agent: { namespace in
            let verb = AgentCommand.configuration.commandName!
            return try start([verb] + (namespace.map { ["--enter", $0] } ?? []))
        },
        emulator: { try start([EmulateCommand.configuration.commandName!]) }
    )

    private static func start(_ arguments: [String]) throws -> AgentHandle {
        do {
            return try AgentHandle(
                executable: DatasetCommand.ownExecutable,
                arguments: arguments
            )
        } catch {
            throw CommandFailure(code: 70, message: "cannot start a process of the run: \(error)")
        }
    }
}
