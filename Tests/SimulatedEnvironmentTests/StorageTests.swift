import Determinism
import HardwareModel
import Machines
import NetworkModel
import RecordLog
import SimulatedEnvironment
import SimulationKernel
import Testing
import Units

// Goal: a crash never takes back what a disk truthfully acknowledged; whatever a lying or rotting disk
// takes back is refused at the restart or at least reported; a node whose disk fails is down and not
// wrong. Method: a node that writes numbered batches without pause is crashed again and again, for many
// seeds and each kind of fault.
@Suite("Simulated storage")
struct StorageTests {
    static let node = [NodeID(0)]
    /// Nine crashes, each at another moment of the write under way.
    static let crashes = (1...9).flatMap { step in
        let time = Int64(step) * 200 + Int64(step % 4)
        return fault(step, .crash(node), from: time, healing: .restart(node), to: time + 5)
    }

    static func throughout(_ change: DiskFault) -> [SimulationPlan.ScheduledFault] {
        fault(100, .disk(node, change), from: 0, to: 5_000)
    }

    /// Whether the recovered records are whole batches without gaps, up to one that follows the last.
    static func isWhole(_ recovered: [UInt64]) -> Bool {
        let batches = stride(from: 0, to: recovered.count, by: Keeper.shares).map { recovered[$0] }
        return recovered == batches.flatMap { Array(repeating: $0, count: Keeper.shares) }
            && zip(batches, batches.dropFirst()).allSatisfy { $0 + 1 == $1 }
    }

    // Goal: without disk faults a crash loses exactly what was not acknowledged, and compaction leaves
    // what is from the latest superseding batch on.
    @Test func crashesWithoutDiskFaults() {
        var world = keeper(seed: 1, faults: StorageTests.crashes)
        _ = world.run()
        let lives = world.observer.lives
        #expect(lives.count == 10)
        for life in lives.dropFirst() {
            #expect(StorageTests.isWhole(life.recovered))
            #expect(life.recovered.last == life.acknowledged)
            #expect(life.recovered.first == max(1, life.acknowledged / 17 * 17))
        }
        #expect(world.storageFacts.isEmpty)
    }

    // Goal: an observer hears of each crash, and of a loss before the life that begins without what was
    // lost; where a disk is honest, nothing is lost. Method: crashes with and without a lying disk.
    @Test func observersHearWhatBefellANode() {
        var honest = keeper(seed: 1, faults: StorageTests.crashes)
        _ = honest.run()
        #expect(honest.observer.incidents.map(\.incident) == Array(repeating: .crashed, count: 9))
        #expect(honest.recoveries == 9)
        var losses = 0
        for seed in 0..<20 as Range<UInt64> {
            var world = keeper(
                seed: seed,
                faults: StorageTests.throughout(.lostSyncs(.percent(40))) + StorageTests.crashes
            )
            _ = world.run()
            let forgot = world.storageFacts.filter {
                if case .forgot = $0.kind { true } else { false }
            }
            let told = world.observer.incidents.filter { $0.incident == .lostDurable }
            #expect(told.map(\.time) == forgot.map(\.time), "seed \(seed)")
            losses += told.count
        }
        #expect(losses > 5)
        let power = fault(
            1,
            .powerFailure(StorageTests.node, losingDisk: true),
            from: 100,
            healing: .restart(StorageTests.node),
            to: 200
        )
        var erased = keeper(seed: 1, faults: power)
        _ = erased.run()
        #expect(erased.observer.incidents.map(\.incident) == [.crashed, .lostDurable])
    }

    // Goal: machines that live at the end are asked what they have to say, and nothing changes by it.
    // Method: one that lives, and one that is down.
    @Test func machinesThatLiveTellTheirLast() {
        var world = keeper(seed: 1, faults: [])
        _ = world.run()
        let before = world.fingerprint
        world.hearClosingEvents()
        #expect(world.fingerprint == before)
        guard case .closed(let next)? = world.observer.story.last?.event else {
            Issue.record("the keeper said nothing")
            return
        }
        #expect(next > 3 && world.observer.story.last?.time == world.now)
        var dead = keeper(
            seed: 1,
            faults: fault(1, .crash(StorageTests.node), from: 100, to: 5_000)
        )
        _ = dead.run()
        dead.hearClosingEvents()
        #expect(
            !dead.observer.story.contains { if case .closed = $0.event { true } else { false } }
        )
    }

    // Goal: torn writes keep all that was acknowledged, and of the batch being written all or nothing.
    @Test func tornWrites() {
        var kept = 0
        var lost = 0
        var repaired = 0
        for seed in 0..<60 as Range<UInt64> {
            var world = keeper(
                seed: seed,
                faults: StorageTests.throughout(.tornWrites) + StorageTests.crashes
            )
            _ = world.run()
            #expect(world.observer.lives.count == 10, "seed \(seed)")
            for life in world.observer.lives.dropFirst() {
                #expect(StorageTests.isWhole(life.recovered), "seed \(seed)")
                let last = life.recovered.last ?? 0
                #expect((0...1).contains(Int(last) - Int(life.acknowledged)), "seed \(seed)")
                if last == life.acknowledged { lost += 1 } else { kept += 1 }
            }
            for fact in world.storageFacts {
                if case .repaired = fact.kind { repaired += 1 } else { Issue.record("\(fact)") }
            }
        }
        #expect(kept > 50 && lost > 50 && repaired > 50)
    }

    /// What befalls a node while batches are under way.
    enum Mishap: CaseIterable {
        case crash
        case tornWrite
        case failedSync

        var faults: [SimulationPlan.ScheduledFault] {
            switch self {
            case .crash: StorageTests.crashes
            case .tornWrite: StorageTests.throughout(.tornWrites) + StorageTests.crashes
            case .failedSync:
                (1...9).flatMap { step in
                    let failure = DiskFault.error(.sync, .percent(50))
                    let time = Int64(step) * 200
                    let change = WorldFault.disk(StorageTests.node, failure)
                    return fault(step, change, from: time, to: time + 60)
                }
            }
        }
    }

    // Goal: however many batches wait behind the one being written, and whichever of them supersede others, what
    // is recovered is whole, begins with the latest superseding record and ends with the last batch that was
    // acknowledged, or with the one that had been begun. Method: keepers with three to six batches under way, of
    // which all, some or none supersede the earlier ones, each with any of its records.
    @Test(arguments: Mishap.allCases)
    func severalBatchesUnderWay(_ mishap: Mishap) {
        var kept = 0
        var lost = 0
        var repaired = 0
        for seed in 0..<48 as Range<UInt64> {
            let habit = Keeper.Habit(
                compaction: [1, 2, 3, 8][Int(seed % 4)],
                supersedingShare: Int(seed / 4 % 3),
                inFlight: 3 + Int(seed / 4 % 4)
            )
            var world = keeper(seed: seed, habit, faults: mishap.faults)
            _ = world.run()
            #expect(world.observer.lives.count == 10, "seed \(seed)")
            for life in world.observer.lives.dropFirst() {
                let last = life.recovered.last ?? 0
                #expect(life.recovered == habit.kept(through: last), "seed \(seed)")
                #expect((0...1).contains(Int(last) - Int(life.acknowledged)), "seed \(seed)")
                if last == life.acknowledged { lost += 1 } else { kept += 1 }
            }
            for fact in world.storageFacts {
                switch fact.kind {
                case .repaired where mishap != .crash: repaired += 1
                case .failed(.sync) where mishap == .failedSync: break
                default: Issue.record("seed \(seed): \(fact)")
                }
            }
        }
        if mishap == .crash {
            #expect(kept == 0)
        } else {
            #expect(kept > 20 && lost > 20 && repaired > 20, "\(kept), \(lost), \(repaired)")
        }
    }

    // Goal: a disk fills with what is written, batch by batch, whatever waits behind it. Method: batches of different
    // sizes, some of them without the records that they supersede themselves; the first that does not fit fails.
    @Test(arguments: [1, 2, 6])
    func aFullDiskHoldsWhatFits(inFlight: Int) throws {
        let room = 20_000
        let habit = Keeper.Habit(compaction: 3, supersedingShare: 2, inFlight: inFlight)
        var fitting: UInt64 = 0
        var writer = WireWriter()
        while writer.count <= room {
            fitting += 1
            for share in habit.written(of: fitting) { share.encode(into: &writer) }
        }
        fitting -= 1
        let full = DiskFault.full(remaining: ByteCount(room))
        var world = keeper(
            seed: 1,
            habit,
            faults: fault(1, .disk(StorageTests.node, full), from: 0, to: 1_500)
        )
        _ = world.run()
        #expect(world.storageFacts.first?.kind == .full)
        let lives = world.observer.lives
        try #require(lives.count == 2)
        #expect(fitting > 3 && lives[1].acknowledged == fitting)
    }

    // Goal: the first failed write or sync ends the process, which comes back with all that was
    // acknowledged when the fault has ended; so does a disk that is full.
    @Test(arguments: [
        DiskFault.error(.sync, .percent(30)), .error(.write, .percent(100)),
        .full(remaining: ByteCount(20_000)),
    ])
    func failures(_ change: DiskFault) throws {
        for seed in 0..<20 as Range<UInt64> {
            var world = keeper(
                seed: seed,
                faults: fault(1, .disk(StorageTests.node, change), from: 500, to: 1_500)
            )
            _ = world.run()
            let failed = try #require(world.storageFacts.first)
            let expected: StorageFact.Kind =
                if case .error(let operation, _) = change { .failed(operation) } else { .full }
            #expect(failed.kind == expected)
            let lives = world.observer.lives
            try #require(lives.count == 2)
            #expect(StorageTests.isWhole(lives[1].recovered))
            let last = lives[1].recovered.last ?? 0
            #expect((0...1).contains(Int(last) - Int(lives[1].acknowledged)))
            // Nothing happens between the failure and the end of the fault.
            let silent = world.observer.story.filter {
                failed.time < $0.time && $0.time < at(1_500)
            }
            #expect(silent.isEmpty)
            #expect(world.observer.story.contains { $0.time > at(1_500) })
        }
    }

    // Goal: what a disk that lies about syncs, misplaces sectors or rots takes away is never taken away
    // in silence: either recovery refuses and the node stays down, or the run says what is missing.
    @Test(arguments: [
        DiskFault.lostSyncs(.percent(40)), .misdirected(.percent(3)), .bitRot(Ratio(0.00001)),
    ])
    func lyingDisks(_ change: DiskFault) {
        var refused = 0
        var forgot = 0
        for seed in 0..<60 as Range<UInt64> {
            var world = keeper(
                seed: seed,
                faults: StorageTests.throughout(change) + StorageTests.crashes
            )
            _ = world.run()
            let facts = world.storageFacts
            let isRefused = facts.contains { if case .refused = $0.kind { true } else { false } }
            #expect(isRefused || world.observer.lives.count == 10, "seed \(seed)")
            if isRefused { refused += 1 }
            for life in world.observer.lives.dropFirst() {
                #expect(StorageTests.isWhole(life.recovered), "seed \(seed)")
                guard (life.recovered.last ?? 0) < life.acknowledged else { continue }
                forgot += 1
                let isReported = facts.contains {
                    if case .forgot = $0.kind { true } else { false }
                }
                #expect(isReported, "seed \(seed)")
            }
        }
        #expect(refused > 5)
        // Rot is always noticed.
        if case .bitRot = change { #expect(forgot == 0) }
    }

    // Goal: a node that recovery refuses stays down at every later restart, with the same reason, and
    // others go on. Method: every byte rots once, then two restarts.
    @Test func refusedNodesStayDown() {
        let rot = fault(50, .disk(StorageTests.node, .bitRot(Ratio(0.01))), from: 150, to: 160)
        let habit = Keeper.Habit(compaction: 1 << 40)
        var world = keeper(seed: 1, habit, faults: rot + StorageTests.crashes)
        _ = world.run()
        let reasons = world.storageFacts.compactMap {
            if case .refused(let failure) = $0.kind { failure } else { nil }
        }
        #expect(reasons.count == 9 && Set(reasons).count == 1)
        #expect(world.observer.lives.count == 1)
        #expect(world.observer.story.allSatisfy { $0.time < at(210) })
    }

    // Goal: a slow disk is slow while the fault lasts: each batch takes its time, times the slowdown,
    // and more.
    @Test func latency() {
        let slow = DiskFault.latency(added: .milliseconds(10), slowdown: 4)
        var world = keeper(
            seed: 1,
            faults: fault(1, .disk(StorageTests.node, slow), from: 500, to: 1_000)
        )
        _ = world.run()
        func count(_ range: Range<Int64>) -> Int {
            world.observer.story.filter {
                at(range.lowerBound) < $0.time && $0.time < at(range.upperBound)
            }.count
        }
        // Two milliseconds a sync, and a few microseconds of writing.
        #expect((248...250).contains(count(0..<500)))
        #expect((26...29).contains(count(500..<1_000)))
        #expect((228...250).contains(count(1_000..<1_500)))
    }

    // Goal: equal seeds give equal damage. Method: every kind of fault at once, twice.
    @Test func damageIsReproducible() {
        let faults = [
            DiskFault.tornWrites, .lostSyncs(.percent(2)), .misdirected(.percent(1)),
            .bitRot(Ratio(0.000001)), .error(.sync, .percent(0.1)),
            .latency(added: .milliseconds(1), slowdown: 2),
        ].enumerated().flatMap { place, change in
            fault(100 + place, .disk(StorageTests.node, change), from: 0, to: 5_000)
        }
        func run(_ seed: UInt64) -> (Fingerprint, [StorageFact]) {
            var world = keeper(seed: seed, faults: faults + StorageTests.crashes)
            _ = world.run()
            return (world.fingerprint, world.storageFacts)
        }
        for seed in 0..<10 as Range<UInt64> {
            let first = run(seed)
            let again = run(seed)
            #expect(first.0 == again.0 && first.1 == again.1)
            #expect(!first.1.isEmpty)
        }
    }
}
