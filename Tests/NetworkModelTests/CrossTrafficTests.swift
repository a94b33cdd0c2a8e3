import LinkModel
import Machines
import NetworkModel
import Testing
import Units

/// Flows of others beside a measured one.
@Suite struct CrossTrafficTests {
    static func world(_ traffic: CrossTraffic?, seed: UInt64 = 1) -> BulkWorld {
        var topology = Topology.pair(.reference())
        if let traffic { topology.crossTraffic = [traffic] }
        var world = BulkWorld(topology, seed: seed)
        world.network.startCrossTraffic(queue: &world.queue)
        return world
    }

    static func traffic(_ flows: Int, start: Interval = .zero) -> CrossTraffic {
        CrossTraffic(from: RegionID(0), to: RegionID(1), flows: flows, start: start)
    }

    /// Goal: others take their share and leave the rest, the link is full, and what they took is
    /// counted. Method: one CUBIC flow beside three for 60 s: a quarter each, within a wide margin, for
    /// CUBIC's shares swing over tens of seconds.
    @Test func shares() {
        var world = Self.world(Self.traffic(3))
        _ = world.open(0, 2)
        world.run(until: .zero + .seconds(60))
        let mine = world.received.reduce(0) { $0 + Double($1) }
        let others = world.network.crossFlows.reduce(0) { $0 + Double($1.received) }
        let capacity = 100e6 / 8 * 60 * 1448 / 1514
        #expect((0.93...1).contains((mine + others) / capacity), "\((mine + others) / capacity)")
        #expect((0.1...0.5).contains(mine / capacity), "\(mine / capacity)")
        for flow in world.network.crossFlows {
            #expect(Double(flow.received) / capacity > 0.05, "\(flow)")
            #expect(flow.resets == 0)
        }
        let carried = Double(world.network.crossBytes(Topology.forth))
        #expect(carried >= others * 1514 / 1448 && carried < others * 1.1)
        #expect(world.network.crossBytes(Topology.back) > 0)
        _ = world.network.counters(Topology.forth, at: world.now)
    }

    /// Goal: before others start nothing differs from a network without them, to the byte. Method:
    /// others from 5 s on; what arrived until then.
    @Test func start() {
        var alone = Self.world(nil)
        var crossed = Self.world(Self.traffic(4, start: .seconds(5)))
        _ = alone.open(0, 2)
        _ = crossed.open(0, 2)
        alone.run(until: .zero + .seconds(5))
        crossed.run(until: .zero + .milliseconds(4999))
        #expect(crossed.network.crossBytes(Topology.forth) == 0)
        crossed.run(until: .zero + .seconds(5))
        #expect(alone.received == crossed.received)
        alone.run(until: .zero + .seconds(20))
        crossed.run(until: .zero + .seconds(20))
        #expect(crossed.received[0] < alone.received[0])
        #expect(crossed.network.crossBytes(Topology.forth) > 0)
    }

    /// Goal: an outage that breaks connections does not end the others' traffic. Method: the link is
    /// down for as long as it takes, then up; flows carry bytes again.
    @Test func outage() {
        var world = Self.world(Self.traffic(2))
        world.run(until: .zero + .seconds(5))
        world.network.setLink(Topology.forth, isUp: false, at: world.now, queue: &world.queue)
        world.run(until: .zero + .seconds(1800))
        world.network.setLink(Topology.forth, isUp: true, at: world.now, queue: &world.queue)
        let before = world.network.crossFlows.map(\.received)
        world.run(until: .zero + .seconds(2100))
        for (flow, bytes) in zip(world.network.crossFlows, before) {
            #expect(flow.resets > 0)
            #expect(flow.received > bytes)
        }
    }

    /// Goal: runs with others repeat. Method: equal and other seeds.
    @Test func repeats() {
        func fingerprint(_ seed: UInt64) -> String {
            var topology = Topology.pair(.reference(loss: .bernoulli(.percent(0.1))))
            topology.crossTraffic = [Self.traffic(2)]
            var world = BulkWorld(topology, seed: seed)
            world.network.startCrossTraffic(queue: &world.queue)
            _ = world.open(0, 2)
            world.run(until: .zero + .seconds(5))
            return "\(world.fingerprint())"
        }
        #expect(fingerprint(1) == fingerprint(1))
        #expect(fingerprint(1) != fingerprint(2))
    }
}
