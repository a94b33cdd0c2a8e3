import Experiments
import LinkEmulator
import LinkModel
import Machines
import Measurements
import NetworkModel
import Scenarios
import Testing
import Units

/// Goal: of transfers with a link each those count whose links were the scenario's, and the others have no
/// figure. Method: reports of an emulator that served links as told.
@Suite struct InexactLinkTests {
    private func scenario(beside: Bool = true) throws -> Scenario {
        try ScenarioFile.parse(
            """
            version: 1
            name: two
            topology:
              regions: {a: {}, b: {}, c: {}, d: {}}
              links:
                - {between: [a, b], name: one, rtt: 20 ms, rate: 100 Mbit/s}
                - {between: [c, d], rtt: 20 ms, rate: 100 Mbit/s}
            workload:
              kind: bulk
              from: a
              to: b
              duration: {warmup: 1 s, measure: 9 s}
              \(beside ? "beside: [{from: c, to: d}]" : "")

            """,
            file: "two.yaml"
        )
    }

    /// A report in which 95 packets of each link were on time, and five as late as said.
    private func report(_ microseconds: [Int64]) -> EmulatorReport {
        var report = EmulatorReport()
        report.links = microseconds.enumerated().map { number, late in
            var errors = DelayErrors()
            for packet in 0..<100 { errors.record(nanoseconds: packet < 95 ? 1000 : late * 1000) }
            return LinkReport(
                link: LinkID(UInt32(number)),
                counters: LinkCounters(),
                queue: .zero,
                errors: errors
            )
        }
        return report
    }

    @Test func onlyTheLinkThatWasLateIsNamed() throws {
        let scenario = try scenario()
        #expect(report([10, 10, 10, 10]).inexactLinks(of: scenario).isEmpty)
        let second = report([10, 10, 10, 2500]).inexactLinks(of: scenario)
        #expect(second.map(\.name) == ["c->d"])
        #expect(second.first?.links == [LinkID(2), LinkID(3)])
        let first = report([2500, 10, 10, 10]).inexactLinks(of: scenario)
        #expect(first.map(\.name) == ["one"])
    }

    // Where nothing was exact, or the figures are of all links together, the run as a whole is not.
    @Test func aRunWithoutAnExactLinkIsJudgedAsAWhole() throws {
        #expect(report([2500, 10, 10, 2500]).inexactLinks(of: try scenario()).isEmpty)
        let single = try scenario(beside: false)
        #expect(report([2500, 10, 10, 10]).inexactLinks(of: single).isEmpty)
    }

    @Test func figuresOfALateLinkAreTakenBack() {
        let key = RunKey(
            scenario: "two",
            scenarioDigest: "d",
            variant: "v",
            seed: 1,
            environment: .sockets
        )
        var record = RunRecord(key: key, commit: "c")
        for name in ["one", "c->d"] {
            record.metrics.append(
                MetricValue("goodput", 1, labels: [Label("link", name)], bound: nil)
            )
        }
        let late = InexactLink(name: "one", links: [LinkID(0)], percentile: 2500)
        record.withholdFigures(of: [late])
        #expect(record.metrics.map(\.labels) == [[Label("link", "c->d")]])
        #expect(
            record.facts.contains { $0.key == "no figures, one" && $0.value.contains("2500 µs") }
        )
    }
}
