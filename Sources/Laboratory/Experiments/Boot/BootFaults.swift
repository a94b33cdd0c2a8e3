import FaultInjection
import Measurements
import Scenarios
import SimulatedEffects
import Units

/// The faults of one replication of boots: which are due, whom they have struck.
///
/// planned → due → struck → healed; a fault that never meets its place stays due.
final class BootFaults: @unchecked Sendable {
    // Unchecked, because every use is confined to the executor's thread.

    private let plan: FaultPlan
    private let services: [String: SharedService]
    private var states: [State]

    private struct State {
        var isDue = false
        var fired: Instant?
        var healed: Instant?
        /// Nodes that it has yet to strike.
        var waiting: [NodeID] = []
        /// By node: attempts that are still to fail.
        var failuresLeft: [NodeID: Int] = [:]
        /// Nodes that are down by it and will start again.
        var restarting = 0
    }

    init(_ plan: FaultPlan, services: [String: SharedService]) {
        self.plan = plan
        self.services = services
        states = Array(repeating: State(), count: plan.faults.count)
    }

    /// What is planned, in order of time.
    var timeline: [FaultPlan.Change] { plan.timeline }

    func fault(_ id: Int) -> PlannedFault { plan.faults[id] }

    func records(in topology: Scenario.Topology) -> [FaultRecord] {
        plan.faults.map { fault in
            FaultRecord(
                kind: fault.kind,
                target: fault.effect.target(in: topology),
                planned: fault.fireAt,
                fired: states[fault.id].fired,
                healed: states[fault.id].healed
            )
        }
    }

    // MARK: - Time

    /// The fault becomes due; those that need no place strike now.
    func fire(_ id: Int, at now: Instant) {
        states[id].isDue = true
        guard case .boot(let fault, let nodes) = plan.faults[id].effect else { return }
        states[id].waiting = nodes
        switch fault {
        case .dependencySlow(let name, _), .dependencyDown(let name, _):
            states[id].fired = now
            update(service: name)
        case .fail(_, let attempts):
            for node in nodes { states[id].failuresLeft[node] = attempts }
        case .crash, .configTorn, .slow: break
        }
    }

    func heal(_ id: Int, at now: Instant) {
        guard case .boot(let fault, _) = plan.faults[id].effect else { return }
        switch fault {
        case .crash:
            // It heals when the nodes that it struck start again.
            return
        case .dependencySlow(let name, _), .dependencyDown(let name, _):
            states[id].isDue = false
            update(service: name)
        case .configTorn, .fail, .slow:
            states[id].isDue = false
        }
        if states[id].fired != nil, states[id].healed == nil { states[id].healed = now }
    }

    /// A service that several faults strike is down if one of them says so, otherwise slowed by all.
    private func update(service name: String) {
        guard let service = services[name] else {
            preconditionFailure("service '\(name)' was not checked")
        }
        var state = SharedService.State.up
        var slowdown = 1.0
        for (id, planned) in plan.faults.enumerated() where states[id].isDue {
            switch planned.effect {
            case .boot(.dependencyDown(name, let silent), _):
                state = .down(silent ? .silent : .refuses)
            case .boot(.dependencySlow(name, let factor), _):
                slowdown *= factor
            default: continue
            }
        }
        if state == .up, slowdown > 1 { state = .slow(slowdown) }
        if service.state != state { service.state = state }
    }

    // MARK: - Places

    /// A crash that is due at this place of the node's boot; it is used up by the call. `restart` is
    /// the time until the node starts again, if it does.
    func takeCrash(
        at places: [BootFault.Place],
        _ point: BootFault.Point,
        of node: NodeID,
        now: Instant
    ) -> (id: Int, restart: Interval?)? {
        for (id, planned) in plan.faults.enumerated() where states[id].isDue {
            guard case .boot(.crash(let place, point), _) = planned.effect, places.contains(place),
                let index = states[id].waiting.firstIndex(of: node)
            else { continue }
            states[id].waiting.remove(at: index)
            let restart = planned.healAt.map { $0 - planned.fireAt }
            struck(id, now: now, restarts: restart != nil)
            return (id, restart)
        }
        return nil
    }

    /// A node is down by a fault, for now or for good.
    func struck(_ id: Int, now: Instant, restarts: Bool) {
        if states[id].fired == nil { states[id].fired = now }
        if restarts { states[id].restarting += 1 }
    }

    /// A node that was down by the fault starts again.
    func restarted(_ id: Int, now: Instant) {
        states[id].restarting -= 1
        if states[id].restarting == 0, states[id].waiting.isEmpty { states[id].healed = now }
    }

    /// By how much the component's costs are higher now.
    func factor(of component: String, on node: NodeID, now: Instant) -> Double {
        var factor = 1.0
        for (id, planned) in plan.faults.enumerated() where states[id].isDue {
            guard case .boot(.slow(component, let times), let nodes) = planned.effect,
                nodes.contains(node)
            else { continue }
            if states[id].fired == nil { states[id].fired = now }
            factor *= times
        }
        return factor
    }

    /// Whether this attempt has to fail.
    func takeFailure(of component: String, on node: NodeID, now: Instant) -> Bool {
        for (id, planned) in plan.faults.enumerated() where states[id].isDue {
            guard case .boot(.fail(component, _), _) = planned.effect,
                let left = states[id].failuresLeft[node], left > 0
            else { continue }
            if states[id].fired == nil { states[id].fired = now }
            states[id].failuresLeft[node] = left - 1
            if states[id].failuresLeft.allSatisfy({ $0.value == 0 }) { states[id].healed = now }
            return true
        }
        return false
    }

    /// The fault that keeps the node's configuration torn now, and when it will be whole again.
    func torn(_ node: NodeID, now: Instant) -> (id: Int, until: Instant?)? {
        for (id, planned) in plan.faults.enumerated() where states[id].isDue {
            guard case .boot(.configTorn, let nodes) = planned.effect, nodes.contains(node) else {
                continue
            }
            if states[id].fired == nil { states[id].fired = now }
            return (id, planned.healAt)
        }
        return nil
    }
}
