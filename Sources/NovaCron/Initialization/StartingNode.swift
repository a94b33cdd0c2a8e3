import Determinism
import Effects
import Units

/// How the start, and the service that may have followed, came to its end.
enum StartEnding: Sendable {
    /// Was READY; the body has returned or a stop was requested.
    case served
    case failed(component: String, reason: String)
    case late(waitingFor: [String])
    case cancelled
}

/// The way of one node from nothing to READY: which components wait, run, are there or are not.
///
/// One loop owns this state and is told what child tasks have found out; the tasks themselves only
/// try components.
struct StartingNode {
    private let node: NodeLifecycle
    private let waits: [[Int]]
    private let tails: [Interval]
    /// By phase.
    private let members: [[Int]]
    private var states: [State]
    private var runningCount = 0
    private var startedPhases: Set<BootPhase> = []
    private var endedPhases: Set<BootPhase> = []
    private var readiness = Readiness.starting
    private var openCheckpoints = 0
    private var isComplete = false

    /// starting → recording, once nothing holds READY up → ready, once that is durable.
    private enum Readiness {
        case starting
        case recording
        case ready
    }

    /// waiting → running → ready | absent; waiting → absent when a dependency is not there.
    fileprivate enum State {
        case waiting
        case running
        case ready(fallback: String?)
        /// Failed or skipped, and the boot goes on without it.
        case absent
    }

    private enum Report: Sendable {
        case component(Int, ComponentAttempts.Ending)
        case checkpointed(BootPhase, failure: String?)
        case readyRecorded(failure: String?)
        case served
        /// A component's own work has ended; the node goes on.
        case retired
        case stopRequested
        case deadline
    }

    init(_ node: NodeLifecycle) {
        self.node = node
        waits = node.graph.waits(in: node.policy.order)
        tails = node.graph.expectedTails
        members = BootPhase.allCases.map { phase in
            node.graph.components.indices.filter { node.graph.components[$0].phase == phase }
        }
        states = Array(repeating: .waiting, count: node.components.count)
    }

    private var specifications: [ComponentSpecification] { node.graph.components }

    /// Starts everything, serves, and returns when the node has to end; by then no child runs.
    mutating func run(
        serve: @escaping @Sendable (NodeLifecycle) async -> Void
    ) async -> StartEnding {
        node.emit(.bootStarted(order: node.policy.order))
        let node = node
        return await withTaskGroup(of: Report.self) { group in
            group.addTask {
                await node.stopRequested()
                return .stopRequested
            }
            group.addTask {
                try? await node.effects.clock.sleep(for: node.policy.bootDeadline)
                return .deadline
            }
            var ending = advance(&group, serve)
            while ending == nil, let report = await group.next() {
                ending = take(report, &group, serve)
            }
            // What serves goes on until nothing is under way any more.
            if case .served = ending { await node.drain() }
            group.cancelAll()
            return ending ?? .served
        }
    }

    private mutating func take(
        _ report: Report,
        _ group: inout TaskGroup<Report>,
        _ serve: @escaping @Sendable (NodeLifecycle) async -> Void
    ) -> StartEnding? {
        // A cancelled caller has cut every child short: what they report now means nothing.
        if Task.isCancelled { return stopRequested() }
        switch report {
        case .stopRequested:
            return stopRequested()
        case .deadline:
            guard readiness != .ready else { return nil }
            let waitingFor = specifications.indices.filter { isHoldingUp($0) }
                .map { specifications[$0].name }
            node.emit(.bootDeadlineExceeded(waitingFor: waitingFor))
            return .late(waitingFor: waitingFor)
        case .served:
            return .served
        case .retired:
            return nil
        case .checkpointed(let phase, let failure):
            if let failure { return journalFailure(failure) }
            openCheckpoints -= 1
            node.emit(.checkpoint(phase))
            return advance(&group, serve)
        case .readyRecorded(let failure):
            if let failure { return journalFailure(failure) }
            readiness = .ready
            node.emit(.ready(degraded: degraded))
            let node = node
            group.addTask {
                await serve(node)
                return .served
            }
            for position in node.graph.order { serveComponent(at: position, &group) }
            return advance(&group, serve)
        case .component(let position, let ending):
            runningCount -= 1
            if let failure = settle(position, ending, &group) { return failure }
            return advance(&group, serve)
        }
    }

    private func stopRequested() -> StartEnding {
        node.emit(.stopRequested)
        return readiness == .ready ? .served : .cancelled
    }

    /// A node that cannot keep its journal could not keep anything else.
    private func journalFailure(_ failure: String) -> StartEnding {
        let reason = "the boot journal cannot be written: \(failure)"
        node.emit(.bootFailed(component: "journal", reason: reason))
        return .failed(component: "journal", reason: reason)
    }

    /// Whether READY waits for this component.
    private func isHoldingUp(_ position: Int) -> Bool {
        guard specifications[position].holdsReadiness else { return false }
        return switch states[position] {
        case .waiting, .running: true
        case .ready, .absent: false
        }
    }

    // MARK: - Going on

    /// Starts what can start and says READY when it is time.
    private mutating func advance(
        _ group: inout TaskGroup<Report>,
        _ serve: @escaping @Sendable (NodeLifecycle) async -> Void
    ) -> StartEnding? {
        if let failure = skipHopeless(&group) { return failure }
        let free = states.indices.filter { canStart($0) }
            .sorted { (tails[$1], $0) < (tails[$0], $1) }
        for position in free.prefix(node.policy.concurrencyLimit - runningCount) {
            start(position, &group)
        }
        if readiness == .starting, openCheckpoints == 0,
            !states.indices.contains(where: { isHoldingUp($0) })
        {
            readiness = .recording
            let journal = node.journal
            group.addTask { .readyRecorded(failure: await failure { try await journal.ready() }) }
        }
        if readiness == .ready, !isComplete, states.allSatisfy(\.isSettled) {
            isComplete = true
            node.emit(.bootCompleted(degraded: degraded))
        }
        return nil
    }

    private func canStart(_ position: Int) -> Bool {
        guard case .waiting = states[position] else { return false }
        return waits[position].allSatisfy { states[$0].isSettled }
    }

    private mutating func start(_ position: Int, _ group: inout TaskGroup<Report>) {
        let specification = specifications[position]
        if startedPhases.insert(specification.phase).inserted {
            node.emit(.phaseStarted(specification.phase))
        }
        states[position] = .running
        runningCount += 1
        let attempts = ComponentAttempts(node, node.components[position])
        group.addTask { .component(position, await attempts.run()) }
    }

    /// Components that need an absent one are absent themselves, and so on upwards.
    private mutating func skipHopeless(_ group: inout TaskGroup<Report>) -> StartEnding? {
        for position in node.graph.order {
            guard case .waiting = states[position] else { continue }
            guard let absent = node.graph.required[position].first(where: { states[$0].isAbsent })
            else { continue }
            let specification = specifications[position]
            let missing = specifications[absent].name
            states[position] = .absent
            node.emit(
                .componentSkipped(
                    component: specification.name,
                    criticality: specification.criticality,
                    missing: missing
                )
            )
            if specification.criticality == .halt {
                let reason = "it needs \(missing), which is not there"
                node.emit(.bootFailed(component: specification.name, reason: reason))
                return .failed(component: specification.name, reason: reason)
            }
            endPhases(&group)
        }
        return nil
    }

    /// Lets a component that is there do its own work.
    private func serveComponent(at position: Int, _ group: inout TaskGroup<Report>) {
        guard case .ready = states[position],
            let part = node.runningComponent(specifications[position].name)
        else { return }
        group.addTask {
            await part.component.serve(part.context)
            return .retired
        }
    }

    // MARK: - Results

    private mutating func settle(
        _ position: Int,
        _ ending: ComponentAttempts.Ending,
        _ group: inout TaskGroup<Report>
    ) -> StartEnding? {
        let specification = specifications[position]
        switch ending {
        case .ready(let fallback):
            states[position] = .ready(fallback: fallback)
            node.emit(.componentReady(component: specification.name, fallback: fallback))
            if readiness == .ready { serveComponent(at: position, &group) }
        case .failed(let reason):
            states[position] = .absent
            node.emit(
                .componentFailed(
                    component: specification.name,
                    criticality: specification.criticality,
                    reason: reason
                )
            )
            if specification.criticality == .halt {
                node.emit(.bootFailed(component: specification.name, reason: reason))
                return .failed(component: specification.name, reason: reason)
            }
        case .cancelled:
            // Nobody cancels a child while this loop listens, except the caller's own cancellation,
            // which also requests a stop.
            states[position] = .absent
        }
        endPhases(&group)
        return nil
    }

    /// Reports phases whose components have all ended and makes that durable.
    private mutating func endPhases(_ group: inout TaskGroup<Report>) {
        for phase in BootPhase.allCases where !endedPhases.contains(phase) {
            let members = members[phase.index]
            guard !members.isEmpty, !members.contains(where: { isHoldingUp($0) }) else { continue }
            endedPhases.insert(phase)
            node.emit(.phaseEnded(phase))
            openCheckpoints += 1
            let journal = node.journal
            group.addTask {
                .checkpointed(phase, failure: await failure { try await journal.checkpoint(phase) })
            }
        }
    }

    /// Names of components that are absent or replaced, in the graph's order.
    private var degraded: [String] {
        states.indices.filter { position in
            switch states[position] {
            case .ready(let fallback): fallback != nil
            case .absent: true
            case .waiting, .running: false
            }
        }.map { specifications[$0].name }
    }
}

/// What went wrong in `body`, in words.
private func failure(_ body: @Sendable () async throws -> Void) async -> String? {
    do {
        try await body()
        return nil
    } catch {
        return "\(error)"
    }
}

extension StartingNode.State {
    fileprivate var isSettled: Bool {
        switch self {
        case .waiting, .running: false
        case .ready, .absent: true
        }
    }

    fileprivate var isAbsent: Bool {
        if case .absent = self { true } else { false }
    }
}
