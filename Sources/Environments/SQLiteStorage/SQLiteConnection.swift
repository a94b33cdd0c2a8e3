import Dispatch
import struct Effects.SQLStatement
import enum Effects.SQLValue
// GRDB's blobs are made of it.
import struct FoundationEssentials.Data
import GRDB
import Glibc
import struct Units.Interval

/// One connection, which does one transaction at a time.
final class SQLiteConnection: Sendable {
    private let queue: DatabaseQueue
    private let name: String
    /// Where file access waits, so that threads of the caller's executor do not; `nil` for a
    /// database in memory, which nothing has to wait for.
    private let thread: DispatchQueue?

    init(file path: String, busyTimeout: Interval) throws(StorageError) {
        try SQLiteConnection.createFile(path)
        var configuration = Configuration()
        configuration.busyMode = .timeout(max(0, busyTimeout.seconds))
        configuration.journalMode = .wal
        name = path
        thread = DispatchQueue(label: "novacron.sqlite")
        queue = try SQLiteConnection.mapping(path) {
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            // Afterwards: with WAL, the library itself asks for less.
            try queue.inDatabase { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            return queue
        }
    }

    init(memory name: String) throws(StorageError) {
        self.name = name
        thread = nil
        queue = try SQLiteConnection.mapping(name) { try DatabaseQueue() }
    }

    /// Runs `body` where it may block.
    func onItsThread<Value: Sendable>(
        _ body: @escaping @Sendable (SQLiteConnection) throws(StorageError) -> Value
    ) async throws(StorageError) -> Value {
        guard let thread else { return try body(self) }
        let result: Result<Value, StorageError> = await withCheckedContinuation { continuation in
            thread.async {
                let result = Result { () throws(StorageError) -> Value in try body(self) }
                continuation.resume(returning: result)
            }
        }
        return try result.get()
    }

    func transaction(_ statements: [SQLStatement]) throws(StorageError) -> [[[SQLValue]]] {
        try SQLiteConnection.mapping(name) {
            var answers: [[[SQLValue]]] = []
            // Immediate: a transaction that reads first and then writes would otherwise meet another
            // writer in the middle, where no busy timeout helps.
            try queue.inTransaction(.immediate) { database in
                answers = try statements.map { try SQLiteConnection.run($0, in: database) }
                return .commit
            }
            return answers
        }
    }

    func problems() throws(StorageError) -> [String] {
        let lines = try SQLiteConnection.mapping(name) {
            try queue.unsafeRead { try String.fetchAll($0, sql: "PRAGMA integrity_check") }
        }
        return lines == ["ok"] ? [] : lines
    }

    func close() {
        // Fails only while a statement is being read, which no caller can do.
        try? queue.close()
    }

    private static func run(
        _ statement: SQLStatement,
        in database: Database
    ) throws -> [[SQLValue]] {
        let prepared = try database.cachedStatement(sql: statement.sql)
        let arguments = StatementArguments(statement.values.map(\.databaseValue))
        let rows = try Row.fetchCursor(prepared, arguments: arguments)
        var answer: [[SQLValue]] = []
        while let row = try rows.next() {
            answer.append(row.databaseValues.map { SQLValue($0) })
        }
        return answer
    }

    /// SQLite would create it for everybody to read; and the system's error says more than its
    /// "unable to open".
    private static func createFile(_ path: String) throws(StorageError) {
        let file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if file >= 0 {
            Glibc.close(file)
            return
        }
        switch errno {
        // To be opened as it is. It must not be opened and closed here: that would end locks which
        // this process may hold on it.
        case EEXIST where access(path, R_OK | W_OK) == 0: return
        case EEXIST, EACCES, EPERM, EROFS: throw StorageError(.denied, path)
        case ENOSPC, EDQUOT: throw StorageError(.full, path)
        default: throw StorageError(.failed(String(cString: strerror(errno))), path)
        }
    }

    private static func mapping<Value>(
        _ path: String,
        _ body: () throws -> Value
    ) throws(StorageError) -> Value {
        do {
            return try body()
        } catch let error as GRDB.DatabaseError {
            throw StorageError(reason(of: error), path)
        } catch {
            throw StorageError(.failed("\(error)"), path)
        }
    }

    private static func reason(of error: GRDB.DatabaseError) -> StorageError.Reason {
        let text = error.message ?? "SQLite error \(error.extendedResultCode.rawValue)"
        switch error.resultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED: return .busy
        case .SQLITE_FULL: return .full
        case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH: return .denied
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: return .corrupt(text)
        case .SQLITE_CONSTRAINT: return .constraint(text)
        default: return .failed(text)
        }
    }
}

extension SQLValue {
    fileprivate init(_ value: DatabaseValue) {
        switch value.storage {
        case .null: self = .null
        case .int64(let number): self = .integer(number)
        case .double(let number): self = .real(number)
        case .string(let text): self = .text(text)
        case .blob(let bytes): self = .blob([UInt8](bytes))
        }
    }

    fileprivate var databaseValue: DatabaseValue {
        switch self {
        case .null: .null
        case .integer(let number): number.databaseValue
        case .real(let number): number.databaseValue
        case .text(let text): text.databaseValue
        case .blob(let bytes): Data(bytes).databaseValue
        }
    }
}
