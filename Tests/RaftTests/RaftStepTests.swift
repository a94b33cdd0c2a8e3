import Machines
import Raft
import RaftDefects
import Testing
import Units

// Goal: each rule of the protocol, one input at a time. Method: a single replica is fed by hand and its
// effects are looked at; the disk answers when the test says so.
@Suite struct RaftStepTests {
    /// A replica with a hand on every lever.
    struct Bench<Rules: RaftRules> {
        var core: RaftCore<Rules>
        var now = Instant.zero
        var effects = RaftEffects()

        init(
            _ rules: Rules,
            members: [UInt32] = [0, 1, 2],
            bootstrap: Membership? = nil,
            recovered: [RaftRecord] = [],
            configuration: RaftConfiguration = RaftConfiguration()
        ) {
            core = RaftCore(
                node: NodeID(0),
                seed: 1,
                incarnation: 0,
                configuration: configuration,
                rules: rules,
                bootstrap: bootstrap ?? (try! Membership(voters: members.map { NodeID($0) })),
                recovered: recovered
            )
            core.start(at: now, into: &effects)
            effects.removeAll()
        }

        mutating func receive(_ message: RaftMessage, from peer: UInt32) -> [RaftEffect] {
            effects.removeAll()
            core.received(message, from: NodeID(peer), at: now, into: &effects)
            core.checkInvariants()
            return effects.elements
        }

        mutating func fire(_ timer: RaftTimer, after pause: Interval) -> [RaftEffect] {
            effects.removeAll()
            now += pause
            core.fired(timer, at: now, into: &effects)
            core.checkInvariants()
            return effects.elements
        }

        mutating func persisted(_ id: UInt64) -> [RaftEffect] {
            effects.removeAll()
            core.persisted(WriteID(id), at: now, into: &effects)
            core.checkInvariants()
            return effects.elements
        }

        /// Term 1 with everything durable: writes 0 (the vote) and 1 (the first entry).
        mutating func becomeLeader() {
            _ = fire(.election, after: .seconds(3))
            for peer in [1, 2] as [UInt32] {
                let answer = VoteAnswer(term: 1, isGranted: true, isPreVote: true)
                _ = receive(.voteAnswer(answer), from: peer)
            }
            _ = persisted(0)
            let answer = VoteAnswer(term: 1, isGranted: true, isPreVote: false)
            _ = receive(.voteAnswer(answer), from: 1)
            _ = persisted(1)
        }
    }

    static func sent(_ effects: [RaftEffect]) -> [RaftMessage] {
        effects.compactMap { if case .send(let message, _) = $0 { message } else { nil } }
    }

    static func facts(_ effects: [RaftEffect]) -> [RaftFact] {
        effects.compactMap { if case .report(let fact) = $0 { fact } else { nil } }
    }

    static func append(
        term: Term,
        after index: LogIndex,
        of previous: Term,
        commit: LogIndex = 0,
        _ entries: [Term]
    ) -> RaftMessage {
        let entries = entries.map { LogEntry(term: $0, .nothing) }
        return append(term: term, after: index, of: previous, commit: commit, entries: entries)
    }

    static func append(
        term: Term,
        after index: LogIndex,
        of previous: Term,
        commit: LogIndex = 0,
        entries: [LogEntry]
    ) -> RaftMessage {
        .append(
            AppendRequest(
                term: term,
                previousIndex: index,
                previousTerm: previous,
                commit: commit,
                entries: entries
            )
        )
    }

    static func vote(term: Term, last: LogIndex = 9, of lastTerm: Term = 9) -> RaftMessage {
        .voteRequest(
            VoteRequest(
                term: term,
                lastIndex: last,
                lastTerm: lastTerm,
                isPreVote: false,
                isTransfer: false
            )
        )
    }

    @Test func votesWaitForTheDisk() {
        var bench = Bench(StandardRules())
        let asked = bench.receive(RaftStepTests.vote(term: 4), from: 1)
        #expect(RaftStepTests.sent(asked).isEmpty)
        #expect(bench.core.term == 4 && bench.core.vote == NodeID(1))
        let answers = RaftStepTests.sent(bench.persisted(0))
        #expect(
            answers == [.voteAnswer(VoteAnswer(term: 4, isGranted: true, isPreVote: false))]
        )
        // Another candidate of the term is refused at once.
        let other = RaftStepTests.sent(bench.receive(RaftStepTests.vote(term: 4), from: 2))
        #expect(other == [.voteAnswer(VoteAnswer(term: 4, isGranted: false, isPreVote: false))])
    }

    @Test func acknowledgementsWaitForTheDisk() {
        var bench = Bench(StandardRules())
        let first = bench.receive(RaftStepTests.append(term: 1, after: 0, of: 0, [1, 1]), from: 1)
        #expect(RaftStepTests.sent(first).isEmpty)
        // A repetition waits for the same write.
        let again = bench.receive(RaftStepTests.append(term: 1, after: 0, of: 0, [1, 1]), from: 1)
        #expect(RaftStepTests.sent(again).isEmpty)
        #expect(
            RaftStepTests.sent(bench.persisted(0)) == [
                .appendMatched(term: 1, index: 2), .appendMatched(term: 1, index: 2),
            ]
        )
        var early = Bench(DefectiveRules(.acknowledgesEarly))
        let sent = early.receive(RaftStepTests.append(term: 1, after: 0, of: 0, [1]), from: 1)
        #expect(RaftStepTests.sent(sent) == [.appendMatched(term: 1, index: 1)])
    }

    @Test func delayedAppendsLeaveNewerEntries() {
        for defect in [nil, RaftDefect.delayedAppendTruncates] {
            var bench = Bench(DefectiveRules(defect))
            _ = bench.receive(RaftStepTests.append(term: 1, after: 0, of: 0, [1, 1, 1]), from: 1)
            _ = bench.receive(RaftStepTests.append(term: 1, after: 0, of: 0, [1]), from: 1)
            #expect(bench.core.lastIndex == (defect == nil ? 3 : 1))
        }
    }

    @Test func conflictsTakeTheTail() {
        for defect in [nil, RaftDefect.keepsConflictingTail] {
            var bench = Bench(DefectiveRules(defect))
            _ = bench.receive(RaftStepTests.append(term: 1, after: 0, of: 0, [1, 1, 1]), from: 1)
            _ = bench.receive(RaftStepTests.append(term: 2, after: 1, of: 1, [2]), from: 2)
            #expect(bench.core.lastIndex == (defect == nil ? 2 : 3))
            #expect(bench.core.entryTerm(at: 2) == 2)
        }
    }

    @Test func commitsWhatWasVerified() {
        for defect in [nil, RaftDefect.commitsUnverified] {
            var bench = Bench(DefectiveRules(defect))
            _ = bench.receive(RaftStepTests.append(term: 1, after: 0, of: 0, [1, 1, 1]), from: 1)
            _ = bench.receive(
                RaftStepTests.append(term: 2, after: 1, of: 1, commit: 3, []),
                from: 2
            )
            #expect(bench.core.commit == (defect == nil ? 1 : 3))
        }
    }

    @Test func rejectionsCarryAHint() {
        var bench = Bench(StandardRules())
        _ = bench.receive(RaftStepTests.append(term: 3, after: 0, of: 0, [1, 1, 3, 3]), from: 1)
        let sent = RaftStepTests.sent(
            bench.receive(RaftStepTests.append(term: 4, after: 9, of: 2, []), from: 2)
        )
        #expect(
            sent == [
                .appendConflict(
                    AppendConflict(term: 4, previousIndex: 9, hintIndex: 2, hintTerm: 1)
                )
            ]
        )
    }

    @Test func longerLogsOfOlderTermsLose() {
        for defect in [nil, RaftDefect.longerLogWins] {
            var bench = Bench(DefectiveRules(defect))
            _ = bench.receive(RaftStepTests.append(term: 3, after: 0, of: 0, [3]), from: 1)
            bench.now += .seconds(5)
            _ = bench.receive(RaftStepTests.vote(term: 5, last: 8, of: 2), from: 2)
            #expect(bench.core.vote == (defect == nil ? nil : NodeID(2)))
        }
    }

    @Test func leadersTurnCandidatesAway() {
        var bench = Bench(StandardRules())
        let heartbeat = Heartbeat(term: 1, commit: 0, round: 0, sent: .zero)
        _ = bench.receive(.heartbeat(heartbeat), from: 1)
        #expect(RaftStepTests.sent(bench.receive(RaftStepTests.vote(term: 7), from: 2)).isEmpty)
        #expect(bench.core.term == 1)
        // The leader's own wish is another matter.
        guard case .voteRequest(var request) = RaftStepTests.vote(term: 7) else { return }
        request.isTransfer = true
        _ = bench.receive(.voteRequest(request), from: 2)
        #expect(bench.core.term == 7 && bench.core.vote == NodeID(2))
    }

    @Test func leaderCountsItselfWhenDurable() {
        var bench = Bench(StandardRules())
        bench.becomeLeader()
        #expect(bench.core.isLeader && bench.core.commit == 0)
        bench.effects.removeAll()
        _ = try? bench.core.propose([1], at: bench.now, into: &bench.effects)
        // One follower has the command before our disk: two of three, but not durable here.
        _ = bench.receive(.appendMatched(term: 1, index: 2), from: 1)
        #expect(bench.core.commit == 1)
        _ = bench.persisted(2)
        #expect(bench.core.commit == 2)
    }

    @Test func leaderWithoutQuorumGivesUp() {
        var bench = Bench(StandardRules())
        bench.becomeLeader()
        let effects = bench.fire(.heartbeat, after: .seconds(2))
        #expect(RaftStepTests.facts(effects).contains(.steppedDown(term: 1, .quorumLost)))
        #expect(!bench.core.isLeader)
    }

    @Test func readsWaitForARoundOfTheirOwn() throws {
        var bench = Bench(StandardRules())
        bench.becomeLeader()
        _ = bench.receive(.appendMatched(term: 1, index: 1), from: 1)
        #expect(bench.core.commit == 1)
        bench.effects.removeAll()
        try bench.core.read(77, at: bench.now, into: &bench.effects)
        func ready(_ effects: [RaftEffect]) -> Bool {
            effects.contains { if case .readReady(77) = $0 { true } else { false } }
        }
        #expect(!ready(bench.effects.elements))
        // An answer to an older heartbeat does not count.
        let late = HeartbeatAnswer(term: 1, round: 0, sent: .zero)
        #expect(!ready(bench.receive(.heartbeatAnswer(late), from: 1)))
        let answer = HeartbeatAnswer(term: 1, round: 1, sent: .zero)
        #expect(ready(bench.receive(.heartbeatAnswer(answer), from: 2)))
    }

    @Test func changesWaitForACommitOfTheTerm() {
        for defect in [nil, RaftDefect.changesBeforeOwnCommit] {
            var bench = Bench(DefectiveRules(defect))
            bench.becomeLeader()
            bench.effects.removeAll()
            var refusal: RaftRefusal?
            do throws(RaftRefusal) {
                try bench.core.change(.addVoter(NodeID(3)), at: bench.now, into: &bench.effects)
            } catch {
                refusal = error
            }
            #expect(refusal == (defect == nil ? .changeInProgress : nil))
        }
    }

    @Test func truncationBringsTheMembershipBack() {
        for defect in [nil, RaftDefect.keepsTruncatedMembership] {
            var bench = Bench(DefectiveRules(defect))
            let before = bench.core.membership
            let changed = try! Membership(voters: [NodeID(0), NodeID(1), NodeID(2), NodeID(3)])
            let request = AppendRequest(
                term: 1,
                previousIndex: 0,
                previousTerm: 0,
                commit: 0,
                entries: [LogEntry(term: 1, .membership(changed))]
            )
            _ = bench.receive(.append(request), from: 1)
            #expect(bench.core.membership == changed)
            _ = bench.receive(RaftStepTests.append(term: 2, after: 0, of: 0, [2]), from: 2)
            #expect(bench.core.membership == (defect == nil ? before : changed))
        }
    }

    // Goal: nobody is missed who is needed. Method: a removal reaches the voter that it removes, which stands for
    // election until it knows that the removal is committed.
    @Test func aRemovedVoterStandsUntilItsRemovalIsCommitted() throws {
        for commit in [0, 1] as [LogIndex] {
            var bench = Bench(StandardRules())
            let rest = try Membership(voters: [NodeID(1), NodeID(2)])
            let request = AppendRequest(
                term: 1,
                previousIndex: 0,
                previousTerm: 0,
                commit: commit,
                entries: [LogEntry(term: 1, .membership(rest))]
            )
            _ = bench.receive(.append(request), from: 1)
            _ = bench.persisted(0)
            _ = bench.fire(.election, after: .seconds(3))
            #expect(bench.core.role == (commit == 0 ? .preCandidate : .follower))
            guard commit == 0 else { continue }
            // It needs both of the others: its own vote counts for nothing.
            for isPreVote in [true, false] {
                for peer in [1, 2] as [UInt32] {
                    #expect(!bench.core.isLeader)
                    let answer = VoteAnswer(term: 2, isGranted: true, isPreVote: isPreVote)
                    _ = bench.receive(.voteAnswer(answer), from: peer)
                }
                if isPreVote { _ = bench.persisted(1) }
            }
            #expect(bench.core.isLeader)
        }
    }

    @Test func recoveryForgetsTruncatedEntries() {
        let records: [RaftRecord] = [
            .entries(first: 1, [1, 1, 1].map { LogEntry(term: $0, .nothing) }),
            .hardState(term: 2, vote: NodeID(2)),
            .truncate(from: 2),
            .entries(first: 2, [LogEntry(term: 2, .nothing)]),
        ]
        let sound = Bench(StandardRules(), recovered: records)
        #expect(sound.core.lastIndex == 2 && sound.core.vote == NodeID(2))
        let defective = Bench(DefectiveRules(.recoveryResurrects), recovered: records)
        #expect(defective.core.lastIndex == 3)
    }

    @Test func snapshotsKeepWhatAgrees() throws {
        let membership = try Membership(voters: [NodeID(0), NodeID(1), NodeID(2)])
        func install(_ rules: DefectiveRules, snapshotTerm: Term) -> LogIndex {
            var bench = Bench(rules)
            _ = bench.receive(RaftStepTests.append(term: 1, after: 0, of: 0, [1, 1, 1]), from: 1)
            let point = SnapshotPoint(index: 2, term: snapshotTerm, membership: membership)
            let chunk = SnapshotChunk(term: 3, point: point, offset: 0, total: 1, bytes: [5])
            _ = bench.receive(.chunk(chunk), from: 2)
            #expect(bench.core.applied == 2)
            return bench.core.lastIndex
        }
        #expect(install(DefectiveRules(nil), snapshotTerm: 1) == 3)
        #expect(install(DefectiveRules(nil), snapshotTerm: 2) == 2)
        #expect(install(DefectiveRules(.snapshotKeepsConflicts), snapshotTerm: 2) == 3)
        #expect(install(DefectiveRules(.snapshotDropsSuffix), snapshotTerm: 1) == 2)
    }

    // Goal: a follower that loses what it had of a snapshot gets it again. Method: it acknowledges the first of three
    // chunks, is restarted, and says that it has nothing.
    @Test func aSnapshotBeginsAgainWhereTheFollowerForgotIt() throws {
        var configuration = RaftConfiguration()
        configuration.snapshotInterval = 1
        configuration.trailingEntries = 0
        configuration.snapshotChunk = ByteCount(4 as Int64)
        var bench = Bench(StandardRules(), configuration: configuration)
        bench.becomeLeader()
        _ = bench.receive(.appendMatched(term: 1, index: 1), from: 1)
        let state: Bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
        bench.core.snapshotTaken(state, at: bench.now, into: &bench.effects)
        func offsets(_ effects: [RaftEffect]) -> [UInt64] {
            RaftStepTests.sent(effects).compactMap {
                if case .chunk(let chunk) = $0 { chunk.offset } else { nil }
            }
        }
        var sent: [UInt64] = []
        for previous in [1, 0] as [LogIndex] {
            let conflict = AppendConflict(
                term: 1,
                previousIndex: previous,
                hintIndex: 0,
                hintTerm: 0
            )
            sent += offsets(bench.receive(.appendConflict(conflict), from: 2))
        }
        #expect(sent == [0, 4, 8])
        _ = bench.receive(.chunkAnswer(term: 1, index: 1, received: 4), from: 2)
        _ = bench.receive(.chunkAnswer(term: 1, index: 1, received: 0), from: 2)
        bench.now += .milliseconds(150)
        let alive = HeartbeatAnswer(term: 1, round: 0, sent: bench.now)
        #expect(offsets(bench.receive(.heartbeatAnswer(alive), from: 2)) == [0, 4, 8])
    }

    @Test func proposalsAreBounded() throws {
        var configuration = RaftConfiguration()
        configuration.pendingProposals = 3
        var bench = Bench(StandardRules(), configuration: configuration)
        bench.becomeLeader()
        bench.effects.removeAll()
        for _ in 0..<2 { _ = try bench.core.propose([1], at: bench.now, into: &bench.effects) }
        #expect(throws: RaftRefusal.busy) {
            _ = try bench.core.propose([1], at: bench.now, into: &bench.effects)
        }
    }

    // Goal: no snapshot without a membership. Method: a spare copies the log from its beginning, where it
    // knows of no group; a snapshot from there would leave whoever gets it without one.
    @Test func aSpareOffersASnapshotOnceItKnowsWhoTakesPart() throws {
        var configuration = RaftConfiguration()
        configuration.snapshotInterval = 2
        var bench = Bench(StandardRules(), bootstrap: Membership.none, configuration: configuration)
        _ = bench.receive(
            RaftStepTests.append(term: 1, after: 0, of: 0, commit: 3, [1, 1, 1]),
            from: 1
        )
        #expect(bench.core.applied == 3)
        #expect(!bench.core.wantsSnapshot)
        bench.effects.removeAll()
        bench.core.snapshotTaken([7], at: bench.now, into: &bench.effects)
        #expect(bench.effects.elements.isEmpty)
        #expect(bench.core.recoveredSnapshot == nil)
        let group = try Membership(voters: [NodeID(1), NodeID(2)], learners: [NodeID(0)])
        let request = AppendRequest(
            term: 1,
            previousIndex: 3,
            previousTerm: 1,
            commit: 4,
            entries: [LogEntry(term: 1, .membership(group))]
        )
        _ = bench.receive(.append(request), from: 1)
        #expect(bench.core.applied == 4 && bench.core.wantsSnapshot)
        bench.core.snapshotTaken([7], at: bench.now, into: &bench.effects)
        #expect(bench.core.recoveredSnapshot?.point.membership == group)
    }
}
