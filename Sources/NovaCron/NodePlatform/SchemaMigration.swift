import Crypto
public import Effects

/// One step of a database's schema, which is never changed once a node has taken it.
public struct SchemaMigration: Hashable, Sendable {
    /// Unique; names the durable step `database.migrations.<name>`.
    public var name: String
    public var statements: [SQLStatement]

    /// Traps unless the name has 1 to 60 lower-case letters, digits and dashes.
    public init(_ name: String, _ statements: [SQLStatement]) {
        precondition(
            (1...60).contains(name.utf8.count)
                && name.utf8.allSatisfy {
                    (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D
                },
            "'\(name)' cannot name a migration"
        )
        self.name = name
        self.statements = statements
    }

    /// SHA-256 over the statements: an edited migration is found by it.
    public var digest: [UInt8] {
        var hash = SHA256()
        for statement in statements {
            SchemaMigration.update(&hash, statement.sql)
            for value in statement.values { SchemaMigration.update(&hash, "\(value)") }
        }
        return Array(hash.finalize())
    }

    /// With its length first, so that no two lists of texts look the same.
    private static func update(_ hash: inout SHA256, _ text: String) {
        withUnsafeBytes(of: UInt64(text.utf8.count).littleEndian) { hash.update(bufferPointer: $0) }
        hash.update(data: Array(text.utf8))
    }
}

/// Why a database cannot be brought to this version's schema.
public enum MigrationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The database has migrations that this version does not know.
    case newer(name: String)
    /// A migration that was taken is not the one of that name here.
    case changed(name: String)
    /// The database has another migration at that place, counted from one.
    case other(place: Int, found: String, expected: String)
    /// The table of migrations does not hold what it should.
    case malformed(String)

    public var description: String {
        switch self {
        case .newer(let name):
            """
            the database was written by a newer version, which took the migration '\(name)': \
            start that version, or move the database away
            """
        case .changed(let name):
            """
            the migration '\(name)' was taken in another wording than this version has: \
            migrations must not be edited
            """
        case .other(let place, let found, let expected):
            """
            the database took '\(found)' as its migration number \(place), this version has \
            '\(expected)' there
            """
        case .malformed(let text):
            "the database's list of migrations is damaged: \(text)"
        }
    }
}

/// The migrations of a node, oldest first, and how a database takes them.
///
/// Each is one transaction that also records its name, digest and time: after a crash a migration
/// was taken as a whole or not at all.
struct SchemaMigrator: Sendable {
    let migrations: [SchemaMigration]

    /// A database cannot have taken more.
    private static let limit = 1_000

    init(_ migrations: [SchemaMigration]) {
        precondition(
            Set(migrations.map(\.name)).count == migrations.count
                && migrations.count <= SchemaMigrator.limit,
            "\(migrations.map(\.name)) are not different migrations"
        )
        self.migrations = migrations
    }

    private static let table = SQLStatement(
        """
        CREATE TABLE IF NOT EXISTS migration (
            position INTEGER PRIMARY KEY CHECK (position >= 1),
            name TEXT NOT NULL UNIQUE,
            digest BLOB NOT NULL CHECK (length(digest) = 32),
            taken INTEGER NOT NULL
        ) STRICT
        """
    )

    /// Those that the database has not taken yet, with their places counted from one.
    ///
    /// - Throws: `MigrationError` or `DatabaseError`.
    func missing(in database: any Database) async throws -> [(place: Int, SchemaMigration)] {
        let tables = try await database.run(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'migration'"
        )
        let rows =
            tables.isEmpty
            ? []
            : try await database.run(
                """
                SELECT position, name, digest FROM migration ORDER BY position
                LIMIT \(SchemaMigrator.limit + 1)
                """
            )
        for (index, row) in rows.enumerated() {
            guard row.count == 3, row[0].integer == Int64(index + 1), let name = row[1].text,
                let digest = row[2].blob
            else { throw MigrationError.malformed("its row \(index + 1)") }
            guard index < migrations.count else { throw MigrationError.newer(name: name) }
            let expected = migrations[index]
            guard name == expected.name else {
                throw MigrationError.other(place: index + 1, found: name, expected: expected.name)
            }
            guard digest == expected.digest else { throw MigrationError.changed(name: name) }
        }
        return migrations.enumerated().dropFirst(rows.count).map { ($0.offset + 1, $0.element) }
    }

    /// Takes one migration. Fails without any change when it was taken already.
    func take(
        _ migration: SchemaMigration,
        at place: Int,
        in database: any Database,
        _ now: WallTime
    ) async throws(DatabaseError) {
        let record = SQLStatement(
            "INSERT INTO migration (position, name, digest, taken) VALUES (?, ?, ?, ?)",
            [
                .integer(Int64(place)), .text(migration.name), .blob(migration.digest),
                .integer(now.nanoseconds),
            ]
        )
        try await database.transaction([SchemaMigrator.table] + migration.statements + [record])
    }
}
