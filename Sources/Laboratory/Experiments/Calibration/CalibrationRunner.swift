import Foundation
public import HardwareModel
public import Measurements
import Scenarios
import SocketEnvironment

/// Measures one profile after the other in both environments.
public struct CalibrationRunner: Sendable {
    public let grid: CalibrationGrid
    private let profile: HardwareProfile
    private let commit: String
    private let processes: ProcessLauncher

    /// Why a profile has no figures.
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
        /// Whether it was stopped, and can be gone on with.
        public let isInterruption: Bool
    }

    public init(
        _ grid: CalibrationGrid,
        profile: HardwareProfile,
        commit: String,
        processes: ProcessLauncher
    ) {
        self.grid = grid
        self.profile = profile
        self.commit = commit
        self.processes = processes
    }

    /// Seconds before and in the measured part. Short ones leave slow start behind as well, but see
    /// fewer of CUBIC's cycles.
    private var duration: (warmUp: Int, measure: Int) { grid.isQuick ? (5, 10) : (6, 18) }
    /// Simulations are cheap, and their mean is nearer to what is expected.
    private static let simulatedSeeds = 3

    /// Seconds of real time that all profiles take at least.
    public var seconds: Int { grid.profiles.count * (duration.warmUp + duration.measure) }

    public func measure(
        _ link: LinkProfile,
        isCancelled: @escaping () -> Bool
    ) throws -> CalibrationCell {
        let text = link.scenario(warmUp: duration.warmUp, measure: duration.measure)
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "novalab-calibration-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "calibration.yaml").path
        try Data(text.utf8).write(to: URL(filePath: path))
        let scenario = try ScenarioFile.parse(text, file: path)

        var simulated: [RunRecord] = []
        for seed in 0..<CalibrationRunner.simulatedSeeds {
            simulated.append(
                Replication.simulated(
                    setting(scenario, seed: UInt64(seed + 1)),
                    commit: commit,
                    isCancelled: isCancelled
                )
            )
        }
        let real = try Replication.onSockets(
            setting(scenario, seed: 1),
            commit: commit,
            scenarioPath: path,
            processes: processes,
            daemon: { [] },
            isCancelled: isCancelled
        )
        guard real.isShaped else {
            throw Failure(
                description:
                    "links cannot be emulated here (\(real.fact(Fact.links) ?? "unknown"))",
                isInterruption: false
            )
        }
        return CalibrationCell(
            profile: link,
            simulated: try figures(of: simulated, link),
            real: try figures(of: [real], link),
            delayErrorMilliseconds: real.value(of: "emulator-delay-error")?.value ?? 0
        )
    }

    private func setting(_ scenario: Scenario, seed: UInt64) -> ReplicationSetting {
        ReplicationSetting(
            scenario: scenario,
            variant: scenario.variants[0],
            seed: seed,
            profile: profile,
            dataSet: nil
        )
    }

    private func figures(
        of runs: [RunRecord],
        _ link: LinkProfile
    ) throws -> CalibrationCell.Figures {
        var throughput = 0.0
        var roundTrip = 0.0
        for run in runs {
            guard run.outcome != .interrupted else {
                throw Failure(description: "interrupted", isInterruption: true)
            }
            guard run.outcome == .completed, let arrived = run.value(of: "stream-throughput"),
                case .distribution(let times)? = run.value(of: "path-rtt")?.samples,
                let percentile = times.quantile(0.95)
            else {
                throw Failure(
                    description: "no figures over \(link): \(run.outcome)",
                    isInterruption: false
                )
            }
            // Utilisation counts chunks when they are in order, so a short window can hold more of them
            // than the link carried in it; nothing here follows from it.
            for value in run.metrics where value.metric != "utilisation" {
                if let bound = value.bound, !bound.admits(value.value) {
                    throw Failure(
                        description: "\(value.metric) of \(value.value) is impossible: "
                            + bound.derivation,
                        isInterruption: false
                    )
                }
            }
            throughput += arrived.value / Double(runs.count)
            roundTrip += percentile / Double(runs.count)
        }
        return CalibrationCell.Figures(
            throughput: throughput,
            roundTripMilliseconds: roundTrip,
            replications: runs.count
        )
    }
}
