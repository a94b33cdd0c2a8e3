import ArgumentParser
import Experiments
import Foundation
import Judging
import Measurements
import RaftDefects
import Scenarios
import Synchronization
import Units

/// Measures the laboratory itself.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures what the laboratory can do.",
        subcommands: [DetectionCommand.self]
    )
}

/// Plants known defects of Raft, one at a time, and looks whether a campaign finds them.
struct DetectionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "detection",
        abstract: "Plants known defects of Raft and counts which of them are found.",
        discussion: """
            A chaos laboratory is worth what it can detect. Each defect is one that shipped somewhere \
            or that the protocol warns of; it is planted into the replicas, and seeds of the \
            scenarios run until one fails. The sound protocol must pass the same seeds.

            Ctrl-C prints what is known so far. Ends with 0 when all but one are found and the sound \
            protocol is clean, with 1 otherwise.

            Examples:
              novalab bench detection
              novalab bench detection --seeds 200 --defect longer-log-wins
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

    @Option(help: "Seeds at a time; all cores without it. The result does not depend on it.")
    var jobs: Int?

    @Flag(inversion: .prefixedNo, help: "Also run the sound protocol over the same seeds.")
    var sound = true

    @Flag(help: "Print JSON; docs/json-output.md has the fields.")
    var json = false

    static let shipped = [
        "scenarios/chaos/raft-swarm.yaml", "scenarios/chaos/reads.yaml",
        "scenarios/chaos/leases.yaml", "scenarios/chaos/raft-partitions.yaml",
    ]

    func validate() throws {
        guard seeds > 0 else { throw ValidationError("--seeds is at least 1") }
        if let jobs, jobs < 1 { throw ValidationError("--jobs is at least 1") }
        for name in defect where RaftDefect(rawValue: name) == nil {
            let known = RaftDefect.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("'\(name)' is no known defect; these are: \(known)")
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
        let chosen = defect.isEmpty ? RaftDefect.allCases : defect.compactMap(RaftDefect.init)
        var findings: [DetectionFinding] = []
        let subjects: [RaftDefect?] = chosen.map { $0 } + (sound ? [nil] : [])
        for subject in subjects where !Interrupt.isRequested {
            let finding = try withWorkers { try look(for: subject, in: preparations, line) }
            line.clear()
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
        }
        if Interrupt.isRequested { throw ExitCode(130) }
        guard found >= planted.count - (defect.isEmpty ? 1 : 0), isClean else { throw ExitCode(1) }
    }

    /// Runs seeds of each scenario in turn until one fails.
    private func look(
        for subject: RaftDefect?,
        in preparations: [Preparation],
        _ line: ProgressLine
    ) throws -> DetectionFinding {
        var finding = DetectionFinding(subject)
        for preparation in preparations where finding.seed == nil && !Interrupt.isRequested {
            let workers = SeedWorkers.ownProgram(preparation, limitSeconds: 120)
            defer { workers.renew() }
            let variant = preparation.scenario.variants[0].name
            let orders = (0..<UInt64(seeds)).map { offset in
                SeedOrder(
                    variant: variant,
                    seed: preparation.scenario.seed &+ offset,
                    defect: subject?.rawValue
                )
            }
            let answers = Mutex<[Int: SeedResult]>([:])
            let name = finding.name
            try SeedPool(
                jobs: jobs ?? ProcessInfo.processInfo.activeProcessorCount,
                run: { try workers.run($0, $1, $2) }
            ).perform(orders, isCancelled: { Interrupt.isRequested }) { index, answer in
                let count = answers.withLock { answers in
                    answers[index] = answer.result
                    return answers.count
                }
                line.show("\(name): \(count) of \(orders.count) seeds")
                return answer.result.signature.map { $0.kind == .undecided } ?? true
            }
            finding.take(answers.withLock { $0 }, of: preparation.scenario.name)
        }
        return finding
    }
}

/// What became of one planted defect.
struct DetectionFinding: Encodable {
    /// `nil` for the sound protocol.
    let defect: String?
    let number: Int?
    var scenario: String?
    /// The first seed that failed; `nil` when none did.
    var seed: UInt64?
    /// What noticed it: an invariant, or a crash.
    var checker: String?
    var failure: String?
    /// Seeds up to and including the one that failed, and their simulated time.
    var seeds = 0
    var simulatedSeconds = 0.0

    init(_ defect: RaftDefect?) {
        self.defect = defect?.rawValue
        number = defect?.number
    }

    var name: String { defect ?? "sound" }

    mutating func take(_ results: [Int: SeedResult], of scenario: String) {
        for index in results.keys.sorted() {
            guard seed == nil, let result = results[index] else { return }
            seeds += 1
            simulatedSeconds += result.simulatedSeconds
            if let signature = result.signature, signature.kind != .undecided {
                seed = result.seed
                checker = signature.rule
                failure = signature.text
                self.scenario = scenario
            }
        }
    }

    var row: String {
        let label = number.map { "\($0)" } ?? ""
        let title = label.padded(to: 3) + name.padded(to: 28)
        guard let seed, let checker, let scenario else {
            let verdict = defect == nil ? "clean" : "NOT FOUND"
            return "\(title)\(verdict) in \(counted(seeds, "seed"))"
        }
        let minutes = Decimals.text(simulatedSeconds / 60, places: 1)
        let place = defect == nil ? "FAILED" : "found"
        return
            "\(title)\(place) by \(checker) after \(counted(seeds, "seed")), \(minutes) min simulated "
            + "(\(scenario), seed \(seed))"
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        padding(toLength: max(width, count), withPad: " ", startingAt: 0)
    }
}
