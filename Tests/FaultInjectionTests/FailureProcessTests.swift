import FaultInjection
import Scenarios
import Testing
import Units

/// Goal: what fails by itself does so at exponential times of its own, is never struck while it is down,
/// and meets the same failures whatever else is there.
@Suite struct FailureProcessTests {
    /// Three nodes in `a` and two in `b`, for a thousand seconds.
    private func faults(_ rule: String, seed: UInt64 = 1) throws -> [PlannedFault] {
        let text = """
            version: 1
            name: failures
            topology:
              regions: {a: {nodes: 3}, b: {nodes: 2}}
              links: [{between: [a, b], rtt: 80 ms, rate: 100 Mbit/s}]
            workload: {kind: echo, deadline: 1000 s}
            faults: [\(rule)]
            """
        return FaultPlan(try ScenarioFile.parse(text, file: "test.yaml"), seed: seed).faults
    }

    @Test func failuresOfManyAreAPoissonProcess() throws {
        // Method: five nodes that fail every 100 s in 1000 s and are repaired at once have 50 failures on
        // average, and the variance of a Poisson process is its mean. Over 200 runs the mean has a
        // standard error of 0.5, and the variance one of a tenth of itself.
        let counts = try (0..<200 as Range<UInt64>).map { seed in
            Double(try faults("{kind: node.crash, mtbf: 100 s, for: 1 ms}", seed: seed).count)
        }
        let mean = counts.reduce(0, +) / 200
        let variance = counts.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 199
        #expect(abs(mean - 50) < 2.5)
        #expect((25...80).contains(variance))
    }

    @Test func repairsTakeExponentialTimesOfTheirMean() throws {
        // Method: up for 10 s and down for 20 s on average, a node fails about 33 times in 1000 s; some
        // 6,600 repairs have a mean with a standard error of 0.25 s, and 37 % of them are longer than it.
        var repairs: [Double] = []
        for seed in 0..<40 as Range<UInt64> {
            for fault in try faults("{kind: node.crash, mtbf: 10 s, mttr: 20 s}", seed: seed) {
                repairs.append((try #require(fault.healAt) - fault.fireAt).seconds)
            }
        }
        let mean = repairs.reduce(0, +) / Double(repairs.count)
        #expect(repairs.count > 5_500)
        #expect(abs(mean - 20) < 1.3)
        let long = Double(repairs.count { $0 > 20 }) / Double(repairs.count)
        #expect(abs(long - 0.368) < 0.03)
    }

    @Test func nothingFailsWhileItIsDown() throws {
        let all = try faults("{kind: node.crash, mtbf: 5 s, for: 1..9 s}")
        var seen = 0
        for node in 0..<5 as Range<UInt32> {
            let own = all.filter { $0.effect == .crash([NodeID(node)]) }
            seen += own.count
            for (first, second) in zip(own, own.dropFirst()) {
                #expect(try #require(first.healAt) < second.fireAt)
            }
            #expect(own.count > 50)
        }
        // Nodes fail one by one and not in turns: others are down when one fails.
        #expect(seen == all.count)
        #expect(zip(all, all.dropFirst()).contains { $0.healAt ?? .zero > $1.fireAt })
        #expect(all.map(\.fireAt) == all.map(\.fireAt).sorted())
        #expect(Set(all.map(\.occurrence)).count == all.count)
    }

    @Test func moreNodesChangeNoFailureOfTheOthers() throws {
        let rule = "{kind: node.crash, mtbf: 30 s, mttr: 5 s"
        let some = try faults("\(rule), select: {region: a}}")
        let all = try faults("\(rule)}")
        let strikes = { (faults: [PlannedFault]) in
            faults.filter { $0.effect.nodes[0].rawValue < 3 }.map {
                [$0.fireAt.seconds, $0.healAt?.seconds ?? 0, Double($0.effect.nodes[0].rawValue)]
            }
        }
        #expect(some.count > 50 && some.count < all.count)
        #expect(strikes(some) == strikes(all))
        #expect(try faults("\(rule)}") == all)
        #expect(try faults("\(rule)}", seed: 2) != all)
    }

    @Test func regionsAndLinksFailAsOne() throws {
        let regions = try faults(
            "{kind: net.partition, mode: halves, mtbf: 50 s, mttr: 1 s, select: {unit: region}}"
        )
        let sides = Set(
            regions.map { fault -> Int in
                guard case .cut(let cuts) = fault.effect else { return 0 }
                return cuts[0].from.count
            }
        )
        #expect(sides == [2, 3])
        let links = try faults("{kind: net.down, mtbf: 50 s, mttr: 1 s}")
        #expect(links.count > 5)
        #expect(links.allSatisfy { $0.effect == links[0].effect })
    }

    @Test func whatIsNotRepairedFailsOnce() throws {
        let faults = try faults("{kind: node.crash, mtbf: 10 s}")
        #expect(faults.count == 5)
        #expect(faults.allSatisfy { $0.healAt == nil })
        #expect(Set(faults.map(\.effect.nodes)).count == 5)
    }

    @Test func nothingFailsFromUntilOn() throws {
        let faults = try faults("{kind: node.crash, mtbf: 10 s, mttr: 50 s, until: 200 s}")
        #expect(faults.count > 5)
        #expect(faults.allSatisfy { $0.fireAt < .zero + .seconds(200) })
        #expect(faults.map { $0.healAt ?? .distantFuture }.max() == .zero + .seconds(200))
    }
}
