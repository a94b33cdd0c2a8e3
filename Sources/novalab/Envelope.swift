import Experiments
import Foundation
import Judging
import Measurements
import ResultsStore
import Scenarios

/// Finds the calibration that verdicts are held against.
enum Envelope {
    /// Of the archive's newest full calibration, or else of the one that comes with the laboratory.
    static func finding(
        for scenario: Scenario,
        environment: EnvironmentKind,
        store: String
    ) throws -> EnvelopeFinding? {
        guard environment == .simulated else { return nil }
        let cases = scenario.linkCases
        let models = scenario.uncalibratedModels
        guard !cases.isEmpty || !models.isEmpty else { return nil }
        let excess =
            cases.count < Scenario.caseLimit
            ? [] : ["more combinations of faults and draws than are compared"]
        return EnvelopeFinding(
            cases,
            features: scenario.uncalibratedFeatures + excess,
            models: models,
            in: try archived(store) ?? supplied(),
            isIgnored: scenario.envelope == .ignore
        )
    }

    private static func archived(_ store: String) throws -> Calibration? {
        guard FileManager.default.fileExists(atPath: store) else { return nil }
        let archive = try Archive.reading(store)
        return try Archive.attempt { () throws(StoreError) in try archive.newestCalibration() }
    }

    private static func supplied() throws -> Calibration? {
        let path = LabFolders.current.calibration
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        do {
            return try JSONDecoder().decode(Calibration.self, from: data)
        } catch {
            throw CommandFailure(code: 66, message: "\(path) is no calibration: \(error)")
        }
    }
}
