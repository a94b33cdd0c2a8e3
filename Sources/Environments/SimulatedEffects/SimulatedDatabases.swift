public import Effects
import SQLiteStorage
import SimulationKernel
public import Units

/// The databases of one simulated host: SQLite in memory, under the paths of files.
///
/// A transaction takes effect in one step, once its bytes are durable by the hardware profile; it
/// then survives every crash. One that was under way at a crash happened or not, by the seed. Reading
/// takes no time. A database lives as long as the file at its path: removing the file removes it.
/// Its size does not count on the disk, but without a free page there transactions fail as on a full
/// disk.
public final class SimulatedDatabases: @unchecked Sendable {
    // Unchecked, because every use is confined to the executor's thread.

    let disk: SimulatedDisk
    let device: StorageDevice
    let executor: VirtualExecutor
    private var stores: [String: Store] = [:]
    private var faults: [DatabaseFault] = []

    /// SQLite's usual page.
    static let pageSize = 4096

    init(_ disk: SimulatedDisk, _ device: StorageDevice, executor: VirtualExecutor) {
        self.disk = disk
        self.device = device
        self.executor = executor
    }

    /// Makes statements fail from now on; faults told first decide.
    public func inject(_ fault: DatabaseFault) {
        faults.append(fault)
    }

    public func removeFaults() {
        faults.removeAll()
    }

    /// Damages the database at `path`, until its file is removed: its check finds `problem` and every
    /// transaction fails.
    public func damage(_ path: String, _ problem: String) {
        stores[path]?.problem = problem
    }

    /// Looks into the database at `path` without taking time; `nil` when there is none.
    public func rows(
        at path: String,
        _ sql: String,
        _ values: [SQLValue] = []
    ) throws(DatabaseError) -> [SQLRow]? {
        guard let store = stores[path], store.birth == disk.present[path]?.birth else { return nil }
        return try store.database.transactionNow([SQLStatement(sql, values)])[0]
    }

    /// The database of the file at `path`, made when it is opened first.
    func store(at path: String) throws(DatabaseError) -> Store {
        guard let entry = disk.present[path], let bytes = entry.bytes else {
            throw DatabaseError(.failed("is not a file"), path)
        }
        if let store = stores[path], store.birth == entry.birth { return store }
        guard bytes.isEmpty else {
            throw DatabaseError(.corrupt("file is not a database"), path)
        }
        let store = Store(entry.birth, try SQLiteDatabase(inMemoryNamed: path))
        stores[path]?.database.closeNow()
        stores[path] = store
        return store
    }

    func fault(at path: String) -> DatabaseError.Reason? {
        guard !faults.isEmpty else { return nil }
        let now = executor.now
        return faults.first { $0.path == path && $0.from <= now && now < $0.until }?.reason
    }

    /// What one file holds.
    final class Store {
        let birth: UInt64
        let database: SQLiteDatabase
        var problem: String?

        init(_ birth: UInt64, _ database: SQLiteDatabase) {
            self.birth = birth
            self.database = database
        }
    }
}

/// Statements that fail, by database and time. A busy database keeps them waiting for the busy
/// timeout first.
public struct DatabaseFault: Hashable, Sendable {
    public var path: String
    public var reason: DatabaseError.Reason
    public var from: Instant
    /// The first instant at which statements succeed again.
    public var until: Instant

    public init(
        at path: String,
        _ reason: DatabaseError.Reason,
        from: Instant = .zero,
        until: Instant = .distantFuture
    ) {
        self.path = path
        self.reason = reason
        self.from = from
        self.until = until
    }
}

/// A host's databases as one process opens them.
struct SimulatedDatabaseAccess: DatabaseAccess {
    private let process: SimulatedProcess

    init(_ process: SimulatedProcess) {
        self.process = process
    }

    func open(
        _ path: String,
        busyTimeout: Interval
    ) async throws(DatabaseError) -> any Database {
        let disk = process.host.disk
        guard process.isAlive else { throw DatabaseError(.crashed, path) }
        guard DiskPath.isValid(path), path != DiskPath.root else {
            throw DatabaseError(.failed("is not an absolute path without dots"), path)
        }
        if let reason = disk.fault(at: path, .writes) {
            throw DatabaseError(DatabaseError.Reason(reason), path)
        }
        if let entry = disk.present[path] {
            guard entry.isFolder || entry.permissions & 0o600 == 0o600 else {
                throw DatabaseError(.denied, path)
            }
        } else {
            guard let folder = disk.present[DiskPath.folder(of: path)], folder.isFolder else {
                throw DatabaseError(.failed("unable to open database file"), path)
            }
            guard folder.permissions & 0o300 == 0o300 else { throw DatabaseError(.denied, path) }
            let lives = disk.device.touch(for: process) { extent in
                if case .whole = extent { disk.setPresent(path, .file([]), 0o600) }
            }
            guard lives else { throw DatabaseError(.crashed, path) }
        }
        let store = try process.host.databases.store(at: path)
        process.openFiles += 1
        return SimulatedDatabase(path, store, busyTimeout, process)
    }
}

/// One process's connection to a database.
private final class SimulatedDatabase: Database, @unchecked Sendable {
    // Unchecked, because every use is confined to the executor's thread.
    private let path: String
    private let store: SimulatedDatabases.Store
    private let busyTimeout: Interval
    private let process: SimulatedProcess
    private var isOpen = true

    init(
        _ path: String,
        _ store: SimulatedDatabases.Store,
        _ busyTimeout: Interval,
        _ process: SimulatedProcess
    ) {
        self.path = path
        self.store = store
        self.busyTimeout = busyTimeout
        self.process = process
    }

    func transaction(_ statements: [SQLStatement]) async throws(DatabaseError) -> [[SQLRow]] {
        try await check()
        if let problem = store.problem { throw DatabaseError(.corrupt(problem), path) }
        guard !statements.allSatisfy(\.onlyReads) else {
            return try store.database.transactionNow(statements)
        }
        let host = process.host
        let bytes = SimulatedDatabases.pageSize + statements.reduce(0) { $0 + $1.weight }
        guard host.disk.free.bytes >= Int64(SimulatedDatabases.pageSize) else {
            throw DatabaseError(.full, path)
        }
        let answer = Answer()
        let lives = await host.databases.device.write(bytes, for: process) { [self] extent in
            guard case .whole = extent else { return }
            answer.result = Result { () throws(DatabaseError) in
                try store.database.transactionNow(statements)
            }
            if host.disk.present[path]?.birth == store.birth { host.disk.makeDurable(path) }
        }
        guard lives, let result = answer.result else { throw DatabaseError(.crashed, path) }
        return try result.get()
    }

    func integrityProblems() async throws(DatabaseError) -> [String] {
        try await check()
        if let problem = store.problem { return [problem] }
        return try store.database.problemsNow()
    }

    func close() async {
        guard isOpen else { return }
        isOpen = false
        process.openFiles -= 1
    }

    private func check() async throws(DatabaseError) {
        guard process.isAlive else { throw DatabaseError(.crashed, path) }
        guard isOpen else { throw DatabaseError(.failed("the database is closed"), path) }
        if let reason = process.host.databases.fault(at: path) {
            if reason == .busy {
                let deadline = process.host.executor.now.advanced(by: busyTimeout)
                try? await process.host.executor.sleep(until: deadline)
                guard process.isAlive else { throw DatabaseError(.crashed, path) }
            }
            throw DatabaseError(reason, path)
        }
        if let reason = process.host.disk.fault(at: path, .writes) {
            throw DatabaseError(DatabaseError.Reason(reason), path)
        }
    }

    private final class Answer {
        var result: Result<[[SQLRow]], DatabaseError>?
    }
}

extension SQLStatement {
    /// Whether it is sure to change nothing.
    fileprivate var onlyReads: Bool { sql.prefix(7).lowercased() == "select " }

    /// About how many bytes it may add to the log.
    fileprivate var weight: Int {
        values.reduce(sql.utf8.count) { sum, value in
            switch value {
            case .null: sum + 1
            case .integer, .real: sum + 8
            case .text(let text): sum + text.utf8.count
            case .blob(let bytes): sum + bytes.count
            }
        }
    }
}

extension DatabaseError.Reason {
    fileprivate init(_ reason: FileError.Reason) {
        switch reason {
        case .full: self = .full
        case .denied: self = .denied
        case .crashed: self = .crashed
        case .locked: self = .busy
        case .notFound, .exists, .notAFile, .tooLarge: self = .failed("disk I/O error")
        case .failed(let text): self = .failed(text)
        }
    }
}
