import Foundation
import GRDB

/// The archive: every replication of every campaign, in one SQLite file.
///
/// A run is written in one transaction, after it ended; a campaign that is killed keeps the runs
/// before. The file is in WAL mode with a single writer, so `novalab runs` can read while a campaign
/// writes. Opening checks the file before anything touches it: what is not an archive, or is one of
/// a newer laboratory, stays byte for byte as it was.
public final class ResultsArchive: Sendable {
    /// `NCLB`; marks the file as ours (SQLite's `application_id`).
    public static let applicationID: Int32 = 0x4E43_4C42
    /// How long an operation waits for another process's lock.
    public static let busySeconds = 5.0
    /// The schema that this build reads and writes.
    public static var schemaVersion: Int { Schema.version }

    public let path: String
    let queue: DatabaseQueue

    /// Opens the archive at `path` for writing, makes it and its folder when missing, and migrates
    /// an older one in a single transaction.
    public convenience init(path: String) throws(StoreError) {
        try self.init(
            path: path,
            migrations: Schema.migrations,
            busySeconds: ResultsArchive.busySeconds
        )
    }

    /// Opens with a given chain of migrations; tests make archives of older versions with it.
    package init(
        path: String,
        migrations: [String],
        busySeconds: Double
    ) throws(StoreError) {
        self.path = path
        try ResultsArchive.makeFolder(of: path)
        try ResultsArchive.inspect(path, supported: migrations.count)
        var configuration = ResultsArchive.configuration
        configuration.busyMode = .timeout(busySeconds)
        do {
            queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.inTransaction(.immediate) { database in
                try ResultsArchive.migrate(database, migrations)
                return .commit
            }
        } catch {
            throw StoreError(error, path: path)
        }
    }

    /// Opens the archive at `path` for reading only: one of an older laboratory stays as it is and
    /// has none of what later versions added, and neither the file nor its folder need to be
    /// writable. Writing to it throws ``StoreError/readOnly(path:)``.
    ///
    /// - Throws: ``StoreError/cannotOpen(path:detail:)`` when there is no file, otherwise what
    ///   opening for writing throws.
    public init(reading path: String) throws(StoreError) {
        self.path = path
        guard FileManager.default.fileExists(atPath: path) else {
            throw .cannotOpen(path: path, detail: "there is no such file")
        }
        try ResultsArchive.inspect(path, supported: Schema.version)
        do {
            queue = try DatabaseQueue(
                path: ResultsArchive.readingName(of: path),
                configuration: ResultsArchive.readingConfiguration
            )
        } catch {
            throw StoreError(error, path: path)
        }
    }

    static var readingConfiguration: Configuration {
        var configuration = Configuration()
        configuration.label = "ResultsArchive"
        configuration.readonly = true
        configuration.busyMode = .timeout(busySeconds)
        return configuration
    }

    /// What SQLite is asked to open for reading.
    ///
    /// Readers of a file in WAL mode make an index beside it, which a folder that cannot be written
    /// refuses. Nothing can change a file that nobody can write, so it is opened as immutable then;
    /// not while there is a log, whose runs would be missed.
    static func readingName(of path: String) -> String {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        guard access(folder, W_OK) != 0 || access(path, W_OK) != 0,
            isEmptyOrAbsent(path + "-wal")
        else { return path }
        var allowed = CharacterSet.urlPathAllowed
        allowed.remove("?")
        let name = URL(fileURLWithPath: path).path
        return "file:" + (name.addingPercentEncoding(withAllowedCharacters: allowed) ?? name)
            + "?immutable=1"
    }

    private static func isEmptyOrAbsent(_ path: String) -> Bool {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        return ((attributes?[.size] as? NSNumber)?.intValue ?? 0) == 0
    }

    /// Puts the log into the file, so that the file alone is the whole archive. What another process
    /// still reads stays in the log until the next time.
    public func settle() throws(StoreError) {
        try perform { database in
            try database.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)")
        }
    }

    /// The package's migrations; the first `count` of them are an older archive's.
    package static func migrations(first count: Int) -> [String] {
        Array(Schema.migrations.prefix(count))
    }

    /// Limits the file's size, so that a full disk can be tested on any disk.
    package func limitPages(to count: Int) throws(StoreError) {
        try perform { database in
            try database.execute(sql: "PRAGMA max_page_count = \(count)")
        }
    }

    /// Holds the writing lock while `body` runs, as another process would.
    package func whileLocked(_ body: () throws -> Void) throws(StoreError) {
        try perform { database in
            try database.inTransaction(.immediate) {
                try body()
                return .rollback
            }
        }
    }

    private static var configuration: Configuration {
        var configuration = Configuration()
        configuration.label = "ResultsArchive"
        configuration.prepareDatabase { database in
            // The library's own setting for this writes a table and drops it at every opening.
            try database.execute(sql: "PRAGMA journal_mode = WAL")
            // A power cut may lose the last runs, never damage the file; a killed process loses none.
            try database.execute(sql: "PRAGMA synchronous = NORMAL")
        }
        return configuration
    }

    private static func migrate(_ database: Database, _ migrations: [String]) throws {
        let found = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        guard found < migrations.count else { return }
        for migration in migrations[found...] {
            try database.execute(sql: migration)
        }
        try database.execute(sql: "PRAGMA application_id = \(applicationID)")
        try database.execute(sql: "PRAGMA user_version = \(migrations.count)")
    }

    private static func makeFolder(of path: String) throws(StoreError) {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
        do {
            try FileManager.default.createDirectory(
                at: folder,
                withIntermediateDirectories: true
            )
        } catch {
            throw .cannotOpen(path: path, detail: "its folder \(folder.path) cannot be made")
        }
    }

    /// Refuses what is not an archive of a known version, reading only.
    private static func inspect(_ path: String, supported: Int) throws(StoreError) {
        guard FileManager.default.fileExists(atPath: path) else { return }
        guard let handle = FileHandle(forReadingAtPath: path) else {
            throw .cannotOpen(path: path, detail: "it cannot be read")
        }
        defer { try? handle.close() }
        guard let head = try? handle.read(upToCount: 16) ?? Data() else {
            throw .cannotOpen(path: path, detail: "it cannot be read")
        }
        // An empty file is an empty SQLite database.
        guard !head.isEmpty else { return }
        guard head == Data("SQLite format 3\0".utf8) else { throw .notSQLite(path: path) }
        let found: (id: Int32, version: Int, isEmpty: Bool)
        do {
            let reader = try DatabaseQueue(
                path: readingName(of: path),
                configuration: readingConfiguration
            )
            found = try reader.read { database in
                (
                    try Int32.fetchOne(database, sql: "PRAGMA application_id") ?? 0,
                    try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0,
                    try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_schema") == 0
                )
            }
            try reader.close()
        } catch {
            throw StoreError(error, path: path)
        }
        // A process killed while it made the archive leaves an empty database.
        if found.isEmpty, found.id == 0, found.version == 0 { return }
        guard found.id == applicationID else {
            throw .foreign(path: path, applicationID: found.id)
        }
        guard found.version <= supported else {
            throw .newer(path: path, version: found.version, supported: supported)
        }
    }
}

extension ResultsArchive {
    /// Runs `body` on the writing connection, outside a transaction of ours.
    func perform<Value>(_ body: (Database) throws -> Value) throws(StoreError) -> Value {
        do {
            return try queue.writeWithoutTransaction(body)
        } catch {
            throw StoreError(error, path: path)
        }
    }

    /// Runs `body` in one transaction that is rolled back when it throws.
    func write<Value>(_ body: (Database) throws -> Value) throws(StoreError) -> Value {
        do {
            return try queue.write(body)
        } catch {
            throw StoreError(error, path: path)
        }
    }

    /// Runs `body` on a snapshot.
    func read<Value>(_ body: (Database) throws -> Value) throws(StoreError) -> Value {
        do {
            return try queue.read(body)
        } catch {
            throw StoreError(error, path: path)
        }
    }
}

extension StoreError {
    /// What an error of the database library means for the caller.
    init(_ error: any Error, path: String) {
        if let known = error as? StoreError {
            self = known
            return
        }
        if error is RowDecodingError {
            self = .corrupted(path: path, detail: "a row holds what the schema forbids")
            return
        }
        guard let failure = error as? DatabaseError else {
            self = .corrupted(path: path, detail: "\(error)")
            return
        }
        // The log's index is a mapped file; a disk without room for it reports an input error.
        if failure.extendedResultCode == .SQLITE_IOERR_SHMSIZE {
            self = .full(path: path)
            return
        }
        let detail = failure.message ?? "SQLite error \(failure.resultCode.rawValue)"
        switch failure.resultCode {
        case .SQLITE_FULL: self = .full(path: path)
        case .SQLITE_READONLY, .SQLITE_PERM: self = .readOnly(path: path)
        case .SQLITE_BUSY, .SQLITE_LOCKED: self = .locked(path: path)
        case .SQLITE_NOTADB: self = .notSQLite(path: path)
        case .SQLITE_CORRUPT: self = .corrupted(path: path, detail: detail)
        case .SQLITE_CONSTRAINT: self = .rejected(detail: detail)
        case .SQLITE_CANTOPEN: self = .cannotOpen(path: path, detail: detail)
        case .SQLITE_IOERR:
            self = .cannotOpen(path: path, detail: "input or output failed (\(detail))")
        default: self = .query(detail: detail)
        }
    }
}
