public import Effects
import Initialization
public import Units
import JSON

/// What the health server answers: read from the node's status and registry, without asking any
/// component.
///
/// Probes have the meaning that orchestrators give them: 200 yes, 503 no. *startup*: the node has
/// been READY. *ready*: it is READY, does not end, and no halting component is unhealthy. *live*: the
/// process answers, and while READY its health, once looked at, has been looked at lately; an answer
/// of 503 means that a restart would help.
public struct HealthAnswers: Sendable {
    private let status: NodeStatus
    private let registry: PrometheusRegistry
    private let effects: NodeEffects
    private let name: String
    /// How old the last health check may be while the node is READY.
    private let staleAfter: Interval

    public init(
        status: NodeStatus,
        registry: PrometheusRegistry,
        effects: NodeEffects,
        name: String,
        staleAfter: Interval
    ) {
        self.status = status
        self.registry = registry
        self.effects = effects
        self.name = name
        self.staleAfter = staleAfter
    }

    public func answer(_ request: HTTPRequest) -> HTTPResponse {
        guard request.method == "GET" || request.method == "HEAD" else {
            return problem(405, "only GET and HEAD are answered")
        }
        let snapshot = status.snapshot
        let now = effects.clock.now
        switch request.path {
        case "/health/live": return probe(isLive(snapshot, now), snapshot)
        case "/health/ready": return probe(isReady(snapshot), snapshot)
        case "/health/startup": return probe(snapshot.bootDuration != nil, snapshot)
        case "/metrics":
            return HTTPResponse(
                status: 200,
                contentType: PrometheusRegistry.contentType,
                body: Array(registry.text.utf8)
            )
        case "/status": return json(200, document(snapshot, now))
        case _: return problem(404, "there is nothing at this path")
        }
    }

    private func isLive(_ snapshot: NodeStatus.Snapshot, _ now: Instant) -> Bool {
        switch snapshot.stage {
        case .starting, .draining, .stopping: return true
        case .stopped, .failed: return false
        case .ready:
            // Without a monitor nobody looks, and nobody can be late.
            guard let checked = snapshot.healthChecked else { return true }
            return now - checked <= staleAfter
        }
    }

    private func isReady(_ snapshot: NodeStatus.Snapshot) -> Bool {
        guard snapshot.stage == .ready else { return false }
        return !snapshot.components.contains { component in
            guard component.criticality == .halt, case .unhealthy = component.health else {
                return false
            }
            return true
        }
    }

    private func probe(_ isWell: Bool, _ snapshot: NodeStatus.Snapshot) -> HTTPResponse {
        json(
            isWell ? 200 : 503,
            .object([
                ("status", .text(isWell ? "ok" : "unavailable")),
                ("stage", .text(snapshot.stage.rawValue)),
            ])
        )
    }

    private func problem(_ status: Int, _ text: String) -> HTTPResponse {
        json(status, .object([("error", .text(text))]))
    }

    private func json(_ status: Int, _ value: JSONValue) -> HTTPResponse {
        HTTPResponse(
            status: status,
            contentType: "application/json",
            body: Array((value.compact + "\n").utf8)
        )
    }
}

extension HealthAnswers {
    private func document(_ snapshot: NodeStatus.Snapshot, _ now: Instant) -> JSONValue {
        let age = snapshot.healthChecked.map { JSONValue.real((now - $0).seconds) }
        return .object([
            ("name", .text(name)),
            ("pid", .integer(Int64(effects.machine.processID))),
            ("uptimeSeconds", .real((now - (snapshot.bootStarted ?? now)).seconds)),
            ("stage", .text(snapshot.stage.rawValue)),
            ("phase", .optional(snapshot.phase?.rawValue)),
            ("bootSeconds", snapshot.bootDuration.map { .real($0.seconds) } ?? .null),
            ("failure", .optional(snapshot.failure)),
            ("degraded", .list(snapshot.degraded.map { .text($0) })),
            ("healthAgeSeconds", age ?? .null),
            ("components", .list(snapshot.components.map { document($0) })),
            ("previousBoot", status.previousBoot.map { document($0) } ?? .null),
        ])
    }

    private func document(_ component: NodeStatus.ComponentStatus) -> JSONValue {
        let (health, detail): (String?, String?) =
            switch component.health {
            case .healthy: ("healthy", nil)
            case .degraded(let text): ("degraded", text)
            case .unhealthy(let text): ("unhealthy", text)
            case nil: (nil, nil)
            }
        return .object([
            ("name", .text(component.name)),
            ("phase", .text(component.phase.rawValue)),
            ("criticality", .text(component.criticality.rawValue)),
            ("state", .text(component.state.rawValue)),
            ("fallback", .optional(component.fallback)),
            ("attempts", .integer(Int64(component.attempts))),
            ("seconds", component.duration.map { .real($0.seconds) } ?? .null),
            ("health", .optional(health)),
            ("detail", .optional(detail ?? component.reason)),
        ])
    }

    private func document(_ boot: PreviousBoot) -> JSONValue {
        .object([
            ("number", .integer(Int64(clamping: boot.number))),
            ("wasReady", .boolean(boot.wasReady)),
            ("stoppedInOrder", .boolean(boot.stoppedInOrder)),
            ("interruptedSteps", .list(boot.interruptedSteps.map { .text($0) })),
            ("checkpoints", .list(boot.checkpoints.map { .text($0.rawValue) })),
        ])
    }
}
