import Units

extension ScenarioBuilder {
    /// The request workload, or `nil` when it cannot be read.
    mutating func requests(
        _ record: CheckedRecord,
        _ topology: Scenario.Topology
    ) -> Scenario.RequestWorkload? {
        let load = record.record("load")
        guard record.isValid, load.isValid else { return nil }
        var places: [RegionID] = []
        for value in load.list("place") {
            guard let region = region(value) else { return nil }
            guard !places.contains(region) else {
                add(.conflict, value, "region '\(value.text ?? "")' is named twice")
                continue
            }
            places.append(region)
        }
        if places.isEmpty { places = [RegionID(UInt32(topology.regions.count - 1))] }
        places.sort()
        let workload = Scenario.RequestWorkload(
            groups: record.integer("groups"),
            replicas: record.integer("replicas"),
            load: Scenario.RequestWorkload.Load(
                arrival: load.text("arrival")
                    .flatMap(Scenario.RequestWorkload.Arrival.init(rawValue:)) ?? .poisson,
                rate: load.number("rate"),
                clients: load.integer("clients"),
                mix: mix(load),
                keys: load.integer("keys"),
                value: load.size("value"),
                timeout: load.interval("timeout"),
                places: places
            ),
            duration: duration(record.record("duration"))
        )
        let replicas = topology.nodeCount - places.count
        let wanted = workload.groups * workload.replicas
        guard replicas >= wanted else {
            add(
                .conflict,
                record,
                "the regions have \(topology.nodeCount) nodes; beside \(places.count) for clients "
                    + "\(replicas) are left for \(workload.groups) groups of \(workload.replicas)",
                expected: "\(wanted + places.count) nodes or more"
            )
            return nil
        }
        if workload.load.clients < places.count, let value = load["clients"] {
            add(
                .conflict,
                value,
                "\(workload.load.clients) clients in \(places.count) regions",
                expected: "a client for each region"
            )
        }
        return workload
    }

    private mutating func mix(_ load: CheckedRecord) -> [Scenario.RequestWorkload.Share] {
        guard let value = load["mix"] else { return Scenario.RequestWorkload.usualMix }
        let shares = Scenario.RequestWorkload.Operation.allCases.compactMap { operation in
            value.record.has(operation.rawValue)
                ? Scenario.RequestWorkload.Share(
                    operation,
                    value.record.share(operation.rawValue)
                ) : nil
        }
        let sum = shares.reduce(0) { $0 + $1.share.value }
        if abs(sum - 1) > 1e-9 {
            let percent = QuantityText.percentText(Ratio(sum))
            add(.outOfRange, value, "the shares sum to \(percent)", expected: "100 %")
        }
        return shares
    }

    static func consensus(_ record: CheckedRecord) -> Scenario.SystemConfiguration.Consensus {
        typealias Consensus = Scenario.SystemConfiguration.Consensus
        let usual = Consensus.usual
        return Consensus(
            carrier: record.text("carrier").flatMap(Consensus.Carrier.init(rawValue:))
                ?? usual.carrier,
            heartbeat: record.optionalInterval("heartbeat") ?? usual.heartbeat,
            election: record.span("election") ?? usual.election,
            reads: record.text("reads").flatMap(Consensus.Reads.init(rawValue:)) ?? usual.reads,
            snapshotEntries: record.optionalInteger("snapshot-entries") ?? usual.snapshotEntries
        )
    }

    mutating func checkConsensus(
        _ record: CheckedRecord,
        _ consensus: Scenario.SystemConfiguration.Consensus
    ) {
        guard consensus.heartbeat >= consensus.election.lowerBound,
            let value = record["heartbeat"] ?? record["election"]
        else { return }
        add(
            .conflict,
            value,
            "a heartbeat every \(consensus.heartbeat) and elections after "
                + "\(consensus.election.lowerBound)",
            expected: "heartbeats more often than that"
        )
    }
}
