import Machines
import Raft
import ReplicatedStore
import Testing
import Units

// Goal: what reaches a replica's streams and a client, one input at a time. Method: a replica and a client
// are fed by hand and their actions are looked at.
@Suite struct StoreStepTests {
    typealias Replica = StoreReplica<StandardRules>

    static func replica(
        _ carrier: StoreConfiguration.Carrier,
        incarnation: UInt32 = 0
    ) -> Replica {
        var configuration = StoreConfiguration()
        configuration.carrier = carrier
        return Replica(
            Birth<Replica>(node: NodeID(0), incarnation: incarnation, recovered: [], seed: 1),
            configuration: configuration,
            bootstrap: try! Membership(voters: [NodeID(0), NodeID(1), NodeID(2)]),
            rules: StandardRules()
        )
    }

    /// The bytes that a replica writes when its election timer fires: a frame with a request for votes.
    static func genuineFrame() -> Bytes {
        var replica = StoreStepTests.replica(.streams)
        var actions = Actions<Replica>()
        replica.step(.started, at: .zero, into: &actions)
        replica.step(.fired(.raft(.election)), at: .zero + .seconds(9), into: &actions)
        let opened = actions.elements.compactMap {
            if case .openStream(let stream, NodeID(1), _) = $0 { stream } else { nil }
        }
        actions.removeAll()
        replica.step(.streamOpened(opened[0], peer: NodeID(1)), at: .zero, into: &actions)
        replica.step(.writable(opened[0], credit: 5), at: .zero, into: &actions)
        replica.step(.writable(opened[0], credit: 1_000), at: .zero, into: &actions)
        return actions.elements.reduce(into: []) { bytes, action in
            if case .write(_, let more) = action { bytes += more }
        }
    }

    // Goal: the answer to a read of an earlier life confirms none of a later one, which may have to see more.
    // Method: two lives of a follower pass on their first read; the leader's answer to the first comes late.
    @Test func anAnswerToAnEarlierLifeConfirmsNoRead() throws {
        var names: [UInt64] = []
        for incarnation in [0, 1] as [UInt32] {
            var replica = StoreStepTests.replica(.datagrams, incarnation: incarnation)
            var actions = Actions<Replica>()
            replica.step(.started, at: .zero, into: &actions)
            let heartbeat = Heartbeat(term: 1, commit: 0, round: 0, sent: .zero)
            replica.step(
                .received(.raft(.heartbeat(heartbeat)), from: NodeID(1)),
                at: .zero,
                into: &actions
            )
            let question = StoreQuestion.read(.get(key: [1]), fromFollower: true)
            replica.step(
                .received(.request(attempt: 7, question), from: NodeID(9)),
                at: .zero,
                into: &actions
            )
            names += actions.elements.compactMap {
                guard case .send(.raft(.readRequest(_, let read)), _) = $0 else { return nil }
                return read
            }
            actions.removeAll()
            guard incarnation > 0 else { continue }
            replica.step(
                .received(.raft(.readAnswer(term: 1, read: names[0], index: 0)), from: NodeID(1)),
                at: .zero,
                into: &actions
            )
            #expect(actions.isEmpty)
        }
        #expect(Set(names).count == 2)
    }

    @Test func framesArriveInAnySlices() {
        let frame = StoreStepTests.genuineFrame()
        #expect(frame.count > 20)
        for size in [1, 3, 1_000] {
            var replica = StoreStepTests.replica(.streams)
            var actions = Actions<Replica>()
            let stream = StreamID(opener: NodeID(1), number: 0)
            replica.step(.started, at: .zero, into: &actions)
            replica.step(.streamOpened(stream, peer: NodeID(1)), at: .zero, into: &actions)
            actions.removeAll()
            let twice = Array(frame + frame)
            var position = 0
            while position < twice.count {
                let end = min(twice.count, position + size)
                replica.step(
                    .readable(stream, twice[position..<end]),
                    at: .zero + .seconds(5),
                    into: &actions
                )
                position = end
            }
            let resets = actions.elements.count { if case .reset = $0 { true } else { false } }
            let granted = actions.elements.reduce(0) {
                if case .grant(_, let bytes) = $1 { $0 + bytes } else { $0 }
            }
            // Both requests are answered over one stream of our own.
            let opened = actions.elements.count {
                if case .openStream = $0 { true } else { false }
            }
            #expect(resets == 0 && granted == twice.count && opened == 1)
        }
    }

    @Test func brokenFramesResetTheStream() {
        let frame = Array(StoreStepTests.genuineFrame())
        var changed = frame
        changed[changed.count - 1] ^= 1
        let foreign: [UInt8] = Array("GET / HTTP/1.1\r\n\r\n".utf8)
        let oversized: [UInt8] = [0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0]
        for bytes in [changed, foreign, oversized] {
            var replica = StoreStepTests.replica(.streams)
            var actions = Actions<Replica>()
            let stream = StreamID(opener: NodeID(1), number: 0)
            replica.step(.streamOpened(stream, peer: NodeID(1)), at: .zero, into: &actions)
            replica.step(.readable(stream, bytes[...]), at: .zero, into: &actions)
            let resets = actions.elements.contains {
                if case .reset(stream) = $0 { true } else { false }
            }
            #expect(resets, "\(bytes)")
            // What follows on that stream finds nobody.
            actions.removeAll()
            replica.step(.readable(stream, frame[...]), at: .zero, into: &actions)
            #expect(actions.isEmpty)
        }
    }

    @Test func brokenStreamsAreReopenedAfterGrowingPauses() {
        var replica = StoreStepTests.replica(.streams)
        var actions = Actions<Replica>()
        replica.step(.started, at: .zero, into: &actions)
        var now = Instant.zero + .seconds(9)
        var pauses: [Interval] = []
        replica.step(.fired(.raft(.election)), at: now, into: &actions)
        for _ in 0..<4 {
            let streams = actions.elements.compactMap {
                if case .openStream(let stream, NodeID(1), _) = $0 { stream } else { nil }
            }
            actions.removeAll()
            guard let stream = streams.last else {
                // Opened anew with the next message.
                replica.step(.fired(.raft(.heartbeat)), at: now, into: &actions)
                continue
            }
            replica.step(.reset(stream, .refused), at: now, into: &actions)
            for action in actions.elements {
                if case .setTimer(.reopen, let time) = action {
                    pauses.append(time - now)
                    now = time
                }
            }
            replica.step(.fired(.reopen(NodeID(1))), at: now, into: &actions)
            replica.step(.fired(.raft(.heartbeat)), at: now, into: &actions)
        }
        #expect(pauses.count >= 2)
        for (left, right) in zip(pauses, pauses.dropFirst()) { #expect(right == left * 2) }
    }

    // MARK: The client

    static func client() -> StoreClient {
        StoreClient(
            Birth<StoreNode>(node: NodeID(9), incarnation: 0, recovered: [], seed: 1),
            configuration: StoreClientConfiguration(replicas: [NodeID(0), NodeID(1), NodeID(2)])
        )
    }

    static func questions(
        _ actions: Actions<StoreNode>
    ) -> [(attempt: UInt64, question: StoreQuestion, replica: NodeID)] {
        actions.elements.compactMap {
            if case .send(.request(let attempt, let question), let peer) = $0 {
                (attempt, question, peer)
            } else {
                nil
            }
        }
    }

    static func completions(_ actions: Actions<StoreNode>) -> [StoreEvent] {
        actions.elements.compactMap {
            if case .emit(let event) = $0, case .completed = event { event } else { nil }
        }
    }

    @Test func sessionComesFirstAndSequencesStay() throws {
        var client = StoreStepTests.client()
        var actions = Actions<StoreNode>()
        let put = StoreCommand.put(key: [1], value: [2])
        client.submit(put, as: 1, at: .zero, into: &actions)
        let first = StoreStepTests.questions(actions)
        #expect(first.map(\.question) == [.register])
        actions.removeAll()
        // Redirected: the same question, at the leader.
        client.received(
            .answer(attempt: first[0].attempt, .refused(.notLeader(NodeID(2)))),
            from: NodeID(0),
            at: .zero,
            into: &actions
        )
        client.fired(.client, at: .zero + .milliseconds(60), into: &actions)
        let second = StoreStepTests.questions(actions)
        #expect(second.map(\.question) == [.register] && second[0].replica == NodeID(2))
        actions.removeAll()
        client.received(
            .answer(attempt: second[0].attempt, .registered(session: 5)),
            from: NodeID(2),
            at: .zero + .milliseconds(60),
            into: &actions
        )
        let third = StoreStepTests.questions(actions)
        let update = StoreQuestion.update(session: 5, sequence: 1, answered: 0, put)
        #expect(third.map(\.question) == [update])
        actions.removeAll()
        // No answer: somebody else is asked, with the same sequence.
        client.fired(.client, at: .zero + .milliseconds(1_100), into: &actions)
        let fourth = StoreStepTests.questions(actions)
        #expect(fourth.map(\.question) == [update] && fourth[0].replica != NodeID(2))
        actions.removeAll()
        // A late answer to the first attempt will do.
        client.received(
            .answer(attempt: third[0].attempt, .result(.done)),
            from: NodeID(2),
            at: .zero + .milliseconds(1_200),
            into: &actions
        )
        #expect(
            StoreStepTests.completions(actions)
                == [.completed(operation: 1, .result(.done), attempts: 2)]
        )
        #expect(client.openOperations == 0)
    }

    @Test func deadlinesTellWhatIsKnown() {
        var client = StoreStepTests.client()
        var actions = Actions<StoreNode>()
        client.submit(.put(key: [1], value: [2]), as: 1, at: .zero, into: &actions)
        client.submit(.get(key: [1]), as: 2, at: .zero, into: &actions)
        client.fired(.client, at: .zero + .seconds(10), into: &actions)
        // The update was never sent, for want of a session.
        let ends = StoreStepTests.completions(actions)
        #expect(ends.contains(.completed(operation: 1, .failed, attempts: 0)))
        #expect(ends.contains { if case .completed(2, .failed, _) = $0 { true } else { false } })
    }

    @Test func lostSessionsEndOpenUpdates() {
        var client = StoreStepTests.client()
        var actions = Actions<StoreNode>()
        client.submit(.delete(key: [1]), as: 1, at: .zero, into: &actions)
        let first = StoreStepTests.questions(actions)[0].attempt
        actions.removeAll()
        client.received(
            .answer(attempt: first, .registered(session: 5)),
            from: NodeID(0),
            at: .zero,
            into: &actions
        )
        let second = StoreStepTests.questions(actions)[0].attempt
        actions.removeAll()
        client.received(
            .answer(attempt: second, .refused(.noSession)),
            from: NodeID(0),
            at: .zero,
            into: &actions
        )
        #expect(
            StoreStepTests.completions(actions)
                == [.completed(operation: 1, .unknown, attempts: 1)]
        )
        client.submit(.delete(key: [2]), as: 2, at: .zero, into: &actions)
        #expect(StoreStepTests.questions(actions).last?.question == .register)
    }

    @Test func whoTakesPartIsAskedOfTheLeader() throws {
        var client = StoreStepTests.client()
        var actions = Actions<StoreNode>()
        client.askMembers(as: 1, at: .zero, into: &actions)
        let first = StoreStepTests.questions(actions)
        #expect(first.map(\.question) == [.members])
        actions.removeAll()
        client.received(
            .answer(attempt: first[0].attempt, .refused(.notLeader(NodeID(2)))),
            from: first[0].replica,
            at: .zero,
            into: &actions
        )
        client.fired(.client, at: .zero + .milliseconds(60), into: &actions)
        let second = StoreStepTests.questions(actions)
        #expect(second.map(\.question) == [.members] && second[0].replica == NodeID(2))
        actions.removeAll()
        let membership = try Membership(voters: [NodeID(0), NodeID(2)], learners: [NodeID(1)])
        client.received(
            .answer(attempt: second[0].attempt, .members(membership)),
            from: NodeID(2),
            at: .zero + .milliseconds(70),
            into: &actions
        )
        #expect(
            StoreStepTests.completions(actions)
                == [.completed(operation: 1, .members(membership), attempts: 2)]
        )
        // Nobody but a leader answers it.
        var replica = StoreStepTests.replica(.datagrams)
        var answers = Actions<Replica>()
        replica.step(.started, at: .zero, into: &answers)
        replica.step(
            .received(.request(attempt: 5, .members), from: NodeID(9)),
            at: .zero,
            into: &answers
        )
        #expect(
            answers.elements.contains {
                if case .send(.answer(5, .refused(.notLeader(nil))), NodeID(9)) = $0 {
                    true
                } else {
                    false
                }
            }
        )
    }
}
