import Foundation
import GRDBSQLite

/// Statements on an archive that the program itself would refuse.
enum EditedArchive {
    /// Returns whether the statement ran.
    static func execute(_ statement: String, at path: String) throws -> Bool {
        var database: OpaquePointer?
        defer { sqlite3_close(database) }
        guard sqlite3_open(path, &database) == SQLITE_OK else { return false }
        return sqlite3_exec(database, statement, nil, nil, nil) == SQLITE_OK
    }
}
