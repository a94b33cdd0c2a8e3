import Effects
public import Initialization
import NodeFoundation
import Synchronization
import Units

/// `database`: the node's SQLite database, open and sound.
public final class DatabaseComponent: Component {
    public let specification = ComponentSpecification(
        name: "database",
        phase: .core,
        dependencies: ["configuration", "instance-lock"],
        criticality: .halt,
        timeout: .seconds(10),
        retry: RetryPolicy(attempts: 3, delay: .milliseconds(200), jitter: 0.1)
    )
    private let database = Mutex<(any Database)?>(nil)

    public init() {}

    public func initialize(_ context: ComponentContext) async throws {
        let configuration = try context.require(NodeKeys.configuration)
        let settings = configuration.database
        let path = configuration.path(settings.file)
        let folder = path[..<(path.lastIndex(of: "/") ?? path.startIndex)]
        try await context.effects.files.createFolder(String(folder), permissions: 0o700)
        let opened: any Database
        do {
            opened = try await context.effects.databases.open(
                path,
                busyTimeout: settings.busyTimeout
            )
        } catch {
            throw DamagedDatabase(error) ?? error
        }
        // Kept first, so that a stop closes it whatever follows.
        database.withLock { $0 = opened }
        try await DatabaseComponent.check(opened, path)
        context.provide(PlatformKeys.database, opened)
    }

    /// SQLite's quick check: all pages, without comparing indexes with their tables, which the job
    /// `check-database` does.
    private static func check(_ database: any Database, _ path: String) async throws {
        do {
            let rows = try await database.run("SELECT quick_check FROM pragma_quick_check(5)")
            let problems = rows.compactMap { $0.first?.text }
            guard problems == ["ok"] else { throw DamagedDatabase(path: path, problems: problems) }
        } catch let error as DatabaseError {
            throw DamagedDatabase(error) ?? error
        }
    }

    public func stop(_ context: ComponentContext) async {
        let open = database.withLock { database in
            defer { database = nil }
            return database
        }
        await open?.close()
    }

    public func healthCheck(_ context: ComponentContext) async -> ComponentHealth {
        guard let database = database.withLock({ $0 }) else { return .unhealthy("it is not open") }
        do {
            _ = try await database.run("SELECT count(*) FROM sqlite_master")
            return .healthy
        } catch {
            return .unhealthy("\(error)")
        }
    }
}

/// The database's file is damaged; the text says what can be done.
struct DamagedDatabase: Error, Hashable, CustomStringConvertible {
    var path: String
    var problems: [String]

    init(path: String, problems: [String]) {
        self.path = path
        self.problems = problems
    }

    /// `nil` when the error means something else.
    init?(_ error: any Error) {
        guard let error = error as? DatabaseError, case .corrupt(let text) = error.reason else {
            return nil
        }
        self.init(path: error.path, problems: [text])
    }

    var description: String {
        """
        \(path): damaged or no database: \(problems.joined(separator: "; ")); restore it from a \
        backup, or move it away together with its -wal and -shm files to begin with an empty one
        """
    }
}

/// `database.migrations`: brings the schema to this version's, one durable step a migration.
public final class MigrationsComponent: Component {
    public let specification = ComponentSpecification(
        name: "database.migrations",
        phase: .core,
        dependencies: ["database"],
        criticality: .halt,
        timeout: .seconds(60)
    )
    private let migrator: SchemaMigrator

    /// - Parameter migrations: of all rooms, oldest first, with different names; at most 1,000.
    public init(_ migrations: [SchemaMigration]) {
        migrator = SchemaMigrator(migrations)
    }

    public func initialize(_ context: ComponentContext) async throws {
        let database = try context.require(PlatformKeys.database)
        let clock = context.effects.clock
        for (place, migration) in try await migrator.missing(in: database) {
            try await context.journal.step("database.migrations.\(migration.name)") {
                try await migrator.take(migration, at: place, in: database, clock.wallTime)
            }
        }
    }
}
