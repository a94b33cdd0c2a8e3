public import Effects

extension TaskQueue {
    /// The tables of queue and jobs; can be run again over themselves. Times are nanoseconds since
    /// 1970.
    public static let schema: [SQLStatement] = [
        SQLStatement(
            """
            CREATE TABLE IF NOT EXISTS task (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                kind TEXT NOT NULL CHECK (length(kind) BETWEEN 1 AND 100),
                key TEXT CHECK (length(key) BETWEEN 1 AND 200),
                state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'dead')),
                attempts INTEGER NOT NULL CHECK (attempts >= 0),
                created INTEGER NOT NULL,
                due INTEGER NOT NULL,
                token TEXT,
                expires INTEGER,
                finished INTEGER,
                failure TEXT,
                payload BLOB NOT NULL,
                CHECK ((state = 'running') = (expires IS NOT NULL)),
                CHECK ((state IN ('done', 'dead')) = (finished IS NOT NULL)),
                CHECK (state <> 'running' OR token IS NOT NULL)
            ) STRICT
            """
        ),
        SQLStatement(
            """
            CREATE UNIQUE INDEX IF NOT EXISTS task_key ON task (key)
            WHERE key IS NOT NULL AND state IN ('waiting', 'running')
            """
        ),
        SQLStatement("CREATE INDEX IF NOT EXISTS task_state ON task (state)"),
        SQLStatement(
            "CREATE INDEX IF NOT EXISTS task_waiting ON task (due, id) WHERE state = 'waiting'"
        ),
        SQLStatement(
            "CREATE INDEX IF NOT EXISTS task_running ON task (expires) WHERE state = 'running'"
        ),
        SQLStatement(
            "CREATE INDEX IF NOT EXISTS task_ended ON task (finished) WHERE finished IS NOT NULL"
        ),
        SQLStatement(
            """
            CREATE TABLE IF NOT EXISTS job (
                name TEXT PRIMARY KEY,
                planned INTEGER NOT NULL
            ) STRICT
            """
        ),
        SQLStatement(
            """
            CREATE TABLE IF NOT EXISTS job_run (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                job TEXT NOT NULL,
                started INTEGER NOT NULL,
                ended INTEGER NOT NULL,
                failure TEXT
            ) STRICT
            """
        ),
        SQLStatement("CREATE INDEX IF NOT EXISTS job_run_job ON job_run (job, id)"),
    ]
}
