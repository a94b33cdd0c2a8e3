import Units

extension ScenarioBuilder {
    /// The flows of others; entries that are wrong are reported and left out.
    mutating func crossTraffic(
        _ root: CheckedRecord,
        in scenario: Scenario
    ) -> [Scenario.CrossTraffic] {
        let values = root.list("cross-traffic")
        guard let first = values.first else { return [] }
        if !scenario.workload.usesLinks {
            add(
                .conflict,
                first,
                "nothing of the workload '\(scenario.workload.kind.rawValue)' crosses a link",
                expected: "no cross-traffic"
            )
            return []
        }
        let traffic = values.compactMap { crossTraffic($0.record, in: scenario) }
        let flows = traffic.reduce(0) { $0 + $1.flows }
        if flows > Scenario.mostCrossFlows {
            add(
                .limit,
                first,
                "the cross-traffic has \(flows) flows",
                expected: "at most \(Scenario.mostCrossFlows)"
            )
        }
        return traffic
    }

    private mutating func crossTraffic(
        _ record: CheckedRecord,
        in scenario: Scenario
    ) -> Scenario.CrossTraffic? {
        guard record.isValid, let ends = linkedEnds(record, scenario.topology) else { return nil }
        if let start = record["start"], record.interval("start") >= scenario.horizon {
            add(
                .conflict,
                start,
                "the flows start when the run is over",
                expected: "less than \(scenario.horizon)"
            )
        }
        let paths = [(ends.from, ends.to), (ends.to, ends.from)].compactMap {
            scenario.topology.link(from: $0.0, to: $0.1)?.path
        }
        if paths.contains(where: { $0.fidelity == .fluid || $0.rdma != nil }) {
            let isFluid = paths.contains { $0.fidelity == .fluid }
            add(
                .conflict,
                record,
                isFluid
                    ? "a fluid link cannot carry cross-traffic, which is simulated packet by packet"
                    : "a link of RDMA cannot carry cross-traffic, which is TCP",
                expected: isFluid ? "fidelity: packet" : "streams: tcp"
            )
            return nil
        }
        return Scenario.CrossTraffic(
            from: ends.from,
            to: ends.to,
            flows: record.integer("flows"),
            congestion: record.text("congestion")
                .flatMap(Scenario.SystemConfiguration.Transport.Congestion.init(rawValue:))
                ?? .cubic,
            usesCongestionNotification: record.flag("ecn"),
            start: record.interval("start")
        )
    }

    /// Two regions that links connect both ways.
    private mutating func linkedEnds(
        _ record: CheckedRecord,
        _ topology: Scenario.Topology
    ) -> LinkEnds? {
        guard let first = record["from"], let second = record["to"] else { return nil }
        let from = region(first)
        let to = region(second)
        guard let from, let to, let ends = distinct(from, to, second) else { return nil }
        checkLinks(between: ends, of: "the cross-traffic", record, topology)
        return ends
    }

    /// A target on harm needs somebody who can be harmed.
    mutating func checkHarm(_ targets: [CheckedValue], in scenario: Scenario) {
        for value in targets where value.record.text("metric") == "fairness-harm" {
            guard let metric = value.record["metric"] else { continue }
            guard case .bulk(let bulk) = scenario.workload else {
                add(
                    .conflict,
                    metric,
                    "'fairness-harm' is not measured by the workload "
                        + "'\(scenario.workload.kind.rawValue)'",
                    expected: "the workload bulk"
                )
                continue
            }
            let isShared = bulk.transfers.contains {
                !scenario.crossTraffic(from: $0.from, to: $0.to).isEmpty
            }
            if !isShared {
                add(
                    .conflict,
                    metric,
                    "nobody is harmed: no cross-traffic goes the way of a transfer",
                    expected: "cross-traffic with the transfer's from and to"
                )
            }
        }
    }
}
