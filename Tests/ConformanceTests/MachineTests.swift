import Machines
import Testing
import Units

/// One contract, two worlds: each play runs in simulation and on sockets and must come to the same.
@Suite("Machine contract", .serialized)
struct MachineTests {
    typealias Story = [Entry<ProbeFact>]

    // Goal: the first thing a machine learns is its start, and datagrams cross in both directions
    // unchanged, also large ones. Method: one node sends numbered messages of growing sizes until
    // each has come back; the other returns what it gets.
    @Test(arguments: Arm.allCases)
    func datagrams(on arm: Arm) async throws {
        let count: UInt64 = 12
        @Sendable func message(_ number: UInt64) -> ProbeMessage {
            ProbeMessage(number: number, size: Int(number) * 2_500)
        }
        let play = Play<Probe> { birth in
            Probe(birth) { memory, input, now, actions in
                switch input {
                case .received(let message, let peer) where memory.node == NodeID(1):
                    actions.send(message, to: peer)
                    return
                case .received(let reply, _) where reply.number == UInt64(memory.counter):
                    memory.counter += 1
                case .started, .fired:
                    break
                default:
                    return
                }
                guard memory.node == NodeID(0), memory.counter < count else { return }
                // A datagram sent before its receiver has started is lost.
                actions.setTimer(0, at: now + .milliseconds(50))
                actions.send(message(UInt64(memory.counter)), to: NodeID(1))
            }
        } until: { story in
            story.last.map { $0.event == .received(message(count - 1), from: NodeID(1)) } ?? false
        }
        let story = try await play.run(on: arm)
        for node in [NodeID(0), NodeID(1)] {
            let first = story.first { $0.node == node }
            #expect(first?.event == .started(incarnation: 0, recovered: []))
        }
        for entry in story {
            guard case .received(let received, _) = entry.event else { continue }
            #expect(received == message(received.number))
        }
    }

    // Goal: timers fire once, in the order of their times and never early; setting one again moves
    // it; a cancelled one is silent; a timer can be set again when it fires. Method: five timers,
    // two of them moved, one cancelled.
    @Test(arguments: Arm.allCases)
    func timers(on arm: Arm) async throws {
        let play = Play<Probe>(nodes: 1) { birth in
            Probe(birth) { memory, input, now, actions in
                switch input {
                case .started:
                    actions.setTimer(1, at: now + .milliseconds(60))
                    actions.setTimer(2, at: now + .milliseconds(20))
                    actions.setTimer(3, at: now + .milliseconds(30))
                    actions.setTimer(4, at: now + .milliseconds(10))
                    actions.setTimer(1, at: now + .milliseconds(5))
                    actions.setTimer(4, at: now + .milliseconds(40))
                    actions.cancelTimer(3)
                    actions.cancelTimer(9)
                case .fired(4) where memory.counter < 2:
                    memory.counter += 1
                    actions.setTimer(4, at: now + .milliseconds(5))
                case .fired(4):
                    // A time that has passed is due at once.
                    actions.setTimer(5, at: .zero)
                default:
                    break
                }
            }
        } until: { story in
            story.contains { if case .fired(5, _) = $0.event { true } else { false } }
        }
        let story = try await play.run(on: arm)
        let start = try #require(story.first).time
        var fired: [UInt32] = []
        var times: [Instant] = []
        for entry in story {
            guard case .fired(let timer, let time) = entry.event else { continue }
            fired.append(timer)
            times.append(time)
        }
        #expect(fired == [1, 2, 4, 4, 4, 5])
        for (time, milliseconds) in zip(times, [5, 20, 40, 45, 50] as [Int64]) {
            #expect(time - start >= .milliseconds(milliseconds))
        }
        #expect(times == times.sorted())
    }

    // Goal: batches become durable in order; what was told to be durable survives a crash, what was
    // recovered is a beginning of what was written, and no completion crosses into the next life.
    // Method: a node writes batches without pause and dies after the third is durable.
    @Test(arguments: Arm.allCases)
    func durability(on arm: Arm) async throws {
        let play = Play<Probe>(
            nodes: 1,
            incidents: [
                .crash(0) { $0.contains { $0.event == .persisted(3) } },
                .restart(0) { _ in true },
            ]
        ) { birth in
            Probe(birth) { memory, input, now, actions in
                let base = UInt64(memory.incarnation) * 1_000_000
                switch input {
                case .started:
                    for number in 1...3 {
                        actions.persist(
                            [ProbeRecord(base + UInt64(number))],
                            id: WriteID(base + UInt64(number))
                        )
                    }
                    memory.counter = 3
                case .persisted:
                    memory.counter += 1
                    let number = base + UInt64(memory.counter)
                    actions.persist([ProbeRecord(number)], id: WriteID(number))
                default:
                    break
                }
            }
        } until: { story in
            story.contains { $0.event == .persisted(1_000_003) }
        }
        let story = try await play.run(on: arm)
        let lives = story.split { entry in
            if case .started(1, _) = entry.event { true } else { false }
        }
        #expect(lives.count == 2)
        func persisted(_ life: Story.SubSequence?) -> [UInt64] {
            (life ?? []).compactMap {
                if case .persisted(let id) = $0.event { id } else { nil }
            }
        }
        let before = persisted(lives.first)
        #expect(before == (1...UInt64(max(3, before.count))).map { $0 })
        #expect(persisted(lives.last).prefix(3) == [1_000_001, 1_000_002, 1_000_003])
        let recovered = story.compactMap { entry -> [UInt64]? in
            if case .started(1, let recovered) = entry.event { recovered } else { nil }
        }
        let records = try #require(recovered.first)
        #expect(records.count >= before.count)
        #expect(records == (1...UInt64(records.count)).map { $0 })
    }

    // Goal: a record that supersedes earlier ones is where the next life begins, also when the batch has
    // records before it; before it is durable the earlier ones count. Method: batches around two such
    // records, a crash, and a second life that adds one and dies, too.
    @Test(arguments: Arm.allCases)
    func compaction(on arm: Arm) async throws {
        let play = Play<Probe>(
            nodes: 1,
            incidents: [
                .crash(0) { $0.contains { $0.event == .persisted(4) } },
                .restart(0) { _ in true },
                .crash(0) { $0.contains { $0.event == .persisted(5) } },
                .restart(0) { _ in true },
            ]
        ) { birth in
            Probe(birth) { memory, input, now, actions in
                switch (input, memory.incarnation) {
                case (.started, 0):
                    actions.persist([ProbeRecord(1), ProbeRecord(2)], id: WriteID(1))
                    actions.persist([ProbeRecord(3, supersedesEarlier: true)], id: WriteID(2))
                    actions.persist(
                        [
                            ProbeRecord(4), ProbeRecord(5, supersedesEarlier: true),
                            ProbeRecord(6),
                        ],
                        id: WriteID(3)
                    )
                    actions.persist([ProbeRecord(7)], id: WriteID(4))
                case (.started, 1):
                    actions.persist([ProbeRecord(8)], id: WriteID(5))
                default:
                    break
                }
            }
        } until: { story in
            story.contains { if case .started(2, _) = $0.event { true } else { false } }
        }
        let recovered = try await play.run(on: arm).compactMap { entry -> [UInt64]? in
            if case .started(_, let recovered) = entry.event { recovered } else { nil }
        }
        #expect(recovered == [[], [5, 6, 7], [5, 6, 7, 8]])
    }

    // Goal: jobs answer under their own numbers with what they compute, and a job of an earlier life
    // never answers. Method: two jobs, then a long one during which the node dies; the next life
    // waits longer than the long job takes.
    @Test(arguments: Arm.allCases)
    func jobs(on arm: Arm) async throws {
        let small = ProbeJob(seed: 1, rounds: 100, megabytes: 1)
        let other = ProbeJob(seed: 2, rounds: 200, megabytes: 2)
        let long = ProbeJob(seed: 3, rounds: 100_000_000, megabytes: 80)
        let play = Play<Probe>(
            nodes: 1,
            incidents: [
                .crash(0) { $0.contains { $0.event == .note(1) } },
                .restart(0) { _ in true },
            ]
        ) { birth in
            Probe(birth) { memory, input, now, actions in
                switch input {
                case .started where memory.incarnation == 0:
                    actions.compute(small, id: JobID(7))
                    actions.compute(other, id: JobID(8))
                case .started:
                    actions.compute(small, id: JobID(9))
                    actions.setTimer(0, at: now + .milliseconds(120))
                case .computed where memory.incarnation == 0:
                    memory.counter += 1
                    guard memory.counter == 2 else { return }
                    actions.compute(long, id: JobID(10))
                    actions.emit(.note(1))
                default:
                    break
                }
            }
        } until: { story in
            let isLate = story.contains { if case .fired = $0.event { true } else { false } }
            return isLate && story.contains { $0.event == .computed(9, small.run()) }
        }
        let story = try await play.run(on: arm)
        // On sockets the node may die later than it should; the long job then answers in its own life.
        let computed = story.filter {
            if case .computed(let id, _) = $0.event { id != 10 } else { false }
        }
        #expect(
            computed.map(\.event) == [
                .computed(7, small.run()), .computed(8, other.run()), .computed(9, small.run()),
            ]
        )
        let secondLife = story.drop { $0.event != .started(incarnation: 1, recovered: []) }
        #expect(!secondLife.contains { $0.event == .computed(10, long.run()) })
    }

    // Goal: what a machine emits is observed in that order. Method: thousands of notes, many in one
    // step.
    @Test(arguments: Arm.allCases)
    func eventsInOrder(on arm: Arm) async throws {
        let play = Play<Probe>(nodes: 1) { birth in
            Probe(birth) { memory, input, now, actions in
                for _ in 0..<500 {
                    actions.emit(.note(memory.counter))
                    memory.counter += 1
                }
                if memory.counter < 5_000 {
                    actions.setTimer(0, at: now + .microseconds(100))
                }
            }
        } until: { story in
            story.last?.event == .note(4_999)
        }
        let notes = try await play.run(on: arm).compactMap { entry -> UInt32? in
            if case .note(let number) = entry.event { number } else { nil }
        }
        #expect(notes == Array(0..<5_000))
    }
}
