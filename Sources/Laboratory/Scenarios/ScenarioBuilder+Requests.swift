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
        let replicas = record.integer("replicas")
        let workload = Scenario.RequestWorkload(
            groups: record.integer("groups"),
            replicas: replicas,
            witnesses: record.integer("witnesses"),
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
            duration: duration(record.record("duration")),
            membership: record.has("membership")
                ? membership(record.record("membership"), replicas: replicas) : nil
        )
        checkWitnesses(record, workload)
        return checkPlaces(record, workload, topology) ? workload : nil
    }

    private mutating func checkWitnesses(
        _ record: CheckedRecord,
        _ workload: Scenario.RequestWorkload
    ) {
        let voters = workload.membership?.founders ?? workload.replicas
        guard 2 * workload.witnesses >= voters, workload.witnesses > 0,
            let value = record["witnesses"]
        else { return }
        add(
            .conflict,
            value,
            "\(workload.witnesses) witnesses among \(voters) voters",
            expected: "a minority, \((voters - 1) / 2) at most"
        )
    }

    private mutating func membership(
        _ record: CheckedRecord,
        replicas: Int
    ) -> Scenario.RequestWorkload.Membership {
        typealias Membership = Scenario.RequestWorkload.Membership
        let founders = record.optionalInteger("founders") ?? replicas
        if founders > replicas, let value = record["founders"] {
            add(
                .conflict,
                value,
                "\(founders) founders among \(replicas) replicas",
                expected: "\(replicas) at most"
            )
        }
        let least = record.optionalInteger("least") ?? min(3, founders)
        if least > founders, let value = record["least"] ?? record["founders"] {
            add(
                .conflict,
                value,
                "\(least) voters at least, and \(founders) founders",
                expected: "no more than founders"
            )
        }
        return Membership(
            founders: founders,
            least: least,
            every: record.interval("every"),
            style: record.text("style").flatMap(Membership.Style.init(rawValue:)) ?? .mixed,
            transfers: record.share("transfers"),
            administrators: record.integer("administrators")
        )
    }

    /// Whether there are nodes for all replicas and clients.
    private mutating func checkPlaces(
        _ record: CheckedRecord,
        _ workload: Scenario.RequestWorkload,
        _ topology: Scenario.Topology
    ) -> Bool {
        let places = workload.load.places
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
            return false
        }
        if workload.load.clients < places.count, let value = record.record("load")["clients"] {
            add(
                .conflict,
                value,
                "\(workload.load.clients) clients in \(places.count) regions",
                expected: "a client for each region"
            )
        }
        return true
    }

    /// Whether every partition leaves some replica in touch with a majority and with clients, and stands
    /// still, so that progress can be asked for meanwhile.
    mutating func checkProgressUnderPartition(_ invariants: [CheckedValue], _ scenario: Scenario) {
        guard
            let value = invariants.first(where: {
                $0.text == Scenario.Invariant.progressUnderPartition.rawValue
            }), case .requests(let requests) = scenario.workload
        else { return }
        if requests.groups > 1 || requests.membership != nil {
            add(
                .conflict,
                value,
                "partitions leave a majority of one group of lasting members",
                expected: "groups: 1, and no membership"
            )
        }
        for (number, rule) in scenario.faults.enumerated() {
            guard case .netPartition(let mode, let flapping) = rule.action else { continue }
            let candidates = scenario.nodeCandidates(for: rule.selection).count
            let picked = rule.selection.pick.count(of: candidates)
            let mayPartAll = !mode.partsSelected && picked * 2 >= requests.replicas
            // The one replica that could be elected may have an old log, and then nobody is.
            guard flapping != nil || mayPartAll || mode == .constrainedElection else { continue }
            add(
                .conflict,
                value,
                "fault \(number) may leave no replica that a majority would elect and clients reach",
                expected:
                    "partitions without a period, no constrained-election, and fewer than half "
                    + "of the replicas in halves, isolate and one-way"
            )
        }
    }

    /// A majority alone makes no progress where two regions have to agree, or where a witness is part of it
    /// that cannot lead.
    mutating func checkMajority(
        _ root: CheckedRecord,
        _ invariants: [CheckedValue],
        _ scenario: Scenario
    ) {
        guard case .requests(let requests) = scenario.workload else { return }
        let isGrouped = scenario.variants.contains { $0.system.consensus.groupCommit }
        guard isGrouped || requests.witnesses > 0 else { return }
        let asked = invariants.first {
            $0.text == Scenario.Invariant.progressUnderPartition.rawValue
        }
        let core = scenario.recovery?.core == .majority ? root.record("recovery")["core"] : nil
        guard let value = core ?? asked else { return }
        add(
            .conflict,
            value,
            "a majority of the replicas is not sure to make progress alone with "
                + (isGrouped ? "group-commit" : "witnesses"),
            expected: "all replicas, or neither"
        )
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
            snapshotEntries: record.optionalInteger("snapshot-entries") ?? usual.snapshotEntries,
            leaderRegions: record.list("leader-regions").compactMap(\.text),
            groupCommit: record.flag("group-commit")
        )
    }

    mutating func checkConsensus(
        _ record: CheckedRecord,
        _ consensus: Scenario.SystemConfiguration.Consensus
    ) {
        for value in record.list("leader-regions") { _ = region(value) }
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
