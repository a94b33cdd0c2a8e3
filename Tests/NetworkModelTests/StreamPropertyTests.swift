import Determinism
import LinkModel
import Machines
import NetworkModel
import SimulationKernel
import Testing
import Units

/// Goal: whatever links, losses, jitter and outages do, a stream gives out exactly the bytes
/// written, in order and once, and both sides finish. Method: 800 seeded random networks and
/// transfers, with outages, delays, partitions and rate changes under way; each must complete.
@Suite struct StreamPropertyTests {
    @Test(arguments: 0..<8) func everyByteOnceInOrder(_ batch: Int) {
        for seed in batch * 100..<(batch + 1) * 100 { transfer(seed) }
    }

    private func transfer(_ seed: Int) {
        var random = SeededRandom(
            seed: UInt64(seed),
            entity: EntityID(.experiment, 0),
            purpose: "stream property"
        )
        var parameters = TCPParameters.linux
        // A Gilbert burst of seven packets can swallow as many ever rarer retransmissions.
        parameters.largestTimeout = .seconds(5)
        parameters.patience = .seconds(600)
        var world = BulkWorld(
            .pair(link(&random), back: link(&random)),
            seed: UInt64(seed),
            parameters: parameters
        )
        world.largestWrite = random.below(2) == 0 ? .max : 1 + Int(random.below(4000))
        let total = 1 + Int64(random.below(2_000_000))
        let options = StreamOptions(
            congestionControl: CongestionControl.allCases[Int(random.below(3))],
            pacing: random.below(4) == 0 ? .megabits(1 + Int64(random.below(50))) : nil,
            receiveCredit: 1 + Int(random.below(300_000))
        )
        let connection = world.open(0, 2, bytes: total, options: options)
        disturb(&world, &random)
        world.run(until: world.now + .seconds(4000))
        let report = "seed \(seed): \(world.received[0]) of \(total), resets \(world.resets)"
        #expect(world.received[0] == total, "\(report)")
        #expect(world.mismatches == 0, "\(report)")
        #expect(world.finishes == [.acceptor, .opener], "\(report)")
        #expect(world.resets.isEmpty, "\(report)")
        #expect(world.network.node(connection, .opener) == nil, "the slot must be free: \(report)")
        for link in [Topology.forth, Topology.back] {
            let counters = world.network.counters(link, at: world.now)
            #expect(
                counters.offeredPackets
                    == counters.arrivedPackets + counters.droppedByLoss + counters.droppedByQueue
                    + counters.droppedByOutage,
                "\(report): \(counters)"
            )
        }
    }

    private func link(_ random: inout SeededRandom) -> LinkParameters {
        let distributions = Jitter.Distribution.allCases
        let loss: LossModel =
            switch random.below(3) {
            case 0: .none
            case 1: .bernoulli(Ratio(0.1 * random.unit()))
            default:
                .gilbert(rate: Ratio(0.05 * random.unit()), burst: 1 + 6 * random.unit())
            }
        return LinkParameters(
            rate: BitRate(bitsPerSecond: 500_000 + Int64(random.below(200_000_000))),
            propagation: .microseconds(Int64(random.below(150_000))),
            jitter: Jitter(
                distributions[Int(random.below(UInt64(distributions.count)))],
                scale: .microseconds(Int64(random.below(5_000))),
                shape: 0.5 + random.unit(),
                reorders: random.below(2) == 0
            ),
            loss: loss,
            queueLimit: ByteCount(5_000 + Int64(random.below(500_000))),
            backgroundLoad: Ratio(0.5 * random.unit())
        )
    }

    /// Up to three disturbances, each taken back.
    private func disturb(_ world: inout BulkWorld, _ random: inout SeededRandom) {
        for _ in 0..<random.below(4) {
            world.run(until: world.now + .milliseconds(Int64(random.below(600))))
            let link = random.below(2) == 0 ? Topology.forth : Topology.back
            let pause = Interval.milliseconds(Int64(random.below(5000)))
            switch random.below(4) {
            case 0:
                world.network.setLink(link, isUp: false, at: world.now, queue: &world.queue)
                world.run(until: world.now + pause)
                world.network.setLink(link, isUp: true, at: world.now, queue: &world.queue)
            case 1:
                let rate = BitRate(bitsPerSecond: 300_000 + Int64(random.below(50_000_000)))
                world.network.setRate(link, rate, at: world.now, queue: &world.queue)
            case 2:
                world.network.setExtraDelay(link, .milliseconds(Int64(random.below(900))))
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
