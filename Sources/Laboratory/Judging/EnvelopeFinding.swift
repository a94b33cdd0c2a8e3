public import Measurements

/// Whether a campaign's links are such that a simulation of them may be believed.
public struct EnvelopeFinding: Hashable, Sendable {
    public var place: Place
    /// The scenario asked to be judged all the same (`envelope: ignore`).
    public var isIgnored: Bool
    /// By what: the day, kernel and commit of the calibration.
    public var source: String

    public enum Place: Hashable, Sendable {
        case inside
        /// Which paths lie outside, and why.
        case outside([String])
        /// There is no calibration to compare with.
        case notCalibrated
        /// Something on the paths is a model that was never compared with the real thing.
        case uncalibrated([String])
    }

    /// - Parameters:
    ///   - profiles: What the campaign's transfers meet, each with a name.
    ///   - features: What their path has that no calibration covers.
    ///   - models: Models that were never compared with the real thing, as sentences.
    public init(
        _ profiles: [(name: String, profile: LinkProfile)],
        features: [String] = [],
        models: [String] = [],
        in calibration: Calibration?,
        isIgnored: Bool
    ) {
        self.isIgnored = isIgnored
        guard models.isEmpty else {
            place = .uncalibrated(models)
            source = "no calibration"
            return
        }
        guard let calibration, !calibration.cells.isEmpty else {
            place = .notCalibrated
            source = "no calibration"
            return
        }
        let kind = calibration.isQuick ? "short calibration" : "calibration"
        source =
            "\(kind) of \(calibration.measuredAt.prefix(10)) on Linux \(calibration.kernel), "
            + "\(calibration.cells.count) profiles"
        let foreign = features.map { "the path has \($0), which is not calibrated" }
        var obstacles: [(reason: String, names: [String])] = []
        for entry in profiles {
            guard let reason = calibration.obstacle(to: entry.profile) else { continue }
            if let index = obstacles.firstIndex(where: { $0.reason == reason }) {
                if !obstacles[index].names.contains(entry.name) {
                    obstacles[index].names.append(entry.name)
                }
            } else {
                obstacles.append((reason, [entry.name]))
            }
        }
        let reasons =
            foreign
            + obstacles.map { "\($0.names.joined(separator: ", ")): \($0.reason)" }
        place = reasons.isEmpty ? .inside : .outside(reasons)
    }

    /// `inside calibration`, `outside calibration`, `not calibrated` or `uncalibrated`.
    public var words: String {
        switch place {
        case .inside: "inside calibration"
        case .outside: "outside calibration"
        case .notCalibrated: "not calibrated"
        case .uncalibrated: "uncalibrated"
        }
    }

    public var reasons: [String] {
        switch place {
        case .outside(let reasons), .uncalibrated(let reasons): reasons
        case .inside, .notCalibrated: []
        }
    }

    /// Why no GO follows; `nil` when one may.
    var cap: String? {
        guard !isIgnored else { return nil }
        switch place {
        case .inside:
            return nil
        case .outside(let reasons):
            return "The links lie outside what the simulated TCP was calibrated for "
                + "(\(reasons.joined(separator: "; "))), so a simulation of them cannot give a GO; "
                + "'envelope: ignore' in the scenario judges it all the same."
        case .notCalibrated:
            return "The simulated TCP has not been compared with a real one here ('novalab "
                + "calibrate' does), so it cannot give a GO."
        case .uncalibrated(let reasons):
            return "\(reasons.joined(separator: "; ")), so a simulation over it cannot give a GO; "
                + "'envelope: ignore' in the scenario judges it all the same."
        }
    }

    /// What the first line of a report says of a scenario that ignores the envelope.
    public var notice: String? {
        guard isIgnored, place != .inside else { return nil }
        let detail = reasons.isEmpty ? "" : " (\(reasons.joined(separator: "; ")))"
        return
            "The scenario ignores the calibration envelope: its links are \(words)\(detail), and "
            + "nothing was measured that says the simulation is like a real network there."
    }
}
