import Determinism
import Effects
import Units

/// Tries one component, with retries, then its fallbacks.
struct ComponentAttempts: Sendable {
    enum Ending: Sendable {
        case ready(fallback: String?)
        case failed(reason: String)
        /// The boot is being given up.
        case cancelled
    }

    private let node: NodeLifecycle
    private let component: any Component

    init(_ node: NodeLifecycle, _ component: any Component) {
        self.node = node
        self.component = component
    }

    private var name: String { component.specification.name }

    func run() async -> Ending {
        var attempt = 0
        var reason = ""
        for candidate in [component] + component.fallbacks {
            let specification = candidate.specification
            let fallback = specification.name == name ? nil : specification.name
            if let fallback { node.emit(.fallbackStarted(component: name, fallback: fallback)) }
            var random = node.context(of: name, attempt: 0).random("retry jitter")
            for round in 1...specification.retry.attempts {
                attempt += 1
                switch await tryOnce(candidate, fallback, attempt) {
                case .ready: return .ready(fallback: fallback)
                case .cancelled: return .cancelled
                case .failed(let failure): reason = failure
                }
                guard round < specification.retry.attempts else { break }
                let delay = specification.retry.delay(afterAttempt: round)
                    .scaled(by: 1 + specification.retry.jitter * (2 * random.unit() - 1))
                node.emit(.retryScheduled(component: name, attempt: attempt + 1, after: delay))
                do {
                    try await node.effects.clock.sleep(for: delay)
                } catch {
                    return .cancelled
                }
            }
        }
        return .failed(reason: reason)
    }

    /// One attempt under its timeout. What it leaves behind when it fails is stopped at once; when
    /// it is cancelled, the rollback stops it.
    private func tryOnce(
        _ candidate: any Component,
        _ fallback: String?,
        _ attempt: Int
    ) async -> Ending {
        let context = node.context(of: name, attempt: attempt)
        var part = RunningComponent(
            component: candidate,
            context: context,
            fallback: fallback,
            isReady: false
        )
        node.register(part)
        node.emit(.attemptStarted(component: name, attempt: attempt))
        let timeout = candidate.specification.timeout
        let failure = await withDeadline(timeout, node.effects.clock) { () -> Failure in
            do {
                try await candidate.initialize(context)
                try await candidate.start(context)
                return Failure(reason: nil)
            } catch {
                return Failure(reason: "\(error)")
            }
        }
        if Task.isCancelled { return .cancelled }
        guard let reason = failure.map(\.reason) ?? "not ready within \(timeout)" else {
            part.isReady = true
            node.register(part)
            return .ready(fallback: fallback)
        }
        node.emit(.attemptFailed(component: name, attempt: attempt, reason: reason))
        await candidate.stop(context)
        node.container.removeValues(of: name)
        node.unregister(name)
        return .failed(reason: reason)
    }

    private struct Failure: Sendable {
        /// `nil` when there was none.
        var reason: String?
    }
}
