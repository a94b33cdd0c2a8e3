import Foundation
public import Measurements

/// What `calibrate` prints: a line a profile, the errors over all of them, the envelope.
public struct CalibrationTable {
    public let text: String

    /// - Parameter inexact: Profiles that have no figures, because their emulated links were not
    ///   theirs. With any the calibration is not finished, and no envelope is printed.
    public init(_ calibration: Calibration, inexact: [LinkProfile] = []) {
        let head = ["profile", "simulated", "real", "error", "RTT p95 sim.", "real", "error"]
        let rows =
            [head]
            + calibration.cells.map { cell in
                [
                    cell.profile.text,
                    "\(CalibrationTable.fixed(cell.simulated.throughput / 1e6)) Mbit/s",
                    "\(CalibrationTable.fixed(cell.real.throughput / 1e6)) Mbit/s",
                    CalibrationTable.percent(cell.throughputError),
                    "\(CalibrationTable.fixed(cell.simulated.roundTripMilliseconds)) ms",
                    "\(CalibrationTable.fixed(cell.real.roundTripMilliseconds)) ms",
                    CalibrationTable.percent(cell.roundTripError),
                ]
            }
            + inexact.map { [$0.text, "–", "links inexact", "–", "–", "–", "–"] }
        let widths = head.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        var lines = rows.map { row in
            row.indices.map { column in
                let gap = String(repeating: " ", count: widths[column] - row[column].count)
                return column == 0 ? row[column] + gap : gap + row[column]
            }.joined(separator: "  ")
        }
        let summary = CalibrationSummary(calibration)
        if !calibration.cells.isEmpty {
            lines.append(summary.line("throughput", summary.throughput))
            lines.append(summary.line("RTT p95", summary.roundTrip))
        }
        if inexact.isEmpty { lines += summary.envelope.map { "█ ENVELOPE \($0)" } }
        text = lines.joined(separator: "\n")
    }

    private static func fixed(_ value: Double) -> String {
        String(format: value >= 100 ? "%.1f" : "%.2f", value)
    }

    private static func percent(_ share: Double) -> String {
        String(format: "%+.1f %%", share * 100)
    }
}

/// The errors of a calibration and the region that it covers.
public struct CalibrationSummary {
    /// Median and worst magnitude, as shares.
    public let throughput: (median: Double, worst: Double)
    public let roundTrip: (median: Double, worst: Double)
    /// A line a congestion control.
    public let envelope: [String]

    public init(_ calibration: Calibration) {
        throughput = CalibrationSummary.magnitudes(calibration.cells.map(\.throughputError))
        roundTrip = CalibrationSummary.magnitudes(calibration.cells.map(\.roundTripError))
        var names: [String] = []
        for cell in calibration.cells where !names.contains(cell.profile.congestion) {
            names.append(cell.profile.congestion)
        }
        envelope = names.map { name in
            let own = calibration.cells.map(\.profile).filter { $0.congestion == name }
            let axes = own[0].axes.indices.map { axis in
                let ends = own.map { $0.axes[axis] }.sorted { $0.value < $1.value }
                return "\(ends[0].name) \(ends[0].text) to \(ends[ends.count - 1].text)"
            }
            return "\(name): " + axes.joined(separator: ", ")
        }
    }

    func line(_ name: String, _ error: (median: Double, worst: Double)) -> String {
        String(
            format: "error of %@: median %.1f %%, worst %.1f %%",
            name,
            error.median * 100,
            error.worst * 100
        )
    }

    private static func magnitudes(_ errors: [Double]) -> (median: Double, worst: Double) {
        let sorted = errors.map(abs).sorted()
        guard let worst = sorted.last else { return (0, 0) }
        let middle = sorted.count / 2
        let median =
            sorted.count.isMultiple(of: 2)
            ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
        return (median, worst)
    }
}

extension LinkProfile {
    /// `cubic  100 Mbit/s, 80 ms, 0.1 %, queue 1, 8 flows`.
    public var text: String {
        let parts = [
            "\(LinkProfile.short(bitsPerSecond / 1e6)) Mbit/s",
            "\(LinkProfile.short(roundTripSeconds * 1000)) ms"
                + (jitterSeconds > 0 ? " ± \(LinkProfile.short(jitterSeconds * 1000))" : ""),
            "\(LinkProfile.short(loss * 100)) %" + (lossBurst > 1 ? " in bursts" : ""),
            "queue \(LinkProfile.short(queuePerProduct))",
            "\(flows) flows",
        ]
        return "\(congestion) \(parts.joined(separator: ", "))"
    }
}
