import LinkModel
import Machines
import NetworkModel
import SimulationKernel
import Testing
import Units

/// Streams through their life: opening, flow control, faults, the end.
@Suite struct StreamTests {
    static func world(
        rate: Int64 = 100,
        loss: LossModel = .none,
        parameters: TCPParameters = .linux,
        seed: UInt64 = 1
    ) -> BulkWorld {
        let link = LinkParameters(
            rate: .megabits(rate),
            propagation: .milliseconds(40),
            loss: loss,
            queueLimit: ByteCount(1_000_000 as Int64)
        )
        return BulkWorld(.pair(link), seed: seed, parameters: parameters)
    }

    /// Goal: a short transfer takes the handshake, one slow-start round and the way there. Method:
    /// ten segments fit the initial window: 80 ms + 40 ms + serialization.
    @Test func shortTransfer() {
        var world = Self.world()
        _ = world.open(0, 2, bytes: 14_480)
        world.run(until: .zero + .milliseconds(119))
        #expect(world.received == [0])
        world.run(until: .zero + .milliseconds(122))
        #expect(world.received == [14_480])
        world.run(until: .zero + .seconds(2))
        #expect(world.finishes == [.acceptor, .opener])
    }

    /// Goal: a receiver that grants nothing stops the sender at its credit; a grant starts it
    /// again. Method: 50,000 bytes of credit, then 20,000 more, across a minute of closed window.
    @Test func flowControl() {
        var world = Self.world()
        world.grants = false
        let connection = world.open(
            0,
            2,
            bytes: 1_000_000,
            options: StreamOptions(receiveCredit: 50_000)
        )
        world.run(until: .zero + .seconds(100))
        #expect(world.received == [50_000])
        #expect(world.resets.isEmpty, "an answered window probe is a sign of life")
        world.network.grant(
            connection,
            .acceptor,
            bytes: 20_000,
            at: world.now,
            queue: &world.queue
        )
        world.run(until: world.now + .seconds(1))
        #expect(world.received == [70_000])
    }

    /// Goal: a lost window update does not end the transfer. Method: the way back loses everything
    /// while the grant is sent; a window probe repairs it.
    @Test func lostWindowUpdate() {
        var world = Self.world()
        world.grants = false
        let connection = world.open(
            0,
            2,
            bytes: 100_000,
            options: StreamOptions(receiveCredit: 50_000)
        )
        world.run(until: .zero + .seconds(5))
        world.network.setExtraLoss(Topology.back, .bernoulli(Ratio(1)))
        world.network.grant(
            connection,
            .acceptor,
            bytes: 50_000,
            at: world.now,
            queue: &world.queue
        )
        world.network.setExtraLoss(Topology.back, .none)
        world.run(until: world.now + .seconds(20))
        #expect(world.received == [100_000])
        #expect(world.finishes == [.acceptor, .opener])
    }

    /// Goal: a transfer survives an outage by time-outs that back off. Method: eight dark seconds
    /// give retransmissions after about 0.3, 0.6, 1.2, 2.4 and 4.8 s, not more.
    @Test func outage() {
        var world = Self.world()
        let connection = world.open(0, 2, bytes: 20_000_000)
        world.run(until: .zero + .seconds(1))
        let before = world.network.statistics(connection, .opener)!
        world.network.setLink(Topology.forth, isUp: false, at: world.now, queue: &world.queue)
        world.run(until: world.now + .seconds(8))
        let after = world.network.statistics(connection, .opener)!
        #expect((4...6).contains(after.timeouts - before.timeouts), "\(after.timeouts) time-outs")
        world.network.setLink(Topology.forth, isUp: true, at: world.now, queue: &world.queue)
        world.run(until: world.now + .seconds(60))
        #expect(world.received == [20_000_000])
        #expect(world.finishes == [.acceptor, .opener])
        #expect(world.resets.isEmpty)
    }

    /// Goal: a peer that stays silent is given up after the model's patience. Method: an endless
    /// outage; 60 s, within one time-out.
    @Test func silentPeer() {
        var world = Self.world()
        _ = world.open(0, 2)
        world.run(until: .zero + .seconds(1))
        world.network.dropNode(NodeID(2), silently: true, at: world.now, queue: &world.queue)
        world.run(until: .zero + .seconds(60))
        #expect(world.resets.isEmpty)
        world.run(until: .zero + .seconds(62))
        #expect(world.resets.map { $0.0 } == [.opener])
        #expect(world.resets.map { $0.1 } == [.timedOut])
    }

    /// Goal: also a side that only receives notices a silent peer, and a quiet but living peer is
    /// left alone. Method: a sender that loses power, after half an hour without data.
    @Test func silentSender() {
        var world = Self.world()
        world.staysOpen = true
        _ = world.open(0, 2, bytes: 100_000)
        world.run(until: .zero + .seconds(1800))
        #expect(world.resets.isEmpty)
        #expect(world.received == [100_000])
        world.network.dropNode(NodeID(0), silently: true, at: world.now, queue: &world.queue)
        world.run(until: world.now + .seconds(121))
        #expect(world.resets.map { $0.0 } == [.acceptor])
        #expect(world.resets.map { $0.1 } == [.timedOut])
    }

    /// Goal: a handshake into the dark is repeated and then given up. Method: SYNs at 0, 1, 3, 7,
    /// 15 and 31 s, the end at 60 s.
    @Test func handshakeIntoTheDark() {
        var world = Self.world()
        world.network.dropNode(NodeID(2), silently: true, at: world.now, queue: &world.queue)
        _ = world.open(0, 2)
        world.run(until: .zero + .seconds(59))
        #expect(world.network.counters(Topology.forth, at: world.now).offeredPackets == 6)
        #expect(world.resets.isEmpty)
        world.run(until: .zero + .seconds(61))
        #expect(world.resets.map { $0.1 } == [.timedOut])
    }

    /// Goal: a lost SYN and a lost SYN-ACK cost a second each, no more. Method: lose each way once.
    @Test(arguments: [Topology.forth, Topology.back]) func lostHandshake(_ link: LinkID) {
        var world = Self.world()
        world.network.setExtraLoss(link, .bernoulli(Ratio(1)))
        _ = world.open(0, 2, bytes: 1000)
        world.run(until: .zero + .milliseconds(100))
        world.network.setExtraLoss(link, .none)
        world.run(until: .zero + .milliseconds(1300))
        #expect(world.received == [1000])
    }

    /// Goal: a node whose process died refuses. Method: one round trip.
    @Test func refusal() {
        var world = Self.world()
        world.network.dropNode(NodeID(2), silently: false, at: world.now, queue: &world.queue)
        _ = world.open(0, 2)
        world.run(until: .zero + .milliseconds(81))
        #expect(world.resets.map { $0.1 } == [.refused])
        world.network.restoreNode(NodeID(2))
        _ = world.open(0, 2, bytes: 5)
        world.run(until: .zero + .seconds(1))
        #expect(world.received == [5])
    }

    /// Goal: peers of a crashed process learn of it after the way there, and only they. Method: two
    /// streams to node 2, one to node 3.
    @Test func crash() {
        var world = Self.world()
        for receiver in [2, 2, 3] { _ = world.open(0, UInt32(receiver)) }
        world.run(until: .zero + .seconds(1))
        world.network.dropNode(NodeID(2), silently: false, at: world.now, queue: &world.queue)
        let untouched = world.received[2]
        world.run(until: world.now + .milliseconds(45))
        #expect(world.resets.map { $0.0 } == [.opener, .opener])
        #expect(world.resets.allSatisfy { $0.1 == .refused })
        world.run(until: world.now + .seconds(1))
        #expect(world.received[2] > untouched)
    }

    /// Goal: after power loss and restart, old connections are reset at their next packet. Method:
    /// dark for two seconds.
    @Test func powerLossAndRestart() {
        var world = Self.world()
        _ = world.open(0, 2)
        world.run(until: .zero + .seconds(1))
        world.network.dropNode(NodeID(2), silently: true, at: world.now, queue: &world.queue)
        world.run(until: .zero + .seconds(3))
        #expect(world.resets.isEmpty)
        world.network.restoreNode(NodeID(2))
        world.run(until: .zero + .seconds(10))
        #expect(world.resets.map { $0.1 } == [.refused])
    }

    /// Goal: a reset by the application reaches the peer as such, behind the data. Method: reset
    /// after everything arrived.
    @Test func resetByPeer() {
        var world = Self.world()
        let connection = world.open(0, 2)
        world.run(until: .zero + .seconds(1))
        world.network.reset(connection, .opener, at: world.now, queue: &world.queue)
        world.run(until: .zero + .seconds(2))
        #expect(world.resets.map { $0.0 } == [.acceptor])
        #expect(world.resets.map { $0.1 } == [.byPeer])
        #expect(world.network.node(connection, .opener) == nil)
        // A call for a connection that is gone does nothing.
        world.network.write(connection, .opener, [1, 2, 3], at: world.now, queue: &world.queue)
        world.network.grant(connection, .acceptor, bytes: 1, at: world.now, queue: &world.queue)
    }

    /// Goal: pacing spreads segments at its rate. Method: 10 Mbit/s on a link of 100: goodput just
    /// below, queue almost empty.
    @Test func pacing() {
        var world = Self.world()
        _ = world.open(
            0,
            2,
            options: StreamOptions(pacing: .megabits(10), receiveCredit: 32 << 20)
        )
        world.run(until: .zero + .seconds(5))
        let before = world.received[0]
        world.run(until: .zero + .seconds(15))
        let rate = Double(world.received[0] - before) * 8 / 10 / 1e6
        #expect((9.4...9.6).contains(rate), "\(rate) Mbit/s")
        let peak = world.network.counters(Topology.forth, at: world.now).peakQueue
        #expect(peak <= ByteCount(2 * 1514))
    }

    /// Goal: streams of one kind share a link. Method: Jain's index of 8 over 60 s, all
    /// algorithms.
    @Test(arguments: CongestionControl.allCases) func fairness(_ control: CongestionControl) {
        var world = Self.world()
        for _ in 0..<8 {
            _ = world.open(
                0,
                2,
                options: StreamOptions(congestionControl: control, receiveCredit: 32 << 20)
            )
        }
        world.run(until: .zero + .seconds(60))
        let shares = world.received.map(Double.init)
        let sum = shares.reduce(0, +)
        let index = sum * sum / (8 * shares.map { $0 * $0 }.reduce(0, +))
        #expect(index > 0.8, "Jain's index \(index)")
        #expect(sum * 8 / 60 / 1e6 > 90)
    }

    /// Goal: path samples say what happens, at most once a round trip. Method: a saturated stream.
    @Test func pathSamples() {
        var world = Self.world()
        _ = world.open(0, 2)
        world.run(until: .zero + .seconds(20))
        #expect(world.pathSamples.count < 20_000 / 80)
        #expect(world.pathSamples.count > 20_000 / 170)
        let last = world.pathSamples.last!
        #expect(last.rtt > .milliseconds(80) && last.rtt < .milliseconds(165))
        #expect(abs(Double(last.deliveryRate.bitsPerSecond) / 95.6e6 - 1) < 0.05)
        #expect(last.inFlight > ByteCount(900_000 as Int64))
    }

    /// Goal: a path that drops long packets and says nothing lets handshakes and small segments
    /// through, ends a stream of full ones by TCP's patience, and carries everything once it is whole.
    /// Method: the same link with a limit, with it again but for less, and without it.
    @Test func blackHole() {
        var world = Self.world()
        world.network.setPacketLimit(Topology.forth, ByteCount(1_280 as Int64))
        let small = world.open(0, 2, bytes: 1_000)
        world.run(until: .zero + .seconds(5))
        #expect(world.received[Int(small.slot)] == 1_000)
        #expect(world.resets.isEmpty)

        let large = world.open(0, 2, bytes: 1_000_000)
        world.run(until: .zero + .seconds(40))
        #expect(world.received[Int(large.slot)] == 0)
        #expect(world.resets.isEmpty)
        world.run(until: .zero + .seconds(300))
        #expect(world.resets.contains { $0 == (.opener, .timedOut) })
        let dropped = world.network.counters(Topology.forth, at: world.now).droppedByOutage
        #expect(dropped > 10)

        // A full segment is a packet of 1,500 bytes.
        world.network.setPacketLimit(Topology.forth, ByteCount(1_500 as Int64))
        let whole = world.open(0, 2, bytes: 1_000_000)
        world.run(until: .zero + .seconds(320))
        #expect(world.received[Int(whole.slot)] == 1_000_000)
        #expect(world.network.counters(Topology.forth, at: world.now).droppedByOutage == dropped)
        #expect(world.mismatches == 0)
    }

    /// Goal: a delay that jumps causes a spurious time-out, which is recognised. Method: 600 ms
    /// more for two seconds; the window afterwards is not one segment.
    @Test func delayJump() {
        var world = Self.world()
        let connection = world.open(0, 2)
        world.run(until: .zero + .seconds(3))
        world.network.setExtraDelay(Topology.forth, .milliseconds(600))
        world.run(until: .zero + .seconds(5))
        world.network.setExtraDelay(Topology.forth, .zero)
        world.run(until: .zero + .seconds(10))
        let statistics = world.network.statistics(connection, .opener)!
        #expect(statistics.timeouts > 0)
        #expect(statistics.congestionWindow > 300, "window \(statistics.congestionWindow)")
        #expect(world.mismatches == 0)
    }
}
