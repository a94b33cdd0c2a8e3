import Experiments
import FaultInjection
import Foundation
import Measurements
import RaftDefects
import Scenarios
import Units

/// Where failures that were made small are kept.
enum ReproducePlace {
    static func path(_ scenario: Scenario, variant: String, seed: UInt64) -> String {
        let name = scenario.variants.count > 1 ? "-\(variant)" : ""
        return "\(LabFolders.current.reports)/reproduce/\(scenario.name)\(name)-\(seed).yaml"
    }

    /// How `target` is called from the folder of `file`.
    static func relative(_ target: String, from file: String) -> String {
        let goal = URL(filePath: target).standardizedFileURL.pathComponents
        let base = URL(filePath: file).standardizedFileURL.pathComponents.dropLast()
        let common = zip(goal, base).prefix { $0 == $1 }.count
        // Folders that have nothing but the root in common are better named in full.
        guard common > 1 else { return goal.dropFirst().reduce("") { "\($0)/\($1)" } }
        let up = Array(repeating: "..", count: base.count - common)
        return (up + goal.dropFirst(common)).joined(separator: "/")
    }

    static func absolute(_ path: String, from file: String) -> String {
        guard !path.hasPrefix("/") else { return path }
        let folder = file.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        return folder.isEmpty ? path : folder.joined(separator: "/") + "/" + path
    }
}

extension ReproducePlace {
    static func write(_ reproduce: ReproduceFile, to path: String) throws {
        let head = """
            # A failure made small by 'novalab shrink'. It is shown by
            #   novalab replay \(path) --trace
            # Faults are named by rule and occurrence in the scenario, both counted from zero.

            """
        do {
            try FileManager.default.createDirectory(
                at: URL(filePath: path).deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try Data((head + reproduce.text).utf8).write(to: URL(filePath: path), options: .atomic)
        } catch {
            throw CommandFailure(
                code: 74,
                message: "cannot write \(path): \(error.localizedDescription)"
            )
        }
    }
}

extension ReproduceFile {
    /// What shrinking came to.
    ///
    /// - Parameters:
    ///   - digest: Of the scenario as it is in its file.
    ///   - scenario: The file, seen from the folder of this one.
    init(
        _ outcome: ShrinkOutcome,
        _ setting: ReplicationSetting,
        digest: String,
        scenario: String
    ) {
        let reduction = outcome.reduction
        self.init(
            scenario: scenario,
            digest: digest,
            variant: setting.variant.name,
            seed: setting.seed,
            kind: outcome.signature.kind.rawValue,
            rule: outcome.signature.rule,
            shape: outcome.signature.shape,
            faults: outcome.kept,
            regions: reduction.regions.map { Region(name: $0.region, nodes: $0.nodes) },
            operations: reduction.operations,
            until: reduction.until,
            defect: setting.defect?.rawValue
        )
    }

    var signature: FailureSignature {
        FailureSignature(
            FailureSignature.Kind(rawValue: kind) ?? .undecided,
            rule: rule,
            shape: shape
        )
    }

    var reduction: Reduction {
        Reduction(
            faults: faults.compactMap { PlannedFault.Name($0.name) },
            regions: regions.map { Reduction.RegionSize(region: $0.name, nodes: $0.nodes) },
            operations: operations,
            until: until
        )
    }
}

/// What `replay` is asked to repeat: a seed of a scenario, or a failure that was made small.
struct ReplaySubject {
    /// The scenario file.
    let scenarioPath: String
    let reproduce: ReproduceFile?

    init(path: String) throws {
        // A file that cannot be read is told as a scenario is.
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        guard ReproduceFile.isMeant(by: text) else {
            scenarioPath = path
            reproduce = nil
            return
        }
        do {
            let file = try ReproduceFile.parse(text, file: path)
            for fault in file.faults where PlannedFault.Name(fault.name) == nil {
                throw CommandFailure(
                    code: 65,
                    message: "\(path): '\(fault.name)' is no fault; write rule and occurrence, "
                        + "such as 2.0"
                )
            }
            if let defect = file.defect, RaftDefect(rawValue: defect) == nil {
                throw CommandFailure(code: 65, message: "\(path): '\(defect)' is no known defect")
            }
            reproduce = file
            scenarioPath = ReproducePlace.absolute(file.scenario, from: path)
        } catch let error as ScenarioError {
            throw CommandFailure(code: error.exitCode, message: error.description)
        }
    }

    /// Refuses a scenario that is another one than the failure was found in.
    func check(_ preparation: Preparation) throws {
        guard let reproduce, reproduce.digest != preparation.scenario.digest else { return }
        throw CommandFailure(
            code: 65,
            message: "\(scenarioPath) is not the scenario in which this failed: its digest is "
                + "\(preparation.scenario.digest), the file names \(reproduce.digest). Bring the "
                + "old scenario back, or run the campaign anew"
        )
    }
}
