import Initialization
import Units

extension ScenarioBuilder {
    /// The boot workload, or `nil` when it cannot be read.
    mutating func boot(_ record: CheckedRecord) -> Scenario.BootWorkload? {
        var region: RegionID?
        if let value = record["region"] {
            region = self.region(value)
            if region == nil { return nil }
        }
        let shared = sharedDependencies(record)
        guard let graph = graph(record, shared) else { return nil }
        let variation = record.record("variation")
        let sigma = variation.word == "lognormal" ? variation.number("sigma") : 0
        if sigma > 2, let value = variation["sigma"] {
            add(.outOfRange, value, "a sigma of \(sigma)", expected: "at most 2")
        }
        return Scenario.BootWorkload(
            region: region,
            graph: graph,
            sigma: sigma,
            shared: shared,
            stagger: record.span("stagger") ?? .zero ... .zero,
            cores: record.optionalInteger("cores"),
            start: start(record),
            crashPoints: record.text("crash-points")
                .flatMap(Scenario.BootWorkload.CrashPoints.init(rawValue:)) ?? .none,
            deadline: record.interval("deadline")
        )
    }

    /// Models of components keep nothing, so only the project's own node knows a warm start.
    private mutating func start(_ record: CheckedRecord) -> Scenario.BootWorkload.Start {
        let start =
            record.text("start").flatMap(Scenario.BootWorkload.Start.init(rawValue:)) ?? .cold
        if start == .warm, record.has("components"), let value = record["start"] {
            add(
                .conflict,
                value,
                "components of models keep nothing from an earlier life",
                expected: "start: cold, or graph: node"
            )
        }
        return start
    }

    private func sharedDependencies(
        _ record: CheckedRecord
    ) -> [Scenario.BootWorkload.SharedDependency] {
        (record["shared"]?.dictionary ?? []).map { entry in
            let service = entry.value.record
            return Scenario.BootWorkload.SharedDependency(
                name: entry.name,
                servers: max(1, service.integer("servers")),
                serviceTime: service.interval("service-time"),
                distribution: service.text("distribution").flatMap(
                    Scenario.BootWorkload.SharedDependency.Distribution.init(rawValue:)
                ) ?? .constant,
                queue: service.integer("queue"),
                timeout: service.interval("timeout"),
                roundTrip: service.interval("rtt")
            )
        }
    }

    private mutating func graph(
        _ record: CheckedRecord,
        _ shared: [Scenario.BootWorkload.SharedDependency]
    ) -> Scenario.BootWorkload.Graph? {
        guard record.has("graph") != record.has("components") else {
            let both = record.has("graph")
            add(
                both ? .conflict : .missingKey,
                record,
                both
                    ? "the workload has both 'graph' and 'components'"
                    : "the workload does not say what boots",
                expected: "either graph: node, or components"
            )
            return nil
        }
        if record.has("graph") { return .node(costs: record.text("costs")) }
        if let costs = record["costs"] {
            add(
                .conflict,
                costs,
                "'costs' belongs to graph: node",
                expected: "cpu and wait of each component"
            )
        }
        guard let entries = record["components"]?.dictionary else { return nil }
        let names = entries.map(\.name)
        let components = entries.map { component($0.name, $0.value.record, names, shared) }
        return graph(components, entries)
    }

    private mutating func component(
        _ name: String,
        _ record: CheckedRecord,
        _ names: [String],
        _ shared: [Scenario.BootWorkload.SharedDependency]
    ) -> Scenario.BootWorkload.Component {
        for value in record.list("needs") + record.list("wants") {
            if let text = value.text, !names.contains(text) {
                unknown("component", value, among: names)
            }
        }
        let services = shared.map(\.name)
        var uses: [Scenario.BootWorkload.Use] = []
        for entry in record["uses"]?.dictionary ?? [] {
            if !services.contains(entry.name) { unknownService(entry, among: services) }
            guard case .scalar(.integer(let requests)) = entry.value.content else { continue }
            uses.append(Scenario.BootWorkload.Use(service: entry.name, requests: Int(requests)))
        }
        return Scenario.BootWorkload.Component(
            specification: specification(name, record),
            cpu: record.interval("cpu"),
            wait: record.interval("wait"),
            origin: origin(record, "origin"),
            split: origin(record, "split"),
            part: record.text("part-of"),
            uses: uses.sorted { $0.service < $1.service }
        )
    }

    private mutating func unknownService(
        _ entry: (name: String, location: SourceLocation, value: CheckedValue),
        among services: [String]
    ) {
        let value = CheckedValue(
            location: entry.location,
            path: entry.value.path,
            isWritten: true,
            content: .scalar(.text(entry.name))
        )
        unknown("shared service", value, among: services)
    }

    private func origin(_ record: CheckedRecord, _ key: String) -> Scenario.BootWorkload.Origin {
        record.text(key).flatMap(Scenario.BootWorkload.Origin.init(rawValue:)) ?? .assumed
    }

    private mutating func specification(
        _ name: String,
        _ record: CheckedRecord
    ) -> ComponentSpecification {
        let retry = record.record("retry")
        let factor = retry.isValid ? retry.number("factor") : 1
        if factor > 100, let value = retry["factor"] {
            add(.outOfRange, value, "delays that grow by \(factor)", expected: "at most 100")
        }
        return ComponentSpecification(
            name: name,
            phase: record.text("phase").flatMap(BootPhase.init(rawValue:)) ?? .pre,
            dependencies: record.list("needs").compactMap(\.text),
            optionalDependencies: record.list("wants").compactMap(\.text),
            criticality: record.text("criticality").flatMap(Criticality.init(rawValue:)) ?? .halt,
            timeout: record.interval("timeout"),
            retry: RetryPolicy(
                attempts: max(1, retry.integer("attempts")),
                delay: retry.interval("delay"),
                factor: factor,
                jitter: retry.share("jitter").value
            ),
            holdsReadiness: record.text("readiness") != "background",
            expectedDuration: record.interval("cpu") + record.interval("wait")
        )
    }

    /// Checks that the components can be started as a graph.
    private mutating func graph(
        _ components: [Scenario.BootWorkload.Component],
        _ entries: [(name: String, location: SourceLocation, value: CheckedValue)]
    ) -> Scenario.BootWorkload.Graph? {
        guard report.isEmpty else { return nil }
        do {
            _ = try ComponentGraph(components.map(\.specification))
        } catch {
            let culprit: String? =
                switch error {
                case .cycle(let path): path.first
                case .missing(_, let path, _): path.first
                case .duplicate(let name), .laterPhase(let name, _): name
                }
            let entry = entries.first { $0.name == culprit } ?? entries[0]
            add(.conflict, entry.value, error.description)
            return nil
        }
        guard components.contains(where: \.specification.holdsReadiness) else {
            add(
                .conflict,
                entries[0].value,
                "READY waits for no component",
                expected: "readiness: required of at least one"
            )
            return nil
        }
        return .components(components)
    }
}

extension ScenarioBuilder {
    /// A fault of the `init.*` kinds, or `nil` when the record has none.
    mutating func bootFault(_ record: CheckedRecord, in scenario: Scenario) -> BootFault? {
        guard case .boot(let workload) = scenario.workload else { return nil }
        let fault: BootFault?
        switch record.word {
        case "init.crash":
            fault = crashPlace(record).map { place in
                let point = record.text("point").flatMap(BootFault.Point.init(rawValue:))
                return .crash(place, point ?? .before)
            }
        case "init.dependency-slow":
            fault = .dependencySlow(record.text("service") ?? "", factor: factor(record))
        case "init.dependency-down":
            fault = .dependencyDown(
                record.text("service") ?? "",
                silent: record.text("silence") == "silent"
            )
        case "init.config-torn": fault = .configTorn
        case "init.fail":
            fault = .fail(record.text("component") ?? "", attempts: record.integer("attempts"))
        case "init.slow":
            fault = .slow(record.text("component") ?? "", factor: factor(record))
        default: fault = nil
        }
        if let value = record["service"], let name = value.text,
            !workload.shared.contains(where: { $0.name == name })
        {
            unknown("shared service", value, among: workload.shared.map(\.name))
            return nil
        }
        // The node's own names are known to the node alone; the run tells of a fault that never fires.
        if case .components(let components) = workload.graph, let value = record["component"],
            let name = value.text, !components.contains(where: { $0.specification.name == name })
        {
            unknown("component", value, among: components.map(\.specification.name))
            return nil
        }
        return fault
    }

    private mutating func crashPlace(_ record: CheckedRecord) -> BootFault.Place? {
        guard record.has("component") != record.has("phase") else {
            let both = record.has("component")
            add(
                both ? .conflict : .missingKey,
                record,
                both
                    ? "the fault has both 'component' and 'phase'"
                    : "the fault does not say where",
                expected: "either component or phase"
            )
            return nil
        }
        if let phase = record.text("phase").flatMap(BootPhase.init(rawValue:)) {
            return .phase(phase)
        }
        return record.text("component").map { .component($0) }
    }

    private mutating func factor(_ record: CheckedRecord) -> Double {
        let factor = record.number("factor")
        if factor > 1_000_000, let value = record["factor"] {
            add(.outOfRange, value, "a factor of \(factor)", expected: "at most 1000000")
        }
        return factor
    }
}
