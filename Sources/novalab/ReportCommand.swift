import ArgumentParser
import Foundation
import Judging
import Measurements
import Reporting
import ResultsStore
import Scenarios

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Makes the report of archived runs again.",
        discussion: """
            A scenario's name stands for its newest plan in the archive. Of a plan's identity the \
            first digits are enough. Commit and machine are those of the runs.

            Examples:
              novalab report wan-migration
              novalab report 4f1c2a… --output decision.html
              novalab report wan-migration --json
            """
    )

    @Argument(help: "A scenario's name, or a plan's identity as 'novalab runs' prints it.")
    var plan: String

    @Option(help: "The archive; reports/results.sqlite without it.")
    var store: String?

    @Option(name: .shortAndLong, help: "The report's file; reports/NAME.html without it.")
    var output: String?

    @Flag(help: "Print JSON; docs/json-output.md has the fields.")
    var json = false

    func run() throws {
        let path = store ?? LabFolders.current.store
        let archive = try Archive.reading(path)
        let found = try Archive.attempt { () throws(StoreError) in
            if let newest = try archive.plans(ofScenario: plan).first {
                return try archive.loadPlan(newest)
            }
            let matching = try archive.plans(startingWith: plan)
            return try archive.loadPlan(matching.count == 1 ? matching[0] : plan)
        }
        let scenario: Scenario
        do {
            scenario = try ScenarioFile.parse(found.scenarioSource, file: "\(found.scenario).yaml")
        } catch {
            throw CommandFailure(code: error.exitCode, message: error.description)
        }
        let records = try Archive.attempt { () throws(StoreError) in
            try archive.records(ofPlan: found.identity)
        }
        let file = try Archive.attempt { () throws(StoreError) in
            try archive.artifacts(ofPlan: found.identity)
        }.last { $0.kind == Archive.Artifact.scenario.rawValue }?.path
        let seed = records.map(\.key.seed).min() ?? scenario.seed
        var campaign = Campaign(
            scenario,
            environment: found.environment,
            runs: records.map(MachineFacts.removed)
        )
        campaign.envelope = try Envelope.finding(
            for: scenario,
            environment: found.environment,
            store: path
        )
        let target = output ?? "\(LabFolders.current.reports)/\(scenario.name).html"
        let judgement = Judge().judge(campaign)
        try ReportText(scenario, environment: found.environment).write(
            campaign: campaign,
            judgement: judgement,
            provenance: MachineFacts.provenance(of: records, in: found),
            plan: found,
            replay: "novalab replay \(file ?? "SCENARIO-FILE") --seed \(seed)",
            to: target
        )
        guard json else {
            print(target)
            return
        }
        try JSONOutput.print(
            WrittenReport(
                report: target,
                scenario: found.scenario,
                plan: found.identity,
                commit: found.commit,
                environment: found.environment.rawValue,
                runs: records.count,
                verdict: judgement.verdict.word.rawValue,
                exitCode: judgement.verdict.exitCode
            )
        )
    }
}
