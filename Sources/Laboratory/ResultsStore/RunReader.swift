import Foundation
import GRDB
import Measurements
import Units

/// Puts the rows of a run together again. A row that contradicts itself is reported as damage.
struct RunReader {
    let database: Database
    let path: String

    func record(_ row: Row) throws -> RunRecord {
        let id: Int64 = row["id"]
        let outcome = ArchivedOutcome.outcome(word: row["outcome"], message: row["message"])
        guard let outcome, let environment = EnvironmentKind(rawValue: row["environment"]) else {
            throw damage("run \(id) has an unknown outcome or environment")
        }
        return RunRecord(
            key: RunKey(
                scenario: row["name"],
                scenarioDigest: row["digest"],
                variant: row["variant"],
                seed: UInt64(bitPattern: row["seed"]),
                environment: environment
            ),
            commit: row["commit_name"],
            fingerprint: row["fingerprint"],
            checkpoints: try checkpoints(id),
            outcome: outcome,
            events: UInt64(clamping: row["events"] as Int64),
            simulatedSeconds: row["simulated_seconds"],
            kernelSeconds: row["kernel_seconds"],
            workSeconds: row["work_seconds"],
            realSeconds: row["real_seconds"],
            peakMemoryBytes: UInt64(clamping: row["peak_memory_bytes"] as Int64),
            metrics: try metrics(id),
            series: try series(id),
            histograms: try histograms(id),
            faults: try faults(id),
            invariants: try invariants(id),
            markers: try markers(id),
            facts: try rows("fact", id, order: "sequence").map { Fact($0["key"], $0["value"]) }
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
        guard let labels = ArchivedText.labels(from: row["labels"]) else {
            throw damage("labels \(row["labels"] as String) are no JSON object of texts")
        }
        return labels
    }

    private func metrics(_ id: Int64) throws -> [MetricValue] {
        try rows("metric_value", id, order: "metric, labels").map { row in
            let stored = ArchivedSamples(
                text: row["samples"],
                packed: row["packed_samples"],
                distribution: row["distribution"]
            )
            guard let samples = stored.samples(count: row["sample_count"]) else {
                throw damage("the samples of \(row["metric"] as String) do not unpack")
            }
            var bound: PhysicalBound?
            if let word = row["bound_side"] as String?, let side = BoundSide(rawValue: word) {
                bound = PhysicalBound(
                    side,
                    row["bound_limit"] ?? .nan,
                    derivation: row["bound_derivation"]
                )
            }
            return MetricValue(
                metric: row["metric"],
                labels: try labels(row),
                value: row["value"] ?? .nan,
                bound: bound,
                samples: samples
            )
        }
    }

    private func series(_ id: Int64) throws -> [Series] {
        try rows("series", id, order: "name, labels").map { row in
            let blob: Data = row["buckets"]
            guard let kind = Series.Kind(rawValue: row["kind"]),
                let values = PackedColumn.unpackDoubles([UInt8](blob), count: row["bucket_count"])
            else {
                throw damage("the series \(row["name"] as String) does not unpack")
            }
            return Series(
                name: row["name"],
                unit: row["unit"],
                labels: try labels(row),
                kind: kind,
                start: Instant(nanoseconds: row["start_ns"]),
                width: Interval(nanoseconds: row["width_ns"]),
                values: values
            )
        }
    }

    private func histograms(_ id: Int64) throws -> [NamedHistogram] {
        try rows("histogram", id, order: "name, labels").map { row in
            let blob: Data = row["counts"]
            guard
                let histogram = ArchivedDistribution.histogram(row["distribution"], [UInt8](blob))
            else {
                throw damage("the histogram \(row["name"] as String) does not unpack")
            }
            return NamedHistogram(
                name: row["name"],
                unit: row["unit"],
                labels: try labels(row),
                histogram: histogram
            )
        }
    }

    private func markers(_ id: Int64) throws -> [Marker] {
        try rows("event", id, order: "sequence").map { row in
            guard let fields = ArchivedText.decoded([Field].self, row["fields"]) else {
                throw damage("the fields of event \(row["kind"] as String) are malformed")
            }
            return Marker(
                time: Instant(nanoseconds: row["time_ns"]),
                node: row["node"],
                kind: row["kind"],
                fields: fields
            )
        }
    }

    private func checkpoints(_ id: Int64) throws -> [Checkpoint] {
        try rows("checkpoint", id, order: "sequence").map { row in
            Checkpoint(
                time: Instant(nanoseconds: row["time_ns"]),
                fingerprint: row["fingerprint"]
            )
        }
    }

    private func faults(_ id: Int64) throws -> [FaultRecord] {
        try rows("fault", id, order: "sequence").map { row in
            FaultRecord(
                kind: row["kind"],
                target: row["target"],
                planned: Instant(nanoseconds: row["planned_ns"]),
                fired: (row["fired_ns"] as Int64?).map { Instant(nanoseconds: $0) },
                healed: (row["healed_ns"] as Int64?).map { Instant(nanoseconds: $0) }
            )
        }
    }

    private func invariants(_ id: Int64) throws -> [InvariantOutcome] {
        let violations = try rows("violation", id, order: "invariant, sequence")
        return try rows("invariant", id, order: "sequence").map { row in
            let sequence: Int64 = row["sequence"]
            guard let kind = InvariantOutcome.Kind(rawValue: row["kind"]) else {
                throw damage("invariant \(row["name"] as String) has an unknown kind")
            }
            return InvariantOutcome(
                name: row["name"],
                kind: kind,
                checked: UInt64(clamping: row["checked"] as Int64),
                violations: violations.filter { $0["invariant"] == sequence }.map {
                    Violation(time: Instant(nanoseconds: $0["time_ns"]), message: $0["message"])
                },
                violationCount: UInt64(clamping: row["violation_count"] as Int64)
            )
        }
    }
}
