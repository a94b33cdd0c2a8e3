import ArgumentParser
import Experiments
import HardwareModel
import Foundation
import Judging
import Measurements
import Reporting
import ResultsStore
import Scenarios
import SocketEnvironment

/// Compares the simulated TCP with this machine's own.
struct CalibrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "calibrate",
        abstract: "Compares simulated transfers with real ones over emulated links.",
        discussion: """
            Runs the same steady transfers in simulation and on sockets behind emulated links, prints \
            both, and keeps the cells in the archive. From then on verdicts say whether their links \
            lie inside what was compared. Needs root. Ctrl-C keeps the cells that are done; the same \
            command goes on from there.

            --quick measures a quarter of the profiles, each for a shorter time, and prints the envelope \
            without making it the one that counts.

            Examples:
              novalab calibrate --quick
              novalab calibrate --json
              novalab calibrate --export datasets/calibration.json
            """
    )

    @Flag(help: "A quarter of the profiles, for a few minutes.")
    var quick = false

    @Option(help: "The archive; reports/results.sqlite without it.")
    var store: String?

    @Option(help: "Also write the finished calibration to this file.")
    var export: String?

    @Flag(help: "Print JSON; docs/json-output.md has the fields.")
    var json = false

    func run() async throws {
        Interrupt.watch()
        let line = ProgressLine()
        let root = LabFolders.current.root
        let provenance = Provenance.gather(root: root)
        let commit = provenance.commitName(root: root)
        let kernel = CalibrateCommand.kernel
        let runner = CalibrationRunner(
            CalibrationGrid(isQuick: quick),
            profile: try CalibrateCommand.hardware(),
            commit: commit,
            processes: .ownProgram
        )
        let archive = try Archive.open(store ?? LabFolders.current.store)
        let open = try Archive.attempt { () throws(StoreError) in
            try archive.openCalibration(
                commit: commit,
                kernel: kernel,
                isQuick: quick,
                cellsPlanned: runner.grid.profiles.count
            )
        }
        let (cells, inexact) = try measure(runner, archive, open, line)
        let calibration = Calibration(
            measuredAt: ISO8601DateFormatter().string(from: Date()),
            kernel: kernel,
            commit: commit,
            isQuick: quick,
            cells: cells
        )
        if let export, inexact.isEmpty { try write(calibration, to: export) }
        if json {
            try JSONOutput.print(CalibrationDocument(calibration, inexact: inexact))
        } else {
            print(CalibrationTable(calibration, inexact: inexact).text)
        }
        guard inexact.isEmpty else {
            throw CommandFailure.missing(
                "\(inexact.count) of \(runner.grid.profiles.count) profiles have no figures because the "
                    + "machine was too busy for their links, so the calibration is not finished; the others "
                    + "are archived, and the same command tries these again"
            )
        }
    }

    /// The cells in the order of the grid, and the profiles over which the links were not exact.
    private func measure(
        _ runner: CalibrationRunner,
        _ archive: ResultsArchive,
        _ open: OpenCalibration,
        _ line: ProgressLine
    ) throws -> (cells: [CalibrationCell], inexact: [LinkProfile]) {
        var cells = open.cells
        var inexact: [LinkProfile] = []
        let total = runner.grid.profiles.count
        defer { line.finish() }
        for profile in runner.grid.profiles
        where !open.cells.contains(where: { $0.profile == profile }) {
            line.show(
                "calibrating: \(cells.count) of \(total) profiles, now \(profile.text)"
                    + (cells.isEmpty ? "; at least \(runner.seconds / 60 + 1) min in all" : ""),
                isFinal: true
            )
            do {
                let cell = try runner.measure(profile) { Interrupt.isRequested }
                try Archive.attempt { () throws(StoreError) in try archive.record(cell, in: open) }
                cells.append(cell)
            } catch let failure as CalibrationRunner.Failure {
                line.clear()
                switch failure.reason {
                case .interruption:
                    printError("interrupted: \(cells.count) of \(total) profiles are archived")
                    throw ExitCode(130)
                case .inexactLinks:
                    printError("no figures over \(profile.text): \(failure)")
                    inexact.append(profile)
                    continue
                case .other: break
                }
                let rest =
                    cells.isEmpty
                    ? ""
                    : "; \(cells.count) of \(total) profiles are archived, the same command goes on"
                throw CommandFailure.missing("cannot calibrate: \(failure)\(rest)")
            } catch let failure as SocketFailure {
                throw CommandFailure(code: 70, message: failure.description)
            }
        }
        let measured = runner.grid.profiles.compactMap { profile in
            cells.first { $0.profile == profile }
        }
        return (measured, inexact)
    }

    private func write(_ calibration: Calibration, to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            let data = try encoder.encode(calibration) + Data([10])
            try data.write(to: URL(filePath: path), options: .atomic)
        } catch {
            throw CommandFailure(code: 74, message: "cannot write \(path): \(error)")
        }
    }

    private static func hardware() throws -> HardwareProfile {
        do throws(ScenarioError) {
            return try HardwareProfileFile.load(named: "lab-vm", in: LabFolders.current.hardware)
        } catch {
            throw CommandFailure(code: error.exitCode, message: error.description)
        }
    }

    private static var kernel: String {
        (try? String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8))?
            .trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown"
    }
}
