import Effects
import Initialization
import NodeFoundation
import NodePlatform
import SimulatedEffects
import Testing
import Units

// Goal: the database opens sound and with this version's schema, or the boot ends and says why.
// Method: boots of database and migrations on a modelled host whose file, lock and disk are
// spoiled.
@Suite struct DatabaseTests {
    private let world = PlatformWorld()
    private static let path = "/data/node.sqlite"

    private func boot(
        _ migrations: [SchemaMigration] = PlatformWorld.migrations,
        incarnation: UInt32 = 0
    ) throws -> PlatformWorld.Boot {
        let all = PlatformWorld.all(migrations: migrations)
        return try world.boot([all[0], all[1], all[4], all[5]], incarnation: incarnation).boot
    }

    private func rows(_ sql: String) throws -> [SQLRow]? {
        try world.host.databases.rows(at: Self.path, sql)
    }

    @Test func migrationsAreTakenOnceAndInOrder() throws {
        #expect(try boot(Array(PlatformWorld.migrations.prefix(1))).isReady)
        #expect(try boot(incarnation: 1).isReady)
        let (again, process) = try world.boot(
            [0, 1, 4, 5].map { PlatformWorld.all()[$0] },
            incarnation: 2
        )
        #expect(again.isReady)
        #expect(!process.crashPoints.all.contains { $0.step.hasPrefix("database.") })
        #expect(
            try rows("SELECT position, name FROM migration ORDER BY position") == [
                [.integer(1), .text("first")], [.integer(2), .text("second")],
            ]
        )
        #expect(again.health.allSatisfy { $0.health == .healthy })
    }

    @Test func aNewerDatabaseIsRefused() throws {
        #expect(try boot().isReady)
        let older = try boot(Array(PlatformWorld.migrations.prefix(1)), incarnation: 1)
        #expect(older.failure?.contains("written by a newer version") == true)
        #expect(older.failure?.contains("'second'") == true)
    }

    @Test func editedAndReorderedMigrationsAreFound() throws {
        #expect(try boot().isReady)
        var edited = PlatformWorld.migrations
        edited[0].statements[1].values = [.integer(8)]
        #expect(
            try boot(edited, incarnation: 1).failure?.contains("'first' was taken in another")
                == true
        )
        let swapped = Array(PlatformWorld.migrations.reversed())
        #expect(
            try boot(swapped, incarnation: 2).failure?.contains("'second' there") == true
        )
    }

    @Test func aMigrationThatFailsLeavesNothing() throws {
        var broken = PlatformWorld.migrations
        broken[1].statements.append(SQLStatement("INSERT INTO nowhere VALUES (1)"))
        #expect(try boot(broken).failure?.contains("nowhere") == true)
        #expect(
            try rows("SELECT name FROM sqlite_master WHERE name IN ('a', 'b')") == [[.text("a")]]
        )
        #expect(try boot(incarnation: 1).isReady)
    }

    @Test func digestsTellStatementsApart() {
        let texts: [[SQLStatement]] = [
            [], [SQLStatement("")], [SQLStatement(""), SQLStatement("")], [SQLStatement("ab")],
            [SQLStatement("a"), SQLStatement("b")], [SQLStatement("a", [.integer(1)])],
            [SQLStatement("a", [.text("1")])], [SQLStatement("a", [.null]), SQLStatement("b")],
        ]
        #expect(Set(texts.map { SchemaMigration("x", $0).digest }).count == texts.count)
        #expect(SchemaMigration("x", texts[5]).digest == SchemaMigration("y", texts[5]).digest)
    }

    @Test func aDamagedFileIsNamedAndKept() throws {
        world.host.disk.place(Self.path, Array("this is no database".utf8))
        let failure = try boot().failure
        #expect(failure?.contains("database: /data/node.sqlite: damaged or no database") == true)
        #expect(failure?.contains("move it away together with") == true)
        #expect(world.host.disk.contents(of: Self.path) == Array("this is no database".utf8))
    }

    @Test func damageInsideIsFound() throws {
        #expect(try boot().isReady)
        world.host.databases.damage(Self.path, "page 3 is torn")
        #expect(try boot(incarnation: 1).failure?.contains("page 3 is torn; restore") == true)
    }

    @Test func aDatabaseThatIsBusyForAWhileIsWaitedFor() throws {
        world.host.databases.inject(
            DatabaseFault(at: Self.path, .busy, until: .zero + .seconds(1))
        )
        let seen = try boot()
        #expect(seen.isReady && seen.reasons("database").count == 1)
        world.host.databases.inject(DatabaseFault(at: Self.path, .busy))
        let failure = try boot(incarnation: 1).failure
        #expect(failure?.contains("another process uses the database") == true)
    }

    @Test func aSlowDiskIsCutOffInTime() throws {
        world.host.disk.slowdown = 100_000
        let seen = try boot()
        #expect(!seen.isReady && seen.degraded == nil)
        world.host.disk.slowdown = 1
        #expect(try boot(incarnation: 1).isReady)
    }

    @Test func aFullDiskEndsTheBoot() throws {
        world.host.disk.inject(DiskFault(at: Self.path, .writes, .full))
        #expect(try boot().failure?.contains("the disk is full") == true)
        world.host.disk.removeFaults()
        #expect(try boot(incarnation: 1).isReady)
    }
}
