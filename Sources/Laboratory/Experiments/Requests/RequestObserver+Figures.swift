import Checkers
import FaultInjection
import Measurements
import Scenarios
import Units

extension RequestObserver {
    /// What clients of all groups met, as figures.
    func addFigures(
        of accounts: [ClientAccount],
        _ ending: ReplicationEnding,
        into record: inout RunRecord
    ) {
        var latencies = LogHistogram()
        for account in accounts { latencies.merge(account.latencies) }
        record.metrics.append(
            MetricValue(
                "request-latency",
                distribution: latencies,
                bound: ending.bound(
                    .lower,
                    nearestRoundTrip.milliseconds,
                    derivation:
                        "propagation between clients and the nearest replica, there and back"
                )
            )
        )
        if commits.count > 0 {
            record.metrics.append(
                MetricValue(
                    "commit-latency",
                    distribution: commits,
                    bound: ending.bound(
                        .lower,
                        majorityRoundTrip.milliseconds,
                        derivation: "propagation to the nearest majority of a group, there and back"
                    )
                )
            )
        }
        addShares(of: accounts, into: &record)
        addRecoveries(of: accounts, until: ending.time, into: &record)
    }

    private func addShares(of accounts: [ClientAccount], into record: inout RunRecord) {
        let served = accounts.reduce(0) { $0 + $1.served }
        let sent = accounts.reduce(0) { $0 + $1.sent }
        guard sent > 0 else { return }
        let percent = PhysicalBound(.upper, 100, derivation: "all requests")
        let window = accounts[0].end - accounts[0].start
        record.metrics += [
            MetricValue("error-rate", 100 * Double(sent - served) / Double(sent), bound: percent),
            MetricValue("availability", 100 * Double(served) / Double(sent), bound: percent),
            MetricValue(
                "throughput",
                Double(served) / window.seconds,
                bound: PhysicalBound(
                    .upper,
                    Double(sent) / window.seconds,
                    derivation: "requests that became due"
                )
            ),
        ]
    }

    /// A group that had not come back by the end counts with the time until then, which is the least
    /// that its recovery takes; facts say how many there were.
    private func addRecoveries(
        of accounts: [ClientAccount],
        until end: Instant,
        into record: inout RunRecord
    ) {
        var seconds: [Double] = []
        var lasting = 0
        var unexplained = 0
        for (number, account) in accounts.enumerated() {
            let recoveries = account.recoveries(
                after: changes(of: number, record.faults),
                within: recoveryBound
            )
            unexplained += recoveries.unexplained
            for recovery in recoveries.known {
                lasting += recovery.interval == nil ? 1 : 0
                seconds.append((recovery.interval ?? end - recovery.change).seconds)
            }
        }
        if !seconds.isEmpty {
            record.metrics.append(
                MetricValue(
                    "mttr",
                    samples: seconds,
                    bound: PhysicalBound(.lower, 0, derivation: "a fault ends after it began")
                )
            )
        }
        guard accounts.contains(where: { $0.outageCount > 0 }) else { return }
        let outages = accounts.reduce(0) { $0 + $1.outageCount }
        let downtime = accounts.reduce(Interval.zero) { $0 + $1.downtime }
        let longest = accounts.map(\.longestOutage).max() ?? .zero
        record.facts.append(
            Fact(
                "times without service",
                "\(outages), \(downtime) of all groups in sum, the longest \(longest); "
                    + "\(unexplained) that no fault preceded, \(lasting) that lasted to the end"
            )
        )
    }

    /// When faults that can have broken the service of a group struck, were repaired, or came back by
    /// turns.
    private func changes(of group: Int, _ records: [FaultRecord]) -> [Instant] {
        struck(group, records).flatMap { fault, record -> [Instant] in
            guard let fired = record.fired else { return [] }
            let end = record.healed ?? .distantFuture
            let turns = fault?.turns.filter { $0 > fired && $0 < end } ?? []
            return [fired] + turns + (record.healed.map { [$0] } ?? [])
        }
    }

    /// The faults that struck what a group needs. Behind those of the plan stand what others did to its
    /// processes; that may concern every group.
    func struck(
        _ group: Int,
        _ records: [FaultRecord]
    ) -> [(fault: PlannedFault?, record: FaultRecord)] {
        let members = plan.groups[group] + plan.clientNodes
        return records.enumerated().compactMap { position, record in
            guard record.fired != nil else { return nil }
            guard position < faults.faults.count else { return (nil, record) }
            let fault = faults.faults[position]
            return fault.effect.concerns(members, in: scenario.topology) ? (fault, record) : nil
        }
    }

    /// The shortest way from a node of clients to a replica and back.
    private var nearestRoundTrip: Interval {
        let topology = scenario.topology
        let trips = plan.clientNodes.flatMap { client in
            plan.groups.flatMap { group in
                group.map { replica in
                    topology.roundTrip(
                        from: topology.region(of: client),
                        to: topology.region(of: replica)
                    )
                }
            }
        }
        return trips.min() ?? .zero
    }

    /// The shortest time in which any replica could hear from a majority of its group.
    private var majorityRoundTrip: Interval {
        let topology = scenario.topology
        let trips = plan.groups.map { group in
            group.map { leader in
                let trips = group.filter { $0 != leader }.map { other in
                    topology.roundTrip(
                        from: topology.region(of: leader),
                        to: topology.region(of: other)
                    )
                }.sorted()
                // With itself, the leader needs half of the voters.
                let others = plan.leastVoters / 2
                return others == 0 ? .zero : trips[others - 1]
            }.min() ?? .zero
        }
        return trips.min() ?? .zero
    }
}

extension PlannedFault.Effect {
    /// Whether it strikes one of these nodes, or a way from one of them to another.
    func concerns(_ members: [NodeID], in topology: Scenario.Topology) -> Bool {
        switch self {
        case .crash, .pause, .resetStreams, .reboot, .crashAtWrite, .slow, .stalls, .clock, .disk,
            .boot:
            nodes.contains(where: members.contains)
        case .down(let links), .delay(let links, _), .loss(let links, _),
            .blackHole(let links, _), .link(let links, _):
            links.contains { ends in
                members.contains { topology.region(of: $0) == ends.from }
                    && members.contains { topology.region(of: $0) == ends.to }
            }
        case .cut(let cuts), .clog(let cuts):
            cuts.contains { cut in
                cut.from.contains(where: members.contains)
                    && cut.to.contains(where: members.contains)
            }
        case .leader(let aims):
            // Whom it struck is known; that it was one of these nodes is enough.
            aims.contains { members.contains($0.node) }
        }
    }
}
