import ArgumentParser
import Glibc

/// The daemon's command line: parses, runs or asks a node, prints.
@main
struct NovaCronNode: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "novacron-node",
        abstract: "Runs one node of NovaCron, and tells of one that runs.",
        discussion: """
            Without a configuration file a node has embedded defaults; variables NOVACRON_* of the \
            environment go before the file.

            Examples:
              novacron-node start
              novacron-node start --foreground --config /etc/novacron/node.yaml
              novacron-node check --config node.yaml
              novacron-node status --data-directory /var/lib/novacron
              novacron-node stop --data-directory /var/lib/novacron

            Exit codes: 0 done; 64 usage; 65 bad configuration; 69 something is missing: a privilege, \
            a free port, a resource, or another instance runs; 70 a bug of this program; 74 disk or \
            database error; 130 ended by a second signal. `status`: 0 READY, 1 running but not READY, \
            3 not running. `stop`: 0 not running any more, 1 still running.
            """,
        version: "2.0",
        subcommands: [
            StartCommand.self, CheckCommand.self, StatusCommand.self, StopCommand.self,
        ]
    )

    static func main() async {
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let failure as CommandFailure {
            Terminal.complain(failure.message)
            Glibc.exit(failure.code.rawValue)
        } catch {
            if !(error is ExitCode), exitCode(for: error) == .failure {
                Terminal.complain("a bug of this program: \(error)")
                Glibc.exit(NodeExitCode.bug.rawValue)
            }
            exit(withError: error)
        }
    }
}

/// Where a node's configuration and data are.
struct NodeLocation: ParsableArguments {
    @Option(name: .customLong("config"), help: "A configuration file, YAML or JSON.")
    var configurationFile: String?

    @Option(help: "The folder in which the node keeps everything; goes before the configuration.")
    var dataDirectory: String?
}
