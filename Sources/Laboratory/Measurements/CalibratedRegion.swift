/// For which links the simulated TCP of one congestion control may be believed.
///
/// It is the box that the control's cells span in rate, bandwidth-delay product, loss × product,
/// queue / product, number of flows, jitter / round trip and length of loss bursts. A profile inside the
/// box is outside all the same when the cell that is most like it missed `Calibration.tolerance`.
public struct CalibratedRegion: Sendable {
    private struct Axis {
        var least: Double
        var most: Double
        var leastText: String
        var mostText: String
    }

    private let congestion: String
    private let axes: [Axis]
    private let cells: [(values: [Double], error: Double)]

    public init(of congestion: String, in calibration: Calibration) {
        self.congestion = congestion
        let own = calibration.cells.filter { $0.profile.congestion == congestion }
        cells = own.map { ($0.profile.axisValues, abs($0.throughputError)) }
        let described = own.map(\.profile.axes)
        axes = (described.first ?? []).indices.map { index in
            let ends = described.map { $0[index] }.sorted { $0.value < $1.value }
            let (first, last) = (ends[0], ends[ends.count - 1])
            return Axis(
                least: first.value,
                most: last.value,
                leastText: first.text,
                mostText: last.text
            )
        }
    }

    /// Why a profile is outside; `nil` when it is inside.
    ///
    /// - Parameter origin: Where the number of flows comes from, if more than the number is to be said.
    public func obstacle(to profile: LinkProfile, flows origin: String? = nil) -> String? {
        guard !cells.isEmpty else { return "\(congestion) was not calibrated" }
        let values = profile.axisValues
        // A figure that follows from rounded ones may lie a little beyond the cell made from it.
        let slack = 1e-3
        for (index, axis) in axes.enumerated() {
            let isBelow = values[index] < axis.least * (1 - slack)
            guard isBelow || values[index] > axis.most * (1 + slack) else { continue }
            let (name, _, figure) = profile.axes[index]
            let text = name == "flows" ? figure + (origin.map { " (\($0))" } ?? "") : figure
            return isBelow
                ? "\(name) \(text) is below the least of \(axis.leastText)"
                : "\(name) \(text) is above the most of \(axis.mostText)"
        }
        let error = errorNear(values)
        guard error > Calibration.tolerance else { return nil }
        let percent = LinkProfile.short(100 * error)
        return "the profile most like it differs from real TCP by \(percent) %"
    }

    /// That of the cell most like these values; of several the first.
    private func errorNear(_ values: [Double]) -> Double {
        var (least, error) = (Double.infinity, 0.0)
        for cell in cells {
            let distance = CalibratedRegion.distance(cell.values, values)
            if distance < least { (least, error) = (distance, cell.error) }
        }
        return error
    }

    /// How unlike two profiles are: by factors, because every axis spans decades.
    private static func distance(_ one: [Double], _ other: [Double]) -> Double {
        // Below a hundredth of a packet a product, loss is as good as none.
        zip(one, other).reduce(0) { sum, pair in
            let (near, far) = (max(0.01, pair.0), max(0.01, pair.1))
            return sum + (near > far ? near / far : far / near) - 1
        }
    }
}
