import Checkers
public import Measurements
import Raft
import ReplicatedStore
import Scenarios
import Units

extension RequestObserver {
    public func measure(_ ending: ReplicationEnding, into record: inout RunRecord) {
        let isWhole = ending.reason == nil
        let accounts = accounts.map { account in
            var finished = account
            finished.finish(at: ending.time)
            return finished
        }
        addFigures(of: accounts, ending, into: &record)
        addAvailability(of: accounts, into: &record)
        if invariants.contains(.linearizable) {
            judgeHistories(at: ending.time, into: &record)
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
        let contradictions = logs.flatMap(\.contradictions)
        if !invariants.contains(.raftSafety), !contradictions.isEmpty {
            // Replicas themselves have noticed it; nobody has to look for it.
            record.invariants.append(
                InvariantOutcome(
                    name: Scenario.Invariant.raftSafety.rawValue,
                    checked: UInt64(contradictions.count),
                    violations: contradictions
                )
            )
        }
        if invariants.contains(.replicasConverge) {
            record.invariants.append(
                convergence(isWhole ? record.faults : nil, at: ending.time)
            )
        }
        if isWhole, invariants.contains(.progressAfterHeal) {
            record.invariants.append(progress(record.faults, at: ending.time))
        }
        if isWhole, invariants.contains(.progressUnderPartition) {
            record.invariants.append(
                progressUnderPartition(record.faults, at: ending.time)
            )
        }
        addFacts(of: accounts, into: &record)
        addMemberships(at: ending.time, into: &record)
    }

    // MARK: Promises

    /// A history that nobody could decide leaves the run undecided: it is neither broken nor kept.
    private func judgeHistories(at time: Instant, into record: inout RunRecord) {
        let judgement = HistoryJudgement(
            histories,
            name: Scenario.Invariant.linearizable.rawValue,
            limits: historyLimits,
            at: time
        )
        record.invariants.append(judgement.outcome)
        if let recorder, let picture = judgement.picture {
            recorder.add(
                Timeline.Picture(
                    drawing: picture.narrow.svg,
                    caption: "Where the history of the clients stops being linearizable: the "
                        + "shortest prefix that fails, a lane for each line of requests."
                )
            )
        }
        if let reason = judgement.undecided, record.outcome == .completed {
            record.outcome = .truncated(reason: reason)
        }
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

    /// Replicas that differ at one index will never be equal again: that is a matter of safety, looked
    /// for in every run. That all of them follow is looked at when the faults are over, of those members
    /// that live: each must have come to where another one was a time-out of the clients before.
    ///
    /// - Parameter faults: `nil` when the run was cut short.
    private func convergence(_ faults: [FaultRecord]?, at time: Instant) -> InvariantOutcome {
        var differing: [Violation] = []
        var lagging: [Violation] = []
        var checked: UInt64 = 0
        // What faults still hold apart cannot be equal, and outside of the core they may go on.
        let isOver =
            faults.map { healed($0) != nil && scenario.recovery?.core != .majority } ?? false
        for (number, log) in logs.enumerated() {
            differing += log.states.divergences.map {
                Violation(time: $0.time, message: "group \(number): \($0.sentence)")
            }
            guard isOver else { continue }
            checked += 1
            let indices = log.closingIndices
            let due = log.commonIndex(at: time)
            guard let least = indices.min(), least < due else { continue }
            lagging.append(
                Violation(
                    time: time,
                    message: "a replica of group \(number) has applied up to \(least) only, long "
                        + "after another was at \(due) and all faults were over"
                )
            )
        }
        return InvariantOutcome(
            name: Scenario.Invariant.replicasConverge.rawValue,
            kind: differing.isEmpty ? .liveness : .safety,
            checked: checked,
            violations: differing.isEmpty ? lagging : differing
        )
    }

    /// How long a healed group may take until it answers, unless the scenario says so.
    var recoveryBound: Interval { RequestObserver.recoveryBound(scenario, plan) }

    static func recoveryBound(_ scenario: Scenario, _ plan: RequestPlan) -> Interval {
        if let recovery = scenario.recovery, recovery.healAt != nil {
            return recovery.progressWithin
        }
        return plan.recoveryBound
    }

    private func progress(
        _ faults: [FaultRecord],
        at time: Instant
    ) -> InvariantOutcome {
        var violations: [Violation] = []
        var checked: UInt64 = 0
        if let healed = healed(faults), healed + recoveryBound < .zero + plan.until {
            let bound = healed + recoveryBound
            for (number, silences) in silences.enumerated() {
                checked += 1
                let isSilent = silences.all(until: min(time, .zero + plan.until)).contains {
                    $0.upperBound - max($0.lowerBound, healed) > recoveryBound
                }
                guard isSilent else { continue }
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

    private func addFacts(of accounts: [ClientAccount], into record: inout RunRecord) {
        let answered = accounts.reduce(0) { $0 + $1.served }
        let failed = accounts.reduce(0) { $0 + $1.errors }
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
