public import Measurements
public import Statistics
import Units

/// The verdict of a chaos campaign with all that led to it.
public struct ChaosJudgement: Sendable {
    public let scenario: String
    public let verdict: Verdict
    /// The weightiest first, then the most frequent.
    public let groups: [FailureGroup]
    /// Seeds that ran, and those of them that speak against the code under test.
    public let seeds: Int
    public let failing: Int
    /// Seeds that say something: all but those that were cut short, and where invariants are sampled, those
    /// drawn to have them checked.
    public let decided: Int
    /// Seeds that were drawn to have all invariants checked; `nil` where that is every seed's duty.
    public let checked: Int?
    /// The share of failing seeds among the decided with its 95 % interval (Clopper–Pearson); `nil`
    /// without a decided seed.
    public let rate: Estimate?
    public let determinism: DeterminismCheck
    /// Over all seeds, by kind.
    public let faults: [SeedResult.FaultTally]
    /// How often each event was met that must be met, in the order of the scenario.
    public let sometimes: [SeedResult.Sighting]
    /// Everything that was met, by name.
    public let sightings: [SeedResult.Sighting]
    /// How often each invariant was checked over all seeds, by name.
    public let checks: [SeedResult.Sighting]
    public let warnings: [String]
    public let simulatedSeconds: Double
    public let events: UInt64

    public init(_ campaign: ChaosCampaign) {
        let results = campaign.results
        scenario = campaign.scenario
        seeds = results.count
        failing = results.count { $0.isFailing }
        groups = ChaosJudgement.groups(results)
        let judged = campaign.judged
        decided = judged.count { $0.signature?.kind != .undecided }
        checked = campaign.checkedSeeds == nil ? nil : judged.count
        let broken = judged.count { $0.isFailing }
        rate =
            decided == 0
            ? nil : ClopperPearson.share(of: broken, in: decided, confidence: 0.95)
        let repeated = results.compactMap(\.isRepeatable)
        determinism = DeterminismCheck(
            compared: repeated.count,
            equal: repeated.count { $0 },
            firstDifference: campaign.differences.first
        )
        faults = ChaosJudgement.sum(results)
        sightings = SeedResult.counted(
            results.flatMap { $0.sightings.map { ($0.name, $0.count) } }
        )
        checks = SeedResult.counted(results.flatMap { $0.checks.map { ($0.name, $0.count) } })
        // What happens where nobody looks at what comes of it, is not tested.
        let met = SeedResult.counted(
            judged.flatMap { $0.sightings.map { ($0.name, $0.count) } }
        )
        sometimes = campaign.sometimes.map { name in
            SeedResult.Sighting(name: name, count: met.first { $0.name == name }?.count ?? 0)
        }
        simulatedSeconds = results.reduce(0) { $0 + $1.simulatedSeconds }
        events = results.reduce(0) { $0 &+ $1.events }
        warnings = ChaosJudgement.warnings(faults, sometimes)
        verdict = ChaosJudgement.verdict(
            campaign,
            groups: groups,
            determinism: determinism,
            missed: sometimes.filter { $0.count == 0 }.map(\.name)
        )
    }

    /// The upper end of what the rate of failing seeds may be, in per cent: of no failure in N seeds
    /// 300/N (the rule of three, 95 %), otherwise the end of the interval; `nil` without a decided seed.
    public var rateBoundPercent: Double? {
        guard let rate else { return nil }
        return rate.value == 0 ? min(100, 300 / Double(decided)) : 100 * rate.high
    }

    // MARK: - Parts

    private static func groups(_ results: [SeedResult]) -> [FailureGroup] {
        var places: [FailureSignature: [SeedResult]] = [:]
        for result in results {
            if let signature = result.signature { places[signature, default: []].append(result) }
        }
        return places.map { signature, results in
            FailureGroup(
                signature: signature,
                places: results.map { FailureGroup.Place(variant: $0.variant, seed: $0.seed) },
                example: results[0].message,
                failedAt: results[0].failedAt?.seconds
            )
        }.sorted {
            guard $0.signature.kind == $1.signature.kind, $0.places.count != $1.places.count else {
                return $0.signature < $1.signature
            }
            return $0.places.count > $1.places.count
        }
    }

    private static func sum(_ results: [SeedResult]) -> [SeedResult.FaultTally] {
        var sums: [String: SeedResult.FaultTally] = [:]
        for tally in results.flatMap(\.faults) {
            var sum =
                sums[tally.kind]
                ?? SeedResult.FaultTally(kind: tally.kind, planned: 0, fired: 0, healed: 0)
            sum.planned += tally.planned
            sum.fired += tally.fired
            sum.healed += tally.healed
            sums[tally.kind] = sum
        }
        return sums.values.sorted { $0.kind < $1.kind }
    }

    private static func warnings(
        _ faults: [SeedResult.FaultTally],
        _ sometimes: [SeedResult.Sighting]
    ) -> [String] {
        faults.filter { $0.fired == 0 }.map {
            "Fault \($0.kind) was planned \($0.planned) times and never fired."
        }
            + sometimes.filter { $0.count == 0 }.map {
                "\($0.name) never happened; what it would have shown is not tested."
            }
    }

    private static func verdict(
        _ campaign: ChaosCampaign,
        groups: [FailureGroup],
        determinism: DeterminismCheck,
        missed: [String]
    ) -> Verdict {
        var findings = Findings()
        for group in groups {
            findings.add(group.signature.code, group.sentence(of: campaign.results.count))
        }
        if determinism.equal < determinism.compared {
            let place = determinism.firstDifference.map { "; first: \($0)" } ?? ""
            findings.add(
                .nondeterminism,
                "\(determinism.compared - determinism.equal) of \(determinism.compared) seeds that "
                    + "ran twice differ from their first execution\(place)."
            )
        }
        checkInvariants(campaign, &findings)
        if campaign.requiresCoverage, !missed.isEmpty {
            findings.add(
                .inconclusive,
                "The campaign never met \(missed.joined(separator: ", "))."
            )
        }
        if campaign.results.count < campaign.wanted {
            findings.add(
                .tooFewReplications,
                "\(campaign.results.count) of \(campaign.wanted) seeds ran."
            )
        }
        if findings.codes.isEmpty {
            let seeds = campaign.results.count
            let share = campaign.sampled.sorted().joined(separator: ", ")
            let sampling =
                campaign.checkedSeeds == nil
                ? "" : "; \(share) were looked at in \(campaign.judged.count) of them"
            findings.add(.go, "No seed of \(seeds) broke a promise\(sampling).")
        }
        return findings.verdict
    }

    /// An invariant of the scenario that a run did not check was not kept, only not looked at.
    private static func checkInvariants(_ campaign: ChaosCampaign, _ findings: inout Findings) {
        if campaign.checkedSeeds?.isEmpty == true {
            findings.add(
                .inconclusive,
                "None of \(campaign.results.count) seeds was drawn to have all invariants checked."
            )
        }
        for name in campaign.invariants {
            let asked = campaign.sampled.contains(name) ? campaign.judged : campaign.results
            let looked = asked.filter { $0.signature?.kind != .crash }
            let checked = looked.count { result in
                result.checks.contains { $0.name == name && $0.count > 0 }
            }
            guard checked < looked.count else { continue }
            findings.add(
                .inconclusive,
                "Invariant \(name) was checked in only \(checked) of \(looked.count) runs."
            )
        }
        if campaign.invariants.isEmpty {
            findings.add(.inconclusive, "The scenario names no invariant to judge.")
        }
    }
}

extension FailureSignature {
    /// What a failure of this kind means for a verdict.
    public var code: VerdictCode {
        switch kind {
        case .nondeterminism: .nondeterminism
        case .safety: .safetyViolation
        case .crash: .crash
        case .liveness: .livenessViolation
        case .undecided: .inconclusive
        }
    }
}

extension FailureGroup {
    func sentence(of seeds: Int) -> String {
        let share = "\(places.count) of \(seeds) seeds"
        let place = "first: seed \(first.seed)" + (example.isEmpty ? "" : ", \(example)")
        switch signature.kind {
        case .nondeterminism: return "\(share) gave two different runs; \(place)."
        case .safety: return "\(signature.rule) was violated in \(share); \(place)."
        case .crash: return "The code under test crashed in \(share); \(place)."
        case .liveness: return "\(signature.rule) was not reached in \(share); \(place)."
        case .undecided: return "\(share) were cut short; \(place)."
        }
    }
}

extension SeedResult {
    /// What went wrong, with its numbers.
    var message: String {
        guard let record else { return signature?.shape ?? "" }
        if let (_, violation) = record.firstViolation {
            return violation.map { "\($0.message) (at \($0.time))" } ?? ""
        }
        switch record.outcome {
        case .completed, .interrupted: return ""
        case .truncated(let text), .failed(let text), .safetyViolation(let text),
            .livenessViolation(let text):
            return text
        }
    }
}
