public import Measurements
public import Scenarios
public import Units

/// What became of the faults of a plan: the world reports each firing and healing.
public struct FaultLog: Sendable {
    private let plan: FaultPlan
    private var fired: [Instant?]
    private var healed: [Instant?]
    /// Whom faults that are aimed at a leader found in office.
    private var victims: [NodeID?]

    public init(_ plan: FaultPlan) {
        self.plan = plan
        fired = Array(repeating: nil, count: plan.faults.count)
        healed = fired
        victims = Array(repeating: nil, count: plan.faults.count)
    }

    /// The world has done what the fault says. Traps when it already had.
    ///
    /// - Parameter victim: whom it struck, where only the world could know.
    public mutating func fire(_ fault: Int, at now: Instant, victim: NodeID? = nil) {
        precondition(fired[fault] == nil, "fault \(fault) fires twice, at \(now)")
        fired[fault] = now
        victims[fault] = victim
    }

    /// The world has taken it back. Traps unless the fault fired and has not healed.
    public mutating func heal(_ fault: Int, at now: Instant) {
        precondition(
            fired[fault] != nil && healed[fault] == nil,
            "fault \(fault) heals at \(now) without having fired, or twice"
        )
        healed[fault] = now
    }

    /// True while a fault has fired and not healed.
    public func isActive(_ fault: Int) -> Bool {
        fired[fault] != nil && healed[fault] == nil
    }

    /// One record for each planned fault, in plan order; those that never fired are among them.
    public func records(in topology: Scenario.Topology) -> [FaultRecord] {
        plan.faults.map { fault in
            FaultRecord(
                kind: fault.kind,
                target: victims[fault.id].map { "\($0), leading" }
                    ?? fault.effect.target(in: topology),
                planned: fault.fireAt,
                fired: fired[fault.id],
                healed: healed[fault.id]
            )
        }
    }
}
