import Effects
import Initialization
import NodeFoundation
import NodeOperations

/// Tells the service manager and other commands how the node is.
struct NodeHerald: Sendable {
    private let node: Node
    private let effects: Effects
    private let manager: ServiceManager

    init(_ node: Node, _ effects: Effects, _ manager: ServiceManager) {
        self.node = node
        self.effects = effects
        self.manager = manager
    }

    /// Until nothing happens any more.
    func run(_ happenings: AsyncStream<LifecycleEvent.Kind>) async {
        var holdsLock = false
        var answers = false
        for await happening in happenings {
            switch happening {
            case .componentReady("instance-lock", _):
                holdsLock = true
                if answers { await announce() }
            case .componentReady("health.server", _):
                answers = true
                if holdsLock { await announce() }
            case .ready(let degraded):
                await announce()
                let names = degraded.joined(separator: ", ")
                manager.ready(degraded.isEmpty ? "READY" : "READY without all of: \(names)")
            case .stopRequested, .drainStarted, .rollbackStarted:
                manager.stopping()
            case .componentStopping("health.server") where holdsLock:
                // Nobody is found here any more, and the lock is still ours.
                await withdraw()
            default:
                break
            }
        }
    }

    private var folder: String? { node.lifecycle.value(NodeKeys.configuration)?.dataDirectory }

    private func announce() async {
        guard let folder else { return }
        let running = RunningNode(
            process: effects.machine.processID,
            health: node.lifecycle.value(OperationsKeys.healthEndpoint)?.description,
            control: nil
        )
        do {
            try await running.write(to: folder, effects.files)
        } catch {
            // Only convenience is lost: commands then ask at the configured port.
            manager.status("running.json cannot be written: \(error)")
        }
    }

    private func withdraw() async {
        guard let folder else { return }
        try? await effects.files.remove("\(folder)/\(RunningNode.fileName)")
    }
}
