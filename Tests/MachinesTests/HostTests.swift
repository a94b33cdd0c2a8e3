import Machines
import Synchronization
import Testing
import Units

// Goal: invariants are checked as often as the host was told. Method: a machine that counts its steps and
// checks, a hundred steps.
@Suite struct HostTests {
    final class Counters: Sendable {
        let steps = Atomic(0)
        let checks = Atomic(0)
    }

    struct Counting: Machine {
        let counters: Counters

        mutating func step(
            _ input: consuming Input<Counting>,
            at now: Instant,
            into actions: inout Actions<Counting>
        ) {
            counters.steps.add(1, ordering: .relaxed)
        }

        func checkInvariants() { counters.checks.add(1, ordering: .relaxed) }
    }

    struct Nowhere: Environment {
        mutating func perform(
            _ action: consuming Action<Counting>,
            on node: NodeID,
            at now: Instant
        ) {}
    }

    @Test(arguments: [(false, 1, 0), (true, 1, 100), (true, 3, 33), (true, 64, 1), (true, 101, 0)])
    func checks(isAsked: Bool, every interval: Int, expected: Int) {
        let counters = Counters()
        var host = Host<Counting>(node: NodeID(0), checksInvariants: isAsked, every: interval)
        var world = Nowhere()
        host.start(Counting(counters: counters), at: .zero, in: &world)
        for _ in 1..<100 { host.deliver(.started, at: .zero, in: &world) }
        #expect(counters.steps.load(ordering: .relaxed) == 100)
        #expect(counters.checks.load(ordering: .relaxed) == expected)
    }
}
