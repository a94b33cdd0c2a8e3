import LinkModel
import NetworkModel
import SimulationKernel
import Testing
import Units

/// What links do to packets, seen through datagrams of one fragment: 958 payload bytes are 1,000 on
/// the wire, so that a link of 8 Mbit/s sends one in a millisecond.
@Suite struct LinkTests {
    static let size = ByteCount(958 as Int64)

    static func world(_ parameters: LinkParameters, seed: UInt64 = 1) -> BulkWorld {
        BulkWorld(.pair(parameters), seed: seed)
    }

    static func parameters(
        jitter: Jitter = .none,
        loss: LossModel = .none,
        queue: Int64 = 1 << 40,
        load: Double = 0
    ) -> LinkParameters {
        LinkParameters(
            rate: .megabits(8),
            propagation: .milliseconds(10),
            jitter: jitter,
            loss: loss,
            queueLimit: ByteCount(queue),
            backgroundLoad: Ratio(load)
        )
    }

    static func send(_ world: inout BulkWorld, _ count: UInt32) {
        for token in 0..<count {
            world.network.sendDatagram(
                from: NodeID(0),
                to: NodeID(2),
                size: size,
                token: token,
                at: world.now,
                queue: &world.queue
            )
        }
        world.drain()
    }

    static func milliseconds(_ world: borrowing BulkWorld) -> [Double] {
        world.datagrams.map { ($0.at - .zero).milliseconds }
    }

    /// Goal: a link sends one packet after the other at its rate. Method: five at once.
    @Test func rateAndDelay() {
        var world = Self.world(Self.parameters())
        Self.send(&world, 5)
        world.run(until: .zero + .seconds(1))
        #expect(Self.milliseconds(world) == [11, 12, 13, 14, 15])
    }

    /// Goal: cross traffic takes its share of the rate. Method: three quarters of it.
    @Test func backgroundLoad() {
        var world = Self.world(Self.parameters(load: 0.75))
        Self.send(&world, 3)
        world.run(until: .zero + .seconds(1))
        #expect(Self.milliseconds(world) == [14, 18, 22])
    }

    /// Goal: the queue drops what does not fit, waiting and in service counted together. Method:
    /// room for three.
    @Test func dropTail() {
        var world = Self.world(Self.parameters(queue: 3_500))
        Self.send(&world, 5)
        #expect(world.network.queueOccupancy(Topology.forth, at: world.now) == ByteCount(3000))
        world.run(until: .zero + .seconds(1))
        #expect(world.datagrams.map(\.token) == [0, 1, 2])
        #expect(world.lostDatagrams == 2)
        let counters = world.network.counters(Topology.forth, at: world.now)
        #expect(counters.droppedByQueue == 2)
        #expect(counters.departedBytes == 3000)
        #expect(counters.busy == .milliseconds(3))
        #expect(counters.peakQueue == ByteCount(3000))
    }

    /// Goal: a new rate takes effect in the middle of a packet. Method: at 1.5 ms one packet and a
    /// half have left; the rest goes at a quarter of the rate.
    @Test func rateChange() {
        var world = Self.world(Self.parameters())
        Self.send(&world, 3)
        world.run(until: .zero + .microseconds(1500))
        world.network.setRate(Topology.forth, .megabits(2), at: world.now, queue: &world.queue)
        world.run(until: .zero + .seconds(1))
        let expected = [11.0, 13.5, 17.5]
        for (found, wanted) in zip(Self.milliseconds(world), expected) {
            #expect(abs(found - wanted) < 0.001)
        }
        _ = world.network.counters(Topology.forth, at: world.now)
    }

    /// Goal: an outage loses what waits, not what is on its way; later packets pass. Method: down
    /// at 2.5 ms of five packets.
    @Test func outage() {
        var world = Self.world(Self.parameters())
        Self.send(&world, 5)
        world.run(until: .zero + .microseconds(2500))
        world.network.setLink(Topology.forth, isUp: false, at: world.now, queue: &world.queue)
        Self.send(&world, 1)
        world.network.setLink(Topology.forth, isUp: true, at: world.now, queue: &world.queue)
        Self.send(&world, 1)
        world.run(until: .zero + .seconds(1))
        #expect(Self.milliseconds(world) == [11, 12, 13.5])
        #expect(world.lostDatagrams == 4)
        #expect(world.network.counters(Topology.forth, at: world.now).droppedByOutage == 4)
    }

    /// Goal: jitter delays, never hurries, and overtakes only when asked. Method: every
    /// distribution, 2,000 packets.
    @Test(arguments: Jitter.Distribution.allCases, [false, true])
    func jitter(_ distribution: Jitter.Distribution, _ reorders: Bool) {
        let jitter = Jitter(
            distribution,
            scale: .milliseconds(3),
            shape: 1.5,
            reorders: reorders
        )
        var world = Self.world(Self.parameters(jitter: jitter))
        Self.send(&world, 2000)
        world.run(until: .zero + .seconds(10))
        let tokens = world.datagrams.map(\.token)
        #expect(tokens.sorted() == Array(0..<2000))
        #expect((tokens == tokens.sorted()) == (!reorders || distribution == .none))
        for datagram in world.datagrams {
            let earliest = Interval.milliseconds(11 + Int64(datagram.token))
            #expect(datagram.at - .zero >= earliest)
            // The limit is 60 ms; keeping order can only repeat a predecessor's delay.
            #expect(datagram.at - .zero <= earliest + .milliseconds(60))
        }
    }

    /// Goal: loss models have the rate and burst length they were given. Method: 200,000 packets.
    @Test(arguments: [1.0, 4.0, 10.0]) func lossRates(_ burst: Double) {
        let rate = 0.02
        let model: LossModel =
            burst == 1 ? .bernoulli(Ratio(rate)) : .gilbert(rate: Ratio(rate), burst: burst)
        var world = Self.world(Self.parameters(loss: model))
        Self.send(&world, 200_000)
        world.run(until: .zero + .seconds(1000))
        let measured = Double(world.lostDatagrams) / 200_000
        #expect(abs(measured - rate) < 0.1 * rate * burst.squareRoot(), "rate \(measured)")
        var bursts = 0
        var previous: UInt32 = 0
        for datagram in world.datagrams {
            if datagram.token > previous + 1 { bursts += 1 }
            previous = datagram.token
        }
        let length = Double(world.lostDatagrams) / Double(bursts)
        let wanted = burst == 1 ? 1 / (1 - rate) : burst
        #expect(abs(length - wanted) < 0.1 * wanted, "burst length \(length)")
    }

    /// Goal: a burst is over after its time, however few packets it met: whoever sends rarely sees
    /// single losses. Method: packets 100 ms apart on a link whose bursts last 10 packets, 15 ms.
    @Test func burstsEndWithTime() {
        let model = LossModel.gilbert(rate: Ratio(0.05), burst: 10)
        var world = Self.world(Self.parameters(loss: model))
        var lost: [UInt32] = []
        for token in 0..<20_000 as Range<UInt32> {
            let before = world.lostDatagrams
            world.network.sendDatagram(
                from: NodeID(0),
                to: NodeID(2),
                size: Self.size,
                token: token,
                at: world.now,
                queue: &world.queue
            )
            world.drain()
            world.run(until: world.now + .milliseconds(100))
            if world.lostDatagrams > before { lost.append(token) }
        }
        #expect(abs(Double(lost.count) / 20_000 - 0.05) < 0.008, "\(lost.count) lost")
        let repeated = zip(lost, lost.dropFirst()).count { $1 == $0 + 1 }
        #expect(Double(repeated) / Double(lost.count) < 0.1, "\(repeated) of \(lost.count)")
    }

    /// Goal: extra loss and delay come and go. Method: everything lost, then nothing; 5 ms more.
    @Test func extraLossAndDelay() {
        var world = Self.world(Self.parameters())
        world.network.setExtraLoss(Topology.forth, .bernoulli(Ratio(1)))
        Self.send(&world, 3)
        world.network.setExtraLoss(Topology.forth, .none)
        world.network.setExtraDelay(Topology.forth, .milliseconds(5))
        Self.send(&world, 1)
        world.network.setExtraDelay(Topology.forth, .zero)
        world.run(until: .zero + .seconds(1))
        #expect(world.lostDatagrams == 3)
        #expect(Self.milliseconds(world) == [19])
    }

    /// Goal: a datagram of several fragments carries their headers. Method: 3,000 bytes make three.
    @Test func fragments() {
        var world = Self.world(Self.parameters())
        world.network.sendDatagram(
            from: NodeID(0),
            to: NodeID(2),
            size: ByteCount(3000),
            token: 7,
            at: world.now,
            queue: &world.queue
        )
        world.run(until: .zero + .seconds(1))
        let counters = world.network.counters(Topology.forth, at: world.now)
        #expect(counters.departedBytes == 3000 + 3 * 42)
        #expect(world.datagrams.map(\.token) == [7])
    }

    /// Goal: rules drop one way, the first verdict decides, and removal heals. Method: isolate
    /// node 0 but let node 2 through.
    @Test func rules() {
        var world = Self.world(Self.parameters())
        let accept = world.network.addRule(
            NetworkRule(from: NodeSet([NodeID(0)]), to: NodeSet([NodeID(2)]), verdict: .accept)
        )
        let isolate = world.network.addRule(
            NetworkRule(from: NodeSet([NodeID(0)]), to: .everything)
        )
        Self.send(&world, 1)
        world.network.removeRule(accept)
        Self.send(&world, 1)
        world.network.removeRule(isolate)
        Self.send(&world, 1)
        world.run(until: .zero + .seconds(1))
        #expect(world.datagrams.count == 2)
        #expect(world.lostDatagrams == 1)
        #expect(world.network.counters(Topology.forth, at: world.now).droppedByRule == 1)
    }

    /// Goal: in no window does a link carry more than its rate and one packet. Method: arrivals of
    /// a saturated transfer without jitter are departures shifted; every pair of 2,000 is a window.
    @Test func noWindowBeyondTheRate() {
        var world = Self.world(Self.parameters(queue: 100_000))
        for _ in 0..<40 {
            Self.send(&world, 50)
            world.run(until: world.now + .milliseconds(37))
        }
        let times = world.datagrams.map { $0.at }
        #expect(times.count > 1000)
        for first in stride(from: 0, to: times.count, by: 7) {
            for last in stride(from: first + 1, to: times.count, by: 5) {
                let packets = Int64(last - first)
                #expect(times[last] - times[first] >= .milliseconds(packets))
            }
        }
    }
}
