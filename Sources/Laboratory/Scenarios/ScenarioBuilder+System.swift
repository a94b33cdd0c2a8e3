import Initialization
import Units

extension ScenarioBuilder {
    /// The base configuration, and that of every variant.
    mutating func configurations(
        _ root: CheckedRecord,
        _ document: DocumentNode
    ) -> (system: Scenario.SystemConfiguration, variants: [Scenario.Variant]) {
        let system = ScenarioBuilder.configuration(root.record("system"))
        checkConsensus(root.record("system").record("consensus"), system.consensus)
        let base =
            document["system"] ?? DocumentNode(.mapping([]), at: SourceLocation(line: 1, column: 1))
        var variants: [Scenario.Variant] = []
        for entry in root["variants"]?.dictionary ?? [] {
            guard case .patch(let patch) = entry.value.content else { continue }
            let shape = Shape.record(ScenarioShapes.system)
            let merged = DocumentMerge.merged(base, patch, shape)
            let checked = ShapeChecker.check(merged, shape, path: entry.value.path, &report)
            let configuration = ScenarioBuilder.configuration(checked.record)
            checkConsensus(checked.record.record("consensus"), configuration.consensus)
            variants.append(Scenario.Variant(name: entry.name, system: configuration))
        }
        if variants.isEmpty {
            variants = [Scenario.Variant(name: Scenario.Variant.defaultName, system: system)]
        }
        return (system, variants)
    }

    static func configuration(_ record: CheckedRecord) -> Scenario.SystemConfiguration {
        let transport = record.record("transport")
        let encoding = record.record("encoding")
        let migration = record.record("migration")
        let boot = record.record("initialization")
        return Scenario.SystemConfiguration(
            transport: Scenario.SystemConfiguration.Transport(
                streams: transport.optionalInteger("streams").map { .fixed($0) } ?? .automatic,
                congestion: transport.text("congestion")
                    .flatMap(Scenario.SystemConfiguration.Transport.Congestion.init(rawValue:))
                    ?? .cubic,
                chunk: transport.optionalSize("chunk"),
                window: transport.size("window"),
                tls: transport.flag("tls"),
                usesCongestionNotification: transport.flag("ecn"),
                pacing: transport.optionalRate("pacing"),
                mode: transport.text("mode")
                    .flatMap(Scenario.SystemConfiguration.Transport.Mode.init(rawValue:)),
                deadline: transport.optionalInterval("deadline")
            ),
            encoding: encoding.word == "hierarchical"
                ? .hierarchical(
                    Scenario.SystemConfiguration.Encoding.Hierarchical(
                        level: encoding.text("level").flatMap { Int($0) } ?? 0,
                        batchPages: encoding.integer("batch-pages")
                    )
                ) : .none,
            migration: Scenario.SystemConfiguration.Migration(
                maximumRounds: migration.integer("max-rounds"),
                downtimeGoal: migration.interval("downtime-goal")
            ),
            initialization: Scenario.SystemConfiguration.BootOptions(
                order: boot.text("order").flatMap(StartOrder.init(rawValue:)) ?? .dependencyReady,
                concurrency: max(1, boot.integer("concurrency")),
                bootDeadline: boot.interval("boot-deadline"),
                rollbackDeadline: boot.interval("rollback-deadline")
            ),
            consensus: consensus(record.record("consensus"))
        )
    }
}
