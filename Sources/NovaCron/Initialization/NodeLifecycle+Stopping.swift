import Effects
import Synchronization
import Units

extension NodeLifecycle {
    /// Stops what runs, as the ending asks, and says how the life ended.
    func finish(_ ending: StartEnding) async -> LifecycleOutcome {
        switch ending {
        case .served:
            let left = await stopAll(within: policy.shutdown.cleanup)
            // The mark is for the next boot's report only; without it that boot assumes a crash.
            try? await journal.stopped()
            emit(.shutdownEnded(left: left))
            return .stopped(left: left)
        case .failed(let component, let reason):
            return .failed(component: component, reason: reason, left: await rollBack())
        case .late(let waitingFor):
            return .late(waitingFor: waitingFor, left: await rollBack())
        case .cancelled:
            return .cancelled(left: await rollBack())
        }
    }

    private func rollBack() async -> [String] {
        emit(.rollbackStarted)
        let left = await stopAll(within: policy.rollbackDeadline)
        emit(.rollbackEnded(left: left))
        return left
    }

    /// Components that others depend on are drained after those others.
    func drain() async {
        emit(.drainStarted)
        let end = effects.clock.now.advanced(by: policy.shutdown.drain)
        let complete = await withDeadline(policy.shutdown.drain, effects.clock) { [self] in
            for part in runningInReverse() where part.isReady {
                await part.component.drain(part.context)
                if effects.clock.now >= end { return false }
            }
            return true
        }
        emit(.drainEnded(complete: complete ?? false))
    }

    /// Stops dependents before what they depend on. The answer names those that were not stopped
    /// when the time was up.
    private func stopAll(within limit: Interval) async -> [String] {
        let end = effects.clock.now.advanced(by: limit)
        _ = await withDeadline(limit, effects.clock) { [self] in
            for part in runningInReverse() {
                if effects.clock.now >= end { return }
                emit(.componentStopping(component: part.context.name))
                await part.component.stop(part.context)
                if effects.clock.now >= end { return }
                container.removeValues(of: part.context.name)
                unregister(part.context.name)
                emit(.componentStopped(component: part.context.name))
            }
        }
        return runningInReverse().map(\.context.name)
    }

    /// Dependents first.
    private func runningInReverse() -> [RunningComponent] {
        graph.order.reversed().compactMap { runningComponent(graph.components[$0].name) }
    }
}
