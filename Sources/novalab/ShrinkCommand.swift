import ArgumentParser
import Experiments
import FaultInjection
import Foundation
import Judging
import Measurements
import Scenarios
import Synchronization
import Units

struct ShrinkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shrink",
        abstract: "Makes a failing seed small: few faults, nodes and operations, little time.",
        discussion: """
            Every step is a run that must fail in the same way. What is left is run twice more, in \
            other processes, and written to a file that 'replay' runs. Ctrl-C keeps the best so far.

            Examples:
              novalab shrink scenarios/chaos/boot-faults.yaml --seed 4017
              novalab shrink scenarios/chaos/boot-faults.yaml --seed 4017 --output small.yaml
              novalab replay small.yaml --trace
            """
    )

    @Argument(help: "The scenario file.", completion: .file(extensions: ["yaml"]))
    var file: String

    @Option(help: "The failing seed, decimal or hexadecimal.")
    var seed: String

    @Option(help: "The variant; the first that fails without it.")
    var variant: String?

    @OptionGroup var options: SeedRunOptions

    @Option(
        name: .shortAndLong,
        help: "The file to write; reports/reproduce/NAME-SEED.yaml without it."
    )
    var output: String?

    @Flag(help: "Print JSON; docs/json-output.md has the fields.")
    var json = false

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
        let seed = try SeedText.seed(seed)
        let workers = options.workers(for: preparation)
        defer { workers.renew() }
        let (setting, original) = try withWorkers {
            try failing(preparation, seed, workers)
        }
        let progress = ShrinkProgress(line, faults: setting.faultPlan.faults.count)
        let outcome = try withWorkers {
            try shrink(setting, original, workers, progress, line)
        }
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        let equal = try withWorkers { try verified(outcome, setting, workers) }
        let path =
            output
            ?? ReproducePlace.path(
                preparation.scenario,
                variant: setting.variant.name,
                seed: seed
            )
        try write(outcome, preparation, setting, to: path)
        try say(outcome, setting, path: path, seconds: seconds, equal: equal)
        if outcome.isInterrupted { throw ExitCode(130) }
        if equal < ShrinkCommand.verifications {
            throw ExitCode(Int32(VerdictCode.nondeterminism.rawValue))
        }
    }

    /// How often the result is run again, each time in a new process.
    private static let verifications = 2

    /// The replication to make small, as it fails whole.
    private func failing(
        _ preparation: Preparation,
        _ seed: UInt64,
        _ workers: SeedWorkers
    ) throws -> (ReplicationSetting, SeedAnswer) {
        for variant in try preparation.variants(named: variant) {
            let order = SeedOrder(variant: variant.name, seed: seed, tellsFaults: true)
            guard let answer = try workers.run(order, 0, { Interrupt.isRequested }) else {
                throw ExitCode(130)
            }
            if answer.result.signature != nil {
                return (preparation.setting(variant, seed: seed), answer)
            }
        }
        throw CommandFailure(
            code: 64,
            message: "seed \(seed) does not fail, so there is nothing to make small; "
                + "'novalab chaos \(file) --seeds 1000' looks for seeds that do"
        )
    }

    private func shrink(
        _ setting: ReplicationSetting,
        _ original: SeedAnswer,
        _ workers: SeedWorkers,
        _ progress: ShrinkProgress,
        _ line: ProgressLine
    ) throws -> ShrinkOutcome {
        let ticker = Ticker { progress.show() }
        defer {
            ticker.stop()
            line.clear()
        }
        return try Shrinker(
            setting,
            jobs: options.runsAtATime,
            listener: progress,
            run: { try workers.run($0, $1, $2) },
            isInterrupted: { Interrupt.isRequested }
        ).shrink(original)
    }

    /// Of two runs in other processes, how many were the same as the result.
    private func verified(
        _ outcome: ShrinkOutcome,
        _ setting: ReplicationSetting,
        _ workers: SeedWorkers
    ) throws -> Int {
        let order = SeedOrder(
            variant: setting.variant.name,
            seed: setting.seed,
            reduction: outcome.reduction
        )
        var equal = 0
        for _ in 0..<ShrinkCommand.verifications {
            workers.renew()
            // Also after Ctrl-C: what is written down must be true.
            let answer = try workers.run(order, 0, { false })
            if let result = answer?.result, result.signature == outcome.signature,
                result.fingerprint == outcome.answer.result.fingerprint
            {
                equal += 1
            }
        }
        return equal
    }

    private func write(
        _ outcome: ShrinkOutcome,
        _ preparation: Preparation,
        _ setting: ReplicationSetting,
        to path: String
    ) throws {
        let reproduce = ReproduceFile(
            outcome,
            setting,
            digest: preparation.scenario.digest,
            scenario: ReproducePlace.relative(file, from: path)
        )
        try ReproducePlace.write(reproduce, to: path)
    }

    private func say(
        _ outcome: ShrinkOutcome,
        _ setting: ReplicationSetting,
        path: String,
        seconds: Double,
        equal: Int
    ) throws {
        let faults = outcome.kept
        if json {
            try JSONOutput.print(
                ShrunkFailure(outcome, setting, faults, path: path, seconds: seconds, equal: equal)
            )
            return
        }
        let share =
            outcome.faultsBefore == 0
            ? 0 : 100 * Double(outcome.faultsBefore - faults.count) / Double(outcome.faultsBefore)
        print("\(outcome.signature.kind.rawValue)  \(outcome.signature.text)")
        print(
            "faults   \(outcome.faultsBefore) → \(faults.count) "
                + "(\(Decimals.percent(share.rounded())) fewer)"
        )
        for fault in faults { print("  \(fault.name)  \(fault.comment)") }
        for region in outcome.reduction.regions {
            print("nodes    \(region.nodes) in \(region.region)")
        }
        if let operations = outcome.reduction.operations { print("operations  \(operations)") }
        if let until = outcome.reduction.until { print("until    \(until)") }
        print(
            "cost     \(counted(outcome.runs, "run")) in \(Decimals.text(seconds, places: 1)) s"
                + (outcome.isInterrupted ? ", interrupted: the best so far" : "")
        )
        print("verified \(equal) of \(ShrinkCommand.verifications) times in other processes")
        print("file     \(path)")
        printError("replay   novalab replay \(path) --trace")
    }
}

extension ShrinkOutcome {
    /// The faults that are left, with what they do.
    var kept: [ReproduceFile.Fault] {
        answer.faults.map { ReproduceFile.Fault(name: $0.name, comment: $0.text) }
    }
}

/// Tells how far shrinking is.
final class ShrinkProgress: ShrinkListener {
    private struct State {
        var faults: Int
        var runs = 0
        var until: Instant?
    }

    private let line: ProgressLine
    private let before: Int
    private let state: Mutex<State>
    private let began = ContinuousClock.now

    init(_ line: ProgressLine, faults: Int) {
        self.line = line
        before = faults
        state = Mutex(State(faults: faults))
    }

    func smaller(_ reduction: Reduction, faults: Int, runs: Int) {
        state.withLock { state in
            state.faults = faults
            state.runs = runs
            state.until = reduction.until
        }
        show()
    }

    func tried(runs: Int) {
        state.withLock { $0.runs = runs }
        show()
    }

    func show() {
        let seconds = Int((ContinuousClock.now - began) / .seconds(1))
        let text = state.withLock { state in
            "shrinking: \(state.faults) of \(before) faults left"
                + (state.until.map { ", until \($0)" } ?? "")
                + ", \(counted(state.runs, "run")), \(seconds) s"
        }
        line.show(text)
    }
}

/// `shrink --json`.
struct ShrunkFailure: Encodable {
    let variant: String
    let seed: UInt64
    let kind: String
    let rule: String
    let shape: String
    let faultsBefore: Int
    let faultsAfter: Int
    let faults: [Fault]
    let nodes: [Region]
    let operations: JSONOutput.Nullable<Int>
    let untilSeconds: JSONOutput.Nullable<Double>
    let runs: Int
    let realSeconds: Double
    /// How many of the two runs in other processes were the same.
    let verified: Int
    let isInterrupted: Bool
    let file: String

    struct Fault: Encodable {
        let name: String
        let text: String
    }

    struct Region: Encodable {
        let region: String
        let nodes: Int
    }

    init(
        _ outcome: ShrinkOutcome,
        _ setting: ReplicationSetting,
        _ kept: [ReproduceFile.Fault],
        path: String,
        seconds: Double,
        equal: Int
    ) {
        variant = setting.variant.name
        seed = setting.seed
        kind = outcome.signature.kind.rawValue
        rule = outcome.signature.rule
        shape = outcome.signature.shape
        faultsBefore = outcome.faultsBefore
        faultsAfter = kept.count
        faults = kept.map { Fault(name: $0.name, text: $0.comment) }
        nodes = outcome.reduction.regions.map { Region(region: $0.region, nodes: $0.nodes) }
        operations = JSONOutput.Nullable(outcome.reduction.operations)
        untilSeconds = JSONOutput.Nullable(outcome.reduction.until?.seconds)
        runs = outcome.runs
        realSeconds = seconds
        verified = equal
        isInterrupted = outcome.isInterrupted
        file = path
    }
}
