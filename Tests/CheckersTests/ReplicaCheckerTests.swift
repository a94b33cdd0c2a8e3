import Checkers
import Testing
import Units

// Goal: requests that took effect twice or were lost, and replicas that differ, are found.
// Method: hand-made sequences of observations.
@Suite struct ReplicaCheckerTests {
    private static func time(_ seconds: Int64) -> Instant { Instant.zero + .seconds(seconds) }
    private static let one = RequestName(session: 1, number: 1)
    private static let two = RequestName(session: 1, number: 2)

    @Test func replicasMayAllApplyTheSameIndex() {
        var checker = ExactlyOnceChecker()
        for node in 0..<3 {
            checker.applied(Self.one, index: 7, at: NodeID(UInt32(node)), time: Self.time(1))
        }
        checker.acknowledged(Self.one, time: Self.time(2))
        checker.finish()
        #expect(checker.violations.isEmpty && checker.checked == 1)
    }

    @Test func aRetryThatTookEffectAgainIsFound() {
        var checker = ExactlyOnceChecker()
        checker.applied(Self.one, index: 7, at: NodeID(0), time: Self.time(1))
        checker.applied(Self.one, index: 9, at: NodeID(1), time: Self.time(2))
        #expect(
            checker.violations == [
                .twice(Self.one, first: 7, second: 9, node: NodeID(1), time: Self.time(2))
            ]
        )
    }

    @Test func anAcknowledgedRequestThatNobodyAppliedIsFound() {
        var checker = ExactlyOnceChecker()
        checker.applied(Self.two, index: 3, at: NodeID(0), time: Self.time(1))
        checker.acknowledged(Self.two, time: Self.time(1))
        checker.acknowledged(Self.one, time: Self.time(3))
        checker.finish()
        #expect(checker.violations == [.lost(Self.one, acknowledged: Self.time(3))])
        #expect(
            checker.violations[0].signature == "exactly-once: acknowledged and never took effect"
        )
    }

    @Test func convergenceIsMeasuredFromTheHeal() {
        let nodes = (0..<3).map { NodeID($0) }
        var checker = ConvergenceChecker(nodes: nodes)
        checker.observe(nodes[0], index: 5, digest: 50, time: Self.time(1))
        checker.observe(nodes[1], index: 5, digest: 50, time: Self.time(2))
        checker.heal(at: Self.time(10))
        #expect(checker.outcome(at: Self.time(12), bound: .seconds(5)) == .undecided)
        #expect(checker.outcome(at: Self.time(16), bound: .seconds(5)) == .apart([nodes[2]]))
        checker.observe(nodes[2], index: 5, digest: 50, time: Self.time(13))
        let outcome = checker.outcome(at: Self.time(16), bound: .seconds(5))
        #expect(outcome == .converged(after: .seconds(3)))
        #expect(checker.outcome(at: Self.time(16), bound: .seconds(2)) != outcome)
        #expect(checker.divergences.isEmpty)
    }

    @Test func differentStatesAtOneIndexAreFound() {
        let nodes = (0..<2).map { NodeID($0) }
        var checker = ConvergenceChecker(nodes: nodes)
        checker.observe(nodes[0], index: 5, digest: 50, time: Self.time(1))
        checker.observe(nodes[1], index: 5, digest: 51, time: Self.time(2))
        #expect(checker.divergences.count == 1 && checker.divergences[0].index == 5)
        #expect(checker.outcome(at: Self.time(9), bound: .seconds(5)) == .apart([nodes[0]]))
    }
}
