import Determinism
import Judging
import Measurements
import Reporting
import Scenarios
import Units

/// An input for tests. Every figure is made up by a seeded generator, the page says so in its first
/// line, and nothing of it is a measurement.
struct ExampleInput {
    var seeds: UInt64 = 12
    /// Text from outside that tries to be markup.
    var hostile = ""
    var variants = ["baseline", "dwcp"]
    var withSeries = true
    var withFaults = true
    var environment = EnvironmentKind.simulated

    var report: ReportInput {
        let campaign = Campaign(
            scenario: "example" + hostile,
            environment: environment,
            targets: targets,
            variants: variants,
            invariants: ["memory-identical-after-migration", "link-rate-respected"],
            replications: Budget.Replications(
                minimum: 10,
                maximum: 100,
                relativeHalfWidth: Ratio(0.05)
            ),
            runs: runs,
            determinism: DeterminismCheck(compared: 2, equal: 2)
        )
        return ReportInput(
            subtitle: "test data, nothing here was measured · us-east → eu-west" + hostile,
            notices: ["This page shows test data: made-up figures that exercise the layout."],
            campaign: campaign,
            judgement: Judge().judge(campaign),
            models: [
                .init(name: "TCP", assumption: "CUBIC (RFC 9438) with SACK recovery" + hostile),
                .init(name: "queue", assumption: "drop-tail, 1 bandwidth-delay product"),
            ],
            provenance: provenance,
            queries: [
                .init(
                    figure: "downtime" + hostile,
                    sql: """
                        SELECT variant, seed, value
                        FROM metric_value JOIN run USING (run_id)
                        WHERE metric = 'downtime' AND value < 500 -- \(hostile)
                        ORDER BY variant, seed
                        """
                ),
                .init(
                    figure: "goodput over time",
                    sql: "SELECT * FROM series WHERE name = 'goodput'"
                ),
            ],
            replay: "novalab replay example.yaml --seed 42"
        )
    }

    var provenance: Provenance {
        Provenance(
            commit: .known("0123456789abcdef0123456789abcdef01234567"),
            isDirty: .known(false),
            compiler: .known("Swift version 6.3.1 (test data)"),
            processor: .known("Example processor" + hostile),
            coreCount: 2,
            kernel: .known("6.1.0-example"),
            settings: [
                .init(name: "net.ipv4.tcp_sack", value: .known("1")),
                .init(
                    name: "net.ipv4.tcp_wmem",
                    value: .unknown(reason: "/proc/sys/net/ipv4/tcp_wmem cannot be read")
                ),
            ]
        )
    }

    private var targets: [Target] {
        func target(
            _ metric: String,
            _ statistic: Target.Statistic,
            _ comparison: Target.Comparison,
            _ threshold: Double,
            _ unit: MetricUnit,
            _ subject: Target.Subject
        ) -> Target {
            Target(
                metric: metric,
                statistic: statistic,
                comparison: comparison,
                threshold: threshold,
                unit: unit,
                subject: subject,
                link: nil,
                region: nil,
                confidence: Ratio(0.95)
            )
        }
        let last = variants.last!
        let single = [
            target("utilisation", .mean, .greater, 0.9, .percent, .variant(last)),
            target("downtime", .mean, .less, 0.5, .milliseconds, .variant(last)),
            target("ratio-dirty", .mean, .greater, 10, .factor, .variant(last)),
        ]
        guard variants.count > 1 else { return single }
        return single + [
            target("migration-time", .speedup, .greater, 3, .factor, .compare(last, variants[0]))
        ]
    }

    private var runs: [RunRecord] {
        variants.enumerated().flatMap { place, variant in
            (0..<seeds).map { run(variant, place, seed: 42 + $0) }
        }
    }

    private func run(_ variant: String, _ place: Int, seed: UInt64) -> RunRecord {
        var random = SeededRandom(stateFrom: seed)
        let shared = random.unit()
        var apart = SeededRandom(stateFrom: seed &* 31 &+ UInt64(place))
        let own = { (scale: Double) in apart.unit() * scale }
        let speed = place == 0 ? 1.0 : 2.6
        let time = (96 + 14 * shared) / speed + own(1.5)
        let migrations = (0..<10).map { _ in time + own(4) }
        let downtimes = (0..<10).map { _ in place == 0 ? 900 + own(800) : 380 + own(260) }
        var record = RunRecord(
            key: RunKey(
                scenario: "example",
                scenarioDigest: "00112233445566778899aabbccddeeff",
                variant: variant,
                seed: seed,
                environment: environment
            ),
            commit: "0123456789abcdef0123456789abcdef01234567",
            fingerprint: String(repeating: "0123456789abcdef", count: 2),
            events: 1_234_567 + seed,
            simulatedSeconds: time,
            kernelSeconds: 1.5,
            workSeconds: 0.75,
            realSeconds: 2.5,
            peakMemoryBytes: 123_456_789
        )
        record.metrics = [
            MetricValue(
                "utilisation",
                (place == 0 ? 61 : 92.5) + own(2.2),
                bound: PhysicalBound(.upper, 100, derivation: "the link's rate")
            ),
            MetricValue(
                "migration-time",
                samples: migrations,
                bound: PhysicalBound(.lower, 7, derivation: "RTT/2 + bytes / rate")
            ),
            MetricValue(
                "downtime",
                samples: downtimes,
                bound: PhysicalBound(.lower, 38, derivation: "RTT/2 of 76 ms")
            ),
            MetricValue("ratio-dirty", place == 0 ? 0.97 : 8.6 + own(3.1), bound: nil),
        ]
        record.series = withSeries ? series(time, place, &random) : []
        record.faults = withFaults ? faults(seed) : []
        record.invariants = [
            InvariantOutcome(name: "memory-identical-after-migration", checked: 10, violations: []),
            InvariantOutcome(name: "link-rate-respected", checked: 48_211, violations: []),
        ]
        record.markers = withSeries ? rounds(place) : []
        record.facts = [
            Fact("data set", "example-workload, 8 snapshots, sha256 9f2c" + hostile),
            Fact("hardware profile", "lab-vm, sha256 1b0a"),
            Fact("streams", place == 0 ? "1" : "auto"),
        ]
        return record
    }

    private func series(
        _ time: Double,
        _ place: Int,
        _ random: inout SeededRandom
    ) -> [Series] {
        let count = Int(time / 0.1)
        var goodput: [Double] = []
        var queue: [Double] = []
        for index in 0..<count {
            let second = Double(index) * 0.1
            let ramp = min(1, second / (place == 0 ? 6 : 1.5))
            let struck = withFaults && second > 14 && second < 19
            let level = struck ? 0.05 : (place == 0 ? 122e6 : 185e6) * ramp
            goodput.append(level * (0.93 + 0.07 * random.unit()))
            queue.append(struck ? 0 : 1.9e6 * ramp * random.unit())
        }
        func series(_ name: String, _ unit: String, _ kind: Series.Kind, _ values: [Double])
            -> Series
        {
            Series(
                name: name,
                unit: unit,
                labels: [Label("link", "us-east→eu-west")],
                kind: kind,
                start: .zero,
                width: .milliseconds(100),
                values: values
            )
        }
        return [
            series("goodput", "bit/s", .rate, goodput), series("queue", "B", .peak, queue),
        ]
    }

    private func faults(_ seed: UInt64) -> [FaultRecord] {
        [
            FaultRecord(
                kind: "net.down",
                target: "eu-west" + hostile,
                planned: Instant(nanoseconds: 14_000_000_000),
                fired: Instant(nanoseconds: 14_000_000_000),
                healed: Instant(nanoseconds: 19_000_000_000)
            ),
            FaultRecord(
                kind: "node.crash",
                target: "node 2",
                planned: Instant(nanoseconds: 900_000_000_000),
                fired: nil,
                healed: nil
            ),
        ]
    }

    private func rounds(_ place: Int) -> [Marker] {
        let warm = Marker(
            time: Instant(nanoseconds: place == 0 ? 5_000_000_000 : 2_000_000_000),
            kind: "warmup.end"
        )
        let dirty: [Double] = [67.1e6, 21.3e6, 9.4e6, 4.2e6, 2.1e6, 1.4e6]
        return [warm]
            + (0..<3).flatMap { migration in
                dirty.prefix(place == 0 ? 6 : 4).enumerated().map { round, bytes in
                    Marker(
                        time: Instant(nanoseconds: Int64(round + 1) * 3_000_000_000),
                        node: "node \(migration)",
                        kind: "migration.round",
                        fields: [
                            Field("round", Double(round)), Field("dirty", bytes),
                            Field("wire", place == 0 ? bytes * 1.05 : bytes / 9),
                            Field("seconds", bytes / (place == 0 ? 9e6 : 60e6)),
                        ]
                    )
                }
            }
    }
}
