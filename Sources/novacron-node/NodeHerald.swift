import Effects
import Initialization
import Logging
import NodeFoundation
import NodeOperations
import NodePlatform

/// Tells the log, the service manager and other commands how the node is.
struct NodeHerald: Sendable {
    private let node: Node
    private let effects: NodeEffects
    private let manager: ServiceManager

    init(_ node: Node, _ effects: NodeEffects, _ manager: ServiceManager) {
        self.node = node
        self.effects = effects
        self.manager = manager
    }

    /// Until nothing happens any more.
    func run(_ happenings: AsyncStream<LifecycleEvent.Kind>) async {
        var logger: Logger?
        var folder: String?
        var answers = false
        for await happening in happenings {
            if logger == nil {
                logger = node.lifecycle.value(NodeKeys.logger)?.component("node")
            }
            if let logger { log(happening, logger) }
            tell(happening)
            switch happening {
            case .componentReady("instance-lock", _):
                // Not before: the folder may be another process's.
                folder = node.lifecycle.value(NodeKeys.configuration)?.dataDirectory
                if answers { await announce(in: folder) }
            case .componentReady("health.server", _):
                answers = true
                await announce(in: folder)
            case .ready:
                await announce(in: folder)
            default:
                break
            }
        }
        await withdraw(from: folder)
    }

    private func tell(_ happening: LifecycleEvent.Kind) {
        switch happening {
        case .ready(let degraded):
            let names = degraded.joined(separator: ", ")
            manager.ready(degraded.isEmpty ? "READY" : "READY, degraded: \(names)")
        case .stopRequested, .drainStarted, .rollbackStarted:
            manager.stopping()
        default:
            break
        }
    }

    /// What an operator wants to read later; the rest is in reports and metrics.
    private func log(_ happening: LifecycleEvent.Kind, _ logger: Logger) {
        switch happening {
        case .attemptFailed(let component, let attempt, let reason):
            logger.warning("\(component) failed in attempt \(attempt): \(reason)")
        case .fallbackStarted(let component, let fallback):
            logger.warning("\(fallback) takes the place of \(component)")
        case .componentFailed(let component, _, let reason):
            logger.error("\(component) is not there: \(reason)")
        case .componentSkipped(let component, _, let missing):
            logger.error("\(component) is not there, since it needs \(missing)")
        case .ready(let degraded):
            logger.notice("READY", metadata: ["degraded": .array(degraded.map { .string($0) })])
        case .bootDeadlineExceeded(let waitingFor):
            logger.critical("not READY in time; waiting for \(waitingFor.joined(separator: ", "))")
        case .bootFailed(let component, let reason):
            logger.critical("the boot failed: \(component): \(reason)")
        case .stopRequested:
            logger.notice("asked to stop")
        case .drainEnded(complete: false):
            logger.warning("not everything that was under way could be finished")
        case .rollbackEnded(let left), .shutdownEnded(let left):
            if left.isEmpty {
                logger.notice("stopped")
            } else {
                logger.error("did not stop: \(left.joined(separator: ", "))")
            }
        default:
            break
        }
    }

    private func announce(in folder: String?) async {
        guard let folder else { return }
        let running = RunningNode(
            process: effects.machine.processID,
            health: node.lifecycle.value(OperationsKeys.healthEndpoint)?.description,
            control: node.lifecycle.value(PlatformKeys.controlEndpoint)?.description
        )
        do {
            try await running.write(to: folder, effects.files)
        } catch {
            // Only convenience is lost: commands then ask at the configured port.
            manager.status("running.json cannot be written: \(error)")
        }
    }

    /// The folder may have gone to another process meanwhile.
    private func withdraw(from folder: String?) async {
        guard let folder, let told = await RunningNode.read(from: folder, effects.files),
            told.process == effects.machine.processID
        else { return }
        try? await effects.files.remove("\(folder)/\(RunningNode.fileName)")
    }
}
