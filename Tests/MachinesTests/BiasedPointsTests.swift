import Machines
import Testing
import Units

/// Goal: points strike only in simulations, follow from the seed by name, and are counted.
@Suite struct BiasedPointsTests {
    private func points(
        _ seed: UInt64,
        node: UInt32 = 0,
        incarnation: UInt32 = 0,
        chances: BiasedPoints.Chances? = .usual
    ) -> BiasedPoints {
        .simulated(seed: seed, node: NodeID(node), incarnation: incarnation, chances: chances)
    }

    private func strikes(_ points: BiasedPoints, _ name: StaticString) -> [Bool] {
        var points = points
        return (0..<100).map { _ in points.strikes(name) }
    }

    @Test func nothingStrikesWhereNothingWasAskedFor() {
        var off = Birth<Idle>(node: NodeID(0), incarnation: 0, recovered: [], seed: 1).points
        for _ in 0..<1_000 {
            let isStruck = off.strikes("a", chance: .percent(100))
            #expect(!isStruck)
        }
        off.sometimes("b")
        #expect(off.coverage.isEmpty && !off.canStrike)
        // A simulation without chances counts events and strikes nothing.
        var counting = points(1, chances: nil)
        let isStruck = counting.strikes("a", chance: .percent(100))
        #expect(!isStruck)
        counting.sometimes("b")
        counting.sometimes("b", false)
        #expect(counting.coverage.map(\.name) == ["b"])
        #expect(counting.coverage[0].visits == 2 && counting.coverage[0].hits == 1)
    }

    @Test func namesAreEnabledBySeedAndStrikeByNodeAndLife() {
        var enabled = 0
        var hits = 0
        for seed in 1...400 as ClosedRange<UInt64> {
            let first = strikes(points(seed), "point")
            #expect(first == strikes(points(seed), "point"))
            if first.contains(true) {
                enabled += 1
                hits += first.count { $0 }
                // The same for all nodes and lives whether, and not the same when.
                #expect(strikes(points(seed, node: 1), "point").contains(true))
                #expect(strikes(points(seed, node: 1), "point") != first)
                #expect(strikes(points(seed, incarnation: 1), "point") != first)
            }
        }
        // A quarter each: 100 ± 9 of 400 seeds, and a quarter of the visits.
        #expect((70...130).contains(enabled))
        #expect(abs(Double(hits) / Double(enabled * 100) - 0.25) < 0.03)
    }

    @Test func aNewPointMovesNoOther() {
        for seed in 1...40 as ClosedRange<UInt64> {
            var alone = points(seed)
            var together = points(seed)
            for _ in 0..<50 {
                _ = together.strikes("new")
                let first = alone.strikes("old")
                let second = together.strikes("old")
                #expect(first == second)
            }
        }
    }

    @Test func coverageOfSeveralLivesAddsUp() {
        var first = points(1, chances: .init(enabled: .percent(100), strikes: .percent(100)))
        var second = first
        _ = first.strikes("a")
        _ = second.strikes("a")
        second.sometimes("a")
        let all = first.coverage.merged(with: second.coverage)
        #expect(all.count == 2)
        let point = all.first { $0.kind == .point }
        #expect(point?.visits == 2 && point?.hits == 2 && point?.isEnabled == true)
    }
}

private struct Idle: Machine {
    mutating func step(_ input: Input<Idle>, at now: Instant, into actions: inout Actions<Idle>) {}
}
