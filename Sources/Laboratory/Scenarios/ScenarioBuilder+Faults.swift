import Measurements
import Units

extension ScenarioBuilder {
    /// One fault rule, or `nil` when it cannot be read.
    mutating func fault(_ value: CheckedValue, in scenario: Scenario) -> FaultRule? {
        let record = value.record
        guard record.isValid, applies(record, to: scenario.workload.kind),
            let action = action(record, in: scenario)
        else { return nil }
        guard let schedule = schedule(record, horizon: scenario.horizon) else { return nil }
        guard var selection = selection(record, action, in: scenario) else { return nil }
        if schedule.isFailures {
            refusePick(record)
            selection.pick = .one
        }
        let rule = FaultRule(
            action: action,
            schedule: schedule,
            duration: duration(record),
            selection: selection,
            until: record.optionalInterval("until")
        )
        if case .at(let span) = schedule, let until = rule.until, span.lowerBound >= until,
            let value = record["until"]
        {
            add(
                .conflict,
                value,
                "the fault comes at \(span.lowerBound) at the earliest, and nothing begins from "
                    + "\(until) on",
                expected: "a time after that of 'at'"
            )
        }
        if action.needsSimulation, place ?? scenario.environment != .simulated {
            add(
                .conflict,
                record,
                "'\(action.kind)' happens in simulation only",
                expected: "environment: simulated, or another fault"
            )
        }
        check(rule, record, in: scenario)
        return rule
    }

    /// Whether runs of the workload can carry the fault out; reports one that they cannot.
    private mutating func applies(
        _ record: CheckedRecord,
        to workload: Scenario.Workload.Kind
    ) -> Bool {
        guard let word = record.word else { return false }
        let allowed = ScenarioShapes.fault.words.filter { word in
            workload == .boot
                ? word.hasPrefix("init.") || ["node.crash", "node.restart"].contains(word)
                : !word.hasPrefix("init.")
        }
        guard !allowed.contains(word) else { return true }
        add(
            .conflict,
            record,
            "'\(word)' does not apply to the workload '\(workload.rawValue)'",
            expected: allowed.joined(separator: ", ")
        )
        return false
    }

    private mutating func action(
        _ record: CheckedRecord,
        in scenario: Scenario
    ) -> FaultRule.Action? {
        let direction = record.text("direction").flatMap(FaultRule.Direction.init(rawValue:))
        switch record.word {
        case "node.crash": return .nodeCrash
        case "node.restart": return .nodeRestart
        case "node.pause": return .nodePause
        case "net.down": return .netDown(direction ?? .both)
        case "net.delay":
            return .netDelay(direction ?? .both, extra: record.interval("delay"))
        case "net.loss":
            return .netLoss(direction ?? .both, loss(record.record("loss")))
        case "net.mtu-black-hole":
            return .netBlackHole(direction ?? .both, limit: record.size("limit"))
        case "net.partition": return partition(record, direction)
        case let word? where word.hasPrefix("init."):
            return bootFault(record, in: scenario).map { .boot($0) }
        default:
            return linkFault(record).map { .link($0, direction ?? .both) }
                ?? moreAction(record, direction ?? .both)
        }
    }

    private mutating func schedule(
        _ record: CheckedRecord,
        horizon: Interval
    ) -> FaultRule.Schedule? {
        let keys = ["at", "every", "probability", "mtbf"].filter { record.has($0) }
        guard keys.count == 1 else {
            add(
                keys.isEmpty ? .missingKey : .conflict,
                record,
                keys.isEmpty
                    ? "the fault does not say when"
                    : "the fault has \(keys.map { "'\($0)'" }.joined(separator: " and "))",
                expected: "one of at, every, probability, mtbf"
            )
            return nil
        }
        guard let value = record[keys[0]] else { return nil }
        if let span = record.span("at") {
            if horizon > .zero, span.upperBound >= horizon {
                add(
                    .outOfRange,
                    value,
                    "the fault comes at \(span.upperBound), but a run ends after \(horizon)",
                    expected: "a time before \(horizon)"
                )
            }
            return .at(span)
        }
        if let period = record.optionalInterval("every") {
            bound(horizon.nanoseconds / max(1, period.nanoseconds), value)
            return .every(period)
        }
        if let mean = record.optionalInterval("mtbf") { return .failures(mean: mean) }
        let probability = record.share("probability")
        bound(Int64((horizon.seconds * probability.value).rounded(.up)), value)
        return .probability(probability)
    }

    private mutating func duration(_ record: CheckedRecord) -> FaultRule.Duration? {
        guard let mean = record.optionalInterval("mttr") else {
            return record.span("for").map { .range($0) }
        }
        if record.has("for") {
            add(
                .conflict,
                record,
                "the fault has 'for' and 'mttr'",
                expected: "one of for, mttr"
            )
        }
        return .exponential(mean: mean)
    }

    /// Reports a pick among what fails by itself.
    private mutating func refusePick(_ record: CheckedRecord) {
        guard let value = record.record("select")["pick"], value.isWritten else { return }
        add(
            .conflict,
            value,
            "'mtbf' lets each of those that match fail by itself, so none is picked",
            expected: "no pick"
        )
    }

    /// Reports a rule that would fill the plan.
    private mutating func bound(_ occurrences: Int64, _ value: CheckedValue) {
        guard occurrences > Scenario.maximumFaultOccurrences else { return }
        add(
            .limit,
            value,
            "the fault would happen about \(occurrences) times in a run",
            expected: "at most \(Scenario.maximumFaultOccurrences) times"
        )
    }

    private mutating func selection(
        _ record: CheckedRecord,
        _ action: FaultRule.Action,
        in scenario: Scenario
    ) -> FaultRule.Selection? {
        let select = record.record("select")
        let strikesService = action.service != nil
        guard select.isValid || strikesService else { return nil }
        var isKnown = true
        var region: RegionID?
        if let value = select["region"] {
            region = self.region(value)
            isKnown = region != nil
        }
        let labels = scenario.topology.regions.flatMap(\.labels)
        let links = scenario.topology.links.map(\.name)
        for (key, noun, names) in [
            ("role", "role", scenario.workload.kind.roles), ("label", "label", labels),
            ("link", "link", links),
        ] {
            guard let value = select[key], let name = value.text, !names.contains(name) else {
                continue
            }
            guard key != "link" || knowsAllLinks else { return nil }
            var distinct: [String] = []
            for name in names where !distinct.contains(name) { distinct.append(name) }
            unknown(noun, value, among: distinct)
            isKnown = false
        }
        guard isKnown else { return nil }
        let pick: FaultRule.Pick =
            switch action {
            case .netPartition(.halves, _): .percent(Ratio(0.5))
            case .netPartition(let mode, _) where mode.partsSelected: .all
            default: .one
            }
        return FaultRule.Selection(
            region: region,
            link: select.text("link"),
            role: select.text("role"),
            label: select.text("label"),
            pick: select.pick("pick") ?? pick,
            unit: select.text("unit").flatMap(FaultRule.Selection.Unit.init(rawValue:)) ?? .node
        )
    }

    /// Reports a selection that strikes nothing, or more than there is.
    private mutating func check(
        _ rule: FaultRule,
        _ record: CheckedRecord,
        in scenario: Scenario
    ) {
        let select = record["select"]
        let value =
            select.flatMap { $0.isWritten ? $0 : nil }
            ?? CheckedValue(
                location: record.location,
                path: record.path,
                isWritten: true,
                content: .invalid
            )
        guard rule.action.service == nil else { return }
        let direction = rule.linkDirection
        guard direction == nil || knowsAllLinks else { return }
        let candidates =
            if let direction {
                scenario.linkCandidates(for: rule.selection, direction: direction).count
            } else {
                scenario.nodeGroups(for: rule.selection).count
            }
        let noun = direction == nil ? rule.selection.unit.rawValue : "link"
        guard candidates > 0 else {
            add(.conflict, value, "the selection matches no \(noun)")
            return
        }
        if case .failures(let mean) = rule.schedule {
            let each = scenario.horizon.seconds / mean.seconds
            let sum = min(each * Double(candidates), 1e15)
            bound(Int64(sum.rounded(.up)), record["mtbf"] ?? value)
        }
        let count = rule.selection.pick.count(of: candidates)
        guard count <= candidates else {
            add(
                .outOfRange,
                record.record("select")["pick"] ?? value,
                "\(count) \(noun)s are picked, but the selection matches \(candidates)",
                expected: "at most \(candidates)"
            )
            return
        }
        checkLinks(rule, record, value, in: scenario)
        checkAim(rule, record, value, in: scenario)
        guard case .netPartition(let mode, _) = rule.action else { return }
        if mode.partsSelected {
            guard rule.selection.unit == .node, count < mode.leastNodes else { return }
            add(
                .conflict,
                value,
                "\(count == 1 ? "one node" : "\(count) nodes") cannot form '\(mode.word)'",
                expected: "at least \(mode.leastNodes) nodes"
            )
        } else if count == scenario.topology.nodeCount, count == 1 {
            add(.conflict, value, "one node alone cannot be partitioned")
        } else if mode != .isolate, rule.selection.unit == .node,
            count == scenario.topology.nodeCount
        {
            add(
                .conflict,
                value,
                "the selection leaves no node on the other side of the partition",
                expected: "fewer than all \(count) nodes"
            )
        }
    }
}
