import Foundation
import GRDB
import Measurements
import Units

/// Puts the rows of a run together again. A row that contradicts itself is reported as damage.
struct RunReader {
    let database: Database
    let path: String

    func record(_ row: Row) throws -> RunRecord {
        let id: Int64 = try row.value("id")
        let outcome = ArchivedOutcome.outcome(
            word: try row.value("outcome"),
            message: try row.value("message")
        )
        guard let outcome, let environment = EnvironmentKind(rawValue: try row.value("environment"))
        else {
            throw damage("run \(id) has an unknown outcome or environment")
        }
        return RunRecord(
            key: RunKey(
                scenario: try row.value("name"),
                scenarioDigest: try row.value("digest"),
                variant: try row.value("variant"),
                seed: UInt64(bitPattern: try row.value("seed")),
                environment: environment
            ),
            commit: try row.value("commit_name"),
            fingerprint: try row.value("fingerprint"),
            checkpoints: try checkpoints(id),
            outcome: outcome,
            events: UInt64(clamping: try row.value("events") as Int64),
            simulatedSeconds: try row.value("simulated_seconds"),
            kernelSeconds: try row.value("kernel_seconds"),
            workSeconds: try row.value("work_seconds"),
            realSeconds: try row.value("real_seconds"),
            peakMemoryBytes: UInt64(clamping: try row.value("peak_memory_bytes") as Int64),
            metrics: try metrics(id),
            series: try series(id),
            histograms: try histograms(id),
            faults: try faults(id),
            invariants: try invariants(id),
            markers: try markers(id),
            spans: try spans(id),
            facts: try rows("fact", id, order: "sequence").map {
                try Fact($0.value("key"), $0.value("value"))
            }
        )
    }

    private func rows(_ table: String, _ id: Int64, order: String) throws -> [Row] {
        let statement = try database.cachedStatement(
            sql: "SELECT * FROM \(table) WHERE run_id = ? ORDER BY \(order)"
        )
        return try Row.fetchAll(statement, arguments: [id])
    }

    private func damage(_ detail: String) -> StoreError {
        .corrupted(path: path, detail: detail)
    }

    private func labels(_ row: Row) throws -> [Label] {
        guard let labels = ArchivedText.labels(from: try row.value("labels")) else {
            throw damage("labels \(try row.value("labels") as String) are no JSON object of texts")
        }
        return labels
    }

    private func metrics(_ id: Int64) throws -> [MetricValue] {
        try rows("metric_value", id, order: "metric, labels").map { row in
            let stored = ArchivedSamples(
                text: try row.value("samples"),
                packed: try row.value("packed_samples"),
                distribution: try row.value("distribution")
            )
            guard let samples = stored.samples(count: try row.value("sample_count")) else {
                throw damage("the samples of \(try row.value("metric") as String) do not unpack")
            }
            var bound: PhysicalBound?
            let word: String? = try row.value("bound_side")
            if let side = word.flatMap(BoundSide.init) {
                bound = PhysicalBound(
                    side,
                    try row.value("bound_limit") ?? .nan,
                    derivation: try row.value("bound_derivation")
                )
            }
            return MetricValue(
                metric: try row.value("metric"),
                labels: try labels(row),
                value: try row.value("value") ?? .nan,
                bound: bound,
                samples: samples
            )
        }
    }

    private func series(_ id: Int64) throws -> [Series] {
        try rows("series", id, order: "name, labels").map { row in
            let blob: Data = try row.value("buckets")
            let width: Int64 = try row.value("width_ns")
            let count: Int = try row.value("bucket_count")
            guard width > 0, count <= Series.bucketLimit,
                let kind = Series.Kind(rawValue: try row.value("kind")),
                let values = PackedColumn.unpackDoubles([UInt8](blob), count: count)
            else {
                throw damage("the series \(try row.value("name") as String) does not unpack")
            }
            return Series(
                name: try row.value("name"),
                unit: try row.value("unit"),
                labels: try labels(row),
                kind: kind,
                start: Instant(nanoseconds: try row.value("start_ns")),
                width: Interval(nanoseconds: width),
                values: values
            )
        }
    }

    private func histograms(_ id: Int64) throws -> [NamedHistogram] {
        try rows("histogram", id, order: "name, labels").map { row in
            let blob: Data = try row.value("counts")
            guard
                let histogram = ArchivedDistribution.histogram(
                    try row.value("distribution"),
                    [UInt8](blob)
                )
            else {
                throw damage("the histogram \(try row.value("name") as String) does not unpack")
            }
            return NamedHistogram(
                name: try row.value("name"),
                unit: try row.value("unit"),
                labels: try labels(row),
                histogram: histogram
            )
        }
    }

    private func markers(_ id: Int64) throws -> [Marker] {
        try rows("event", id, order: "sequence").map { row in
            guard let fields = ArchivedText.decoded([Field].self, try row.value("fields")) else {
                throw damage("the fields of event \(try row.value("kind") as String) are malformed")
            }
            return Marker(
                time: Instant(nanoseconds: try row.value("time_ns")),
                node: try row.value("node"),
                kind: try row.value("kind"),
                text: row.hasColumn("text") ? try row.value("text") : "",
                fields: fields
            )
        }
    }

    /// An archive that an older laboratory wrote and that cannot be migrated has no such table.
    private func spans(_ id: Int64) throws -> [Span] {
        guard try database.tableExists("span") else { return [] }
        return try rows("span", id, order: "sequence").map { row in
            let name: String = try row.value("name")
            let start: Int64 = try row.value("start_ns")
            let end: Int64 = try row.value("end_ns")
            // Far from the ends of the clock, so that nobody's arithmetic on times overflows.
            guard start <= end, start > .min / 4, end < .max / 4,
                let outcome = Span.Outcome(rawValue: try row.value("outcome")),
                let fields = ArchivedText.decoded([Field].self, try row.value("fields"))
            else {
                throw damage("the span \(name) contradicts itself")
            }
            return Span(
                lane: try row.value("lane"),
                name: name,
                group: try row.value("group_name"),
                start: Instant(nanoseconds: start),
                end: Instant(nanoseconds: end),
                outcome: outcome,
                isCritical: try row.value("is_critical"),
                fields: fields
            )
        }
    }

    private func checkpoints(_ id: Int64) throws -> [Checkpoint] {
        try rows("checkpoint", id, order: "sequence").map { row in
            Checkpoint(
                time: Instant(nanoseconds: try row.value("time_ns")),
                fingerprint: try row.value("fingerprint")
            )
        }
    }

    private func faults(_ id: Int64) throws -> [FaultRecord] {
        try rows("fault", id, order: "sequence").map { row in
            FaultRecord(
                kind: try row.value("kind"),
                target: try row.value("target"),
                planned: Instant(nanoseconds: try row.value("planned_ns")),
                fired: (try row.value("fired_ns") as Int64?).map { Instant(nanoseconds: $0) },
                healed: (try row.value("healed_ns") as Int64?).map { Instant(nanoseconds: $0) }
            )
        }
    }

    private func invariants(_ id: Int64) throws -> [InvariantOutcome] {
        let violations = try rows("violation", id, order: "invariant, sequence")
        return try rows("invariant", id, order: "sequence").map { row in
            let sequence: Int64 = try row.value("sequence")
            guard let kind = InvariantOutcome.Kind(rawValue: try row.value("kind")) else {
                throw damage("invariant \(try row.value("name") as String) has an unknown kind")
            }
            return InvariantOutcome(
                name: try row.value("name"),
                kind: kind,
                checked: UInt64(clamping: try row.value("checked") as Int64),
                violations: try violations.filter { try $0.value("invariant") == sequence }.map {
                    try Violation(
                        time: Instant(nanoseconds: $0.value("time_ns")),
                        message: $0.value("message")
                    )
                },
                violationCount: UInt64(clamping: try row.value("violation_count") as Int64)
            )
        }
    }
}

extension Row {
    /// The value of a column. A damaged file can hold what the schema forbids, so this throws where
    /// the library's subscript would trap.
    func value<Value: DatabaseValueConvertible>(_ column: String) throws -> Value {
        try decode(Value.self, forColumn: column)
    }
}
