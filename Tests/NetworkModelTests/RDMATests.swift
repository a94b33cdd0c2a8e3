import Determinism
import LinkModel
import Machines
import NetworkModel
import SimulationKernel
import Testing
import Units

/// Goal: streams over modelled RDMA links run at the rate that rings and headers leave, share what is
/// short without a loss, stop what a pause stops, recover from losses, and end with a typed reset where
/// they cannot. Method: a small fabric whose links, rings, queues and faults are varied.
@Suite struct RDMATests {
    static let rate = BitRate.gigabits(25)

    static func link(
        _ rate: BitRate = RDMATests.rate,
        delay: Interval = .microseconds(20),
        mtu: Int = 4096,
        ring: ByteCount = .mebibytes(1),
        pauses: Bool = true,
        queue: ByteCount = .kibibytes(256),
        loss: LossModel = .none
    ) -> LinkParameters {
        let pause = PriorityPause(stop: queue, resume: ByteCount(queue.bytes / 2))
        return LinkParameters(
            rate: rate,
            propagation: delay,
            loss: loss,
            queueLimit: queue,
            rdma: RDMAParameters(mtu: mtu, ring: ring, pause: pauses ? pause : nil)
        )
    }

    /// Two senders' regions (nodes 0, 1), a receivers' region (2, 3) and another (4): links from both
    /// senders to the receivers, and from the first to the other region.
    static func fabric(_ link: LinkParameters) -> Topology {
        let ends: [(UInt32, UInt32)] = [(0, 2), (2, 0), (1, 2), (2, 1), (0, 3), (3, 0)]
        return Topology(
            regionCount: 4,
            nodes: [0, 1, 2, 2, 3].map { RegionID($0) },
            links: ends.map {
                Topology.DirectedLink(from: RegionID($0.0), to: RegionID($0.1), link)
            }
        )
    }

    static func world(_ topology: Topology, seed: UInt64 = 1) -> BulkWorld {
        var world = BulkWorld(topology, seed: seed)
        world.joinsPieces = true
        return world
    }

    /// Bits a second that each connection brings from 3 ms on.
    static func rates(
        _ world: inout BulkWorld,
        _ connections: [ConnectionID],
        over window: Interval = .milliseconds(5)
    ) -> [Double] {
        world.run(until: .zero + .milliseconds(3))
        let before = connections.map { world.received[Int($0.slot)] }
        world.run(until: world.now + window)
        return zip(connections, before).map {
            Double(world.received[Int($0.slot)] - $1) * 8 / window.seconds
        }
    }

    /// Of a message of 64 KiB.
    static func payloadShare(mtu: Int) -> Double {
        let packets = 65_536 / mtu
        return 65_536 / Double(65_536 + packets * 58 + 20)
    }

    // MARK: Rates

    /// A ring that holds more than a round trip: the line's rate without headers.
    @Test(arguments: [1024, 4096]) func aLargeRingFillsTheLine(mtu: Int) {
        var world = Self.world(Self.fabric(Self.link(mtu: mtu)))
        let connection = world.open(0, 2)
        let rate = Self.rates(&world, [connection])[0]
        let expected = 25e9 * Self.payloadShare(mtu: mtu)
        #expect(rate <= expected * 1.001, "\(rate) of \(expected)")
        #expect(rate >= expected * 0.985, "\(rate) of \(expected)")
        #expect(world.mismatches == 0)
        let counters = world.network.counters(LinkID(0), at: world.now)
        #expect(counters.pauses == 0)
        #expect(Double(counters.departedBytes) <= 25e9 / 8 * world.now.seconds)
    }

    /// A ring that holds less: one ring a round trip. What was taken is told in quarters of a ring, so
    /// that a round trip is longer by the time of one.
    @Test func aSmallRingBoundsTheRate() {
        let link = Self.link(delay: .milliseconds(1), ring: .mebibytes(1))
        var world = Self.world(Self.fabric(link))
        let connection = world.open(0, 2)
        let rate = Self.rates(&world, [connection], over: .milliseconds(100))[0]
        let ring = Double(1 << 20) * 8
        let expected = ring / (0.002 + ring / 4 / 25e9)
        #expect(abs(rate / expected - 1) < 0.06, "\(rate), not \(expected)")
        #expect(rate < ring / 0.002)
        let use = world.network.ringUse(connection, towards: .acceptor)
        #expect(use.peak == use.length)
    }

    /// All streams between two nodes share one ring.
    @Test func streamsOfANodeShareItsRing() {
        let link = Self.link(delay: .milliseconds(1))
        var one = Self.world(Self.fabric(link))
        let alone = Self.rates(&one, [one.open(0, 2)], over: .milliseconds(50))[0]
        var many = Self.world(Self.fabric(link))
        let connections = (0..<8).map { _ in many.open(0, 2) }
        let rates = Self.rates(&many, connections, over: .milliseconds(50))
        let sum = rates.reduce(0, +)
        #expect(abs(sum / alone - 1) < 0.02, "\(rates) for \(alone)")
        #expect(rates.allSatisfy { abs($0 / (sum / 8) - 1) < 0.1 }, "\(rates)")
    }

    // MARK: Pauses

    /// Two senders into one port: each gets half, nothing is dropped, and what waits never exceeds
    /// the room above the mark.
    @Test func incastPausesAndLosesNothing() {
        let link = Self.link()
        var world = Self.world(Self.fabric(link))
        let connections = [world.open(0, 2), world.open(1, 3)]
        let rates = Self.rates(&world, connections)
        let whole = 25e9 * Self.payloadShare(mtu: 4096)
        #expect(rates.allSatisfy { abs($0 / (whole / 2) - 1) < 0.05 }, "\(rates)")
        #expect(rates.reduce(0, +) > 0.97 * whole, "\(rates)")
        for index in [0, 2] as [UInt32] {
            let counters = world.network.counters(LinkID(index), at: world.now)
            #expect(counters.dropped == 0)
            #expect(counters.pauses > 0)
            #expect(counters.paused > .microseconds(500), "\(counters.paused)")
            let room = link.rdma!.pause!.headroom(
                rate: link.rate,
                propagation: link.propagation,
                packet: 2 * (4096 + 78)
            )
            #expect(counters.peakQueue > .kibibytes(256))
            #expect(counters.peakQueue <= .kibibytes(256) + room, "\(counters.peakQueue)")
        }
        for connection in connections {
            let statistics = world.network.statistics(connection, .opener)!
            #expect(statistics.segmentsRetransmitted == 0)
        }
        #expect(world.mismatches == 0)
    }

    /// A pause stops everything that its sender's port sends, also what goes where nothing is short.
    @Test func aPauseBlocksTheHeadOfTheLine() {
        func victim(congested: Bool, pauses: Bool) -> Double {
            var world = Self.world(Self.fabric(Self.link(pauses: pauses)))
            let victim = world.open(0, 4)
            if congested { _ = [world.open(0, 2), world.open(1, 3)] }
            return Self.rates(&world, [victim])[0]
        }
        let alone = victim(congested: false, pauses: true)
        #expect(alone > 24e9)
        let blocked = victim(congested: true, pauses: true)
        #expect(blocked < 0.75 * alone, "\(blocked) of \(alone)")
        // Without pauses the other port does not feel it.
        let free = victim(congested: true, pauses: false)
        #expect(free > 0.97 * alone, "\(free) of \(alone)")
    }

    /// Without pauses incast drops, and going back recovers it.
    @Test func aLossyQueueDropsAndRecovers() {
        let link = Self.link(pauses: false, queue: .kibibytes(64))
        var world = Self.world(Self.fabric(link))
        let connections = [
            world.open(0, 2, bytes: 20_000_003), world.open(1, 3, bytes: 20_000_003),
        ]
        world.run(until: .zero + .seconds(20))
        #expect(connections.map { world.received[Int($0.slot)] } == [20_000_003, 20_000_003])
        #expect(world.mismatches == 0 && world.resets.isEmpty)
        let counters = world.network.counters(LinkID(0), at: world.now)
        #expect(counters.droppedByQueue > 0 && counters.pauses == 0)
    }

    // MARK: Losses

    @Test func lossesAreRepeatedFromTheFirst() {
        let link = Self.link(loss: .bernoulli(Ratio(0.001)))
        var world = Self.world(Self.fabric(link))
        let connection = world.open(0, 2, bytes: 30_000_001)
        world.staysOpen = true
        world.run(until: .zero + .seconds(20))
        #expect(world.received[Int(connection.slot)] == 30_000_001)
        #expect(world.mismatches == 0 && world.resets.isEmpty)
        let statistics = world.network.statistics(connection, .opener)!
        #expect(statistics.recoveries > 0)
        // Going back repeats what had arrived as well.
        let lost = world.network.counters(LinkID(0), at: world.now).droppedByLoss
        #expect(statistics.segmentsRetransmitted > lost)
    }

    /// An outage shorter than the repetitions is survived; a longer one resets the streams.
    @Test(arguments: [(1.0, true), (4.0, false)])
    func repetitionsEnd(_ outage: Double, survives: Bool) {
        var world = Self.world(Self.fabric(Self.link()))
        let connection = world.open(0, 2)
        world.run(until: .zero + .milliseconds(2))
        world.network.setLink(LinkID(0), isUp: false, at: world.now, queue: &world.queue)
        world.run(until: .zero + .milliseconds(2) + Interval(seconds: outage))
        world.network.setLink(LinkID(0), isUp: true, at: world.now, queue: &world.queue)
        let before = world.received[Int(connection.slot)]
        world.run(until: world.now + .milliseconds(300))
        if survives {
            #expect(world.resets.isEmpty)
            #expect(world.received[Int(connection.slot)] > before)
        } else {
            // Either side may be the first to give up, and the other hears of it.
            #expect(Set(world.resets.map(\.0)) == [.opener, .acceptor])
            #expect(world.resets.map(\.1) == [.failed, .byPeer])
            let owner = world.network.node(connection, .opener)
            #expect(owner == nil)
            // The next stream sets a new pair up.
            let next = world.open(0, 2, bytes: 100_000)
            world.run(until: world.now + .milliseconds(50))
            #expect(world.received[Int(next.slot)] == 100_000)
        }
        #expect(world.mismatches == 0)
    }

    /// Queue pairs come up through a link that swallows long packets, and no payload does.
    @Test(arguments: [1_280, 4_200]) func longPacketsVanishInABlackHole(_ limit: Int) {
        var world = Self.world(Self.fabric(Self.link()))
        world.network.setPacketLimit(LinkID(0), ByteCount(limit))
        let connection = world.open(0, 2, bytes: 1_000_000)
        world.run(until: .zero + .seconds(3))
        // 4,096 bytes in headers of 44 and 20 in all without Ethernet's.
        let passes = limit >= 4_096 + 64
        #expect(world.received[Int(connection.slot)] == (passes ? 1_000_000 : 0))
        #expect(world.resets.contains { $0.1 == .failed } == !passes)
        let dropped = world.network.counters(LinkID(0), at: world.now).droppedByOutage
        #expect((dropped > 0) == !passes)
    }

    /// Eight attempts of 268 ms each.
    @Test func theTimeUntilAQueuePairFails() {
        var world = Self.world(Self.fabric(Self.link()))
        _ = world.open(0, 2)
        world.run(until: .zero + .milliseconds(2))
        world.network.setLink(LinkID(0), isUp: false, at: world.now, queue: &world.queue)
        world.run(until: .zero + .milliseconds(2_140))
        #expect(world.resets.isEmpty)
        world.run(until: .zero + .milliseconds(2_160))
        #expect(world.resets.first?.1 == .failed)
    }

    // MARK: Ends

    @Test func aPeerThatDiesLoudlyIsHeardOfAtOnce() {
        var world = Self.world(Self.fabric(Self.link()))
        _ = world.open(0, 2)
        world.run(until: .zero + .milliseconds(2))
        world.network.dropNode(NodeID(2), silently: false, at: world.now, queue: &world.queue)
        world.run(until: world.now + .milliseconds(1))
        #expect(world.resets.map(\.0) == [.opener])
        #expect(world.resets.map(\.1) == [.byPeer])
        _ = world.open(0, 2)
        world.run(until: world.now + .milliseconds(1))
        #expect(world.resets.map(\.1) == [.byPeer, .refused])
        world.network.restoreNode(NodeID(2))
        let again = world.open(0, 2, bytes: 10_000)
        world.run(until: world.now + .milliseconds(5))
        #expect(world.received[Int(again.slot)] == 10_000)
        #expect(world.mismatches == 0)
    }

    @Test func aPeerThatFallsSilentIsFoundOut() {
        var world = Self.world(Self.fabric(Self.link()))
        _ = world.open(0, 2)
        world.run(until: .zero + .milliseconds(2))
        world.network.dropNode(NodeID(2), silently: true, at: world.now, queue: &world.queue)
        world.run(until: world.now + .seconds(3))
        #expect(world.resets.map(\.0) == [.opener])
        #expect(world.resets.map(\.1) == [.failed])
        // One that it cannot be connected to is given up as well.
        _ = world.open(0, 2)
        world.run(until: world.now + .seconds(6))
        #expect(world.resets.map(\.1) == [.failed, .timedOut])
    }

    /// A queue pair that breaks resets all its streams on both sides, and no others.
    @Test func aBrokenPairResetsItsStreams() {
        var world = Self.world(Self.fabric(Self.link()))
        let first = world.open(0, 2)
        _ = world.open(0, 2)
        let other = world.open(1, 2)
        world.run(until: .zero + .milliseconds(2))
        world.network.breakPair(of: first, .opener, at: world.now, queue: &world.queue)
        world.drain()
        world.run(until: world.now + .milliseconds(2))
        #expect(world.resets.map(\.0) == [.opener, .opener, .acceptor, .acceptor])
        #expect(world.resets.map(\.1) == [.failed, .failed, .byPeer, .byPeer])
        let owner = world.network.node(other, .opener)
        #expect(owner == NodeID(1))
        let isRDMA = world.network.isRDMA(other)
        #expect(isRDMA)
    }

    @Test func aResetReachesThePeer() {
        var world = Self.world(Self.fabric(Self.link()))
        let connection = world.open(0, 2)
        world.run(until: .zero + .milliseconds(2))
        world.network.reset(connection, .opener, at: world.now, queue: &world.queue)
        world.run(until: world.now + .milliseconds(5))
        #expect(world.resets.map(\.0) == [.acceptor])
        #expect(world.resets.map(\.1) == [.byPeer])
        let owner = world.network.node(connection, .acceptor)
        #expect(owner == nil)
    }

    // MARK: Determinism

    @Test func equalSeedsGiveEqualRuns() {
        func run(_ seed: UInt64) -> Fingerprint {
            let link = Self.link(loss: .bernoulli(Ratio(0.001)))
            var world = Self.world(Self.fabric(link), seed: seed)
            _ = [world.open(0, 2), world.open(1, 3), world.open(0, 4)]
            world.run(until: .zero + .milliseconds(20))
            return world.fingerprint()
        }
        #expect(run(1) == run(1))
        #expect(run(1) != run(2))
    }
}

/// Goal: whatever rings, packets, queues, losses and faults of links do, a stream over RDMA gives out
/// exactly the bytes written, in order and once, both sides finish, and no ring is overrun. Method: 300
/// seeded random fabrics and transfers in both directions, with disturbances shorter than the
/// repetitions of a queue pair.
@Suite struct RDMAPropertyTests {
    @Test(arguments: 0..<6) func everyByteOnceInOrder(_ batch: Int) {
        for seed in batch * 50..<(batch + 1) * 50 { transfer(UInt64(seed)) }
    }

    private func transfer(_ seed: UInt64) {
        var random = SeededRandom(
            seed: seed,
            entity: EntityID(.experiment, 0),
            purpose: "rdma property"
        )
        let link = link(&random)
        var world = RDMATests.world(RDMATests.fabric(link), seed: seed)
        world.largestWrite = random.below(2) == 0 ? .max : 200 + Int(random.below(9000))
        let ends: [(UInt32, UInt32)] = [(0, 2), (2, 0), (1, 2), (1, 3), (0, 4), (0, 2)]
        let sizes = ends.map { _ in 1 + Int64(random.below(1_500_000)) }
        var connections: [ConnectionID] = []
        for (end, size) in zip(ends, sizes) {
            let options = StreamOptions(
                priority: UInt8(random.below(3)),
                receiveCredit: 1 + Int(random.below(300_000))
            )
            connections.append(world.open(end.0, end.1, bytes: size, options: options))
        }
        var rings: [(peak: Int, length: Int)] = []
        world.run(until: world.now + .microseconds(Int64(random.below(2000))))
        disturb(&world, &random)
        for connection in connections where world.network.node(connection, .opener) != nil {
            rings.append(world.network.ringUse(connection, towards: .acceptor))
        }
        world.run(until: world.now + .seconds(600))
        let report = "seed \(seed): \(world.received) of \(sizes), resets \(world.resets)"
        #expect(connections.map { world.received[Int($0.slot)] } == sizes, "\(report)")
        #expect(world.mismatches == 0, "\(report)")
        #expect(world.resets.isEmpty, "\(report)")
        #expect(world.finishes.count == 2 * sizes.count, "\(report)")
        #expect(rings.allSatisfy { $0.peak <= $0.length }, "\(report)")
        for connection in connections {
            let owner = world.network.node(connection, .opener)
            #expect(owner == nil, "\(report)")
        }
        for index in 0..<6 as Range<UInt32> {
            let counters = world.network.counters(LinkID(index), at: world.now)
            let ended = counters.arrivedPackets + counters.dropped + counters.corrupted
            #expect(counters.offeredPackets == ended, "\(report): \(counters)")
            let waiting = world.network.queueOccupancy(LinkID(index), at: world.now)
            #expect(waiting == .zero, "\(report)")
        }
    }

    private func link(_ random: inout SeededRandom) -> LinkParameters {
        let mtus = RDMAParameters.possibleMTUs
        let queue = ByteCount(10_000 + Int64(random.below(400_000)))
        let stop = PriorityPause(
            stop: queue,
            resume: ByteCount(Int64(random.below(UInt64(queue.bytes))))
        )
        return LinkParameters(
            rate: BitRate(bitsPerSecond: 500_000_000 + Int64(random.below(100_000_000_000))),
            propagation: .nanoseconds(Int64(random.below(500_000))),
            loss: random.below(2) == 0 ? .none : .bernoulli(Ratio(0.01 * random.unit())),
            faults: PacketFaults(corrupt: random.below(3) == 0 ? Ratio(0.005) : .zero),
            queueLimit: queue,
            backgroundLoad: Ratio(0.5 * random.unit()),
            rdma: RDMAParameters(
                mtu: mtus[Int(random.below(UInt64(mtus.count)))],
                ring: .kibibytes(64 + Int64(random.below(2000))),
                pause: random.below(3) == 0 ? nil : stop
            )
        )
    }

    /// Up to two disturbances, each taken back before a queue pair gives up.
    private func disturb(_ world: inout BulkWorld, _ random: inout SeededRandom) {
        for _ in 0..<random.below(3) {
            let link = LinkID(UInt32(random.below(6)))
            let pause = Interval.milliseconds(Int64(random.below(700)))
            switch random.below(4) {
            case 0:
                world.network.setLink(link, isUp: false, at: world.now, queue: &world.queue)
                world.run(until: world.now + pause)
                world.network.setLink(link, isUp: true, at: world.now, queue: &world.queue)
            case 1:
                let rate = BitRate(bitsPerSecond: 100_000_000 + Int64(random.below(50_000_000_000)))
                world.network.setRate(link, rate, at: world.now, queue: &world.queue)
            case 2:
                world.network.setExtraDelay(link, .microseconds(Int64(random.below(9000))))
                world.run(until: world.now + pause)
                world.network.setExtraDelay(link, .zero)
            default:
                let rule = world.network.addRule(
                    NetworkRule(from: NodeSet([NodeID(0)]), to: .everything)
                )
                world.run(until: world.now + pause)
                world.network.removeRule(rule)
            }
        }
    }
}
