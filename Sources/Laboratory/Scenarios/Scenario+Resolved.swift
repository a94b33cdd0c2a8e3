import Crypto
import Measurements
import Units

extension Scenario {
    /// What will run, as a scenario file with every default, alias and shorthand written out: links
    /// in both directions, and the complete configuration of each variant.
    ///
    /// Reading it gives an equal scenario.
    public var resolvedText: String {
        var yaml = YAMLText()
        yaml.field("version", Scenario.languageVersion)
        yaml.field("name", YAMLText.name(name))
        yaml.field("seed", seed)
        yaml.field("environment", environment.rawValue)
        yaml.field("hardware", YAMLText.name(hardware))
        yaml.mapping("topology", writeTopology)
        yaml.mapping("workload", writeWorkload)
        yaml.mapping("system") { Scenario.write(system, into: &$0) }
        yaml.mapping("variants") { yaml in
            for variant in variants {
                yaml.mapping(YAMLText.name(variant.name)) {
                    Scenario.write(variant.system, into: &$0)
                }
            }
        }
        // Left out where there is none, as `envelope` is.
        if !crossTraffic.isEmpty {
            yaml.list("cross-traffic", crossTraffic) { write($1, into: &$0) }
        }
        yaml.list("faults", faults) { write($1, into: &$0) }
        writeChaos(into: &yaml)
        yaml.names("invariants", invariants.map(\.rawValue))
        if !sometimes.isEmpty {
            let quoted = sometimes.map(YAMLText.quotation).joined(separator: ", ")
            yaml.field("sometimes", "[\(quoted)]")
        }
        yaml.list("targets", targets) { Scenario.write($1, into: &$0) }
        // Left out where it changes nothing, so that scenarios keep their digests.
        if envelope != .judged { yaml.field("envelope", envelope.rawValue) }
        yaml.mapping("budget") { yaml in
            yaml.field("wall", budget.wall)
            yaml.mapping("replications") { yaml in
                yaml.field("min", budget.replications.minimum)
                yaml.field("max", budget.replications.maximum)
                yaml.field(
                    "relative-half-width",
                    QuantityText.percentText(budget.replications.relativeHalfWidth)
                )
            }
        }
        return yaml.text
    }

    /// Identifies what runs: SHA-256 of the resolved form with the seed 0, 64 hexadecimal digits.
    /// Layout, comments and shorthand do not change it, and neither does the first seed: a
    /// replication follows from its own seed, whichever seed the campaign began with. What a seed has
    /// drawn from a swarm is identified by the swarm.
    public var digest: String {
        if let drawing { return drawing.origin }
        var unseeded = self
        unseeded.seed = 0
        return SHA256.hash(data: Array(unseeded.resolvedText.utf8)).map { byte in
            let digits = String(byte, radix: 16)
            return digits.utf8.count == 1 ? "0\(digits)" : digits
        }.joined()
    }

    func regionName(_ region: RegionID) -> String {
        YAMLText.name(topology.regions[Int(region.rawValue)].name)
    }

    private func writeTopology(into yaml: inout YAMLText) {
        yaml.mapping("regions") { yaml in
            for region in topology.regions {
                yaml.mapping(YAMLText.name(region.name)) { yaml in
                    yaml.field("nodes", region.nodes)
                    yaml.names("labels", region.labels)
                    yaml.mapping("local") { Scenario.write(region.local, into: &$0) }
                }
            }
        }
        yaml.list("links", topology.links) { yaml, link in
            yaml.field("from", regionName(link.from))
            yaml.field("to", regionName(link.to))
            yaml.quoted("name", link.name)
            Scenario.write(link.path, into: &yaml)
        }
    }

    private func writeWorkload(into yaml: inout YAMLText) {
        yaml.field("kind", workload.kind.rawValue)
        if workload.kind.hasEnds {
            yaml.field("from", regionName(workload.ends.first))
            yaml.field("to", regionName(workload.ends.second))
        }
        switch workload {
        case .boot(let boot): write(boot, into: &yaml)
        case .requests(let requests): write(requests, into: &yaml)
        case .echo(let echo):
            yaml.field("requests", echo.requests)
            yaml.field("interval", echo.interval)
            yaml.field("timeout", echo.timeout)
            yaml.field("attempts", echo.attempts)
            yaml.field("stream", echo.stream)
            yaml.field("streams", echo.streams)
            yaml.field("deadline", echo.deadline)
        case .bulk(let bulk):
            yaml.field("start", bulk.start)
            Scenario.write(bulk.duration, into: &yaml)
            Scenario.write(bulk.name, bulk.share, into: &yaml)
            if !bulk.beside.isEmpty {
                yaml.list("beside", bulk.beside) { yaml, transfer in
                    yaml.field("from", regionName(transfer.from))
                    yaml.field("to", regionName(transfer.to))
                    yaml.field("start", transfer.start)
                    Scenario.write(transfer.duration, into: &yaml)
                    Scenario.write(transfer.name, transfer.share, into: &yaml)
                }
            }
        case .transfer(let transfer):
            yaml.field("amount", transfer.amount)
            yaml.field("deadline", transfer.deadline)
        case .migration(let migration):
            yaml.mapping("memory") {
                $0.field("dataset", YAMLText.name(migration.memory.dataset))
            }
            yaml.field("count", migration.count)
            yaml.field("concurrency", migration.concurrency)
            yaml.field("deadline", migration.deadline)
        }
    }

    /// Left out where there is none, so that older digests stay as they are.
    private static func write(
        _ name: String?,
        _ share: BulkWorkload.Share?,
        into yaml: inout YAMLText
    ) {
        if let name { yaml.field("name", YAMLText.name(name)) }
        guard let share else { return }
        yaml.mapping("share") { yaml in
            yaml.field("weight", share.weight)
            if let least = share.least { yaml.field("least", least) }
            if let most = share.most { yaml.field("most", most) }
        }
    }

    static func write(_ duration: SteadyDuration, into yaml: inout YAMLText) {
        yaml.mapping("duration") { yaml in
            switch duration.warmUp {
            case .automatic: yaml.field("warmup", "auto")
            case .fixed(let interval): yaml.field("warmup", interval)
            }
            yaml.field("measure", duration.measure)
        }
    }

    static func write(_ system: Scenario.SystemConfiguration, into yaml: inout YAMLText) {
        yaml.mapping("transport") { yaml in
            switch system.transport.streams {
            case .automatic: yaml.field("streams", "auto")
            case .fixed(let count): yaml.field("streams", count)
            }
            yaml.field("congestion", system.transport.congestion.rawValue)
            if let chunk = system.transport.chunk {
                yaml.field("chunk", chunk)
            } else {
                yaml.field("chunk", "auto")
            }
            yaml.field("window", system.transport.window)
            yaml.field("tls", system.transport.tls)
            // Left out where it is off, so that older digests stay as they are.
            if system.transport.usesCongestionNotification { yaml.field("ecn", true) }
            if let pacing = system.transport.pacing { yaml.field("pacing", pacing) }
            if let mode = system.transport.mode { yaml.field("mode", mode.rawValue) }
            if let deadline = system.transport.deadline { yaml.field("deadline", deadline) }
        }
        yaml.mapping("encoding") { yaml in
            switch system.encoding {
            case .none:
                yaml.field("kind", "none")
            case .hierarchical(let encoding):
                yaml.field("kind", "hierarchical")
                yaml.field("level", encoding.level)
                yaml.field("batch-pages", encoding.batchPages)
            }
        }
        yaml.mapping("migration") { yaml in
            yaml.field("max-rounds", system.migration.maximumRounds)
            yaml.field("downtime-goal", system.migration.downtimeGoal)
        }
        write(system.initialization, into: &yaml)
        write(system.consensus, into: &yaml)
    }

    /// One duration, or a range whose ends keep their own units.
    static func spanText(_ span: ClosedRange<Interval>) -> String {
        span.lowerBound == span.upperBound
            ? "\(span.lowerBound)" : "\(span.lowerBound)..\(span.upperBound)"
    }

    private static func write(_ target: Target, into yaml: inout YAMLText) {
        yaml.field("metric", target.metric)
        yaml.quoted("expect", target.expectation)
        switch target.subject {
        case .everyVariant: break
        case .variant(let name): yaml.field("variant", YAMLText.name(name))
        case .compare(let first, let second): yaml.names("compare", [first, second])
        }
        if let link = target.link { yaml.quoted("link", link) }
        if let region = target.region { yaml.field("region", YAMLText.name(region)) }
        if let phase = target.phase { yaml.field("phase", phase) }
        if let transfer = target.transfer {
            yaml.field("transfer", YAMLText.name(transfer))
        }
        yaml.field("confidence", QuantityText.percentText(target.confidence))
    }
}
