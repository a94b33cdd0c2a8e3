import Machines
import SocketEnvironment
import Testing
import Units

/// Goal: nodes that part themselves, for want of a network that can be parted, lose messages and delay
/// streams and nothing else: afterwards every byte of a stream comes, once and in order, and streams that
/// were opened meanwhile open.
/// Method: two probes; one writes to a stream and sends messages by a timer, and is parted for a while,
/// counted in its own timers.
@Suite("Parting", .serialized) struct PartingTests {
    private typealias Story = [Entry<ProbeFact>]
    private static let early = StreamID(opener: NodeID(0), number: 1)
    private static let late = StreamID(opener: NodeID(0), number: 2)
    /// Timers of 5 ms at which the partition is asked for, has long begun, and ends.
    private static let asked = 20
    private static let settled = 60
    private static let ended = 120
    private static let step = 2_000

    private static func ticks(_ story: Story) -> Int {
        story.count { entry in
            if case .fired = entry.event { entry.node == NodeID(0) } else { false }
        }
    }

    /// Node 0 talks; node 1 grants what it reads.
    private static func play(_ parting: [Parting]) -> Play<Probe> {
        var play = Play<Probe> { birth in
            Probe(birth) { memory, input, now, actions in
                switch input {
                case .started where memory.node == NodeID(0):
                    actions.openStream(early, to: NodeID(1))
                    actions.setTimer(0, at: now + .milliseconds(5))
                case .fired:
                    memory.counter += 1
                    let number = memory.counter
                    actions.send(ProbeMessage(number: UInt64(number), size: 10), to: NodeID(1))
                    memory.write(
                        early,
                        upTo: Int(number) * step,
                        finishes: false,
                        into: &actions
                    )
                    if Int(number) == settled { actions.openStream(late, to: NodeID(1)) }
                    if number < 200 { actions.setTimer(0, at: now + .milliseconds(5)) }
                case .writable(late, _):
                    memory.write(late, upTo: 100, into: &actions)
                case .writable(early, _) where memory.counter == 200:
                    memory.write(early, upTo: 200 * step, into: &actions)
                case .readable(let stream, let bytes):
                    actions.grant(stream, bytes: bytes.count)
                case .finished(let stream) where memory.node == NodeID(1):
                    actions.finish(stream)
                default: break
                }
            }
        } until: { story in
            story.contains { $0.node == NodeID(1) && $0.event == .finished(late, total: 100) }
                && story.contains {
                    if case .readable(early, 200 * step, _) = $0.event { true } else { false }
                }
        }
        play.incidents = parting.enumerated().map { node, parting in
            Incident(change: .part(NodeID(UInt32(node)), parting)) { ticks($0) >= asked }
        }
        play.incidents += parting.indices.map { node in
            Incident(change: .part(NodeID(UInt32(node)), Parting())) { ticks($0) >= ended }
        }
        return play
    }

    /// What node 1 learned between two of node 0's timers.
    private static func heard(_ story: Story, from first: Int, to last: Int) -> [ProbeFact] {
        var facts: [ProbeFact] = []
        var count = 0
        for entry in story {
            if case .fired = entry.event { count += 1 }
            if entry.node == NodeID(1), count >= first, count < last { facts.append(entry.event) }
        }
        return facts
    }

    @Test(arguments: [Arm.sockets, .tls], [true, false])
    func messagesAreLostAndStreamsAreLate(on arm: Arm, bothAreTold: Bool) async throws {
        let play = PartingTests.play(
            [Parting(unreached: [1])] + (bothAreTold ? [Parting(unheard: [0])] : [])
        )
        let story = try await play.run(on: arm)
        let during = PartingTests.heard(
            story,
            from: PartingTests.settled,
            to: PartingTests.ended
        )
        #expect(during.isEmpty, "\(during.prefix(3))")
        let messages = story.count { entry in
            if case .received = entry.event { true } else { false }
        }
        let most = 200 - (PartingTests.ended - PartingTests.settled)
        #expect(messages > 0 && messages <= most)
        for entry in story {
            if case .readable(_, _, let isRight) = entry.event { #expect(isRight) }
            #expect(!entry.event.isReset)
        }
        #expect(StreamTests.facts(story, of: 1, PartingTests.early).count { $0.isOpened } == 1)
    }
}
