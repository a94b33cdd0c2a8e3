import GRDBSQLite

/// The little of SQLite's C interface that the workload needs.
final class SQLiteDatabase {
    private let handle: OpaquePointer

    /// An empty database in memory.
    init() throws(SQLiteWorkload.Failure) {
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(
            ":memory:",
            &opened,
            SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
            nil
        )
        guard code == SQLITE_OK, let opened else {
            throw SQLiteWorkload.Failure(description: "sqlite3_open_v2: code \(code)")
        }
        handle = opened
    }

    deinit { sqlite3_close_v2(handle) }

    func execute(_ script: String) throws(SQLiteWorkload.Failure) {
        guard sqlite3_exec(handle, script, nil, nil, nil) == SQLITE_OK else {
            throw failure(script)
        }
    }

    func prepare(_ text: String) throws(SQLiteWorkload.Failure) -> Statement {
        var statement: OpaquePointer?
        guard sqlite3_prepare_v2(handle, text, -1, &statement, nil) == SQLITE_OK, let statement
        else { throw failure(text) }
        return Statement(statement)
    }

    private func failure(_ text: String) -> SQLiteWorkload.Failure {
        SQLiteWorkload.Failure(
            description: "\(String(cString: sqlite3_errmsg(handle))) in: \(text)"
        )
    }

    /// A prepared statement. A database closed before it lives on until the last one has gone.
    final class Statement {
        private let handle: OpaquePointer

        enum Value {
            case integer(Int)
            case text(String)
        }

        fileprivate init(_ handle: OpaquePointer) { self.handle = handle }

        deinit { sqlite3_finalize(handle) }

        /// Runs the statement to its end; returns the sum of the first column over its rows.
        @discardableResult
        func run(_ values: Value...) throws(SQLiteWorkload.Failure) -> Int {
            for (position, value) in values.enumerated() {
                bind(value, at: Int32(position + 1))
            }
            var sum = 0
            var code = sqlite3_step(handle)
            while code == SQLITE_ROW {
                sum &+= Int(sqlite3_column_int64(handle, 0))
                code = sqlite3_step(handle)
            }
            sqlite3_reset(handle)
            guard code == SQLITE_DONE else {
                throw SQLiteWorkload.Failure(description: String(cString: sqlite3_errstr(code)))
            }
            return sum
        }

        private func bind(_ value: Value, at position: Int32) {
            switch value {
            case .integer(let number):
                sqlite3_bind_int64(handle, position, Int64(number))
            case .text(let text):
                // SQLITE_TRANSIENT, which the importer cannot see: SQLite copies the text.
                let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
                sqlite3_bind_text(handle, position, text, -1, transient)
            }
        }
    }
}
