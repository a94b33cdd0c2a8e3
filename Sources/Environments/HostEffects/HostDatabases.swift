public import Effects
import SQLiteStorage
public import Units

/// SQLite databases in files.
public struct HostDatabases: DatabaseAccess {
    private let threads: BlockingThreads

    init(threads: BlockingThreads) {
        self.threads = threads
    }

    public func open(
        _ path: String,
        busyTimeout: Interval
    ) async throws(DatabaseError) -> any Database {
        try await threads.run { () throws(DatabaseError) in
            try SQLiteDatabase(path: path, busyTimeout: busyTimeout)
        }
    }
}
