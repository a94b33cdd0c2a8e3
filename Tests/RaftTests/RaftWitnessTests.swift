import Machines
import Raft
import RaftDefects
import Testing
import Units

// Goal: what a witness is sent, holds and refuses, and when a second zone is waited for. Method: a single replica
// is fed by hand, as the leader of a group with a witness and as the witness.
@Suite struct RaftWitnessTests {
    private typealias Bench = RaftStepTests.Bench<StandardRules>

    private static func nodes(_ numbers: [UInt32]) -> [NodeID] { numbers.map { NodeID($0) } }

    /// Nodes 0 to 2, of which one is a witness.
    private static func group(witness: UInt32) -> Membership {
        try! Membership(voters: nodes([0, 1, 2]), witnesses: nodes([witness]))
    }

    private static func sent(_ effects: [RaftEffect], to peer: UInt32) -> [RaftMessage] {
        effects.compactMap {
            if case .send(let message, NodeID(peer)) = $0 { message } else { nil }
        }
    }

    // MARK: Memberships

    @Test func witnessesAreAMinorityOfVoters() throws {
        func isRefused(_ voters: [UInt32], outgoing: [UInt32] = [], _ witnesses: [UInt32]) -> Bool {
            let membership = try? Membership(
                voters: RaftWitnessTests.nodes(voters),
                outgoing: RaftWitnessTests.nodes(outgoing),
                witnesses: RaftWitnessTests.nodes(witnesses)
            )
            return membership == nil
        }
        #expect(!isRefused([0, 1, 2], [2]))
        #expect(isRefused([0, 1], [1]))
        #expect(isRefused([0, 1, 2, 3], [2, 3]))
        #expect(isRefused([0, 1, 2], [3]))
        #expect(!isRefused([0, 1, 2], outgoing: [1, 2, 3], [3]))
        #expect(isRefused([0, 1, 2], outgoing: [2, 3], [3]))
    }

    @Test func changesKeepWhoIsAWitness() throws {
        let group = RaftWitnessTests.group(witness: 2)
        let more = try group.applying(.addVoter(NodeID(3)))
        #expect(more.voters.count == 4 && more.witnesses == [NodeID(2)])
        #expect(try more.applying(.remove(NodeID(2))).witnesses.isEmpty)
        let five = try more.applying(.addLearner(NodeID(4)))
        #expect(throws: RaftRefusal.invalidMembership) {
            try five.applying(.addWitness(NodeID(4)))
        }
        #expect(throws: RaftRefusal.invalidMembership) { try more.applying(.addVoter(NodeID(2))) }
        // One of two would be left with a witness.
        #expect(throws: RaftRefusal.invalidMembership) { try group.applying(.remove(NodeID(0))) }
        let joint = try more.applying(
            .joint(voters: RaftWitnessTests.nodes([0, 1, 3]), learners: [])
        )
        // Who stays stays what it was, and witnesses vote.
        for (voters, witnesses) in [([0, 1, 2], []), ([0, 1, 3], [3]), ([0, 1, 3], [4])]
            as [([UInt32], [UInt32])]
        {
            #expect(throws: RaftRefusal.invalidMembership) {
                try more.applying(
                    .joint(
                        voters: RaftWitnessTests.nodes(voters),
                        learners: [],
                        witnesses: RaftWitnessTests.nodes(witnesses)
                    )
                )
            }
        }
        #expect(joint.witnesses == [NodeID(2)] && joint.isWitness(NodeID(2)))
    }

    // MARK: Leading

    @Test func witnessesAreSentDigestsAlone() throws {
        var bench = Bench(StandardRules(), bootstrap: RaftWitnessTests.group(witness: 2))
        bench.becomeLeader()
        for peer in [1, 2] as [UInt32] {
            _ = bench.receive(.appendMatched(term: 1, index: 1), from: peer)
        }
        bench.effects.removeAll()
        _ = try bench.core.propose([1, 2, 3], at: bench.now, into: &bench.effects)
        // Nothing that is not on the leader's own disk.
        #expect(RaftWitnessTests.sent(bench.effects.elements, to: 2).isEmpty)
        let toVoter = RaftWitnessTests.sent(bench.effects.elements, to: 1)
        let toWitness = RaftWitnessTests.sent(bench.persisted(2), to: 2)
        let whole = LogEntry(term: 1, .command([1, 2, 3]))
        for (messages, content) in [
            (toVoter, whole.content), (toWitness, .withheld(digest: whole.digest)),
        ] as [([RaftMessage], LogEntry.Content)] {
            guard case .append(let request)? = messages.last else {
                Issue.record("no append among \(messages)")
                continue
            }
            #expect(request.entries == [LogEntry(term: 1, content)])
        }
        // Its acknowledgement counts like any other.
        #expect(bench.core.commit == 1)
        _ = bench.receive(.appendMatched(term: 1, index: 2), from: 2)
        #expect(bench.core.commit == 2)
        #expect(throws: RaftRefusal.invalidTarget) {
            try bench.core.transferLeadership(to: NodeID(2), at: bench.now, into: &bench.effects)
        }
    }

    @Test func witnessesAreSentSnapshotsWithoutState() throws {
        var configuration = RaftConfiguration()
        configuration.snapshotInterval = 1
        configuration.trailingEntries = 0
        var bench = Bench(
            StandardRules(),
            bootstrap: RaftWitnessTests.group(witness: 2),
            configuration: configuration
        )
        bench.becomeLeader()
        _ = bench.receive(.appendMatched(term: 1, index: 1), from: 1)
        #expect(bench.core.wantsSnapshot)
        bench.core.snapshotTaken([7, 8, 9], at: bench.now, into: &bench.effects)
        let conflict = AppendConflict(term: 1, previousIndex: 0, hintIndex: 0, hintTerm: 0)
        var chunks: [UInt32: SnapshotChunk] = [:]
        for peer in [1, 2] as [UInt32] {
            for previous in [0, 1] as [LogIndex] {
                var conflict = conflict
                conflict.previousIndex = previous
                for message in RaftWitnessTests.sent(
                    bench.receive(.appendConflict(conflict), from: peer),
                    to: peer
                ) {
                    if case .chunk(let chunk) = message { chunks[peer] = chunk }
                }
            }
        }
        let chunk = try #require(chunks[2])
        #expect(chunk.total == 0 && chunk.bytes.isEmpty && chunk.point.isStateWithheld)
    }

    // MARK: Being a witness

    // Goal: a node that was a witness and is counted as a full copy is none. Method: the same entry reaches it as a
    // witness, and as a voter whose disk was not lost.
    @Test func whoLacksCommandsIsNoFullCopy() throws {
        let voters = try Membership(voters: RaftWitnessTests.nodes([0, 1, 2]))
        for group in [RaftWitnessTests.group(witness: 0), voters] {
            var bench = Bench(StandardRules(), bootstrap: group)
            let request = AppendRequest(
                term: 1,
                previousIndex: 0,
                previousTerm: 0,
                commit: 0,
                entries: [LogEntry(term: 1, .withheld(digest: 9))]
            )
            _ = bench.receive(.append(request), from: 1)
            let answers = RaftStepTests.sent(bench.persisted(0))
            #expect(answers == (group == voters ? [] : [.appendMatched(term: 1, index: 1)]))
        }
    }

    @Test func aWitnessVotesAndNeverLeads() throws {
        var bench = Bench(StandardRules(), bootstrap: RaftWitnessTests.group(witness: 0))
        let request = VoteRequest(
            term: 1,
            lastIndex: 0,
            lastTerm: 0,
            isPreVote: true,
            isTransfer: false
        )
        let answers = RaftStepTests.sent(bench.receive(.voteRequest(request), from: 1))
        let answer = VoteAnswer(term: 1, isGranted: true, isPreVote: true)
        #expect(answers == [.voteAnswer(answer)])
        for _ in 0..<5 { _ = bench.fire(.election, after: .seconds(3)) }
        _ = bench.receive(.timeoutNow(term: 0), from: 1)
        #expect(bench.core.role == .follower && bench.core.term == 0)
    }

    @Test func aWitnessAppliesNothingAndServesNoReads() throws {
        var bench = Bench(StandardRules(), bootstrap: RaftWitnessTests.group(witness: 0))
        let command = LogEntry(term: 1, .command([5]))
        let entries = [
            LogEntry(term: 1, .nothing), LogEntry(term: 1, .withheld(digest: command.digest)),
        ]
        let request = AppendRequest(
            term: 1,
            previousIndex: 0,
            previousTerm: 0,
            commit: 2,
            entries: entries
        )
        let effects = bench.receive(.append(request), from: 1)
        let applied = effects.compactMap {
            if case .apply(let entry, _) = $0 { entry } else { nil }
        }
        #expect(applied == [entries[0]])
        // Checkers see the same entry as everywhere.
        let fact = RaftFact.applied(index: 2, term: 1, digest: command.digest)
        #expect(RaftStepTests.facts(effects).contains(fact))
        #expect(bench.core.applied == 2 && !bench.core.holdsState)
        #expect(throws: RaftRefusal.notLeader(NodeID(1))) {
            try bench.core.read(1, at: bench.now, into: &bench.effects)
        }
    }

    // Goal: a node that was a witness does not hand on what it lacks. Method: it is restarted with its records as
    // a full voter, with a snapshot of its own before; a leader's snapshot then heals it.
    @Test func aFormerWitnessStandsOnlyOnceItIsWhole() throws {
        var configuration = RaftConfiguration()
        configuration.snapshotInterval = 1
        var witness = Bench(
            StandardRules(),
            bootstrap: RaftWitnessTests.group(witness: 0),
            configuration: configuration
        )
        let request = AppendRequest(
            term: 1,
            previousIndex: 0,
            previousTerm: 0,
            commit: 1,
            entries: [LogEntry(term: 1, .withheld(digest: 9))]
        )
        _ = witness.receive(.append(request), from: 1)
        witness.effects.removeAll()
        witness.core.snapshotTaken([1, 2, 3], at: witness.now, into: &witness.effects)
        var records: [RaftRecord] = []
        for effect in witness.effects.elements {
            if case .persist(let batch, _) = effect { records += batch }
        }
        guard case .snapshot(let point, let state)? = records.first(where: \.supersedesEarlier)
        else {
            Issue.record("no snapshot among \(records)")
            return
        }
        #expect(point.isStateWithheld && state.isEmpty)
        let voters = try Membership(voters: RaftWitnessTests.nodes([0, 1, 2]))
        let full = SnapshotPoint(index: 1, term: 1, membership: voters, isStateWithheld: true)
        var bench = Bench(StandardRules(), recovered: [.snapshot(full, state: [])])
        #expect(!bench.core.holdsState && bench.core.recoveredSnapshot == nil)
        _ = bench.fire(.election, after: .seconds(3))
        #expect(bench.core.role == .follower)
        let newer = SnapshotPoint(index: 4, term: 2, membership: voters)
        let chunk = SnapshotChunk(term: 2, point: newer, offset: 0, total: 1, bytes: [7])
        let effects = bench.receive(.chunk(chunk), from: 1)
        #expect(
            effects.contains {
                if case .restore(newer, state: [7]) = $0 { true } else { false }
            }
        )
        #expect(bench.core.holdsState)
        _ = bench.fire(.election, after: .seconds(9))
        #expect(bench.core.role == .preCandidate)
    }

    // MARK: Zones

    @Test func commitWaitsForASecondZone() throws {
        var configuration = RaftConfiguration()
        configuration.zones = [
            NodeID(0): 1, NodeID(1): 1, NodeID(2): 1, NodeID(3): 2, NodeID(4): 3,
        ]
        let members = RaftWitnessTests.nodes([0, 1, 2, 3, 4])
        for witness in [nil, NodeID(4)] {
            var bench = Bench(
                StandardRules(),
                bootstrap: try Membership(voters: members, witnesses: witness.map { [$0] } ?? []),
                configuration: configuration
            )
            _ = bench.fire(.election, after: .seconds(3))
            for isPreVote in [true, false] {
                let answer = VoteAnswer(term: 1, isGranted: true, isPreVote: isPreVote)
                for peer in [1, 2] as [UInt32] {
                    _ = bench.receive(.voteAnswer(answer), from: peer)
                }
                // Its vote, and then its first entry.
                _ = bench.persisted(isPreVote ? 0 : 1)
            }
            #expect(bench.core.isLeader)
            for peer in [1, 2] as [UInt32] {
                _ = bench.receive(.appendMatched(term: 1, index: 1), from: peer)
            }
            #expect(bench.core.commit == 0, "three of five, in one zone")
            _ = bench.receive(.appendMatched(term: 1, index: 1), from: 4)
            #expect(bench.core.commit == (witness == nil ? 1 : 0))
            _ = bench.receive(.appendMatched(term: 1, index: 1), from: 3)
            #expect(bench.core.commit == 1)
        }
    }

    @Test func oneZoneAloneIsNotHeldUp() {
        var configuration = RaftConfiguration()
        configuration.zones = [NodeID(0): 1, NodeID(1): 1, NodeID(2): 1]
        var bench = Bench(StandardRules(), configuration: configuration)
        bench.becomeLeader()
        _ = bench.receive(.appendMatched(term: 1, index: 1), from: 1)
        #expect(bench.core.commit == 1)
    }
}
