import Foundation
import GRDB
public import Measurements
import Units

extension ResultsArchive {
    /// Writes what is kept of a seed, in place of what was there of it; the plan is registered with it
    /// when it is new.
    public func record(_ result: SeedResult, in plan: ArchivedPlan) throws(StoreError) {
        let checkpoints =
            result.checkpoints.isEmpty
            ? nil : Data(PackedText.pack(result.checkpoints))
        let record = result.record.map { Data(PackedText.pack($0)) }
        let tallies = ArchivedText.encoded(ArchivedTallies(result))
        try write { database in
            let planID = try ResultsArchive.identifier(of: plan, database)
            let statement = try database.cachedStatement(
                sql: """
                    INSERT OR REPLACE INTO chaos_seed (plan_id, variant, seed, kind, rule, shape,
                        fingerprint, events, simulated_seconds, real_seconds, is_repeatable,
                        tallies, checkpoints, record)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """
            )
            try statement.execute(arguments: [
                planID, result.variant, Int64(bitPattern: result.seed),
                result.signature?.kind.rawValue ?? "passed", result.signature?.rule ?? "",
                result.signature?.shape ?? "", result.fingerprint,
                Int64(clamping: result.events), result.simulatedSeconds, result.realSeconds,
                result.isRepeatable, tallies, checkpoints, record,
            ])
        }
    }

    /// The seeds of a plan's chaos campaigns, by variant and seed; empty for an unknown plan, and for an
    /// archive of a laboratory that knew no chaos.
    public func seeds(ofPlan identity: String) throws(StoreError) -> [SeedResult] {
        let file = path
        return try read { database in
            guard try database.tableExists("chaos_seed") else { return [] }
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT chaos_seed.* FROM plan JOIN chaos_seed ON chaos_seed.plan_id = plan.id
                    WHERE plan.identity = ?
                    """,
                arguments: [identity]
            )
            return try rows.map { row in
                guard let result = try SeedResult(row) else {
                    throw StoreError.corrupted(
                        path: file,
                        detail: "seed \(try row.value("seed") as Int64) of a chaos campaign does "
                            + "not unpack"
                    )
                }
                return result
            }.sorted { ($0.variant, $0.seed) < ($1.variant, $1.seed) }
        }
    }
}

/// What SQL can count without unpacking anything.
private struct ArchivedTallies: Codable {
    var faults: [SeedResult.FaultTally]
    var sightings: [String: UInt64]
    var checks: [String: UInt64]

    init(_ result: SeedResult) {
        faults = result.faults
        sightings = ArchivedTallies.byName(result.sightings)
        checks = ArchivedTallies.byName(result.checks)
    }

    private static func byName(_ sightings: [SeedResult.Sighting]) -> [String: UInt64] {
        Dictionary(sightings.map { ($0.name, $0.count) }) { $0 &+ $1 }
    }

    static func sightings(_ counts: [String: UInt64]) -> [SeedResult.Sighting] {
        counts.map { SeedResult.Sighting(name: $0.key, count: $0.value) }
            .sorted { $0.name < $1.name }
    }
}

extension SeedResult {
    /// `nil` for a row that contradicts itself.
    fileprivate init?(_ row: Row) throws {
        let word: String = try row.value("kind")
        var signature: FailureSignature?
        if word != "passed" {
            guard let kind = FailureSignature.Kind(rawValue: word) else { return nil }
            signature = FailureSignature(
                kind,
                rule: try row.value("rule"),
                shape: try row.value("shape")
            )
        }
        guard let tallies = ArchivedText.decoded(ArchivedTallies.self, try row.value("tallies"))
        else { return nil }
        var checkpoints: [Checkpoint] = []
        if let packed: Data = try row.value("checkpoints") {
            guard let unpacked = PackedText.unpack([Checkpoint].self, [UInt8](packed)) else {
                return nil
            }
            checkpoints = unpacked
        }
        var record: RunRecord?
        if let kept: Data = try row.value("record") {
            guard let unpacked = PackedText.unpack(RunRecord.self, [UInt8](kept)) else {
                return nil
            }
            record = unpacked
        }
        self.init(
            variant: try row.value("variant"),
            seed: UInt64(bitPattern: try row.value("seed")),
            signature: signature,
            fingerprint: try row.value("fingerprint"),
            events: UInt64(clamping: try row.value("events") as Int64),
            simulatedSeconds: try row.value("simulated_seconds"),
            realSeconds: try row.value("real_seconds"),
            faults: tallies.faults,
            sightings: ArchivedTallies.sightings(tallies.sightings),
            checks: ArchivedTallies.sightings(tallies.checks),
            isRepeatable: try row.value("is_repeatable"),
            checkpoints: checkpoints,
            record: record
        )
    }
}
