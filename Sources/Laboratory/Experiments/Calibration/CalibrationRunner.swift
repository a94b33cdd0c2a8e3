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
        public let reason: Reason

        public enum Reason: Sendable {
            /// It was stopped, and can be gone on with.
            case interruption
            /// The emulated links were not the profile's, for this time.
            case inexactLinks
            case other
        }
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

    /// Seconds before and in the measured part: slow start and what it filled are over after forty
    /// round trips. A short part sees fewer of CUBIC's cycles, and over long links of BBR's stops, which take a few
    /// round trips of every ten seconds. Many flows overshoot together, recover together and go on together for a while, so they take as many
    /// round trips as there are flows.
    private func duration(of link: LinkProfile) -> (warmUp: Int, measure: Int) {
        let settled = Int((Double(max(40, link.flows)) * link.roundTripSeconds).rounded(.up))
        let cycle = link.congestion == "bbr" ? 60 : 30
        let watched = Int((Double(max(cycle, link.flows)) * link.roundTripSeconds).rounded(.up))
        return grid.isQuick
            ? (max(5, settled), max(10, watched)) : (max(6, settled), max(18, watched))
    }
    /// Simulations are cheap, and their mean is nearer to what is expected.
    private static let simulatedSeeds = 3

    /// What flows that meet losses get varies so much from seed to seed that one replication says
    /// little, the more the fewer they are; both environments draw the same losses from a seed.
    private static func realSeeds(_ link: LinkProfile) -> Int {
        guard link.loss > 0 else { return 1 }
        return link.flows <= 4 ? simulatedSeeds : 2
    }

    /// Seconds of real time that all profiles take at least.
    public var seconds: Int {
        grid.profiles.reduce(0) { sum, link in
            let (warmUp, measure) = duration(of: link)
            return sum + CalibrationRunner.realSeeds(link) * (warmUp + measure)
        }
    }

    /// A replication whose links were exact: a machine is now and then late for a moment, and what ran
    /// meanwhile says nothing. After three times it is given as it is, and refused.
    private func exactly(_ replicate: () throws -> RunRecord) throws -> RunRecord {
        var record = try replicate()
        for _ in 1..<3 where record.outcome == .completed && CalibrationRunner.isBlurred(record) {
            record = try replicate()
        }
        return record
    }

    private static func isBlurred(_ record: RunRecord) -> Bool {
        record.metrics.contains { value in
            value.metric.hasPrefix("emulator-")
                && value.bound.map { !$0.admits(value.value) } ?? false
        }
    }

    public func measure(
        _ link: LinkProfile,
        isCancelled: @escaping () -> Bool
    ) throws -> CalibrationCell {
        let (warmUp, measure) = duration(of: link)
        let text = link.scenario(warmUp: warmUp, measure: measure)
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
        let real = try (0..<CalibrationRunner.realSeeds(link)).map { seed in
            try exactly {
                try Replication.onSockets(
                    setting(scenario, seed: UInt64(seed + 1)),
                    commit: commit,
                    scenarioPath: path,
                    processes: processes,
                    daemon: { [] },
                    isCancelled: isCancelled
                )
            }
        }
        if let unshaped = real.first(where: { !$0.isShaped }) {
            throw Failure(
                description:
                    "links cannot be emulated here (\(unshaped.fact(Fact.links) ?? "unknown"))",
                reason: .other
            )
        }
        return CalibrationCell(
            profile: link,
            simulated: try figures(of: simulated, link),
            real: try figures(of: real, link),
            delayErrorMilliseconds: real.compactMap {
                $0.value(of: "emulator-delay-error")?.value
            }.max() ?? 0
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
                throw Failure(description: "interrupted", reason: .interruption)
            }
            guard run.outcome == .completed, let arrived = run.value(of: "stream-throughput"),
                case .distribution(let times)? = run.value(of: "path-rtt")?.samples,
                let percentile = times.quantile(0.95)
            else {
                throw Failure(
                    description: "no figures over \(link): \(run.outcome)",
                    reason: .other
                )
            }
            // What waited in a kernel for a lost segment comes at once, so that a short window can hold a flight
            // more than the link carried in it; nothing here follows from utilisation.
            for value in run.metrics where value.metric != "utilisation" {
                if let bound = value.bound, !bound.admits(value.value) {
                    throw Failure(
                        description: "\(value.metric) of \(value.value) is impossible: "
                            + bound.derivation,
                        reason: value.metric.hasPrefix("emulator-") ? .inexactLinks : .other
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
