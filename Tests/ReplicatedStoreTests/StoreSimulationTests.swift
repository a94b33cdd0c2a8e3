import Determinism
import Machines
import Raft
import RaftDefects
import ReplicatedStore
import SimulatedEnvironment
import SimulationKernel
import Testing
import Units

// Goal: the store works in the simulated world as a whole: over datagrams and over streams, through loss and
// crashes of every replica, clients are told the truth and the group goes on.
// Method: five replicas in three regions, two clients that append and read one after the other; a watcher
// compares what they are told with what they did.
@Suite struct StoreSimulationTests {
    @Test(arguments: StoreConfiguration.Carrier.allCases, [1, 2, 3, 4] as [UInt64])
    func crashesOfEveryReplica(_ carrier: StoreConfiguration.Carrier, _ seed: UInt64) {
        var world = StoreWorld(seed: seed, carrier: carrier)
        world.loss = Ratio(0.01)
        world.faults = StoreWorld.crashes
        world.readsFromFollower = seed % 2 == 0
        var simulation = world.simulation()
        #expect(simulation.run() == .reachedTime)
        let watcher = simulation.observer
        #expect(watcher.violations.isEmpty, "\(watcher.violations)")
        let done = watcher.done.values.reduce(0) { $0 + $1.count }
        #expect(done > 400, "\(done) updates, \(watcher.unknown), \(watcher.counts)")
        #expect(watcher.reads > 80, "\(watcher.reads) reads")
        #expect(watcher.counts["snapshot", default: 0] > 5, "\(watcher.counts)")
        #expect(world.until - watcher.lastCompletion < .seconds(1), "\(watcher.lastCompletion)")
    }

    @Test func equalSeedsGiveEqualRuns() {
        for carrier in StoreConfiguration.Carrier.allCases {
            var world = StoreWorld(seed: 9, carrier: carrier)
            world.until = .zero + .seconds(8)
            world.faults = StoreWorld.crashes
            var first = world.simulation()
            var second = world.simulation()
            _ = first.run()
            _ = second.run()
            #expect(first.fingerprint == second.fingerprint)
        }
    }

    @Test func leasesServeReads() {
        var world = StoreWorld(seed: 3)
        world.leaseReads = true
        world.until = .zero + .seconds(10)
        var simulation = world.simulation()
        _ = simulation.run()
        let watcher = simulation.observer
        #expect(watcher.violations.isEmpty, "\(watcher.violations)")
        #expect(watcher.reads > 50, "\(watcher.reads) reads")
    }
}
