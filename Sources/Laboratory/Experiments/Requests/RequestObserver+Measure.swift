import Checkers
public import Measurements
import Raft
import ReplicatedStore
import Scenarios
import Units

extension RequestObserver {
    public func measure(_ ending: ReplicationEnding, into record: inout RunRecord) {
        let isWhole = ending.reason == nil
        addMetrics(ending, record.faults, into: &record)
        if invariants.contains(.linearizable) {
            record.invariants.append(linearizability(at: ending.time))
        }
        if invariants.contains(.commandsAppliedOnce) {
            record.invariants.append(
                InvariantOutcome(
                    name: Scenario.Invariant.commandsAppliedOnce.rawValue,
                    checked: logs.reduce(0) { $0 + $1.executions },
                    violations: logs.flatMap { log in
                        log.once?.violations.map {
                            Violation(time: $0.time, message: $0.sentence)
                        } ?? []
                    }
                )
            )
        }
        if invariants.contains(.raftSafety) {
            record.invariants.append(
                InvariantOutcome(
                    name: Scenario.Invariant.raftSafety.rawValue,
                    checked: logs.reduce(0) { $0 + ($1.raft?.checked ?? 0) },
                    violations: logs.flatMap { log in
                        (log.raft?.violations.map(\.recorded) ?? []) + log.contradictions
                    }
                )
            )
        }
        if isWhole, invariants.contains(.replicasConverge) {
            record.invariants.append(convergence(record.faults, at: ending.time))
        }
        if isWhole, invariants.contains(.progressAfterHeal) {
            record.invariants.append(progress(record.faults, at: ending.time))
        }
        if isWhole, invariants.contains(.progressUnderPartition) {
            record.invariants.append(progressUnderPartition(record.faults, at: ending.time))
        }
        addFacts(into: &record)
        addMemberships(at: ending.time, into: &record)
    }

    // MARK: Figures

    private func addMetrics(
        _ ending: ReplicationEnding,
        _ faults: [FaultRecord],
        into record: inout RunRecord
    ) {
        var latencies = LogHistogram()
        var commits = LogHistogram()
        var answered: UInt64 = 0
        var sent: UInt64 = 0
        for tally in tallies {
            latencies.merge(tally.latencies)
            commits.merge(tally.commits)
            answered += tally.answered
            sent += tally.sent
        }
        let percent = PhysicalBound(.upper, 100, derivation: "all requests")
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
        guard sent > 0 else { return }
        record.metrics += [
            MetricValue("error-rate", 100 * Double(sent - answered) / Double(sent), bound: percent),
            MetricValue("availability", 100 * Double(answered) / Double(sent), bound: percent),
        ]
        let window = (Instant.zero + plan.until) - tallies[0].from
        record.metrics.append(
            MetricValue(
                "throughput",
                Double(answered) / window.seconds,
                bound: PhysicalBound(
                    .upper,
                    Double(sent) / window.seconds,
                    derivation: "requests that became due"
                )
            )
        )
        let recoveries = recoveries(faults, until: ending.time)
        if !recoveries.isEmpty {
            record.metrics.append(
                MetricValue(
                    "mttr",
                    samples: recoveries,
                    bound: PhysicalBound(.lower, 0, derivation: "a fault ends after it began")
                )
            )
        }
    }

    /// Seconds from the fault that broke service to the first answer after it, for each time without
    /// service that a fault preceded.
    private func recoveries(_ faults: [FaultRecord], until: Instant) -> [Double] {
        let fired = faults.compactMap(\.fired).sorted()
        return tallies.flatMap { tally in
            tally.outages.compactMap { outage -> Double? in
                guard let end = outage.end, outage.start >= tally.from else { return nil }
                // The first request that failed may have been due a little before the fault.
                let latest = outage.start + tally.timeout
                guard let cause = fired.last(where: { $0 <= latest }), end >= cause else {
                    return nil
                }
                return (end - cause).seconds
            }
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

    // MARK: Promises

    private func linearizability(at time: Instant) -> InvariantOutcome {
        var violations: [Violation] = []
        var checked: UInt64 = 0
        for (number, history) in histories.enumerated() {
            let (model, operations, numbers) = KeyValueModel.prepare(history)
            let report = LinearizabilityChecker(model).check(operations)
            checked += UInt64(operations.count)
            switch report.verdict {
            case .linearizable: break
            case .unknown(let bound):
                violations.append(
                    Violation(
                        time: time,
                        message: "the history of group \(number) was not decided: the limit of "
                            + "\(bound.rawValue) was reached"
                    )
                )
            case .notLinearizable:
                let stuck = report.failure.map { numbers[$0.stuck] }
                let what = stuck.map { history.described($0) } ?? "an answer"
                violations.append(
                    Violation(
                        time: stuck.flatMap { history.ended($0) } ?? time,
                        message: "group \(number): no order of requests explains \(what)"
                    )
                )
            }
        }
        return InvariantOutcome(
            name: Scenario.Invariant.linearizable.rawValue,
            checked: checked,
            violations: violations
        )
    }

    /// When the last fault had ended; `nil` when one lasts. Where the scenario says when all is well, that
    /// counts: what then has no end, such as a clock that was set, is over when it has happened.
    private func healed(_ faults: [FaultRecord]) -> Instant? {
        if let healAt = scenario.recovery?.healAt {
            return faults.compactMap(\.healed).reduce(.zero + healAt) { max($0, $1) }
        }
        var last = Instant.zero
        for fault in faults where fault.fired != nil {
            guard let healed = fault.healed else { return nil }
            last = max(last, healed)
        }
        return last
    }

    private func convergence(_ faults: [FaultRecord], at time: Instant) -> InvariantOutcome {
        var violations: [Violation] = []
        var checked: UInt64 = 0
        // What faults still hold apart cannot be equal, and outside of the core they may go on.
        if healed(faults) != nil, scenario.recovery?.core != .majority {
            for (number, log) in logs.enumerated() {
                checked += 1
                let indices = log.members.map { log.applied[$0] ?? 0 }
                guard let most = indices.max(), let least = indices.min(), most != least else {
                    continue
                }
                violations.append(
                    Violation(
                        time: time,
                        message: "replicas of group \(number) have applied up to \(least) and "
                            + "\(most) when all faults and requests were over"
                    )
                )
            }
        }
        return InvariantOutcome(
            name: Scenario.Invariant.replicasConverge.rawValue,
            kind: .liveness,
            checked: checked,
            violations: violations
        )
    }

    /// How long a healed group may take until it answers. Unless the scenario says so: until a stream
    /// is opened anew, and a few elections that may be split.
    var recoveryBound: Interval {
        if let recovery = scenario.recovery, recovery.healAt != nil {
            return recovery.progressWithin
        }
        return plan.store.raft.electionTimeoutLimit * 10 + plan.store.reopenDelayLimit * 2
    }

    private func progress(_ faults: [FaultRecord], at time: Instant) -> InvariantOutcome {
        var violations: [Violation] = []
        var checked: UInt64 = 0
        if let healed = healed(faults), healed + recoveryBound < .zero + plan.until {
            let bound = healed + recoveryBound
            for (number, tally) in tallies.enumerated() {
                checked += 1
                let isServed = tally.lastAnswered.map { $0 >= healed } ?? false
                let late = tally.outages.last.map { $0.end ?? time } ?? .zero
                guard !isServed || late > bound else { continue }
                violations.append(
                    Violation(
                        time: bound,
                        message: "group \(number) did not answer again within \(recoveryBound) "
                            + "after the last fault had ended at \(healed.seconds) s"
                    )
                )
            }
        }
        return InvariantOutcome(
            name: Scenario.Invariant.progressAfterHeal.rawValue,
            kind: .liveness,
            checked: checked,
            violations: violations
        )
    }

    // MARK: Facts

    private func addFacts(into record: inout RunRecord) {
        let answered = tallies.reduce(0) { $0 + $1.answered }
        let failed = tallies.reduce(0) { $0 + $1.failed }
        let elections = logs.reduce(0) { $0 + $1.elections }
        let recognised = logs.reduce(0) { $0 + $1.recognised }
        let installed = logs.reduce(0) { $0 + $1.snapshotsInstalled }
        record.facts += [
            Fact("requests", "\(answered) answered in time, \(failed) not"),
            Fact("elections", "\(elections) won"),
            Fact("retries", "\(recognised) recognised, \(attempts) attempts in all"),
            Fact("snapshots installed", "\(installed)"),
        ]
    }
}

extension ClientHistory {
    /// One operation in a sentence: what was asked, and the answer.
    func described(_ operation: Int) -> String {
        let question: String
        switch call(of: operation) {
        case .get(let key): question = "get of '\(key)'"
        case .put(let key, let value): question = "put of '\(value)' at '\(key)'"
        case .append(let key, let value): question = "append of '\(value)' at '\(key)'"
        case .compareAndSwap(let key, let expected, let value):
            question =
                "swap of '\(value)' for \(expected.map { "'\($0)'" } ?? "nothing") at '\(key)'"
        case .delete(let key): question = "delete of '\(key)'"
        case .scan(let first, _, _): question = "scan from '\(first)'"
        }
        switch answer(of: operation) {
        case .value(nil): return "\(question), which found nothing"
        case .value(let value?): return "\(question), which found '\(value)'"
        case .swapped(let isTrue): return "\(question), which \(isTrue ? "succeeded" : "failed")"
        case .deleted(let isTrue): return "\(question), which found \(isTrue ? "it" : "nothing")"
        case .entries(let entries): return "\(question), which found \(entries.count) entries"
        case .done: return question
        case nil: return "\(question), which was not answered"
        }
    }
}
