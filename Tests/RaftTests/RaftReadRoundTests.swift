import Machines
import Raft
import Testing
import Units

// Goal: a round for reads asks no more followers than a quorum needs, and none that is silent decides how long a
// read waits; heartbeats go where nothing else was sent.
struct RaftReadRoundTests {
    private typealias Bench = RaftStepTests.Bench

    private static let members: [UInt32] = [0, 1, 2, 3, 4]

    /// A leader of these nodes whose own log is durable; nobody has answered an append.
    private func elected(
        _ members: [UInt32],
        _ configuration: RaftConfiguration = RaftConfiguration()
    ) -> Bench<StandardRules> {
        var bench = Bench(StandardRules(), members: members, configuration: configuration)
        _ = bench.fire(.election, after: .seconds(3))
        for isPreVote in [true, false] {
            let answer = VoteAnswer(term: 1, isGranted: true, isPreVote: isPreVote)
            for peer in members.dropFirst().prefix(2) {
                _ = bench.receive(.voteAnswer(answer), from: peer)
            }
            if isPreVote { _ = bench.persisted(0) }
        }
        _ = bench.persisted(1)
        return bench
    }

    /// A leader of five whose followers have answered a heartbeat after these times, in milliseconds.
    private func leader(
        _ roundTrips: [Int64] = [40, 10, 30, 20],
        configuration: RaftConfiguration = RaftConfiguration()
    ) -> Bench<StandardRules> {
        var bench = elected(RaftReadRoundTests.members, configuration)
        for peer in [1, 2, 3, 4] as [UInt32] {
            _ = bench.receive(.appendMatched(term: 1, index: 1), from: peer)
        }
        bench.now += .milliseconds(roundTrips.max()!)
        for (peer, roundTrip) in zip([1, 2, 3, 4] as [UInt32], roundTrips) {
            let sent = bench.now - .milliseconds(roundTrip)
            let answer = HeartbeatAnswer(term: 1, round: 0, sent: sent)
            _ = bench.receive(.heartbeatAnswer(answer), from: peer)
        }
        return bench
    }

    /// Who is sent a heartbeat of this round.
    private func asked(_ effects: [RaftEffect], round: UInt64) -> [UInt32] {
        effects.compactMap {
            guard case .send(.heartbeat(let heartbeat), let peer) = $0, heartbeat.round == round
            else { return nil }
            return peer.rawValue
        }
    }

    private func read(
        _ name: UInt64,
        _ bench: inout Bench<StandardRules>
    ) throws -> [RaftEffect] {
        bench.effects.removeAll()
        try bench.core.read(name, at: bench.now, into: &bench.effects)
        return bench.effects.elements
    }

    private func isReady(_ effects: [RaftEffect], _ name: UInt64) -> Bool {
        effects.contains { if case .readReady(name) = $0 { true } else { false } }
    }

    /// Sets the heartbeat timer off at its time.
    private func beat(_ bench: inout Bench<StandardRules>, _ before: [RaftEffect]) -> [RaftEffect] {
        var due: Instant?
        for case .setTimer(.heartbeat, let time) in before { due = time }
        let pause = due.map { max(.zero, $0 - bench.now) }
        return bench.fire(.heartbeat, after: pause ?? bench.core.configuration.heartbeat)
    }

    @Test func theNearestThatMakeAQuorumAreAsked() throws {
        var bench = leader()
        let effects = try read(7, &bench)
        #expect(asked(effects, round: 1) == [2, 4])
        let answer = HeartbeatAnswer(term: 1, round: 1, sent: bench.now)
        #expect(!isReady(bench.receive(.heartbeatAnswer(answer), from: 4), 7))
        // Whoever confirms the round counts, asked or not.
        #expect(isReady(bench.receive(.heartbeatAnswer(answer), from: 1), 7))
    }

    @Test func allAreAskedWhenARoundIsNotConfirmedWithinAHeartbeat() throws {
        var bench = leader()
        _ = try read(7, &bench)
        let late = bench.fire(.heartbeat, after: bench.core.configuration.heartbeat)
        #expect(asked(late, round: 1) == [1, 2, 3, 4])
        // Again no sooner than after another one.
        let early = bench.fire(.heartbeat, after: .milliseconds(1))
        #expect(asked(early, round: 1).isEmpty)
    }

    @Test func silentFollowersAreNotReliedOn() throws {
        var bench = leader()
        let pause = bench.core.configuration.heartbeat * 3
        bench.now += pause
        // Only the two that are far answered of late.
        for peer in [1, 3] as [UInt32] {
            let answer = HeartbeatAnswer(term: 1, round: 0, sent: bench.now)
            _ = bench.receive(.heartbeatAnswer(answer), from: peer)
        }
        #expect(asked(try read(7, &bench), round: 1) == [1, 3])
        var lonely = leader()
        lonely.now += pause
        #expect(asked(try read(7, &lonely), round: 1) == [1, 2, 3, 4])
    }

    // After an election nobody's distance is known: whoever answered since is asked, not one that may be dead.
    @Test func whoHasAnsweredIsAskedBeforeWhoHasNot() throws {
        var bench = elected(RaftReadRoundTests.members)
        bench.now += .milliseconds(20)
        for peer in [3, 4] as [UInt32] {
            _ = bench.receive(.appendMatched(term: 1, index: 1), from: peer)
        }
        #expect(asked(try read(7, &bench), round: 1) == [3, 4])
    }

    @Test func whoIsAskedInVainCountsAsFarther() throws {
        var bench = leader()
        var relied: [[UInt32]] = []
        for round in 1...12 as ClosedRange<UInt64> where relied.last != [1, 3] {
            relied.append(asked(try read(round, &bench), round: round))
            // The near ones acknowledge what they are sent, and their answers to heartbeats get lost.
            _ = bench.fire(.heartbeat, after: bench.core.configuration.heartbeat)
            for peer in [1, 3] as [UInt32] {
                let sent = bench.now - .milliseconds(35)
                let answer = HeartbeatAnswer(term: 1, round: round, sent: sent)
                _ = bench.receive(.heartbeatAnswer(answer), from: peer)
            }
            for peer in [2, 4] as [UInt32] {
                _ = bench.receive(.appendMatched(term: 1, index: 1), from: peer)
            }
        }
        #expect(relied.first == [2, 4])
        #expect(relied.last == [1, 3], "\(relied)")
    }

    // Who was far may be near again, and is never asked otherwise.
    @Test func everySixteenthRoundAsksAll() throws {
        var bench = leader()
        for round in 1...16 as ClosedRange<UInt64> {
            let nodes = asked(try read(round, &bench), round: round)
            #expect(nodes == (round == 16 ? [1, 2, 3, 4] : [2, 4]), "round \(round)")
            let answer = HeartbeatAnswer(term: 1, round: round, sent: bench.now)
            for peer in [2, 4] as [UInt32] {
                _ = bench.receive(.heartbeatAnswer(answer), from: peer)
            }
        }
    }

    @Test func aRoundEndsWhenWhoWasAskedIsAMemberNoLonger() throws {
        var bench = elected([0, 1])
        _ = bench.receive(.appendMatched(term: 1, index: 1), from: 1)
        #expect(asked(try read(7, &bench), round: 1) == [1])
        bench.effects.removeAll()
        try bench.core.change(.remove(NodeID(1)), at: bench.now, into: &bench.effects)
        let late = bench.fire(.heartbeat, after: bench.core.configuration.heartbeat)
        #expect(isReady(late, 7))
    }

    @Test(arguments: [Int64.min, -1, Int64.max])
    func timesThatAPeerMadeUpSayNothing(sent: Int64) throws {
        for leaseReads in [false, true] {
            var configuration = RaftConfiguration()
            configuration.leaseReads = leaseReads
            var bench = leader(configuration: configuration)
            let answer = HeartbeatAnswer(term: 1, round: 0, sent: Instant(nanoseconds: sent))
            for peer in [1, 3] as [UInt32] {
                _ = bench.receive(.heartbeatAnswer(answer), from: peer)
            }
            if !leaseReads { #expect(asked(try read(7, &bench), round: 1) == [2, 4]) }
        }
    }

    // Its disk may be slow, or appends may be what does not arrive: heartbeats keep the leader in office.
    @Test func appendsToWhoSaysNothingAreNoHeartbeats() throws {
        var bench = leader()
        let heartbeat = bench.core.configuration.heartbeat
        var heartbeats: [UInt32] = []
        for index in 2...21 as ClosedRange<LogIndex> {
            bench.now += heartbeat / 4
            bench.effects.removeAll()
            _ = try bench.core.propose([1], at: bench.now, into: &bench.effects)
            _ = bench.persisted(index)
            heartbeats += asked(bench.fire(.heartbeat, after: .zero), round: 0)
        }
        for peer in [1, 2, 3, 4] as [UInt32] {
            #expect(heartbeats.count { $0 == peer } >= 3, "\(peer)")
        }
    }

    @Test func aJointMembershipNeedsAQuorumOfBoth() throws {
        var bench = leader()
        bench.effects.removeAll()
        let change = MembershipChange.joint(
            voters: [0, 1, 3].map { NodeID($0) },
            learners: [],
            witnesses: []
        )
        try bench.core.change(change, at: bench.now, into: &bench.effects)
        #expect(bench.core.membership.isJoint)
        let nodes = Set(asked(try read(7, &bench), round: 1))
        #expect(nodes.count >= 2 && !nodes.isDisjoint(with: [1, 3]), "\(nodes)")
        #expect(nodes.count < 4, "\(nodes)")
    }

    @Test func appendsThatFollowEachOtherStandForHeartbeats() throws {
        var bench = leader()
        let heartbeat = bench.core.configuration.heartbeat
        var heartbeats = 0
        for index in 2...41 as ClosedRange<LogIndex> {
            bench.now += heartbeat / 4
            bench.effects.removeAll()
            _ = try bench.core.propose([1], at: bench.now, into: &bench.effects)
            for peer in [1, 2, 3, 4] as [UInt32] {
                _ = bench.receive(.appendMatched(term: 1, index: index), from: peer)
            }
            _ = bench.persisted(index)
            heartbeats += asked(bench.fire(.heartbeat, after: .zero), round: 0).count
        }
        #expect(heartbeats == 0)
        // What is proposed no more is followed by heartbeats within one interval.
        #expect(asked(bench.fire(.heartbeat, after: heartbeat), round: 0) == [1, 2, 3, 4])
    }

    @Test func leasesNeedHeartbeats() throws {
        var configuration = RaftConfiguration()
        configuration.leaseReads = true
        var bench = leader(configuration: configuration)
        let heartbeat = bench.core.configuration.heartbeat
        var heartbeats = 0
        for index in 2...9 as ClosedRange<LogIndex> {
            bench.now += heartbeat / 2
            bench.effects.removeAll()
            _ = try bench.core.propose([1], at: bench.now, into: &bench.effects)
            _ = bench.persisted(index)
            heartbeats += asked(bench.fire(.heartbeat, after: .zero), round: 0).count
        }
        #expect(heartbeats >= 3 * 4)
    }

    @Test func theTimerIsDueWhenTheFirstFollowerIs() throws {
        var bench = leader()
        let first = beat(&bench, [])
        #expect(asked(first, round: 0) == [1, 2, 3, 4])
        // Two are asked by a round half an interval later; the others are still due after the whole.
        bench.now += bench.core.configuration.heartbeat / 2
        let round = try read(7, &bench)
        #expect(asked(round, round: 1) == [2, 4])
        let answer = HeartbeatAnswer(term: 1, round: 1, sent: bench.now)
        for peer in [2, 4] as [UInt32] {
            _ = bench.receive(.heartbeatAnswer(answer), from: peer)
        }
        let second = bench.fire(.heartbeat, after: bench.core.configuration.heartbeat / 2)
        #expect(asked(second, round: 1) == [1, 3])
        let third = beat(&bench, second)
        #expect(asked(third, round: 1) == [2, 4])
    }
}
