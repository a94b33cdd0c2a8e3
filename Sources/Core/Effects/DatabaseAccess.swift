public import Units

/// Relational databases of a node (SQLite's SQL).
public protocol DatabaseAccess: Sendable {
    /// Opens or creates the database at `path`; statements wait up to `busyTimeout` for others.
    func open(_ path: String, busyTimeout: Interval) async throws(DatabaseError) -> any Database
}

/// An open database. Committed transactions survive a crash.
public protocol Database: Sendable {
    /// Runs statements in order as one transaction: all of them happen or none. The answer holds the
    /// rows of each.
    @discardableResult
    func transaction(_ statements: [SQLStatement]) async throws(DatabaseError) -> [[SQLRow]]
    /// SQLite's integrity check: empty when the file is sound.
    func integrityProblems() async throws(DatabaseError) -> [String]
    func close() async
}

extension Database {
    /// Runs one statement and gives its rows.
    @discardableResult
    public func run(_ sql: String, _ values: [SQLValue] = []) async throws(DatabaseError)
        -> [SQLRow]
    {
        try await transaction([SQLStatement(sql, values)])[0]
    }
}

public struct SQLStatement: Hashable, Sendable {
    /// One statement; `?` stands for each value.
    public var sql: String
    public var values: [SQLValue]

    public init(_ sql: String, _ values: [SQLValue] = []) {
        self.sql = sql
        self.values = values
    }
}

public enum SQLValue: Hashable, Sendable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])

    /// `nil` for other kinds.
    public var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
    /// `nil` for other kinds.
    public var text: String? { if case .text(let value) = self { value } else { nil } }
    /// `nil` for other kinds.
    public var blob: [UInt8]? { if case .blob(let value) = self { value } else { nil } }
}

/// A row's values in the order of its columns.
public typealias SQLRow = [SQLValue]

/// Why a database could not do something.
public struct DatabaseError: Error, Hashable, Sendable, CustomStringConvertible {
    public var reason: Reason
    public var path: String

    public enum Reason: Hashable, Sendable {
        /// Another process holds it for longer than the busy timeout.
        case busy
        case full
        case denied
        /// The file is no database, or is damaged.
        case corrupt(String)
        /// A statement broke a constraint.
        case constraint(String)
        /// The host crashed while this was going on.
        case crashed
        case failed(String)
    }

    public init(_ reason: Reason, _ path: String) {
        self.reason = reason
        self.path = path
    }

    public var description: String {
        switch reason {
        case .busy: "\(path): another process uses the database"
        case .full: "\(path): the disk is full"
        case .denied: "\(path): permission denied"
        case .corrupt(let text): "\(path): damaged or no database: \(text)"
        case .constraint(let text): "\(path): \(text)"
        case .crashed: "\(path): the host crashed"
        case .failed(let text): "\(path): \(text)"
        }
    }
}
