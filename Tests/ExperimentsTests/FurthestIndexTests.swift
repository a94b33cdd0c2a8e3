import Experiments
import Testing
import Units

/// Goal: replicas are held to what another had applied long enough ago, and to nothing newer.
/// Method: indices at given milliseconds, with a grace of a second.
@Suite struct FurthestIndexTests {
    private static func due(_ applied: [(UInt64, Int64)], at end: Int64) -> UInt64 {
        var furthest = FurthestIndex(grace: .seconds(1))
        for (index, time) in applied { furthest.applied(index, at: .zero + .milliseconds(time)) }
        return furthest.index(dueAt: .zero + .milliseconds(end))
    }

    @Test func whatIsNewIsNotDueYet() {
        let applied: [(UInt64, Int64)] = [(10, 200), (20, 900), (30, 1_500), (40, 2_950)]
        #expect(Self.due(applied, at: 1_900) == 0)
        #expect(Self.due(applied, at: 2_100) == 20)
        #expect(Self.due(applied, at: 3_500) == 30)
        #expect(Self.due(applied, at: 4_000) == 40)
    }

    @Test func aGroupThatCameToRestIsDueInWhole() {
        #expect(Self.due([(1, 0), (7, 100)], at: 60_000) == 7)
        #expect(Self.due([], at: 60_000) == 0)
    }

    // Replicas tell in any order; a later one is not further.
    @Test func onlyTheFurthestCounts() {
        #expect(Self.due([(9, 100), (3, 1_200), (9, 2_500), (8, 3_500)], at: 9_000) == 9)
    }

    @Test func manyPartsCostNoMore() {
        let applied = (UInt64(1)...10_000).map { ($0, Int64($0) * 700) }
        let due = Self.due(applied, at: 7_000_000)
        #expect((9_995...9_999).contains(due), "\(due)")
    }
}
