import ArgumentParser
import Experiments
import Foundation
import Scenarios
import SocketEnvironment

/// The process of a run's links; started by the laboratory.
struct EmulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "emulate",
        abstract: "Is the links of a run on sockets.",
        shouldDisplay: false
    )

    func run() throws {
        // Ctrl-C reaches the whole group; the laboratory decides when its links end.
        signal(SIGINT, SIG_IGN)
        do {
            try EmulatorProgram.run { path in
                var scenario = try ScenarioFile.load(path: path)
                try Preparation.attachTraces(to: &scenario, path: path)
                return scenario
            }
        } catch let failure as SocketFailure {
            throw CommandFailure(code: 70, message: failure.description)
        }
    }
}
