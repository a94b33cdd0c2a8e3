import ArgumentParser
import Experiments
import Foundation
import Judging
import Measurements
import ResultsStore
import Scenarios
import Units

struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Repeats one replication and compares it with the archived one.",
        discussion: """
            A replication of the same scenario, commit, data set and hardware profile must have the \
            same fingerprint; another one ends with code 12. Archived runs that used another data \
            set or profile are refused, because they cannot be equal.

            Examples:
              novalab replay scenarios/smoke/echo.yaml --seed 42
              novalab replay scenarios/smoke/echo.yaml --seed 0x2A --variant default --until 3.121s
              novalab replay scenarios/smoke/echo.yaml --seed 42 --json
            """
    )

    @Argument(help: "The scenario file.", completion: .file(extensions: ["yaml"]))
    var file: String

    @Option(
        help: "The replication's seed, decimal or hexadecimal; the file's first one without it."
    )
    var seed: String?

    @Option(help: "The variant; all of them without it.")
    var variant: String?

    @Option(help: "Stop at this virtual time, such as 3.121s.")
    var until: String?

    @Option(help: "The archive; reports/results.sqlite without it.")
    var store: String?

    @Flag(help: "Print JSON; docs/json-output.md has the fields.")
    var json = false

    func run() throws {
        Interrupt.watch()
        CrashNotice.install()
        let line = ProgressLine()
        let preparation = try Preparation(
            path: file,
            environment: .simulated,
            seed: nil,
            line: line
        )
        let chosen = try chosenVariants(preparation.scenario)
        let seed = try chosenSeed(preparation.scenario)
        let end = try chosenEnd()
        let archived = try archivedRuns(preparation)
        var isDifferent = false
        var replayed: [ReplayedRun] = []
        for variant in chosen {
            let setting = preparation.setting(variant, seed: seed)
            line.show("\(preparation.scenario.name): \(variant.name), seed \(seed)", isFinal: true)
            let record = CrashNotice.during(setting, file: file) {
                Replication.simulated(
                    setting,
                    commit: preparation.commit,
                    until: end,
                    isCancelled: { Interrupt.isRequested }
                )
            }
            line.clear()
            if Interrupt.isRequested { throw ExitCode(130) }
            let before = archived.first { $0.key == record.key }
            let comparison = ReplayComparison(record, before: before, until: end)
            if !json { print(comparison.text) }
            replayed.append(ReplayedRun(record, comparison, before: before))
            isDifferent = isDifferent || comparison.isDifferent
        }
        if json { try JSONOutput.print(replayed) }
        if isDifferent { throw ExitCode(Int32(VerdictCode.nondeterminism.rawValue)) }
    }

    private func chosenVariants(_ scenario: Scenario) throws -> [Scenario.Variant] {
        guard let variant else { return scenario.variants }
        guard let found = scenario.variant(named: variant) else {
            let names = scenario.variants.map(\.name).joined(separator: ", ")
            throw CommandFailure(
                code: 64,
                message: "\(file) has no variant '\(variant)'; it has \(names)"
            )
        }
        return [found]
    }

    private func chosenSeed(_ scenario: Scenario) throws -> UInt64 {
        guard let seed else { return scenario.seed }
        let value =
            seed.hasPrefix("0x") ? UInt64(seed.dropFirst(2), radix: 16) : UInt64(seed)
        guard let value else {
            throw CommandFailure(
                code: 64,
                message: "'\(seed)' is not a seed; write a number such as 42 or 0x9A3F"
            )
        }
        return value
    }

    private func chosenEnd() throws -> Instant? {
        guard let until else { return nil }
        guard let interval = Quantity.interval(until) else {
            throw CommandFailure(
                code: 64,
                message: "'\(until)' is not a time; write for example 3.121s or 500 ms"
            )
        }
        return .zero + interval
    }

    /// The archived runs that this one must equal. Refuses when there are only runs of other data.
    private func archivedRuns(_ preparation: Preparation) throws -> [RunRecord] {
        let path = store ?? LabFolders.current.store
        guard FileManager.default.fileExists(atPath: path) else { return [] }
        let archive = try Archive.reading(path)
        let plan = preparation.plan
        let known = try Archive.attempt { () throws(StoreError) in
            try archive.plans(ofScenario: plan.scenario)
        }
        if known.contains(plan.identity) {
            return try Archive.attempt { () throws(StoreError) in
                try archive.records(ofPlan: plan.identity)
            }
        }
        for identity in known {
            let other = try Archive.attempt { () throws(StoreError) in
                try archive.loadPlan(identity)
            }
            guard other.environment == .simulated, other.scenarioDigest == plan.scenarioDigest,
                other.commit == plan.commit
            else { continue }
            try ReplayCommand.refuse(other, plan)
        }
        return []
    }

    /// Ends the command when an archived plan differs from this one in its inputs alone.
    private static func refuse(_ other: ArchivedPlan, _ plan: ArchivedPlan) throws {
        var reasons: [String] = []
        if other.hardwareDigest != plan.hardwareDigest {
            reasons.append(
                "hardware profile '\(plan.hardwareProfile)' had digest \(other.hardwareDigest), "
                    + "now it has \(plan.hardwareDigest)"
            )
        }
        for set in other.dataSets {
            let now = plan.dataSets.first { $0.name == set.name }?.digest ?? "none"
            if now != set.digest {
                reasons.append("data set '\(set.name)' had sha256 \(set.digest), now \(now)")
            }
        }
        guard !reasons.isEmpty else { return }
        throw CommandFailure(
            code: 66,
            message: "the archived runs cannot be replayed: " + reasons.joined(separator: "; ")
                + ". Bring the old file back, or run the scenario anew"
        )
    }
}

/// A repeated replication beside the archived one.
struct ReplayComparison {
    let text: String
    let isDifferent: Bool
    /// The first checkpoint that differs from the archived run's.
    let firstDifference: Instant?

    init(_ record: RunRecord, before: RunRecord?, until: Instant?) {
        let name = "\(record.key.variant), seed \(record.key.seed)"
        var lines = [
            "\(name): \(record.outcomeText), \(record.events) events, "
                + "\(record.simulatedSeconds) s simulated",
            "  fingerprint \(record.fingerprint)",
        ]
        guard let before else {
            lines.append("  no archived run of this scenario, commit and data to compare with")
            text = lines.joined(separator: "\n")
            isDifferent = false
            firstDifference = nil
            return
        }
        let difference = zip(before.checkpoints, record.checkpoints)
            .first { $0.0 != $0.1 }
        firstDifference = difference?.0.time
        if until == nil, before.fingerprint == record.fingerprint {
            lines.append("  equal to the archived run")
            isDifferent = false
        } else if until != nil, difference == nil {
            let count = min(before.checkpoints.count, record.checkpoints.count)
            lines.append("  equal to the archived run at \(counted(count, "checkpoint"))")
            isDifferent = false
        } else {
            let place = difference.map { "before \($0.0.time)" } ?? "after the last checkpoint"
            lines.append("  DIFFERENT from the archived run, \(place): \(before.fingerprint)")
            isDifferent = true
        }
        text = lines.joined(separator: "\n")
    }
}

extension RunRecord {
    /// The outcome in words.
    var outcomeText: String {
        switch outcome {
        case .completed: "completed"
        case .truncated(let reason): "truncated: \(reason)"
        case .interrupted: "interrupted"
        case .failed(let message): "failed: \(message)"
        case .safetyViolation(let message): "safety violation: \(message)"
        case .livenessViolation(let message): "liveness violation: \(message)"
        }
    }
}
