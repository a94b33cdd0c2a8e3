import Determinism
import Machines
import SimulatedEnvironment
import Testing
import Units

/// Goal: a timer is found by its name, however many are set. Method: seeded sets and takes beside a dictionary,
/// with few timers, which are scanned, and with many, which are hashed.
@Suite struct TimerTableTests {
    @Test(arguments: [3, 16, 17, 18, 200])
    func timersAreFoundByTheirNames(names: Int) {
        var random = SeededRandom(
            seed: UInt64(names),
            entity: EntityID(.experiment, 0),
            purpose: "timers"
        )
        var table = TimerTable<Int>()
        var plain: [Int: (slot: UInt32, due: Instant)] = [:]
        // All at once to begin with: more than are scanned, or just as many.
        for name in 0..<names { plain[name] = (table.insert(name, due: .zero), .zero) }
        for step in 0..<4_000 as Range<Int64> {
            let name = Int(random.below(UInt64(names)))
            #expect(table.slot(of: name) == plain[name]?.slot)
            if let (slot, due) = plain[name] {
                #expect(table[slot].due == due && table[slot].timer == name)
                #expect(table.take(slot).timer == name)
                #expect(table.value(at: slot) == nil)
                plain[name] = nil
            } else {
                let due = Instant(nanoseconds: step)
                plain[name] = (table.insert(name, due: due), due)
            }
            #expect(table.occupied == plain.values.map(\.slot).sorted())
        }
    }
}
