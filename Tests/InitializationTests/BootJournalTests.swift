import Determinism
import Effects
import Initialization
import SimulationKernel
import Testing
import Units

// Goal: after any crash the journal tells what was begun, ended and reached, and never traps.
// Method: cut a real journal at every byte, damage it at random, and crash a boot at every point.
@Suite struct BootJournalTests {
    private let path = "/data/boot.journal"

    /// A boot with two durable steps.
    private func boot(in world: BootWorld) throws -> (BootJournal, LifecycleOutcome?) {
        let journal = BootJournal(effects: world.effects)
        let outcome = try world.executor.run { [path] () -> LifecycleOutcome? in
            do {
                try await journal.begin(at: path)
                let keeper = KeepingComponent()
                return try await world.lifecycle([keeper], journal: journal).run { _ in }
            } catch {
                return nil
            }
        }
        return (journal, outcome)
    }

    @Test func aWholeLifeIsRemembered() throws {
        let world = BootWorld()
        let (first, outcome) = try boot(in: world)
        #expect(outcome == .stopped(left: []))
        #expect(first.previous == nil)
        #expect(first.number == 1)
        let (second, _) = try boot(in: world)
        #expect(second.number == 2)
        let previous = try #require(second.previous)
        #expect(previous.number == 1)
        #expect(previous.interruptedSteps.isEmpty)
        #expect(
            previous.completedSteps == [
                "keeper.key", "keeper.table", "checkpoint.core", "ready", "stopped",
            ]
        )
        #expect(previous.checkpoints == [.core])
        #expect(previous.wasReady && previous.stoppedInOrder)
    }

    /// A line as the journal writes it.
    private func line(_ text: String) -> [UInt8] {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        let digits = String(hash, radix: 16)
        return Array(
            (String(repeating: "0", count: 16 - digits.count) + "\(digits) \(text)\n").utf8
        )
    }

    @Test func journalsThatCannotBeGoneOnWithCountAsNone() throws {
        let known = BootWorld()
        known.files[path] = line("boot 41")
        #expect(try boot(in: known).0.number == 42)
        let strangers = [
            line("boot \(UInt64.max)"), line("boot -1"), line("begin boot"),
            [UInt8](repeating: 0x20, count: (1 << 20) + 1),
        ]
        for (number, bytes) in strangers.enumerated() {
            let world = BootWorld()
            world.files[path] = bytes
            let (journal, outcome) = try boot(in: world)
            #expect(outcome == .stopped(left: []), "\(number)")
            #expect(journal.number == 1 && journal.previous == nil, "\(number)")
        }
    }

    @Test func aCrashAtEveryPointIsTold() throws {
        let whole = BootWorld()
        _ = try boot(in: whole)
        let points = whole.crashPoints.reached
        #expect(points.count == 10)
        for point in points {
            let world = BootWorld()
            world.crashPoints.crash(at: point)
            _ = try boot(in: world)
            world.crashPoints.crash(at: nil)
            let (journal, outcome) = try boot(in: world)
            #expect(outcome == .stopped(left: []))
            let previous = try #require(journal.previous, "\(point)")
            #expect(previous.completedSteps.contains(point.step) == (point.side == .after))
            #expect(previous.interruptedSteps.isEmpty)
            #expect(previous.stoppedInOrder == (point == points.last))
        }
    }

    @Test func aJournalCutAnywhereIsReadUpToTheCut() throws {
        let whole = BootWorld()
        _ = try boot(in: whole)
        let bytes = try #require(whole.files[path])
        var steps = 0
        for length in 0...bytes.count {
            let world = BootWorld()
            world.files[path] = Array(bytes.prefix(length))
            let (journal, outcome) = try boot(in: world)
            #expect(outcome == .stopped(left: []))
            let known =
                (journal.previous?.completedSteps.count ?? 0)
                + (journal.previous?.interruptedSteps.count ?? 0)
            #expect(known >= steps, "cut at \(length)")
            steps = known
        }
        #expect(steps == 5)
    }

    @Test func damagedJournalsNeverTrap() throws {
        let whole = BootWorld()
        _ = try boot(in: whole)
        let bytes = try #require(whole.files[path])
        var random = SeededRandom(seed: 1, entity: EntityID(.node, 0), purpose: "damage")
        let world = BootWorld()
        for _ in 0..<100_000 {
            var damaged = bytes
            for _ in 0...random.below(3) {
                let place = Int(random.below(UInt64(damaged.count)))
                switch random.below(3) {
                case 0: damaged[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: damaged.remove(at: place)
                default: damaged.insert(0x0A, at: place)
                }
            }
            world.files[path] = damaged
            let journal = BootJournal(effects: world.effects)
            try world.executor.run { [path] in
                do { try await journal.begin(at: path) } catch { Issue.record("\(error)") }
            }
            #expect(journal.number != nil)
        }
    }
}

/// Takes two durable steps.
private struct KeepingComponent: Component {
    let specification = ComponentSpecification(name: "keeper", phase: .core)

    func initialize(_ context: ComponentContext) async throws {
        try await context.journal.step("keeper.key") {}
        try await context.journal.step("keeper.table") {}
    }
}
