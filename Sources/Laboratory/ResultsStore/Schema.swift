/// The archive's schema as a chain of migrations.
///
/// A migration that has been released is never edited: a new one is added behind it, and the
/// version (SQLite's `user_version`) is the number of migrations applied. Times are nanoseconds
/// since the start of the run; labels are JSON objects with sorted keys.
enum Schema {
    static var version: Int { migrations.count }

    static let migrations = [first, second, third, fourth, fifth, sixth]

    private static let first = """
        CREATE TABLE scenario (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL CHECK (name <> ''),
            digest TEXT NOT NULL UNIQUE CHECK (digest <> ''),
            source TEXT NOT NULL
        ) STRICT;
        CREATE INDEX scenario_by_name ON scenario (name);

        CREATE TABLE plan (
            id INTEGER PRIMARY KEY,
            identity TEXT NOT NULL UNIQUE CHECK (length(identity) = 32),
            scenario_id INTEGER NOT NULL REFERENCES scenario (id) ON DELETE RESTRICT,
            commit_name TEXT NOT NULL CHECK (commit_name <> ''),
            environment TEXT NOT NULL CHECK (environment IN ('simulated', 'sockets', 'rdma')),
            hardware_profile TEXT NOT NULL,
            hardware_digest TEXT NOT NULL,
            created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        ) STRICT;
        CREATE INDEX plan_by_scenario ON plan (scenario_id);

        CREATE TABLE plan_data_set (
            plan_id INTEGER NOT NULL REFERENCES plan (id) ON DELETE CASCADE,
            name TEXT NOT NULL,
            digest TEXT NOT NULL,
            PRIMARY KEY (plan_id, name)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE run (
            id INTEGER PRIMARY KEY,
            plan_id INTEGER NOT NULL REFERENCES plan (id) ON DELETE CASCADE,
            variant TEXT NOT NULL CHECK (variant <> ''),
            seed INTEGER NOT NULL,
            outcome TEXT NOT NULL CHECK (outcome IN ('completed', 'truncated', 'failed',
                'safety-violation', 'liveness-violation')),
            message TEXT CHECK ((outcome = 'completed') = (message IS NULL)),
            fingerprint TEXT NOT NULL CHECK (length(fingerprint) IN (0, 32)),
            events INTEGER NOT NULL CHECK (events >= 0),
            simulated_seconds REAL NOT NULL CHECK (simulated_seconds >= 0),
            kernel_seconds REAL NOT NULL CHECK (kernel_seconds >= 0),
            work_seconds REAL NOT NULL CHECK (work_seconds >= 0),
            real_seconds REAL NOT NULL CHECK (real_seconds >= 0),
            peak_memory_bytes INTEGER NOT NULL CHECK (peak_memory_bytes >= 0),
            recorded_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
            UNIQUE (plan_id, variant, seed)
        ) STRICT;

        CREATE TABLE metric_value (
            run_id INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
            metric TEXT NOT NULL CHECK (metric <> ''),
            labels TEXT NOT NULL CHECK (json_valid(labels)),
            value REAL,
            bound_side TEXT CHECK (bound_side IN ('upper', 'lower')),
            bound_limit REAL,
            bound_derivation TEXT,
            sample_count INTEGER NOT NULL CHECK (sample_count >= 0),
            sample_minimum REAL,
            sample_maximum REAL,
            samples TEXT CHECK (samples IS NULL OR json_valid(samples)),
            packed_samples BLOB,
            distribution TEXT CHECK (distribution IS NULL OR json_valid(distribution)),
            PRIMARY KEY (run_id, metric, labels),
            CHECK ((bound_side IS NULL) = (bound_derivation IS NULL)),
            CHECK (samples IS NULL OR packed_samples IS NULL)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE series (
            run_id INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
            name TEXT NOT NULL CHECK (name <> ''),
            labels TEXT NOT NULL CHECK (json_valid(labels)),
            unit TEXT NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('rate', 'level', 'peak')),
            start_ns INTEGER NOT NULL,
            width_ns INTEGER NOT NULL CHECK (width_ns > 0),
            bucket_count INTEGER NOT NULL CHECK (bucket_count BETWEEN 0 AND 2000),
            buckets BLOB NOT NULL,
            PRIMARY KEY (run_id, name, labels)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE histogram (
            run_id INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
            name TEXT NOT NULL CHECK (name <> ''),
            labels TEXT NOT NULL CHECK (json_valid(labels)),
            unit TEXT NOT NULL,
            distribution TEXT NOT NULL CHECK (json_valid(distribution)),
            counts BLOB NOT NULL,
            PRIMARY KEY (run_id, name, labels)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE event (
            run_id INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
            sequence INTEGER NOT NULL CHECK (sequence >= 0),
            time_ns INTEGER NOT NULL,
            node TEXT NOT NULL,
            kind TEXT NOT NULL CHECK (kind <> ''),
            fields TEXT NOT NULL CHECK (json_valid(fields)),
            PRIMARY KEY (run_id, sequence)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE fault (
            run_id INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
            sequence INTEGER NOT NULL CHECK (sequence >= 0),
            kind TEXT NOT NULL CHECK (kind <> ''),
            target TEXT NOT NULL,
            planned_ns INTEGER NOT NULL,
            fired_ns INTEGER,
            healed_ns INTEGER CHECK (healed_ns IS NULL OR fired_ns IS NOT NULL),
            PRIMARY KEY (run_id, sequence)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE invariant (
            run_id INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
            sequence INTEGER NOT NULL CHECK (sequence >= 0),
            name TEXT NOT NULL CHECK (name <> ''),
            kind TEXT NOT NULL CHECK (kind IN ('safety', 'liveness')),
            checked INTEGER NOT NULL CHECK (checked >= 0),
            violation_count INTEGER NOT NULL CHECK (violation_count >= 0),
            PRIMARY KEY (run_id, sequence)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE violation (
            run_id INTEGER NOT NULL,
            invariant INTEGER NOT NULL,
            sequence INTEGER NOT NULL CHECK (sequence >= 0),
            time_ns INTEGER NOT NULL,
            message TEXT NOT NULL,
            PRIMARY KEY (run_id, invariant, sequence),
            FOREIGN KEY (run_id, invariant) REFERENCES invariant (run_id, sequence)
                ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE checkpoint (
            run_id INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
            sequence INTEGER NOT NULL CHECK (sequence >= 0),
            time_ns INTEGER NOT NULL,
            fingerprint TEXT NOT NULL CHECK (length(fingerprint) = 32),
            PRIMARY KEY (run_id, sequence)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE fact (
            run_id INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
            sequence INTEGER NOT NULL CHECK (sequence >= 0),
            key TEXT NOT NULL CHECK (key <> ''),
            value TEXT NOT NULL,
            PRIMARY KEY (run_id, sequence)
        ) STRICT, WITHOUT ROWID;
        """

    /// Files that belong to a plan, such as its report; and the history of one metric over plans.
    private static let second = """
        CREATE TABLE artifact (
            id INTEGER PRIMARY KEY,
            plan_id INTEGER NOT NULL REFERENCES plan (id) ON DELETE CASCADE,
            kind TEXT NOT NULL CHECK (kind <> ''),
            path TEXT NOT NULL CHECK (path <> ''),
            created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
            UNIQUE (plan_id, kind, path)
        ) STRICT;
        CREATE INDEX metric_value_by_metric ON metric_value (metric, run_id, value);
        """

    /// Pieces of time on a run's lanes, such as the components of a boot; and what an event is about
    /// where no number says it.
    private static let third = """
        CREATE TABLE span (
            run_id INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
            sequence INTEGER NOT NULL CHECK (sequence >= 0),
            lane TEXT NOT NULL,
            name TEXT NOT NULL CHECK (name <> ''),
            group_name TEXT NOT NULL,
            start_ns INTEGER NOT NULL,
            end_ns INTEGER NOT NULL CHECK (end_ns >= start_ns),
            outcome TEXT NOT NULL CHECK (outcome IN ('ready', 'fallback', 'failed', 'skipped',
                'cancelled')),
            is_critical INTEGER NOT NULL CHECK (is_critical IN (0, 1)),
            fields TEXT NOT NULL CHECK (json_valid(fields)),
            PRIMARY KEY (run_id, sequence)
        ) STRICT, WITHOUT ROWID;
        ALTER TABLE event ADD COLUMN text TEXT NOT NULL DEFAULT '';
        """

    /// Comparisons of the simulated TCP with a real one, cell by cell.
    private static let fourth = """
        CREATE TABLE calibration (
            id INTEGER PRIMARY KEY,
            commit_name TEXT NOT NULL CHECK (commit_name <> ''),
            kernel TEXT NOT NULL CHECK (kernel <> ''),
            is_quick INTEGER NOT NULL CHECK (is_quick IN (0, 1)),
            cells_planned INTEGER NOT NULL CHECK (cells_planned > 0),
            started_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        ) STRICT;

        CREATE TABLE calibration_cell (
            calibration_id INTEGER NOT NULL REFERENCES calibration (id) ON DELETE CASCADE,
            rate_bits_per_second REAL NOT NULL CHECK (rate_bits_per_second > 0),
            round_trip_seconds REAL NOT NULL CHECK (round_trip_seconds >= 0),
            loss REAL NOT NULL CHECK (loss BETWEEN 0 AND 1),
            queue_bytes REAL NOT NULL CHECK (queue_bytes > 0),
            flows INTEGER NOT NULL CHECK (flows > 0),
            congestion TEXT NOT NULL CHECK (congestion <> ''),
            simulated_throughput REAL NOT NULL CHECK (simulated_throughput >= 0),
            simulated_rtt_ms REAL NOT NULL CHECK (simulated_rtt_ms >= 0),
            simulated_runs INTEGER NOT NULL CHECK (simulated_runs > 0),
            real_throughput REAL NOT NULL CHECK (real_throughput > 0),
            real_rtt_ms REAL NOT NULL CHECK (real_rtt_ms > 0),
            real_runs INTEGER NOT NULL CHECK (real_runs > 0),
            delay_error_ms REAL NOT NULL CHECK (delay_error_ms >= 0),
            measured_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
            PRIMARY KEY (calibration_id, rate_bits_per_second, round_trip_seconds, loss,
                queue_bytes, flows, congestion)
        ) STRICT, WITHOUT ROWID;
        """

    /// Calibrations tell delay variation and bursts of losses, too; older ones had neither.
    private static let fifth = """
        CREATE TABLE calibration_cell_with_variation (
            calibration_id INTEGER NOT NULL REFERENCES calibration (id) ON DELETE CASCADE,
            rate_bits_per_second REAL NOT NULL CHECK (rate_bits_per_second > 0),
            round_trip_seconds REAL NOT NULL CHECK (round_trip_seconds >= 0),
            jitter_seconds REAL NOT NULL CHECK (jitter_seconds >= 0),
            loss REAL NOT NULL CHECK (loss BETWEEN 0 AND 1),
            loss_burst REAL NOT NULL CHECK (loss_burst >= 1),
            queue_bytes REAL NOT NULL CHECK (queue_bytes > 0),
            flows INTEGER NOT NULL CHECK (flows > 0),
            congestion TEXT NOT NULL CHECK (congestion <> ''),
            simulated_throughput REAL NOT NULL CHECK (simulated_throughput >= 0),
            simulated_rtt_ms REAL NOT NULL CHECK (simulated_rtt_ms >= 0),
            simulated_runs INTEGER NOT NULL CHECK (simulated_runs > 0),
            real_throughput REAL NOT NULL CHECK (real_throughput > 0),
            real_rtt_ms REAL NOT NULL CHECK (real_rtt_ms > 0),
            real_runs INTEGER NOT NULL CHECK (real_runs > 0),
            delay_error_ms REAL NOT NULL CHECK (delay_error_ms >= 0),
            measured_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
            PRIMARY KEY (calibration_id, rate_bits_per_second, round_trip_seconds, jitter_seconds,
                loss, loss_burst, queue_bytes, flows, congestion)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO calibration_cell_with_variation
            SELECT calibration_id, rate_bits_per_second, round_trip_seconds, 0, loss, 1,
                queue_bytes, flows, congestion, simulated_throughput, simulated_rtt_ms,
                simulated_runs, real_throughput, real_rtt_ms, real_runs, delay_error_ms, measured_at
            FROM calibration_cell;
        DROP TABLE calibration_cell;
        ALTER TABLE calibration_cell_with_variation RENAME TO calibration_cell;
        """

    /// Seeds of chaos campaigns: a line each, and what happened only where something went wrong.
    /// `tallies`, `checkpoints` and `record` are JSON, the latter two compressed with Zstandard.
    private static let sixth = """
        CREATE TABLE chaos_seed (
            plan_id INTEGER NOT NULL REFERENCES plan (id) ON DELETE CASCADE,
            variant TEXT NOT NULL CHECK (variant <> ''),
            seed INTEGER NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('passed', 'safety', 'liveness', 'crash',
                'nondeterminism', 'undecided')),
            rule TEXT NOT NULL CHECK ((kind = 'passed') = (rule = '')),
            shape TEXT NOT NULL,
            fingerprint TEXT NOT NULL CHECK (length(fingerprint) IN (0, 32)),
            events INTEGER NOT NULL CHECK (events >= 0),
            simulated_seconds REAL NOT NULL CHECK (simulated_seconds >= 0),
            real_seconds REAL NOT NULL CHECK (real_seconds >= 0),
            is_repeatable INTEGER CHECK (is_repeatable IN (0, 1)),
            tallies TEXT NOT NULL CHECK (json_valid(tallies)),
            checkpoints BLOB,
            record BLOB,
            PRIMARY KEY (plan_id, variant, seed)
        ) STRICT, WITHOUT ROWID;
        """
}
