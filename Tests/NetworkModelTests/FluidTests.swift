import Determinism
import LinkModel
import Machines
import NetworkModel
import SimulationKernel
import Testing
import Units

/// Goal: links whose connections are fluids give the goodput that packets give, a hundred times
/// cheaper, and keep the contract of streams.
/// Method: thirty links are run in both modes from the same seeds; small worlds in which streams
/// are opened, finished, reset, cut off and healed.
struct FluidTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var rate: Int64
        var roundTrip: Int64
        var loss: Double
        var streams: Int
        /// In bandwidth-delay products.
        var queue: Double
        var control = CongestionControl.cubic
        var seeds: UInt64 = 1
        var seconds: Int64 = 20

        var testDescription: String {
            "\(rate) Mbit/s, \(roundTrip) ms, loss \(loss), \(streams) \(control), queue \(queue)"
        }

        func link(_ fidelity: LinkParameters.Fidelity) -> LinkParameters {
            let product = Double(rate) * 1e6 / 8 * Double(roundTrip) / 1000
            return LinkParameters(
                rate: .megabits(rate),
                propagation: .milliseconds(roundTrip) / 2,
                loss: loss > 0 ? .bernoulli(Ratio(loss)) : .none,
                queueLimit: ByteCount(Int64(product * queue)),
                fidelity: fidelity
            )
        }

        /// Mbit/s delivered after 5 s.
        func goodput(_ fidelity: LinkParameters.Fidelity) -> Double {
            var sum = 0.0
            for seed in 1...seeds {
                var world = BulkWorld(.pair(link(fidelity)), seed: seed)
                for _ in 0..<streams {
                    _ = world.open(
                        0,
                        2,
                        options: StreamOptions(
                            congestionControl: control,
                            receiveCredit: 64 << 20
                        )
                    )
                }
                world.run(until: .zero + .seconds(5))
                let before = world.received.reduce(0, +)
                world.run(until: .zero + .seconds(5 + seconds))
                #expect(world.mismatches == 0)
                _ = world.network.counters(Topology.forth, at: world.now)
                sum += Double(world.received.reduce(0, +) - before) * 8 / Double(seconds) / 1e6
            }
            return sum / Double(seeds)
        }
    }

    /// Without loss one seed is all there is; with loss as many as make the packets' mean a
    /// statement.
    static let cases: [Case] = [
        Case(rate: 100, roundTrip: 80, loss: 0, streams: 1, queue: 1),
        Case(rate: 100, roundTrip: 80, loss: 0, streams: 8, queue: 1),
        Case(rate: 100, roundTrip: 80, loss: 0, streams: 32, queue: 1),
        Case(rate: 100, roundTrip: 80, loss: 0, streams: 4, queue: 0.25),
        Case(rate: 100, roundTrip: 20, loss: 0, streams: 2, queue: 1),
        Case(rate: 100, roundTrip: 200, loss: 0, streams: 4, queue: 1),
        Case(rate: 300, roundTrip: 40, loss: 0, streams: 1, queue: 0.5),
        Case(rate: 300, roundTrip: 150, loss: 0, streams: 16, queue: 1),
        Case(rate: 1000, roundTrip: 10, loss: 0, streams: 8, queue: 1, seconds: 5),
        Case(rate: 300, roundTrip: 80, loss: 0, streams: 8, queue: 2, seconds: 10),
        Case(rate: 100, roundTrip: 80, loss: 0.001, streams: 1, queue: 1, seeds: 40, seconds: 60),
        Case(rate: 100, roundTrip: 80, loss: 0.001, streams: 4, queue: 1, seeds: 10, seconds: 60),
        Case(rate: 100, roundTrip: 80, loss: 0.001, streams: 8, queue: 1, seeds: 8, seconds: 40),
        Case(rate: 100, roundTrip: 80, loss: 0.001, streams: 32, queue: 1, seeds: 2),
        Case(rate: 100, roundTrip: 80, loss: 0.01, streams: 1, queue: 1, seeds: 40, seconds: 60),
        Case(rate: 100, roundTrip: 80, loss: 0.01, streams: 8, queue: 1, seeds: 10, seconds: 30),
        Case(rate: 100, roundTrip: 80, loss: 0.01, streams: 32, queue: 1, seeds: 4),
        Case(rate: 100, roundTrip: 80, loss: 0.01, streams: 64, queue: 1, seeds: 2),
        Case(rate: 300, roundTrip: 40, loss: 0.0001, streams: 1, queue: 1, seeds: 12, seconds: 60),
        Case(rate: 300, roundTrip: 40, loss: 0.0001, streams: 4, queue: 1, seeds: 12, seconds: 60),
        Case(rate: 300, roundTrip: 40, loss: 0.001, streams: 16, queue: 1, seeds: 4),
        Case(rate: 1000, roundTrip: 40, loss: 0.0001, streams: 16, queue: 1, seeds: 3),
        Case(rate: 300, roundTrip: 150, loss: 0.0001, streams: 8, queue: 1, seeds: 4, seconds: 60),
        Case(rate: 100, roundTrip: 20, loss: 0.001, streams: 2, queue: 1, seeds: 10, seconds: 30),
        Case(rate: 100, roundTrip: 20, loss: 0.01, streams: 4, queue: 1, seeds: 10, seconds: 30),
        Case(rate: 100, roundTrip: 80, loss: 0, streams: 1, queue: 1, control: .newReno),
        Case(rate: 100, roundTrip: 80, loss: 0, streams: 8, queue: 0.5, control: .newReno),
        Case(
            rate: 100,
            roundTrip: 80,
            loss: 0.001,
            streams: 8,
            queue: 1,
            control: .newReno,
            seeds: 8,
            seconds: 40
        ),
        Case(
            rate: 100,
            roundTrip: 80,
            loss: 0.005,
            streams: 8,
            queue: 1,
            control: .newReno,
            seeds: 10,
            seconds: 30
        ),
        Case(
            rate: 300,
            roundTrip: 40,
            loss: 0.0001,
            streams: 8,
            queue: 1,
            control: .newReno,
            seeds: 4,
            seconds: 30
        ),
    ]

    @Test(arguments: cases) func goodputIsThatOfPackets(_ example: Case) {
        let packets = example.goodput(.packet)
        let fluid = example.goodput(.fluid)
        let deviation = abs(fluid / packets - 1)
        #expect(deviation <= 0.05, "packets \(packets) Mbit/s, fluid \(fluid) Mbit/s")
    }

    /// Streams of one kind get equal shares, and a window-limited one no more than it asks for.
    @Test func sharesAreMaxMinFair() {
        let example = Case(rate: 300, roundTrip: 40, loss: 0, streams: 0, queue: 1)
        var world = BulkWorld(.pair(example.link(.fluid)), seed: 1)
        // 125,000 bytes in 40 ms at the least: 25 Mbit/s at the most.
        _ = world.open(0, 2, options: StreamOptions(receiveCredit: 125_000))
        for _ in 0..<3 { _ = world.open(0, 2) }
        world.run(until: .zero + .seconds(20))
        let before = world.received
        world.run(until: .zero + .seconds(80))
        let rates = world.received.indices.map {
            Double(world.received[$0] - before[$0]) * 8 / 60 / 1e6
        }
        #expect(rates[0] <= 25)
        let share = (286.9 - rates[0]) / 3
        for rate in rates[1...] {
            let deviation = abs(rate / share - 1)
            #expect(deviation < 0.1, "\(rates)")
        }
    }

    private func small(_ loss: Double = 0, seed: UInt64 = 1) -> BulkWorld {
        let example = Case(rate: 100, roundTrip: 40, loss: loss, streams: 1, queue: 1)
        return BulkWorld(.pair(example.link(.fluid)), seed: seed)
    }

    /// Every byte arrives once and in order, whatever is lost; both sides finish.
    @Test(arguments: [0, 0.01, 0.2]) func streamsAreCompleteAndOrdered(loss: Double) {
        for seed in 1...20 as ClosedRange<UInt64> {
            var world = small(loss, seed: seed)
            let sizes: [Int64] = [1, 1_448, 70_001, 3_000_000]
            for size in sizes { _ = world.open(0, 2, bytes: size) }
            world.run(until: .zero + .seconds(300))
            #expect(world.received == sizes)
            #expect(world.mismatches == 0)
            #expect(world.finishes.count == 2 * sizes.count)
            #expect(world.resets.isEmpty)
            // Nothing is left to do: the queue of events is empty.
            #expect(world.queue.next(notAfter: .distantFuture) == nil)
        }
    }

    /// What overflows the queue in parts of a byte leaves nothing behind that never departs.
    @Test func manyStreamsComplete() {
        let example = Case(rate: 1000, roundTrip: 80, loss: 0.000_001, streams: 32, queue: 1)
        for seed in 1...3 as ClosedRange<UInt64> {
            var world = BulkWorld(.pair(example.link(.fluid)), seed: seed)
            for _ in 0..<example.streams { _ = world.open(0, 2, bytes: 100_000_007) }
            world.run(until: .zero + .seconds(200))
            #expect(world.received.allSatisfy { $0 == 100_000_007 }, "\(world.received)")
            #expect(world.mismatches == 0)
        }
    }

    @Test func aResetReachesThePeerOneWayLater() {
        var world = small()
        let connection = world.open(0, 2)
        world.run(until: .zero + .seconds(1))
        let network = world.network.node(connection, .acceptor)
        #expect(network == NodeID(2))
        world.network.reset(connection, .opener, at: world.now, queue: &world.queue)
        world.run(until: world.now + .milliseconds(15))
        #expect(world.resets.isEmpty)
        world.run(until: world.now + .milliseconds(200))
        #expect(world.resets.map(\.0) == [.acceptor])
        #expect(world.resets.map(\.1) == [.byPeer])
        #expect(world.network.node(connection, .opener) == nil)
    }

    @Test(arguments: [false, true]) func aDeadNodeIsNoticed(silently: Bool) {
        var world = small()
        _ = world.open(0, 2)
        world.run(until: .zero + .seconds(1))
        world.network.dropNode(NodeID(2), silently: silently, at: world.now, queue: &world.queue)
        world.run(until: world.now + .seconds(200))
        #expect(world.resets.map(\.0) == [.opener])
        #expect(world.resets.map(\.1) == [silently ? .timedOut : .refused])
    }

    @Test func nobodyListens() {
        var world = small()
        world.network.dropNode(NodeID(2), silently: false, at: world.now, queue: &world.queue)
        _ = world.open(0, 2)
        world.run(until: world.now + .seconds(5))
        #expect(world.resets.map(\.0) == [.opener])
        #expect(world.resets.map(\.1) == [.refused])
    }

    /// An outage stops a stream; afterwards it starts small and completes.
    @Test func anOutageIsSurvived() {
        var world = small()
        _ = world.open(0, 2, bytes: 50_000_000)
        world.run(until: .zero + .seconds(2))
        let link = Topology.forth
        world.network.setLink(link, isUp: false, at: world.now, queue: &world.queue)
        world.run(until: world.now + .milliseconds(100))
        let held = world.received[0]
        world.run(until: world.now + .seconds(10))
        #expect(world.received[0] == held)
        world.network.setLink(link, isUp: true, at: world.now, queue: &world.queue)
        world.run(until: world.now + .seconds(20))
        #expect(world.received == [50_000_000])
    }

    /// A changed rate holds from then on, and no link carries more than its rate.
    @Test func rateChangesHold() {
        var world = small()
        _ = world.open(0, 2)
        world.run(until: .zero + .seconds(5))
        world.network.setRate(Topology.forth, .megabits(10), at: world.now, queue: &world.queue)
        world.run(until: world.now + .seconds(5))
        let before = world.network.counters(Topology.forth, at: world.now).departedBytes
        world.run(until: world.now + .seconds(20))
        let after = world.network.counters(Topology.forth, at: world.now).departedBytes
        let rate = Double(after - before) * 8 / 20
        #expect(rate > 9.8e6)
        #expect(rate <= 10e6 + 1)
    }

    /// Random calls at random times end in a world at rest, with equal fingerprints for equal seeds.
    @Test func randomLivesAreDeterministic() {
        for seed in 1...60 as ClosedRange<UInt64> {
            let first = randomLife(seed)
            #expect(first == randomLife(seed), "seed \(seed)")
            #expect(first != randomLife(seed + 1000))
        }
    }

    private func randomLife(_ seed: UInt64) -> Fingerprint {
        var random = SeededRandom(
            seed: seed,
            entity: EntityID(.experiment, 0),
            purpose: "fluid lives"
        )
        var world = small(random.unit() * 0.02, seed: seed)
        var connections: [ConnectionID] = []
        for _ in 0..<40 {
            world.run(until: world.now + .milliseconds(Int64(random.below(400))))
            switch random.below(8) {
            case 0...3:
                let bytes = Int64(random.below(5_000_000)) + 1
                connections.append(world.open(0, 2, bytes: bytes))
            case 4:
                guard let any = connections.randomElement(using: &random) else { break }
                let side: ConnectionSide = random.unit() < 0.5 ? .opener : .acceptor
                world.network.reset(any, side, at: world.now, queue: &world.queue)
                world.drain()
            case 5:
                let isUp = random.unit() < 0.7
                world.network.setLink(
                    Topology.forth,
                    isUp: isUp,
                    at: world.now,
                    queue: &world.queue
                )
            case 6:
                let silently = random.unit() < 0.5
                world.network.dropNode(
                    NodeID(2),
                    silently: silently,
                    at: world.now,
                    queue: &world.queue
                )
                world.drain()
            default:
                world.network.restoreNode(NodeID(2))
            }
        }
        world.network.setLink(Topology.forth, isUp: true, at: world.now, queue: &world.queue)
        world.run(until: world.now + .seconds(600))
        #expect(world.mismatches == 0)
        return world.fingerprint()
    }
}
