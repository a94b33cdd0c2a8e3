public import Effects
public import Initialization
import Synchronization
public import Units

/// What a node tells about itself: fed by the lifecycle's events and by health checks, read by the
/// health server, the daemon and its metrics.
///
/// Reading never asks a component: an answer shows what was told last, with the time it was told.
/// Memory: one entry for each component of the graph.
public final class NodeStatus: Sendable {
    /// The node's life as probes see it: starting → ready → draining → stopping → stopped, or from
    /// starting → failed.
    public enum Stage: String, Hashable, Sendable, CaseIterable {
        case starting
        case ready
        /// READY before; finishes what is under way.
        case draining
        case stopping
        case stopped
        /// The boot failed or was given up; it is being rolled back, or was.
        case failed
    }

    /// What is known of one component.
    public struct ComponentStatus: Hashable, Sendable {
        public var name: String
        public var phase: BootPhase
        public var criticality: Criticality
        public var state = State.waiting
        /// The replacement in its place.
        public var fallback: String?
        public var attempts = 0
        /// From its first attempt's start until it was ready or had failed for good.
        public var duration: Interval?
        /// As last answered; `nil` while nobody has asked.
        public var health: ComponentHealth?
        /// Why it is not there, or why its last attempt failed.
        public var reason: String?
        var firstAttempt: Instant?

        public enum State: String, Hashable, Sendable, CaseIterable {
            case waiting, starting, ready, failed, skipped, stopping, stopped
        }
    }

    /// Everything that is known at one moment.
    public struct Snapshot: Hashable, Sendable {
        public var stage = Stage.starting
        /// The last phase that has started.
        public var phase: BootPhase?
        public var components: [ComponentStatus] = []
        /// Components that are absent or replaced, as READY told.
        public var degraded: [String] = []
        public var bootStarted: Instant?
        /// From the boot's start to READY.
        public var bootDuration: Interval?
        /// When every component had last been asked; `nil` before the first time.
        public var healthChecked: Instant?
        /// Why the boot failed.
        public var failure: String?
    }

    fileprivate struct State {
        var snapshot = Snapshot()
        var positions: [String: Int] = [:]
        var source: HealthSource?
        var previousBoot: (@Sendable () -> PreviousBoot?)?
    }

    /// Asks all components how they are; each has the given time to answer.
    public typealias HealthSource = @Sendable (Interval) async -> [HealthReport]

    private let state = Mutex(State())

    public init() {}

    public var snapshot: Snapshot { state.withLock { $0.snapshot } }

    /// What the journal tells of the life before; `nil` until it is open.
    public var previousBoot: PreviousBoot? {
        let read = state.withLock { $0.previousBoot }
        return read?()
    }

    /// Connects the status with the node that it tells about. Called once, before the boot.
    public func connect(
        _ components: [ComponentSpecification],
        previousBoot: @escaping @Sendable () -> PreviousBoot?,
        health: @escaping HealthSource
    ) {
        state.withLock { state in
            state.snapshot.components = components.map { specification in
                ComponentStatus(
                    name: specification.name,
                    phase: specification.phase,
                    criticality: specification.criticality
                )
            }
            for (position, specification) in components.enumerated() {
                state.positions[specification.name] = position
            }
            state.previousBoot = previousBoot
            state.source = health
        }
    }

    /// Lets go of the node, which has ended; what it told last stays.
    public func disconnect() {
        let last = previousBoot
        state.withLock { state in
            state.source = nil
            state.previousBoot = { last }
        }
    }

    /// Asks all components now and keeps their answers; nothing happens before `connect`.
    public func refresh(timeout: Interval, clock: any EffectClock) async {
        guard let source = state.withLock({ $0.source }) else { return }
        let reports = await source(timeout)
        let now = clock.now
        state.withLock { state in
            for report in reports {
                guard let position = state.positions[report.component] else { continue }
                state.snapshot.components[position].health = report.health
            }
            state.snapshot.healthChecked = now
        }
    }
}

extension NodeStatus {
    /// Takes note of one event of the lifecycle. To be called in the order of the events.
    public func observe(_ event: LifecycleEvent) {
        state.withLock { $0.take(event) }
    }
}

extension NodeStatus.State {
    fileprivate mutating func take(_ event: LifecycleEvent) {
        switch event.kind {
        case .bootStarted:
            snapshot.bootStarted = event.time
        case .phaseStarted(let phase):
            snapshot.phase = phase
        case .phaseEnded, .checkpoint, .retryScheduled:
            break
        case .ready(let degraded):
            snapshot.stage = .ready
            snapshot.degraded = degraded
            snapshot.bootDuration = snapshot.bootStarted.map { event.time - $0 }
        case .bootCompleted(let degraded):
            snapshot.degraded = degraded
        case .bootFailed(let component, let reason):
            snapshot.stage = .failed
            snapshot.failure = "\(component): \(reason)"
        case .bootDeadlineExceeded(let waitingFor):
            snapshot.stage = .failed
            snapshot.failure = "not ready in time: \(waitingFor.joined(separator: ", "))"
        case .stopRequested:
            if snapshot.stage == .starting { snapshot.stage = .stopping }
        case .rollbackStarted:
            if snapshot.stage != .failed { snapshot.stage = .stopping }
        case .drainStarted:
            snapshot.stage = .draining
        case .drainEnded:
            snapshot.stage = .stopping
        case .rollbackEnded, .shutdownEnded:
            if snapshot.stage != .failed { snapshot.stage = .stopped }
        case .attemptStarted(let name, let attempt):
            change(name) {
                $0.state = .starting
                $0.attempts = attempt
                if $0.firstAttempt == nil { $0.firstAttempt = event.time }
            }
        case .attemptFailed(let name, _, let reason):
            change(name) { $0.reason = reason }
        case .fallbackStarted(let name, let fallback):
            change(name) { $0.fallback = fallback }
        case .componentReady(let name, let fallback):
            change(name) { status in
                status.state = .ready
                status.fallback = fallback
                status.duration = status.firstAttempt.map { event.time - $0 }
                if fallback == nil { status.reason = nil }
            }
        case .componentFailed(let name, _, let reason):
            change(name) { status in
                status.state = .failed
                status.reason = reason
                status.duration = status.firstAttempt.map { event.time - $0 }
            }
        case .componentSkipped(let name, _, let missing):
            change(name) {
                $0.state = .skipped
                $0.reason = "it needs \(missing), which is not there"
            }
        case .componentStopping(let name):
            change(name) { $0.state = .stopping }
        case .componentStopped(let name):
            change(name) { $0.state = .stopped }
        }
    }

    private mutating func change(
        _ name: String,
        _ body: (inout NodeStatus.ComponentStatus) -> Void
    ) {
        guard let position = positions[name] else { return }
        body(&snapshot.components[position])
    }
}
