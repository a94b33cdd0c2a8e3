import Checkers
import FaultInjection
import Measurements
import Scenarios
import Units

extension RequestObserver {
    /// How well each group did by itself, because the mean over all hides the one that was hit hardest,
    /// and what was wrong when requests failed.
    ///
    /// - Parameter accounts: of all groups, finished.
    func addAvailability(of accounts: [ClientAccount], into record: inout RunRecord) {
        let asked = accounts.filter { $0.sent > 0 }
        if asked.count > 1 {
            record.metrics.append(
                MetricValue(
                    "group-availability",
                    samples: asked.map { 100 * Double($0.served) / Double($0.sent) },
                    bound: PhysicalBound(.upper, 100, derivation: "all requests of a group")
                )
            )
            let untouched = asked.count { $0.errors == 0 }
            record.facts.append(
                Fact("groups whose every request was answered", "\(untouched) of \(asked.count)")
            )
        }
        let causes = causes(accounts, record.faults)
        guard !causes.isEmpty else { return }
        record.facts.append(
            Fact(
                "failed requests by cause",
                causes.map { cause in
                    "\(cause.name) \(cause.requests) in \(cause.outages) times without service"
                }.joined(separator: ", ")
            )
        )
    }

    /// What failed requests are put down to: the kind of fault that began last, of those that concern
    /// the group and were there, or had been until shortly before.
    private struct Cause {
        let name: String
        var requests: UInt64 = 0
        var outages: UInt64 = 0
    }

    /// In the order in which they first occur, group by group.
    private func causes(_ accounts: [ClientAccount], _ records: [FaultRecord]) -> [Cause] {
        var causes: [Cause] = []
        for (number, account) in accounts.enumerated() {
            let own = struck(number, records).map(\.record)
            for outage in account.outages where outage.start >= account.start {
                let givenUp = outage.start + account.timeout
                let cause = own.last { record in
                    let end = (record.healed ?? .distantFuture).advanced(by: recoveryBound)
                    return record.fired.map { $0 <= givenUp && outage.start <= end } ?? false
                }
                let name = cause?.kind ?? "no fault"
                let place = causes.firstIndex { $0.name == name }
                if place == nil { causes.append(Cause(name: name)) }
                causes[place ?? causes.count - 1].requests += outage.requests
                causes[place ?? causes.count - 1].outages += 1
            }
        }
        return causes
    }
}
