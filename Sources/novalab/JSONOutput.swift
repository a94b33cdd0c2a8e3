import DataSets
import Experiments
import Foundation
import Judging
import Measurements
import Scenarios
import Units

/// What commands print with `--json`. The keys are a contract with scripts, listed in
/// docs/json-output.md; optional values are printed as `null`, never left out.
enum JSONOutput {
    static func print(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        Swift.print(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    /// An optional value that is printed as `null` when there is none.
    struct Nullable<Value: Encodable>: Encodable {
        let value: Value?

        init(_ value: Value?) {
            self.value = value
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            if let value { try container.encode(value) } else { try container.encodeNil() }
        }
    }
}

/// `check --json`: one a file.
struct CheckedFile: Encodable {
    let file: String
    let isValid: Bool
    let scenario: JSONOutput.Nullable<Summary>
    let errors: [Fault]

    struct Summary: Encodable {
        let name: String
        let workload: String
        let environment: String
        let seed: UInt64
        let digest: String
        let variants: [String]
        let targets: Int
        let invariants: [String]
        /// What will run, every default filled in; only with `--resolved`.
        let resolved: JSONOutput.Nullable<String>
    }

    struct Fault: Encodable {
        let category: String
        let line: Int
        let column: Int
        let path: String
        let message: String
        let expected: JSONOutput.Nullable<String>
        let suggestion: JSONOutput.Nullable<String>
    }

    init(_ file: String, _ scenario: Scenario, isResolved: Bool) {
        self.file = file
        isValid = true
        self.scenario = JSONOutput.Nullable(
            Summary(
                name: scenario.name,
                workload: scenario.workload.kind.rawValue,
                environment: scenario.environment.rawValue,
                seed: scenario.seed,
                digest: scenario.digest,
                variants: scenario.variants.map(\.name),
                targets: scenario.targets.count,
                invariants: scenario.invariants.map(\.rawValue),
                resolved: JSONOutput.Nullable(isResolved ? scenario.resolvedText : nil)
            )
        )
        errors = []
    }

    init(_ file: String, _ error: ScenarioError) {
        self.file = file
        isValid = false
        scenario = JSONOutput.Nullable(nil)
        errors = error.diagnostics.map { diagnostic in
            Fault(
                category: diagnostic.category.rawValue,
                line: diagnostic.location.line,
                column: diagnostic.location.column,
                path: diagnostic.path,
                message: diagnostic.message,
                expected: JSONOutput.Nullable(diagnostic.expected),
                suggestion: JSONOutput.Nullable(diagnostic.suggestion)
            )
        }
    }
}

/// `dataset list --json`: one a data set.
struct ListedDataSet: Encodable {
    let name: String
    let place: String
    let path: String
    /// Figures are `null` for a set that is not there yet or cannot be read.
    let memoryBytes: JSONOutput.Nullable<UInt64>
    let pages: JSONOutput.Nullable<Int>
    let snapshots: JSONOutput.Nullable<Int>
    let sha256: JSONOutput.Nullable<String>
    let error: JSONOutput.Nullable<String>

    init(_ entry: DataSetCatalogue.Entry) {
        name = entry.name
        place = entry.place.rawValue
        path = entry.path
        var header: MemoryDataSetFile.Header?
        var problem: String?
        switch entry.header {
        case .success(let found)?: header = found
        case .failure(let failure)?: problem = failure.description
        case nil: break
        }
        memoryBytes = JSONOutput.Nullable(
            header.map { UInt64($0.pageCount) * UInt64(MemoryDataSet.pageSize) }
        )
        pages = JSONOutput.Nullable(header?.pageCount)
        snapshots = JSONOutput.Nullable(header.map { $0.gaps.count + 1 })
        sha256 = JSONOutput.Nullable(header?.digest.description)
        error = JSONOutput.Nullable(problem)
    }

    /// A trace of rates has none of an image's figures.
    init(trace name: String, path: String) {
        self.name = name
        self.path = path
        place = "trace"
        memoryBytes = JSONOutput.Nullable(nil)
        pages = JSONOutput.Nullable(nil)
        snapshots = JSONOutput.Nullable(nil)
        sha256 = JSONOutput.Nullable(nil)
        error = JSONOutput.Nullable(nil)
    }
}

/// `replay --json`: one a variant.
struct ReplayedRun: Encodable {
    let variant: String
    let seed: UInt64
    let outcome: String
    let events: UInt64
    let simulatedSeconds: Double
    let fingerprint: String
    /// `equal`, `different`, or `none` when no archived run could be compared.
    let comparison: String
    let archivedFingerprint: JSONOutput.Nullable<String>
    /// Of runs that differ: the first checkpoint that does, in seconds; `null` when only the end does.
    let firstDifferenceSeconds: JSONOutput.Nullable<Double>

    init(_ record: RunRecord, _ comparison: ReplayComparison, before: RunRecord?) {
        variant = record.key.variant
        seed = record.key.seed
        outcome = record.outcomeText
        events = record.events
        simulatedSeconds = record.simulatedSeconds
        fingerprint = record.fingerprint
        self.comparison =
            before == nil ? "none" : comparison.isDifferent ? "different" : "equal"
        archivedFingerprint = JSONOutput.Nullable(before?.fingerprint)
        firstDifferenceSeconds = JSONOutput.Nullable(
            comparison.isDifferent ? comparison.firstDifference?.seconds : nil
        )
    }
}

/// `report --json`.
struct WrittenReport: Encodable {
    let report: String
    let scenario: String
    let plan: String
    let commit: String
    let environment: String
    let runs: Int
    let verdict: String
    let exitCode: Int
}
