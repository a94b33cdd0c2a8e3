import FaultInjection
import Machines
import Measurements
import Scenarios
import Units

/// What a record tells about what a seed drew and which rare ways it went.
struct ChaosFacts {
    let plan: FaultPlan
    let scenario: Scenario
    let coverage: [BiasedPoints.Coverage]

    /// What the swarm drew, what the plan is bounded by, and how often biased points struck.
    var facts: [Fact] {
        var facts = (scenario.drawing?.choices ?? []).map { Fact("swarm: \($0.name)", $0.value) }
        if let atlas = plan.atlas { facts.append(Fact("fault atlas", atlas.summary)) }
        if let healing = plan.healing {
            let within = "progress within \(healing.progressWithin)"
            facts.append(
                Fact("healing", "\(healing.core.count) nodes at \(healing.at), \(within)")
            )
        }
        for entry in coverage where entry.kind == .point {
            let count =
                entry.isEnabled ? "\(entry.hits) of \(entry.visits) visits" : "0, not enabled"
            facts.append(Fact("biased point: \(entry.name)", count))
        }
        return facts
    }

    /// One marker for each event that must happen sometimes and did, at the end of the run.
    func markers(at end: Instant) -> [Marker] {
        coverage.filter { $0.kind == .sometimes && $0.hits > 0 }.map { entry in
            Marker(
                time: end,
                node: "",
                kind: "sometimes",
                text: entry.name,
                fields: [Field("count", Double(entry.hits))]
            )
        }
    }
}
