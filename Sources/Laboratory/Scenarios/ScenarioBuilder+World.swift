import LinkModel
import Units

extension ScenarioBuilder {
    /// The topology, or `nil` when it has no readable regions.
    mutating func topology(_ record: CheckedRecord) -> Scenario.Topology? {
        guard let entries = record["regions"]?.dictionary, !entries.isEmpty else { return nil }
        regionNames = entries.map(\.name)
        let regions = entries.map { entry in
            let region = entry.value.record
            let local = region.record("local")
            return Scenario.Topology.Region(
                name: entry.name,
                nodes: max(1, region.integer("nodes")),
                labels: region.list("labels").compactMap(\.text),
                local: path(local, delay: local.interval("delay"))
            )
        }
        let total = regions.reduce(0) { $0 + $1.nodes }
        if total > ScenarioFile.maximumClusterSize, let value = record["regions"] {
            add(
                .limit,
                value,
                "the regions have \(total) nodes",
                expected: "at most \(ScenarioFile.maximumClusterSize)"
            )
        }
        if record.has("links"), record["links"] == nil { knowsAllLinks = false }
        var links: [Scenario.Topology.Link] = []
        for value in record.list("links") {
            let directions = self.links(value.record)
            if directions.isEmpty { knowsAllLinks = false }
            for link in directions {
                if links.contains(where: { $0.from == link.from && $0.to == link.to }) {
                    let from = regionNames[Int(link.from.rawValue)]
                    let to = regionNames[Int(link.to.rawValue)]
                    add(.conflict, value, "there already is a link from '\(from)' to '\(to)'")
                } else {
                    links.append(link)
                }
            }
        }
        links.sort { ($0.from, $0.to) < ($1.from, $1.to) }
        return Scenario.Topology(regions: regions, links: links)
    }

    /// The directed links of one entry; none when it is wrong.
    private mutating func links(_ record: CheckedRecord) -> [Scenario.Topology.Link] {
        guard record.isValid else { return [] }
        let isPair = record.has("between")
        let isDirected = record.has("from") || record.has("to")
        guard isPair != isDirected else {
            add(
                isPair ? .conflict : .missingKey,
                record,
                isPair
                    ? "the link has both 'between' and 'from' or 'to'"
                    : "the link does not say what it connects",
                expected: "either between: [a, b], or from: a and to: b"
            )
            return []
        }
        guard let ends = isPair ? pair(record) : directed(record) else { return [] }
        guard let delay = delay(record, isPair: isPair) else { return [] }
        let path = path(record, delay: delay)
        return (isPair ? [ends, LinkEnds(from: ends.to, to: ends.from)] : [ends]).map { ends in
            let from = regionNames[Int(ends.from.rawValue)]
            let to = regionNames[Int(ends.to.rawValue)]
            return Scenario.Topology.Link(
                name: record.text("name") ?? "\(from)->\(to)",
                from: ends.from,
                to: ends.to,
                path: path
            )
        }
    }

    private mutating func pair(_ record: CheckedRecord) -> LinkEnds? {
        guard let value = record["between"] else { return nil }
        guard value.list.count == 2 else {
            add(
                .outOfRange,
                value,
                "the link is between \(value.list.count) regions",
                expected: "exactly two"
            )
            return nil
        }
        let from = region(value.list[0])
        let to = region(value.list[1])
        guard let from, let to else { return nil }
        return distinct(from, to, value)
    }

    private mutating func directed(_ record: CheckedRecord) -> LinkEnds? {
        for (key, other) in [("from", "to"), ("to", "from")] where !record.has(key) {
            add(.missingKey, record, "the link has '\(other)' but no '\(key)'")
        }
        guard let first = record["from"], let second = record["to"] else { return nil }
        let from = region(first)
        let to = region(second)
        guard let from, let to else { return nil }
        return distinct(from, to, second)
    }

    mutating func distinct(
        _ from: RegionID,
        _ to: RegionID,
        _ value: CheckedValue
    ) -> LinkEnds? {
        guard from != to else {
            add(
                .conflict,
                value,
                "the link leads from a region to itself",
                expected: "two regions; local in a region describes the path inside it"
            )
            return nil
        }
        return LinkEnds(from: from, to: to)
    }

    private mutating func delay(_ record: CheckedRecord, isPair: Bool) -> Interval? {
        guard record.has("rtt") != record.has("delay") else {
            add(
                record.has("rtt") ? .conflict : .missingKey,
                record,
                record.has("rtt")
                    ? "the link has both 'rtt' and 'delay'" : "the link has no delay",
                expected: isPair ? "either rtt or delay, not both" : "delay: 40 ms"
            )
            return nil
        }
        if let roundTrip = record["rtt"], !isPair {
            add(
                .conflict,
                roundTrip,
                "a one-way link has no round trip",
                expected: "delay, the propagation of this direction"
            )
            return nil
        }
        return record.optionalInterval("rtt").map { $0 / 2 } ?? record.optionalInterval("delay")
    }

    func jitter(_ record: CheckedRecord, delay: Interval) -> Scenario.Jitter {
        let scale = record.interval("scale")
        let distribution: Scenario.Jitter.Distribution
        switch record.word {
        case "uniform": distribution = .uniform(scale: scale)
        case "normal": distribution = .normal(scale: scale)
        case "lognormal":
            let sigma = record.number("sigma")
            // Without a scale the sigma speaks about the delay itself, whose deviation is then
            // delay × sigma to first order. A thousand seconds bound what an odd sigma asks for.
            let implied = min(delay.seconds * sigma, 1_000)
            distribution = .lognormal(
                scale: record.optionalInterval("scale")
                    ?? max(.nanoseconds(1), Interval(seconds: implied)),
                sigma: sigma
            )
        case "pareto":
            distribution = .pareto(scale: scale, shape: record.number("shape"))
        default: distribution = .none
        }
        return Scenario.Jitter(distribution, reorders: record.flag("reorder"))
    }

    func loss(_ record: CheckedRecord) -> Scenario.LossModel {
        switch record.word {
        case "bernoulli" where record.share("correlation") > .zero:
            .correlated(rate: record.share("rate"), correlation: record.share("correlation"))
        case "bernoulli": .bernoulli(rate: record.share("rate"))
        case "gilbert": .gilbert(rate: record.share("rate"), burst: record.number("burst"))
        default: .none
        }
    }

    /// The workload, or `nil` when it cannot be read.
    mutating func workload(
        _ record: CheckedRecord,
        _ topology: Scenario.Topology
    ) -> Scenario.Workload? {
        guard let kind = record.word.flatMap(Scenario.Workload.Kind.init(rawValue:)) else {
            return nil
        }
        if kind == .boot { return boot(record).map { .boot($0) } }
        if kind == .requests { return requests(record, topology).map { .requests($0) } }
        guard let ends = ends(record, kind, topology) else { return nil }
        switch kind {
        case .boot, .requests: return nil
        case .echo:
            return .echo(
                Scenario.EchoWorkload(
                    from: ends.from,
                    to: ends.to,
                    requests: record.integer("requests"),
                    interval: record.interval("interval"),
                    timeout: record.interval("timeout"),
                    attempts: record.integer("attempts"),
                    stream: record.size("stream"),
                    streams: record.integer("streams"),
                    deadline: record.interval("deadline")
                )
            )
        case .bulk:
            return .bulk(bulk(record, ends, topology))
        case .transfer:
            return .transfer(
                Scenario.TransferWorkload(
                    from: ends.from,
                    to: ends.to,
                    amount: record.size("amount"),
                    deadline: record.interval("deadline")
                )
            )
        case .migration:
            let count = record.integer("count")
            if let concurrency = record["concurrency"], record.integer("concurrency") > count {
                add(
                    .conflict,
                    concurrency,
                    "\(record.integer("concurrency")) migrations at a time, of \(count) in all",
                    expected: "concurrency at most count"
                )
            }
            return .migration(
                Scenario.MigrationWorkload(
                    from: ends.from,
                    to: ends.to,
                    memory: Scenario.MigrationWorkload.MemorySource(
                        dataset: record.record("memory").text("dataset") ?? ""
                    ),
                    count: count,
                    concurrency: record.integer("concurrency"),
                    deadline: record.interval("deadline")
                )
            )
        }
    }

    func duration(_ record: CheckedRecord) -> Scenario.SteadyDuration {
        Scenario.SteadyDuration(
            warmUp: record.optionalInterval("warmup").map { .fixed($0) } ?? .automatic,
            measure: record.interval("measure")
        )
    }

    /// The regions of the two roles, connected both ways.
    mutating func ends(
        _ record: CheckedRecord,
        _ kind: Scenario.Workload.Kind,
        _ topology: Scenario.Topology
    ) -> LinkEnds? {
        let last = RegionID(UInt32(min(1, topology.regions.count - 1)))
        let from = record["from"].map { region($0) } ?? RegionID(0)
        let to = record["to"].map { region($0) } ?? last
        guard let from, let to else { return nil }
        if from == to {
            let name = regionNames[Int(from.rawValue)]
            let isPossible = kind == .echo && topology.regions[Int(from.rawValue)].nodes >= 2
            guard !isPossible else { return LinkEnds(from: from, to: to) }
            add(
                .conflict,
                record,
                kind == .echo
                    ? "region '\(name)' holds both ends of the workload but has only one node"
                    : "both ends of the workload are in region '\(name)'",
                expected: kind == .echo ? "at least two nodes" : "two regions"
            )
            return nil
        }
        let ends = LinkEnds(from: from, to: to)
        checkLinks(between: ends, of: "the workload", record, topology)
        return ends
    }

    /// Reports each way that no link leads.
    mutating func checkLinks(
        between ends: LinkEnds,
        of subject: String,
        _ record: CheckedRecord,
        _ topology: Scenario.Topology
    ) {
        for ends in [ends, LinkEnds(from: ends.to, to: ends.from)]
        where topology.link(from: ends.from, to: ends.to) == nil && knowsAllLinks {
            add(
                .conflict,
                record,
                "no link leads from '\(regionNames[Int(ends.from.rawValue)])' to "
                    + "'\(regionNames[Int(ends.to.rawValue)])'",
                expected: "links both ways between the ends of \(subject)"
            )
        }
    }
}
