public import Effects
public import Units

/// A database of a node in SQLite: in a file on a host, in memory under virtual time.
///
/// A file is kept in WAL mode with `synchronous=FULL`: a transaction that was answered survives the
/// loss of power, and after a crash the file holds whole transactions only. A new file belongs to its
/// owner alone (permissions 0600).
///
/// The same work is offered twice. `transactionNow` and `problemsNow` run on the calling thread and
/// never suspend, which is what a modelled host needs. The asynchronous form of `Database` does so too
/// for a database in memory; for one in a file it waits on a thread of SQLite's own, and cancelling
/// the task does not cut a transaction in two.
public final class SQLiteDatabase: Database {
    /// Where the database is; errors name it.
    public let path: String
    private let connection: SQLiteConnection

    /// Opens or creates the file at `path`; statements wait up to `busyTimeout` for other processes.
    public init(path: String, busyTimeout: Interval) throws(DatabaseError) {
        self.path = path
        connection = try SQLiteConnection(file: path, busyTimeout: busyTimeout)
    }

    /// An empty database in memory, which lives as long as this object; errors call it `name`.
    public init(inMemoryNamed name: String) throws(DatabaseError) {
        path = name
        connection = try SQLiteConnection(memory: name)
    }

    /// Runs statements in order as one transaction, on the calling thread.
    @discardableResult
    public func transactionNow(_ statements: [SQLStatement]) throws(DatabaseError) -> [[SQLRow]] {
        try connection.transaction(statements)
    }

    /// SQLite's integrity check, on the calling thread: empty when the database is sound.
    public func problemsNow() throws(DatabaseError) -> [String] {
        try connection.problems()
    }

    /// Closes the database on the calling thread; afterwards every statement fails. What was in
    /// memory is gone. To be called at any time, more than once, too.
    public func closeNow() {
        connection.close()
    }

    @discardableResult
    public func transaction(
        _ statements: [SQLStatement]
    ) async throws(DatabaseError) -> [[SQLRow]] {
        try await connection.onItsThread { (connection) throws(DatabaseError) in
            try connection.transaction(statements)
        }
    }

    public func integrityProblems() async throws(DatabaseError) -> [String] {
        try await connection.onItsThread { (connection) throws(DatabaseError) in
            try connection.problems()
        }
    }

    public func close() async {
        try? await connection.onItsThread { (connection) throws(DatabaseError) in
            connection.close()
        }
    }
}

/// SQLite's library names its errors the same way; in files that use it, ours goes by this name.
typealias StorageError = DatabaseError
