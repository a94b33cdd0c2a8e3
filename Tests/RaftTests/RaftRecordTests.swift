import Machines
import Raft
import Testing
import Units

// Goal: what a replica gives to the disk says all that is new, entry by entry, and nothing else. Method: a single
// replica is fed by hand, as in `RaftStepTests`; commands tell its entries apart.
@Suite struct RaftRecordTests {
    typealias Bench = RaftStepTests.Bench<StandardRules>

    /// The records of each batch that goes to the disk.
    private func written(_ effects: [RaftEffect]) -> [[RaftRecord]] {
        effects.compactMap { if case .persist(let records, _) = $0 { records } else { nil } }
    }

    private func entries(_ term: Term, _ commands: [UInt8]) -> [LogEntry] {
        commands.map { LogEntry(term: term, .command([$0])) }
    }

    private func append(
        term: Term,
        after index: LogIndex,
        of previous: Term,
        _ entries: [LogEntry]
    ) -> RaftMessage {
        RaftStepTests.append(term: term, after: index, of: previous, entries: entries)
    }

    /// A follower of node 1 in term 1 that has been sent so many entries, command n at index n, as write 0.
    private func follower(_ commands: ClosedRange<UInt8>, isDurable: Bool = true) -> Bench {
        var bench = Bench(StandardRules())
        let sent = entries(1, Array(commands))
        let effects = bench.receive(append(term: 1, after: 0, of: 0, sent), from: 1)
        let expected: [RaftRecord] = [
            .hardState(term: 1, vote: nil), .entries(first: 1, sent),
        ]
        #expect(written(effects) == [expected])
        if isDurable { _ = bench.persisted(0) }
        return bench
    }

    @Test func aConflictIsWrittenAsATruncation() {
        var bench = follower(1...3, isDurable: false)
        let conflict = append(term: 2, after: 1, of: 1, entries(2, [12]))
        var expected: [RaftRecord] = [
            .truncate(from: 2), .hardState(term: 2, vote: nil),
            .entries(first: 2, entries(2, [12])),
        ]
        #expect(written(bench.receive(conflict, from: 2)) == [expected])
        // Two batches are at the disk: what comes now waits, and what of it is thrown away is never written.
        let more = bench.receive(append(term: 2, after: 2, of: 2, entries(2, [13, 14])), from: 2)
        let other = bench.receive(append(term: 3, after: 3, of: 2, entries(3, [24, 25])), from: 1)
        #expect(written(more).isEmpty && written(other).isEmpty)
        let rest = entries(2, [13]) + entries(3, [24, 25])
        expected = [.hardState(term: 3, vote: nil), .entries(first: 3, rest)]
        #expect(written(bench.persisted(0)) == [expected])
        #expect(written(bench.persisted(1)).isEmpty)
        // All of it is at the disk by now, durable or not.
        let last = append(term: 4, after: 3, of: 2, entries(4, [34]))
        expected = [
            .truncate(from: 4), .hardState(term: 4, vote: nil),
            .entries(first: 4, entries(4, [34])),
        ]
        #expect(written(bench.receive(last, from: 2)) == [expected])
    }

    @Test func ofARequestThatOverlapsOnlyTheRestIsWritten() {
        var bench = follower(1...3)
        let known = bench.receive(append(term: 1, after: 1, of: 1, entries(1, [2, 3])), from: 1)
        #expect(written(known).isEmpty)
        let partly = append(term: 1, after: 1, of: 1, entries(1, [2, 3, 4, 5]))
        var expected: [RaftRecord] = [.entries(first: 4, entries(1, [4, 5]))]
        #expect(written(bench.receive(partly, from: 1)) == [expected])
        _ = bench.persisted(1)
        // The same first entry, and two that differ.
        let differing = append(term: 2, after: 3, of: 1, entries(1, [4]) + entries(2, [15, 16]))
        expected = [
            .truncate(from: 5), .hardState(term: 2, vote: nil),
            .entries(first: 5, entries(2, [15, 16])),
        ]
        #expect(written(bench.receive(differing, from: 2)) == [expected])
        #expect(bench.core.lastIndex == 6)
    }

    @Test func whatWaitedForTheDiskIsWrittenTogether() {
        var bench = follower(1...2, isDurable: false)
        _ = bench.receive(append(term: 1, after: 2, of: 1, entries(1, [3])), from: 1)
        // The first and the third of these requests bring nothing new, the last one repeats its first entry.
        for request in [1...3, 4...6, 5...5, 6...8] as [ClosedRange<UInt8>] {
            let first = LogIndex(request.lowerBound)
            let sent = entries(1, Array(request))
            let effects = bench.receive(
                append(term: 1, after: first - 1, of: first == 1 ? 0 : 1, sent),
                from: 1
            )
            #expect(written(effects).isEmpty)
        }
        let together: [RaftRecord] = [.entries(first: 4, entries(1, [4, 5, 6, 7, 8]))]
        #expect(written(bench.persisted(0)) == [together])
        for write in [1, 2] as [UInt64] { #expect(written(bench.persisted(write)).isEmpty) }
    }

    // Goal: a snapshot from the leader is written with what stays behind it. Method: one that agrees with the log and
    // one that does not, before and after the log is durable; each batch is all that a restart needs.
    @Test func aSnapshotIsWrittenWithItsSuffix() throws {
        let membership = try Membership(voters: [NodeID(0), NodeID(1), NodeID(2)])
        for isDurable in [false, true] {
            for snapshotTerm in [1, 2] as [Term] {
                var bench = follower(1...4, isDurable: isDurable)
                let point = SnapshotPoint(index: 2, term: snapshotTerm, membership: membership)
                let chunk = SnapshotChunk(term: 3, point: point, offset: 0, total: 1, bytes: [5])
                let batches = written(bench.receive(.chunk(chunk), from: 2))
                let rest: RaftRecord =
                    snapshotTerm == 1
                    ? .entries(first: 3, entries(1, [3, 4])) : .truncate(from: 3)
                let expected: [RaftRecord] = [
                    .snapshot(point, state: [5]), .hardState(term: 3, vote: nil), rest,
                ]
                #expect(batches == [expected])
                let again = Bench(StandardRules(), recovered: batches.flatMap { $0 })
                #expect(again.core.lastIndex == bench.core.lastIndex && again.core.term == 3)
                #expect(again.core.lastIndex == (snapshotTerm == 1 ? 4 : 2))
                // The log goes on behind what was kept.
                let (last, term) = (bench.core.lastIndex, snapshotTerm)
                let next = append(term: 3, after: last, of: term, entries(3, [9]))
                let following: [RaftRecord] = [.entries(first: last + 1, entries(3, [9]))]
                var gone = written(bench.receive(next, from: 2))
                if !isDurable {
                    // Two batches were at the disk.
                    #expect(gone.isEmpty)
                    gone = written(bench.persisted(0))
                }
                #expect(gone == [following])
            }
        }
    }

    // Goal: a leader writes what it sends, also where limits cut what it sends. Method: commands that go to two
    // followers while the disk is busy, then a snapshot of the leader's own before the end of its log.
    @Test func aLeaderWritesWhatItSends() throws {
        for trailing in [0, 1, 1_000] as [UInt64] {
            var configuration = RaftConfiguration()
            configuration.appendEntries = 2
            configuration.trailingEntries = trailing
            var bench = Bench(StandardRules(), configuration: configuration)
            bench.becomeLeader()
            for peer in [1, 2] as [UInt32] {
                _ = bench.receive(.appendMatched(term: 1, index: 1), from: peer)
            }
            bench.effects.removeAll()
            // Command n is entry n. Two batches are at the disk, the other entries wait.
            for command in 2...6 as ClosedRange<UInt8> {
                _ = try bench.core.propose([command], at: bench.now, into: &bench.effects)
            }
            let first: [RaftRecord] = [.entries(first: 2, entries(1, [2]))]
            let second: [RaftRecord] = [.entries(first: 3, entries(1, [3]))]
            let rest = RaftRecord.entries(first: 4, entries(1, [4, 5, 6]))
            #expect(written(bench.effects.elements) == [first, second])
            #expect(written(bench.persisted(2)) == [[rest]])
            _ = bench.persisted(3)
            _ = bench.receive(.appendMatched(term: 1, index: 3), from: 1)
            #expect(bench.core.applied == 3)
            bench.effects.removeAll()
            bench.core.snapshotTaken([5], at: bench.now, into: &bench.effects)
            bench.core.checkInvariants()
            let point = SnapshotPoint(index: 3, term: 1, membership: bench.core.membership)
            let expected: [RaftRecord] = [
                .snapshot(point, state: [5]), .hardState(term: 1, vote: NodeID(0)), rest,
            ]
            #expect(written(bench.effects.elements) == [expected])
            // What a follower lacks is cut behind the snapshot as it was before it.
            let conflict = AppendConflict(term: 1, previousIndex: 6, hintIndex: 3, hintTerm: 1)
            let sent = RaftStepTests.sent(bench.receive(.appendConflict(conflict), from: 2))
            let lacked = AppendRequest(
                term: 1,
                previousIndex: 3,
                previousTerm: 1,
                commit: 3,
                entries: entries(1, [4, 5])
            )
            #expect(sent == [RaftMessage.append(lacked)])
        }
    }
}
