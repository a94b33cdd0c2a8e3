import ArgumentParser
import Experiments
import FaultInjection
import Foundation
import Measurements
import RaftDefects
import Scenarios
import Synchronization
import Units

/// Plants known defects of Raft, one at a time, and looks whether a campaign finds them.
struct DetectionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "detection",
        abstract: "Plants known defects of Raft and counts which of them are found.",
        discussion: """
            A chaos laboratory is worth what it can detect. Each defect is one that shipped somewhere \
            or that the protocol warns of; it is planted into the replicas, and seeds of the \
            scenarios run until one fails, a few of each scenario first. What failed is made small, \
            as 'shrink' does. The sound protocol must pass the same seeds, as far as any defect needed \
            them.

            Ctrl-C prints what is known so far. Ends with 0 when all but one are found and the sound \
            protocol is clean, with 1 otherwise.

            Examples:
              novalab bench detection
              novalab bench detection --seeds 200 --defect longer-log-wins
              novalab bench detection --defect longer-log-wins --keep reports/defects
              novalab bench detection scenarios/chaos/raft-swarm.yaml --json
            """
    )

    @Argument(
        help: "Scenario files with the workload requests; the shipped ones without it.",
        completion: .file(extensions: ["yaml"])
    )
    var files: [String] = []

    @Option(help: "Seeds of each scenario for each defect, at most.")
    var seeds = 1_000

    @Option(help: "Only this defect; may be given several times.")
    var defect: [String] = []

    @Option(help: "Seeds at a time; all cores without it. What is found does not depend on it.")
    var jobs: Int?

    @Flag(inversion: .prefixedNo, help: "Also run the sound protocol over the same seeds.")
    var sound = true

    @Flag(inversion: .prefixedNo, help: "Make small what was found.")
    var shrink = true

    @Option(help: "Real time for making one failure small; then the best so far counts.")
    var shrinkLimit = "5 min"

    @Option(help: "A folder for what was made small, for 'replay': a file for each defect.")
    var keep: String?

    @Flag(help: "Print JSON; docs/json-output.md has the fields.")
    var json = false

    static let shipped = [
        "raft-swarm", "membership", "reads", "leases", "late-answers", "partial-partitions",
        "raft-partitions", "leaders",
    ].map { "scenarios/chaos/\($0).yaml" }

    /// How many seeds of each scenario have run before the next one's turn comes again: most defects show
    /// soon in the scenario that suits them, and there is none that suits all.
    static let stages = [8, 40, 200]

    func validate() throws {
        guard seeds > 0 else { throw ValidationError("--seeds is at least 1") }
        if let jobs, jobs < 1 { throw ValidationError("--jobs is at least 1") }
        for name in defect where RaftDefect(rawValue: name) == nil {
            let known = RaftDefect.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("'\(name)' is no known defect; these are: \(known)")
        }
        guard let time = Quantity.interval(shrinkLimit), time > .zero else {
            throw ValidationError("'\(shrinkLimit)' is not a time; write for example 5 min")
        }
        if keep != nil, !shrink {
            throw ValidationError("--keep keeps what --no-shrink leaves out")
        }
    }

    func run() throws {
        Interrupt.watch()
        let line = ProgressLine()
        let root = LabFolders.current.root
        let paths = files.isEmpty ? DetectionCommand.shipped.map { "\(root)/\($0)" } : files
        let preparations = try paths.map { path in
            try Preparation(path: path, environment: .simulated, seed: nil, line: line)
        }
        for preparation in preparations where preparation.scenario.workload.kind != .requests {
            throw CommandFailure(
                code: 65,
                message: "\(preparation.path): only requests have replicas to plant defects into"
            )
        }
        for preparation in preparations { try preparation.refuseSampledInvariants() }
        let chosen = defect.isEmpty ? RaftDefect.allCases : defect.compactMap(RaftDefect.init)
        var findings: [DetectionFinding] = []
        // How many seeds of each scenario some defect was looked for in.
        var reached = 0
        let subjects: [RaftDefect?] = chosen.map { $0 } + (sound ? [nil] : [])
        for subject in subjects where !Interrupt.isRequested {
            let limit = subject == nil && reached > 0 ? reached : seeds
            let finding = try withWorkers {
                try look(for: subject, in: preparations, upTo: limit, line)
            }
            line.clear()
            reached = max(reached, finding.reached)
            findings.append(finding)
            if !json { print(finding.row) }
        }
        line.finish()
        let planted = findings.filter { $0.defect != nil }
        let found = planted.count { $0.seed != nil }
        let isClean = findings.allSatisfy { $0.defect != nil || $0.seed == nil }
        if json {
            try JSONOutput.print(findings)
        } else {
            print("found    \(found) of \(planted.count) planted defects")
            if let summary = DetectionFinding.summary(of: planted) { print(summary) }
        }
        if Interrupt.isRequested { throw ExitCode(130) }
        guard found >= planted.count - (defect.isEmpty ? 1 : 0), isClean else { throw ExitCode(1) }
    }

    /// Runs seeds of all scenarios, a stage of each in turn, until one fails.
    private func look(
        for subject: RaftDefect?,
        in preparations: [Preparation],
        upTo limit: Int,
        _ line: ProgressLine
    ) throws -> DetectionFinding {
        var finding = DetectionFinding(subject)
        let places = preparations.map { preparation in
            (preparation, SeedWorkers.ownProgram(preparation, limitSeconds: 120))
        }
        defer { for (_, workers) in places { workers.renew() } }
        var begin = 0
        for stage in DetectionCommand.stages + [limit] where begin < limit {
            let end = min(stage, limit)
            finding.reached = end
            for (preparation, workers) in places where !Interrupt.isRequested {
                let results = try run(begin..<end, of: preparation, subject, workers, line)
                finding.take(results, of: preparation.scenario.name)
                guard finding.seed != nil else {
                    // The processes of one scenario are enough at a time.
                    workers.renew()
                    continue
                }
                if shrink, subject != nil {
                    try makeSmall(&finding, subject, preparation, workers, line)
                }
                return finding
            }
            begin = end
        }
        return finding
    }

    /// Runs the seeds with these offsets, up to the first that fails.
    private func run(
        _ offsets: Range<Int>,
        of preparation: Preparation,
        _ subject: RaftDefect?,
        _ workers: SeedWorkers,
        _ line: ProgressLine
    ) throws -> [Int: SeedResult] {
        let variant = preparation.scenario.variants[0].name
        let orders = offsets.map { offset in
            SeedOrder(
                variant: variant,
                seed: preparation.scenario.seed &+ UInt64(offset),
                defect: subject?.rawValue
            )
        }
        let answers = Mutex<[Int: SeedResult]>([:])
        let name = "\(subject?.rawValue ?? "sound") in \(preparation.scenario.name)"
        try SeedPool(jobs: parallel, run: { try workers.run($0, $1, $2) })
            .perform(orders, isCancelled: { Interrupt.isRequested }) { index, answer in
                let count = answers.withLock { answers in
                    answers[index] = answer.result
                    return answers.count
                }
                line.show("\(name): \(offsets.lowerBound + count) of \(offsets.upperBound) seeds")
                return answer.result.signature.map { $0.kind == .undecided } ?? true
            }
        return answers.withLock { $0 }
    }

    private var parallel: Int { jobs ?? ProcessInfo.processInfo.activeProcessorCount }

    /// Looks for the least that still fails in the same way.
    private func makeSmall(
        _ finding: inout DetectionFinding,
        _ subject: RaftDefect?,
        _ preparation: Preparation,
        _ workers: SeedWorkers,
        _ line: ProgressLine
    ) throws {
        guard let seed = finding.seed else { return }
        var setting = preparation.setting(preparation.scenario.variants[0], seed: seed)
        setting.defect = subject
        let order = SeedOrder(
            variant: setting.variant.name,
            seed: seed,
            tellsFaults: true,
            defect: subject?.rawValue
        )
        guard let original = try workers.run(order, 0, { Interrupt.isRequested }) else { return }
        let began = ContinuousClock.now
        let limit = Duration.seconds(Quantity.interval(shrinkLimit)!.seconds)
        let progress = ShrinkProgress(line, faults: setting.faultPlan.faults.count)
        let outcome = try Shrinker(
            setting,
            jobs: parallel,
            listener: progress,
            run: { order, slot, isCancelled in
                var order = order
                order.defect = subject?.rawValue
                return try workers.run(order, slot, isCancelled)
            },
            isInterrupted: { Interrupt.isRequested || ContinuousClock.now - began > limit }
        ).shrink(original)
        finding.shrunk = DetectionFinding.Shrunk(
            outcome,
            seconds: (ContinuousClock.now - began) / .seconds(1)
        )
        guard let keep else { return }
        let path = "\(keep)/\(finding.name).yaml"
        let reproduce = ReproduceFile(
            outcome,
            setting,
            digest: preparation.scenario.digest,
            scenario: ReproducePlace.relative(preparation.path, from: path)
        )
        try ReproducePlace.write(reproduce, to: path)
    }
}
