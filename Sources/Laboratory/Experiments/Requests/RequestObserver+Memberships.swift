import Measurements
import Scenarios
import Units

/// Members that come and go, and majorities that stay while others are lost.
extension RequestObserver {
    // MARK: Changes of the membership

    /// What administrators did, and which of the rare cases were met.
    func addMemberships(at end: Instant, into record: inout RunRecord) {
        guard plan.membership != nil else { return }
        let ledgers = logs.compactMap(\.changes)
        func sum(_ part: (MembershipLedger) -> UInt64) -> UInt64 {
            ledgers.reduce(0) { $0 + part($1) }
        }
        let joint = ledgers.reduce(0) { $0 + $1.jointPhases.count }
        record.facts += [
            Fact(
                "orders of administrators",
                "\(orders.given): \(orders.changes) changes and \(orders.transfers) transfers begun, "
                    + "\(orders.refused) refused, \(orders.unknown) unanswered"
            ),
            Fact("memberships committed", "\(sum(\.committed)), \(joint) joint phases"),
            Fact(
                "leadership handed over",
                "\(sum(\.transfersEnded)) of \(sum(\.transfersStarted)) begun"
            ),
        ]
        let partitions = record.faults.filter { $0.kind == "net.partition" }
        let parted = ledgers.flatMap(\.jointPhases).filter { phase in
            partitions.contains { fault in
                guard let fired = fault.fired else { return false }
                return fired < phase.end ?? end && phase.begin < fault.healed ?? end
            }
        }
        let met: [(name: String, count: UInt64)] = [
            ("requests: membership changed", sum(\.committed)),
            ("requests: joint phase during a partition", UInt64(parted.count)),
            ("requests: leadership handed over", sum(\.transfersEnded)),
            ("requests: leader removed", sum(\.removedLeaders)),
            ("requests: elected during a handover", sum(\.electionsDuringTransfer)),
            ("requests: snapshot installed by a spare", sum(\.filledSpares)),
        ]
        for event in met where event.count > 0 {
            record.markers.append(
                Marker(
                    time: end,
                    kind: Marker.sometimes,
                    text: event.name,
                    fields: [Field("count", Double(event.count))]
                )
            )
        }
    }

    // MARK: Progress while a partition stands

    /// While one partition stands and nothing else is wrong: after a bounded time requests are answered,
    /// and the leader stays. Without PreVote and CheckQuorum replicas that hear a part of the others only
    /// depose each other for ever, or follow a leader that hears nobody ("Omni-Paxos", EuroSys 2023).
    func progressUnderPartition(
        _ faults: [FaultRecord],
        at end: Instant
    ) -> InvariantOutcome {
        var violations: [Violation] = []
        var checked: UInt64 = 0
        for stretch in lonePartitions(faults, until: min(end, .zero + plan.until)) {
            let settled = stretch.lowerBound + recoveryBound
            guard settled < stretch.upperBound else { continue }
            checked += 1
            for (number, log) in logs.enumerated() {
                let gap = silences[number].all(until: end).first { silence in
                    let begin = max(silence.lowerBound, stretch.lowerBound)
                    let over = min(silence.upperBound, stretch.upperBound)
                    return over - begin > recoveryBound + plan.load.timeout
                }
                if let gap {
                    violations.append(
                        Violation(
                            time: max(gap.lowerBound, stretch.lowerBound) + recoveryBound,
                            message:
                                "group \(number) did not answer for \(recoveryBound) and longer "
                                + "while a partition stood that left it a majority"
                        )
                    )
                }
                let later = log.electionTimes.filter { $0 > settled && $0 < stretch.upperBound }
                if let first = later.first {
                    violations.append(
                        Violation(
                            time: first,
                            message:
                                "group \(number) went on electing leaders, \(later.count) more, "
                                + "later than \(recoveryBound) after a partition began that stood still"
                        )
                    )
                }
            }
        }
        return InvariantOutcome(
            name: Scenario.Invariant.progressUnderPartition.rawValue,
            kind: .liveness,
            checked: checked,
            violations: violations
        )
    }

    /// The stretches of time in which one partition stood and no other fault.
    private func lonePartitions(
        _ faults: [FaultRecord],
        until end: Instant
    ) -> [ClosedRange<Instant>] {
        let fired = faults.compactMap { fault in
            fault.fired.map { (kind: fault.kind, begin: $0, end: fault.healed ?? end) }
        }
        let times = Set(fired.flatMap { [$0.begin, min($0.end, end)] } + [end]).sorted()
        return zip(times, times.dropFirst()).compactMap { begin, over in
            let active = fired.filter { $0.begin <= begin && $0.end >= over }
            guard active.count == 1, active[0].kind == "net.partition" else { return nil }
            return begin...over
        }
    }
}
