import Measurements
import Units

extension RequestObserver {
    /// How well each group did by itself: the mean over all hides the one that was hit hardest.
    ///
    /// - Parameter groups: what became of the requests of each group.
    func addAvailability(
        of groups: [(sent: UInt64, served: UInt64)],
        into record: inout RunRecord
    ) {
        let asked = groups.filter { $0.sent > 0 }
        guard asked.count > 1 else { return }
        let shares = asked.map { 100 * Double($0.served) / Double($0.sent) }
        record.metrics.append(
            MetricValue(
                "group-availability",
                samples: shares,
                bound: PhysicalBound(.upper, 100, derivation: "all requests of a group")
            )
        )
        let untouched = asked.count { $0.served == $0.sent }
        record.facts.append(
            Fact("groups whose every request was answered", "\(untouched) of \(asked.count)")
        )
    }
}
