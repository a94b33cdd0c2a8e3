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

    @Test func replicasAreApartUntilAllHoldTheSame() {
        let nodes = (0..<3).map { NodeID($0) }
        var checker = ConvergenceChecker()
        #expect(checker.apart(among: nodes).isEmpty)
        checker.observe(nodes[0], index: 5, digest: 50, time: Self.time(1))
        checker.observe(nodes[1], index: 5, digest: 50, time: Self.time(2))
        #expect(checker.apart(among: nodes) == [nodes[2]])
        checker.observe(nodes[2], index: 4, digest: 40, time: Self.time(3))
        #expect(checker.apart(among: nodes) == [nodes[2]])
        checker.observe(nodes[2], index: 5, digest: 50, time: Self.time(4))
        #expect(checker.apart(among: nodes).isEmpty)
        #expect(checker.divergences.isEmpty && checker.checked == 4)
    }

    @Test func differentStatesAtOneIndexAreFound() {
        let nodes = (0..<3).map { NodeID($0) }
        var checker = ConvergenceChecker()
        for (node, digest) in zip(nodes, [UInt64(50), 51, 50]) {
            checker.observe(node, index: 5, digest: digest, time: Self.time(Int64(node.rawValue)))
        }
        #expect(checker.divergences.map(\.node) == [nodes[1]])
        #expect(checker.divergences.map(\.index) == [5])
        #expect(checker.apart(among: nodes) == [nodes[0], nodes[2]])
        // Later they are at other points; what was found stays.
        checker.observe(nodes[1], index: 6, digest: 60, time: Self.time(4))
        #expect(checker.divergences.count == 1)
    }

    @Test func digestsOfLongAgoAreForgotten() {
        var checker = ConvergenceChecker()
        for index in 1...3 * ConvergenceChecker.window {
            checker.observe(NodeID(0), index: index, digest: index, time: Self.time(1))
        }
        checker.observe(NodeID(1), index: 1, digest: 0, time: Self.time(2))
        #expect(checker.divergences.isEmpty)
        let newest = 3 * ConvergenceChecker.window
        checker.observe(NodeID(1), index: newest, digest: 0, time: Self.time(2))
        #expect(checker.divergences.count == 1)
    }
}
