import Foundation
import GRDB
public import Measurements
import Units

extension ResultsArchive {
    /// Makes the plan known; doing so again changes nothing.
    public func register(_ plan: ArchivedPlan) throws(StoreError) {
        try write { database in
            _ = try ResultsArchive.identifier(of: plan, database)
        }
    }

    /// Writes one replication in one transaction; the plan is registered with it when it is new.
    ///
    /// - Parameter replacing: Whether a run of the same variant and seed is replaced; otherwise it is
    ///   an error.
    /// - Throws: ``StoreError/duplicate(variant:seed:)``, or ``StoreError/rejected(detail:)`` when
    ///   the record belongs to another plan, was interrupted, or breaks a constraint. Nothing of the
    ///   run is in the archive then.
    public func record(
        _ run: RunRecord,
        in plan: ArchivedPlan,
        replacing: Bool = false
    ) throws(StoreError) {
        guard run.key.scenarioDigest == plan.scenarioDigest, run.commit == plan.commit,
            run.key.environment == plan.environment, run.key.scenario == plan.scenario
        else {
            throw .rejected(
                detail: "run \(run.key.variant)/seed \(run.key.seed) belongs to another plan"
            )
        }
        guard run.outcome != .interrupted else {
            throw .rejected(
                detail: "run \(run.key.variant)/seed \(run.key.seed) was interrupted"
            )
        }
        try write { database in
            let planID = try ResultsArchive.identifier(of: plan, database)
            let key: StatementArguments = [
                planID, run.key.variant, Int64(bitPattern: run.key.seed),
            ]
            if replacing {
                try database.execute(
                    sql: "DELETE FROM run WHERE plan_id = ? AND variant = ? AND seed = ?",
                    arguments: key
                )
            } else if try Bool.fetchOne(
                database,
                sql: "SELECT 1 FROM run WHERE plan_id = ? AND variant = ? AND seed = ?",
                arguments: key
            ) == true {
                throw StoreError.duplicate(variant: run.key.variant, seed: run.key.seed)
            }
            let writer = RunWriter(database: database, run: run)
            try writer.write(plan: planID)
        }
    }

    /// Notes that a file, such as a report, belongs to a plan; doing so again changes nothing.
    public func recordArtifact(
        kind: String,
        path file: String,
        of plan: ArchivedPlan
    ) throws(StoreError) {
        try write { database in
            let planID = try ResultsArchive.identifier(of: plan, database)
            try database.execute(
                sql: "INSERT OR IGNORE INTO artifact (plan_id, kind, path) VALUES (?, ?, ?)",
                arguments: [planID, kind, file]
            )
        }
    }

    static func identifier(of plan: ArchivedPlan, _ database: Database) throws -> Int64 {
        let identity = plan.identity
        let known = try Int64.fetchOne(
            database,
            sql: "SELECT id FROM plan WHERE identity = ?",
            arguments: [identity]
        )
        if let known { return known }
        try database.execute(
            sql: "INSERT OR IGNORE INTO scenario (name, digest, source) VALUES (?, ?, ?)",
            arguments: [plan.scenario, plan.scenarioDigest, plan.scenarioSource]
        )
        try database.execute(
            sql: """
                INSERT INTO plan (identity, scenario_id, commit_name, environment,
                    hardware_profile, hardware_digest)
                SELECT ?, id, ?, ?, ?, ? FROM scenario WHERE digest = ?
                """,
            arguments: [
                identity, plan.commit, plan.environment.rawValue, plan.hardwareProfile,
                plan.hardwareDigest, plan.scenarioDigest,
            ]
        )
        let planID = database.lastInsertedRowID
        for set in plan.dataSets {
            try database.execute(
                sql: "INSERT INTO plan_data_set (plan_id, name, digest) VALUES (?, ?, ?)",
                arguments: [planID, set.name, set.digest]
            )
        }
        return planID
    }
}

/// Writes the rows of one run inside a transaction that its caller holds.
private struct RunWriter {
    let database: Database
    let run: RunRecord

    func write(plan: Int64) throws {
        let id = try writeRun(plan: plan)
        for value in run.metrics { try write(value, id) }
        for series in run.series { try write(series, id) }
        for histogram in run.histograms { try write(histogram, id) }
        try writeMarkers(id)
        try writeSpans(id)
        try writeFaults(id)
        try writeInvariants(id)
        for (sequence, checkpoint) in run.checkpoints.enumerated() {
            try insert(
                "checkpoint (run_id, sequence, time_ns, fingerprint)",
                [id, sequence, checkpoint.time.nanoseconds, checkpoint.fingerprint]
            )
        }
        for (sequence, fact) in run.facts.enumerated() {
            try insert(
                "fact (run_id, sequence, key, value)",
                [id, sequence, fact.key, fact.value]
            )
        }
    }

    /// `target` names the table and its columns; each column takes one argument.
    private func insert(_ target: String, _ arguments: StatementArguments) throws {
        let columns = target.count { $0 == "," } + 1
        let marks = Array(repeating: "?", count: columns).joined(separator: ", ")
        let statement = try database.cachedStatement(
            sql: "INSERT INTO \(target) VALUES (\(marks))"
        )
        try statement.execute(arguments: arguments)
    }

    private func writeRun(plan: Int64) throws -> Int64 {
        let (outcome, message) = ArchivedOutcome.columns(of: run.outcome)
        try insert(
            """
            run (plan_id, variant, seed, outcome, message, fingerprint, events, simulated_seconds,
            kernel_seconds, work_seconds, real_seconds, peak_memory_bytes)
            """,
            [
                plan, run.key.variant, Int64(bitPattern: run.key.seed), outcome, message,
                run.fingerprint, Int64(clamping: run.events), run.simulatedSeconds,
                run.kernelSeconds, run.workSeconds, run.realSeconds,
                Int64(clamping: run.peakMemoryBytes),
            ]
        )
        return database.lastInsertedRowID
    }

    private func write(_ value: MetricValue, _ id: Int64) throws {
        let stored = ArchivedSamples(value.samples)
        let extremes = value.extremes
        try insert(
            """
            metric_value (run_id, metric, labels, value, bound_side, bound_limit, bound_derivation,
            sample_count, sample_minimum, sample_maximum, samples, packed_samples, distribution)
            """,
            [
                id, value.metric, ArchivedText.labels(value.labels), value.value,
                value.bound?.side.rawValue, value.bound?.limit, value.bound?.derivation,
                value.sampleCount, extremes?.minimum, extremes?.maximum, stored.text,
                stored.packed, stored.distribution,
            ]
        )
    }

    private func write(_ series: Series, _ id: Int64) throws {
        try insert(
            """
            series (run_id, name, labels, unit, kind, start_ns, width_ns, bucket_count, buckets)
            """,
            [
                id, series.name, ArchivedText.labels(series.labels), series.unit,
                series.kind.rawValue, series.start.nanoseconds, series.width.nanoseconds,
                series.values.count, Data(PackedColumn.pack(series.values)),
            ]
        )
    }

    private func write(_ named: NamedHistogram, _ id: Int64) throws {
        try insert(
            "histogram (run_id, name, labels, unit, distribution, counts)",
            [
                id, named.name, ArchivedText.labels(named.labels), named.unit,
                ArchivedText.encoded(ArchivedDistribution(named.histogram)),
                Data(PackedColumn.pack(named.histogram.counts)),
            ]
        )
    }

    private func writeMarkers(_ id: Int64) throws {
        for (sequence, marker) in run.markers.prefix(RunRecord.markerLimit).enumerated() {
            let columns = "run_id, sequence, time_ns, node, kind, fields"
            let values: StatementArguments = [
                id, sequence, marker.time.nanoseconds, marker.node, marker.kind,
                ArchivedText.encoded(marker.fields),
            ]
            // Most events have no text; the column's default stands for it.
            if marker.text.isEmpty {
                try insert("event (\(columns))", values)
            } else {
                try insert("event (\(columns), text)", values + [marker.text])
            }
        }
    }

    private func writeSpans(_ id: Int64) throws {
        for (sequence, span) in run.spans.prefix(RunRecord.spanLimit).enumerated() {
            try insert(
                """
                span (run_id, sequence, lane, name, group_name, start_ns, end_ns, outcome,
                is_critical, fields)
                """,
                [
                    id, sequence, span.lane, span.name, span.group, span.start.nanoseconds,
                    span.end.nanoseconds, span.outcome.rawValue, span.isCritical,
                    ArchivedText.encoded(span.fields),
                ]
            )
        }
    }

    private func writeFaults(_ id: Int64) throws {
        for (sequence, fault) in run.faults.enumerated() {
            try insert(
                "fault (run_id, sequence, kind, target, planned_ns, fired_ns, healed_ns)",
                [
                    id, sequence, fault.kind, fault.target, fault.planned.nanoseconds,
                    fault.fired?.nanoseconds, fault.healed?.nanoseconds,
                ]
            )
        }
    }

    private func writeInvariants(_ id: Int64) throws {
        for (sequence, invariant) in run.invariants.enumerated() {
            try insert(
                "invariant (run_id, sequence, name, kind, checked, violation_count)",
                [
                    id, sequence, invariant.name, invariant.kind.rawValue,
                    Int64(clamping: invariant.checked),
                    Int64(clamping: invariant.violationCount),
                ]
            )
            for (number, violation) in invariant.violations.enumerated() {
                try insert(
                    "violation (run_id, invariant, sequence, time_ns, message)",
                    [id, sequence, number, violation.time.nanoseconds, violation.message]
                )
            }
        }
    }
}
