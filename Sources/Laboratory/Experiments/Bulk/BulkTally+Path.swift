import Measurements
import Scenarios
import Transport
import Units

extension BulkTally {
    /// Which mode the transfer was in; nothing where the scenario wants none.
    func measureMode(
        into record: inout RunRecord,
        _ labels: [Label],
        _ suffix: String
    ) {
        guard let start = plan.configuration.startingMode else { return }
        let later = modes.map { "\($0.mode.rawValue) at \($0.time)" }
        let shown = later.count > 8 ? later.prefix(8) + ["\(later.count - 8) more"] : later[...]
        record.facts.append(
            Fact("mode\(suffix)", ([start.rawValue] + shown).joined(separator: ", "))
        )
        record.metrics.append(
            MetricValue("mode-changes", Double(modes.count), labels: labels, bound: nil)
        )
    }

    /// What the streams did, apart from the order in which the transport delivers.
    func measurePath(
        in window: BulkWindow,
        _ ending: ReplicationEnding,
        limit: Double,
        into record: inout RunRecord,
        _ labels: [Label]
    ) {
        let bytes = arrived[window.cut...].reduce(0, +)
        record.metrics.append(
            MetricValue(
                "stream-throughput",
                Double(bytes) * 8 / window.seconds,
                labels: labels,
                bound: ending.bound(
                    .upper,
                    limit,
                    derivation: "free rate × \(plan.link.payloadShare.text), and what was under "
                        + "way when the window began"
                )
            )
        )
        let all = roundTrips[window.cut...].reduce(into: LogHistogram()) { $0.merge($1) }
        guard all.count > 0 else { return }
        record.metrics.append(
            MetricValue(
                "path-rtt",
                distribution: all,
                labels: labels,
                bound: ending.bound(
                    .lower,
                    plan.roundTrip.milliseconds,
                    derivation: "the propagation delay of both directions"
                )
            )
        )
    }
}
