import ArgumentParser
import Effects
import FoundationEssentials
import HostEffects

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Tells how a node is.",
        discussion: """
            The node is the one whose process holds the lock of the data directory; it is asked over \
            its health server.

            Examples:
              novacron-node status
              novacron-node status --data-directory /srv/novacron --json

            Exit codes: 0 READY, 1 it runs but is not READY, 3 it does not run, 65 bad configuration.
            """
    )

    @OptionGroup var location: NodeLocation

    @Flag(help: "Prints one JSON object.")
    var json = false

    func run() async throws {
        let world = HostWorld()
        let code = try await tell(in: world)
        await world.shutdown()
        throw ExitCode(code.rawValue)
    }

    private func tell(in world: HostWorld) async throws -> NodeExitCode {
        let place = try await NodePlace(location.settings, world.effects)
        guard let process = await place.runningProcess() else {
            say(#"{"stage":"not running"}"#, "no node runs in \(place.folder)")
            return .notRunning
        }
        let endpoint = await place.healthEndpoint(of: process)
        guard let endpoint, let body = HealthClient(endpoint: endpoint).get("/status"),
            let status = try? JSONDecoder().decode(ToldStatus.self, from: Data(body))
        else {
            say(
                #"{"pid":\#(process),"stage":"not answering"}"#,
                "process \(process) runs, and its health server does not answer"
            )
            return .notYet
        }
        let document = String(decoding: body, as: UTF8.self)
        say(document.last == "\n" ? String(document.dropLast()) : document, status.text)
        return status.stage == "ready" ? .success : .notYet
    }

    private func say(_ document: String, _ text: String) {
        Terminal.say(json ? document : text)
    }
}

/// What the health server tells, as far as it is shown.
struct ToldStatus: Decodable {
    var name: String
    var pid: Int32
    var uptimeSeconds: Double
    var stage: String
    var bootSeconds: Double?
    var failure: String?
    var components: [Component]

    struct Component: Decodable {
        var name: String
        var state: String
        var fallback: String?
        var seconds: Double?
        var health: String?
        var detail: String?
    }

    var text: String {
        var lines = ["\(name)  \(stage)  process \(pid)  up \(ToldStatus.rounded(uptimeSeconds)) s"]
        if let bootSeconds { lines.append("READY after \(ToldStatus.rounded(bootSeconds)) s") }
        if let failure { lines.append("failed: \(failure)") }
        let width = components.map(\.name.count).max() ?? 0
        for component in components {
            let padding = String(repeating: " ", count: width - component.name.count)
            let words = [
                component.state,
                component.seconds.map { "\(ToldStatus.rounded($0)) s" },
                component.health == "healthy" ? nil : component.health,
                component.fallback.map { "by \($0)" }, component.detail,
            ]
            lines.append(
                "  \(component.name)\(padding)  " + words.compactMap { $0 }.joined(separator: "  ")
            )
        }
        return lines.joined(separator: "\n")
    }

    /// To the millisecond.
    private static func rounded(_ seconds: Double) -> String {
        "\((seconds * 1000).rounded() / 1000)"
    }
}
