import Effects
import Initialization
import NodeOperations
import SimulatedEffects
import Units

/// The project's own node for one life on modelled effects.
final class RealGraph: Sendable {
    let components: [any Component]
    private let status = NodeStatus()
    private let metrics: NodeMetrics
    private static let path = "/etc/novacron/node.yaml"
    private static let configuration = """
        name: node
        region: local
        data-directory: /var/lib/novacron

        """

    init(seed: UInt64, node: NodeID) {
        let options = NodeOptions(
            configurationFile: RealGraph.path,
            seed: seed,
            entity: EntityID(node)
        )
        metrics = NodeMetrics(options.registry)
        components = NodeGraph.components(options: options, status: status, metrics: metrics)
    }

    func connect(_ lifecycle: NodeLifecycle, _ journal: BootJournal) {
        status.connect(
            lifecycle.graph.components,
            previousBoot: { journal.previous },
            health: { timeout in await lifecycle.health(timeout: timeout) }
        )
    }

    func disconnect() { status.disconnect() }

    func observe(_ event: LifecycleEvent) {
        status.observe(event)
        metrics.observe(event)
    }

    /// Puts the node's configuration file there, whole or cut in the middle of a value.
    static func configure(_ host: SimulatedHost, isTorn: Bool) {
        let text = isTorn ? "name: node\nregion: {local, \"/var/l" : configuration
        host.disk.place(path, Array(text.utf8))
    }
}

extension RealGraph {
    /// What is wrong with the node's database as it stands on the disk; `nil` when it is sound, and has
    /// all of what its table of migrations says or none of it.
    static func databaseProblem(_ effects: NodeEffects) async -> String? {
        let path = "/var/lib/novacron/node.sqlite"
        do {
            let database = try await effects.databases.open(path, busyTimeout: .seconds(1))
            let problems = try await database.integrityProblems()
            let taken = try await database.run("SELECT count(*) FROM migration")
            let tables = try await database.run(
                "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ('task', 'job')"
            )
            await database.close()
            if let problem = problems.first { return problem }
            let isTaken = taken.first?.first?.integer ?? 0 > 0
            let isThere = tables.first?.first?.integer ?? 0 > 0
            return isTaken == isThere ? nil : "a migration is there in part"
        } catch {
            return error.description
        }
    }
}
