import Machines
import Testing
import Units

@Suite("Stream contract", .serialized)
struct StreamTests {
    typealias Story = [Entry<ProbeFact>]
    static let stream = StreamID(opener: NodeID(0), number: 3)

    /// Facts about the stream on one side.
    static func facts(_ story: Story, of node: UInt32, _ stream: StreamID = stream) -> [ProbeFact] {
        story.compactMap { entry in
            entry.node == NodeID(node) && entry.event.stream == stream ? entry.event : nil
        }
    }

    static func finishedOnBothSides(_ story: Story) -> Bool {
        story.last?.event.isFinished == true && story.count { $0.event.isFinished } == 2
    }

    /// Opened first, every byte right, finished after the last, nothing later, no reset.
    static func expectWhole(_ facts: [ProbeFact], total: Int) {
        #expect(facts.first?.isOpened == true)
        #expect(facts.count { $0.isOpened } == 1)
        #expect(!facts.contains { $0.isReset })
        for fact in facts {
            if case .readable(_, _, let isRight) = fact { #expect(isRight) }
        }
        #expect(facts.last { $0.isFinished } == .finished(stream, total: total))
        let afterEnd = facts.drop { !$0.isFinished }.dropFirst()
        #expect(
            !afterEnd.contains {
                if case .readable = $0 { true } else { $0.isFinished }
            }
        )
    }

    // Goal: several MiB in both directions at once arrive bit for bit, in order, with writes of any
    // size up to the whole credit, and both sides hear of the other's end after the last byte.
    // Method: both sides write seeded noise and grant what they read.
    @Test(arguments: Arm.allCases)
    func transferBothWays(on arm: Arm) async throws {
        let totals = [5 << 20, 3 << 20]
        let play = Play<Probe> { birth in
            Probe(birth) { memory, input, now, actions in
                switch input {
                case .started where memory.node == NodeID(0):
                    actions.openStream(StreamTests.stream, to: NodeID(1))
                case .writable(let stream, _):
                    let total = totals[Int(memory.node.rawValue)]
                    memory.write(stream, upTo: total, into: &actions)
                case .readable(let stream, let bytes):
                    actions.grant(stream, bytes: bytes.count)
                default:
                    break
                }
            }
        } until: {
            StreamTests.finishedOnBothSides($0)
        }
        let story = try await play.run(on: arm)
        StreamTests.expectWhole(StreamTests.facts(story, of: 0), total: totals[1])
        StreamTests.expectWhole(StreamTests.facts(story, of: 1), total: totals[0])
    }

    // Goal: receive credit stops the peer, a grant lets it go on. Method: the receiver grants nothing
    // for a while, then a little, then enough; the sender always has more.
    @Test(arguments: Arm.allCases)
    func receiveCredit(on arm: Arm) async throws {
        let total = 4 << 20
        let credit = 100_000
        let play = Play<Probe> { birth in
            Probe(birth) { memory, input, now, actions in
                switch input {
                case .started where memory.node == NodeID(0):
                    let options = StreamOptions(receiveCredit: credit)
                    actions.openStream(StreamTests.stream, to: NodeID(1), options)
                case .writable(let stream, _) where memory.node == NodeID(0):
                    memory.write(stream, upTo: total, into: &actions)
                case .finished(let stream) where memory.node == NodeID(1):
                    actions.finish(stream)
                case .readable(let stream, _) where memory.read[stream] == credit:
                    actions.setTimer(1, at: now + .milliseconds(60))
                case .fired(1):
                    actions.emit(.note(1))
                    actions.grant(StreamTests.stream, bytes: 50_000)
                    actions.setTimer(2, at: now + .milliseconds(60))
                case .fired(2):
                    actions.emit(.note(2))
                    actions.grant(StreamTests.stream, bytes: total)
                default:
                    break
                }
            }
        } until: {
            StreamTests.finishedOnBothSides($0)
        }
        let story = try await play.run(on: arm)
        StreamTests.expectWhole(StreamTests.facts(story, of: 1), total: total)
        func read(before note: UInt32) -> Int? {
            story.prefix { $0.event != .note(note) }.compactMap { entry in
                if case .readable(_, let total, _) = entry.event { total } else { nil }
            }.last
        }
        #expect(read(before: 1) == credit)
        #expect(read(before: 2) == credit + 50_000)
    }

    // Goal: a side that has finished still receives all of the other's bytes and its end, however
    // slowly it takes them. Method: the opener says ten bytes and finishes; the answer is much more
    // than its credit, which it renews a little at a time.
    @Test(arguments: Arm.allCases)
    func answerAfterFinish(on arm: Arm) async throws {
        let answer = 300_000
        let play = Play<Probe> { birth in
            Probe(birth) { memory, input, now, actions in
                let isOpener = memory.node == NodeID(0)
                switch input {
                case .started where isOpener:
                    let options = StreamOptions(receiveCredit: 2_000)
                    actions.openStream(StreamTests.stream, to: NodeID(1), options)
                case .writable(let stream, _) where isOpener:
                    memory.write(stream, upTo: 10, into: &actions)
                case .readable(let stream, let bytes) where isOpener:
                    actions.grant(stream, bytes: bytes.count)
                case .finished:
                    memory.counter = 1
                    guard !isOpener else { return }
                    memory.write(StreamTests.stream, upTo: answer, into: &actions)
                case .writable(let stream, _) where memory.counter == 1:
                    memory.write(stream, upTo: answer, into: &actions)
                default:
                    break
                }
            }
        } until: {
            StreamTests.finishedOnBothSides($0)
        }
        let story = try await play.run(on: arm)
        StreamTests.expectWhole(StreamTests.facts(story, of: 1), total: 10)
        StreamTests.expectWhole(StreamTests.facts(story, of: 0), total: answer)
    }

    // Goal: a reset by one machine is told to the other, and to it alone. Method: the acceptor resets
    // at the first bytes; both go on for a while.
    @Test(arguments: Arm.allCases)
    func resetByPeer(on arm: Arm) async throws {
        let play = Play<Probe> { birth in
            Probe(birth) { memory, input, now, actions in
                switch input {
                case .started where memory.node == NodeID(0):
                    actions.openStream(StreamTests.stream, to: NodeID(1))
                case .writable(let stream, _) where memory.node == NodeID(0):
                    memory.write(stream, upTo: 1 << 20, finishes: false, into: &actions)
                case .readable(let stream, _) where memory.counter == 0:
                    memory.counter = 1
                    actions.reset(stream)
                    actions.emit(.note(0))
                case .reset:
                    actions.setTimer(0, at: now + .milliseconds(30))
                default:
                    break
                }
            }
        } until: { story in
            if case .fired? = story.last?.event { true } else { false }
        }
        let story = try await play.run(on: arm)
        #expect(StreamTests.facts(story, of: 0).last == .reset(StreamTests.stream, .byPeer))
        #expect(!StreamTests.facts(story, of: 1).contains { $0.isReset })
        let later = story.drop { $0.event != .note(0) }
        #expect(StreamTests.facts(Array(later), of: 1).isEmpty)
    }

    // Goal: opening to a dead process is refused. Method: a node dies; the other opens one stream
    // after the other until one is refused before it was open.
    @Test(arguments: Arm.allCases)
    func deadPeerRefuses(on arm: Arm) async throws {
        let play = Play<Probe>(
            incidents: [.crash(1) { $0.contains { $0.event.isOpened && $0.node == NodeID(0) } }]
        ) { birth in
            Probe(birth) { memory, input, now, actions in
                guard memory.node == NodeID(0) else { return }
                switch input {
                case .started, .fired:
                    memory.counter += 1
                    let stream = StreamID(opener: NodeID(0), number: memory.counter)
                    actions.openStream(stream, to: NodeID(1))
                    actions.setTimer(0, at: now + .milliseconds(40))
                default:
                    break
                }
            }
        } until: { story in
            guard case .reset(let stream, .refused)? = story.last?.event else { return false }
            return !story.contains { $0.event.isOpened && $0.event.stream == stream }
        }
        _ = try await play.run(on: arm)
    }

    // Goal: peers of a process that dies see a reset, whether they were reading or writing, and can
    // talk to its next life. Method: one stream each way; the acceptor dies while both stand open;
    // then a new stream carries bytes.
    @Test(arguments: Arm.allCases)
    func crashResetsStreams(on arm: Arm) async throws {
        let reading = StreamID(opener: NodeID(0), number: 1)
        let writing = StreamID(opener: NodeID(0), number: 2)
        let play = Play<Probe>(
            incidents: [
                .crash(1) { story in
                    [reading, writing].allSatisfy { stream in
                        story.contains {
                            guard case .readable(stream, _, _) = $0.event else { return false }
                            return true
                        }
                    }
                },
                .restart(1) { $0.count { $0.event.isReset } >= 2 },
            ]
        ) { birth in
            Probe(birth) { memory, input, now, actions in
                let isOpener = memory.node == NodeID(0)
                switch input {
                case .started where isOpener:
                    actions.openStream(reading, to: NodeID(1))
                    actions.openStream(writing, to: NodeID(1))
                case .writable(let stream, _):
                    let speaks = isOpener ? stream != reading : stream == reading
                    guard speaks else { return }
                    memory.write(stream, upTo: 1_000, finishes: false, into: &actions)
                case .reset where isOpener:
                    actions.setTimer(0, at: now + .milliseconds(20))
                case .fired:
                    memory.counter += 1
                    let stream = StreamID(opener: NodeID(0), number: 10 + memory.counter)
                    actions.openStream(stream, to: NodeID(1))
                default:
                    break
                }
            }
        } until: { story in
            guard case .readable(let stream, 1_000, true)? = story.last?.event else { return false }
            return stream.number > 10
        }
        let story = try await play.run(on: arm)
        #expect(StreamTests.facts(story, of: 0, reading).last?.isReset == true)
        #expect(StreamTests.facts(story, of: 0, writing).last?.isReset == true)
    }

    // Goal: an opener that begins a new life may use a stream's name again; the acceptor hears that
    // the old one is gone before it hears of the new one. Method: the opener dies and comes back.
    @Test(arguments: Arm.allCases)
    func nameUsedAgain(on arm: Arm) async throws {
        let play = Play<Probe>(
            incidents: [
                .crash(0) { $0.contains { if case .readable = $0.event { true } else { false } } },
                .restart(0) { _ in true },
            ]
        ) { birth in
            Probe(birth) { memory, input, now, actions in
                guard memory.node == NodeID(0) else { return }
                switch input {
                case .started: actions.openStream(StreamTests.stream, to: NodeID(1))
                case .writable(let stream, _):
                    memory.write(stream, upTo: 500, finishes: false, into: &actions)
                default: break
                }
            }
        } until: { story in
            story.count { $0.node == NodeID(1) && $0.event.isOpened } == 2
        }
        let facts = StreamTests.facts(try await play.run(on: arm), of: 1)
        #expect(facts.map { $0.isOpened || $0.isReset }.count { $0 } == 3)
        let second = facts.lastIndex { $0.isOpened } ?? 0
        #expect(facts[..<second].last?.isReset == true)
    }

    // Goal: a sender hears of its path while data are acknowledged, with sensible figures. Method: a
    // long transfer.
    @Test(arguments: Arm.allCases)
    func pathSamples(on arm: Arm) async throws {
        let play = Play<Probe> { birth in
            Probe(birth) { memory, input, now, actions in
                switch input {
                case .started where memory.node == NodeID(0):
                    let options = StreamOptions(receiveCredit: 64 << 10)
                    actions.openStream(StreamTests.stream, to: NodeID(1), options)
                case .writable(let stream, _) where memory.node == NodeID(0):
                    memory.write(stream, upTo: 6 << 20, into: &actions)
                case .readable(let stream, let bytes):
                    memory.counter += UInt32(bytes.count)
                    actions.setTimer(0, at: now + .milliseconds(2))
                    memory.credit[stream] = 0
                case .fired:
                    actions.grant(StreamTests.stream, bytes: Int(memory.counter))
                    memory.counter = 0
                default:
                    break
                }
            }
        } until: { story in
            if case .path? = story.last?.event { true } else { false }
        }
        guard case .path(_, let sample)? = try await play.run(on: arm).last?.event else { return }
        #expect(sample.rtt > .zero && sample.rtt < .seconds(2))
        #expect(sample.deliveryRate.bitsPerSecond > 0)
        #expect(sample.loss.value >= 0 && sample.loss.value <= 1)
        #expect(sample.inFlight >= .zero)
    }
}
