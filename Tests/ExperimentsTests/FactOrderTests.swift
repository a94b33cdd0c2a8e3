import Determinism
import Experiments
import Testing
import Units

/// Goal: what processes tell is put into the order in which it happened, however their pipes delay it; what
/// cannot be put in order any more is never put in silently.
/// Method: facts that arrive with random delays, and processes that stand still.
@Suite struct FactOrderTests {
    private typealias Order = FactOrder<Int>

    /// Everything that is handed on until `now`.
    private func drain(_ order: inout Order, at now: Instant) -> [Order.Fact] {
        var facts: [Order.Fact] = []
        while let fact = order.next(at: now) { facts.append(fact) }
        return facts
    }

    @Test(arguments: UInt64(1)...20) func delaysBelowThePatienceChangeNothing(_ seed: UInt64) {
        var random = SeededRandom(seed: seed, entity: EntityID(.fault, 0), purpose: "facts")
        var arrivals: [(at: Instant, node: Int, time: Instant, number: Int)] = []
        // The last arrival of each pipe: it keeps the order of what it carries.
        var pipes = Array(repeating: Instant.zero, count: 4)
        for number in 0..<400 {
            // Each step tells three facts.
            let time = Instant.zero + .milliseconds(Int64(number / 3))
            let node = number / 3 % 4
            let arrival = max(pipes[node], time + .milliseconds(Int64(random.below(90))))
            pipes[node] = arrival
            arrivals.append((arrival, node, time, number))
        }
        var order = Order(nodes: 4, patience: .milliseconds(100))
        var told: [Order.Fact] = []
        for arrival in arrivals.sorted(by: { ($0.at, $0.number) < ($1.at, $1.number) }) {
            told += drain(&order, at: arrival.at)
            order.add(arrival.number, of: arrival.node, at: arrival.time)
        }
        told += drain(&order, at: .distantFuture)
        #expect(told.map(\.event) == Array(0..<400))
        #expect(order.breach == nil && order.lateCount == 0)
    }

    @Test func theStepInWhichAProcessStoodStillMayComeLate() {
        var order = Order(nodes: 2, patience: .milliseconds(100))
        order.add(1, of: 0, at: .zero + .milliseconds(500))
        #expect(drain(&order, at: .zero + .milliseconds(600)).map(\.event) == [1])
        // Two facts of the step during which node 1 stood still, then what it did afterwards.
        order.add(2, of: 1, at: .zero + .milliseconds(300))
        order.add(3, of: 1, at: .zero + .milliseconds(300))
        order.add(4, of: 1, at: .zero + .milliseconds(650))
        #expect(drain(&order, at: .zero + .seconds(1)).map(\.event) == [2, 3, 4])
        #expect(order.breach == nil && order.lateCount == 2)
        // It may stand still again.
        order.add(5, of: 1, at: .zero + .milliseconds(640))
        #expect(order.breach == nil && order.lateCount == 3)
    }

    @Test func severalLateStepsBreakTheOrder() {
        var order = Order(nodes: 2, patience: .milliseconds(100))
        order.add(1, of: 0, at: .zero + .milliseconds(500))
        _ = drain(&order, at: .zero + .milliseconds(600))
        order.add(2, of: 1, at: .zero + .milliseconds(300))
        order.add(3, of: 1, at: .zero + .milliseconds(301))
        #expect(order.breach?.node == 1)
        #expect(order.breach?.time == .zero + .milliseconds(301))
    }

    @Test func withoutPatienceFactsAreHandedOnAsTheyCome() {
        var order = Order(nodes: 2, patience: .zero)
        order.add(1, of: 0, at: .zero + .milliseconds(500))
        #expect(drain(&order, at: .zero).map(\.event) == [1])
        order.add(2, of: 1, at: .zero + .milliseconds(300))
        #expect(drain(&order, at: .zero).map(\.event) == [2])
        #expect(order.breach == nil)
    }
}
