import ArgumentParser
import Experiments
import Foundation
import Judging
import Measurements
import RaftDefects
import Reporting
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

            --trace without --from shows the second before the first violation, or the whole run. A \
            failure that 'shrink' made small ends with the code of the failure while it is there, \
            and with 0 once it is gone.

            Examples:
              novalab replay scenarios/smoke/echo.yaml --seed 42
              novalab replay scenarios/smoke/echo.yaml --seed 0x2A --variant default --until 3.121s
              novalab replay scenarios/smoke/echo.yaml --seed 42 --json
              novalab replay scenarios/smoke/echo.yaml --seed 42 --from 1s --until 1.2s --trace
              novalab replay reports/reproduce/echo-42.yaml --trace --diagram failure.svg
            """
    )

    @Argument(
        help: "A scenario file, or a failure that 'shrink' made small.",
        completion: .file(extensions: ["yaml"])
    )
    var file: String

    @Option(
        help: "The replication's seed, decimal or hexadecimal; the file's first one without it."
    )
    var seed: String?

    @Option(help: "The variant; all of them without it.")
    var variant: String?

    @Option(help: "Stop at this virtual time, such as 3.121s.")
    var until: String?

    @Option(help: "The timeline begins at this virtual time.")
    var from: String?

    @Flag(help: "Print a timeline: what each node heard and did, message by message.")
    var trace = false

    @Option(help: "Write a message sequence diagram to this SVG file.")
    var diagram: String?

    @Option(help: "The archive; reports/results.sqlite without it.")
    var store: String?

    @Flag(help: "Print JSON; docs/json-output.md has the fields.")
    var json = false

    func validate() throws {
        if from != nil, !trace, diagram == nil {
            throw ValidationError("--from needs --trace or --diagram")
        }
        if json, trace { throw ValidationError("--json and --trace both want standard output") }
    }

    func run() throws {
        Interrupt.watch()
        CrashNotice.install()
        let line = ProgressLine()
        let subject = try ReplaySubject(path: file)
        let preparation = try Preparation(
            path: subject.scenarioPath,
            environment: .simulated,
            seed: nil,
            line: line
        )
        try subject.check(preparation)
        let chosen = try preparation.variants(named: variant ?? subject.reproduce?.variant)
        if diagram != nil, chosen.count > 1 {
            throw CommandFailure(code: 64, message: "--diagram draws one variant; add --variant")
        }
        let seed =
            try seed.map(SeedText.seed) ?? subject.reproduce?.seed
            ?? preparation.scenario.seed
        let end = try chosenEnd() ?? subject.reproduce?.until
        // What was made small is a run of its own, which no archive has.
        let archived = subject.reproduce == nil ? try archivedRuns(preparation) : []
        var isDifferent = false
        var replayed: [ReplayedRun] = []
        var failure: FailureSignature?
        for variant in chosen {
            var setting = preparation.setting(variant, seed: seed)
            if let reproduce = subject.reproduce {
                setting.defect = reproduce.defect.flatMap(RaftDefect.init)
                setting = try ReplayCommand.attempt { () throws(ScenarioError) in
                    try setting.reduced(by: reproduce.reduction)
                }
            }
            line.show("\(preparation.scenario.name): \(variant.name), seed \(seed)", isFinal: true)
            let record = try replay(setting, preparation, until: end)
            line.clear()
            let before = archived.first {
                // Of a seed that passed its chaos campaign only the end is known.
                $0.key == record.key && (end == nil || !$0.checkpoints.isEmpty)
            }
            let comparison = ReplayComparison(record, before: before, until: end)
            if !json { print(comparison.text) }
            failure = FailureSignature(record)
            if !json { tell(record, failure, subject.reproduce) }
            replayed.append(ReplayedRun(record, comparison, before: before))
            isDifferent = isDifferent || comparison.isDifferent
        }
        if json { try JSONOutput.print(replayed) }
        if isDifferent { throw ExitCode(Int32(VerdictCode.nondeterminism.rawValue)) }
        if subject.reproduce != nil, let failure {
            throw ExitCode(Int32(failure.code.rawValue))
        }
    }

    /// Runs the replication, with a timeline where one is wanted.
    private func replay(
        _ setting: ReplicationSetting,
        _ preparation: Preparation,
        until end: Instant?
    ) throws -> RunRecord {
        var setting = setting
        func run() throws -> RunRecord {
            let record = CrashNotice.during(setting, file: file) {
                Replication.simulated(
                    setting,
                    commit: preparation.commit,
                    until: end,
                    isCancelled: { Interrupt.isRequested }
                )
            }
            if Interrupt.isRequested { throw ExitCode(130) }
            return record
        }
        guard trace || diagram != nil else { return try run() }
        let begin = try chosenTime(from)
        var window = SeedOrder.Window(from: begin ?? .zero, until: end ?? .distantFuture)
        if begin == nil {
            // Where it fails is what there is to see.
            let failed = try run().firstViolation?.violation?.time
            if let failed {
                window.from = max(.zero, failed - .seconds(1))
                window.until = min(window.until, failed)
            }
        }
        let recorder = TraceRecorder(
            lanes: setting.lanes,
            from: window.from,
            until: window.until
        )
        setting.recorder = recorder
        let record = try run()
        try show(recorder.finished(record))
        return record
    }

    private func show(_ timeline: Timeline) throws {
        if trace {
            var size = winsize()
            let isKnown = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
            print(TimelineText(timeline, columns: isKnown ? Int(size.ws_col) : 132).text)
        }
        guard let diagram else { return }
        do {
            try Data(MessageDiagram(timeline).file.utf8).write(
                to: URL(filePath: diagram),
                options: .atomic
            )
        } catch {
            throw CommandFailure(
                code: 74,
                message: "cannot write \(diagram): \(error.localizedDescription)"
            )
        }
        printError("diagram  \(diagram)")
    }

    /// What the run says against the code under test, and whether a small failure is still there.
    private func tell(
        _ record: RunRecord,
        _ failure: FailureSignature?,
        _ reproduce: ReproduceFile?
    ) {
        if let (invariant, violation) = record.firstViolation {
            let place = violation.map { " at \($0.time): \($0.message)" } ?? ""
            print("  violated \(invariant.name)\(place)")
        }
        guard let reproduce else { return }
        if failure == reproduce.signature {
            print("  reproduced: \(reproduce.signature.text)")
        } else if let failure {
            print("  fails in another way than the file says: \(failure.text)")
        } else {
            print("  does not fail any more: \(reproduce.signature.text)")
        }
    }

    private static func attempt<Value>(_ body: () throws(ScenarioError) -> Value) throws -> Value {
        do {
            return try body()
        } catch {
            throw CommandFailure(code: error.exitCode, message: error.description)
        }
    }

    private func chosenEnd() throws -> Instant? { try chosenTime(until) }

    private func chosenTime(_ text: String?) throws -> Instant? {
        guard let text else { return nil }
        guard let interval = Quantity.interval(text) else {
            throw CommandFailure(
                code: 64,
                message: "'\(text)' is not a time; write for example 3.121s or 500 ms"
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
            let runs = try Archive.attempt { () throws(StoreError) in
                try archive.records(ofPlan: plan.identity)
            }
            let seeds = try Archive.attempt { () throws(StoreError) in
                try archive.seeds(ofPlan: plan.identity)
            }
            return runs + seeds.compactMap { preparation.archivedRun($0) }
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

extension Preparation {
    /// What a chaos campaign kept of a seed, as far as a replay is compared with it; `nil` for a crash.
    fileprivate func archivedRun(_ seed: SeedResult) -> RunRecord? {
        guard !seed.fingerprint.isEmpty else { return nil }
        return RunRecord(
            key: RunKey(
                scenario: scenario.name,
                scenarioDigest: scenario.digest,
                variant: seed.variant,
                seed: seed.seed,
                environment: .simulated
            ),
            commit: commit,
            fingerprint: seed.fingerprint,
            checkpoints: seed.checkpoints
        )
    }
}
