public import Measurements

/// Whether a campaign's links are such that a simulation of them may be believed.
public struct EnvelopeFinding: Hashable, Sendable {
    public var place: Place
    /// The scenario asked to be judged all the same (`envelope: ignore`).
    public var isIgnored: Bool
    /// By what: the day, kernel and commit of the calibration.
    public var source: String
    /// How streams were counted that the transport chooses the number of.
    public private(set) var notes: [String] = []
    private var calibration: Calibration?
    /// Cases with such streams.
    private var chosen: [LinkCase] = []

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
    ///   - cases: What the campaign's transfers may meet.
    ///   - features: What their path has that no calibration covers.
    ///   - models: Models that were never compared with the real thing, as sentences.
    public init(
        _ cases: [LinkCase],
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
        self.calibration = calibration
        chosen = cases.filter { $0.choice != nil && $0.circumstance == nil }
        let foreign = features.map { "the path has \($0), which is not calibrated" }
        place = EnvelopeFinding.place(foreign + calibration.reasons(against: cases))
    }

    private static func place(_ reasons: [String]) -> Place {
        reasons.isEmpty ? .inside : .outside(reasons)
    }

    /// The finding with what runs tell of the streams that the transport chose: they are held against the
    /// calibration, too, wherever the runs tell which control they had.
    func following(_ runs: [RunRecord]) -> EnvelopeFinding {
        guard let calibration, !chosen.isEmpty else { return self }
        var finding = self
        var used: [LinkCase] = []
        for start in chosen {
            guard let choice = start.choice else { continue }
            let first = start.profile.flows / max(1, choice.transfers)
            let range = choice.used(in: runs)
            let note =
                if let range {
                    "\(start.name): \(range.lowerBound) to \(range.upperBound) automatic streams "
                        + "were used"
                } else {
                    "\(start.name): automatic streams count with the \(first) that they start with"
                }
            if !finding.notes.contains(note) { finding.notes.append(note) }
            guard let range, !choice.choosesControl else { continue }
            let obstacle = calibration.obstacle(to: start.profile)
            for count in [range.lowerBound, range.upperBound] where count != first {
                var other = start
                other.profile.flows = count * choice.transfers
                // What keeps the path outside whatever the streams are was said before.
                guard calibration.obstacle(to: other.profile) != obstacle else { continue }
                other.circumstance = "with the streams that it chose"
                other.choice = nil
                used.append(other)
            }
        }
        let more = calibration.reasons(against: used)
        if !more.isEmpty { finding.place = EnvelopeFinding.place(reasons + more) }
        return finding
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

extension Calibration {
    /// Why cases lie outside: one reason for all cases of one name and control in one circumstance.
    /// What several share is said once, and what makes no difference to a name is not said again.
    fileprivate func reasons(against cases: [LinkCase]) -> [String] {
        var found: [(reason: String, circumstance: String?, names: [String])] = []
        var said: Set<[String]> = []
        var regions: [String: CalibratedRegion] = [:]
        for entry in cases {
            let congestion = entry.profile.congestion
            let group = [entry.name, congestion, entry.circumstance ?? ""]
            guard !said.contains(group) else { continue }
            let region = regions[congestion] ?? CalibratedRegion(of: congestion, in: self)
            regions[congestion] = region
            let origin = entry.choice == nil ? nil : "automatic streams at their start"
            guard let reason = region.obstacle(to: entry.profile, flows: origin) else { continue }
            said.insert(group)
            let isKnown = found.contains {
                $0.names.contains(entry.name) && $0.reason == reason
            }
            if isKnown { continue }
            let index = found.firstIndex {
                $0.reason == reason && $0.circumstance == entry.circumstance
            }
            if let index {
                found[index].names.append(entry.name)
            } else {
                found.append((reason, entry.circumstance, [entry.name]))
            }
        }
        return found.map { entry in
            let names = entry.names.joined(separator: ", ")
            return "\(names)\(entry.circumstance.map { " \($0)" } ?? ""): \(entry.reason)"
        }
    }
}
