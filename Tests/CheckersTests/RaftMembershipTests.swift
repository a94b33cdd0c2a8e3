import Checkers
import Testing
import Units

// Goal: what a group says about its membership is held against the rules for changing it. Method: a leader
// that changes the membership rightly, and for each violation the few observations that make it wrong.
@Suite struct RaftMembershipTests {
    private struct Group {
        var checker = RaftInvariants()
        var now = Instant.zero

        mutating func tell(_ node: UInt32, _ observations: RaftObservation...) {
            for observation in observations {
                now += .milliseconds(1)
                checker.observe(observation, at: NodeID(node), time: now)
            }
        }

        /// An entry that changes the membership to these voters reaches nodes and their disks.
        mutating func change(_ index: UInt64, term: UInt64, _ voters: [UInt32], to nodes: [UInt32])
        {
            for node in nodes {
                tell(node, .appended(index: index, term: term, digest: index * 100 + term))
                tell(node, RaftMembershipTests.configuration(voters, at: index))
                tell(node, .persisted(index: index, term: term))
            }
        }

        mutating func replicate(_ index: UInt64, term: UInt64, to nodes: [UInt32]) {
            for node in nodes {
                tell(node, .appended(index: index, term: term, digest: index * 100 + term))
                tell(node, .persisted(index: index, term: term))
            }
        }

        mutating func commit(_ index: UInt64, at nodes: [UInt32]) {
            for node in nodes { tell(node, .committed(index: index)) }
        }

        var signatures: [String] { checker.violations.map(\.signature) }
    }

    private static func configuration(_ voters: [UInt32], at index: UInt64) -> RaftObservation {
        .configuration(index: index, voters: voters.map { NodeID($0) }, outgoing: [])
    }

    /// Node 0 leads term 1 over nodes 0 to 2, and its first entry is committed.
    private static var settled: Group {
        var group = Group()
        for node in 0..<UInt32(3) {
            group.tell(
                node,
                .recovered(term: 0, snapshot: 0, snapshotTerm: 0, last: 0, lastTerm: 0),
                configuration([0, 1, 2], at: 0)
            )
        }
        group.tell(0, .becameLeader(term: 1))
        group.replicate(1, term: 1, to: [0, 1, 2])
        group.commit(1, at: [0, 1, 2])
        return group
    }

    @Test func changesInOrderAreSilent() {
        var group = Self.settled
        group.change(2, term: 1, [0, 1, 2, 3], to: [0, 1, 2])
        group.commit(2, at: [0, 1, 2])
        group.change(3, term: 1, [0, 1, 3], to: [0, 1])
        // The last change is rolled back, and the node says what holds instead.
        group.tell(0, .ceasedToLead)
        group.tell(1, .truncated(from: 3), Self.configuration([0, 1, 2, 3], at: 2))
        group.replicate(3, term: 2, to: [1])
        // A new member has it all from a snapshot.
        group.tell(
            3,
            .recovered(term: 0, snapshot: 0, snapshotTerm: 0, last: 0, lastTerm: 0),
            .configuration(voters: [], outgoing: []),
            .snapshotInstalled(index: 2, term: 1),
            Self.configuration([0, 1, 2, 3], at: 2)
        )
        #expect(group.signatures == [])
    }

    @Test func aChangeWaitsForTheOneBefore() {
        var group = Self.settled
        group.change(2, term: 1, [0, 1, 2, 3], to: [0])
        group.change(3, term: 1, [0, 1, 2, 3, 4], to: [0])
        let wanted =
            "changes-in-order: the membership was changed before the last change was committed"
        #expect(group.signatures == [wanted])
    }

    @Test func aChangeWaitsForTheTerm() {
        var group = Self.settled
        group.tell(1, .becameLeader(term: 2))
        group.replicate(2, term: 2, to: [1])
        group.change(3, term: 2, [0, 1], to: [1])
        let wanted =
            "changes-in-order: the membership was changed before a commit of the leader's own term"
        #expect(group.signatures == [wanted])
    }

    @Test func aMembershipGoesWithItsEntry() {
        var group = Self.settled
        group.change(2, term: 1, [0, 1, 2, 3], to: [0, 1])
        group.tell(1, .truncated(from: 2))
        group.replicate(2, term: 2, to: [1])
        let wanted =
            "membership-of-log: a membership stayed in effect when its entry was gone"
        #expect(group.signatures == [wanted])
    }

    @Test func aSnapshotBringsItsMembership() {
        var group = Self.settled
        group.change(2, term: 1, [0, 1, 3], to: [0, 1])
        group.commit(2, at: [0, 1])
        group.tell(2, .snapshotInstalled(index: 2, term: 1), Self.configuration([0, 1, 2], at: 2))
        let wanted = "membership-of-log: another membership where one is committed"
        #expect(group.signatures == [wanted])
    }

    // Goal: group commit is held against where copies are. Method: three nodes in two zones; the third has the entry
    // or not, and counts or not.
    @Test func copiesInOneZoneAreNotEnough() {
        for (thirdHasIt, isWitness) in [(false, false), (true, false), (true, true)] {
            var group = Group()
            group.checker = RaftInvariants(zones: [
                NodeID(0): 1, NodeID(1): 1, NodeID(2): 2, NodeID(3): 3,
            ])
            for node in 0..<UInt32(4) {
                group.tell(
                    node,
                    .recovered(term: 0, snapshot: 0, snapshotTerm: 0, last: 0, lastTerm: 0),
                    .configuration(
                        voters: (0..<4).map { NodeID($0) },
                        outgoing: [],
                        witnesses: isWitness ? [NodeID(2)] : []
                    )
                )
            }
            group.tell(0, .becameLeader(term: 1))
            group.replicate(1, term: 1, to: [0, 1])
            group.replicate(1, term: 1, to: [thirdHasIt ? 2 : 3])
            group.commit(1, at: [0])
            #expect(group.signatures.isEmpty == !isWitness, "\(group.signatures)")
        }
    }
}
