import ArgumentParser
import Effects
import HostEffects
import NodeFoundation

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Checks configuration and resources without starting a node.",
        discussion: """
            Nothing is created or changed. What the machine lacks is told; it is an error only when \
            the settings say that the node halts then.

            Examples:
              novacron-node check
              novacron-node check --config /etc/novacron/node.yaml

            Exit codes: 0 a node could start, 65 bad configuration, 69 a resource is missing or \
            another instance runs.
            """
    )

    @OptionGroup var location: NodeLocation

    func run() async throws {
        let world = HostWorld()
        try await check(in: world)
        await world.shutdown()
    }

    private func check(in world: HostWorld) async throws {
        let place = try await NodePlace(location.settings, world.effects)
        let configuration = place.configuration
        let origin = location.settings.configurationFile ?? "embedded defaults"
        Terminal.say("configuration  sound (\(origin))")
        let shortfalls: [String]
        do {
            shortfalls = try await ResourcesComponent.shortfalls(configuration, world.effects)
        } catch {
            throw CommandFailure(.unavailable, "resources cannot be told: \(error)")
        }
        Terminal.say("resources      \(shortfalls.isEmpty ? "enough" : "short")")
        for shortfall in shortfalls { Terminal.say("               \(shortfall)") }
        if !shortfalls.isEmpty, configuration.resources.belowMinimum == .halt {
            throw CommandFailure(.unavailable, "a node would not start with these resources")
        }
        if let process = await place.runningProcess() {
            throw CommandFailure(.unavailable, "process \(process) runs in \(place.folder) already")
        }
        Terminal.say("instance       none runs in \(place.folder)")
        Terminal.say(
            """
            listeners      control \(configuration.network.control), \
            transfers \(configuration.dwcp.endpoint), probes \(configuration.environment.answersAt), \
            health \(configuration.health.endpoint)
            """
        )
    }
}
