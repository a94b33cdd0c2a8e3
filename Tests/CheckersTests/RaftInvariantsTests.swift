import Checkers
import Determinism
import Measurements
import Testing
import Units

// Goal: each promise of Raft is checked: what breaks it is named, what keeps it stays silent.
// Method: a group of observations that is right; for each kind of violation the few observations
// that make it wrong; and a seeded random group that follows the rules, with crashes and conflicts.
@Suite struct RaftInvariantsTests {
    private struct Group {
        var checker = RaftInvariants()
        var now = Instant.zero

        init(_ count: UInt32 = 3) {
            let nodes = (0..<count).map { NodeID($0) }
            for node in 0..<count {
                tell(
                    node,
                    .recovered(term: 0, snapshot: 0, snapshotTerm: 0, last: 0, lastTerm: 0),
                    .configuration(voters: nodes, outgoing: [])
                )
            }
        }

        mutating func tell(_ node: UInt32, _ observations: RaftObservation...) {
            for observation in observations {
                now += .milliseconds(1)
                checker.observe(observation, at: NodeID(node), time: now)
            }
        }

        /// Entries of one term reach the log and the disk of some nodes.
        mutating func replicate(_ range: ClosedRange<UInt64>, term: UInt64, to nodes: [UInt32]) {
            for node in nodes {
                for index in range {
                    tell(node, .appended(index: index, term: term, digest: index * 100 + term))
                }
                tell(node, .persisted(index: range.upperBound, term: term))
            }
        }

        mutating func apply(_ range: ClosedRange<UInt64>, term: UInt64, at nodes: [UInt32]) {
            for node in nodes {
                tell(node, .committed(index: range.upperBound))
                for index in range {
                    tell(node, .applied(index: index, term: term, digest: index * 100 + term))
                }
            }
        }

        var signatures: [String] { checker.violations.map(\.signature) }
    }

    /// Node 0 leads term 1; entries 1 to 3 are committed everywhere.
    private static var settled: Group {
        var group = Group()
        for node in 0..<UInt32(3) { group.tell(node, .voted(term: 1, candidate: NodeID(0))) }
        group.tell(0, .becameLeader(term: 1))
        group.replicate(1...3, term: 1, to: [0, 1, 2])
        group.apply(1...3, term: 1, at: [0, 1, 2])
        return group
    }

    @Test func whatADiskLostIsTheFaultsDoingUntilOthersAreHarmed() {
        var group = Self.settled
        group.tell(2, .crashed)
        group.tell(2, .lostDurable)
        group.tell(2, .recovered(term: 0, snapshot: 0, snapshotTerm: 0, last: 0, lastTerm: 0))
        #expect(group.signatures.isEmpty)
        // Without the fault the same start is a loss.
        var other = Self.settled
        other.tell(2, .crashed)
        other.tell(2, .recovered(term: 0, snapshot: 0, snapshotTerm: 0, last: 0, lastTerm: 0))
        #expect(!other.signatures.isEmpty)
        // Its vote, given again, makes a second leader of the term: that is harm.
        group.tell(2, .voted(term: 1, candidate: NodeID(1)))
        group.tell(1, .becameLeader(term: 1))
        #expect(!group.signatures.isEmpty)
    }

    @Test func aGroupThatKeepsThePromisesIsSilent() {
        var group = Self.settled
        // The leader dies with an entry that only it has; another one overwrites it.
        group.replicate(4...4, term: 1, to: [0])
        group.tell(0, .crashed)
        group.tell(1, .voted(term: 2, candidate: NodeID(1)))
        group.tell(2, .voted(term: 2, candidate: NodeID(1)))
        group.tell(1, .becameLeader(term: 2))
        group.replicate(4...5, term: 2, to: [1, 2])
        group.apply(4...5, term: 2, at: [1, 2])
        group.tell(0, .recovered(term: 1, snapshot: 0, snapshotTerm: 0, last: 4, lastTerm: 1))
        group.tell(0, .truncated(from: 4))
        group.replicate(4...5, term: 2, to: [0])
        group.tell(0, .committed(index: 5))
        for index in UInt64(1)...5 {
            let term: UInt64 = index < 4 ? 1 : 2
            group.tell(0, .applied(index: index, term: term, digest: index * 100 + term))
        }
        // Snapshots, one of them to a node that lags behind.
        group.tell(1, .snapshotTaken(index: 5, term: 2))
        group.tell(2, .crashed)
        group.tell(2, .recovered(term: 2, snapshot: 0, snapshotTerm: 0, last: 5, lastTerm: 2))
        group.tell(2, .snapshotInstalled(index: 5, term: 2))
        #expect(group.signatures == [])
        #expect(group.checker.committed == 5)
        #expect(group.checker.outcomes.allSatisfy { $0.checked > 0 && $0.violations.isEmpty })
    }

    @Test func twoLeadersOfOneTerm() throws {
        var group = Self.settled
        group.tell(1, .becameLeader(term: 1))
        #expect(group.signatures == ["election-safety: two leaders in one term"])
        let violation = try #require(group.checker.violations.first)
        #expect(violation.node == NodeID(1) && violation.time == group.now)
        #expect(violation.sentence.contains("term 1, node 0 led it before"))
        #expect(violation.recorded.message.hasPrefix("election-safety: node 1"))
    }

    @Test func twoVotesInOneTerm() {
        var group = Self.settled
        group.tell(2, .crashed)
        group.tell(2, .recovered(term: 0, snapshot: 0, snapshotTerm: 0, last: 3, lastTerm: 1))
        group.tell(2, .voted(term: 1, candidate: NodeID(1)))
        #expect(
            group.signatures == [
                "one-vote-a-term: the term was lower after a restart than at the last vote",
                "one-vote-a-term: two votes in one term",
            ]
        )
    }

    @Test func aLeaderThatLacksWhatIsCommitted() {
        var group = Self.settled
        group.replicate(4...4, term: 1, to: [0, 1])
        group.tell(0, .committed(index: 4))
        group.tell(2, .becameLeader(term: 2))
        #expect(group.signatures == ["leader-completeness: a leader lacks a committed entry"])
    }

    @Test func aCandidateMayHearLateThatItWasElected() {
        var group = Self.settled
        // Votes for term 2 wait for a node that stands still; meanwhile term 3 has a leader.
        group.tell(1, .becameLeader(term: 3))
        group.replicate(4...4, term: 3, to: [0, 1])
        group.tell(1, .committed(index: 4))
        group.tell(2, .becameLeader(term: 2))
        #expect(group.signatures == [])
        group.tell(2, .becameLeader(term: 4))
        #expect(group.signatures == ["leader-completeness: a leader lacks a committed entry"])
    }

    @Test func aDeposedLeaderMayLearnLateThatAnEntryIsCommitted() {
        var group = Self.settled
        group.replicate(4...4, term: 1, to: [0, 1])
        group.tell(1, .becameLeader(term: 2))
        group.tell(0, .committed(index: 4))
        #expect(group.signatures == [])
        // With a leader that does not have the entry it is a violation.
        var other = Self.settled
        other.replicate(4...4, term: 1, to: [0, 1])
        other.tell(2, .becameLeader(term: 2))
        other.tell(0, .committed(index: 4))
        #expect(other.signatures == ["leader-completeness: a leader lacks a committed entry"])
    }

    @Test func aLeaderThatShortensItsLog() {
        var group = Self.settled
        group.replicate(4...5, term: 1, to: [0])
        group.tell(0, .truncated(from: 5))
        group.tell(0, .appended(index: 4, term: 1, digest: 999))
        #expect(
            group.signatures == [
                "leader-append-only: a leader threw entries away",
                "leader-append-only: a leader appended inside its log",
                "leader-append-only: a leader threw entries away",
                "log-matching: equal index and term, different entries",
            ]
        )
    }

    @Test func equalTermsWithDifferentEntriesOrPasts() {
        var group = Self.settled
        group.replicate(4...4, term: 1, to: [0])
        group.tell(1, .appended(index: 4, term: 1, digest: 9))
        #expect(group.signatures == ["log-matching: equal index and term, different entries"])
        var other = Group()
        other.replicate(1...1, term: 1, to: [0])
        other.replicate(1...1, term: 2, to: [1])
        other.replicate(2...2, term: 3, to: [0, 1])
        #expect(other.signatures == ["log-matching: equal index and term, different predecessors"])
    }

    @Test func anEntryBeyondTheEnd() {
        var group = Self.settled
        group.tell(1, .appended(index: 6, term: 1, digest: 0))
        #expect(
            group.signatures == ["log-matching: an entry was appended beyond the end of the log"]
        )
    }

    @Test func committedWithoutAMajority() {
        var group = Self.settled
        group.replicate(4...4, term: 1, to: [0])
        group.tell(0, .committed(index: 4))
        #expect(group.signatures == ["quorum-log: committed without a majority that has the entry"])
    }

    @Test func aJointPhaseNeedsBothMajorities() {
        let old = (0..<3).map { NodeID($0) }
        let new = [0, 3, 4].map { NodeID($0) }
        for (having, isRight) in [([0, 1], false), ([0, 3], false), ([0, 1, 3], true)] {
            var group = Group(5)
            group.tell(0, .configuration(voters: new, outgoing: old), .becameLeader(term: 1))
            group.replicate(1...1, term: 1, to: having.map { UInt32($0) })
            group.tell(0, .committed(index: 1))
            #expect(group.signatures.isEmpty == isRight, "\(having)")
        }
    }

    @Test func committedBeforeItIsOnDisk() {
        var group = Self.settled
        group.replicate(4...4, term: 1, to: [0])
        group.tell(1, .appended(index: 4, term: 1, digest: 401))
        group.tell(0, .committed(index: 4))
        let wanted = "committed-is-durable: committed without a majority that has it on disk"
        #expect(group.signatures == [wanted])
    }

    @Test func whatACrashedNodeHadInMemoryDoesNotCount() {
        var group = Self.settled
        group.replicate(4...4, term: 1, to: [0])
        group.tell(1, .appended(index: 4, term: 1, digest: 401), .crashed)
        group.tell(0, .committed(index: 4))
        #expect(group.signatures == ["quorum-log: committed without a majority that has the entry"])
    }

    @Test func aCommittedEntryThatIsThrownAway() {
        var group = Self.settled
        group.tell(1, .truncated(from: 3))
        #expect(group.signatures == ["committed-is-durable: a committed entry was thrown away"])
        // Also by a node that was restarted and has forgotten what is committed.
        var other = Self.settled
        other.tell(1, .crashed)
        other.tell(1, .recovered(term: 1, snapshot: 0, snapshotTerm: 0, last: 3, lastTerm: 1))
        other.tell(1, .truncated(from: 2))
        #expect(other.signatures == ["committed-is-durable: a committed entry was thrown away"])
    }

    // Goal: a copy that was there by chance may be replaced. Method: as raft-swarm had it at seed 5411. Entry 4 of
    // term 1 is on two nodes when its leader falls; a leader of term 2 without it writes its own and falls, too; one
    // of term 3 commits the first one with others, and then the message of term 2 arrives.
    @Test func aLateMessageReplacesACopyThatNobodyCounted() {
        for hasHeard in [false, true] {
            var group = Group(5)
            group.tell(2, .becameLeader(term: 1))
            group.replicate(1...1, term: 1, to: [1, 2])
            group.tell(2, .ceasedToLead)
            group.tell(3, .becameLeader(term: 2))
            group.replicate(1...1, term: 2, to: [3])
            group.tell(3, .ceasedToLead)
            group.tell(1, .becameLeader(term: 3))
            for node in [0, 4] as [UInt32] {
                group.tell(node, .enteredTerm(3))
                group.replicate(1...1, term: 1, to: [node])
            }
            group.replicate(2...2, term: 3, to: [0, 1, 4])
            group.tell(1, .committed(index: 2))
            #expect(group.signatures.isEmpty, "\(group.signatures)")
            // Node 2 was no part of that, unless it is in term 3 already.
            group.tell(2, .enteredTerm(hasHeard ? 3 : 2))
            group.tell(2, .truncated(from: 1))
            #expect(group.signatures.isEmpty == !hasHeard, "\(group.signatures)")
        }
    }

    @Test func anEarlierTermIsNotCommittedByCounting() {
        // Figure 8 of the paper.
        var group = Group(5)
        group.tell(0, .becameLeader(term: 2))
        group.replicate(1...1, term: 2, to: [0, 1])
        group.tell(4, .becameLeader(term: 3))
        group.replicate(1...1, term: 3, to: [4])
        group.tell(4, .ceasedToLead)
        group.tell(0, .becameLeader(term: 4))
        group.replicate(1...1, term: 2, to: [2])
        group.tell(0, .committed(index: 1))
        let wanted = "commits-own-term: an entry of an earlier term was committed by counting"
        #expect(group.signatures == [wanted])
    }

    @Test func applyingOtherThingsOrInAnotherOrder() {
        var group = Self.settled
        group.replicate(4...5, term: 1, to: [0, 1, 2])
        group.tell(0, .committed(index: 5), .applied(index: 5, term: 1, digest: 501))
        group.tell(1, .committed(index: 4), .applied(index: 4, term: 1, digest: 7))
        group.tell(2, .applied(index: 4, term: 1, digest: 401))
        #expect(
            group.signatures == [
                "state-machine-safety: applied out of order",
                "state-machine-safety: different entries applied at one index",
                "state-machine-safety: applied before it was committed",
            ]
        )
    }

    @Test func differentEntriesCommittedAtOneIndex() {
        var group = Self.settled
        group.replicate(4...4, term: 1, to: [0, 1])
        group.tell(0, .committed(index: 4))
        group.tell(2, .appended(index: 4, term: 3, digest: 403), .committed(index: 4))
        #expect(
            group.signatures == ["state-machine-safety: different entries committed at one index"]
        )
    }

    @Test func durableEntriesThatAreGoneAfterARestart() {
        var group = Self.settled
        group.tell(2, .crashed)
        group.tell(2, .recovered(term: 1, snapshot: 0, snapshotTerm: 0, last: 2, lastTerm: 1))
        #expect(group.signatures == ["recovers-its-log: durable entries were gone after a restart"])
    }

    @Test func entriesThatComeBack() {
        var group = Self.settled
        group.replicate(4...6, term: 1, to: [2])
        group.tell(2, .truncated(from: 4))
        // Before anything later is durable, the old tail may still be what the disk holds.
        var early = group
        early.tell(2, .crashed)
        early.tell(2, .recovered(term: 1, snapshot: 0, snapshotTerm: 0, last: 6, lastTerm: 1))
        #expect(early.signatures == [])
        group.replicate(4...4, term: 2, to: [2])
        group.tell(2, .crashed)
        group.tell(2, .recovered(term: 2, snapshot: 0, snapshotTerm: 0, last: 6, lastTerm: 1))
        let wanted = "recovers-its-log: entries that had been durably thrown away came back"
        #expect(group.signatures == [wanted])
    }

    // A crash takes back a change of the log and a snapshot behind it; the same change comes again. What the
    // checker knew of the entry at the end of the old log is not what stands there then.
    @Test func aChangeThatWasLostMayComeAgain() {
        var group = Group()
        group.replicate(1...5, term: 1, to: [1])
        group.replicate(1...2, term: 1, to: [0])
        group.replicate(3...6, term: 2, to: [0])
        func change() {
            group.tell(1, .truncated(from: 3))
            for index in UInt64(3)...6 {
                group.tell(1, .appended(index: index, term: 2, digest: index * 100 + 2))
            }
        }
        change()
        group.tell(1, .snapshotTaken(index: 6, term: 2), .crashed)
        group.tell(1, .recovered(term: 2, snapshot: 0, snapshotTerm: 0, last: 5, lastTerm: 1))
        change()
        group.tell(1, .persisted(index: 6, term: 2))
        #expect(group.signatures == [])
    }

    @Test func violationsAreCountedBeyondThoseThatAreKept() {
        var group = Group()
        for index in 0..<UInt64(100) {
            group.tell(0, .applied(index: index + 7, term: 1, digest: 0))
        }
        #expect(group.checker.violations.count == RaftInvariants.limit)
        #expect((group.checker.counts[.stateMachineSafety] ?? 0) >= 100)
    }

    /// A leader that moves on, followers that lag, crash and conflict, snapshots: all by the rules.
    @Test func randomGroupsThatKeepTheRulesAreSilent() {
        var committed: UInt64 = 0
        for seed in 0..<UInt64(500) {
            var random = SeededRandom(
                seed: seed,
                entity: EntityID(.experiment, 0),
                purpose: "raft-groups"
            )
            var world = RaftWorld(nodes: 3 + 2 * Int(random.below(2)))
            for _ in 0..<400 { world.move(using: &random) }
            #expect(world.checker.violations.map(\.sentence) == [], "seed \(seed)")
            committed += world.checker.committed
        }
        #expect(committed > 5000)
    }
}

/// A Raft group without messages: nodes read each other's logs, so every rule is easy to keep.
private struct RaftWorld {
    var checker = RaftInvariants()
    private var nodes: [Node]
    private var leader: Int?
    private var term: UInt64 = 0
    private var now = Instant.zero
    private var committed = 0
    private var value: UInt64 = 0

    private struct Node {
        var isAlive = true
        /// (term, digest) from index 1 on.
        var memory: [(term: UInt64, digest: UInt64)] = []
        var disk: [(term: UInt64, digest: UInt64)] = []
        var committed = 0
        var applied = 0
        var snapshot = 0
        var promised: UInt64 = 0
    }

    init(nodes count: Int) {
        nodes = Array(repeating: Node(), count: count)
        let members = (0..<count).map { NodeID(UInt32($0)) }
        for node in 0..<count {
            let first = RaftObservation.recovered(
                term: 0,
                snapshot: 0,
                snapshotTerm: 0,
                last: 0,
                lastTerm: 0
            )
            tell(node, first)
            tell(node, .configuration(voters: members, outgoing: []))
        }
    }

    private mutating func tell(_ node: Int, _ observation: RaftObservation) {
        now += .milliseconds(1)
        checker.observe(observation, at: NodeID(UInt32(node)), time: now)
    }

    mutating func move(using random: inout SeededRandom) {
        let node = Int(random.below(UInt64(nodes.count)))
        switch random.below(12) {
        case 0: if random.below(4) == 0 { elect(node) }
        case 1: crashOrRecover(node)
        case 2, 3, 4: if leader == nil { elect(node) } else { propose() }
        case 5, 6, 7: follow(node)
        case 8, 9: persist(node)
        case 10: commit()
        default: apply(node, using: &random)
        }
    }

    private mutating func elect(_ node: Int) {
        guard nodes[node].isAlive else { return }
        let own = nodes[node].memory
        // A candidate's log is on its disk, or a majority would not be one.
        let disk = nodes[node].disk
        guard own.count == disk.count, zip(own, disk).allSatisfy({ $0 == $1 }) else { return }
        let voters = nodes.indices.filter { other in
            guard nodes[other].isAlive else { return false }
            let last = (nodes[other].memory.last?.term ?? 0, nodes[other].memory.count)
            return (own.last?.term ?? 0, own.count) >= last
        }
        guard voters.count > nodes.count / 2 else { return }
        if let leader { tell(leader, .ceasedToLead) }
        term += 1
        for voter in voters {
            nodes[voter].promised = term
            tell(voter, .voted(term: term, candidate: NodeID(UInt32(node))))
        }
        leader = node
        tell(node, .becameLeader(term: term))
    }

    private mutating func propose() {
        guard let leader else { return }
        value += 1
        nodes[leader].memory.append((term, value))
        let index = UInt64(nodes[leader].memory.count)
        tell(leader, .appended(index: index, term: term, digest: value))
    }

    private mutating func follow(_ node: Int) {
        guard let leader, node != leader, nodes[node].isAlive else { return }
        nodes[node].promised = term
        let source = nodes[leader].memory
        let own = nodes[node].memory
        let common = zip(source, own).prefix { $0.term == $1.term && $0.digest == $1.digest }.count
        if common < own.count, common < source.count {
            tell(node, .truncated(from: UInt64(common + 1)))
            nodes[node].memory.removeLast(own.count - common)
        }
        for index in common..<max(common, min(source.count, common + 3))
        where index == nodes[node].memory.count {
            nodes[node].memory.append(source[index])
            let entry = source[index]
            tell(
                node,
                .appended(index: UInt64(index + 1), term: entry.term, digest: entry.digest)
            )
        }
    }

    private mutating func persist(_ node: Int) {
        guard nodes[node].isAlive, let last = nodes[node].memory.last else { return }
        nodes[node].disk = nodes[node].memory
        tell(node, .persisted(index: UInt64(nodes[node].disk.count), term: last.term))
    }

    private mutating func commit() {
        guard let leader else { return }
        let log = nodes[leader].memory
        for count in stride(from: log.count, to: nodes[leader].committed, by: -1)
        where log[count - 1].term == term {
            let having = nodes.filter { node in
                node.disk.count >= count && node.promised == term
                    && node.disk[count - 1].term == log[count - 1].term
                    && node.disk[count - 1].digest == log[count - 1].digest
            }
            guard having.count > nodes.count / 2 else { continue }
            nodes[leader].committed = count
            committed = max(committed, count)
            tell(leader, .committed(index: UInt64(count)))
            return
        }
    }

    private mutating func apply(_ node: Int, using random: inout SeededRandom) {
        guard nodes[node].isAlive else { return }
        if let leader, node != leader {
            let source = nodes[leader].memory
            let common = zip(source, nodes[node].memory)
                .prefix { $0.term == $1.term && $0.digest == $1.digest }.count
            let known = min(common, nodes[leader].committed)
            if known > nodes[node].committed {
                nodes[node].committed = known
                tell(node, .committed(index: UInt64(known)))
            }
        }
        while nodes[node].applied < nodes[node].committed {
            let entry = nodes[node].memory[nodes[node].applied]
            nodes[node].applied += 1
            let index = UInt64(nodes[node].applied)
            tell(node, .applied(index: index, term: entry.term, digest: entry.digest))
        }
        let applied = nodes[node].applied
        let isOnDisk =
            nodes[node].disk.count >= applied
            && zip(nodes[node].disk, nodes[node].memory).prefix(applied).allSatisfy { $0 == $1 }
        if applied > nodes[node].snapshot, isOnDisk, random.below(3) == 0 {
            nodes[node].snapshot = applied
            let term = nodes[node].memory[applied - 1].term
            tell(node, .snapshotTaken(index: UInt64(applied), term: term))
        }
    }

    private mutating func crashOrRecover(_ node: Int) {
        if nodes[node].isAlive {
            let dead = nodes.filter { !$0.isAlive }.count
            guard dead < (nodes.count - 1) / 2 else { return }
            nodes[node].isAlive = false
            if leader == node { leader = nil }
            tell(node, .crashed)
            return
        }
        let snapshot = nodes[node].snapshot
        nodes[node].isAlive = true
        nodes[node].memory = nodes[node].disk
        nodes[node].committed = snapshot
        nodes[node].applied = snapshot
        let disk = nodes[node].disk
        tell(
            node,
            .recovered(
                term: nodes[node].promised,
                snapshot: UInt64(snapshot),
                snapshotTerm: snapshot == 0 ? 0 : disk[snapshot - 1].term,
                last: UInt64(disk.count),
                lastTerm: disk.last?.term ?? 0
            )
        )
    }
}
