import DataSets
import Experiments
import Foundation
import HardwareModel
import Judging
import Measurements
import Reporting
import Scenarios
import Units

/// What a chaos report says besides the verdict: what ran, and its failures looked at more closely.
struct ChaosReportText {
    private let preparation: Preparation
    private let outcome: ChaosOutcome
    private let workers: SeedWorkers
    /// More kinds of failure have no picture.
    static let caseLimit = 6
    /// How much of a run's time before the violation a picture shows.
    private static let span = Interval.seconds(1)

    init(_ preparation: Preparation, _ outcome: ChaosOutcome, _ workers: SeedWorkers) {
        self.preparation = preparation
        self.outcome = outcome
        self.workers = workers
    }

    var subtitle: String {
        ReportText(preparation.scenario, environment: .simulated).subtitle
            + ", \(counted(outcome.results.count, "seed"))"
    }

    var facts: [Fact] {
        let seeds = outcome.results.map(\.seed)
        let events = outcome.results.reduce(UInt64(0)) { $0 &+ $1.events }
        let simulated = outcome.results.reduce(0) { $0 + $1.simulatedSeconds }
        return [
            Fact("scenario digest", preparation.scenario.digest),
            Fact("seeds", "\(seeds.min() ?? 0) to \(seeds.max() ?? 0)"),
            Fact("variants", preparation.scenario.variants.map(\.name).joined(separator: ", ")),
            Fact("simulated", "\(Decimals.duration(simulated)), \(events) events"),
            Fact(
                "hardware profile",
                "\(preparation.profile.name) (\(preparation.profile.digest))"
            ),
        ]
            + (preparation.dataSet.map { [Fact("data set", "\($0.name) (\($0.digest))")] } ?? [])
    }

    /// The first seed of each of the weightiest groups, run once more and drawn.
    func cases(_ judgement: ChaosJudgement) throws -> [ChaosReport.Case] {
        try judgement.groups.prefix(ChaosReportText.caseLimit).map { group in
            ChaosReport.Case(
                signature: group.signature,
                minimal: minimal(group),
                timeline: try timeline(group),
                commands: preparation.commands(for: group).map {
                    String($0.drop { $0 != " " }.drop { $0 == " " })
                }
            )
        }
    }

    /// What `shrink` has left of the failure, where it was asked.
    private func minimal(_ group: FailureGroup) -> [String] {
        for place in group.places {
            let path = ReproducePlace.path(
                preparation.scenario,
                variant: place.variant,
                seed: place.seed
            )
            guard let text = try? String(contentsOfFile: path, encoding: .utf8),
                let file = try? ReproduceFile.parse(text, file: path),
                file.digest == preparation.scenario.digest, file.signature == group.signature
            else { continue }
            let time = file.until.map { " until \($0)" } ?? ""
            var words = [
                "seed \(place.seed) with \(counted(file.faults.count, "fault"))\(time)"
            ]
            words += lines(of: file)
            words += file.regions.map { "\(counted($0.nodes, "node")) in \($0.name)" }
            if let operations = file.operations { words.append(counted(operations, "operation")) }
            words.append("novalab replay \(path) --trace")
            return words
        }
        return []
    }

    private func lines(of file: ReproduceFile) -> [String] {
        guard let variant = preparation.scenario.variant(named: file.variant),
            let setting = try? preparation.setting(variant, seed: file.seed)
                .reduced(by: file.reduction)
        else { return [] }
        return setting.faultLines.map(\.text)
    }

    /// What happened right before the first violation; `nil` for a crash, of which nothing is left.
    private func timeline(_ group: FailureGroup) throws -> Timeline? {
        let place = group.first
        let result = outcome.results.first { $0.seed == place.seed && $0.variant == place.variant }
        guard let failed = result?.failedAt else { return nil }
        let from = max(.zero, failed - ChaosReportText.span)
        let order = SeedOrder(
            variant: place.variant,
            seed: place.seed,
            reduction: Reduction(until: failed),
            window: SeedOrder.Window(from: from, until: failed)
        )
        return try workers.run(order, 0, { Interrupt.isRequested })?.timeline
    }
}
