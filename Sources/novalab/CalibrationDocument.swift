import Experiments
import Measurements

/// `calibrate --json`.
struct CalibrationDocument: Encodable {
    let measuredAt: String
    let kernel: String
    let commit: String
    let isQuick: Bool
    let cells: [Cell]
    let medianThroughputError: JSONOutput.Nullable<Double>
    let worstThroughputError: JSONOutput.Nullable<Double>
    let medianRoundTripError: JSONOutput.Nullable<Double>
    let worstRoundTripError: JSONOutput.Nullable<Double>
    let envelope: [String]
    /// Profiles without figures, because their emulated links were not theirs.
    let inexact: [LinkProfile]

    struct Cell: Encodable {
        let profile: LinkProfile
        let simulated: CalibrationCell.Figures
        let real: CalibrationCell.Figures
        let throughputError: Double
        let roundTripError: Double
        let delayErrorMilliseconds: Double
    }

    init(_ calibration: Calibration, inexact: [LinkProfile]) {
        self.inexact = inexact
        let summary = CalibrationSummary(calibration)
        measuredAt = calibration.measuredAt
        kernel = calibration.kernel
        commit = calibration.commit
        isQuick = calibration.isQuick
        let hasFigures = !calibration.cells.isEmpty
        func measured(_ error: Double) -> JSONOutput.Nullable<Double> {
            JSONOutput.Nullable(hasFigures ? error : nil)
        }
        medianThroughputError = measured(summary.throughput.median)
        worstThroughputError = measured(summary.throughput.worst)
        medianRoundTripError = measured(summary.roundTrip.median)
        worstRoundTripError = measured(summary.roundTrip.worst)
        envelope = inexact.isEmpty ? summary.envelope : []
        cells = calibration.cells.map {
            Cell(
                profile: $0.profile,
                simulated: $0.simulated,
                real: $0.real,
                throughputError: $0.throughputError,
                roundTripError: $0.roundTripError,
                delayErrorMilliseconds: $0.delayErrorMilliseconds
            )
        }
    }
}
