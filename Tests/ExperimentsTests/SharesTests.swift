import DataSets
import Experiments
import Foundation
import HardwareModel
import Judging
import Machines
import Measurements
import Scenarios
import Testing
import Transport
import Units

/// Goal: transfers of one sender get across what their shares say, each is measured on its own, and a
/// migration that misses its deadline fails as such.
/// Method: simulated replications over 20 Mbit/s and 40 ms, long enough for the division to settle; events
/// that no run is needed for.
@Suite struct SharesTests {
    private static func setting(
        _ workload: String,
        system: String = "{transport: {streams: 2, window: 4 MiB}}",
        targets: String = "",
        dataSet: MemoryDataSet? = nil
    ) throws -> ReplicationSetting {
        let scenario = try ScenarioFile.parse(
            """
            version: 1
            name: shared
            topology:
              regions: {a: {}, b: {nodes: 3}, c: {}}
              links:
                - {between: [a, b], rtt: 40 ms, rate: 20 Mbit/s}
                - {between: [a, c], rtt: 40 ms, rate: 20 Mbit/s}
            workload: {\(workload)}
            system: \(system)
            targets: [\(targets)]

            """,
            file: "shared.yaml"
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
            dataSet: dataSet
        )
    }

    private static func run(_ setting: ReplicationSetting) -> RunRecord {
        Replication.simulated(setting, commit: "test") { false }
    }

    private static func goodput(_ name: String, _ record: RunRecord) throws -> Double {
        let value = record.value(of: "goodput", labels: [Label("transfer", name)])
        return try #require(value, "\(record.outcome) \(record.facts)").value
    }

    private static let three = """
        kind: bulk, name: one, share: {weight: 1}, duration: {warmup: 15 s, measure: 25 s},
          beside: [{from: a, to: b, name: two, share: {weight: 2}},
                   {from: a, to: b, name: least, share: {most: 2 Mbit/s}}]
        """

    // The link carries 18.9 Mbit/s of payload; 2 of them are the limited transfer's.
    @Test func weightsAndLimitsAreKept() throws {
        let record = Self.run(try Self.setting(Self.three))
        #expect(record.outcome == .completed)
        let one = try Self.goodput("one", record)
        let two = try Self.goodput("two", record)
        let least = try Self.goodput("least", record)
        #expect(one + two + least > 15e6, "\(one) \(two) \(least)")
        #expect((1.6...2.5).contains(two / one), "\(two) beside \(one)")
        #expect((1.6e6...2.05e6).contains(least), "\(least)")
        // Each figure names its link and its transfer, what all made of the link only the link.
        let labels = [Label("link", "a->b"), Label("transfer", "two")]
        #expect(record.metrics.contains { $0.metric == "goodput" && $0.labels == labels })
        let uses = record.metrics.filter { $0.metric == "utilisation" }
        #expect(uses.map(\.labels) == [[Label("link", "a->b")]])
        #expect(abs((uses.first?.value ?? 0) - (one + two + least) / 20e6 * 100) < 0.01)
        for value in record.metrics { #expect(value.isPlausible, "\(value)") }
        for invariant in record.invariants { #expect(invariant.violations.isEmpty) }
        #expect(record.facts.contains { $0.key == "chunks, two" })
    }

    // The same seed gives the same run, sessions and divisions included.
    @Test func repeats() throws {
        let setting = try Self.setting(Self.three.replacing("25 s", with: "5 s"))
        let (first, second) = (Self.run(setting), Self.run(setting))
        #expect(first.fingerprint == second.fingerprint)
        #expect(first.metrics == second.metrics)
    }

    // A transfer alone keeps to its limit as well; without one nothing changes for it.
    @Test func aTransferAloneKeepsToItsLimit() throws {
        let duration = "kind: bulk, duration: {warmup: 5 s, measure: 15 s}"
        let limited = Self.run(try Self.setting("\(duration), share: {most: 5 Mbit/s}"))
        let goodput = try #require(limited.value(of: "goodput"))
        #expect((4.5e6...5.1e6).contains(goodput.value), "\(goodput)")
        #expect(goodput.isPlausible && goodput.labels.isEmpty)
        // The bound is the limit's: what is under way in a window of 4 MiB, and no more than that.
        #expect(try #require(goodput.bound).limit < 8e6)
        let plain = Self.run(try Self.setting(duration))
        let heavy = Self.run(try Self.setting("\(duration), share: {weight: 7, least: 1 Mbit/s}"))
        #expect(plain.fingerprint == heavy.fingerprint)
        #expect(plain.value(of: "goodput") == heavy.value(of: "goodput"))
    }

    // Each begins and ends in its own time. Windows that differ have no utilisation in common, and what
    // one leaves when it ends another gets.
    @Test func eachHasItsOwnTime() throws {
        let record = Self.run(
            try Self.setting(
                """
                kind: bulk, name: one, duration: {warmup: 5 s, measure: 10 s},
                  beside: [{from: a, to: b, name: two, start: 15 s,
                            duration: {warmup: 5 s, measure: 10 s}}, {from: a, to: c}]
                """
            )
        )
        #expect(record.outcome == .completed)
        for name in ["one", "two"] {
            #expect(try Self.goodput(name, record) > 14e6, "\(name)")
        }
        // The one to another region has a link of its own.
        let uses = record.metrics.filter { $0.metric == "utilisation" }
        #expect(uses.map(\.labels) == [[Label("link", "a->c")]])
        #expect(record.facts.contains { $0.key == "utilisation, a->b" })
        let later = record.series.filter { $0.labels.contains(Label("transfer", "two")) }
        #expect(!later.isEmpty && later.allSatisfy { $0.start == .zero + .seconds(15) })
    }

    // MARK: Events

    // What a sender tells of one of its transfers counts for that one, and survives the way from a
    // process of its own.
    @Test func eventsOfASenderAreToldApart() throws {
        let setting = try Self.setting(Self.three)
        var observer = BulkExperiment(setting).makeObserver()
        let events: [BulkNode.Event] = [
            .shared(1, .tuned(streams: 3, congestion: .cubic)), .shared(2, .streamLost),
            .shared(0, .roundTrips([.milliseconds(41)])),
        ]
        for event in events {
            let line = try JSONEncoder().encode(event)
            let read = try JSONDecoder().decode(BulkNode.Event.self, from: line)
            #expect(read == event)
            observer.observe(read, on: NodeID(0), at: .zero + .seconds(20))
        }
        for (node, bytes) in [(1, 10_000), (2, 20_000), (3, 30_000)] as [(UInt32, Int)] {
            observer.observe(
                .arrived(bytes: bytes, whole: bytes),
                on: NodeID(node),
                at: .zero + .seconds(20)
            )
        }
        var record = RunRecord(
            key: RunKey(
                scenario: "shared",
                scenarioDigest: setting.scenario.digest,
                variant: "default",
                seed: 1,
                environment: .simulated
            ),
            commit: "test"
        )
        let ending = ReplicationEnding(time: .zero + .seconds(40), reason: nil, links: [])
        observer.measure(ending, into: &record)
        func fact(_ key: String) -> String? { record.facts.first { $0.key == key }?.value }
        #expect(fact("tuned, one") == "not at all")
        #expect(fact("tuned, two")?.hasPrefix("3 cubic") == true)
        #expect(["one", "two", "least"].map { fact("streams lost, \($0)") } == ["0", "0", "1"])
        let goodputs = record.metrics.filter { $0.metric == "goodput" }.map(\.value)
        #expect(goodputs == [3_200, 6_400, 9_600])
        let trips = record.metrics.filter { $0.metric == "path-rtt" }
        #expect(trips.map(\.labels) == [[Label("link", "a->b"), Label("transfer", "one")]])
        observer.observe(.shared(2, .failed(.unreachable)), on: NodeID(0), at: .zero)
        #expect(observer.isFinished)
    }

    /// As many as the scheduler carries may be asked for.
    @Test func theLimitIsTheTransports() {
        #expect(Scenario.BulkWorkload.transferLimit == TransferScheduler.limit)
    }

    // MARK: Deadlines

    // 4 MiB need 1.7 s on this link.
    @Test func aMigrationThatMissesItsDeadlineFails() throws {
        func run(_ deadline: String) throws -> RunRecord {
            Self.run(
                try Self.setting(
                    "kind: migration, memory: {dataset: seeded-small}",
                    system: "{transport: {streams: 2, deadline: \(deadline)}}",
                    dataSet: SeededDataSet.generate()
                )
            )
        }
        let late = try run("500 ms")
        guard case .livenessViolation(let message) = late.outcome else {
            Issue.record("\(late.outcome)")
            return
        }
        #expect(message.contains("the transfer was not over within its deadline"), "\(message)")
        #expect(late.value(of: "migration-time") == nil)
        let timely = try run("60 s")
        #expect(timely.outcome == .completed)
        #expect(timely.value(of: "migration-time") != nil)
    }
}
