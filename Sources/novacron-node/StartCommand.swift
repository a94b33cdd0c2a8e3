import ArgumentParser
import Effects
import HostEffects

struct StartCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Starts a node.",
        discussion: """
            In the background, unless --foreground is given: then the command returns once the node is \
            READY, and the log is novacron.log in the data directory. In the foreground the log goes \
            to standard error, one JSON object a line, and SIGTERM or SIGINT end the node in order; a \
            second one ends it at once. SIGHUP is ignored.

            Examples:
              novacron-node start
              novacron-node start --config node.yaml --data-directory ./data
              novacron-node start --foreground --config /etc/novacron/node.yaml

            Exit codes: 0 READY (in the foreground: ended in order), 1 a part did not stop in time, \
            64 usage, 65 bad configuration, 69 a privilege, port or resource is missing or another \
            instance runs, 70 a bug of this program, 74 disk or database error, 130 ended by a second \
            signal.
            """
    )

    @OptionGroup var location: NodeLocation

    @Flag(help: "Keeps the node in this process.")
    var foreground = false

    @Option(
        help: ArgumentHelp(
            "Ends the process by SIGKILL at STEP:before or STEP:after.",
            visibility: .hidden
        ),
        transform: StartCommand.point
    )
    var crashAt: CrashPoint?

    @Option(
        help: ArgumentHelp(
            "An open descriptor or a file for reports, one JSON value a line.",
            visibility: .hidden
        )
    )
    var events: String?

    func validate() throws {
        guard foreground || (crashAt == nil && events == nil) else {
            throw ValidationError("--crash-at and --events belong to --foreground")
        }
    }

    func run() async throws {
        // First of all: the origin of all times is the start of the process.
        let clock = HostClock()
        try OpenFilesLimit.ensure()
        guard foreground else {
            throw ExitCode(try await BackgroundStart(location.settings).run().rawValue)
        }
        let runner = NodeRunner(
            settings: location.settings,
            crashPoint: crashAt,
            events: events,
            clock: clock
        )
        throw ExitCode(try await runner.run().rawValue)
    }

    private static func point(_ text: String) throws -> CrashPoint {
        guard let point = CrashPoint(text) else {
            throw ValidationError("'\(text)' is not STEP:before or STEP:after")
        }
        return point
    }
}
