import Experiments
import Foundation
import HardwareModel
import Measurements
import Scenarios
import Testing
import Units

/// Scenarios that boot, and how to run them.
enum BootSamples {
    static let profile = HardwareProfile(
        name: "test",
        measured: HardwareProfile.Provenance(machine: "none", date: "2026-01-01", method: "-"),
        cores: 4,
        speeds: HardwareProfile.Speeds { _ in 1000 },
        disk: HardwareProfile.Disk(write: 500, fsync: .microseconds(800))
    )

    /// A shipped scenario.
    static func shipped(_ name: String) throws -> Scenario {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let path = folder.appendingPathComponent("scenarios/\(name).yaml").path
        return try ScenarioFile.load(path: path)
    }

    /// Nodes with the given lines of a workload, its variants and faults.
    static func scenario(
        nodes: Int = 1,
        _ workload: String,
        variants: String = "{default: {}}",
        faults: String = "[]"
    ) throws -> Scenario {
        let text = """
            version: 1
            name: boots
            topology: {regions: {a: {nodes: \(nodes)}}}
            workload: {kind: boot, cores: 4, \(workload)}
            variants: \(variants)
            faults: \(faults)

            """
        do {
            return try ScenarioFile.parse(text, file: "boots.yaml")
        } catch {
            Issue.record("\(error)")
            throw error
        }
    }

    static func setting(
        _ scenario: Scenario,
        variant: String? = nil,
        seed: UInt64 = 1
    ) throws -> ReplicationSetting {
        ReplicationSetting(
            scenario: scenario,
            variant: try #require(
                variant.map { scenario.variant(named: $0) } ?? scenario.variants[0]
            ),
            seed: seed,
            profile: profile,
            dataSet: nil
        )
    }

    static func run(
        _ scenario: Scenario,
        variant: String? = nil,
        seed: UInt64 = 1
    ) throws -> RunRecord {
        BootReplication(try setting(scenario, variant: variant, seed: seed), commit: "test").run()
    }
}

extension RunRecord {
    /// The boot times of the run in seconds, in the order in which nodes ended.
    var bootTimes: [Double] {
        guard case .all(let values)? = value(of: "boot-time")?.samples else { return [] }
        return values
    }

    var failures: Double? { value(of: "boot-failures")?.value }

    /// Whether every invariant of the run held and was looked at, and every figure is possible.
    var isSound: Bool {
        invariants.allSatisfy { $0.violationCount == 0 && $0.checked > 0 }
            && isPossible
    }

    /// Whether no figure is beyond its bound.
    var isPossible: Bool { metrics.allSatisfy(\.isPlausible) }
}
