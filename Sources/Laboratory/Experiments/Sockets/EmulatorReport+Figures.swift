package import LinkEmulator
import LinkModel
package import Measurements
package import NetworkModel
package import Scenarios
import Units

extension EmulatorReport {
    /// The links as a simulation reports them.
    func figures(of scenario: Scenario, seed: UInt64) -> [LinkFigures] {
        let parameters = NetworkModel.Topology(scenario, seed: seed).links.map(\.parameters)
        return scenario.topology.linkFigures { id in
            let own = links.first { $0.link == id }
            return (parameters[Int(id.rawValue)], own?.counters ?? LinkCounters())
        }
    }

    /// How late one packet in a hundred may be.
    private static let latenessLimit = 1_000

    /// Whether a run over these links would count.
    var isExact: Bool {
        (errors.microseconds(0.99) ?? 0) <= EmulatorReport.latenessLimit
            && unintendedLoss * 100 <= 0.01
    }

    /// Of a scenario whose transfers have links of their own, the links that were not exact while others
    /// were: their figures are withheld, and the others count. Where no link was exact, none is named, and the
    /// run as a whole is not.
    package func inexactLinks(of scenario: Scenario) -> [InexactLink] {
        guard case .bulk(let bulk) = scenario.workload, !bulk.beside.isEmpty else { return [] }
        let ends = bulk.transfers.map { LinkEnds(from: $0.from, to: $0.to) }
        let own = ends.indices.filter { !ends[..<$0].contains(ends[$0]) }.map { ends[$0] }
        let all = own.compactMap { transfer -> InexactLink? in
            let topology = scenario.topology
            let ids = Set(
                [
                    topology.linkID(from: transfer.from, to: transfer.to),
                    topology.linkID(from: transfer.to, to: transfer.from),
                ].compactMap(\.self)
            )
            let errors = links.filter { ids.contains($0.link) }
                .reduce(into: DelayErrors()) { $0.merge($1.errors) }
            guard let name = topology.link(from: transfer.from, to: transfer.to)?.name,
                let percentile = errors.microseconds(0.99)
            else { return nil }
            return InexactLink(name: name, links: ids, percentile: percentile)
        }
        let inexact = all.filter { $0.percentile > EmulatorReport.latenessLimit }
        return inexact.count == all.count ? [] : inexact
    }

    /// How exact the emulation was; a run in which it was not is INVALID.
    ///
    /// - Parameter inexact: Links whose figures are withheld, and whose packets therefore do not count.
    func measure(into record: inout RunRecord, besides inexact: Set<LinkID> = []) {
        record.facts.append(Fact(Fact.links, Fact.emulated))
        let late = links.filter { !inexact.contains($0.link) }
            .reduce(into: DelayErrors()) { $0.merge($1.errors) }
        let urgency = isUrgent ? "before all other work (SCHED_FIFO)" : "as ordinary threads"
        record.facts.append(Fact("emulator", "ran \(urgency); \(strayPackets) stray packets"))
        guard let percentile = late.microseconds(0.99), let median = late.microseconds(0.5) else {
            return
        }
        record.facts.append(
            Fact(
                "emulator's delay error",
                "half of \(late.count) packets within \(median) µs, 99 % within \(percentile) µs, "
                    + "all within \(late.maximumNanoseconds / 1000 + 1) µs of their due time"
            )
        )
        record.metrics.append(
            MetricValue(
                "emulator-delay-error",
                Double(percentile) / 1000,
                bound: PhysicalBound(
                    .upper,
                    1,
                    derivation: "above it the links were not the scenario's"
                )
            )
        )
        record.metrics.append(
            MetricValue(
                "emulator-loss",
                unintendedLoss * 100,
                bound: PhysicalBound(
                    .upper,
                    0.01,
                    derivation: "above it the links were not the scenario's"
                )
            )
        )
        var histogram = LogHistogram()
        for (microseconds, count) in late.occupied {
            histogram.record(Double(microseconds) / 1000, count: count)
        }
        record.histograms.append(
            NamedHistogram(name: "emulator-delay-error", unit: "ms", histogram: histogram)
        )
    }
}

/// A link that the emulator served too late.
package struct InexactLink: Hashable, Sendable {
    package let name: String
    /// Its directions.
    package let links: Set<LinkID>
    /// Microseconds that one packet in a hundred was late by at least.
    package let percentile: Int

    package init(name: String, links: Set<LinkID>, percentile: Int) {
        self.name = name
        self.links = links
        self.percentile = percentile
    }
}

extension RunRecord {
    /// Takes back what was measured over links that were not the scenario's, and says so.
    package mutating func withholdFigures(of inexact: [InexactLink]) {
        for link in inexact {
            let label = Label("link", link.name)
            metrics.removeAll { $0.labels.contains(label) }
            series.removeAll { $0.labels.contains(label) }
            facts.append(
                Fact(
                    "no figures, \(link.name)",
                    "the emulator was late: 99 % of the packets within \(link.percentile) µs of their "
                        + "due time, and 1000 µs are allowed"
                )
            )
        }
    }
}
