import Effects
import Foundation
import GRDBSQLite
import SQLiteStorage
import SimulationKernel
import Testing
import Units

/// Goal: transactions happen as a whole or not at all, survive, and errors say what they mean.
/// Method: databases in memory and in files of a folder of each test's own; damage and rivals by hand.
@Suite final class SQLiteDatabaseTests {
    private let folder: URL
    private var path: String { folder.appending(path: "node.sqlite").path }

    init() throws {
        folder = FileManager.default.temporaryDirectory
            .appending(path: "sqlite-storage-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    private func openFile(busyTimeout: Interval = .milliseconds(50)) throws -> SQLiteDatabase {
        try SQLiteDatabase(path: path, busyTimeout: busyTimeout)
    }

    private func reason(_ body: () throws -> Void) throws -> DatabaseError.Reason {
        try #require(throws: DatabaseError.self) { try body() }.reason
    }

    @Test func everyKindOfValueComesBack() throws {
        let database = try SQLiteDatabase(inMemoryNamed: "values")
        let values: [SQLValue] = [
            .null, .integer(.min), .integer(.max), .real(-0.5), .text("größer ✓"), .text(""),
            .blob([0, 255, 1]), .blob([]),
        ]
        let marks = values.map { _ in "?" }.joined(separator: ", ")
        let answer = try database.transactionNow([SQLStatement("SELECT \(marks)", values)])
        #expect(answer == [[values]])
    }

    @Test func aFailedStatementTakesItsWholeTransactionBack() throws {
        let database = try openFile()
        try database.transactionNow([SQLStatement("CREATE TABLE task(id INTEGER PRIMARY KEY)")])
        let insert = SQLStatement("INSERT INTO task VALUES (?)", [.integer(7)])
        let why = try reason { try database.transactionNow([insert, insert]) }
        guard case .constraint = why else {
            Issue.record("\(why)")
            return
        }
        let count = try database.transactionNow([SQLStatement("SELECT count(*) FROM task")])
        #expect(count == [[[.integer(0)]]])
    }

    @Test(
        arguments: [
            SQLStatement("SELECT ?", []), SQLStatement("SELECT 1; SELECT 2"), SQLStatement(""),
            SQLStatement("SELEC 1"), SQLStatement("COMMIT"),
        ]
    )
    func aWrongStatementChangesNothing(statement: SQLStatement) throws {
        let database = try SQLiteDatabase(inMemoryNamed: "wrong")
        let table = SQLStatement("CREATE TABLE task(id)")
        let tables = SQLStatement("SELECT count(*) FROM sqlite_schema")
        _ = try reason { try database.transactionNow([table, statement, tables]) }
        if statement.sql != "COMMIT" {
            #expect(try database.transactionNow([tables]) == [[[.integer(0)]]])
        }
    }

    @Test func aFileKeepsWhatWasAnsweredAndBelongsToItsOwner() throws {
        let first = try openFile()
        let pragmas = ["journal_mode", "synchronous"].map { SQLStatement("PRAGMA \($0)") }
        #expect(try first.transactionNow(pragmas) == [[[.text("wal")]], [[.integer(2)]]])
        try first.transactionNow([
            SQLStatement("CREATE TABLE task(id)"), SQLStatement("INSERT INTO task VALUES (1)"),
        ])
        first.closeNow()
        first.closeNow()
        let closed = try reason { try first.transactionNow(pragmas) }
        #expect(closed != .busy)
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        let second = try openFile()
        let rows = try second.transactionNow([SQLStatement("SELECT id FROM task")])
        #expect(rows == [[[.integer(1)]]])
        #expect(try second.problemsNow() == [])
    }

    @Test func aRivalMakesItBusyUntilTheTimeout() throws {
        let database = try openFile()
        try database.transactionNow([SQLStatement("CREATE TABLE task(id)")])
        var rival: OpaquePointer?
        #expect(sqlite3_open(path, &rival) == SQLITE_OK)
        defer { sqlite3_close(rival) }
        #expect(sqlite3_exec(rival, "BEGIN IMMEDIATE", nil, nil, nil) == SQLITE_OK)
        let insert = [SQLStatement("INSERT INTO task VALUES (1)")]
        #expect(try reason { try database.transactionNow(insert) } == .busy)
        #expect(sqlite3_exec(rival, "ROLLBACK", nil, nil, nil) == SQLITE_OK)
        try database.transactionNow(insert)
    }

    @Test func aFullDatabaseSaysSoAndKeepsWhatItHad() throws {
        let database = try openFile()
        try database.transactionNow([
            SQLStatement("CREATE TABLE task(body)"), SQLStatement("PRAGMA max_page_count = 20"),
        ])
        let large = SQLStatement("INSERT INTO task VALUES (zeroblob(200000))")
        #expect(try reason { try database.transactionNow([large]) } == .full)
        try database.transactionNow([SQLStatement("INSERT INTO task VALUES (1)")])
        #expect(try database.problemsNow() == [])
    }

    @Test func whatIsNoDatabaseIsCorrupt() throws {
        try Data(repeating: 0x61, count: 8192).write(to: URL(filePath: path))
        let why = try reason { _ = try openFile() }
        guard case .corrupt = why else {
            Issue.record("\(why)")
            return
        }
    }

    @Test func damageIsFoundByTheCheck() throws {
        let database = try openFile()
        try database.transactionNow(
            [SQLStatement("CREATE TABLE task(id INTEGER PRIMARY KEY, body)")]
                + (0..<200).map {
                    SQLStatement("INSERT INTO task VALUES (?, zeroblob(500))", [.integer($0)])
                }
        )
        database.closeNow()
        var bytes = try Data(contentsOf: URL(filePath: path))
        for page in 3..<8 { bytes[page * 4096] = 0x77 }
        try bytes.write(to: URL(filePath: path))
        let damaged = try openFile()
        let problems = (try? damaged.problemsNow()) ?? ["refused"]
        #expect(!problems.isEmpty)
    }

    @Test func aFileInAFolderThatIsNotThereCannotBeOpened() throws {
        let why = try reason {
            _ = try SQLiteDatabase(path: path + "/below/node.sqlite", busyTimeout: .zero)
        }
        guard case .failed = why else {
            Issue.record("\(why)")
            return
        }
    }

    @Test func aFileIsUsedFromManyTasksAtOnce() async throws {
        let database = try openFile()
        try await database.run("CREATE TABLE task(id)")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<50 {
                group.addTask {
                    try await database.run("INSERT INTO task VALUES (?)", [.integer(Int64(number))])
                }
            }
            group.cancelAll()
            try await group.waitForAll()
        }
        let rows = try await database.run("SELECT count(DISTINCT id) FROM task")
        #expect(rows == [[.integer(50)]])
        #expect(try await database.integrityProblems() == [])
        await database.close()
    }

    @Test func inMemoryNothingLeavesTheVirtualExecutor() throws {
        let database = try SQLiteDatabase(inMemoryNamed: "virtual")
        let count = try VirtualExecutor(seed: 1).run { () -> Int in
            await withTaskGroup(of: Void.self) { group in
                _ = try? await database.run("CREATE TABLE task(id)")
                for number in Int64(0)..<10 {
                    group.addTask {
                        let values = [SQLValue.integer(number)]
                        _ = try? await database.run("INSERT INTO task VALUES (?)", values)
                    }
                }
                await group.waitForAll()
            }
            return (try? await database.run("SELECT id FROM task").count) ?? 0
        }
        #expect(count == 10)
    }
}
