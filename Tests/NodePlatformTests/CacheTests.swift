import Determinism
import Effects
import Initialization
import NodeFoundation
import NodePlatform
import SimulatedEffects
import Testing
import Units

// Goal: the cache stays within its bounds, lets the longest unused go first, survives an orderly
// stop, and does not believe a damaged file. Method: a slow model beside the table, snapshots that
// are cut and changed, boots on a modelled host.
@Suite struct CacheTests {
    /// The same, as a list with the longest unused first.
    private struct Model {
        var entries: [CacheTable.Entry] = []
        let limits: CacheTable.Limits

        var bytes: Int { entries.reduce(0) { $0 + $1.key.utf8.count + $1.value.count } }

        mutating func value(_ key: String, _ now: Instant) -> [UInt8]? {
            guard let place = entries.firstIndex(where: { $0.key == key }) else { return nil }
            let entry = entries.remove(at: place)
            guard now < entry.end else { return nil }
            entries.append(entry)
            return entry.value
        }

        mutating func insert(_ entry: CacheTable.Entry, _ now: Instant) -> Bool {
            entries.removeAll { $0.key == entry.key }
            guard now < entry.end, limits.entries > 0,
                entry.key.utf8.count + entry.value.count <= limits.bytes
            else { return false }
            entries.append(entry)
            while entries.count > limits.entries || bytes > limits.bytes { entries.removeFirst() }
            return true
        }
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func theTableDoesWhatItsModelDoes(seed: UInt64) {
        var random = SeededRandom(stateFrom: seed)
        let limits = CacheTable.Limits(
            entries: Int(random.below(12)),
            bytes: Int(random.below(200))
        )
        var table = CacheTable(limits)
        var model = Model(limits: limits)
        var now = Instant.zero
        for _ in 0..<600 {
            now += .nanoseconds(Int64(random.below(20)))
            let key = String(repeating: "k", count: Int(random.below(15)))
            switch random.below(8) {
            case 0...3:
                let entry = CacheTable.Entry(
                    key: key,
                    value: Array(repeating: 1, count: Int(random.below(60))),
                    end: now + .nanoseconds(Int64(random.below(200)))
                )
                let kept = table.insert(entry, at: now)
                #expect(kept == model.insert(entry, now), "seed \(seed)")
            case 4:
                table.remove(key)
                model.entries.removeAll { $0.key == key }
            case 5 where random.below(20) == 0:
                table.removeAll()
                model.entries = []
            case _:
                let value = table.value(for: key, at: now)
                #expect(value == model.value(key, now), "seed \(seed)")
            }
            table.checkInvariants()
            #expect(table.count == model.entries.count && table.bytes == model.bytes)
            #expect(table.entries(at: now) == model.entries.filter { now < $0.end })
        }
    }

    private static func snapshot(_ random: inout SeededRandom) -> CacheSnapshot {
        CacheSnapshot(
            entries: (0..<random.below(6)).map { _ in
                CacheSnapshot.Entry(
                    key: String(repeating: "\u{E9}", count: Int(random.below(9))),
                    value: (0..<random.below(40)).map { _ in UInt8(random.below(256)) },
                    end: WallTime(nanoseconds: Int64(bitPattern: random.next()))
                )
            }
        )
    }

    @Test func snapshotsComeBack() throws {
        var random = SeededRandom(stateFrom: 1)
        for _ in 0..<2_000 {
            let snapshot = Self.snapshot(&random)
            #expect(try CacheSnapshot(reading: snapshot.encoded) == snapshot)
            let bytes = snapshot.entries.reduce(0) { $0 + $1.key.utf8.count + $1.value.count }
            let limit = CacheSnapshot.sizeLimit(entries: snapshot.entries.count, bytes: bytes)
            #expect(snapshot.encoded.count == limit)
        }
    }

    /// Goal: no bytes trap the decoder, and no damage passes. Method: 120,000 seeded inputs: noise,
    /// cut, lengthened and changed snapshots, with their digest and, for the inner decoder,
    /// without.
    @Test func damagedSnapshotsAreRefused() throws {
        var random = SeededRandom(stateFrom: 2)
        var refused = 0
        for round in 0..<40_000 {
            let whole = Self.snapshot(&random).encoded
            var bytes = whole
            switch round % 4 {
            case 0: bytes = (0..<random.below(80)).map { _ in UInt8(random.below(256)) }
            case 1: bytes = Array(bytes.prefix(Int(random.below(UInt64(bytes.count)))))
            case 2: bytes.append(UInt8(random.below(256)))
            case _:
                bytes[Int(random.below(UInt64(bytes.count)))] ^= UInt8(1 + random.below(255))
            }
            #expect(throws: CacheSnapshotError.self) { try CacheSnapshot(reading: bytes) }
            refused += 1
            // The same damage where the digest does not see it, twice.
            var content = Array(whole.dropLast(32))
            for _ in 0..<2 where !content.isEmpty {
                content[Int(random.below(UInt64(content.count)))] = UInt8(random.below(256))
                if let read = try? CacheSnapshot(content: content[...]) {
                    #expect(read.entries.count <= content.count / 14)
                }
            }
        }
        #expect(refused == 40_000)
    }

    // MARK: - The component

    private func boot(
        _ world: PlatformWorld,
        incarnation: UInt32,
        _ configuration: NodeConfiguration = PlatformWorld.configuration,
        serve: @escaping @Sendable (NodeCache, NodeEffects) async -> Void
    ) throws -> PlatformWorld.Boot {
        let all = PlatformWorld.all(configuration)
        return try world.boot([all[0], all[1], all[6]], incarnation: incarnation) { node, effects in
            guard let cache = node.value(PlatformKeys.cache) else {
                Issue.record("no cache")
                return
            }
            await serve(cache, effects)
        }.boot
    }

    @Test func anOrderlyStopKeepsTheCacheWarm() throws {
        let world = PlatformWorld()
        let first = try boot(world, incarnation: 0) { cache, effects in
            cache.insert([1], for: "long")
            cache.insert([2], for: "short", timeToLive: .seconds(10))
            cache.insert([3], for: "gone")
            cache.remove("gone")
            try? await effects.clock.sleep(for: .seconds(5))
            #expect(cache.value(for: "short") == [2] && cache.value(for: "gone") == nil)
            #expect(cache.statistics.hits == 1 && cache.statistics.misses == 1)
        }
        #expect(first.isReady && first.degraded == [])
        world.host.wallClockError += .seconds(100)
        let second = try boot(world, incarnation: 1) { cache, effects in
            #expect(cache.value(for: "long") == [1] && cache.value(for: "short") == nil)
            // What was kept does not begin a new life.
            try? await effects.clock.sleep(for: .seconds(196))
            #expect(cache.value(for: "long") == nil)
        }
        #expect(second.isReady)
    }

    @Test func aClockThatWentBackMakesNothingImmortal() throws {
        let world = PlatformWorld()
        _ = try boot(world, incarnation: 0) { cache, _ in cache.insert([1], for: "x") }
        world.host.wallClockError = .seconds(-1_000_000)
        _ = try boot(world, incarnation: 1) { cache, effects in
            #expect(cache.value(for: "x") == [1])
            try? await effects.clock.sleep(for: .seconds(301))
            #expect(cache.value(for: "x") == nil)
        }
    }

    @Test func aDamagedSnapshotLeavesAColdCache() throws {
        let world = PlatformWorld()
        _ = try boot(world, incarnation: 0) { cache, _ in cache.insert([1], for: "x") }
        var bytes = try #require(world.host.disk.contents(of: "/data/cache.snapshot"))
        bytes[bytes.count / 2] ^= 1
        world.host.disk.place("/data/cache.snapshot", bytes)
        let seen = try boot(world, incarnation: 1) { cache, _ in
            #expect(cache.value(for: "x") == nil)
            #expect(cache.insert([2], for: "y"))
        }
        #expect(seen.isReady && seen.degraded == ["cache"])
        #expect(seen.reasons("cache").count == 3)
        #expect(seen.events.contains(.fallbackStarted(component: "cache", fallback: "cache.cold")))
        let next = try boot(world, incarnation: 2) { cache, _ in
            #expect(cache.value(for: "y") == [2])
        }
        #expect(next.isReady && next.degraded == [])
    }

    @Test func aFullDiskOnlyCoolsTheCache() throws {
        let world = PlatformWorld()
        world.host.disk.inject(DiskFault(at: "/data/cache.snapshot", .writes, .full))
        let seen = try boot(world, incarnation: 0) { cache, _ in cache.insert([1], for: "x") }
        #expect(seen.isReady)
        let next = try boot(world, incarnation: 1) { cache, _ in
            #expect(cache.value(for: "x") == nil)
        }
        #expect(next.isReady && next.degraded == [])
    }

    @Test func theSettingsBoundTheCache() throws {
        var configuration = PlatformWorld.configuration
        configuration.cache.entries = 2
        configuration.cache.bytes = ByteCount(10)
        let seen = try boot(PlatformWorld(), incarnation: 0, configuration) { cache, _ in
            #expect(!cache.insert(Array(repeating: 0, count: 10), for: "x"))
            for key in ["a", "b", "c"] { cache.insert([0, 0], for: key) }
            #expect(cache.statistics.entries == 2 && cache.value(for: "a") == nil)
            cache.insert([0, 0, 0, 0, 0, 0, 0, 0, 0], for: "d")
            #expect(cache.statistics.entries == 1 && cache.statistics.bytes == 10)
        }
        #expect(seen.isReady)
    }
}
