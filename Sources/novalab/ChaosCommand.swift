import ArgumentParser
import Experiments
import Foundation
import Judging
import Measurements
import Reporting
import Scenarios
import Synchronization
import Units

struct ChaosCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chaos",
        abstract: "Runs thousands of seeds of a scenario and keeps those that fail.",
        discussion: """
            Every seed draws its own faults. Nothing is measured but whether promises hold: a seed \
            that breaks an invariant, does not get there, crashes, or gives another run in another \
            process, fails. Failing seeds are grouped by what went wrong. Seeds that an earlier \
            campaign of the same scenario and commit has run are taken from the archive.

            Examples:
              novalab chaos scenarios/chaos/boot-faults.yaml --seeds 1000
              novalab chaos scenarios/smoke/echo.yaml --seeds 200 --from 5000 --jobs 1
              novalab chaos scenarios/chaos/boot-faults.yaml --seeds 1000 --require-coverage --json
            """
    )

    @Argument(help: "The scenario file.", completion: .file(extensions: ["yaml"]))
    var file: String

    @Option(help: "Seeds of each variant.")
    var seeds: Int

    @Option(help: "The first seed, decimal or hexadecimal; the file's without it.")
    var from: String?

    @Option(help: "Only this variant; all without it.")
    var variant: String?

    @OptionGroup var options: SeedRunOptions

    @Option(help: "The archive; reports/results.sqlite without it.")
    var store: String?

    @Option(help: "The report's file; reports/NAME-chaos.html without it.")
    var report: String?

    @Flag(inversion: .prefixedNo, help: "Write the HTML report.")
    var html = true

    @Flag(help: "No GO while something that 'sometimes' lists was never met.")
    var requireCoverage = false

    @Flag(help: "Print the verdict as JSON; docs/json-output.md has the fields.")
    var json = false

    func validate() throws {
        guard (1...10_000_000).contains(seeds) else {
            throw ValidationError("--seeds is from 1 to 10000000")
        }
    }

    func run() throws {
        Interrupt.watch()
        let line = ProgressLine()
        let began = ContinuousClock.now
        let preparation = try Preparation(
            path: file,
            environment: .simulated,
            seed: nil,
            line: line
        )
        let variants = try preparation.variants(named: variant)
        let first = try from.map(SeedText.seed) ?? preparation.scenario.seed
        let archive = try Archive(path: store ?? LabFolders.current.store, preparation.plan)
        defer { archive.settle() }
        try archive.note(.scenario, path: file)
        let workers = options.workers(for: preparation)
        defer { workers.renew() }
        let listener = SeedListener(archive: archive, name: preparation.scenario.name, line: line)
        let outcome = try withWorkers {
            try campaign(variants, first, workers, archive, listener, line)
        }
        if outcome.isInterrupted {
            printError(
                """
                interrupted: \(counted(outcome.results.count, "seed")) archived in \(archive.path)
                go on with: \(command(first))
                """
            )
            throw ExitCode(130)
        }
        let judgement = ChaosJudgement(
            ChaosCampaign(
                preparation.scenario,
                variants: variants.map(\.name),
                requiresCoverage: requireCoverage,
                results: outcome.results,
                wanted: outcome.wanted,
                differences: outcome.differences
            )
        )
        let page =
            html
            ? try writeReport(judgement, outcome, preparation, workers, first) : nil
        if let page { try archive.note(.report, path: page) }
        try say(
            judgement,
            preparation,
            archive,
            page,
            listener,
            seconds: (ContinuousClock.now - began) / .seconds(1)
        )
        let code = judgement.verdict.code
        if code != .go { throw ExitCode(Int32(code.rawValue)) }
    }

    private func campaign(
        _ variants: [Scenario.Variant],
        _ first: UInt64,
        _ workers: SeedWorkers,
        _ archive: Archive,
        _ listener: SeedListener,
        _ line: ProgressLine
    ) throws -> ChaosOutcome {
        let runner = ChaosRunner(
            ChaosPlan(variants: variants.map(\.name), firstSeed: first, seeds: seeds),
            jobs: options.runsAtATime,
            run: { try workers.run($0, $1, $2) },
            renew: { workers.renew() }
        )
        let ticker = Ticker { listener.show() }
        defer {
            ticker.stop()
            line.finish()
        }
        return try runner.run(
            resuming: try archive.seeds(),
            listener: listener,
            isInterrupted: { Interrupt.isRequested }
        )
    }

    /// This command with every option that decides about runs.
    private func command(_ first: UInt64) -> String {
        var words = ["novalab", "chaos", file, "--seeds", "\(seeds)"]
        if from != nil { words += ["--from", "\(first)"] }
        if let variant { words += ["--variant", variant] }
        words += options.words
        if let store { words += ["--store", store] }
        if let report { words += ["--report", report] }
        if requireCoverage { words.append("--require-coverage") }
        return words.joined(separator: " ")
    }

    private func writeReport(
        _ judgement: ChaosJudgement,
        _ outcome: ChaosOutcome,
        _ preparation: Preparation,
        _ workers: SeedWorkers,
        _ first: UInt64
    ) throws -> String {
        let path =
            report ?? "\(LabFolders.current.reports)/\(preparation.scenario.name)-chaos.html"
        let text = ChaosReportText(preparation, outcome, workers)
        let page = ChaosReport(
            subtitle: text.subtitle,
            judgement: judgement,
            models: ReportText(preparation.scenario, environment: .simulated)
                .models(isShaped: true),
            provenance: preparation.provenance,
            facts: text.facts,
            cases: try withWorkers { try text.cases(judgement) },
            again: command(first)
        )
        do throws(ReportError) {
            try page.write(to: path)
        } catch {
            throw CommandFailure(code: 74, message: error.description)
        }
        return path
    }

    private func say(
        _ judgement: ChaosJudgement,
        _ preparation: Preparation,
        _ archive: Archive,
        _ page: String?,
        _ listener: SeedListener,
        seconds: Double
    ) throws {
        if json {
            try JSONOutput.print(
                ChaosDocument(
                    judgement,
                    commit: preparation.commit,
                    store: archive.path,
                    report: page,
                    reused: listener.reused,
                    realSeconds: seconds
                )
            )
        } else {
            let isColoured =
                isatty(STDOUT_FILENO) == 1
                && (ProcessInfo.processInfo.environment["NO_COLOR"] ?? "").isEmpty
            print(ChaosBlock(judgement, isColoured: isColoured).text)
            for sentence in judgement.verdict.sentences { print("  \(sentence)") }
            print(listener.cost(seconds: seconds))
            if preparation.commit == "unknown" {
                print("  the commit is not known: archived seeds may be those of other code")
            }
            if let page { print("report   \(page)") }
            print("archive  \(archive.path)")
        }
        for group in judgement.groups.prefix(ChaosReportText.caseLimit) {
            for command in preparation.commands(for: group) { printError(command) }
        }
    }
}

extension Preparation {
    /// The variants to run: one, or all.
    func variants(named name: String?) throws -> [Scenario.Variant] {
        guard let name else { return scenario.variants }
        guard let found = scenario.variant(named: name) else {
            let names = scenario.variants.map(\.name).joined(separator: ", ")
            throw CommandFailure(
                code: 64,
                message: "\(path) has no variant '\(name)'; it has \(names)"
            )
        }
        return [found]
    }

    /// What shows a failure, and what makes it small.
    func commands(for group: FailureGroup) -> [String] {
        let place =
            "\(path) --seed \(group.first.seed)"
            + (scenario.variants.count > 1 ? " --variant \(group.first.variant)" : "")
        let until = group.failedAt.map { seconds in
            " --until \(Instant.zero + Interval(seconds: seconds))".replacing(" s", with: "s")
                .replacing(" ms", with: "ms").replacing(" us", with: "us")
        }
        return [
            "replay   novalab replay \(place)\(until ?? "") --trace",
            "shrink   novalab shrink \(place)",
        ]
    }
}

/// Archives every seed as it ends and tells how far the campaign is.
final class SeedListener: ChaosListener {
    private struct State {
        var done = 0
        var total = 0
        var reused = 0
        var failing = 0
        var signatures: Set<FailureSignature> = []
        var simulatedSeconds = 0.0
        var repeating: (done: Int, total: Int)?
    }

    private let archive: Archive
    private let name: String
    private let line: ProgressLine
    private let state = Mutex(State())
    private let began = ContinuousClock.now

    init(archive: Archive, name: String, line: ProgressLine) {
        self.archive = archive
        self.name = name
        self.line = line
    }

    var reused: Int { state.withLock { $0.reused } }

    func planned(done: Int, total: Int) {
        state.withLock {
            $0.done = done
            $0.reused = done
            $0.total = total
        }
        show()
    }

    func keep(_ result: SeedResult) throws {
        try archive.record(result)
        state.withLock { state in
            if state.repeating != nil {
                state.repeating!.done += 1
                return
            }
            state.done += 1
            state.simulatedSeconds += result.simulatedSeconds
            if let signature = result.signature, signature.isFailure {
                state.failing += 1
                state.signatures.insert(signature)
            }
        }
        show()
    }

    func repeating(_ count: Int) {
        state.withLock { $0.repeating = (0, count) }
        show()
    }

    private var seconds: Double { (ContinuousClock.now - began) / .seconds(1) }

    func show() {
        let seconds = seconds
        let text = state.withLock { state in
            if let repeating = state.repeating {
                return "\(name): comparing seeds in other processes, \(repeating.done) of "
                    + "\(repeating.total), \(Int(seconds)) s"
            }
            let ran = state.done - state.reused
            let rate = Decimals.text(Double(ran) / max(0.001, seconds), places: 1)
            return "\(name): \(state.done) of \(state.total) seeds, \(state.failing) failing in "
                + "\(counted(state.signatures.count, "way")), \(rate) seeds/s, \(Int(seconds)) s"
        }
        line.show(text)
    }

    /// What the campaign cost: measured, never extrapolated.
    func cost(seconds: Double) -> String {
        state.withLock { state in
            let ran = state.done - state.reused
            let rate = Decimals.text(Double(ran) / max(0.001, seconds), places: 1)
            let times = Decimals.text(state.simulatedSeconds / max(0.001, seconds), places: 0)
            return "cost     \(counted(ran, "seed")) in \(Decimals.text(seconds, places: 1)) s, "
                + "\(rate) seeds/s, \(times)x real time"
                + (state.reused > 0 ? " · \(state.reused) from the archive" : "")
        }
    }
}
