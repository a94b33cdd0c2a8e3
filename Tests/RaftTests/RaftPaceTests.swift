import Machines
import Raft
import Testing
import Units

// Goal: nothing is sent that something else says anyway, and nobody waits for it longer than a heartbeat.
// Method: a single replica is fed by hand, as in `RaftStepTests`.
@Suite struct RaftPaceTests {
    typealias Bench = RaftStepTests.Bench<StandardRules>

    private func isReady(_ effects: [RaftEffect], _ read: UInt64) -> Bool {
        effects.contains { if case .readReady(read) = $0 { true } else { false } }
    }

    private func heartbeatTimer(_ effects: [RaftEffect]) -> Instant? {
        effects.compactMap {
            if case .setTimer(.heartbeat, let time) = $0 { time } else { nil }
        }.last
    }

    @Test func entriesAreReportedWhereSomebodyComparesLogs() {
        for isAsked in [true, false] {
            var configuration = RaftConfiguration()
            configuration.reportsEntries = isAsked
            var bench = Bench(StandardRules(), configuration: configuration)
            let request = RaftStepTests.append(term: 2, after: 0, of: 0, commit: 1, [2])
            let appended = bench.receive(request, from: 1)
            let durable = bench.persisted(0)
            let facts = RaftStepTests.facts(appended + durable)
            let digest = LogEntry(term: 2, .nothing).digest
            #expect(facts.contains(.appended(index: 1, term: 2, digest: digest)) == isAsked)
            #expect(facts.contains(.durable(index: 1, term: 2)) == isAsked)
            #expect(facts.contains(.committed(index: 1)) == isAsked)
            #expect(facts.contains(.applied(index: 1, term: 2, digest: digest)))
            #expect(RaftStepTests.sent(durable) == [.appendMatched(term: 2, index: 1)])
        }
    }

    @Test func onlyTheLastOfABatchIsReportedWhereNobodyComparesLogs() {
        for isAsked in [true, false] {
            var configuration = RaftConfiguration()
            configuration.reportsEntries = isAsked
            var bench = Bench(StandardRules(), configuration: configuration)
            let request = RaftStepTests.append(term: 2, after: 0, of: 0, commit: 3, [2, 2, 2])
            let effects = bench.receive(request, from: 1)
            let given = effects.compactMap {
                if case .apply(_, let index) = $0 { index } else { nil }
            }
            #expect(given == [1, 2, 3])
            let digest = LogEntry(term: 2, .nothing).digest
            let reported = RaftStepTests.facts(effects).filter {
                if case .applied = $0 { true } else { false }
            }
            let indices: [LogIndex] = isAsked ? [1, 2, 3] : [3]
            #expect(reported == indices.map { .applied(index: $0, term: 2, digest: digest) })
        }
    }

    @Test func followersThatLackTheSameAreSentTheSame() throws {
        var configuration = RaftConfiguration()
        configuration.appendEntries = 3
        configuration.inFlightMessages = 1
        var bench = Bench(StandardRules(), configuration: configuration)
        bench.becomeLeader()
        _ = bench.receive(.appendMatched(term: 1, index: 1), from: 1)
        _ = bench.receive(.appendMatched(term: 1, index: 1), from: 2)
        func propose(_ commands: ClosedRange<UInt8>) throws {
            for command in commands {
                _ = try bench.core.propose([command], at: bench.now, into: &bench.effects)
            }
        }
        /// What a follower is sent when it has everything up to `index`: where it begins, and the commands.
        func sent(_ peer: UInt32, having index: LogIndex) -> [LogIndex: [LogEntry]] {
            var appends: [LogIndex: [LogEntry]] = [:]
            for effect in bench.receive(.appendMatched(term: 1, index: index), from: peer) {
                guard case .send(.append(let request), NodeID(peer)) = effect else { continue }
                appends[request.previousIndex] = request.entries
            }
            return appends
        }
        func entries(_ commands: ClosedRange<UInt8>) -> [LogEntry] {
            commands.map { LogEntry(term: 1, .command([$0])) }
        }
        // Entry 2 goes out at once; what follows waits for its acknowledgement. Command n is entry n + 1.
        try propose(1...3)
        #expect(sent(1, having: 2) == [2: entries(2...3)])
        #expect(sent(2, having: 2) == [2: entries(2...3)])
        // From the same entry on, but the log has grown in between; then the limit cuts.
        try propose(4...4)
        #expect(sent(1, having: 4) == [4: entries(4...4)])
        try propose(5...8)
        #expect(sent(2, having: 4) == [4: entries(4...6)])
        #expect(sent(1, having: 5) == [5: entries(5...7)])
        #expect(sent(2, having: 7) == [7: entries(7...8)])
    }

    // Goal: followers that lack the same are sent the same where a limit of bytes cuts it. Method: commands of one
    // byte, of which two fit, and one that is longer than the limit; then the log grows between two followers.
    @Test func followersThatLackTheSameAreSentTheSameCut() throws {
        var configuration = RaftConfiguration()
        configuration.appendBytes = ByteCount(40 as Int64)
        configuration.inFlightMessages = 1
        var bench = Bench(StandardRules(), configuration: configuration)
        bench.becomeLeader()
        _ = bench.receive(.appendMatched(term: 1, index: 1), from: 1)
        _ = bench.receive(.appendMatched(term: 1, index: 1), from: 2)
        /// Command n is entry n.
        func command(_ number: UInt8) -> Bytes {
            [UInt8](repeating: number, count: number == 6 ? 60 : 1)[...]
        }
        func entry(_ number: UInt8) -> LogEntry { LogEntry(term: 1, .command(command(number))) }
        #expect(2 * entry(2).size <= 40 && 3 * entry(2).size > 40 && entry(6).size > 40)
        /// What a follower is sent: the index before it, and the numbers of the commands.
        func sent(_ effects: [RaftEffect], to peer: UInt32) -> [LogIndex: [UInt8]] {
            var appends: [LogIndex: [UInt8]] = [:]
            for effect in effects {
                guard case .send(.append(let request), NodeID(peer)) = effect else { continue }
                let numbers = request.entries.indices.map {
                    UInt8(request.previousIndex + 1) + UInt8($0)
                }
                #expect(request.entries == numbers.map { entry($0) })
                appends[request.previousIndex] = numbers
            }
            return appends
        }
        func propose(_ numbers: ClosedRange<UInt8>) throws -> [RaftEffect] {
            bench.effects.removeAll()
            for number in numbers {
                _ = try bench.core.propose(command(number), at: bench.now, into: &bench.effects)
            }
            return bench.effects.elements
        }
        func next(_ peer: UInt32, having index: LogIndex) -> [LogIndex: [UInt8]] {
            let matched = RaftMessage.appendMatched(term: 1, index: index)
            return sent(bench.receive(matched, from: peer), to: peer)
        }
        let first = try propose(2...8)
        for peer in [1, 2] as [UInt32] { #expect(sent(first, to: peer) == [1: [2]]) }
        let parts: [(LogIndex, [UInt8])] = [(2, [3, 4]), (4, [5]), (5, [6]), (6, [7, 8])]
        for (index, part) in parts {
            for peer in [1, 2] as [UInt32] {
                #expect(next(peer, having: index) == [index: part], "to \(peer) after \(index)")
            }
        }
        // One of them takes the end of the log, which then grows; the other one lacks the same and more.
        #expect(next(1, having: 8).isEmpty)
        let grown = try propose(9...9)
        #expect(sent(grown, to: 1) == [8: [9]])
        #expect(sent(grown, to: 2).isEmpty)
        let more = try propose(10...11)
        #expect(sent(more, to: 1).isEmpty && sent(more, to: 2).isEmpty)
        #expect(next(2, having: 8) == [8: [9, 10]])
        #expect(next(1, having: 9) == [9: [10, 11]])
        #expect(next(2, having: 10) == [10: [11]])
    }

    @Test func aCommitTravelsWithWhatIsSentNext() throws {
        var bench = Bench(StandardRules())
        bench.becomeLeader()
        let matched = bench.receive(.appendMatched(term: 1, index: 1), from: 1)
        #expect(bench.core.commit == 1)
        #expect(RaftStepTests.sent(matched).isEmpty)
        bench.effects.removeAll()
        _ = try bench.core.propose([1], at: bench.now, into: &bench.effects)
        let commits = RaftStepTests.sent(bench.effects.elements).compactMap {
            if case .append(let request) = $0 { request.commit } else { nil }
        }
        #expect(commits == [1])
        let heartbeats = RaftStepTests.sent(bench.fire(.heartbeat, after: .milliseconds(100)))
        #expect(
            heartbeats.contains {
                if case .heartbeat(let heartbeat) = $0 { heartbeat.commit == 1 } else { false }
            }
        )
    }

    /// A follower of node 1 in term 2, with entries of that term.
    private func follower(_ entries: Int) -> Bench {
        var bench = Bench(StandardRules())
        let terms = [Term](repeating: 2, count: entries)
        _ = bench.receive(RaftStepTests.append(term: 2, after: 0, of: 0, terms), from: 1)
        _ = bench.persisted(0)
        return bench
    }

    @Test func aConfirmedReadTellsWhatIsCommitted() throws {
        var bench = follower(1)
        #expect(bench.core.commit == 0)
        try bench.core.read(5, at: bench.now, into: &bench.effects)
        let answered = bench.receive(.readAnswer(term: 2, read: 5, index: 1), from: 1)
        #expect(bench.core.commit == 1 && isReady(answered, 5))
        // Of what is not here yet, when it comes.
        try bench.core.read(6, at: bench.now, into: &bench.effects)
        #expect(!isReady(bench.receive(.readAnswer(term: 2, read: 6, index: 3), from: 1), 6))
        #expect(bench.core.commit == 1)
        let more = RaftStepTests.append(term: 2, after: 1, of: 2, commit: 1, [2, 2])
        #expect(isReady(bench.receive(more, from: 1), 6))
        #expect(bench.core.commit == 3)
    }

    @Test func aLogThatTheLeaderHasNotComparedIsNotCommittedForARead() throws {
        var bench = follower(2)
        // The leader of term 3 has not sent an entry so far: ours may be others than its own.
        let heartbeat = Heartbeat(term: 3, commit: 0, round: 1, sent: .zero)
        _ = bench.receive(.heartbeat(heartbeat), from: 2)
        bench.effects.removeAll()
        try bench.core.read(5, at: bench.now, into: &bench.effects)
        #expect(!isReady(bench.receive(.readAnswer(term: 3, read: 5, index: 2), from: 2), 5))
        #expect(bench.core.commit == 0)
        let same = RaftStepTests.append(term: 3, after: 2, of: 2, commit: 0, [3])
        #expect(isReady(bench.receive(same, from: 2), 5))
        #expect(bench.core.commit == 2)
    }

    // What is looked after with heartbeats, such as the end of a transfer that does not succeed, is not late when
    // followers hear of the leader by rounds for reads all the time.
    @Test func readsDoNotPutOffTheEndOfATransfer() throws {
        var bench = Bench(StandardRules())
        bench.becomeLeader()
        _ = bench.receive(.appendMatched(term: 1, index: 1), from: 1)
        let interval = bench.core.configuration.heartbeat
        let begun = bench.now
        bench.effects.removeAll()
        try bench.core.transferLeadership(to: NodeID(2), at: bench.now, into: &bench.effects)
        var due = bench.now + interval
        var ended: Instant?
        for read in 1...400 as ClosedRange<UInt64> where ended == nil {
            bench.now += .milliseconds(10)
            bench.effects.removeAll()
            try bench.core.read(read, at: bench.now, into: &bench.effects)
            due = heartbeatTimer(bench.effects.elements) ?? due
            let answer = HeartbeatAnswer(term: 1, round: read, sent: bench.now)
            _ = bench.receive(.heartbeatAnswer(answer), from: 1)
            guard due <= bench.now else { continue }
            let effects = bench.fire(.heartbeat, after: .zero)
            due = heartbeatTimer(effects) ?? due
            let end = RaftFact.transferEnded(to: NodeID(2), term: 1, succeeded: false)
            if RaftStepTests.facts(effects).contains(end) { ended = bench.now }
        }
        let timeout = bench.core.configuration.electionTimeout
        #expect(ended.map { $0 - begun <= timeout + .milliseconds(10) } == true)
    }
}
