import ArgumentParser
import Experiments
import Foundation
import Judging
import Measurements
import Reporting
import ResultsStore
import Scenarios
import SocketEnvironment
import Units

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Runs scenarios, archives every replication, judges and writes a report.",
        discussion: """
            Ctrl-C keeps the replications that are done; --resume goes on from there.

            Examples:
              novalab run scenarios/smoke/echo.yaml
              novalab run scenarios/study/wan-migration.yaml --json
              novalab run scenarios/study/wan-migration.yaml --on sockets
              novalab run scenarios/study/bulk.yaml --workers 1 --store /tmp/results.sqlite
            """
    )

    @Argument(help: "Scenario files.", completion: .file(extensions: ["yaml"]))
    var files: [String]

    @Option(
        name: .customLong("on"),
        help: "Where to run: simulated, sockets or rdma; overrides the file."
    )
    var place: String?

    @Option(help: "The first seed; overrides the file.")
    var seed: UInt64?

    @Option(help: "Replications at a time; all cores without it. Results do not depend on it.")
    var workers: Int?

    @Option(help: "The archive; reports/results.sqlite without it.")
    var store: String?

    @Option(help: "The report's file; reports/NAME.html without it.")
    var report: String?

    @Flag(inversion: .prefixedNo, help: "Write the HTML report.")
    var html = true

    @Flag(help: "Keep replications that an earlier run of the same plan has archived.")
    var resume = false

    @Flag(help: "Print the verdict as JSON.")
    var json = false

    func validate() throws {
        if let place, EnvironmentKind(rawValue: place) == nil {
            let known = EnvironmentKind.allCases.map(\.rawValue).joined(separator: " or ")
            throw ValidationError("'\(place)' is not a place to run; use \(known)")
        }
        if let workers, workers < 1 { throw ValidationError("--workers is at least 1") }
        if report != nil, files.count > 1 {
            throw ValidationError("--report names one file; run scenarios one by one")
        }
    }

    func run() async throws {
        Interrupt.watch()
        CrashNotice.install()
        var codes: [VerdictCode] = []
        for (index, file) in files.enumerated() {
            codes.append(try await run(file, following: files[(index + 1)...]))
            if Interrupt.isRequested { throw ExitCode(130) }
        }
        let worst = VerdictCode.precedence.first { codes.contains($0) } ?? .go
        if worst != .go { throw ExitCode(Int32(worst.rawValue)) }
    }

    private func run(
        _ file: String,
        following: ArraySlice<String>
    ) async throws -> VerdictCode {
        let line = ProgressLine()
        let began = ContinuousClock.now
        let preparation = try Preparation(
            path: file,
            environment: place.flatMap(EnvironmentKind.init(rawValue:)),
            seed: seed,
            line: line
        )
        try preparation.refuseSampledInvariants()
        let archive = try Archive(path: store ?? LabFolders.current.store, preparation.plan)
        defer { archive.settle() }
        try archive.note(.scenario, path: file)
        let finished = resume ? try archive.records() : []
        let listener = ArchivingListener(archive: archive, preparation: preparation, line: line)
        let result = try await campaign(preparation, finished, listener, line)
        if result.isInterrupted {
            printError(
                """
                interrupted: \(counted(result.campaign.runs.count, "replication")) archived in \
                \(archive.path)
                go on with: \(resumption([file] + following))
                """
            )
            throw ExitCode(130)
        }
        let page = html ? try writeReport(result, preparation, archive) : nil
        try say(
            result,
            preparation,
            archive,
            page,
            seconds: (ContinuousClock.now - began) / .seconds(1)
        )
        return result.judgement.verdict.code
    }

    private func campaign(
        _ preparation: Preparation,
        _ finished: [RunRecord],
        _ listener: ArchivingListener,
        _ line: ProgressLine
    ) async throws -> CampaignResult {
        let ticker = Ticker { listener.show() }
        defer {
            ticker.stop()
            line.finish()
        }
        return try await runner(preparation).run(
            resuming: finished,
            listener: listener,
            isInterrupted: { Interrupt.isRequested }
        )
    }

    /// The command that goes on where this one stopped, with every option that decides about runs.
    private func resumption(_ files: [String]) -> String {
        var words = ["novalab", "run"] + files
        if let place { words += ["--on", place] }
        if let seed { words += ["--seed", "\(seed)"] }
        if let store { words += ["--store", store] }
        if let report { words += ["--report", report] }
        return (words + ["--resume"]).joined(separator: " ")
    }

    private func runner(_ preparation: Preparation) throws -> CampaignRunner {
        let common = preparation.setting(
            preparation.scenario.variants[0],
            seed: preparation.scenario.seed
        )
        var plan = CampaignPlan(common, environment: preparation.environment)
        plan.envelope = try Envelope.finding(
            for: preparation.scenario,
            environment: preparation.environment,
            store: store ?? LabFolders.current.store
        )
        let commit = preparation.commit
        switch preparation.environment {
        case .simulated:
            let cores = ProcessInfo.processInfo.activeProcessorCount
            return CampaignRunner(plan, workers: workers ?? cores) { setting, isCancelled in
                CrashNotice.during(setting, file: preparation.path) {
                    Replication.simulated(setting, commit: commit, isCancelled: isCancelled)
                }
            }
        case .sockets, .rdma:
            // One at a time: real nodes compete for the cores that they are measured on.
            return CampaignRunner(plan, workers: 1) { setting, isCancelled in
                do {
                    return try Replication.onSockets(
                        setting,
                        environment: preparation.environment,
                        commit: commit,
                        scenarioPath: preparation.path,
                        processes: .ownProgram,
                        daemon: DaemonProgram.command,
                        isCancelled: isCancelled
                    )
                } catch let failure as CrossTrafficFailure {
                    throw CommandFailure.missing(failure.description)
                } catch let failure as SocketFailure {
                    throw CommandFailure(code: 70, message: failure.description)
                }
            }
        }
    }

    private func writeReport(
        _ result: CampaignResult,
        _ preparation: Preparation,
        _ archive: Archive
    ) throws -> String {
        let path = report ?? "\(LabFolders.current.reports)/\(preparation.scenario.name).html"
        let text = ReportText(preparation.scenario, environment: preparation.environment)
        try text.write(
            campaign: result.campaign,
            judgement: result.judgement,
            provenance: preparation.provenance,
            plan: archive.plan,
            replay: preparation.replayCommand(variant: nil, seed: preparation.scenario.seed),
            to: path
        )
        try archive.note(.report, path: path)
        return path
    }

    private func say(
        _ result: CampaignResult,
        _ preparation: Preparation,
        _ archive: Archive,
        _ page: String?,
        seconds: Double
    ) throws {
        let document = VerdictDocument(
            result.judgement,
            campaign: result.campaign,
            commit: preparation.commit,
            store: archive.path,
            report: page
        )
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .withoutEscapingSlashes]
            print(String(decoding: try encoder.encode(document), as: UTF8.self))
        } else {
            let isColoured =
                isatty(STDOUT_FILENO) == 1
                && (ProcessInfo.processInfo.environment["NO_COLOR"] ?? "").isEmpty
            print(VerdictBlock(result.judgement, isColoured: isColoured).text)
            for sentence in result.judgement.verdict.sentences { print("  \(sentence)") }
            if let boots = BootBlock(result.campaign).text { print(boots) }
            print(CostLine(result.campaign.runs, seconds: seconds).text)
            if let page { print("report   \(page)") }
            print("archive  \(archive.path)")
        }
        if result.judgement.verdict.code != .go, preparation.environment == .simulated {
            let variant = result.failing?.key.variant
            let seed = result.failing?.key.seed ?? preparation.scenario.seed
            printError("replay   \(preparation.replayCommand(variant: variant, seed: seed))")
        }
    }
}

extension CampaignResult {
    /// The first replication that did not end as it should, or broke an invariant.
    fileprivate var failing: RunRecord? {
        campaign.runs.sorted { ($0.key.seed, $0.key.variant) < ($1.key.seed, $1.key.variant) }
            .first { run in
                run.outcome != .completed || run.invariants.contains { $0.violationCount > 0 }
            }
    }
}

/// What a campaign cost: measured, never extrapolated.
struct CostLine {
    let text: String

    init(_ runs: [RunRecord], seconds: Double) {
        let events = runs.reduce(0) { $0 + $1.events }
        let kernel = runs.reduce(0) { $0 + $1.kernelSeconds }
        let work = runs.reduce(0) { $0 + $1.workSeconds }
        let memory = runs.map(\.peakMemoryBytes).max() ?? 0
        var parts = ["\(runs.count) runs in \(CostLine.short(seconds)) s"]
        if kernel > 0 {
            parts.append(
                "\(events) events, \(Int(Double(events) / kernel)) per kernel second and core"
            )
            parts.append("kernel \(CostLine.short(kernel)) s, work \(CostLine.short(work)) s")
        }
        // What one replication takes, beside the others that run at the same time.
        if runs.count > 1, let longest = runs.map(\.realSeconds).max(), longest > 0 {
            parts.append("the longest run \(CostLine.short(longest)) s")
        }
        parts.append("peak memory \(memory >> 20) MiB")
        text = "cost     " + parts.joined(separator: " · ")
    }

    private static func short(_ seconds: Double) -> String {
        String((seconds * 100).rounded() / 100)
    }
}
