import Machines
import Units

/// What bounds faults, and what varies from seed to seed.
extension ScenarioBuilder {
    mutating func recovery(_ root: CheckedRecord, in scenario: Scenario) -> Scenario.Recovery? {
        guard root.has("recovery") else { return nil }
        let record = root.record("recovery")
        guard record.isValid else { return nil }
        let healAt = record.optionalInterval("heal-at")
        let within = record.interval("progress-within")
        if let healAt, let value = record["heal-at"], scenario.horizon > .zero {
            let end = Instant.zero.advanced(by: healAt).advanced(by: within)
            if end > .zero + scenario.horizon {
                add(
                    .outOfRange,
                    value,
                    "progress is due \(within) after \(healAt), but a run ends after "
                        + "\(scenario.horizon)",
                    expected: "heal-at and progress-within within the run"
                )
            }
        }
        if healAt == nil,
            let value = ["progress-within", "core"].lazy
                .compactMap({ record[$0] }).first(where: \.isWritten)
        {
            add(.conflict, value, "nothing heals without 'heal-at'", expected: "heal-at: 60 s")
        }
        if let value = record["replicas"], let name = value.text {
            let roles = scenario.workload.kind.roles
            guard roles.contains(name) else {
                unknown("role", value, among: roles)
                return nil
            }
        }
        return Scenario.Recovery(
            healAt: healAt,
            progressWithin: within,
            core: record.text("core").flatMap(Scenario.Recovery.Core.init(rawValue:)) ?? .all,
            dataLoss: record.text("data-loss")
                .flatMap(Scenario.Recovery.DataLoss.init(rawValue:)) ?? .minority,
            replicas: record.text("replicas")
        )
    }

    mutating func swarm(
        _ root: CheckedRecord,
        _ document: DocumentNode,
        in scenario: Scenario
    ) -> Scenario.Swarm? {
        guard root.has("swarm") else { return nil }
        let record = root.record("swarm")
        guard record.isValid else { return nil }
        let points = record["points"]?.record
        if let share = record["checked"], record.share("checked").value < 1,
            !scenario.invariants.contains(where: \.isSampled)
        {
            let names = Scenario.Invariant.allCases.filter(\.isSampled).map(\.rawValue)
            add(
                .conflict,
                share,
                "nothing is left unchecked: only \(names.joined(separator: ", ")) are sampled",
                expected: "one of them among the invariants, or no 'checked'"
            )
        }
        return Scenario.Swarm(
            present: record.share("present"),
            intensity: record.factors("intensity"),
            nodes: nodeCounts(record, in: scenario),
            delay: record.factors("delay"),
            rate: record.factors("rate"),
            loss: record.shares("loss"),
            knobs: knobs(record, document, scenario.workload.kind),
            points: points.map {
                BiasedPoints.Chances(
                    enabled: $0.share("enabled"),
                    strikes: $0.share("strikes")
                )
            },
            checked: record.share("checked")
        )
    }

    private mutating func nodeCounts(
        _ record: CheckedRecord,
        in scenario: Scenario
    ) -> [Scenario.Swarm.NodeCount] {
        var counts: [Scenario.Swarm.NodeCount] = []
        var total = scenario.topology.nodeCount
        for entry in record["nodes"]?.dictionary ?? [] {
            guard case .scalar(.integers(let range)) = entry.value.content else { continue }
            guard let region = scenario.topology.region(named: entry.name) else {
                let name = CheckedValue(
                    location: entry.location,
                    path: record.path,
                    isWritten: true,
                    content: .scalar(.text(entry.name))
                )
                unknown("region", name, among: regionNames)
                continue
            }
            let ends = scenario.workload.kind == .boot ? nil : scenario.workload.ends
            if ends.map({ $0 == region && $1 == region }) == true, range.lowerBound < 2 {
                add(
                    .outOfRange,
                    entry.value,
                    "region '\(entry.name)' holds both ends of the workload",
                    expected: "at least two nodes"
                )
            }
            total += Int(range.upperBound) - scenario.topology.nodes(of: region).count
            counts.append(
                Scenario.Swarm.NodeCount(
                    region: region,
                    count: Int(range.lowerBound)...Int(range.upperBound)
                )
            )
        }
        if total > ScenarioFile.maximumClusterSize, let value = record["nodes"] {
            add(
                .limit,
                value,
                "a seed may draw \(total) nodes",
                expected: "at most \(ScenarioFile.maximumClusterSize) in all"
            )
        }
        if case .bulk(let bulk) = scenario.workload, !bulk.beside.isEmpty, !counts.isEmpty,
            let value = record["nodes"]
        {
            add(.conflict, value, "transfers beside each other need the nodes that they have")
        }
        return counts.sorted { $0.region < $1.region }
    }

    /// Each option has to fit the configuration that it patches.
    private mutating func knobs(
        _ record: CheckedRecord,
        _ document: DocumentNode,
        _ kind: Scenario.Workload.Kind
    ) -> [Scenario.Swarm.Knob] {
        let start = SourceLocation(line: 1, column: 1)
        let base = document["system"] ?? DocumentNode(.mapping([]), at: start)
        let shape = Shape.record(ScenarioShapes.system)
        var systems = [base]
        if case .mapping(let variants) = document["variants"]?.content {
            systems += variants.map { DocumentMerge.merged(base, $0.value, shape) }
        }
        return (record["knobs"]?.dictionary ?? []).map { entry in
            let options = entry.value.list.compactMap { option -> String? in
                guard case .patch(let patch) = option.content else { return nil }
                for system in systems where report.isEmpty {
                    let merged = DocumentMerge.merged(system, patch, shape)
                    let checked = ShapeChecker.check(merged, shape, path: option.path, &report)
                    checkDeadline(of: checked.record, option, kind)
                }
                return patch.flowText
            }
            return Scenario.Swarm.Knob(name: entry.name, options: options)
        }
    }
}

extension DocumentNode {
    /// The same in YAML's flow style, on one line and with everything quoted that could be
    /// mistaken.
    var flowText: String {
        switch content {
        case .scalar(let text, let isPlain):
            isPlain && text.utf8.allSatisfy(DocumentNode.isHarmless)
                ? text : YAMLText.quotation(text)
        case .list(let elements):
            "[\(elements.map(\.flowText).joined(separator: ", "))]"
        case .mapping(let entries):
            "{\(entries.map { "\($0.key): \($0.value.flowText)" }.joined(separator: ", "))}"
        }
    }

    private static func isHarmless(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "/"), UInt8(ascii: "-"), UInt8(ascii: " "), UInt8(ascii: "%"):
            true
        default: false
        }
    }
}
