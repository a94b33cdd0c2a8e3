import ArgumentParser
import Effects
import Glibc
import HostEffects
import Units

struct StopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "Ends a node in order and waits until it has gone.",
        discussion: """
            The node is the one whose process holds the lock of the data directory. It finishes what \
            is under way first.

            Examples:
              novacron-node stop
              novacron-node stop --data-directory /srv/novacron --timeout 90

            Exit codes: 0 it does not run any more, 1 it still runs, 65 bad configuration, 69 it may \
            not be signalled.
            """
    )

    @OptionGroup var location: NodeLocation

    @Option(help: "Seconds to wait for its end.")
    var timeout: Int = 60

    func validate() throws {
        guard (0...86_400).contains(timeout) else {
            throw ValidationError("--timeout is at most a day")
        }
    }

    func run() async throws {
        let world = HostWorld()
        let code = try await stop(in: world)
        await world.shutdown()
        throw ExitCode(code.rawValue)
    }

    private func stop(in world: HostWorld) async throws -> NodeExitCode {
        let place = try await NodePlace(location.settings, world.effects)
        guard let process = await place.runningProcess() else {
            Terminal.say("no node runs in \(place.folder)")
            return .success
        }
        guard kill(process, SIGTERM) == 0 || errno == ESRCH else {
            throw CommandFailure(
                .unavailable,
                "process \(process) may not be signalled: \(String(cString: strerror(errno)))"
            )
        }
        let clock = world.effects.clock
        let start = clock.now
        while world.effects.machine.isRunning(process) {
            guard clock.now - start < .seconds(Int64(timeout)) else {
                Terminal.complain("process \(process) still runs after \(timeout) s")
                return .notYet
            }
            try await clock.sleep(for: .milliseconds(10))
        }
        Terminal.say("process \(process) has ended")
        return .success
    }
}
