import Effects
import NodeFoundation

/// The folder of a node, and the process that runs in it.
struct NodePlace: Sendable {
    let configuration: NodeConfiguration
    private let effects: NodeEffects

    init(_ settings: NodeSettings, _ effects: NodeEffects) async throws(CommandFailure) {
        do {
            configuration = try await ConfigurationComponent.load(
                path: settings.configurationFile,
                dataDirectory: settings.dataDirectory,
                effects: effects
            )
        } catch {
            throw CommandFailure(.badConfiguration, error.description)
        }
        self.effects = effects
    }

    var folder: String { configuration.dataDirectory }

    /// The process that holds the folder's lock; `nil` when no node runs there.
    func runningProcess() async -> Int32? {
        let lock = configuration.path(InstanceLockComponent.lockFile)
        guard let process = await LockHolder.process(of: lock, effects.files),
            LockHolder.isNode(process)
        else { return nil }
        return process
    }

    /// Where the health server of a process that runs here listens: as it told, or as configured.
    func healthEndpoint(of process: Int32) async -> SocketEndpoint? {
        let told = await RunningNode.read(from: folder, effects.files)
        if let told, told.process == process { return told.health.flatMap { SocketEndpoint($0) } }
        return configuration.health.endpoint.port == 0 ? nil : configuration.health.endpoint
    }
}
