import Effects
import Initialization
import NodePlatform
import SimulatedEffects
import SimulationKernel
import Testing
import Units

// Goal: wherever a host crashes while its node boots or ends, the next boot succeeds with the same
// authority, without half a migration, and what was once there is never replaced.
// Method: count the write operations and durable steps of a whole life, crash before, in and after
// every one of them, look at what is left, boot twice more.
@Suite struct CrashTests {
    private func life(
        _ world: PlatformWorld,
        incarnation: UInt32,
        crash: CrashPlan = .never
    ) throws -> (boot: PlatformWorld.Boot, process: SimulatedProcess) {
        try world.boot(PlatformWorld.all(), incarnation: incarnation, crash: crash) { node, _ in
            node.value(PlatformKeys.cache)?.insert([1, 2, 3], for: "key \(incarnation)")
        }
    }

    /// Tables and their migrations come together.
    private func checkSchema(_ world: PlatformWorld, _ place: String) throws {
        let names = try world.host.databases.rows(
            at: "/data/node.sqlite",
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        )
        let tables = (names ?? []).compactMap { $0.first?.text }
        let whole: [[String]] = [[], ["a", "migration"], ["a", "b", "migration"]]
        #expect(whole.contains(tables), "\(place): \(tables)")
        guard tables.contains("a") else { return }
        let rows = try world.host.databases.rows(at: "/data/node.sqlite", "SELECT x FROM a")
        #expect(rows == [[.integer(7)]], "\(place)")
        let taken = try world.host.databases.rows(
            at: "/data/node.sqlite",
            "SELECT count(*) FROM migration"
        )
        #expect(taken == [[.integer(Int64(tables.count - 1))]], "\(place)")
    }

    /// The plans of every crash that the life of a node in `world` can meet.
    private func plans() throws -> [CrashPlan] {
        let (boot, process) = try life(PlatformWorld(), incarnation: 0)
        #expect(boot.isReady && boot.degraded == [])
        let steps = process.crashPoints.all
        for name in [
            "security.authority-key", "security.authority-certificate", "security.certificate",
            "database.migrations.first", "database.migrations.second", "cache.keep",
        ] {
            let both = CrashPoint.Side.allCases.map { CrashPoint(step: name, side: $0) }
            #expect(both.allSatisfy(steps.contains), "\(name)")
        }
        #expect(process.diskOperationCount > 30)
        return steps.map { .point($0) }
            + (1...process.diskOperationCount).flatMap { number in
                CrashPlan.DiskMoment.allCases.map { .diskOperation(number, $0) }
            }
    }

    @Test func aNodeComesBackFromEveryCrash() throws {
        var unfinished = 0
        for plan in try plans() {
            let world = PlatformWorld()
            let (boot, _) = try life(world, incarnation: 0, crash: plan)
            #expect(boot.outcome == nil && world.host.crashCount == 1, "\(plan)")
            let key = world.file("authority-key.pem")
            let certificate = world.file("authority.pem")
            let node = world.file("node.pem")
            if key != nil, certificate == nil { unfinished += 1 }
            #expect(key != nil || certificate == nil, "\(plan)")
            #expect(certificate != nil || node == nil, "\(plan)")
            try checkSchema(world, "\(plan)")

            let (second, _) = try life(world, incarnation: 1)
            #expect(second.isReady, "\(plan): \(String(describing: second.failure))")
            #expect(second.degraded == [], "\(plan)")
            // What the crash left is what is used.
            if let key { #expect(world.file("authority-key.pem") == key, "\(plan)") }
            if let certificate { #expect(world.file("authority.pem") == certificate, "\(plan)") }
            if let node { #expect(world.file("node.pem") == node, "\(plan)") }
            try checkSchema(world, "\(plan)")

            let files = ["authority-key.pem", "authority.pem", "node.pem"].map(world.file)
            let (third, _) = try life(world, incarnation: 2)
            #expect(third.isReady, "\(plan)")
            #expect(["authority-key.pem", "authority.pem", "node.pem"].map(world.file) == files)
        }
        // The gap between key and certificate was met.
        #expect(unfinished >= 3)
    }

    /// Goal: a crash never brings back values of the cache that have changed since.
    /// Method: keep a value, change it in the next life, crash, ask.
    @Test func aCrashDoesNotWarmTheCacheWithThePast() throws {
        let world = PlatformWorld()
        _ = try world.boot(PlatformWorld.all()) { node, _ in
            node.value(PlatformKeys.cache)?.insert([1], for: "price")
        }
        let (second, _) = try world.boot(PlatformWorld.all(), incarnation: 1) {
            [host = world.host] node, _ in
            #expect(node.value(PlatformKeys.cache)?.value(for: "price") == [1])
            node.value(PlatformKeys.cache)?.insert([2], for: "price")
            host.crash()
        }
        #expect(second.outcome == nil)
        let (third, _) = try world.boot(PlatformWorld.all(), incarnation: 2) { node, _ in
            #expect(node.value(PlatformKeys.cache)?.value(for: "price") == nil)
        }
        #expect(third.isReady && third.degraded == [])
    }

    /// Goal: equal seeds give equal runs, keys and times. Method: two lives each in two worlds.
    @Test func equalSeedsGiveEqualBoots() throws {
        func run(_ seed: UInt64) throws -> (
            key: String?, sizes: [Int?], time: Instant, jobs: UInt64
        ) {
            let world = PlatformWorld(seed: seed)
            _ = try life(world, incarnation: 0)
            _ = try life(world, incarnation: 1)
            let sizes = ["authority.pem", "node.pem"].map { world.file($0)?.utf8.count }
            return (
                world.file("authority-key.pem"), sizes, world.executor.now, world.executor.jobCount
            )
        }
        let one = try run(5)
        for _ in 0..<5 {
            let other = try run(5)
            #expect(one == other)
        }
        let another = try run(6)
        #expect(one.key != another.key)
    }
}
