import Units

extension ScenarioBuilder {
    /// The workload `bulk` from `ends`; transfers that are wrong are reported, and left out where
    /// nothing can be said about them.
    mutating func bulk(
        _ record: CheckedRecord,
        _ ends: LinkEnds,
        _ topology: Scenario.Topology
    ) -> Scenario.BulkWorkload {
        var workload = Scenario.BulkWorkload(
            from: ends.from,
            to: ends.to,
            start: record.interval("start"),
            duration: duration(record.record("duration")),
            name: record.text("name"),
            share: share(record)
        )
        var records = [record]
        for element in record.list("beside") {
            let entry = element.record
            guard let ends = self.ends(entry, .bulk, topology) else { continue }
            checkRegions(ends, after: workload.transfers, entry, topology)
            let duration =
                entry["duration"] == nil ? workload.duration : duration(entry.record("duration"))
            workload.beside.append(
                Scenario.BulkWorkload.Transfer(
                    from: ends.from,
                    to: ends.to,
                    start: entry.interval("start"),
                    duration: duration,
                    name: entry.text("name"),
                    share: share(entry)
                )
            )
            records.append(entry)
        }
        checkNames(workload.transfers, records, topology)
        return workload
    }

    /// A region sends or receives: senders have a node for all their transfers, receivers one for each.
    private mutating func checkRegions(
        _ ends: LinkEnds,
        after transfers: [Scenario.BulkWorkload.Transfer],
        _ entry: CheckedRecord,
        _ topology: Scenario.Topology
    ) {
        let both =
            if transfers.contains(where: { $0.to == ends.from }) {
                ends.from
            } else if transfers.contains(where: { $0.from == ends.to }) {
                ends.to
            } else {
                RegionID?.none
            }
        if let both {
            add(
                .conflict,
                entry,
                "region '\(regionNames[Int(both.rawValue)])' sends one transfer and receives another",
                expected: "a region that does both in no two transfers"
            )
            return
        }
        let nodes = topology.regions[Int(ends.to.rawValue)].nodes
        let receiving = transfers.count { $0.to == ends.to } + 1
        if receiving > nodes {
            add(
                .conflict,
                entry,
                "region '\(regionNames[Int(ends.to.rawValue)])' receives \(receiving) transfers and has "
                    + (nodes == 1 ? "one node" : "\(nodes) nodes"),
                expected: "as many nodes as transfers, or another region"
            )
        }
        let sending = transfers.count { $0.from == ends.from } + 1
        // Once is enough, however many more there are.
        if sending == Scenario.BulkWorkload.transferLimit + 1 {
            add(
                .limit,
                entry,
                "region '\(regionNames[Int(ends.from.rawValue)])' sends more than "
                    + "\(Scenario.BulkWorkload.transferLimit) transfers",
                expected: "at most \(Scenario.BulkWorkload.transferLimit) transfers of one sender"
            )
        }
    }

    /// Figures tell transfers apart by their links, or by names.
    private mutating func checkNames(
        _ transfers: [Scenario.BulkWorkload.Transfer],
        _ records: [CheckedRecord],
        _ topology: Scenario.Topology
    ) {
        let links = transfers.map { topology.link(from: $0.from, to: $0.to)?.name }
        for index in transfers.indices {
            guard let name = transfers[index].name else {
                guard let link = links[index], links.count(where: { $0 == link }) > 1 else {
                    continue
                }
                add(
                    .missingKey,
                    records[index],
                    "several transfers take the link '\(QuantityText.shortened(link))', and this one "
                        + "has no 'name'",
                    expected: "a name for each of them, as in name: backup"
                )
                continue
            }
            guard transfers[..<index].contains(where: { $0.name == name }),
                let value = records[index]["name"]
            else { continue }
            add(
                .conflict,
                value,
                "two transfers have the name '\(QuantityText.shortened(name))'",
                expected: "a name of its own for each"
            )
        }
    }

    /// The share of a transfer; `nil` where the file has none.
    private mutating func share(_ record: CheckedRecord) -> Scenario.BulkWorkload.Share? {
        guard record.has("share") else { return nil }
        let written = record.record("share")
        let share = Scenario.BulkWorkload.Share(
            weight: max(1, written.integer("weight")),
            least: written.optionalRate("least"),
            most: written.optionalRate("most")
        )
        if let most = share.most, most < Scenario.BulkWorkload.Share.leastMost,
            let value = written["most"]
        {
            add(
                .outOfRange,
                value,
                "the transport holds no transfer down to \(most)",
                expected: "at least \(Scenario.BulkWorkload.Share.leastMost)"
            )
        }
        if let least = share.least, let most = share.most, least > most,
            let value = written["least"]
        {
            add(
                .conflict,
                value,
                "the least of \(least) exceeds the most of \(most)",
                expected: "least at most most"
            )
        }
        return share
    }

    /// The transfers that targets ask about have to be there.
    mutating func checkTransfers(_ targets: [CheckedValue], _ workload: CheckedRecord) {
        var names: [String] = []
        if workload.word == Scenario.Workload.Kind.bulk.rawValue {
            names = ([workload] + workload.list("beside").map(\.record))
                .compactMap { $0.text("name") }
        }
        for target in targets {
            guard let name = target.record["transfer"], !names.contains(name.text ?? "") else {
                continue
            }
            unknown("transfer", name, among: names)
        }
    }
}
