import Foundation
import GRDB

extension ResultsArchive {
    /// Runs one SQL statement that only reads, on a connection that cannot write.
    ///
    /// - Parameter limit: The most rows returned.
    /// - Throws: ``StoreError/query(detail:)`` for anything but exactly one reading statement.
    public func query(_ sql: String, limit: Int = 10_000) throws(StoreError) -> QueryResult {
        precondition(limit > 0, "a query of \(limit) rows")
        do {
            let reader = try DatabaseQueue(
                path: ResultsArchive.readingName(of: path),
                configuration: ResultsArchive.readingConfiguration
            )
            let result = try reader.read { database in
                try ResultsArchive.fetch(sql, limit: limit, database)
            }
            try reader.close()
            return result
        } catch let error as DatabaseError where error.resultCode == .SQLITE_READONLY {
            throw .query(detail: "only statements that read are allowed")
        } catch {
            throw StoreError(error, path: path)
        }
    }

    private static func fetch(
        _ sql: String,
        limit: Int,
        _ database: Database
    ) throws -> QueryResult {
        let statement = try database.makeStatement(sql: sql)
        guard statement.isReadonly else {
            throw StoreError.query(detail: "only statements that read are allowed")
        }
        let columns = statement.columnNames
        var rows: [[String?]] = []
        let cursor = try Row.fetchCursor(statement)
        while let row = try cursor.next() {
            guard rows.count < limit else {
                return QueryResult(columns: columns, rows: rows, isTruncated: true)
            }
            rows.append(row.databaseValues.map(text))
        }
        return QueryResult(columns: columns, rows: rows, isTruncated: false)
    }

    private static func text(_ value: DatabaseValue) -> String? {
        switch value.storage {
        case .null: nil
        case .int64(let number): "\(number)"
        case .double(let number): "\(number)"
        case .string(let text): text
        case .blob(let data): "<\(data.count) bytes>"
        }
    }
}
