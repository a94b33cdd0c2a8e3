import Initialization
import Measurements
import Units

/// What one boot did, as its events told it.
struct BootTrace {
    let graph: ComponentGraph
    let order: StartOrder
    /// When the process started.
    let start: Instant
    /// By position: the attempts, first to last.
    private(set) var attempts: [[Attempt]]
    private(set) var states: [State]
    private(set) var ready: Instant?
    private(set) var isComplete = false
    private(set) var phaseStarts: [BootPhase: Instant] = [:]
    private(set) var phaseEnds: [BootPhase: Instant] = [:]
    /// What halted the boot, as the framework says; `nil` while nothing did.
    private(set) var failure: String?

    struct Attempt {
        var start: Instant
        /// `nil` while it runs.
        var end: Instant?
        var outcome: Span.Outcome
    }

    enum State: Equatable {
        case waiting
        case running
        case ready(fallback: Bool)
        case failed
        case skipped
    }

    init(_ graph: ComponentGraph, order: StartOrder, start: Instant) {
        self.graph = graph
        self.order = order
        self.start = start
        attempts = Array(repeating: [], count: graph.components.count)
        states = Array(repeating: .waiting, count: graph.components.count)
    }

    mutating func observe(_ event: LifecycleEvent) {
        let now = event.time
        switch event.kind {
        case .phaseStarted(let phase): phaseStarts[phase] = now
        case .phaseEnded(let phase): phaseEnds[phase] = now
        case .attemptStarted(let name, _):
            update(name) { attempts, state in
                attempts.append(Attempt(start: now, end: nil, outcome: .cancelled))
                state = .running
            }
        case .attemptFailed(let name, _, _):
            update(name) { attempts, _ in attempts.end(now, .failed) }
        case .componentReady(let name, let fallback):
            update(name) { attempts, state in
                attempts.end(now, fallback == nil ? .ready : .fallback)
                state = .ready(fallback: fallback != nil)
            }
        case .componentFailed(let name, _, _):
            update(name) { attempts, state in
                attempts.end(now, .failed)
                state = .failed
            }
        case .componentSkipped(let name, _, _):
            update(name) { attempts, state in
                attempts.append(Attempt(start: now, end: now, outcome: .skipped))
                state = .skipped
            }
        case .ready: ready = now
        case .bootCompleted: isComplete = true
        case .bootFailed(let component, let reason): failure = "\(component): \(reason)"
        case .bootDeadlineExceeded(let waiting):
            failure = "not READY in time, waiting for \(waiting.joined(separator: ", "))"
        case .bootStarted, .checkpoint, .retryScheduled, .fallbackStarted, .stopRequested,
            .rollbackStarted, .rollbackEnded, .drainStarted, .drainEnded, .componentStopping,
            .componentStopped, .shutdownEnded:
            break
        }
    }

    private mutating func update(_ name: String, _ body: (inout [Attempt], inout State) -> Void) {
        guard let position = graph.position(of: name) else {
            preconditionFailure("an event of '\(name)', which is not in the graph")
        }
        body(&attempts[position], &states[position])
    }

    /// Whether a component whose failure halts has failed or was skipped while the boot ran.
    var mustFail: Bool {
        graph.components.indices.contains { position in
            graph.components[position].criticality == .halt
                && (states[position] == .failed || states[position] == .skipped)
        }
    }

    /// Of the phases that have ended.
    var phaseTimes: [(phase: BootPhase, time: Interval)] {
        BootPhase.allCases.compactMap { phase in
            guard let start = phaseStarts[phase], let end = phaseEnds[phase] else { return nil }
            return (phase, max(.zero, end - start))
        }
    }

    /// Whether something is missing or replaced.
    var isDegraded: Bool {
        states.contains { state in
            switch state {
            case .failed, .skipped, .ready(fallback: true): true
            case .waiting, .running, .ready(fallback: false): false
            }
        }
    }

    // MARK: - The chain that bounds the boot

    /// Positions of the components for which READY, or the end of a failed boot, waited.
    var criticalPositions: Set<Int> {
        let waits = graph.waits(in: order)
        let ends = attempts.map { $0.last?.end }
        let holders = graph.components.indices.filter {
            graph.components[$0].holdsReadiness && ends[$0] != nil
        }
        var next = latest(among: holders, ends)
        var chain: Set<Int> = []
        while let position = next, chain.insert(position).inserted {
            next = latest(among: waits[position].filter { ends[$0] != nil }, ends)
        }
        return chain
    }

    private func latest(among positions: [Int], _ ends: [Instant?]) -> Int? {
        positions.max { (ends[$0]!, $1) < (ends[$1]!, $0) }
    }

    /// The spans of all attempts on a lane, cut off at `end` where they had not ended.
    func spans(lane: String, until end: Instant) -> [Span] {
        let critical = criticalPositions
        var spans: [Span] = []
        for position in graph.order {
            let specification = graph.components[position]
            let free = graph.prerequisites[position].compactMap { attempts[$0].last?.end }.max()
            for (number, attempt) in attempts[position].enumerated() {
                var fields = [Field(Span.attemptField, Double(number + 1))]
                let queued = attempt.start - max(start, free ?? start)
                if number == 0, queued > .zero, attempt.outcome != .skipped {
                    fields.append(Field(Span.queuedField, queued.seconds))
                }
                spans.append(
                    Span(
                        lane: lane,
                        name: specification.name,
                        group: specification.phase.rawValue,
                        start: attempt.start,
                        end: max(attempt.start, attempt.end ?? end),
                        outcome: attempt.outcome,
                        isCritical: critical.contains(position),
                        fields: fields
                    )
                )
            }
        }
        return spans
    }
}

extension [BootTrace.Attempt] {
    /// Ends the last attempt, unless it has ended before.
    fileprivate mutating func end(_ now: Instant, _ outcome: Span.Outcome) {
        guard let last = indices.last, self[last].end == nil else { return }
        self[last].end = now
        self[last].outcome = outcome
    }
}
