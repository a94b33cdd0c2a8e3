import ArgumentParser
import Experiments
import Foundation
import Scenarios
import SocketEnvironment

/// Links as a process: those of a run, started by the laboratory, or those of a scenario for programs
/// that somebody else starts.
struct EmulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "emulate",
        abstract: "Emulates a scenario's links for programs of your own.",
        discussion: """
            Each node of the scenario gets a network namespace, and what leaves it meets the link that \
            the scenario states. One line a node says where it is: 'node NUMBER REGION ADDRESS \
            NAMESPACE'. It goes on until standard input ends (Ctrl-D), and then says how exact the \
            links were. Meanwhile processors are kept from sleeping, behind all other work. Needs root, \
            and ends with 69 without; nothing is left behind.

            Examples:
              novalab emulate scenarios/study/bulk.yaml
              nsenter --net=/proc/4711/fd/9 iperf3 -s      # in a namespace that was printed
            """
    )

    @Argument(help: "The scenario file.", completion: .file(extensions: ["yaml"]))
    var file: String?

    func run() throws {
        do {
            if let file {
                let scenario = try EmulateCommand.load(file)
                do throws(SocketFailure) {
                    try EmulatorProgram.hold(scenario)
                } catch {
                    throw CommandFailure.missing(
                        "\(error); it takes root, or the capabilities CAP_SYS_ADMIN and CAP_NET_ADMIN, "
                            + "and /dev/net/tun: run it with sudo; 'novalab doctor' says what this "
                            + "machine lacks"
                    )
                }
                return
            }
            // Ctrl-C reaches the whole group; the laboratory decides when its links end.
            signal(SIGINT, SIG_IGN)
            try EmulatorProgram.run { try EmulateCommand.load($0) }
        } catch let failure as SocketFailure {
            throw CommandFailure(code: 70, message: failure.description)
        } catch let failure as ScenarioError {
            throw CommandFailure(code: failure.exitCode, message: failure.description)
        }
    }

    private static func load(_ path: String) throws -> Scenario {
        var scenario = try ScenarioFile.load(path: path)
        try Preparation.attachTraces(to: &scenario, path: path)
        return scenario
    }
}
