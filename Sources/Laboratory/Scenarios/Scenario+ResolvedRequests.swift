import Units

extension Scenario {
    func write(_ requests: RequestWorkload, into yaml: inout YAMLText) {
        yaml.field("groups", requests.groups)
        yaml.field("replicas", requests.replicas)
        if requests.witnesses > 0 { yaml.field("witnesses", requests.witnesses) }
        yaml.mapping("load") { yaml in
            yaml.field("arrival", requests.load.arrival.rawValue)
            yaml.field("rate", QuantityText.frequencyText(requests.load.rate))
            yaml.field("clients", requests.load.clients)
            yaml.mapping("mix") { yaml in
                for share in requests.load.mix {
                    yaml.field(share.operation.rawValue, QuantityText.percentText(share.share))
                }
            }
            yaml.field("keys", requests.load.keys)
            yaml.field("value", requests.load.value)
            yaml.field("timeout", requests.load.timeout)
            yaml.names(
                "place",
                requests.load.places.map { topology.regions[Int($0.rawValue)].name }
            )
        }
        Scenario.write(requests.duration, into: &yaml)
        guard let membership = requests.membership else { return }
        yaml.mapping("membership") { yaml in
            yaml.field("founders", membership.founders)
            yaml.field("least", membership.least)
            yaml.field("every", membership.every)
            yaml.field("style", membership.style.rawValue)
            yaml.field("transfers", QuantityText.percentText(membership.transfers))
            yaml.field("administrators", membership.administrators)
        }
    }

    /// Nothing for the usual configuration, so that older digests stay as they are.
    static func write(
        _ consensus: SystemConfiguration.Consensus,
        into yaml: inout YAMLText
    ) {
        guard consensus != .usual else { return }
        yaml.mapping("consensus") { yaml in
            yaml.field("carrier", consensus.carrier.rawValue)
            yaml.field("heartbeat", consensus.heartbeat)
            yaml.field("election", spanText(consensus.election))
            yaml.field("reads", consensus.reads.rawValue)
            yaml.field("snapshot-entries", consensus.snapshotEntries)
            if !consensus.leaderRegions.isEmpty {
                yaml.names("leader-regions", consensus.leaderRegions)
            }
            if consensus.groupCommit { yaml.field("group-commit", true) }
        }
    }
}
