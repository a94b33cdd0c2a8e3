import Experiments
import Foundation
import HardwareModel
import Judging
import Measurements
import Scenarios
import Synchronization
import Units

/// Campaigns whose replications are made up: a figure that follows from variant and seed.
enum ScriptedCampaign {
    static func scenario(minimum: Int, maximum: Int, wall: String = "60 min") throws -> Scenario {
        try ScenarioFile.parse(
            """
            version: 1
            name: scripted
            seed: 100
            topology:
              regions: {a: {nodes: 1}, b: {nodes: 1}}
              links: [{between: [a, b], rtt: 10 ms, rate: 100 Mbit/s}]
            workload: {kind: echo}
            variants: {one: {}, two: {encoding: hierarchical}}
            targets:
              - {metric: request-latency, expect: "mean < 50 ms"}
            budget:
              wall: \(wall)
              replications: {min: \(minimum), max: \(maximum), relative-half-width: 5 %}

            """,
            file: "scripted.yaml"
        )
    }

    static func plan(
        _ scenario: Scenario,
        on environment: EnvironmentKind = .simulated
    ) -> CampaignPlan {
        let profile = HardwareProfile(
            name: "test",
            measured: HardwareProfile.Provenance(machine: "none", date: "2026-01-01", method: "-"),
            cores: 1,
            speeds: HardwareProfile.Speeds { _ in 1000 },
            disk: HardwareProfile.Disk(write: 100, fsync: .milliseconds(1))
        )
        let common = ReplicationSetting(
            scenario: scenario,
            variant: scenario.variants[0],
            seed: scenario.seed,
            profile: profile,
            dataSet: nil
        )
        return CampaignPlan(common, environment: environment)
    }

    /// A completed replication with this mean latency in milliseconds.
    static func record(
        _ setting: ReplicationSetting,
        latency: Double,
        on environment: EnvironmentKind = .simulated,
        outcome: RunOutcome = .completed
    ) -> RunRecord {
        var record = RunRecord(
            key: RunKey(
                scenario: setting.scenario.name,
                scenarioDigest: setting.scenario.digest,
                variant: setting.variant.name,
                seed: setting.seed,
                environment: environment
            ),
            commit: "abc"
        )
        record.outcome = outcome
        record.fingerprint = String(repeating: "0", count: 20) + "\(100_000_000_000 + setting.seed)"
        record.simulatedSeconds = 1
        let bound = PhysicalBound(.lower, 10, derivation: "the round trip")
        record.metrics = [
            MetricValue(
                "request-latency",
                samples: [Double](repeating: latency, count: 100),
                bound: bound
            )
        ]
        return record
    }

    /// Between 20 and 30 ms; no two seeds give the same.
    static func latency(_ setting: ReplicationSetting) -> Double {
        let mixed = (setting.seed &* 0x9E37_79B9_7F4A_7C15) >> 40
        return 20 + 10 * Double(mixed) / Double(1 << 24)
    }
}

/// Remembers what was kept; may refuse.
final class Recorder: CampaignListener {
    struct Kept: Hashable {
        var variant: String
        var seed: UInt64
    }

    private let kept = Mutex<[Kept]>([])
    private let limit: Int

    /// Throws `Full` instead of keeping more than `limit` records.
    init(limit: Int = .max) {
        self.limit = limit
    }

    struct Full: Error {}

    var all: [Kept] { kept.withLock { $0 } }

    func planned(done: Int, total: Int) {}
    func started(_ variant: String, _ seed: UInt64) {}
    func repeating() {}

    func keep(_ record: RunRecord) throws {
        try kept.withLock {
            guard $0.count < limit else { throw Full() }
            $0.append(Kept(variant: record.key.variant, seed: record.key.seed))
        }
    }
}
