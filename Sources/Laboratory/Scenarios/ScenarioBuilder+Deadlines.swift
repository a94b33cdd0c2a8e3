extension ScenarioBuilder {
    /// Only a migration's transfer has an end that can be late: elsewhere a deadline is refused, in the
    /// system as in its variants.
    mutating func checkDeadlines(_ root: CheckedRecord, _ scenario: Scenario) {
        let configurations =
            [("the system", scenario.system)]
            + scenario.variants.map { ("the variant '\($0.name)'", $0.system) }
        guard
            let (owner, _) = configurations.first(where: { $0.1.transport.deadline != nil }),
            let reason = scenario.workload.kind.reasonWithoutDeadline
        else { return }
        add(
            .conflict,
            root.record("workload"),
            "\(reason), and \(owner) has a deadline in its transport",
            expected: scenario.workload.kind.expectedDeadline
        )
    }

    /// The same for an option that a seed may draw.
    mutating func checkDeadline(
        of system: CheckedRecord,
        _ option: CheckedValue,
        _ kind: Scenario.Workload.Kind
    ) {
        guard ScenarioBuilder.configuration(system).transport.deadline != nil,
            let reason = kind.reasonWithoutDeadline
        else { return }
        add(
            .conflict,
            option,
            "\(reason), and the option has a deadline in its transport",
            expected: kind.expectedDeadline
        )
    }
}

extension Scenario.Workload.Kind {
    /// Why no transfer of the kind can keep a deadline; `nil` where one can.
    fileprivate var reasonWithoutDeadline: String? {
        switch self {
        case .migration: nil
        case .bulk: "the transfers of 'bulk' are never over, so that each would miss its deadline"
        case .transfer: "the workload 'transfer' has ordinary streams instead of the transport"
        case .echo, .boot, .requests:
            "nothing of the workload '\(rawValue)' goes over the transport"
        }
    }

    fileprivate var expectedDeadline: String {
        self == .transfer
            ? "deadline in the workload" : "no deadline; those of migrations may have one"
    }
}
