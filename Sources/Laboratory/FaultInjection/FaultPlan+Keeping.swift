extension PlannedFault {
    /// Which fault it is, whatever else of the plan is carried out: the rule of the scenario and the
    /// occurrence, both counted from zero; written `2.0`.
    public struct Name: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
        public var rule: Int
        public var occurrence: UInt32

        public init(rule: Int, occurrence: UInt32) {
            self.rule = rule
            self.occurrence = occurrence
        }

        /// Reads what `description` writes; `nil` for anything else.
        public init?(_ text: String) {
            let parts = text.split(separator: ".", omittingEmptySubsequences: false)
            guard parts.count == 2, let rule = Int(parts[0]), rule >= 0,
                let occurrence = UInt32(parts[1])
            else { return nil }
            self.init(rule: rule, occurrence: occurrence)
        }

        public var description: String { "\(rule).\(occurrence)" }

        public static func < (left: Name, right: Name) -> Bool {
            (left.rule, left.occurrence) < (right.rule, right.occurrence)
        }
    }

    public var name: Name { Name(rule: rule, occurrence: occurrence) }
}

extension FaultPlan {
    /// The plan with only these faults, in the same order; names that the plan does not know are
    /// ignored, and `nil` keeps everything. Nothing is drawn anew: a fault that stays is the same
    /// fault at the same time.
    public func keeping(_ names: [PlannedFault.Name]?) -> FaultPlan {
        guard let names else { return self }
        let kept = Set(names)
        var plan = self
        plan.faults.removeAll { !kept.contains($0.name) }
        for id in plan.faults.indices { plan.faults[id].id = id }
        return plan
    }
}
