import Experiments
import HardwareModel
import Judging
import Measurements
import Scenarios
import Testing
import Units

/// Goal: flows of others compete with a transfer, what they take is counted against what is free, and
/// what the transfer costs them is measured. Method: simulated replications of bulk transfers over
/// 20 Mbit/s and 40 ms, short enough for a test and long enough for CUBIC.
@Suite struct CrossTrafficTests {
    private static func setting(
        _ traffic: String,
        transport: String = "streams: 1",
        queue: String = "droptail"
    ) throws -> ReplicationSetting {
        let scenario = try ScenarioFile.parse(
            """
            version: 1
            name: crossed
            topology:
              regions: {a: {}, b: {}}
              links: [{between: [a, b], rtt: 40 ms, rate: 20 Mbit/s, queue: \(queue)}]
            cross-traffic: [\(traffic)]
            workload: {kind: bulk, duration: {warmup: 10 s, measure: 40 s}}
            system: {transport: {\(transport), window: 4 MiB}}

            """,
            file: "crossed.yaml"
        )
        let profile = HardwareProfile(
            name: "test",
            measured: HardwareProfile.Provenance(machine: "none", date: "2026-01-01", method: "-"),
            cores: 2,
            speeds: HardwareProfile.Speeds { _ in 1000 },
            disk: HardwareProfile.Disk(write: 100, fsync: .milliseconds(1))
        )
        return ReplicationSetting(
            scenario: scenario,
            variant: scenario.variants[0],
            seed: 1,
            profile: profile,
            dataSet: nil
        )
    }

    private static func run(_ setting: ReplicationSetting) -> RunRecord {
        Replication.simulated(setting, commit: "test") { false }
    }

    private static func value(_ metric: String, _ record: RunRecord) throws -> Double {
        try #require(record.value(of: metric), "no \(metric): \(record.facts)").value
    }

    /// Goal: a single ordinary stream harms nobody beyond chance, 128 streams take nearly everything,
    /// and utilisation is of what the others leave. Method: both beside three CUBIC flows.
    @Test func harm() throws {
        let traffic = "{from: a, to: b, flows: 3}"
        let ordinary = Self.run(try Self.setting(traffic))
        let hogging = Self.run(try Self.setting(traffic, transport: "streams: 128"))
        #expect(abs(try Self.value("fairness-harm", ordinary)) < 20)
        #expect(try Self.value("fairness-harm", hogging) > 70)
        #expect(try Self.value("goodput", hogging) > 1.5 * Self.value("goodput", ordinary))
        for record in [ordinary, hogging] {
            #expect((60...96).contains(try Self.value("utilisation", record)))
            let rates = record.invariants.first { $0.name == "link-rate-respected" }
            #expect(rates?.violations.isEmpty == true && rates?.checked == 4)
            for value in record.metrics { #expect(value.isPlausible, "\(value)") }
            #expect(record.series.contains { $0.name == "cross-traffic" })
        }
    }

    /// Goal: harm needs no luck: the same seed gives the same, with the baseline in the fingerprint; and
    /// there is none where nobody goes the transfer's way. Method: runs twice, alone, and beside flows
    /// of the other direction.
    @Test func repeats() throws {
        // Streams that open and close beside the others' connections, too.
        let setting = try Self.setting(
            "{from: a, to: b, flows: 2, congestion: bbr}, {from: a, to: b, start: 49 s}",
            transport: "streams: auto"
        )
        let (first, second) = (Self.run(setting), Self.run(setting))
        #expect(first.fingerprint == second.fingerprint)
        #expect(first.value(of: "fairness-harm") == second.value(of: "fairness-harm"))
        let alone = Self.run(try Self.setting(""))
        #expect(alone.value(of: "fairness-harm") == nil)
        #expect(alone.fingerprint != first.fingerprint)
        let back = Self.run(try Self.setting("{from: b, to: a, flows: 2}"))
        #expect(back.value(of: "fairness-harm") == nil)
    }

    /// Goal: with several kinds of flows the one that loses most counts, and each has its baseline.
    /// Method: CUBIC beside BBR.
    @Test func severalKinds() throws {
        let record = Self.run(
            try Self.setting(
                "{from: a, to: b}, {from: a, to: b, congestion: bbr, start: 1 s}",
                transport: "streams: 16"
            )
        )
        let facts = record.facts.filter { $0.key.contains("flows beside") }
        #expect(facts.map(\.key) == ["cubic flows beside", "bbr flows beside"])
        let harm = try Self.value("fairness-harm", record)
        #expect((0...100).contains(harm))
    }

    /// Goal: with marks a transfer through CoDel loses no packet and keeps its rate and a short
    /// queue; without them it loses some. Method: `ecn` on and off over the same queue.
    @Test func marks() throws {
        let queue = "{kind: codel, limit: 1 MiB, ecn: true}"
        let marked = Self.run(
            try Self.setting("", transport: "streams: 1, ecn: true", queue: queue)
        )
        let plain = Self.run(try Self.setting("", queue: queue))
        #expect(marked.fingerprint != plain.fingerprint)
        let rates = (try Self.value("goodput", marked), try Self.value("goodput", plain))
        #expect(rates.0 >= 0.97 * rates.1, "\(rates)")
        let delays = (try Self.value("path-rtt", marked), try Self.value("path-rtt", plain))
        #expect(delays.0 < 55, "\(delays)")
        // Slow start overflows nothing: the queue's limit is far away.
        let facts = [marked, plain].map { record in
            record.facts.first { $0.key == "marks, a->b" }?.value ?? ""
        }
        #expect(facts[0].hasSuffix("packets marked, 0 dropped by the queue"), "\(facts)")
        #expect(!facts[0].hasPrefix("0 of") && facts[1].hasPrefix("0 of"), "\(facts)")
        #expect(!facts[1].hasSuffix(" 0 dropped by the queue"), "\(facts)")
    }

    /// Goal: a harm that cannot be is found out. Method: the judge sees 101 %.
    @Test func impossibleHarm() throws {
        let definition = try #require(MetricCatalogue.standard["fairness-harm"])
        #expect(definition.possibleRange.contains(-30) && !definition.possibleRange.contains(101))
        #expect(definition.requiresBound && definition.isNetworkDependent)
    }
}
