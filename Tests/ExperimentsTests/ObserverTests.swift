import DataSets
import Echoing
import Experiments
import HardwareModel
import Judging
import LinkModel
import Machines
import Measurements
import Migration
import NetworkModel
import Scenarios
import Testing
import Transport
import Units

/// Goal: figures that cannot be true never pass: each experiment states the physical bound that
/// gives them away, and the judge calls the campaign INVALID.
/// Method: observers hear events that no correct run could give, and ones that it could.
@Suite struct ObserverTests {
    // MARK: Echo

    private func echo(latency: Interval) throws -> RunRecord {
        let setting = try setting("kind: echo, requests: 1")
        var observer = EchoExperiment(setting).makeObserver()
        observer.observe(
            .answered(
                sequence: 0,
                latencyNanoseconds: latency.nanoseconds,
                attempts: 1,
                equal: true
            ),
            on: NodeID(0),
            at: .zero + latency
        )
        observer.observe(.done, on: NodeID(0), at: .zero + latency)
        #expect(observer.isFinished)
        return record(setting) { observer.measure(ending(.seconds(1)), into: &$0) }
    }

    @Test func anAnswerFasterThanLightIsInvalid() throws {
        #expect(try verdict(echo(latency: .milliseconds(19))) == .invalid)
        #expect(try verdict(echo(latency: .milliseconds(21))) == .go)
    }

    // MARK: Bulk

    /// A run of 10 s in which every 10 ms a chunk of `bytes` arrives; the link carries 125,000 B in
    /// that time.
    private func bulk(bytes: Int, isIdentical: Bool = true) throws -> RunRecord {
        let setting = try setting("kind: bulk, duration: {warmup: 1 s, measure: 9 s}")
        var observer = BulkExperiment(setting).makeObserver()
        for step in 1...1_000 {
            let number = UInt64(step)
            observer.observe(
                isIdentical || step != 500
                    ? .delivered(chunks: number..<number + 1, bytes: bytes)
                    : .different(chunk: number),
                on: NodeID(1),
                at: .zero + .milliseconds(10) * Int64(step)
            )
            observer.observe(
                .arrived(bytes: bytes, whole: bytes),
                on: NodeID(1),
                at: .zero + .milliseconds(10) * Int64(step)
            )
        }
        return record(setting) { observer.measure(ending(.seconds(10)), into: &$0) }
    }

    @Test func moreThanTheLinkCarriesIsInvalid() throws {
        #expect(try verdict(bulk(bytes: 119_000)) == .go)
        #expect(try verdict(bulk(bytes: 126_000)) == .invalid)
        let changed = try bulk(bytes: 119_000, isIdentical: false)
        #expect(verdict(changed, invariants: ["transfer-identical"]) == .safetyViolation)
    }

    // What waits for an older chunk at the end is compared like what was delivered.
    @Test(arguments: [(nil, 0), (7, 1)] as [(UInt64?, Int)])
    func whatWaitsAtTheEndIsCompared(different: UInt64?, violations: Int) throws {
        let setting = try setting("kind: bulk, duration: {warmup: 1 s, measure: 9 s}")
        var observer = BulkExperiment(setting).makeObserver()
        observer.observe(
            .held(chunks: 3, different: different),
            on: NodeID(1),
            at: .zero + .seconds(10)
        )
        let record = record(setting) { observer.measure(ending(.seconds(10)), into: &$0) }
        let identical = try #require(record.invariants.first { $0.name == "transfer-identical" })
        #expect(identical.violations.count == violations)
        #expect(identical.checked == 3 + UInt64(violations))
    }

    // Figures of transfers beside each other name their links, and none counts for another.
    @Test func transfersBesideEachOtherAreToldApart() throws {
        let setting = try setting(
            "kind: bulk, duration: {warmup: 1 s, measure: 9 s}, beside: [{from: c, to: d}]",
            topology: """
                regions: {a: {}, b: {}, c: {}, d: {}}
                  links:
                    - {between: [a, b], rtt: 20 ms, rate: 100 Mbit/s}
                    - {between: [c, d], rtt: 20 ms, rate: 100 Mbit/s}
                """
        )
        var observer = BulkExperiment(setting).makeObserver()
        for step in 1...1_000 {
            for (node, bytes) in [(1, 100_000), (3, 50_000)] as [(UInt32, Int)] {
                observer.observe(
                    .arrived(bytes: bytes, whole: bytes),
                    on: NodeID(node),
                    at: .zero + .milliseconds(10) * Int64(step)
                )
            }
        }
        let record = record(setting) { observer.measure(ending(.seconds(10)), into: &$0) }
        let goodputs = record.metrics.filter { $0.metric == "goodput" }
        #expect(goodputs.map(\.labels) == [[Label("link", "a->b")], [Label("link", "c->d")]])
        #expect(abs(goodputs[0].value - 80e6) < 1e6 && abs(goodputs[1].value - 40e6) < 1e6)
    }

    // A transfer that begins later is watched in a time of its own, and what the transport chose is shown in it.
    @Test func aTransferThatBeginsLaterHasItsOwnTime() throws {
        let setting = try setting(
            "kind: bulk, duration: {warmup: 1 s, measure: 9 s}, "
                + "beside: [{from: c, to: d, start: 10 s}]",
            topology: """
                regions: {a: {}, b: {}, c: {}, d: {}}
                  links:
                    - {between: [a, b], rtt: 20 ms, rate: 100 Mbit/s}
                    - {between: [c, d], rtt: 20 ms, rate: 100 Mbit/s}
                """
        )
        #expect(setting.scenario.horizon == .seconds(20))
        let experiment = BulkExperiment(setting)
        var observer = experiment.makeObserver()
        for step in 1...2_000 {
            let node: UInt32 = step <= 1_000 ? 1 : 3
            observer.observe(
                .arrived(bytes: 50_000, whole: 50_000),
                on: NodeID(node),
                at: .zero + .milliseconds(10) * Int64(step)
            )
        }
        observer.observe(
            .tuned(streams: 4, congestion: .cubic),
            on: NodeID(2),
            at: .zero + .seconds(15)
        )
        let record = record(setting) { observer.measure(ending(.seconds(20)), into: &$0) }
        #expect(record.outcome == .completed)
        let goodputs = record.metrics.filter { $0.metric == "goodput" }
        #expect(goodputs.count == 2)
        #expect(goodputs.allSatisfy { abs($0.value - 40e6) < 1e6 }, "\(goodputs.map(\.value))")
        let later = record.series.filter { $0.labels == [Label("link", "c->d")] }
        #expect(later.allSatisfy { $0.start == .zero + .seconds(10) })
        let streams = try #require(later.first { $0.name == "streams" })
        #expect(streams.values.last == 4)
        #expect(try #require(streams.values.first) > 4)
        #expect(record.series.count { $0.name == "streams" } == 1)
    }

    // Nothing leaves a node before its transfer begins.
    @Test func aTransferThatBeginsLaterIsSilentUntilThen() throws {
        let setting = try setting("kind: bulk, start: 3 s, duration: {warmup: 1 s, measure: 9 s}")
        let birth = Birth<BulkNode>(node: NodeID(0), incarnation: 0, recovered: [], seed: 1)
        var node = BulkExperiment(setting).makeMachine(birth)
        var actions = Actions<BulkNode>()
        func opensStreams() -> Bool {
            defer { actions.removeAll() }
            return actions.elements.contains { if case .openStream = $0 { true } else { false } }
        }
        node.step(.started, at: .zero, into: &actions)
        #expect(!opensStreams())
        node.step(.fired(.start), at: .zero + .seconds(3), into: &actions)
        #expect(opensStreams())
    }

    // MARK: Migration

    /// One guest of 4 MiB, all of whose pages travelled raw.
    private func migration(
        seconds: Interval,
        downtime: Interval,
        wire: UInt64 = 4_400_000,
        verified: Int = 1024,
        trace: RateTrace? = nil
    ) throws -> RunRecord {
        let setting = try setting(
            "kind: migration, memory: {dataset: seeded-small}",
            dataSet: SeededDataSet.generate()
        )
        var observer = MigrationExperiment(setting).makeObserver()
        let session = SessionID(sender: NodeID(0), number: 0)
        let end = Instant.zero + seconds
        observer.observe(
            .started(session, destination: NodeID(1), pages: 1024),
            on: NodeID(0),
            at: .zero
        )
        observer.observe(.paused(session, .converged), on: NodeID(0), at: end - downtime)
        observer.observe(.verified(session, pages: verified, checksum: 1), on: NodeID(1), at: end)
        observer.observe(.running(session), on: NodeID(1), at: end)
        let summary = MigrationSummary(
            totalTime: seconds,
            downtime: downtime,
            stopReason: .converged,
            rounds: 2,
            memoryBytes: 4 << 20,
            stateBytes: 4 << 20,
            encodedBytes: 4 << 20,
            wireBytes: 4 << 20,
            pages: MigrationSummary.Pages(),
            transport: TransferStatistics()
        )
        observer.observe(.completed(session, summary), on: NodeID(0), at: end)
        #expect(observer.isFinished)
        return record(setting) { record in
            observer.measure(ending(seconds, departed: wire, trace: trace), into: &record)
        }
    }

    @Test func aMigrationFasterThanItsLinkIsInvalid() throws {
        // 4 MiB take 0.3355 s at 100 Mbit/s, and half a round trip comes on top.
        let honest = try migration(seconds: .milliseconds(400), downtime: .milliseconds(50))
        #expect(verdict(honest, invariants: ["memory-identical-after-migration"]) == .go)
        let fast = try migration(seconds: .milliseconds(340), downtime: .milliseconds(50))
        #expect(verdict(fast) == .invalid)
        let abrupt = try migration(seconds: .milliseconds(400), downtime: .milliseconds(9))
        #expect(verdict(abrupt) == .invalid)
    }

    // A link of 20 Mbit/s on average whose first half second has 100 Mbit/s: 4 MiB pass in it, though
    // they would take 1.7 s at the mean.
    @Test func aMigrationMayMeetTheBestTimesOfALink() throws {
        let trace = try RateTrace(
            .steps(starts: [0, 500_000_000], rates: [100_000_000, 15_800_000]),
            ending: .repeat,
            length: .seconds(10)
        )
        let lucky = try migration(
            seconds: .milliseconds(400),
            downtime: .milliseconds(50),
            trace: trace
        )
        #expect(verdict(lucky, invariants: ["memory-identical-after-migration"]) == .go)
        let impossible = try migration(
            seconds: .milliseconds(340),
            downtime: .milliseconds(50),
            trace: trace
        )
        #expect(verdict(impossible) == .invalid)
        // Beyond the half second the integral says how much could pass: 57.9 Mbit in one second.
        let slow = try migration(seconds: .seconds(1), downtime: .milliseconds(50), trace: trace)
        let products = slow.facts.first { $0.key == "bandwidth-delay products" }
        #expect(products?.value == "29.0 delivered")
    }

    @Test func aRatioBeyondTheHeadersIsInvalid() throws {
        // 300 packets have 19,800 B of headers; less than that cannot have been on the wire.
        let tiny = try migration(
            seconds: .milliseconds(400),
            downtime: .milliseconds(50),
            wire: 10_000
        )
        #expect(verdict(tiny) == .invalid)
    }

    @Test func aGuestWithUnverifiedPagesIsASafetyViolation() throws {
        let partial = try migration(
            seconds: .milliseconds(400),
            downtime: .milliseconds(50),
            verified: 1023
        )
        let code = verdict(partial, invariants: ["memory-identical-after-migration"])
        #expect(code == .safetyViolation)
    }

    // MARK: Links

    @Test func aLinkThatCarriesMoreThanItsRateIsASafetyViolation() throws {
        // A tenth of a second of 100 Mbit/s, and the packet that is being sent.
        let limit: UInt64 = 1_250_000 + 1_514
        #expect(ending(.milliseconds(100), departed: limit).linkRates.violationCount == 0)
        let broken = ending(.milliseconds(100), departed: limit + 1).linkRates
        #expect(broken.checked == 2 && broken.violationCount == 1)
        let setting = try setting("kind: echo")
        let record = record(setting) { $0.invariants = [broken] }
        #expect(verdict(record, invariants: ["link-rate-respected"]) == .safetyViolation)
    }

    @Test func linksThatAreNotThereBoundNothing() throws {
        let setting = try setting("kind: echo, requests: 1")
        var observer = EchoExperiment(setting).makeObserver()
        observer.observe(
            .answered(sequence: 0, latencyNanoseconds: 50_000, attempts: 1, equal: true),
            on: NodeID(0),
            at: .zero + .microseconds(50)
        )
        var bare = ending(.milliseconds(1))
        bare.links = []
        let real = record(setting) { observer.measure(bare, into: &$0) }
        #expect(real.value(of: "request-latency")?.bound == nil)
        #expect(verdict(real) != .invalid)
    }

    // MARK: Support

    private func setting(
        _ workload: String,
        dataSet: MemoryDataSet? = nil,
        topology: String = """
        regions: {a: {nodes: 1}, b: {nodes: 1}}
          links: [{between: [a, b], rtt: 20 ms, rate: 100 Mbit/s}]
        """
    ) throws -> ReplicationSetting {
        let scenario = try ScenarioFile.parse(
            """
            version: 1
            name: observed
            topology:
              \(topology)
            workload: {\(workload)}

            """,
            file: "observed.yaml"
        )
        let profile = HardwareProfile(
            name: "test",
            measured: HardwareProfile.Provenance(machine: "none", date: "2026-01-01", method: "-"),
            cores: 1,
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

    /// A run of that length whose forward link let `departed` bytes out in 300 packets.
    private func ending(
        _ length: Interval,
        departed: UInt64 = 1_000,
        trace: RateTrace? = nil
    ) -> ReplicationEnding {
        let parameters = LinkParameters(
            rate: trace?.mean ?? .megabits(100),
            trace: trace,
            propagation: .milliseconds(10),
            queueLimit: .kibibytes(256)
        )
        var counters = LinkCounters()
        counters.departedBytes = departed
        counters.departedPackets = 300
        let links = [(0, 1, counters), (1, 0, LinkCounters())].map { from, to, counters in
            LinkFigures(
                name: "\(from)->\(to)",
                from: RegionID(from),
                to: RegionID(to),
                parameters: parameters,
                counters: counters
            )
        }
        return ReplicationEnding(time: .zero + length, reason: nil, links: links)
    }

    private func record(
        _ setting: ReplicationSetting,
        _ measure: (inout RunRecord) -> Void
    ) -> RunRecord {
        var record = RunRecord(
            key: RunKey(
                scenario: setting.scenario.name,
                scenarioDigest: setting.scenario.digest,
                variant: setting.variant.name,
                seed: setting.seed,
                environment: .simulated
            ),
            commit: "abc"
        )
        record.outcome = .completed
        measure(&record)
        return record
    }

    /// What the judge says of this run alone, without targets.
    private func verdict(_ record: RunRecord, invariants: [String]? = nil) -> VerdictCode {
        let names = invariants ?? [record.invariants.first?.name ?? "none"]
        let campaign = Campaign(
            scenario: record.key.scenario,
            environment: .simulated,
            targets: [],
            variants: [record.key.variant],
            invariants: names,
            replications: Budget.Replications(
                minimum: 1,
                maximum: 1,
                relativeHalfWidth: Ratio(0.05)
            ),
            runs: [record]
        )
        return Judge().judge(campaign).verdict.code
    }
}
