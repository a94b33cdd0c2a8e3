import Measurements
import Statistics

/// What `chaos --json` prints. The keys are a contract with scripts; optional values are printed as
/// `null`, never left out.
public struct ChaosDocument: Sendable, Encodable {
    private let judgement: ChaosJudgement
    private let commit: String
    private let store: String
    private let report: String?
    private let reused: Int
    private let realSeconds: Double

    /// - Parameters:
    ///   - reused: Seeds that were in the archive already.
    ///   - realSeconds: What the command took.
    public init(
        _ judgement: ChaosJudgement,
        commit: String,
        store: String,
        report: String?,
        reused: Int,
        realSeconds: Double
    ) {
        self.judgement = judgement
        self.commit = commit
        self.store = store
        self.report = report
        self.reused = reused
        self.realSeconds = realSeconds
    }

    private struct Group: Encodable {
        let kind: String
        let rule: String
        let shape: String
        let example: String
        let count: Int
        let variant: String
        let firstSeed: UInt64
        let seeds: [UInt64]
        let failedAtSeconds: Double?

        private enum Keys: CodingKey {
            case kind, rule, shape, example, count, variant, firstSeed, seeds, failedAtSeconds
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Keys.self)
            try container.encode(kind, forKey: .kind)
            try container.encode(rule, forKey: .rule)
            try container.encode(shape, forKey: .shape)
            try container.encode(example, forKey: .example)
            try container.encode(count, forKey: .count)
            try container.encode(variant, forKey: .variant)
            try container.encode(firstSeed, forKey: .firstSeed)
            try container.encode(seeds, forKey: .seeds)
            try container.encode(failedAtSeconds, forKey: .failedAtSeconds)
        }
    }

    private struct Rate: Encodable {
        let value: Double
        let low: Double
        let high: Double
        let bound: Double
    }

    private struct Determinism: Encodable {
        let compared: Int
        let equal: Int
        let firstDifference: String?

        private enum Keys: CodingKey { case compared, equal, firstDifference }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Keys.self)
            try container.encode(compared, forKey: .compared)
            try container.encode(equal, forKey: .equal)
            try container.encode(firstDifference, forKey: .firstDifference)
        }
    }

    private enum Keys: CodingKey {
        case verdict, exitCode, exitCodes, reasons, scenario, commit, store, report, seeds, checked
        case reused, failing, rate, groups, determinism, faults, sometimes, sightings, invariants
        case warnings, simulatedSeconds, events, realSeconds
    }

    /// Of more failing seeds than these of one kind the rest is only counted.
    private static let seedLimit = 1_000

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        let verdict = judgement.verdict
        try container.encode(verdict.word.rawValue, forKey: .verdict)
        try container.encode(verdict.exitCode, forKey: .exitCode)
        try container.encode(verdict.allCodes.map(\.rawValue), forKey: .exitCodes)
        try container.encode(verdict.sentences, forKey: .reasons)
        try container.encode(judgement.scenario, forKey: .scenario)
        try container.encode(commit, forKey: .commit)
        try container.encode(store, forKey: .store)
        try container.encode(report, forKey: .report)
        try container.encode(judgement.seeds, forKey: .seeds)
        try container.encode(judgement.checked, forKey: .checked)
        try container.encode(reused, forKey: .reused)
        try container.encode(judgement.failing, forKey: .failing)
        let rate = judgement.rate.map {
            Rate(
                value: $0.value,
                low: $0.low,
                high: $0.high,
                bound: (judgement.rateBoundPercent ?? 100) / 100
            )
        }
        try container.encode(rate, forKey: .rate)
        try container.encode(judgement.groups.map(ChaosDocument.group), forKey: .groups)
        let check = judgement.determinism
        try container.encode(
            Determinism(
                compared: check.compared,
                equal: check.equal,
                firstDifference: check.firstDifference
            ),
            forKey: .determinism
        )
        try container.encode(judgement.faults, forKey: .faults)
        try container.encode(judgement.sometimes, forKey: .sometimes)
        try container.encode(judgement.sightings, forKey: .sightings)
        try container.encode(judgement.checks, forKey: .invariants)
        try container.encode(judgement.warnings, forKey: .warnings)
        try container.encode(judgement.simulatedSeconds, forKey: .simulatedSeconds)
        try container.encode(judgement.events, forKey: .events)
        try container.encode(realSeconds, forKey: .realSeconds)
    }

    private static func group(_ group: FailureGroup) -> Group {
        Group(
            kind: group.signature.kind.rawValue,
            rule: group.signature.rule,
            shape: group.signature.shape,
            example: group.example,
            count: group.places.count,
            variant: group.first.variant,
            firstSeed: group.first.seed,
            seeds: group.places.prefix(seedLimit).map(\.seed),
            failedAtSeconds: group.failedAt
        )
    }
}
