import GRDB
public import Measurements

/// A calibration that is being measured: what an interrupted one has is kept and gone on with.
public struct OpenCalibration: Hashable, Sendable {
    let id: Int64
    /// In the order in which they were measured.
    public let cells: [CalibrationCell]
}

extension ResultsArchive {
    /// The unfinished calibration of this commit, kernel and grid, or a new one.
    public func openCalibration(
        commit: String,
        kernel: String,
        isQuick: Bool,
        cellsPlanned: Int
    ) throws(StoreError) -> OpenCalibration {
        try write { database in
            let found = try Int64.fetchOne(
                database,
                sql: """
                    SELECT id FROM calibration
                    WHERE commit_name = ? AND kernel = ? AND is_quick = ? AND cells_planned = ?
                      AND (SELECT count(*) FROM calibration_cell WHERE calibration_id = id)
                        < cells_planned
                    ORDER BY id DESC LIMIT 1
                    """,
                arguments: [commit, kernel, isQuick, cellsPlanned]
            )
            if let found {
                return OpenCalibration(id: found, cells: try ResultsArchive.cells(found, database))
            }
            try database.execute(
                sql: """
                    INSERT INTO calibration (commit_name, kernel, is_quick, cells_planned)
                    VALUES (?, ?, ?, ?)
                    """,
                arguments: [commit, kernel, isQuick, cellsPlanned]
            )
            return OpenCalibration(id: database.lastInsertedRowID, cells: [])
        }
    }

    /// Keeps one cell.
    ///
    /// - Throws: ``StoreError/rejected(detail:)`` when the calibration has this profile already.
    public func record(
        _ cell: CalibrationCell,
        in calibration: OpenCalibration
    ) throws(StoreError) {
        let profile = cell.profile
        try write { database in
            try database.execute(
                sql: """
                    INSERT INTO calibration_cell (calibration_id, rate_bits_per_second,
                        round_trip_seconds, jitter_seconds, loss, loss_burst, queue_bytes, flows,
                        congestion, simulated_throughput, simulated_rtt_ms, simulated_runs, real_throughput,
                        real_rtt_ms, real_runs, delay_error_ms)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    calibration.id, profile.bitsPerSecond, profile.roundTripSeconds,
                    profile.jitterSeconds, profile.loss, profile.lossBurst, profile.queueBytes,
                    profile.flows, profile.congestion, cell.simulated.throughput,
                    cell.simulated.roundTripMilliseconds,
                    cell.simulated.replications, cell.real.throughput,
                    cell.real.roundTripMilliseconds, cell.real.replications,
                    cell.delayErrorMilliseconds,
                ]
            )
        }
    }

    /// The newest calibration whose cells are all there, short ones left out unless they are wanted;
    /// `nil` when there is none, as in an archive of an older laboratory that is only read.
    public func newestCalibration(includingQuick: Bool = false) throws(StoreError) -> Calibration? {
        try read { database in
            guard try database.tableExists("calibration"),
                let row = try Row.fetchOne(
                    database,
                    sql: """
                        SELECT * FROM calibration
                        WHERE (is_quick = 0 OR ?)
                          AND (SELECT count(*) FROM calibration_cell WHERE calibration_id = id)
                            >= cells_planned
                        ORDER BY id DESC LIMIT 1
                        """,
                    arguments: [includingQuick]
                )
            else { return nil }
            return Calibration(
                measuredAt: row["started_at"],
                kernel: row["kernel"],
                commit: row["commit_name"],
                isQuick: row["is_quick"],
                cells: try ResultsArchive.cells(row["id"], database)
            )
        }
    }

    private static func cells(_ id: Int64, _ database: Database) throws -> [CalibrationCell] {
        try Row.fetchAll(
            database,
            sql: """
                SELECT * FROM calibration_cell WHERE calibration_id = ?
                ORDER BY measured_at, congestion, rate_bits_per_second, round_trip_seconds, flows
                """,
            arguments: [id]
        ).map { row in
            CalibrationCell(
                profile: LinkProfile(
                    bitsPerSecond: row["rate_bits_per_second"],
                    roundTripSeconds: row["round_trip_seconds"],
                    jitterSeconds: row["jitter_seconds"] ?? 0,
                    loss: row["loss"],
                    lossBurst: row["loss_burst"] ?? 1,
                    queueBytes: row["queue_bytes"],
                    flows: row["flows"],
                    congestion: row["congestion"]
                ),
                simulated: CalibrationCell.Figures(
                    throughput: row["simulated_throughput"],
                    roundTripMilliseconds: row["simulated_rtt_ms"],
                    replications: row["simulated_runs"]
                ),
                real: CalibrationCell.Figures(
                    throughput: row["real_throughput"],
                    roundTripMilliseconds: row["real_rtt_ms"],
                    replications: row["real_runs"]
                ),
                delayErrorMilliseconds: row["delay_error_ms"]
            )
        }
    }
}
