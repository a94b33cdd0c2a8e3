import ArgumentParser
import Foundation
import Measurements
import ResultsStore

struct RunsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runs",
        abstract: "Lists archived replications, newest first, or queries the archive.",
        discussion: """
            Examples:
              novalab runs --scenario wan-migration --limit 20
              novalab runs --sql 'SELECT metric, avg(value) FROM metric_value GROUP BY metric'
              novalab runs --json
            """
    )

    @Option(help: "The archive; reports/results.sqlite without it.")
    var store: String?

    @Option(help: "Only runs of this scenario.")
    var scenario: String?

    @Option(help: "Only runs of this variant.")
    var variant: String?

    @Option(help: "Only runs of this commit.")
    var commit: String?

    @Option(help: "The most lines.")
    var limit = 50

    @Option(help: "A query to run instead; it cannot change anything.")
    var sql: String?

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit is at least 1") }
    }

    func run() throws {
        let path = store ?? LabFolders.current.store
        let archive = try Archive.reading(path)
        let result = try Archive.attempt { () throws(StoreError) -> QueryResult in
            if let sql { return try archive.query(sql, limit: limit) }
            let filter = RunFilter(
                scenario: scenario,
                variant: variant,
                commit: commit,
                limit: limit
            )
            return RunsCommand.table(try archive.runs(filter))
        }
        print(json ? try RunsCommand.json(result) : RunsCommand.text(result))
    }

    private static func table(_ runs: [RunListing]) -> QueryResult {
        QueryResult(
            columns: [
                "recorded", "scenario", "environment", "variant", "seed", "outcome", "events",
                "seconds", "fingerprint", "commit", "plan",
            ],
            rows: runs.map { run in
                [
                    run.recordedAt, run.scenario, run.environment.rawValue, run.variant,
                    "\(run.seed)", run.outcome, "\(run.events)", "\(run.simulatedSeconds)",
                    String(run.fingerprint.prefix(12)), String(run.commit.prefix(12)),
                    String(run.plan.prefix(12)),
                ]
            },
            isTruncated: false
        )
    }

    private static func text(_ result: QueryResult) -> String {
        let rows = [result.columns] + result.rows.map { $0.map { $0 ?? "NULL" } }
        let widths = result.columns.indices.map { column in
            rows.map { $0[column].count }.max() ?? 0
        }
        var lines = rows.map { row in
            zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
                .joined(separator: "  ")
        }
        if result.isTruncated { lines.append("… more rows; raise --limit") }
        return lines.joined(separator: "\n")
    }

    private static func json(_ result: QueryResult) throws -> String {
        let rows = result.rows.map { row in
            Dictionary(
                zip(result.columns, row.map { $0 ?? "" }),
                uniquingKeysWith: { first, _ in first }
            )
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(rows), as: UTF8.self)
    }
}
