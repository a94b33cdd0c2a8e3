import Foundation
import Measurements
import ResultsStore
import Units

/// A folder for one test's archives; removed with it.
final class Folder {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory
            .appendingPathComponent("novalab-store-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: file(name))))
    }

    func write(_ bytes: [UInt8], _ name: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: file(name)))
    }
}

/// Plans and records with something in every table.
enum Archives {
    static let plan = ArchivedPlan(
        scenario: "wan-migration",
        scenarioDigest: "5c3f",
        scenarioSource: "version: 1\nname: wan-migration\n",
        commit: "3da8a9f",
        environment: .simulated,
        hardwareProfile: "lab-vm",
        hardwareDigest: "77aa",
        dataSets: [ArchivedPlan.DataSet(name: "sqlite-workload", digest: "9f2c")]
    )

    /// A record whose migration time is `time` and whose every table has a row.
    static func record(_ variant: String, seed: UInt64, time: Double = 4.2) -> RunRecord {
        var latencies = LogHistogram()
        for step in 0..<500 { latencies.record(40 + Double(step * step % 977) / 7) }
        let start = Instant(nanoseconds: 1_000)
        return RunRecord(
            key: RunKey(
                scenario: plan.scenario,
                scenarioDigest: plan.scenarioDigest,
                variant: variant,
                seed: seed,
                environment: .simulated
            ),
            commit: plan.commit,
            fingerprint: "0123456789abcdef0123456789abcdef",
            checkpoints: [
                Checkpoint(time: start, fingerprint: "00000000000000000000000000000001")
            ],
            events: 123_456,
            simulatedSeconds: 61.5,
            kernelSeconds: 0.31,
            workSeconds: 0.12,
            realSeconds: 0.5,
            peakMemoryBytes: 80 << 20,
            metrics: metrics(time, latencies),
            series: [series(seed)],
            histograms: [NamedHistogram(name: "segment", unit: "B", histogram: latencies)],
            faults: [
                FaultRecord(
                    kind: "net.loss",
                    target: "us-east→eu-west",
                    planned: start,
                    fired: start,
                    healed: nil
                ),
                FaultRecord(
                    kind: "node.crash",
                    target: "node 1",
                    planned: start,
                    fired: nil,
                    healed: nil
                ),
            ],
            invariants: [
                InvariantOutcome(
                    name: "transfer-identical",
                    checked: 9,
                    violations: [Violation(time: start, message: "byte 7 isn't equal")],
                    violationCount: 3
                ),
                InvariantOutcome(name: "heals", kind: .liveness, checked: 1, violations: []),
            ],
            markers: [
                Marker(
                    time: start,
                    node: "node 0",
                    kind: "migration.round",
                    fields: [Field("round", 1), Field("bytes", 4096), Field("rate", .infinity)]
                )
            ],
            facts: [Fact("data set", "sqlite-workload 9f2c"), Fact("wraps", "2")]
        )
    }

    /// A boot whose record has spans and a marker with a text, which archives before the third
    /// version cannot hold.
    static func boot(_ variant: String, seed: UInt64) -> RunRecord {
        var run = record(variant, seed: seed)
        let times: [Int64] = [0, 7, 7, 20]
        run.spans = Span.Outcome.allCases.enumerated().map { index, outcome in
            Span(
                lane: "node \(index / 3)",
                name: "part.\(index)",
                group: index == 0 ? "" : "core",
                start: Instant(nanoseconds: times[index % 2]),
                end: Instant(nanoseconds: times[2 + index % 2]),
                outcome: outcome,
                isCritical: index.isMultiple(of: 2),
                fields: index == 1 ? [] : [Field(Span.attemptField, Double(index))]
            )
        }
        run.markers.append(
            Marker(
                time: Instant(nanoseconds: 30),
                node: "node 1",
                kind: Marker.crashPoint,
                text: "database.migrations' \"first\"",
                fields: [Field(Marker.survivedField, 1)]
            )
        )
        return run
    }

    /// In the archive's own order: by metric, then by labels.
    private static func metrics(_ time: Double, _ latencies: LogHistogram) -> [MetricValue] {
        [
            MetricValue("downtime", samples: [0.1 + 0.2, 470, 1e-300, 1 / 3], bound: nil),
            MetricValue(
                "goodput",
                1.87e8,
                labels: [Label("region", "eu"), Label("link", "us-east→eu-west")],
                bound: PhysicalBound(.upper, 2e8, derivation: "200 Mbit/s")
            ),
            MetricValue("goodput", samples: [], bound: nil),
            MetricValue(
                "migration-time",
                time,
                bound: PhysicalBound(.lower, 1.5, derivation: "RTT/2 + bytes / rate")
            ),
            MetricValue(
                "ratio-dirty",
                samples: (0..<1_500).map { Double($0).squareRoot() },
                bound: nil
            ),
            MetricValue("request-latency", distribution: latencies, bound: nil),
        ]
    }

    private static func series(_ seed: UInt64) -> Series {
        var recorder = SeriesRecorder(
            name: "goodput",
            unit: "bit/s",
            labels: [Label("link", "us-east→eu-west")],
            kind: .rate,
            width: .milliseconds(10)
        )
        for tick in 0..<600 {
            let amount = Double((UInt64(tick) &* 2_654_435_761 &+ seed) % 100_000)
            recorder.add(amount, at: Instant(nanoseconds: Int64(tick) * 5_000_000))
        }
        return recorder.finished(at: Instant(nanoseconds: 3_000_000_000))
    }
}
