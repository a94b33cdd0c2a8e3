import Measurements
import Units

/// Turns a checked document into a `Scenario` and checks what one shape alone cannot: names that
/// refer to each other, and keys that exclude or need one another.
struct ScenarioBuilder {
    let catalogue: MetricCatalogue
    /// Where the runs are going to be, when that is not where the file says.
    var place: EnvironmentKind?
    var report: DiagnosticReport
    /// For names of regions, before and after the topology is complete.
    var regionNames: [String] = []
    /// False once a link could not be read; then a missing link is no news.
    var knowsAllLinks = true

    /// The scenario, or `nil` when the document is too broken to go on. Only valid while `report` is
    /// empty.
    static func build(
        _ document: DocumentNode,
        on place: EnvironmentKind?,
        _ catalogue: MetricCatalogue,
        _ report: inout DiagnosticReport
    ) -> Scenario? {
        let checked = ShapeChecker.check(
            document,
            .record(ScenarioShapes.scenario),
            path: "",
            &report
        )
        guard case .record(let root) = checked.content else { return nil }
        var builder = ScenarioBuilder(catalogue: catalogue, place: place, report: report)
        let scenario = builder.scenario(root, document)
        report = builder.report
        return scenario
    }

    private mutating func scenario(
        _ root: CheckedRecord,
        _ document: DocumentNode
    ) -> Scenario? {
        let topology = topology(root.record("topology"))
        let (system, variants) = configurations(root, document)
        let invariants = root.list("invariants")
        let targets = root.list("targets")
        let budget = budget(root.record("budget"))
        checkTargets(targets, variants: variants.map(\.name), topology: topology)
        guard let topology, let workload = workload(root.record("workload"), topology) else {
            return nil
        }
        var scenario = Scenario(
            name: root.text("name") ?? "",
            seed: root.seed("seed"),
            environment: EnvironmentKind(rawValue: root.text("environment") ?? "") ?? .simulated,
            hardware: root.text("hardware") ?? "",
            topology: topology,
            workload: workload,
            system: system,
            variants: variants,
            faults: [],
            invariants: self.invariants(invariants, workload),
            targets: targets.compactMap { target($0.record) },
            budget: budget
        )
        scenario.envelope = Scenario.EnvelopeUse(rawValue: root.text("envelope") ?? "") ?? .judged
        scenario.sometimes = sometimes(root.list("sometimes"))
        scenario.crossTraffic = crossTraffic(root, in: scenario)
        checkHarm(targets, in: scenario)
        checkTransfers(targets, root.record("workload"))
        checkFluidLinks(root, scenario)
        checkRDMALinks(root, scenario)
        checkMigrationControl(root, scenario)
        checkDeadlines(root, scenario)
        scenario.recovery = recovery(root, in: scenario)
        for value in root.list("faults") {
            if let rule = fault(value, in: scenario) { scenario.faults.append(rule) }
        }
        checkProgressUnderPartition(invariants, scenario)
        checkMajority(root, invariants, scenario)
        scenario.swarm = swarm(root, document, in: scenario)
        return scenario
    }

    /// Queue pairs need both directions.
    private mutating func checkRDMALinks(_ root: CheckedRecord, _ scenario: Scenario) {
        let links = scenario.topology.links
        for link in links where link.path.rdma != nil {
            let back = scenario.topology.link(from: link.to, to: link.from)
            guard back?.path.rdma == nil else { continue }
            add(
                .conflict,
                root.record("topology"),
                "the streams of link '\(link.name)' go over RDMA, those of the way back do not",
                expected: "streams: rdma in both directions"
            )
        }
    }

    /// A migration follows no measurement of its path (decision 50), so it cannot choose by one.
    private mutating func checkMigrationControl(_ root: CheckedRecord, _ scenario: Scenario) {
        guard case .migration = scenario.workload else { return }
        for variant in scenario.variants where variant.system.transport.congestion == .automatic {
            add(
                .conflict,
                root.record("workload"),
                "migrations do not choose their congestion control, and the variant "
                    + "'\(variant.name)' has congestion: auto",
                expected: "cubic, newreno or bbr"
            )
            return
        }
    }

    /// A fluid has windows that losses move, which BBR's are not.
    private mutating func checkFluidLinks(_ root: CheckedRecord, _ scenario: Scenario) {
        guard let variant = scenario.variants.first(where: { $0.usesBBR }) else { return }
        for link in root.record("topology").list("links") {
            guard let fidelity = link.record["fidelity"], fidelity.text == "fluid" else { continue }
            add(
                .conflict,
                fidelity,
                "a fluid link cannot carry the variant '\(variant.name)', whose congestion control "
                    + "is bbr",
                expected: "fidelity: packet, or cubic or newreno in every variant"
            )
        }
    }

    mutating func add(
        _ category: ScenarioDiagnostic.Category,
        _ value: CheckedValue,
        _ message: String,
        expected: String? = nil,
        suggestion: String? = nil
    ) {
        report.add(
            category,
            at: value.location,
            path: value.path,
            message,
            expected: expected,
            suggestion: suggestion
        )
    }

    mutating func add(
        _ category: ScenarioDiagnostic.Category,
        _ record: CheckedRecord,
        _ message: String,
        expected: String? = nil
    ) {
        report.add(
            category,
            at: record.location,
            path: record.path,
            message,
            expected: expected
        )
    }

    /// Reports a name that does not exist.
    mutating func unknown(_ noun: String, _ value: CheckedValue, among names: [String]) {
        let name = value.text ?? ""
        let listed = names.prefix(12).joined(separator: ", ") + (names.count > 12 ? ", …" : "")
        add(
            .unknownName,
            value,
            "unknown \(noun) '\(QuantityText.shortened(name))'",
            expected: names.isEmpty ? "no \(noun): there is none" : listed,
            suggestion: NearestName.nearest(to: name, among: names)
        )
    }

    /// The region of that name; reports an unknown one.
    mutating func region(_ value: CheckedValue) -> RegionID? {
        guard let name = value.text else { return nil }
        if let index = regionNames.firstIndex(of: name) { return RegionID(UInt32(index)) }
        unknown("region", value, among: regionNames)
        return nil
    }

    private mutating func invariants(
        _ values: [CheckedValue],
        _ workload: Scenario.Workload
    ) -> [Scenario.Invariant] {
        var invariants: [Scenario.Invariant] = []
        for value in values {
            guard let invariant = value.text.flatMap(Scenario.Invariant.init(rawValue:)) else {
                continue
            }
            let allowed = Scenario.Invariant.invariants(of: workload.kind)
            if !allowed.contains(invariant) {
                add(
                    .conflict,
                    value,
                    "'\(invariant.rawValue)' does not apply to the workload "
                        + "'\(workload.kind.rawValue)'",
                    expected: allowed.map(\.rawValue).joined(separator: ", ")
                )
            } else if let missing = workload.missing(for: invariant) {
                add(
                    .conflict,
                    value,
                    "nothing checks '\(invariant.rawValue)' without \(missing)"
                )
            } else if invariants.contains(invariant) {
                add(.conflict, value, "'\(invariant.rawValue)' is listed twice")
            } else {
                invariants.append(invariant)
            }
        }
        return invariants
    }

    private mutating func sometimes(_ values: [CheckedValue]) -> [String] {
        var names: [String] = []
        for value in values {
            guard let name = value.text else { continue }
            if names.contains(name) {
                add(.conflict, value, "'\(name)' is listed twice")
            } else {
                names.append(name)
            }
        }
        return names
    }

    private mutating func budget(_ record: CheckedRecord) -> Budget {
        let replications = record.record("replications")
        let minimum = replications.integer("min")
        let maximum = replications.integer("max")
        if minimum > maximum, let written = replications["max"], replications["min"] != nil {
            let isDefault = !written.isWritten
            add(
                .conflict,
                isDefault ? replications["min"] ?? written : written,
                "the minimum of \(minimum) replications exceeds the maximum of \(maximum)",
                expected: "min at most max"
            )
        }
        return Budget(
            wall: record.interval("wall"),
            replications: Budget.Replications(
                minimum: minimum,
                maximum: maximum,
                relativeHalfWidth: replications.share("relative-half-width")
            )
        )
    }
}

extension Scenario.Workload {
    /// What a run of this workload lacks to check the invariant; `nil` when it can.
    fileprivate func missing(for invariant: Scenario.Invariant) -> String? {
        guard case .boot(let boot) = self else { return nil }
        let needsCrashes: [Scenario.Invariant] = [
            .bootSurvivesCrashPoints, .identitySurvivesCrashes, .noHalfMigration,
        ]
        guard needsCrashes.contains(invariant) else { return nil }
        if boot.crashPoints == .none { return "crash-points in the workload" }
        if invariant != .bootSurvivesCrashPoints, !boot.components.isEmpty { return "graph: node" }
        return nil
    }
}

extension Scenario.Invariant {
    /// The invariants that runs of a workload can check.
    static func invariants(of kind: Scenario.Workload.Kind) -> [Scenario.Invariant] {
        switch kind {
        case .echo:
            [
                .echoesAnsweredUnchanged, .acknowledgedWritesSurvive, .durableRecordsSurvive,
                .linkRateRespected,
            ]
        case .bulk, .transfer:
            [.transferIdentical, .durableRecordsSurvive, .linkRateRespected]
        case .migration:
            [.memoryIdenticalAfterMigration, .durableRecordsSurvive, .linkRateRespected]
        case .requests:
            [
                .linearizable, .raftSafety, .commandsAppliedOnce, .replicasConverge,
                .progressAfterHeal, .progressUnderPartition, .durableRecordsSurvive,
                .linkRateRespected,
            ]
        case .boot:
            [
                .bootOutcomeMatchesCriticality, .rollbackLeavesNothing, .bootSurvivesCrashPoints,
                .identitySurvivesCrashes, .noHalfMigration,
            ]
        }
    }
}
