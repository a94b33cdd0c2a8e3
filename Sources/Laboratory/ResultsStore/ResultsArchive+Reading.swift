import Foundation
import GRDB
public import Measurements
import Units

/// A run that the archive holds.
public struct RecordedRun: Hashable, Sendable {
    public let variant: String
    public let seed: UInt64
    public let fingerprint: String
}

extension ResultsArchive {
    /// The runs of a plan that need not run again, by variant and seed; empty for an unknown plan.
    /// `--resume` leaves these out.
    public func completedRuns(of plan: ArchivedPlan) throws(StoreError) -> [RecordedRun] {
        let identity = plan.identity
        return try read { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT run.variant, run.seed, run.fingerprint
                    FROM plan JOIN run ON run.plan_id = plan.id
                    WHERE plan.identity = ?
                    """,
                arguments: [identity]
            )
            return try rows.map {
                try RecordedRun(
                    variant: $0.value("variant"),
                    seed: UInt64(bitPattern: $0.value("seed")),
                    fingerprint: $0.value("fingerprint")
                )
            }.sorted { ($0.variant, $0.seed) < ($1.variant, $1.seed) }
        }
    }

    /// The plan of this identity.
    public func loadPlan(_ identity: String) throws(StoreError) -> ArchivedPlan {
        try read { database in
            let row = try Row.fetchOne(
                database,
                sql: """
                    SELECT plan.id, scenario.name, scenario.digest, scenario.source, commit_name,
                        environment, hardware_profile, hardware_digest
                    FROM plan JOIN scenario ON scenario.id = plan.scenario_id
                    WHERE plan.identity = ?
                    """,
                arguments: [identity]
            )
            guard let row,
                let environment = EnvironmentKind(rawValue: try row.value("environment"))
            else {
                throw StoreError.unknownPlan(identity: identity)
            }
            let planID: Int64 = try row.value("id")
            let sets = try Row.fetchAll(
                database,
                sql: "SELECT name, digest FROM plan_data_set WHERE plan_id = ?",
                arguments: [planID]
            )
            return try ArchivedPlan(
                scenario: try row.value("name"),
                scenarioDigest: try row.value("digest"),
                scenarioSource: try row.value("source"),
                commit: try row.value("commit_name"),
                environment: environment,
                hardwareProfile: try row.value("hardware_profile"),
                hardwareDigest: try row.value("hardware_digest"),
                dataSets: sets.map {
                    try ArchivedPlan.DataSet(name: $0.value("name"), digest: $0.value("digest"))
                }
            )
        }
    }

    /// The identities of the plans of a scenario, the one with the latest run first.
    public func plans(ofScenario name: String) throws(StoreError) -> [String] {
        try read { database in
            try String.fetchAll(
                database,
                sql: """
                    SELECT plan.identity FROM scenario
                    JOIN plan ON plan.scenario_id = scenario.id
                    LEFT JOIN run ON run.plan_id = plan.id
                    WHERE scenario.name = ?
                    GROUP BY plan.id
                    ORDER BY max(coalesce(run.recorded_at, plan.created_at)) DESC, plan.id DESC
                    """,
                arguments: [name]
            )
        }
    }

    /// The identities that begin with `digits`; at most two, which is enough to know that they are
    /// not unique.
    public func plans(startingWith digits: String) throws(StoreError) -> [String] {
        try read { database in
            try String.fetchAll(
                database,
                sql: "SELECT identity FROM plan WHERE substr(identity, 1, ?) = ? LIMIT 2",
                arguments: [digits.count, digits]
            )
        }
    }

    /// The runs that match, newest first.
    public func runs(_ filter: RunFilter) throws(StoreError) -> [RunListing] {
        var conditions: [String] = []
        var arguments: [String] = []
        for (column, wanted) in [
            ("scenario.name", filter.scenario), ("run.variant", filter.variant),
            ("plan.commit_name", filter.commit), ("plan.identity", filter.plan),
        ] {
            guard let wanted else { continue }
            conditions.append("\(column) = ?")
            arguments.append(wanted)
        }
        let clause = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        let limit = filter.limit
        let values = arguments
        return try read { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT plan.identity, scenario.name, plan.environment, plan.commit_name,
                        run.variant, run.seed, run.outcome, run.fingerprint, run.events,
                        run.simulated_seconds, run.real_seconds, run.recorded_at
                    FROM run JOIN plan ON plan.id = run.plan_id
                    JOIN scenario ON scenario.id = plan.scenario_id
                    \(clause) ORDER BY run.id DESC LIMIT \(limit)
                    """,
                arguments: StatementArguments(values)
            )
            return try rows.compactMap(RunListing.init)
        }
    }

    /// The files noted for a plan, oldest first, as (kind, path).
    public func artifacts(
        ofPlan identity: String
    ) throws(StoreError) -> [(kind: String, path: String)] {
        try read { database in
            // Not in archives of the first version.
            guard try database.tableExists("artifact") else { return [] }
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT artifact.kind, artifact.path
                    FROM plan JOIN artifact ON artifact.plan_id = plan.id
                    WHERE plan.identity = ? ORDER BY artifact.id
                    """,
                arguments: [identity]
            )
            return try rows.map { (try $0.value("kind"), try $0.value("path")) }
        }
    }

    /// Every run of a plan as it was recorded, by variant and seed.
    public func records(ofPlan identity: String) throws(StoreError) -> [RunRecord] {
        let file = path
        return try read { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT run.*, scenario.name, scenario.digest, plan.commit_name,
                        plan.environment
                    FROM plan JOIN run ON run.plan_id = plan.id
                    JOIN scenario ON scenario.id = plan.scenario_id
                    WHERE plan.identity = ?
                    """,
                arguments: [identity]
            )
            let reader = RunReader(database: database, path: file)
            return try rows.map(reader.record)
                .sorted { ($0.key.variant, $0.key.seed) < ($1.key.variant, $1.key.seed) }
        }
    }
}

extension RunListing {
    /// `nil` for an environment that this build does not know.
    init?(_ row: Row) throws {
        guard let environment = EnvironmentKind(rawValue: try row.value("environment")) else {
            return nil
        }
        plan = try row.value("identity")
        scenario = try row.value("name")
        self.environment = environment
        commit = try row.value("commit_name")
        variant = try row.value("variant")
        seed = UInt64(bitPattern: try row.value("seed"))
        outcome = try row.value("outcome")
        fingerprint = try row.value("fingerprint")
        events = UInt64(clamping: try row.value("events") as Int64)
        simulatedSeconds = try row.value("simulated_seconds")
        realSeconds = try row.value("real_seconds")
        recordedAt = try row.value("recorded_at")
    }
}
