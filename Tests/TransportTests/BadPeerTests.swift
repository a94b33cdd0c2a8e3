import Determinism
import Machines
import StreamWorld
import Testing
import Transport
import Units

private let session = TransportTheatre.session

private func frame(
    _ kind: FrameHeader.Kind,
    number: UInt64 = 0,
    value: UInt64 = 0,
    payload: [UInt8] = [],
    version: UInt16 = FrameHeader.version
) -> Bytes {
    var header = FrameHeader(kind, session: session, number: number, value: value)
    header.version = version
    header.seal(Payload(payload))
    return header.bytes + payload
}

/// A receiver and what it wants done.
private struct Receiving {
    var receiver: BulkReceiver
    var now = Instant.zero
    var resets = 0
    var delivered: [UInt64] = []
    var lost: [TransportError] = []
    var written: [Bytes] = []

    init(_ configuration: TransportConfiguration) {
        receiver = BulkReceiver(session: session, epoch: 0, configuration: configuration)
    }

    mutating func step(_ input: Input<BulkReceiver>) {
        var actions = Actions<BulkReceiver>()
        receiver.step(input, at: now, into: &actions)
        receiver.checkInvariants()
        for action in actions.elements {
            switch action {
            case .reset: resets += 1
            case .emit(.delivered(let number, _)): delivered.append(number)
            case .emit(.streamLost(_, let error)): lost.append(error)
            case .write(_, let bytes): written.append(bytes)
            default: break
            }
        }
    }

    mutating func open(_ ordinal: Int, greeting: Bool) {
        step(.streamOpened(session.stream(ordinal), peer: NodeID(0)))
        step(.writable(session.stream(ordinal), credit: 100_000))
        if greeting { step(.readable(session.stream(ordinal), frame(.hello, value: 4_096))) }
    }
}

// Goal: peers that are foreign, broken, silent or malicious cost what is bounded, for a time that is
// bounded, and a transfer is completed or fails with an error that says why.
// Method: one end alone against what such a peer does, or both ends in a world that does it; the
// invariants, which hold the bounds, are checked after every step.
@Suite struct BadPeerTests {
    @Test func reorderedChunksAreDeliveredInOrder() {
        var end = Receiving(smallConfiguration(window: 65_536))
        end.open(0, greeting: true)
        var order = (0..<20).map { UInt64($0) }
        var random = SeededRandom(stateFrom: 9)
        for index in order.indices {
            order.swapAt(index, Int(random.below(UInt64(order.count))))
        }
        for number in order {
            let bytes = frame(.chunk, number: number, value: number * 257, payload: [7])
            end.step(.readable(session.stream(0), bytes))
        }
        #expect(end.delivered == Array(0..<20))
    }

    // A whole stream is recorded and played again on another one.
    @Test func replayedFramesAreAcknowledgedAndDropped() {
        var end = Receiving(smallConfiguration(window: 65_536))
        for ordinal in 0..<3 {
            end.open(ordinal, greeting: true)
            for number in 0..<10 as Range<UInt64> {
                let bytes = frame(.chunk, number: number, value: number * 257, payload: [7])
                end.step(.readable(session.stream(ordinal), bytes))
            }
        }
        #expect(end.delivered == Array(0..<10))
        #expect(end.receiver.statistics.repeatedChunks == 20)
        #expect(end.receiver.statistics.payloadBytes == 10)
    }

    @Test func oversizedFramesCostTheStream() throws {
        var end = Receiving(smallConfiguration())
        end.open(0, greeting: true)
        var bytes = [UInt8](frame(.chunk, payload: [1]))
        bytes.replaceSubrange(4..<8, with: [1, 0, 16, 0])
        end.step(.readable(session.stream(0), bytes[...]))
        #expect(end.lost == [.tooLarge(length: (1 << 20) + 1, limit: 1 << 20)])
        #expect(end.resets == 1)
    }

    // An older sender is told so in a frame that it can read, and is not reset before it has.
    @Test func anotherVersionIsRefusedInItsOwnWords() throws {
        var end = Receiving(smallConfiguration())
        end.open(0, greeting: false)
        end.step(.readable(session.stream(0), frame(.hello, value: 4_096, version: 1)))
        #expect(end.resets == 0)
        let answer = try #require(end.written.last)
        #expect([UInt8](answer.dropFirst(2).prefix(2)) == [1, 0])
        #expect(answer.first == FrameHeader.Kind.refusal.rawValue)
        // Whatever it says until it knows is dropped.
        end.step(.readable(session.stream(0), [1, 2, 3]))
        #expect(end.lost.isEmpty)
        end.now = .zero + .seconds(20)
        end.step(.fired(.sweep))
        #expect(end.lost == [.silent])
    }

    @Test func aThousandSilentConnectionsAreBoundedAndGo() {
        var end = Receiving(smallConfiguration())
        for ordinal in 0..<1_000 { end.open(ordinal, greeting: false) }
        #expect(end.lost == Array(repeating: .tooManyStreams, count: 488))
        #expect(end.receiver.reassemblyBytes == 0)
        end.now = .zero + .seconds(10)
        end.step(.fired(.sweep))
        #expect(end.resets == 1_000)
        #expect(end.lost.suffix(512).allSatisfy { $0 == .silent })
        // Whoever speaks is served as ever.
        end.open(1_001, greeting: true)
        end.step(.readable(session.stream(1_001), frame(.chunk, payload: [7])))
        #expect(end.delivered == [0])
    }

    // Long frames are begun on many streams and none is ended.
    @Test func unfinishedFramesAreBoundedTogether() {
        let configuration = smallConfiguration(window: 65_536)
        var end = Receiving(configuration)
        var header = FrameHeader(.chunk, session: session)
        header.seal(Payload([UInt8](repeating: 1, count: 1 << 20)))
        let half = header.bytes + [UInt8](repeating: 1, count: 500_000)
        for ordinal in 0..<100 {
            end.open(ordinal, greeting: true)
            end.step(.readable(session.stream(ordinal), half))
            #expect(end.receiver.reassemblyBytes <= 65_536 + FrameHeader.payloadLimit)
        }
        #expect(end.lost.allSatisfy { $0 == .windowExceeded })
        #expect(end.lost.count == 98)
    }

    /// A sender whose streams are open and whose peer never says anything.
    private func unanswered(_ configuration: TransportConfiguration) -> (TransportError?, Instant) {
        var sender = BulkSender(session: session, peer: NodeID(1), configuration: configuration)
        var now = Instant.zero
        var timers: [BulkSender.Timer: Instant] = [:]
        var inputs: [Input<BulkSender>] = [.started]
        for ordinal in 0..<configuration.streams {
            inputs.append(.streamOpened(session.stream(ordinal), peer: NodeID(1)))
            inputs.append(.writable(session.stream(ordinal), credit: 100_000))
        }
        inputs.append(.requested(.enqueue(Payload([1, 2, 3]))))
        var failure: TransportError?
        for _ in 0..<100_000 {
            var actions = Actions<BulkSender>()
            if inputs.isEmpty {
                guard
                    let next = timers.min(by: { ($0.value, "\($0.key)") < ($1.value, "\($1.key)") })
                else { break }
                timers[next.key] = nil
                now = max(now, next.value)
                inputs = [.fired(next.key)]
            }
            sender.step(inputs.removeFirst(), at: now, into: &actions)
            sender.checkInvariants()
            for action in actions.elements {
                switch action {
                case .setTimer(let timer, let time): timers[timer] = time
                case .cancelTimer(let timer): timers[timer] = nil
                case .emit(.failed(let error)): failure = error
                default: break
                }
            }
        }
        return (failure, now)
    }

    @Test func aHalfOpenPeerIsNoticed() {
        var configuration = smallConfiguration(streams: 2)
        configuration.progressLimit = .seconds(30)
        let (failure, time) = unanswered(configuration)
        #expect(failure == .noProgress)
        #expect(time <= .zero + .seconds(31))
    }

    @Test func aDeadlineIsKept() {
        var configuration = smallConfiguration(streams: 2)
        configuration.deadline = .seconds(7)
        let (failure, time) = unanswered(configuration)
        #expect(failure == .deadlineExceeded)
        #expect(time == .zero + .seconds(7))
    }

    // MARK: In a world

    private typealias World = StreamWorld<BulkTransfer<TestContent>>

    private func world(
        _ conditions: WorldConditions,
        chunks: UInt64,
        _ configuration: TransportConfiguration
    ) -> World {
        var world = World(nodes: 2, seed: 11, conditions: conditions)
        let plan = BulkPlan(
            source: NodeID(0),
            destination: NodeID(1),
            configuration: configuration,
            amount: .chunks(chunks)
        )
        for node in [NodeID(0), NodeID(1)] {
            let birth = Birth<BulkTransfer<TestContent>>(
                node: node,
                incarnation: 0,
                recovered: [],
                seed: 11
            )
            world.start(node, BulkTransfer(birth, plan: plan, content: TestContent(seed: 7)))
        }
        return world
    }

    private func failures(_ world: World) -> [TransportError] {
        world.events.compactMap { event in
            if case .failed(let error) = event.event { error } else { nil }
        }
    }

    private func isComplete(_ world: World) -> Bool {
        let completed = world.events.filter { event in
            if case .completed = event.event { true } else { false }
        }
        return completed.count == 2
    }

    // Handshakes and small frames pass, chunks do not: typical of tunnels that drop what is too
    // long for them.
    @Test func aBlackHoleForLargePacketsIsATypedFailure() {
        var conditions = WorldConditions()
        conditions.blackHole = 500
        var configuration = smallConfiguration()
        configuration.progressLimit = .seconds(20)
        var world = world(conditions, chunks: 50, configuration)
        let isQuiet = world.run(until: .zero + .seconds(300))
        #expect(isQuiet)
        #expect(failures(world).first == .noProgress)
        #expect(
            world.events.first { $0.node == NodeID(0) && $0.at > .zero }.map {
                $0.at <= .zero + .seconds(25)
            } == true
        )
    }

    @Test(arguments: [-3_600, -30, -3, 3, 30, 3_600])
    func clockJumpsAreNoSilence(seconds: Int64) {
        var conditions = WorldConditions()
        conditions.rate = .megabits(8)
        var world = world(conditions, chunks: 400, smallConfiguration())
        for step in 1...4 as ClosedRange<Int64> {
            world.run(until: .zero + .milliseconds(300 * step))
            world.moveClock(of: NodeID(UInt32(step % 2)), by: .seconds(seconds))
        }
        let isQuiet = world.run(until: .zero + .seconds(600))
        #expect(isQuiet)
        #expect(failures(world) == [])
        #expect(isComplete(world))
    }
}
