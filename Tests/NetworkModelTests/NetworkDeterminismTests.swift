import LinkModel
import Machines
import NetworkModel
import Testing
import Units

/// The same seed gives the same packets; whatever is beside a stream does not touch it.
@Suite struct NetworkDeterminismTests {
    static func run(
        seed: UInt64,
        nodes: Int = 4,
        stranger: Bool = false,
        control: CongestionControl = .cubic
    ) -> (String, [Int64]) {
        let link = LinkParameters(
            rate: .megabits(50),
            propagation: .milliseconds(20),
            jitter: Jitter(.lognormal, scale: .milliseconds(1), shape: 0.5),
            loss: .gilbert(rate: .percent(0.5), burst: 3),
            queueLimit: ByteCount(300_000 as Int64)
        )
        var topology = Topology.pair(link)
        while topology.nodes.count < nodes { topology.nodes.append(RegionID(1)) }
        var world = BulkWorld(topology, seed: seed)
        // A stream inside region 1, on another link than the two measured ones.
        if stranger { _ = world.open(UInt32(nodes - 1), 3, bytes: 1_000_000) }
        let options = StreamOptions(congestionControl: control, receiveCredit: 32 << 20)
        _ = world.open(0, 2, options: options)
        _ = world.open(1, 3, options: options)
        world.run(until: .zero + .seconds(10))
        let own = Array(world.received.suffix(2))
        return ("\(world.fingerprint())", own)
    }

    /// Goal: runs repeat. Method: equal and different seeds.
    @Test(arguments: CongestionControl.allCases) func seeds(_ control: CongestionControl) {
        let first = Self.run(seed: 1, control: control)
        let again = Self.run(seed: 1, control: control)
        let other = Self.run(seed: 2, control: control)
        #expect(first == again)
        #expect(first.0 != other.0)
        #expect(first.1 != other.1)
    }

    /// Goal: a further node, idle or busy elsewhere, changes nothing for others. Method: compare
    /// what two streams delivered, to the byte.
    @Test func furtherNodes() {
        let alone = Self.run(seed: 1)
        #expect(Self.run(seed: 1, nodes: 5).1 == alone.1)
        #expect(Self.run(seed: 1, nodes: 5, stranger: true).1 == alone.1)
    }

    /// Goal: without any loss or jitter the seed still decides in which phase BBR begins to probe.
    /// Method: fingerprints of two seeds on a plain link, for BBR and for CUBIC.
    @Test func phases() {
        func fingerprint(_ control: CongestionControl, _ seed: UInt64) -> String {
            var world = BulkWorld(.pair(.reference()), seed: seed)
            let options = StreamOptions(congestionControl: control, receiveCredit: 32 << 20)
            _ = world.open(0, 2, options: options)
            world.run(until: .zero + .seconds(5))
            return "\(world.fingerprint())"
        }
        #expect(fingerprint(.cubic, 1) == fingerprint(.cubic, 2))
        let seeds = (1...8).map { fingerprint(.bbr, $0) }
        #expect(Set(seeds).count > 1)
        #expect(seeds[0] == fingerprint(.bbr, 1))
    }

    /// Goal: loss that is switched on and off for one link draws from a stream of its own. Method:
    /// a link without traffic gets extra loss.
    @Test func faultsElsewhere() {
        var plain = BulkWorld(.pair(.reference(loss: .bernoulli(.percent(1)))), seed: 3)
        var faulty = BulkWorld(.pair(.reference(loss: .bernoulli(.percent(1)))), seed: 3)
        let local = faulty.network.link(from: RegionID(0), to: RegionID(0))!
        faulty.network.setExtraLoss(local, .bernoulli(Ratio(0.5)))
        _ = plain.open(0, 2)
        _ = faulty.open(0, 2)
        plain.run(until: .zero + .seconds(5))
        faulty.run(until: .zero + .seconds(5))
        #expect(plain.fingerprint() == faulty.fingerprint())
    }
}
